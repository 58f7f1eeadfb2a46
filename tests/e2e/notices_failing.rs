//! Notices that the event bus does not take: they cost no result, and are sent later.

use crate::{
    notices::{milestones, with_bus},
    support::*,
};
use access_key_rotation::error::Error;
use chrono::TimeDelta;
use local_aws::{ComplianceType::*, FaultKind, events};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn a_notice_that_fails_costs_no_result_and_is_sent_later() {
    let deployment = with_bus().await;
    deployment.user_with_key_of("soon", days(80));
    deployment.user_with_key_of("stale", days(100));
    deployment.fault(Some("PutEvents"), None, FaultKind::AccessDenied);
    let (outcome, _) = deployment.sweep_with(&[]).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::NoticeFailed(_)), "{error:?}");
    assert_eq!(error.to_string(), "2 notices did not reach the event bus: events:PutEvents: AccessDeniedException.");
    assert_eq!((deployment.result("soon").0, deployment.result("stale").0), (Compliant, NonCompliant));
    let words = |user: &str| deployment.result(user).1.unwrap();
    for user in ["soon", "stale"] {
        assert!(words(user).ends_with(" Notice not sent yet.") && words(user).len() <= 256, "{}", words(user));
    }
    deployment.aws.world().faults.clear();

    deployment.aws.world().advance(days(1));
    deployment.sweep(&[]).await;
    let mut notices = deployment.milestones();
    notices.sort();
    assert_eq!(notices, milestones(&[("Due Soon", 14), ("Overdue", 11)]), "each once");
    assert!(!words("soon").contains("Notice") && !words("stale").contains("Notice"));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.milestones().len(), 2);

    deployment.aws.world().advance(days(3));
    deployment.fault(Some("PutEvents"), None, FaultKind::AccessDenied);
    deployment.sweep_with(&[]).await.0.unwrap_err();
    deployment.aws.world().faults.clear();
    deployment.sweep(&[]).await;
    assert!(deployment.milestones().contains(&("Access Key Due Soon".to_owned(), 7)), "{:?}", deployment.milestones());
}

#[tokio::test(start_paused = true)]
async fn a_retry_by_lambda_sends_what_the_bus_refused_and_nothing_twice() {
    let deployment = with_bus().await;
    deployment.member(|account| populate(account, today(), 23, 100, 0));
    deployment.fault(None, None, FaultKind::FailedEntries { times: 1, first: 4, code: "MalformedDetail" });
    let event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    deployment.send(&event).await.0.unwrap_err();
    deployment.aws.world().advance(TimeDelta::minutes(1));
    deployment.send(&event).await.0.unwrap();
    let keys = deployment.notices().into_iter().map(|event| event["detail"]["accessKeyId"].to_string());
    let mut keys: Vec<_> = keys.collect();
    assert_eq!(keys.len(), 23);
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), 23);
}

#[tokio::test(start_paused = true)]
async fn an_event_bus_that_never_answers_costs_no_result() {
    let mut deployment = with_bus().await;
    deployment.member(|account| populate(account, today(), 21, 100, 0));
    deployment.rule.timeout = Duration::from_secs(15);
    deployment.fault(Some("PutEvents"), None, FaultKind::Latency(Duration::from_secs(3600)));
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "NoticeFailed", "{error}");
    deployment.assert_all_right(90);

    deployment.aws.world().advance(days(1));
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "user-0000", &[]).unwrap();
    let error = deployment.send(&event).await.0.unwrap_err();
    assert_eq!(error.error_type(), "NoticeFailed", "{error}");
    let now = deployment.aws.world().now();
    deployment.member(|account| {
        let id = account.user("user-0000").unwrap().id.clone();
        assert_eq!(account.results(RULE)[&id].result_recorded_time, now);
    });
}

#[tokio::test(start_paused = true)]
async fn events_that_are_not_taken_are_sent_again_alone() {
    let deployment = with_bus().await;
    deployment.member(|account| populate(account, today(), 23, 100, 0));
    let code = "ThrottlingException";
    deployment.fault(None, None, FaultKind::FailedEntries { times: 2, first: 3, code });
    deployment.sweep(&[]).await;
    let keys: std::collections::BTreeSet<_> =
        deployment.notices().iter().map(|event| event["detail"]["accessKeyId"].to_string()).collect();
    assert_eq!((deployment.notices().len(), keys.len()), (23, 23));

    deployment.aws.world().advance(days(1));
    deployment.fault(None, None, FaultKind::FailedEntries { times: 1, first: 1, code: "MalformedDetail" });
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.to_string(), "1 notice did not reach the event bus: events:PutEvents: MalformedDetail.");
    assert_eq!(deployment.notices().len(), 23 + 22, "the others are sent");
}
