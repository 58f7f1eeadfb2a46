//! Checks whether AWS Config in an account may invoke the function.

use super::{Caller, Check};
use crate::{args::connection::Session, manual};
use access_key_rotation::aws::{client::CallError, home::Home};
use serde_json::Value;
use std::collections::BTreeSet;

const NAME: &str = "invocable";
const CONFIG: &str = "config.amazonaws.com";

/// The function in the current account.
pub(super) struct Function {
    pub(super) name: String,
    /// `None` if the current account has no such function, so that no rule can be known by it.
    pub(super) arn: Option<String>,
    /// Its resource policy, or a check that says why it is unknown.
    pub(super) policy: Result<Invokers, Check>,
}

/// The accounts in which AWS Config may invoke the function.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Invokers {
    any: bool,
    accounts: BTreeSet<String>,
    organizations: BTreeSet<String>,
    /// Whether there are other statements, which may allow more or deny the invocation.
    other: bool,
}

impl Function {
    pub(super) async fn read(session: &Session, name: String) -> Function {
        let (exists, policy) = match exists(session, &name).await {
            Ok(true) => (true, policy(session, &name).await),
            Ok(false) => (false, Err(missing(session, &name))),
            Err(check) => (true, Err(check)),
        };
        Function { arn: exists.then(|| session.home.function_arn(&name)), name, policy }
    }

    pub(super) fn of_account(&self, id: &str) -> Check {
        let invokers = match &self.policy {
            Ok(invokers) => invokers,
            Err(_) => return Check::skipped(NAME, "the function's policy is unknown"),
        };
        let name = &self.name;
        if invokers.other {
            let seen =
                format!("the policy of {name} has statements for AWS Config that the doctor does not understand");
            return Check::unknown(NAME, seen, see_policy(name));
        }
        if let Some(organization) = invokers.organizations.first().filter(|_| !invokers.any) {
            let seen = format!(
                "the policy of {name} allows AWS Config in organization {organization} (aws:SourceOrgID), which the doctor cannot \
                 check: the check of coverage shows whether it works"
            );
            return Check::skipped(NAME, seen);
        }
        match (invokers.any, invokers.accounts.contains(id)) {
            (_, true) => Check::ok(NAME, format!("the policy of {name} names the account")),
            (true, _) => Check::ok(NAME, format!("the policy of {name} allows AWS Config in any account")),
            (false, false) => Check::failed(
                NAME,
                format!("the policy of {name} does not allow AWS Config in this account to invoke it"),
                format!(
                    "Add the account to MemberAccounts (or MemberAccounts2, 3, 4), and deploy the function again ({}).",
                    manual::FUNCTION
                ),
            ),
        }
    }
}

async fn exists(session: &Session, name: &str) -> Result<bool, Check> {
    let lambda = aws_sdk_lambda::Client::new(&session.config);
    let request = lambda.get_function_configuration().function_name(name);
    let calls = session.calls();
    match calls.call("lambda:GetFunctionConfiguration", session.until, || request.clone().send()).await {
        Ok(_) => Ok(true),
        Err(error) if error.code == "ResourceNotFoundException" => Ok(false),
        Err(error) => Err(Check::unknown(NAME, error.to_string(), Caller::Current.remedy(&error))),
    }
}

fn missing(session: &Session, name: &str) -> Check {
    let Home { account, region, .. } = &session.home;
    let seen = format!("account {account} has no function {name} in {region}");
    Check::unknown(NAME, seen, "Run the doctor in the function's account, or pass --function-name.")
}

async fn policy(session: &Session, name: &str) -> Result<Invokers, Check> {
    let lambda = aws_sdk_lambda::Client::new(&session.config);
    let calls = session.calls();
    let unknown = |error: &CallError| Check::unknown(NAME, error.to_string(), Caller::Current.remedy(error));
    let request = lambda.get_policy().function_name(name);
    match calls.call("lambda:GetPolicy", session.until, || request.clone().send()).await {
        Ok(answer) => answer
            .policy
            .as_deref()
            .and_then(invokers)
            .ok_or_else(|| Check::unknown(NAME, "lambda:GetPolicy: cannot understand the policy", see_policy(name))),
        // The function exists, so the policy does not.
        Err(error) if error.code == "ResourceNotFoundException" => Ok(Invokers::default()),
        Err(error) => Err(unknown(&error)),
    }
}

fn see_policy(name: &str) -> String {
    format!(
        "Check whether config.amazonaws.com may invoke it for this account: aws lambda get-policy --function-name {name}"
    )
}

/// `None` if it is not a policy. Understands only the statements that `AddPermission` and `templates/hub.yaml` write.
fn invokers(policy: &str) -> Option<Invokers> {
    let policy: Value = serde_json::from_str(policy).ok()?;
    let mut invokers = Invokers::default();
    for statement in policy["Statement"].as_array()? {
        if statement["Effect"] != "Allow" || !statement["NotPrincipal"].is_null() {
            invokers.other = true;
            continue;
        }
        let principal = &statement["Principal"];
        let concerns_config = principal == "*"
            || principal.as_object().is_some_and(|kinds| {
                kinds.get("Service").is_some_and(|service| contains(service, CONFIG) || contains(service, "*"))
            });
        if !concerns_config {
            continue;
        }
        if *principal != serde_json::json!({ "Service": CONFIG }) {
            invokers.other = true;
        } else if statement["Action"] != "lambda:InvokeFunction" {
            invokers.other |= contains(&statement["Action"], "lambda:InvokeFunction")
                || statement["Action"].to_string().contains('*');
        } else {
            match sources(&statement["Condition"]) {
                Some(Sources::Any) => invokers.any = true,
                Some(Sources::Accounts(ids)) => invokers.accounts.extend(ids),
                Some(Sources::Organizations(ids)) => invokers.organizations.extend(ids),
                None => invokers.other = true,
            }
        }
    }
    Some(invokers)
}

/// The accounts whose AWS Config a statement allows.
enum Sources {
    Any,
    Accounts(Vec<String>),
    Organizations(Vec<String>),
}

/// The sources that a condition names; `None` if the doctor does not understand it.
fn sources(condition: &Value) -> Option<Sources> {
    if condition.is_null() {
        return Some(Sources::Any);
    }
    let [(operator, keys)] = condition.as_object()?.iter().collect::<Vec<_>>()[..] else { return None };
    let [(key, ids)] = keys.as_object()?.iter().collect::<Vec<_>>()[..] else { return None };
    let ids = texts(ids).map(str::to_owned).collect();
    match key.to_ascii_lowercase().as_str() {
        "aws:sourceaccount" if operator == "StringEquals" => Some(Sources::Accounts(ids)),
        "aws:sourceorgid" if operator == "StringEquals" => Some(Sources::Organizations(ids)),
        _ => None,
    }
}

fn contains(value: &Value, text: &str) -> bool {
    texts(value).any(|other| other == text)
}

/// One string or a list of strings.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_str().into_iter().chain(value.as_array().into_iter().flatten().filter_map(Value::as_str))
}
