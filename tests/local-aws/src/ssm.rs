//! SSM, version 2014-11-06: DescribeDocument.

use serde_json::{Value, json};

use crate::REGION;
use crate::error::AwsError;
use crate::json::{JsonCall, epoch_seconds, member};

pub(crate) fn answer(JsonCall { world, account, region, action, input }: JsonCall<'_>) -> Result<Value, AwsError> {
    if action != "DescribeDocument" {
        return Err(AwsError::unknown_operation());
    }
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
