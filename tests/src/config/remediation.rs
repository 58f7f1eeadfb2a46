//! Rules and their remediation exceptions: DescribeConfigRules, DescribeRemediationExceptions.

use serde_json::{Value, json};

use super::{Context, Result, no_such_rule};
use crate::REGION;
use crate::account::Account;
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::json::{self, member, strings};
use crate::paging::Listing;
use crate::request::Service;

/// DescribeConfigRules takes no limit.
const RULES_PER_PAGE: usize = 25;
const DEFAULT_LIMIT: usize = 25;

pub(super) fn rules(cx: &Context<'_>) -> Result<Value> {
    let names = strings(cx.input, "ConfigRuleNames")?;
    if let Some(name) = names.iter().find(|name| !cx.home || !cx.account.rules().contains_key(**name)) {
        return Err(no_such_rule(name));
    }
    let id = cx.account.id();
    let rules =
        cx.account.rules().iter().filter(|(name, _)| cx.home && (names.is_empty() || names.contains(&name.as_str())));
    let rules = rules.map(|(name, rule)| {
        let value = json!({
            "ConfigRuleName": name,
            "ConfigRuleArn": format!("arn:aws:config:{REGION}:{id}:config-rule/{}", rule.id),
            "ConfigRuleId": rule.id,
            "Source": { "Owner": "CUSTOM_LAMBDA", "SourceIdentifier": rule.function },
            "ConfigRuleState": "ACTIVE",
        });
        (name.clone(), value)
    });
    page(cx, "ConfigRules", "DescribeConfigRules".to_owned(), RULES_PER_PAGE, rules)
}

pub(super) fn exceptions(cx: &Context<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let given = member(cx.input, "ConfigRuleName", Value::as_str)?;
    let name = violations.required("configRuleName", given);
    let limit = member(cx.input, "Limit", Value::as_i64)?.unwrap_or(0);
    violations.number("limit", limit, 0..=100);
    violations.finish("ValidationException")?;
    let rule = cx.account.rules().get(name).filter(|_| cx.home);
    let exceptions = rule.into_iter().flat_map(|rule| &rule.exceptions).map(|resource| {
        let value = json!({
            "ConfigRuleName": name,
            "ResourceType": "AWS::IAM::User",
            "ResourceId": resource,
            "Message": "Remediation attempts have reached the maximum.",
        });
        (resource.clone(), value)
    });
    let size = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT);
    page(cx, "RemediationExceptions", format!("DescribeRemediationExceptions {name}"), size, exceptions)
}

/// A page of items that are in the order of their keys.
fn page(
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
    /// Sets the function that a Config rule invokes.
    pub fn set_rule_function(&mut self, rule: &str, arn: &str) {
        self.ensure_rule(rule).function = Some(arn.to_owned());
    }

    /// Adds a remediation exception of a Config rule for a user's id.
    pub fn add_remediation_exception(&mut self, rule: &str, user_id: &str) {
        self.ensure_rule(rule).exceptions.insert(user_id.to_owned());
    }
}
