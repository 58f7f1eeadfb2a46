//! Whose credentials are used, and for how long.

use crate::support::*;
use chrono::TimeDelta;
use deployment::InProcess;
use local_aws::{ComplianceType::*, Credentials, FaultKind, events};

#[tokio::test(start_paused = true)]
async fn the_functions_own_account_needs_no_role() {
    let deployment = Deployment::start().await;
    deployment.aws.world().account(HUB).create_user("bot", today() - days(400));
    let event = events::scheduled(&mut deployment.aws.world(), HUB, RULE, &[]);
    deployment.send(&event).await.0.unwrap();
    assert_eq!(deployment.calls_of("AssumeRole"), 0);
    let mut world = deployment.aws.world();
    assert!(world.calls().iter().all(|call| call.principal.contains(FUNCTION_ROLE)));
    assert_eq!(world.account(HUB).results(RULE).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_account_is_read_and_evaluated_through_its_evaluation_role() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 5, 20, 0));
    deployment.sweep(&[]).await;
    for call in deployment.aws.world().calls() {
        let expected = match call.action.as_str() {
            "AssumeRole" => format!("arn:aws:sts::{HUB}:assumed-role/{FUNCTION_ROLE}/local"),
            _ => format!("arn:aws:sts::{MEMBER}:assumed-role/{EVALUATION_ROLE}/access-key-rotation"),
        };
        assert_eq!(call.principal, expected, "{}", call.action);
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_are_kept_for_each_account_until_shortly_before_they_expire() {
    let deployment = Deployment::start().await;
    let mut assumed = 0;
    for (minutes, more) in [(0, 1), (1, 0), (38, 0), (2, 1), (5, 0), (61, 1)] {
        deployment.aws.world().advance(TimeDelta::minutes(minutes));
        deployment.sweep(&[]).await;
        assumed += more;
        assert_eq!(deployment.calls_of("AssumeRole"), assumed, "after {minutes} more minutes");
    }
    let event = events::scheduled(&mut deployment.aws.world(), OTHER_MEMBER, RULE, &[]);
    deployment.send(&event).await.0.unwrap();
    assert_eq!(deployment.calls_of("AssumeRole"), assumed + 1);
}

#[tokio::test(start_paused = true)]
async fn accounts_are_not_mixed_up() {
    let deployment = Deployment::start().await;
    {
        let mut world = deployment.aws.world();
        for (id, age) in [(MEMBER, 100), (OTHER_MEMBER, 1)] {
            let account = world.account(id);
            account.create_user("bot", today() - days(400));
            account.create_key("bot", today() - days(age)).unwrap();
        }
    }
    for _ in 0..2 {
        for (id, expected) in [(MEMBER, NonCompliant), (OTHER_MEMBER, Compliant)] {
            let event = events::scheduled(&mut deployment.aws.world(), id, RULE, &[]);
            deployment.send(&event).await.0.unwrap();
            let mut world = deployment.aws.world();
            let account = world.account(id);
            let user = account.user("bot").unwrap().id.clone();
            assert_eq!(account.results(RULE)[&user].compliance, expected, "{id}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_assumed_is_named_with_the_template() {
    let deployment = Deployment::start().await;
    let stranger = "222222222222";
    deployment.aws.world().account(stranger).add_rule(RULE);
    let event = events::scheduled(&mut deployment.aws.world(), stranger, RULE, &[]);
    let error = deployment.send(&event).await.0.unwrap_err();
    assert_eq!(error.error_type(), "AccessDenied");
    let text = error.to_string();
    for part in
        ["sts:AssumeRole", "arn:aws:iam::222222222222:role/access-key-rotation-evaluation", "templates/member.yaml"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(deployment.calls().len(), 1, "nothing but AssumeRole");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_are_no_good_are_not_taken_for_a_role_that_does_not_trust() {
    let mut deployment = Deployment::start().await;
    let unknown = Credentials {
        access_key_id: "ASIAUNKNOWN".to_owned(),
        secret_access_key: "any".to_owned(),
        session_token: Some("any".to_owned()),
    };
    deployment.rule = InProcess::start(&deployment.aws, HUB, unknown).await.unwrap();
    let event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    let error = deployment.send(&event).await.0.unwrap_err();
    assert_eq!(error.error_type(), "AwsError");
    assert!(error.to_string().starts_with("sts:AssumeRole: InvalidClientTokenId on arn:"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn accounts_that_disagree_make_no_call() {
    let deployment = Deployment::start().await;
    let good = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    let other_account = good["configRuleArn"].as_str().unwrap().replace(MEMBER, OTHER_MEMBER);
    let other_message = good["invokingEvent"].as_str().unwrap().replace(MEMBER, OTHER_MEMBER);
    for (field, value) in
        [("accountId", OTHER_MEMBER.to_owned()), ("configRuleArn", other_account), ("invokingEvent", other_message)]
    {
        let mut event = good.clone();
        event[field] = value.into();
        assert_eq!(deployment.send(&event).await.0.unwrap_err().error_type(), "InvalidEvent", "{field}");
    }
    let mut event = good;
    event["ruleParameters"] = r#"{"maxAccessKeyAge":"0"}"#.into();
    assert_eq!(deployment.send(&event).await.0.unwrap_err().error_type(), "InvalidParameters");
    assert!(deployment.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_throttled_assume_role_is_repeated() {
    let deployment = Deployment::start().await;
    deployment.fault(Some("AssumeRole"), None, FaultKind::Throttle { probability: 0.7 });
    deployment.sweep(&[]).await;
}
