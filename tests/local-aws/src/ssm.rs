//! SSM, version 2014-11-06: DescribeDocument, GetServiceSetting, and the actions of Parameter Store.

pub(crate) mod parameters;

use serde_json::{Value, json};

use crate::REGION;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{JsonCall, epoch_seconds, member};

pub(crate) fn answer(call: JsonCall<'_>, effects: &Effects) -> Result<Value, AwsError> {
    match call.action {
        "DescribeDocument" => describe_document(call),
        "GetServiceSetting" => get_service_setting(call),
        "PutParameter" => parameters::put(call),
        "GetParameter" => parameters::get(call),
        "GetParametersByPath" => parameters::get_by_path(call, effects),
        "GetParameterHistory" => parameters::history(call),
        "DeleteParameter" => parameters::delete(call),
        _ => Err(AwsError::unknown_operation()),
    }
}

/// The settings of Automation's log of scripts. AWS does not say what the values are that nobody has changed.
const SETTINGS: [(&str, &str); 2] = [
    ("/ssm/automation/customer-script-log-destination", "None"),
    ("/ssm/automation/customer-script-log-group-name", "/aws/ssm/automation/executeScript"),
];

/// By the setting's id, or its ARN, which ends in the id.
fn get_service_setting(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value, AwsError> {
    let given = member(input, "SettingId", Value::as_str)?.unwrap_or_default();
    let id = given.split_once(":servicesetting").map_or(given, |(_, id)| id);
    let (_, default) = SETTINGS
        .iter()
        .find(|(known, _)| *known == id)
        .ok_or_else(|| AwsError::new(400, "ServiceSettingNotFound", "Setting not found."))?;
    let account = world.account(account);
    let changed = account.regional.service_settings.get(id).filter(|_| region == REGION);
    Ok(json!({ "ServiceSetting": {
        "SettingId": id,
        "SettingValue": changed.map_or(*default, String::as_str),
        "Status": if changed.is_some() { "Customized" } else { "Default" },
        "ARN": format!("arn:aws:ssm:{region}:{}:servicesetting{id}", account.id()),
    } }))
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
