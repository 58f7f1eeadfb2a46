//! An event, which anybody who may invoke the function can write.

use crate::terms::assert_error;
use access_key_rotation::{
    aws::home::Home,
    config_service::event::{Event, IAM_USER, Target},
};
use chrono::{DateTime, Utc};
use policy::parameters::Parameters;
use serde_json::{Deserializer, Value};

/// Not part of any other text.
const SECRET: &str = "Zq7~secret~7qZ";

/// The input is an event and, after it, what becomes the string `invokingEvent`.
pub(crate) fn event(input: &[u8]) -> bool {
    let mut documents = Deserializer::from_slice(input).into_iter::<Value>();
    let Some(Ok(mut event)) = documents.next() else { return false };
    let mut inner = documents.next().and_then(Result::ok);
    if let Some(token) = event.get_mut("resultToken")
        && token.as_str().is_some_and(|token| !token.is_empty())
    {
        *token = SECRET.into();
    }
    let accepted = parse(with_inner(&event, inner.as_ref()));

    // The same event with a secret in the place of one of its texts.
    let strings = count(&event) + inner.as_ref().map_or(0, count);
    let mut place = input.len() % strings.max(1);
    if !hide(&mut event, &mut place)
        && let Some(inner) = &mut inner
    {
        hide(inner, &mut place);
    }
    parse(with_inner(&event, inner.as_ref()));
    accepted
}

fn with_inner(event: &Value, inner: Option<&Value>) -> Value {
    let mut event = event.clone();
    if let (Some(object), Some(inner)) = (event.as_object_mut(), inner) {
        object.insert("invokingEvent".to_owned(), inner.to_string().into());
    }
    event
}

fn parse(event: Value) -> bool {
    let home = Home { partition: "aws".to_owned(), region: "us-east-1".to_owned(), account: "123456789012".to_owned() };
    match Event::parse(&event, &home) {
        Ok(parsed) => {
            assert_right(&event, &parsed);
            true
        }
        Err(error) => {
            let text = error.to_string();
            assert_error(&text);
            assert_eq!(error.error_type(), "InvalidEvent");
            assert!(text.starts_with("not an event from AWS Config for this function: "), "{text}");
            assert!(!text.contains(SECRET), "{text}");
            false
        }
    }
}

/// Whether an accepted event says what was read from it, and all accounts in it agree.
fn assert_right(event: &Value, parsed: &Event) {
    let Event { account, rule_name, result_token, rule_parameters, target, ordering_timestamp } = parsed;
    assert!(account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()), "{account}");
    assert_eq!(event["accountId"], **account);
    let rule = format!("arn:aws:config:us-east-1:{account}:config-rule/");
    assert!(text(event, "configRuleArn").starts_with(&rule), "{event}");
    assert!(!rule_name.is_empty() && event["configRuleName"] == **rule_name, "{event}");
    assert!(!result_token.reveal().is_empty() && event["resultToken"] == result_token.reveal());
    assert!(!format!("{result_token:?}").contains(result_token.reveal()));
    assert_eq!(event.get("ruleParameters").and_then(Value::as_str), rule_parameters.as_deref());
    assert!(matches!(&event["evaluationMode"], Value::Null) || event["evaluationMode"] == "DETECTIVE", "{event}");
    // The next phase takes whatever there is.
    let _ = Parameters::parse(rule_parameters.as_deref());

    let message: Value = serde_json::from_str(text(event, "invokingEvent")).unwrap();
    let agrees = |object: &Value| object["awsAccountId"].is_null() || object["awsAccountId"] == **account;
    assert!(agrees(&message), "{message}");
    let item = match text(&message, "messageType") {
        "ScheduledNotification" | "ConfigurationSnapshotDeliveryCompleted" => {
            assert_eq!(*target, Target::Account, "{message}");
            assert_eq!(time(&message, "notificationCreationTime"), *ordering_timestamp);
            return;
        }
        "ConfigurationItemChangeNotification" => &message["configurationItem"],
        "OversizedConfigurationItemChangeNotification" => &message["configurationItemSummary"],
        other => panic!("{other} was accepted"),
    };
    assert!(agrees(item), "{item}");
    assert_eq!(time(item, "configurationItemCaptureTime"), *ordering_timestamp);
    let gone = match text(item, "configurationItemStatus") {
        "OK" | "ResourceDiscovered" => event["eventLeftScope"] == true,
        "ResourceDeleted" | "ResourceDeletedNotRecorded" | "ResourceNotRecorded" => true,
        other => panic!("{other} was accepted"),
    };
    match target {
        Target::Account => panic!("not about the account: {message}"),
        Target::User { id, name, is_exposed } => {
            let policies = item["configuration"]["attachedManagedPolicies"].to_string();
            assert!(*is_exposed != Some(true) || policies.contains(":iam::aws:policy/"), "{item}");
            assert!(!gone && text(item, "resourceType") == IAM_USER, "{message}");
            assert!(!id.is_empty() && item["resourceId"] == **id, "{item}");
            assert!(!name.is_empty(), "{item}");
            let arn = item["ARN"].as_str().unwrap_or_default();
            assert!(item["resourceName"] == **name || arn.ends_with(&format!("/{name}")), "{item}");
            assert!(arn.is_empty() && item["ARN"].is_null() || arn.split(':').nth(4) == Some(account), "{item}");
        }
        Target::NotApplicable { resource_type, id } => {
            assert!(gone || resource_type != IAM_USER, "{message}");
            assert_eq!((text(item, "resourceType"), text(item, "resourceId")), (&**resource_type, &**id));
        }
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object[field].as_str().unwrap_or_default()
}

fn time(object: &Value, field: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text(object, field)).unwrap().to_utc()
}

/// How many strings there are.
fn count(value: &Value) -> usize {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// Puts the secret in the place of a string, and says whether it is in this value.
fn hide(value: &mut Value, place: &mut usize) -> bool {
    match value {
        Value::String(text) if *place == 0 => {
            SECRET.clone_into(text);
            true
        }
        Value::String(_) => {
            *place -= 1;
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| hide(item, place)),
        Value::Object(fields) => fields.values_mut().any(|field| hide(field, place)),
        _ => false,
    }
}
