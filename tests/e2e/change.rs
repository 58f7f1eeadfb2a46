//! Change notifications: one user, early.

use crate::support::*;
use chrono::TimeDelta;
use local_aws::{ComplianceType::*, FaultKind, events};
use std::time::Duration;

async fn with_two_users() -> Deployment {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        account.create_user_in_path("/ci/", "stale", today() - days(400));
        account.create_key("stale", today() - days(100)).unwrap();
        account.create_user("fine", today() - days(400));
        account.create_key("fine", today() - days(1)).unwrap();
    });
    deployment
}

impl Deployment {
    pub(crate) async fn change(&self, user: &str) {
        let event = events::change(&mut self.aws.world(), MEMBER, RULE, user, &[]).unwrap();
        self.send(&event).await.0.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_evaluates_one_user() {
    let deployment = with_two_users().await;
    deployment.change("stale").await;
    assert_eq!(deployment.result("stale").0, NonCompliant);
    assert_eq!(deployment.recorded().len(), 1);
    let calls = deployment.calls();
    assert_eq!(
        calls.into_iter().collect::<Vec<_>>(),
        [("AssumeRole", 1), ("GetAccessKeyLastUsed", 1), ("GetUser", 1), ("ListAccessKeys", 1), ("PutEvaluations", 1)]
            .map(|(action, count)| (action.to_owned(), count))
    );

    deployment.clear_calls();
    deployment.change("fine").await;
    let text = "No access key becomes stale before 2026-05-28 (limit 90 days).";
    assert_eq!(deployment.result("fine"), (Compliant, Some(text.to_owned())));
    let calls = deployment.calls();
    assert_eq!(
        calls.into_iter().collect::<Vec<_>>(),
        [("GetUser", 1), ("ListAccessKeys", 1), ("PutEvaluations", 1)]
            .map(|(action, count)| (action.to_owned(), count))
    );
}

#[tokio::test(start_paused = true)]
async fn an_oversized_change_finds_the_name_in_the_arn() {
    let deployment = with_two_users().await;
    let event = events::oversized_change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
    deployment.send(&event).await.0.unwrap();
    assert_eq!(deployment.result("stale").0, NonCompliant);
}

#[tokio::test(start_paused = true)]
async fn a_result_bears_the_time_of_the_item() {
    let deployment = with_two_users().await;
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "fine", &[]).unwrap();
    deployment.aws.world().advance(days(1));
    deployment.send(&event).await.0.unwrap();
    deployment.member(|account| {
        let id = &account.user("fine").unwrap().id;
        assert_eq!(account.results(RULE)[id].ordering_timestamp, today());
    });
}

#[tokio::test(start_paused = true)]
async fn a_deleted_user_is_not_applicable_without_a_read() {
    let deployment = with_two_users().await;
    let event = events::deleted(&mut deployment.aws.world(), MEMBER, RULE, "AIDAGONE", "gone", &[]);
    deployment.send(&event).await.0.unwrap();
    deployment.member(|account| assert_eq!(account.results(RULE)["AIDAGONE"].compliance, NotApplicable));
    assert_eq!(deployment.calls().len(), 2, "AssumeRole and PutEvaluations: {:?}", deployment.calls());
}

#[tokio::test(start_paused = true)]
async fn a_user_who_is_gone_by_now_is_not_applicable() {
    let deployment = with_two_users().await;
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
    let id = deployment.member(|account| {
        let id = account.user("stale").unwrap().id.clone();
        account.delete_user("stale");
        id
    });
    deployment.aws.world().advance(TimeDelta::minutes(3));
    deployment.send(&event).await.0.unwrap();
    deployment.member(|account| assert_eq!(account.results(RULE)[&id].compliance, NotApplicable));
}

/// IAM is eventually consistent: a user who was just created may be missing anywhere for some seconds.
#[tokio::test(start_paused = true)]
async fn a_new_user_whom_iam_does_not_know_everywhere_yet_is_neither_gone_nor_renamed() {
    for is_listed in [true, false] {
        let deployment = with_two_users().await;
        deployment.member(|account| account.create_user("new", today()));
        let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "new", &[]).unwrap();
        for action in ["ListAccessKeys", "GetUser"] {
            deployment.fault(Some(action), Some("new"), FaultKind::NoSuchEntity);
        }
        if !is_listed {
            deployment.member(|account| account.delete_user("new"));
        }
        let (outcome, metrics) = deployment.send(&event).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.error_type(), "NotYetConsistent", "{error}");
        let text = "User new could not be read: iam:ListAccessKeys: the user is new, or was just renamed or deleted, and IAM does \
                    not know it everywhere yet.";
        assert_eq!(error.to_string(), text);
        assert!(deployment.recorded().is_empty());
        let line = metrics.line(today(), Duration::ZERO);
        assert_eq!([&line["RetriesExpected"], &line["UsersUnknown"]], [1, 0]);

        // Lambda's retry, a minute later.
        deployment.aws.world().faults.clear();
        if is_listed {
            let metrics = deployment.send(&event).await;
            metrics.0.unwrap();
            assert_eq!(metrics.1.line(today(), Duration::ZERO)["RetriesExpected"], 0);
            assert_eq!(deployment.result("new").0, Compliant);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_has_passed_to_another_user_does_not_lend_its_keys() {
    let deployment = with_two_users().await;
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "fine", &[]).unwrap();
    let id = deployment.member(|account| {
        let id = account.user("fine").unwrap().id.clone();
        account.delete_user("fine");
        account.create_user("fine", today() - days(300));
        account.create_key("fine", today() - days(200)).unwrap();
        id
    });
    deployment.aws.world().advance(TimeDelta::minutes(3));
    deployment.send(&event).await.0.unwrap();
    deployment.member(|account| {
        let results = account.results(RULE);
        assert_eq!(results.len(), 1);
        assert_eq!(results[&id].compliance, NotApplicable);
    });
}

#[tokio::test(start_paused = true)]
async fn a_renamed_user_is_found_under_the_new_name() {
    let deployment = with_two_users().await;
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
    deployment.member(|account| account.rename_user("stale", "renamed"));
    deployment.send(&event).await.0.unwrap();
    let (compliance, said) = deployment.result("renamed");
    assert_eq!(compliance, NonCompliant);
    assert!(said.as_deref().is_some_and(|said| said.starts_with("renamed: AKIA")), "{said:?}");

    // The old name has passed since to another user, who cannot even be read.
    deployment.member(|account| account.create_user("stale", today()));
    deployment.fault(Some("ListAccessKeys"), Some("stale"), FaultKind::AccessDenied);
    deployment.send(&event).await.0.unwrap();
    assert_eq!(deployment.calls_of("PutEvaluations"), 2);
    assert_eq!(deployment.result("renamed").0, NonCompliant);
    assert_eq!(deployment.recorded().len(), 1);

    // Whether the user is gone cannot be told without a complete listing.
    deployment.member(|account| account.delete_user("stale"));
    deployment.fault(Some("ListUsers"), None, FaultKind::ServerError { probability: 1.0 });
    let error = deployment.send(&event).await.0.unwrap_err();
    assert_eq!(error.error_type(), "Incomplete", "{error}");
    assert_eq!(deployment.result("renamed").0, NonCompliant);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_cannot_be_read_keeps_the_old_result() {
    let deployment = with_two_users().await;
    deployment.change("stale").await;
    let before = deployment.result("stale");
    for action in ["GetUser", "ListAccessKeys"] {
        deployment.aws.world().faults.clear();
        deployment.fault(Some(action), None, FaultKind::ServerError { probability: 1.0 });
        let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
        let error = deployment.send(&event).await.0.unwrap_err();
        assert_eq!(error.error_type(), "Incomplete", "{error}");
        assert!(error.to_string().contains(&format!("iam:{action}: ServiceFailure")), "{error}");
        assert_eq!(deployment.result("stale"), before);
        assert_eq!(deployment.calls_of("ListUsers"), 0, "the user is neither gone nor renamed");
    }
}

#[tokio::test(start_paused = true)]
async fn a_test_run_delivers_in_test_mode_only() {
    let deployment = with_two_users().await;
    let mut event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
    event["resultToken"] = "TESTMODE".into();
    deployment.send(&event).await.0.unwrap();
    assert_eq!(deployment.calls_of("PutEvaluations"), 1);
    assert!(deployment.recorded().is_empty());
}
