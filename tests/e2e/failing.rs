//! Faults of AWS: nothing lost, nothing guessed, and an error that says what is missing.

use crate::support::*;
use local_aws::{ComplianceType::*, FaultKind};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn every_verdict_is_right_though_most_calls_are_throttled() {
    for (probability, users) in [(0.3, 200), (0.6, 100)] {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), users, 10, 20));
        deployment.fault(None, None, FaultKind::Throttle { probability });
        let metrics = deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        assert!(metrics.calls.throttled() > 10, "{} throttled", metrics.calls.throttled());
    }
}

#[tokio::test(start_paused = true)]
async fn a_stumbling_aws_is_asked_again() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 100, 10, 20));
    deployment.fault(None, None, FaultKind::ServerError { probability: 0.1 });
    deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn one_unreadable_user_costs_nobody_else_and_keeps_the_old_result() {
    for action in ["ListAccessKeys", "GetUser"] {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 150, 10, 20));
        deployment.sweep(&[]).await;
        let before = deployment.result("user-0000");
        assert_eq!(before.0, NonCompliant);
        deployment.aws.world().advance(days(1));
        deployment.fault(Some(action), Some("user-0000"), FaultKind::ServerError { probability: 1.0 });
        let (outcome, metrics) = deployment.sweep_with(&[]).await;
        let error = outcome.unwrap_err();
        assert_eq!(error.error_type(), "Incomplete");
        let expected = format!("1 of 150 users unknown: user-0000 (iam:{action}: ServiceFailure).");
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert_eq!(deployment.result("user-0000"), before);
        let recorded = deployment.member(|account| {
            let id = account.user("user-0010").unwrap().id.clone();
            account.results(RULE)[&id].result_recorded_time
        });
        assert_eq!(recorded, today() + days(1), "the others were delivered");
        let line = metrics.line(today(), Duration::ZERO);
        assert_eq!([&line["UsersEvaluated"], &line["UsersUnknown"]], [149, 1]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_off_evaluates_whom_it_listed_and_takes_nobody_for_gone() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 60, 10, 20));
    deployment.sweep(&[]).await;
    let before = deployment.recorded();
    deployment.fault(Some("ListUsers"), None, FaultKind::ShortPages(20));
    deployment.fault(Some("ListUsers"), None, FaultKind::BreakOffAfterPages(3));
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "Incomplete");
    assert!(error.to_string().contains("The list of users is incomplete: iam:ListUsers"), "{error}");
    assert_eq!(deployment.recorded(), before);
}

#[tokio::test(start_paused = true)]
async fn denied_access_ends_the_sweep_and_names_the_role_the_action_and_the_template() {
    for action in ["ListUsers", "ListAccessKeys", "GetUser", "PutEvaluations", "GetComplianceDetailsByConfigRule"] {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 400, 10, 0));
        deployment.fault(Some(action), None, FaultKind::AccessDenied);
        let error = deployment.sweep_with(&[]).await.0.unwrap_err();
        assert_eq!(error.error_type(), "AccessDenied", "{action}: {error}");
        for part in [action, "role/access-key-rotation-evaluation", "templates/member.yaml", MEMBER] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_role_is_assumed_anew_after_an_error() {
    let deployment = Deployment::start().await;
    deployment.sweep(&[]).await;
    deployment.fault(Some("ListUsers"), None, FaultKind::AccessDenied);
    deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(deployment.calls_of("AssumeRole"), 1);
    deployment.aws.world().faults.clear();
    deployment.sweep(&[]).await;
    assert_eq!(deployment.calls_of("AssumeRole"), 2);
}

/// IAM says of a key that does not exist that there is none, or denies the action.
#[tokio::test(start_paused = true)]
async fn a_key_deleted_while_it_is_read_about_is_no_denial() {
    for is_denied in [false, true] {
        let deployment = Deployment::start().await;
        let key = deployment.member(|account| {
            for name in ["bot", "other"] {
                account.create_user(name, today() - days(400));
                account.create_key(name, today() - days(134)).unwrap();
            }
            account.user("bot").unwrap().keys[0].id.clone()
        });
        let action = "GetAccessKeyLastUsed";
        deployment.fault(Some(action), Some("bot"), FaultKind::Latency(Duration::from_secs(2)));
        if is_denied {
            deployment.fault(Some(action), Some("bot"), FaultKind::AccessDenied);
        }
        let event = local_aws::events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
        let delete = async {
            // The answer about the other key.
            deployment.called(action, 1).await;
            deployment.member(|account| account.delete_key("bot", &key));
        };
        let ((outcome, _), ()) = tokio::join!(deployment.send(&event), delete);
        outcome.unwrap();
        assert_eq!(deployment.result("other").0, NonCompliant);
        assert_eq!(deployment.result("bot").0, Compliant, "{is_denied}");
        assert!(deployment.result("bot").1.unwrap().starts_with("The user had no access key on 2026-03-01."));
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_delivers_what_it_knows_at_the_deadline() {
    let mut deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 400, 10, 0));
    deployment.rule.timeout = Duration::from_secs(6);
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::Latency(Duration::from_millis(200)));
    let (outcome, metrics) = deployment.sweep_with(&[]).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error_type(), "DeadlineExceeded", "{error}");
    assert!(error.to_string().contains("The next sweep continues with the remaining users"), "{error}");
    let recorded = deployment.recorded();
    let line = metrics.line(today(), Duration::ZERO);
    assert!(!recorded.is_empty() && recorded.len() < 400, "{} results", recorded.len());
    assert_eq!(line["UsersEvaluated"], recorded.len());
    assert_eq!(line["UsersUnknown"], 400 - recorded.len());
}

#[tokio::test(start_paused = true)]
async fn a_read_that_gets_no_answer_ends_at_the_deadline_too() {
    // Where all are in violation, there is no second listing, which would also end at the deadline.
    for per_cent in [10, 100] {
        let mut deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 20, per_cent, 0));
        deployment.rule.timeout = Duration::from_secs(15);
        deployment.fault(Some("ListAccessKeys"), Some("user-0003"), FaultKind::Latency(Duration::from_secs(60)));
        let error = deployment.sweep_with(&[]).await.0.unwrap_err();
        assert_eq!(error.error_type(), "DeadlineExceeded", "{per_cent}: {error}");
        assert_eq!(deployment.recorded().len(), 19);
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_is_throttled_until_the_deadline_says_so() {
    for action in ["ListUsers", "ListAccessKeys"] {
        let mut deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 1, 100, 0));
        deployment.rule.timeout = Duration::from_secs(9);
        deployment.fault(Some(action), None, FaultKind::Throttle { probability: 1.0 });
        let error = deployment.sweep_with(&[]).await.0.unwrap_err();
        assert_eq!(error.error_type(), "DeadlineExceeded", "{error}");
        assert!(error.to_string().contains(&format!("iam:{action}: Throttling")), "{error}");
    }
}
