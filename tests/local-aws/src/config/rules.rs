//! Rules: DescribeConfigRules, DescribeConfigRuleEvaluationStatus.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::context::{Context, Result, no_such_rule};
use crate::REGION;
use crate::account::Account;
use crate::config_rule::ConfigRule;
use crate::error::AwsError;
use crate::json::{self, epoch_seconds, strings};
use crate::paging::Listing;
use crate::service::Service;

/// DescribeConfigRules has no limit to ask for.
const RULES_PER_PAGE: usize = 25;

pub(super) fn describe(cx: &Context<'_>) -> Result<Value> {
    let id = cx.account.id();
    let rules = named(cx)?.map(|(name, rule)| {
        let detail = json!({
            "EventSource": "aws.config",
            "MessageType": "ScheduledNotification",
            "MaximumExecutionFrequency": rule.frequency,
        });
        let source = json!({
            "Owner": "CUSTOM_LAMBDA",
            "SourceIdentifier": rule.function,
            "SourceDetails": [detail],
        });
        let value = json!({
            "ConfigRuleName": name,
            "ConfigRuleArn": format!("arn:aws:config:{REGION}:{id}:config-rule/{}", rule.id),
            "ConfigRuleId": rule.id,
            "Source": source,
            "InputParameters": rule.parameters,
            "ConfigRuleState": "ACTIVE",
        });
        (name.clone(), value)
    });
    page(cx, "ConfigRules", "DescribeConfigRules".to_owned(), RULES_PER_PAGE, rules)
}

pub(super) fn statuses(cx: &Context<'_>) -> Result<Value> {
    let statuses = named(cx)?.map(|(name, rule)| {
        let mut value = json!({
            "ConfigRuleName": name,
            "ConfigRuleId": rule.id,
            "FirstEvaluationStarted": rule.last_success.is_some(),
        });
        if let Some(at) = rule.first_activated {
            value["FirstActivatedTime"] = epoch_seconds(at);
        }
        if let Some(at) = rule.last_success {
            value["LastSuccessfulEvaluationTime"] = epoch_seconds(at);
        }
        (name.clone(), value)
    });
    page(cx, "ConfigRulesEvaluationStatus", "DescribeConfigRuleEvaluationStatus".to_owned(), RULES_PER_PAGE, statuses)
}

/// The rules that are asked for, or all of them.
fn named<'a>(cx: &'a Context<'_>) -> Result<impl Iterator<Item = (&'a String, &'a ConfigRule)>> {
    let names = strings(cx.input, "ConfigRuleNames")?;
    let (home, rules) = (cx.home, cx.account.rules());
    if let Some(name) = names.iter().find(|name| !home || !rules.contains_key(**name)) {
        return Err(no_such_rule(name));
    }
    Ok(rules.iter().filter(move |(name, _)| home && (names.is_empty() || names.contains(&name.as_str()))))
}

/// A page of what has keys in order.
pub(super) fn page(
    cx: &Context<'_>,
    member: &str,
    name: String,
    size: usize,
    items: impl Iterator<Item = (String, Value)>,
) -> Result<Value> {
    let name = format!("{name} {}", cx.account.id());
    let listing = Listing { service: Service::Config, name, size, faults: cx.effects.pages };
    let invalid = || AwsError::new(400, "InvalidNextTokenException", "The nextToken provided is invalid");
    let position = json::position(&listing, cx.input, invalid)?;
    let after = position.after.clone();
    let rest = items.skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
    Ok(json::page(member, listing.page(position, rest, |(key, _)| key.clone())?.map(|(_, item)| item)))
}

impl Account {
    /// Says which function a Config rule invokes.
    pub fn set_rule_function(&mut self, rule: &str, arn: &str) {
        self.ensure_rule(rule).function = Some(arn.to_owned());
    }

    /// Sets what a Config rule passes to its function: JSON in a text. At first, that is an empty object.
    pub fn set_rule_parameters(&mut self, rule: &str, parameters: &str) {
        parameters.clone_into(&mut self.ensure_rule(rule).parameters);
    }

    /// Sets when a Config rule was first activated, and when it was last evaluated.
    pub fn set_rule_evaluated(&mut self, rule: &str, first_activated: DateTime<Utc>, last: Option<DateTime<Utc>>) {
        let rule = self.ensure_rule(rule);
        (rule.first_activated, rule.last_success) = (Some(first_activated), last);
    }

    /// Gives no evaluation status of a Config rule, as AWS's API reference says of custom Lambda rules.
    pub fn hide_rule_status(&mut self, rule: &str) {
        let rule = self.ensure_rule(rule);
        (rule.first_activated, rule.last_success) = (None, None);
    }
}
