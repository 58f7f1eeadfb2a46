//! Checks that Lambda runs the function, and how much concurrency is reserved for it.

use super::{Caller, Check};
use crate::{args::connection::Session, manual};
use access_key_rotation::aws::{client::CallError, home::Home};

const NAME: &str = "concurrency";
/// The least `ReservedConcurrency` that templates/README.md recommends for an organization.
const LEAST_RECOMMENDED: i32 = 20;
/// For how many accounts rule/README.md recommends one execution.
const ACCOUNTS_FOR_ONE: usize = 50;
/// How many of the account's concurrent executions Lambda keeps unreserved, by its API reference of `PutFunctionConcurrency`.
const KEPT_UNRESERVED: i32 = 100;

/// A check of the function in the current account, which evaluates so many accounts or more. Reads the account's quota only if
/// nothing is reserved.
pub(super) async fn check(session: &Session, name: &str, accounts: usize) -> Check {
    let Home { account, region, .. } = &session.home;
    let lambda = aws_sdk_lambda::Client::new(&session.config);
    let calls = session.calls();
    let unknown = |error: &CallError| Check::unknown(NAME, error.to_string(), Caller::Current.remedy(error));
    let request = lambda.get_function_concurrency().function_name(name);
    let answer = calls.call("lambda:GetFunctionConcurrency", session.until, || request.clone().send()).await;
    match answer.map(|answer| answer.reserved_concurrent_executions) {
        Ok(Some(0)) => return switched_off(name, region),
        Ok(Some(reserved)) => return judge(name, reserved, accounts),
        Ok(None) => {}
        Err(error) if error.code == "ResourceNotFoundException" => {
            return Check::skipped(NAME, format!("account {account} has no function {name} in {region}"));
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
            NAME,
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
        return Check::ok(NAME, said);
    }
    Check::advice(
        NAME,
        format!(
            "{said}, and the function evaluates {accounts} accounts: one execution for each {ACCOUNTS_FOR_ONE} makes {needed}"
        ),
        format!("Deploy the function again with ReservedConcurrency={} ({}).", recommended(accounts), manual::FUNCTION),
    )
}

fn switched_off(name: &str, region: &str) -> Check {
    Check::failed(
        NAME,
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
            NAME,
            format!("no concurrency is reserved for {name}, so the account's other functions can take all of it"),
            format!("In an organization, {deploy}."),
        );
    }
    let most = if free == 0 { "nothing can be reserved".to_owned() } else { format!("at most {free} can be reserved") };
    Check::advice(
        NAME,
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
