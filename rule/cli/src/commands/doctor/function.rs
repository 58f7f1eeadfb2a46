//! Checks whether AWS Config in an account may invoke the function, and how much concurrency is reserved for it.

use super::report::{Caller, Check};
use crate::{args::connection::Session, manual};
use access_key_rotation::aws::{client::CallError, home::Home};
use serde_json::Value;
use std::collections::BTreeSet;

const INVOCABLE: &str = "invocable";
const CONFIG: &str = "config.amazonaws.com";
const CONCURRENCY: &str = "concurrency";
/// The least `ReservedConcurrency` that templates/HARDENING.md recommends for an organization.
const LEAST_RECOMMENDED: i32 = 20;
/// For how many accounts rule/COST.md recommends one execution.
const ACCOUNTS_FOR_ONE: usize = 50;
/// How many of the account's concurrent executions Lambda keeps unreserved, by its API reference of `PutFunctionConcurrency`.
const KEPT_UNRESERVED: i32 = 100;

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
        let Ok(invokers) = &self.policy else {
            return Check::skipped(INVOCABLE, "the function's policy is unknown");
        };
        let name = &self.name;
        if invokers.other {
            let seen =
                format!("the policy of {name} has statements for AWS Config that the doctor does not understand");
            return Check::unknown(INVOCABLE, seen, see_policy(name));
        }
        if let Some(organization) = invokers.organizations.first().filter(|_| !invokers.any) {
            let seen = format!(
                "the policy of {name} allows AWS Config in organization {organization} (aws:SourceOrgID), which the doctor cannot \
                 check: the check of coverage shows whether it works"
            );
            return Check::skipped(INVOCABLE, seen);
        }
        if invokers.accounts.contains(id) {
            Check::ok(INVOCABLE, format!("the policy of {name} names the account"))
        } else if invokers.any {
            Check::ok(INVOCABLE, format!("the policy of {name} allows AWS Config in any account"))
        } else {
            Check::failed(
                INVOCABLE,
                format!("the policy of {name} does not allow AWS Config in this account to invoke it"),
                format!(
                    "Add the account to MemberAccounts (or MemberAccounts2, 3, 4), and deploy the function again ({}).",
                    manual::FUNCTION
                ),
            )
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
        Err(error) => Err(Check::unknown(INVOCABLE, error.to_string(), Caller::Current.remedy(&error))),
    }
}

fn missing(session: &Session, name: &str) -> Check {
    let Home { account, region, .. } = &session.home;
    let seen = format!("account {account} has no function {name} in {region}");
    Check::unknown(INVOCABLE, seen, "Run the doctor in the function's account, or pass --function-name.")
}

async fn policy(session: &Session, name: &str) -> Result<Invokers, Check> {
    let lambda = aws_sdk_lambda::Client::new(&session.config);
    let calls = session.calls();
    let unknown = |error: &CallError| Check::unknown(INVOCABLE, error.to_string(), Caller::Current.remedy(error));
    let request = lambda.get_policy().function_name(name);
    match calls.call("lambda:GetPolicy", session.until, || request.clone().send()).await {
        Ok(answer) => answer.policy.as_deref().and_then(invokers).ok_or_else(|| {
            Check::unknown(INVOCABLE, "lambda:GetPolicy: cannot understand the policy", see_policy(name))
        }),
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

/// A check of what is reserved for the function in the current account, which evaluates so many accounts or more. Reads the account's quota only if
/// nothing is reserved.
pub(super) async fn concurrency(session: &Session, name: &str, accounts: usize) -> Check {
    let Home { account, region, .. } = &session.home;
    let lambda = aws_sdk_lambda::Client::new(&session.config);
    let calls = session.calls();
    let unknown = |error: &CallError| Check::unknown(CONCURRENCY, error.to_string(), Caller::Current.remedy(error));
    let request = lambda.get_function_concurrency().function_name(name);
    let answer = calls.call("lambda:GetFunctionConcurrency", session.until, || request.clone().send()).await;
    match answer.map(|answer| answer.reserved_concurrent_executions) {
        Ok(Some(0)) => return switched_off(name, region),
        Ok(Some(reserved)) => return judge(name, reserved, accounts),
        Ok(None) => {}
        Err(error) if error.code == "ResourceNotFoundException" => {
            return Check::skipped(CONCURRENCY, format!("account {account} has no function {name} in {region}"));
        }
        Err(error) => return unknown(&error),
    }
    let answer = calls.call("lambda:GetAccountSettings", session.until, || lambda.get_account_settings().send()).await;
    let limit = match answer {
        Ok(answer) => answer.account_limit,
        Err(error) => return unknown(&error),
    };
    match limit.and_then(|limit| Some((limit.concurrent_executions, limit.unreserved_concurrent_executions?))) {
        Some((quota, unreserved)) => advise(name, region, quota, unreserved, recommended(accounts)),
        None => Check::unknown(
            CONCURRENCY,
            "lambda:GetAccountSettings: the response has no concurrent executions",
            "Run the doctor again.",
        ),
    }
}

/// The executions for so many accounts, if every account's schedule arrives at the same time.
fn needed(accounts: usize) -> i32 {
    i32::try_from(accounts.div_ceil(ACCOUNTS_FOR_ONE)).unwrap_or(i32::MAX)
}

/// The `ReservedConcurrency` for an organization of so many accounts.
fn recommended(accounts: usize) -> i32 {
    needed(accounts).max(LEAST_RECOMMENDED)
}

fn judge(name: &str, reserved: i32, accounts: usize) -> Check {
    let said = format!("ReservedConcurrentExecutions of {name} is {reserved}");
    let needed = needed(accounts);
    if reserved >= needed {
        return Check::ok(CONCURRENCY, said);
    }
    Check::advice(
        CONCURRENCY,
        format!(
            "{said}, and the function evaluates {accounts} accounts: one execution for each {ACCOUNTS_FOR_ONE} makes {needed}"
        ),
        format!("Deploy the function again with ReservedConcurrency={} ({}).", recommended(accounts), manual::FUNCTION),
    )
}

fn switched_off(name: &str, region: &str) -> Check {
    Check::failed(
        CONCURRENCY,
        format!("ReservedConcurrentExecutions of {name} is 0, so Lambda does not run it"),
        format!(
            "Find out why somebody switched it off, then run: aws lambda delete-function-concurrency --function-name {name} \
             --region {region} (if your stack sets ReservedConcurrency, run instead: aws lambda put-function-concurrency \
             --function-name {name} --region {region} --reserved-concurrent-executions, with that number)"
        ),
    )
}

/// `quota`: the account's concurrent executions in the Region. `unreserved`: those of them that no function reserves.
fn advise(name: &str, region: &str, quota: i32, unreserved: i32, recommended: i32) -> Check {
    let deploy = format!("deploy the function again with ReservedConcurrency={recommended} ({})", manual::FUNCTION);
    let free = (unreserved - KEPT_UNRESERVED).max(0);
    if free >= recommended {
        return Check::advice(
            CONCURRENCY,
            format!("no concurrency is reserved for {name}, so the account's other functions can take all of it"),
            format!("In an organization, {deploy}."),
        );
    }
    let most = if free == 0 { "nothing can be reserved".to_owned() } else { format!("at most {free} can be reserved") };
    Check::advice(
        CONCURRENCY,
        format!(
            "no concurrency is reserved for {name}, and {most}: {unreserved} of the account's {quota} concurrent executions are \
             unreserved, and Lambda keeps {KEPT_UNRESERVED} so"
        ),
        format!(
            "In an organization, request {} or more from Service Quotas in {region} (AWS Lambda, \"Concurrent executions\"), then \
             {deploy}.",
            quota - unreserved + KEPT_UNRESERVED + recommended
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_execution_for_each_50_accounts_and_20_at_least() {
        assert_eq!([1, 1_000, 1_001, 5_000].map(recommended), [20, 20, 21, 100]);
        for (reserved, accounts, advice) in [(1, 50, false), (1, 51, true), (20, 1_000, false), (20, 5_000, true)] {
            let text = format!("{:?}", judge("rule", reserved, accounts));
            assert_eq!(text.contains("one execution for each 50"), advice, "{text}");
        }
        let text = format!("{:?}", judge("rule", 20, 5_000));
        assert!(text.contains("evaluates 5000 accounts") && text.contains("ReservedConcurrency=100"), "{text}");
    }
}
