use super::*;
use proptest::prelude::*;
use serde_json::json;

const TOKEN: &str = "a-token-that-must-not-be-seen";

fn home() -> Home {
    Home { partition: "aws".into(), region: "us-east-1".into(), account: "123456789012".into() }
}

/// The samples that `evaluate --sample` prints: an event, and an `invokingEvent` of each kind.
fn samples() -> Value {
    serde_json::from_str(include_str!("samples.json")).unwrap()
}

fn sample(kind: &str) -> Value {
    samples()["invokingEvents"][kind].take()
}

fn scheduled() -> Value {
    sample("scheduled")
}

/// The configuration item of a changed user.
fn item(status: &str) -> Value {
    with(sample("changed")["configurationItem"].take(), "configurationItemStatus", json!(status))
}

fn change(item: Value) -> Value {
    with(sample("changed"), "configurationItem", item)
}

fn event(invoking_event: &Value) -> Value {
    let event = with(samples()["event"].take(), "invokingEvent", invoking_event.to_string().into());
    with(event, "resultToken", json!(TOKEN))
}

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object[field] = value;
    object
}

fn without(mut object: Value, field: &str) -> Value {
    object.as_object_mut().unwrap().remove(field);
    object
}

fn target(invoking_event: &Value) -> Target {
    Event::parse(&event(invoking_event), &home()).unwrap().target
}

fn bot() -> Target {
    bot_with(Some(false))
}

fn bot_with(is_exposed: Option<bool>) -> Target {
    Target::User { id: "AIDA2EXAMPLE3EXAMPLE4".to_owned(), name: "deploy-bot".to_owned(), is_exposed }
}

fn gone(resource_type: &str) -> Target {
    Target::NotApplicable { resource_type: resource_type.to_owned(), id: "AIDA2EXAMPLE3EXAMPLE4".to_owned() }
}

#[test]
fn every_sample_is_an_event() {
    let kinds: Vec<_> = samples()["invokingEvents"].as_object().unwrap().keys().cloned().collect();
    assert!(kinds.len() >= 5, "{kinds:?}");
    for kind in kinds {
        let event = Event::parse(&event(&sample(&kind)), &home()).unwrap();
        let is_about_the_account = matches!(event.target, Target::Account);
        let time = if is_about_the_account { "2026-03-01T12:00:00+00:00" } else { "2026-03-01T11:50:00+00:00" };
        assert_eq!(event.ordering_timestamp.to_rfc3339(), time, "{kind}");
    }
    assert_eq!(samples()["event"]["resultToken"], "TESTMODE");
}

#[test]
fn a_schedule_and_a_snapshot_are_about_the_account() {
    let parsed = Event::parse(&event(&scheduled()), &home()).unwrap();
    assert_eq!(parsed.target, Target::Account);
    assert!(!parsed.result_token.is_test());
    let snapshot = sample("snapshot");
    assert_eq!(target(&snapshot), Target::Account);
    assert_eq!(target(&without(snapshot, "awsAccountId")), Target::Account);
}

#[test]
fn a_change_is_read_in_every_status() {
    for (status, expected) in [
        ("OK", bot()),
        ("ResourceDiscovered", bot()),
        ("ResourceDeleted", gone(IAM_USER)),
        ("ResourceDeletedNotRecorded", gone(IAM_USER)),
        ("ResourceNotRecorded", gone(IAM_USER)),
    ] {
        let item = with(item(status), "configurationItemCaptureTime", json!("2019-10-30T11:39:10.807Z"));
        let parsed = Event::parse(&event(&change(item)), &home()).unwrap();
        assert_eq!(parsed.target, expected, "{status}");
        assert_eq!(
            parsed.ordering_timestamp.timestamp_millis(),
            1_572_435_550_807,
            "the item's time, not the message's"
        );
    }
    assert_eq!(target(&sample("deleted")), gone(IAM_USER));
    assert_eq!(
        target(&change(with(item("OK"), "resourceType", json!("AWS::EC2::Instance")))),
        gone("AWS::EC2::Instance")
    );
    let left = with(event(&change(item("OK"))), "eventLeftScope", json!(true));
    assert_eq!(Event::parse(&left, &home()).unwrap().target, gone(IAM_USER));
}

#[test]
fn an_oversized_change_may_lack_the_name() {
    let oversized = |item: Value| with(sample("oversized"), "configurationItemSummary", item);
    assert_eq!(target(&sample("oversized")), bot_with(None));
    assert_eq!(target(&oversized(item("OK"))), bot());
    assert_eq!(target(&oversized(with(item("OK"), "resourceName", json!(null)))), bot());
    assert_eq!(target(&oversized(with(item("OK"), "resourceName", json!("")))), bot());
    assert_eq!(target(&oversized(without(item("OK"), "resourceName"))), bot());
}

#[test]
fn an_item_says_whether_aws_has_quarantined_the_user_only_if_it_lists_all_policies() {
    let policies = |policies: Value| {
        let mut item = item("OK");
        item["configuration"]["attachedManagedPolicies"] = policies;
        target(&change(item))
    };
    let policy = |arn: &str| json!({ "policyName": "any", "policyArn": arn });
    let quarantine = policy("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3");
    let own = policy("arn:aws:iam::123456789012:policy/AWSCompromisedKeyQuarantineV3");
    for (given, expected) in [
        (json!([]), Some(false)),
        (json!([own, quarantine]), Some(true)),
        (json!([own]), Some(false)),
        (json!([quarantine, { "policyName": "AWSCompromisedKeyQuarantineV3" }]), None),
        (json!(null), None),
        (json!("[]"), None),
    ] {
        assert_eq!(policies(given.clone()), bot_with(expected), "{given}");
    }
    assert_eq!(target(&change(with(item("OK"), "configuration", json!(null)))), bot_with(None));
}

#[test]
fn optional_fields_may_be_missing_or_null() {
    for field in ["eventLeftScope", "evaluationMode", "ruleParameters"] {
        assert!(Event::parse(&with(event(&scheduled()), field, json!(null)), &home()).is_ok(), "{field}");
    }
    assert!(Event::parse(&with(event(&scheduled()), "evaluationMode", json!("DETECTIVE")), &home()).is_ok());
    let parsed = Event::parse(&with(event(&scheduled()), "ruleParameters", json!("{}")), &home()).unwrap();
    assert_eq!(parsed.rule_parameters.as_deref(), Some("{}"));
    let test = with(event(&scheduled()), "resultToken", json!("TESTMODE"));
    assert!(Event::parse(&test, &home()).unwrap().result_token.is_test());
}

#[test]
fn an_error_names_the_wrong_field_and_does_not_quote_it() {
    let good = || event(&scheduled());
    let rule_arn = |arn: &str| with(good(), "configRuleArn", json!(arn));
    let message = |message: Value| event(&message);
    for (given, expected) in [
        (json!([]), "accountId is missing"),
        (json!("hello"), "accountId is missing"),
        (with(good(), "accountId", json!(123_456_789_012_u64)), "accountId is missing or not a string"),
        (with(good(), "accountId", json!("12345678901x")), "accountId is not twelve digits"),
        (with(good(), "accountId", json!("999999999999")), "the account in configRuleArn"),
        (rule_arn("arn:aws:config:us-east-1:999999999999:config-rule/x"), "the account in configRuleArn"),
        (rule_arn("arn:aws-cn:config:us-east-1:123456789012:config-rule/x"), "another partition"),
        (rule_arn("arn:aws:config:eu-west-1:123456789012:config-rule/x"), "deploy the rule to us-east-1 only"),
        (rule_arn("arn:aws:config:us-east-1:123456789012:aggregator/x"), "not the ARN of an AWS Config rule"),
        (rule_arn("nonsense"), "not the ARN of an AWS Config rule"),
        (with(good(), "evaluationMode", json!("PROACTIVE")), "evaluationMode is not DETECTIVE"),
        (with(good(), "eventLeftScope", json!("yes")), "eventLeftScope is neither"),
        (with(good(), "ruleParameters", json!({})), "ruleParameters is not a string"),
        (without(good(), "resultToken"), "resultToken is missing"),
        (with(good(), "resultToken", json!("")), "resultToken is missing"),
        (without(good(), "configRuleName"), "configRuleName is missing"),
        (with(good(), "invokingEvent", json!("{not json")), "invokingEvent is not JSON"),
        (message(with(scheduled(), "awsAccountId", json!("999999999999"))), "awsAccountId is not the account"),
        (message(with(scheduled(), "messageType", json!("Else"))), "messageType is not one of"),
        (message(without(scheduled(), "notificationCreationTime")), "notificationCreationTime is missing"),
        (
            message(with(scheduled(), "notificationCreationTime", json!("today"))),
            "notificationCreationTime is not a time",
        ),
        (message(change(json!(null))), "no configurationItem"),
        (message(change(with(item("OK"), "awsAccountId", json!("999999999999")))), "awsAccountId is not the account"),
        (
            message(change(with(item("OK"), "ARN", json!("arn:aws:iam::999999999999:user/deploy-bot")))),
            "ARN is not the one in accountId",
        ),
        (message(change(item("Sideways"))), "configurationItemStatus is not one of"),
        (
            message(change(without(item("OK"), "configurationItemCaptureTime"))),
            "configurationItemCaptureTime is missing",
        ),
        (message(change(without(without(item("OK"), "resourceName"), "ARN"))), "neither resourceName nor an ARN"),
    ] {
        let error = Event::parse(&given, &home()).unwrap_err();
        assert_eq!(error.error_type(), "InvalidEvent");
        let text = error.to_string();
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains(TOKEN) && !text.contains("999999999999"), "{text}");
    }
}

#[test]
fn the_debug_output_hides_the_token() {
    let parsed = Event::parse(&event(&scheduled()), &home()).unwrap();
    assert_eq!(format!("{:?}", parsed.result_token), "ResultToken(..)");
    assert_eq!(parsed.result_token.reveal(), TOKEN);
}

#[test]
fn home_is_read_from_the_functions_arn() {
    let expected =
        Home { partition: "aws-us-gov".into(), region: "us-gov-west-1".into(), account: "111122223333".into() };
    assert_eq!(
        Home::from_function_arn("arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:f").unwrap(),
        expected
    );
    for arn in ["", "arn:aws:lambda:us-east-1:1111:function:f", "arn:aws:s3:::bucket"] {
        assert!(Home::from_function_arn(arn).is_err(), "{arn}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>(), field in 0usize..7, inner in 0usize..9) {
        let fields = ["accountId", "configRuleArn", "invokingEvent", "resultToken", "eventLeftScope", "evaluationMode", "ruleParameters"];
        let _ = Event::parse(&with(event(&scheduled()), fields[field], json!(text.clone())), &home());
        let inner_fields = [
            "configurationItemCaptureTime", "configurationItemStatus", "awsAccountId", "resourceType", "resourceId",
            "resourceName", "ARN", "messageType", "configurationItem",
        ];
        let _ = Event::parse(&event(&change(with(item("OK"), inner_fields[inner], json!(text)))), &home());
    }
}
