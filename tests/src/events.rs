//! The events with which AWS Config invokes the Lambda function of a custom rule.
//!
//! Each has a new result token for `PutEvaluations`, valid in the rule's account. The rule is created if it does not exist.
//! `parameters` become the JSON object in `ruleParameters`.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::REGION;
use crate::config_rule::ResultToken;
use crate::ids;
use crate::user::User;
use crate::world::World;

/// The length of a result token in characters. AWS's tokens are some KB long too.
const RESULT_TOKEN: usize = 1400;

/// The event of a schedule: `ScheduledNotification`.
pub fn scheduled(world: &mut World, account: &str, rule: &str, parameters: &[(&str, &str)]) -> Value {
    let invoking = json!({
        "awsAccountId": account,
        "notificationCreationTime": time(world.now()),
        "messageType": "ScheduledNotification",
        "recordVersion": "1.0",
    });
    event(world, account, rule, &invoking, parameters)
}

/// The legacy event `ConfigurationSnapshotDeliveryCompleted`.
pub fn snapshot_delivery(world: &mut World, account: &str, rule: &str, parameters: &[(&str, &str)]) -> Value {
    let now = world.now();
    let day = now.format("%Y/%-m/%-d");
    let snapshot = ids::request_id(&mut world.rng);
    let invoking = json!({
        "awsAccountId": account,
        "notificationCreationTime": time(now),
        "messageType": "ConfigurationSnapshotDeliveryCompleted",
        "recordVersion": "1.1",
        "configSnapshotId": snapshot,
        "s3Bucket": "config-bucket",
        "s3ObjectKey": format!("AWSLogs/{account}/Config/{REGION}/{day}/ConfigSnapshot/{snapshot}.json.gz"),
    });
    event(world, account, rule, &invoking, parameters)
}

/// The event of a change of a user: `ConfigurationItemChangeNotification` with the user's current configuration, which contains
/// no access keys. `None` if there is no such user.
pub fn change(world: &mut World, account: &str, rule: &str, user: &str, parameters: &[(&str, &str)]) -> Option<Value> {
    let now = world.now();
    let user = world.account(account).user(user)?;
    let status = if user.created == now { "ResourceDiscovered" } else { "OK" };
    let mut item = item(account, now, status, &Resource::of(user));
    item["configuration"] = configuration(user);
    item["tags"] = json!(user.tags);
    item["resourceCreationTime"] = time(user.created).into();
    Some(event(world, account, rule, &notification(now, &item, &Value::Null), parameters))
}

/// The event of a change that is too large to send: `OversizedConfigurationItemChangeNotification`, with a summary that lacks
/// the resource's name. `None` if there is no such user.
pub fn oversized_change(
    world: &mut World,
    account: &str,
    rule: &str,
    user: &str,
    parameters: &[(&str, &str)],
) -> Option<Value> {
    let now = world.now();
    let user = world.account(account).user(user)?;
    let mut summary = item(account, now, "OK", &Resource::of(user));
    summary["changeType"] = "UPDATE".into();
    summary["resourceName"] = Value::Null;
    summary["resourceCreationTime"] = time(user.created).into();
    let invoking = json!({
        "configurationItemSummary": summary,
        "notificationCreationTime": time(now),
        "messageType": "OversizedConfigurationItemChangeNotification",
        "recordVersion": "1.0",
    });
    Some(event(world, account, rule, &invoking, parameters))
}

/// The event of a user's deletion: an item with the status `ResourceDeleted`.
pub fn deleted(
    world: &mut World,
    account: &str,
    rule: &str,
    user_id: &str,
    user_name: &str,
    parameters: &[(&str, &str)],
) -> Value {
    let now = world.now();
    let arn = format!("arn:aws:iam::{account}:user/{user_name}");
    let mut item = item(account, now, "ResourceDeleted", &Resource { id: user_id, name: user_name, arn: &arn });
    item["configuration"] = Value::Null;
    let diff = json!({ "changedProperties": {}, "changeType": "DELETE" });
    event(world, account, rule, &notification(now, &item, &diff), parameters)
}

struct Resource<'a> {
    id: &'a str,
    name: &'a str,
    arn: &'a str,
}

impl Resource<'_> {
    fn of(user: &User) -> Resource<'_> {
        Resource { id: &user.id, name: &user.name, arn: &user.arn }
    }
}

/// The members that a configuration item and its summary share.
fn item(account: &str, captured: DateTime<Utc>, status: &str, resource: &Resource<'_>) -> Value {
    json!({
        "configurationItemVersion": "1.3",
        "configurationItemCaptureTime": time(captured),
        "configurationStateId": captured.timestamp_millis(),
        "awsAccountId": account,
        "configurationItemStatus": status,
        "resourceType": "AWS::IAM::User",
        "resourceId": resource.id,
        "resourceName": resource.name,
        "ARN": resource.arn,
        "awsRegion": "global",
        "availabilityZone": "Not Applicable",
        "configurationStateMd5Hash": "",
    })
}

fn configuration(user: &User) -> Value {
    let tags: Vec<Value> = user.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    json!({
        "path": user.path,
        "userName": user.name,
        "userId": user.id,
        "arn": user.arn,
        "createDate": time(user.created),
        "userPolicyList": [],
        "groupList": [],
        "attachedManagedPolicies": [],
        "permissionsBoundary": null,
        "tags": tags,
    })
}

fn notification(now: DateTime<Utc>, item: &Value, diff: &Value) -> Value {
    let mut item = item.clone();
    item["relatedEvents"] = json!([]);
    item["relationships"] = json!([]);
    item["supplementaryConfiguration"] = json!({});
    if item.get("tags").is_none() {
        item["tags"] = json!({});
    }
    json!({
        "configurationItemDiff": diff,
        "configurationItem": item,
        "notificationCreationTime": time(now),
        "messageType": "ConfigurationItemChangeNotification",
        "recordVersion": "1.3",
    })
}

fn event(world: &mut World, account: &str, rule: &str, invoking: &Value, parameters: &[(&str, &str)]) -> Value {
    let now = world.now();
    let token = ids::token(&mut world.rng, RESULT_TOKEN);
    let account_state = world.account(account);
    let rule_id = account_state.ensure_rule(rule).id.clone();
    let known = ResultToken { rule: rule.to_owned(), rule_id: rule_id.clone(), invoked: now };
    account_state.result_tokens.insert(token.clone(), known);
    let parameters: Map<String, Value> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    json!({
        "version": "1.0",
        "accountId": account,
        "configRuleName": rule,
        "configRuleArn": format!("arn:aws:config:{REGION}:{account}:config-rule/{rule_id}"),
        "configRuleId": rule_id,
        "executionRoleArn":
            format!("arn:aws:iam::{account}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"),
        "eventLeftScope": false,
        "evaluationMode": "DETECTIVE",
        "resultToken": token,
        "invokingEvent": invoking.to_string(),
        "ruleParameters": Value::Object(parameters).to_string(),
    })
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world() -> World {
        World::new("2019-10-30T11:39:10.807Z".parse().unwrap())
    }

    fn invoking(event: &Value) -> Value {
        serde_json::from_str(event["invokingEvent"].as_str().unwrap()).unwrap()
    }

    #[test]
    fn a_scheduled_event_holds_json_in_strings() {
        let event = scheduled(&mut world(), "123456789012", "keys", &[("maxAccessKeyAge", "90")]);
        assert_eq!(event["ruleParameters"], r#"{"maxAccessKeyAge":"90"}"#);
        assert_eq!(invoking(&event)["notificationCreationTime"], "2019-10-30T11:39:10.807Z");
        assert!(event["resultToken"].as_str().unwrap().len() >= 1024);
        let arn = event["configRuleArn"].as_str().unwrap();
        assert!(arn.starts_with("arn:aws:config:us-east-1:123456789012:config-rule/config-rule-"));
    }

    #[test]
    fn a_change_has_the_users_tags_but_no_keys() {
        let mut world = world();
        let now = world.now();
        let account = world.account("123456789012");
        let id = account.create_user("deploy-bot", now);
        account.tag_user("deploy-bot", "team", "a");
        account.create_key("deploy-bot", now).unwrap();
        let event = change(&mut world, "123456789012", "keys", "deploy-bot", &[]).unwrap();
        let item = invoking(&event)["configurationItem"].clone();
        assert_eq!((&item["resourceId"], &item["resourceName"]), (&json!(id), &json!("deploy-bot")));
        assert_eq!((&item["tags"]["team"], &item["configuration"]["tags"][0]["key"]), (&json!("a"), &json!("team")));
        assert!(!event.to_string().contains("AKIA"));
        assert!(change(&mut world, "123456789012", "keys", "nobody", &[]).is_none());
        let oversized = oversized_change(&mut world, "123456789012", "keys", "deploy-bot", &[]).unwrap();
        assert!(invoking(&oversized)["configurationItemSummary"]["resourceName"].is_null());
    }
}
