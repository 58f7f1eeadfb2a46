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

/// An event about the whole account: the sample of this kind, such as `scheduled`.
pub fn about_the_account(
    world: &mut World,
    kind: &str,
    account: &str,
    rule: &str,
    parameters: &[(&str, &str)],
) -> Value {
    let sample = sample(world, kind, account);
    send(world, account, rule, sample, parameters)
}

/// The event of a schedule: `ScheduledNotification`.
pub fn scheduled(world: &mut World, account: &str, rule: &str, parameters: &[(&str, &str)]) -> Value {
    about_the_account(world, "scheduled", account, rule, parameters)
}

/// The event of a change of a user: `ConfigurationItemChangeNotification` with the user's current configuration, which contains
/// no access keys. `None` if there is no such user.
pub fn change(world: &mut World, account: &str, rule: &str, user: &str, parameters: &[(&str, &str)]) -> Option<Value> {
    let now = world.now();
    let mut sample = sample(world, "changed", account);
    let user = world.account(account).user(user)?;
    sample.invoking_event["configurationItemDiff"] = Value::Null;
    let item = &mut sample.invoking_event["configurationItem"];
    item["configurationItemStatus"] = if user.created == now { "ResourceDiscovered" } else { "OK" }.into();
    describe(item, user);
    item["tags"] = json!(user.tags);
    let tags: Vec<Value> = user.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let configuration = &mut item["configuration"];
    configuration["path"] = user.path.as_str().into();
    configuration["userName"] = user.name.as_str().into();
    configuration["userId"] = user.id.as_str().into();
    configuration["arn"] = user.arn.as_str().into();
    configuration["createDate"] = time(user.created).into();
    let policies = user.attached_policies.iter();
    let policies = policies.map(|arn| json!({ "policyName": arn.rsplit('/').next(), "policyArn": arn }));
    configuration["attachedManagedPolicies"] = policies.collect();
    configuration["tags"] = tags.into();
    Some(send(world, account, rule, sample, parameters))
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
    let mut sample = sample(world, "oversized", account);
    let summary = &mut sample.invoking_event["configurationItemSummary"];
    describe(summary, world.account(account).user(user)?);
    summary["resourceName"] = Value::Null;
    Some(send(world, account, rule, sample, parameters))
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
    let mut sample = sample(world, "deleted", account);
    let item = &mut sample.invoking_event["configurationItem"];
    item["resourceId"] = user_id.into();
    item["resourceName"] = user_name.into();
    item["ARN"] = format!("arn:aws:iam::{account}:user/{user_name}").into();
    send(world, account, rule, sample, parameters)
}

/// The event without `invokingEvent`, and what becomes that string.
struct Sample {
    event: Value,
    invoking_event: Value,
}

/// The sample of this kind among those that the command line prints, for an account and now.
#[expect(clippy::expect_used, reason = "the file is part of the build")]
fn sample(world: &World, kind: &str, account: &str) -> Sample {
    let text = include_str!("../../../rule/src/config_service/event/samples.json")
        .replace("123456789012", account)
        .replace("2026-03-01T12:00:00.000Z", &time(world.now()))
        .replace("2026-03-01T11:50:00.000Z", &time(world.now()));
    let mut samples: Value = serde_json::from_str(&text).expect("JSON");
    Sample { event: samples["event"].take(), invoking_event: samples["invokingEvents"][kind].take() }
}

/// Sets what a configuration item and its summary say of the user.
fn describe(item: &mut Value, user: &User) {
    item["resourceId"] = user.id.as_str().into();
    item["resourceName"] = user.name.as_str().into();
    item["ARN"] = user.arn.as_str().into();
    item["resourceCreationTime"] = time(user.created).into();
}

fn send(world: &mut World, account: &str, rule: &str, mut sample: Sample, parameters: &[(&str, &str)]) -> Value {
    let now = world.now();
    let token = ids::token(&mut world.rng, RESULT_TOKEN);
    let account_state = world.account(account);
    let rule_id = account_state.ensure_rule(rule).id.clone();
    let known = ResultToken { rule: rule.to_owned(), rule_id: rule_id.clone(), invoked: now };
    account_state.result_tokens.insert(token.clone(), known);
    let parameters: Map<String, Value> =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    let event = &mut sample.event;
    event["configRuleName"] = rule.into();
    event["configRuleArn"] = format!("arn:aws:config:{REGION}:{account}:config-rule/{rule_id}").into();
    event["configRuleId"] = rule_id.into();
    event["resultToken"] = token.into();
    event["ruleParameters"] = Value::Object(parameters).to_string().into();
    event["invokingEvent"] = sample.invoking_event.to_string().into();
    sample.event
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
