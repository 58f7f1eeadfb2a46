//! Answers that end early, though the HTTP response is complete, and answers that are not AWS's: none is taken for an answer.

use crate::support::*;
use local_aws::{Cut, FaultKind};

const DETAILS: &str = "GetComplianceDetailsByConfigRule";

async fn swept() -> Deployment {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        populate(account, today(), 20, 50, 0);
        account.create_user("exempt", today() - days(400));
        account.create_key("exempt", today() - days(134)).unwrap();
        account.tag_user("exempt", "access-key-rotation:exempt-owner", "payments");
        account.tag_user("exempt", "access-key-rotation:exempt-until", "2026-06-30");
    });
    deployment.sweep(&[]).await;
    deployment.aws.world().advance(days(1));
    deployment
}

#[tokio::test(start_paused = true)]
async fn a_cut_answer_makes_nobody_gone_and_no_verdict_wrong() {
    let cuts = [
        ("ListUsers", "<member>"),
        ("ListUsers", "<IsTruncated>"),
        ("ListUsers", "</ListUsersResponse>"),
        ("ListAccessKeys", "<member>"),
        ("ListAccessKeys", "<IsTruncated>"),
        ("ListEntitiesForPolicy", "<IsTruncated>"),
        ("ListEntitiesForPolicy", "</ListEntitiesForPolicyResponse>"),
        ("GetUser", "<Tags>"),
        ("GetUser", "<member>"),
        ("GetAccessKeyLastUsed", "<LastUsedDate>"),
        (DETAILS, "{"),
        (DETAILS, "]"),
    ];
    let cell = async |(action, before): (&'static str, &'static str)| {
        let deployment = swept().await;
        let recorded = deployment.recorded();
        // The answer is cut in the middle of the sweep's users and keys, whether or not it is whole without them.
        deployment.fault(Some(action), None, FaultKind::CutBody(Cut::Before(before)));
        let error = deployment.sweep_with(&[]).await.0.expect_err(action);
        let expected = match action {
            DETAILS => "AwsError",
            _ => "Incomplete",
        };
        assert_eq!(error.error_type(), expected, "{action} before {before}: {error}");
        assert_eq!(deployment.recorded(), recorded, "{action} before {before}");
        deployment.assert_all_right(90);
    };
    futures_util::future::join_all(cuts.map(cell)).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_comes_or_leads_nowhere_costs_nobody_a_verdict() {
    let faults = [
        ("ListUsers", FaultKind::Reset),
        ("ListAccessKeys", FaultKind::Reset),
        ("ListUsers", FaultKind::CutBody(Cut::Half)),
        (DETAILS, FaultKind::CutBody(Cut::Half)),
        (DETAILS, FaultKind::RepeatedMarker),
    ];
    let cell = async |(action, kind): (&'static str, FaultKind)| {
        let deployment = swept().await;
        let recorded = deployment.recorded();
        deployment.fault(Some(action), None, kind.clone());
        let error = deployment.sweep_with(&[]).await.0.expect_err(action);
        assert!(["AwsError", "Incomplete"].contains(&error.error_type()), "{action} {kind:?}: {error}");
        assert_eq!(deployment.recorded(), recorded, "{action} {kind:?}");
        deployment.assert_all_right(90);
    };
    futures_util::future::join_all(faults.map(cell)).await;
}

/// As something on the way may answer in AWS's place.
const PAGE: &str = "<html><head><title>Sign in</title></head><body><p>Sign in.</p></body></html>";

#[tokio::test(start_paused = true)]
async fn credentials_that_are_cut_are_asked_for_again() {
    let deployment = swept().await;
    let cuts = ["<SessionToken>", "<Expiration>", "</Expiration>", "<Credentials>", "</AssumeRoleResponse>"];
    let cuts = cuts.map(|before| FaultKind::CutBody(Cut::Before(before)));
    deployment.fault(Some("AssumeRole"), None, FaultKind::InTurn(cuts.to_vec()));
    deployment.sweep(&[]).await;
    deployment.assert_all_right(90);

    deployment.aws.world().advance(days(1));
    deployment.aws.world().faults.clear();
    deployment.fault(Some("AssumeRole"), None, FaultKind::CutBody(Cut::Before("<SessionToken>")));
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "AwsError", "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_of_aws_is_asked_for_again() {
    let actions = [
        "AssumeRole",
        "ListUsers",
        "ListEntitiesForPolicy",
        DETAILS,
        "ListAccessKeys",
        "GetUser",
        "GetAccessKeyLastUsed",
        "PutEvaluations",
    ];
    let cell = async |action: &'static str| {
        let deployment = swept().await;
        deployment.clear_calls();
        deployment.fault(
            Some(action),
            None,
            FaultKind::InTurn(vec![FaultKind::Intercepted(PAGE), FaultKind::Intercepted("")]),
        );
        let (outcome, _) = deployment.sweep_with(&[]).await;
        outcome.expect(action);
        assert!(deployment.aws.world().faults.calls() > 2, "{action}");
        deployment.assert_all_right(90);
    };
    futures_util::future::join_all(actions.map(cell)).await;
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_of_config_is_no_answer() {
    for (action, expected) in [("PutEvaluations", "DeliveryFailed"), (DETAILS, "AwsError")] {
        let deployment = swept().await;
        deployment.fault(Some(action), None, FaultKind::Intercepted(""));
        let error = deployment.sweep_with(&[]).await.0.expect_err(action);
        assert_eq!(error.error_type(), expected, "{action}: {error}");
    }
}
