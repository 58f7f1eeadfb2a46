//! Remediation exceptions: DescribeRemediationExceptions.

use serde_json::{Value, json};

use super::context::{Context, Result};
use super::rules::page;
use crate::account::Account;
use crate::constraints::Violations;
use crate::json::member;

const DEFAULT_LIMIT: usize = 25;

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

impl Account {
    /// Adds a remediation exception of a Config rule for a user's id.
    pub fn add_remediation_exception(&mut self, rule: &str, user_id: &str) {
        self.ensure_rule(rule).exceptions.insert(user_id.to_owned());
    }
}
