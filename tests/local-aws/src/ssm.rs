//! SSM, version 2014-11-06: DescribeDocument, and the actions of Parameter Store.

pub(crate) mod parameters;

use serde_json::{Value, json};

use crate::REGION;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{JsonCall, epoch_seconds, member};

pub(crate) fn answer(call: JsonCall<'_>, effects: &Effects) -> Result<Value, AwsError> {
    match call.action {
        "DescribeDocument" => describe_document(call),
        "PutParameter" => parameters::put(call),
        "GetParameter" => parameters::get(call),
        "GetParametersByPath" => parameters::get_by_path(call, effects),
        "GetParameterHistory" => parameters::history(call),
        "DeleteParameter" => parameters::delete(call),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn describe_document(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value, AwsError> {
    let name = member(input, "Name", Value::as_str)?.unwrap_or_default();
    let account = world.account(account);
    let document = account.regional.documents.get(name).filter(|_| region == REGION);
    let document = document.ok_or_else(|| {
        let message = format!("Document with name {name} does not exist.");
        AwsError::new(400, "InvalidDocument", message)
    })?;
    Ok(json!({ "Document": {
        "Name": name,
        "Owner": account.id(),
        "CreatedDate": epoch_seconds(account.created()),
        "Status": document.status,
        "DocumentVersion": document.default_version.to_string(),
        "DocumentType": "Automation",
        "SchemaVersion": "0.3",
        "LatestVersion": document.latest_version.to_string(),
        "DefaultVersion": document.default_version.to_string(),
        "DocumentFormat": "JSON",
    } }))
}
