//! Checks that Lambda runs the function, and how much concurrency is reserved for it.

use super::{Caller, Check};
use crate::{args::connection::Session, manual};
use access_key_rotation::aws::{calls::CallError, home::Home};

const NAME: &str = "concurrency";
/// The `ReservedConcurrency` that templates/README.md recommends for an organization.
const RECOMMENDED: i32 = 20;
/// How many of the account's concurrent executions Lambda keeps unreserved, by its API reference of `PutFunctionConcurrency`.
const KEPT_UNRESERVED: i32 = 100;

/// A check of the function in the current account. Reads the account's quota only if nothing is reserved.
pub(super) async fn check(session: &Session, name: &str) -> Check {
    let Home { account, region, .. } = &session.home;
    let lambda = aws_sdk_lambda::Client::new(&session.config);
    let calls = session.calls();
    let unknown = |error: &CallError| Check::unknown(NAME, error.to_string(), Caller::Current.remedy(error));
    let request = lambda.get_function_concurrency().function_name(name);
    let answer = calls.call("lambda:GetFunctionConcurrency", session.until, || request.clone().send()).await;
    match answer.map(|answer| answer.reserved_concurrent_executions) {
        Ok(Some(0)) => return switched_off(name, region),
        Ok(Some(reserved)) => {
            return Check::ok(NAME, format!("ReservedConcurrentExecutions of {name} is {reserved}"));
        }
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
        Some((quota, unreserved)) => advise(name, region, quota, unreserved),
        None => Check::unknown(
            NAME,
            "lambda:GetAccountSettings: the response has no concurrent executions",
            "Run the doctor again.",
        ),
    }
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
fn advise(name: &str, region: &str, quota: i32, unreserved: i32) -> Check {
    let deploy = format!("deploy the function again with ReservedConcurrency={RECOMMENDED} ({})", manual::FUNCTION);
    let free = (unreserved - KEPT_UNRESERVED).max(0);
    if free >= RECOMMENDED {
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
            quota - unreserved + KEPT_UNRESERVED + RECOMMENDED
        ),
    )
}
