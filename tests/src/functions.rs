//! Lambda, version 2015-03-31: GetPolicy, GetFunctionConfiguration.

use serde_json::{Value, json};

use crate::REGION;
use crate::error::AwsError;
use crate::world::World;

/// The action and the function's name, from the method and the path of a request. Both are empty if there is no such action.
pub(crate) fn route(method: &str, path: &str) -> (&'static str, String) {
    let rest = path.strip_prefix("/2015-03-31/functions/").filter(|_| method == "GET");
    match rest.and_then(|rest| rest.split_once('/')) {
        Some((name, "policy")) => ("GetPolicy", name.to_owned()),
        Some((name, "configuration")) => ("GetFunctionConfiguration", name.to_owned()),
        _ => ("", String::new()),
    }
}

pub(crate) fn answer(
    world: &mut World,
    account: &str,
    region: &str,
    action: &str,
    input: &Value,
) -> Result<Value, AwsError> {
    if action.is_empty() {
        return Err(AwsError::new(404, "UnknownOperationException", ""));
    }
    let name = input["FunctionName"].as_str().unwrap_or_default();
    let account = world.account(account);
    let arn = account.function_arn(name);
    let not_found = |message: String| AwsError::new(404, "ResourceNotFoundException", message);
    let statements = account.regional.functions.get(name).filter(|_| region == REGION);
    let statements = statements.ok_or_else(|| not_found(format!("Function not found: {arn}")))?;
    if action == "GetFunctionConfiguration" {
        return Ok(
            json!({ "FunctionName": name, "FunctionArn": arn, "Runtime": "provided.al2023", "State": "Active" }),
        );
    }
    if statements.is_empty() {
        return Err(not_found("The resource you requested does not exist.".to_owned()));
    }
    let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
    Ok(json!({ "Policy": policy.to_string(), "RevisionId": "00000000-0000-0000-0000-000000000000" }))
}
