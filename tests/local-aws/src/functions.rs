//! Lambda, each operation with the API version in its path: GetPolicy, GetFunctionConfiguration, GetFunctionConcurrency,
//! GetAccountSettings.

use serde_json::{Value, json};

use crate::REGION;
use crate::error::AwsError;
use crate::json::JsonCall;

/// Lambda's default quota of concurrent executions in a Region. A new account may have fewer.
const CONCURRENT_EXECUTIONS: u32 = 1_000;

pub(crate) fn answer(JsonCall { world, account, region, action, input, .. }: JsonCall<'_>) -> Result<Value, AwsError> {
    if action.is_empty() {
        return Err(AwsError::new(404, "UnknownOperationException", ""));
    }
    let name = input.get("FunctionName").and_then(Value::as_str).unwrap_or_default();
    let account = world.account(account);
    let arn = account.function_arn(name);
    let functions = Some(&account.regional.functions).filter(|_| region == REGION);
    if action == "GetAccountSettings" {
        let quota = account.regional.concurrent_executions.unwrap_or(CONCURRENT_EXECUTIONS);
        let reserved: u32 =
            functions.iter().flat_map(|all| all.values()).filter_map(|function| function.reserved).sum();
        return Ok(json!({
            "AccountLimit": {
                "TotalCodeSize": 80_530_636_800_u64,
                "CodeSizeUnzipped": 262_144_000,
                "CodeSizeZipped": 52_428_800,
                "ConcurrentExecutions": quota,
                "UnreservedConcurrentExecutions": quota.saturating_sub(reserved),
            },
            "AccountUsage": { "TotalCodeSize": 0, "FunctionCount": functions.map_or(0, |all| all.len()) },
        }));
    }
    let not_found = |message: String| AwsError::new(404, "ResourceNotFoundException", message);
    let function = functions.and_then(|all| all.get(name));
    let function = function.ok_or_else(|| not_found(format!("Function not found: {arn}")))?;
    match action {
        "GetFunctionConfiguration" => {
            Ok(json!({ "FunctionName": name, "FunctionArn": arn, "Runtime": "provided.al2023", "State": "Active" }))
        }
        "GetFunctionConcurrency" => Ok(match function.reserved {
            Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
            None => json!({}),
        }),
        _ if function.statements.is_empty() => Err(not_found("The resource you requested does not exist.".to_owned())),
        _ => {
            let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": function.statements });
            Ok(json!({ "Policy": policy.to_string(), "RevisionId": "00000000-0000-0000-0000-000000000000" }))
        }
    }
}
