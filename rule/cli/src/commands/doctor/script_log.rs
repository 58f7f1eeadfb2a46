//! Reads whether Systems Manager writes the output of the runbooks' scripts to CloudWatch Logs, which it does with their roles
//! ("Logging Automation action output with CloudWatch Logs" in its user guide).

use super::report::{Caller, Check};
use crate::manual;
use access_key_rotation::aws::{account::Account, client::CallError};

const NAME: &str = "script log";
const GET_SETTING: &str = "ssm:GetServiceSetting";
const DESTINATION: &str = "/ssm/automation/customer-script-log-destination";
const GROUP: &str = "/ssm/automation/customer-script-log-group-name";
/// The only destination there is.
const CLOUD_WATCH: &str = "CloudWatch";
/// The group that Automation takes, and creates, if the account chooses none; also the default of the template's `ScriptLogGroup`.
const DEFAULT_GROUP: &str = "/aws/ssm/automation/executeScript";

/// The account's setting, and what the runbooks' roles need for it.
pub(super) async fn check(account: &Account<'_>, caller: &Caller<'_>) -> Check {
    group(account).await.map_or_else(
        |error| Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
        |group| match group.as_deref() {
            None => Check::ok(NAME, "Systems Manager does not write the output of scripts to CloudWatch Logs"),
            Some(DEFAULT_GROUP) => {
                Check::ok(NAME, format!("Systems Manager writes the output of scripts to {DEFAULT_GROUP}"))
            }
            Some(group) => Check::advice(
                NAME,
                format!(
                    "Systems Manager writes the output of scripts to the log group {group}, with the runbooks' roles"
                ),
                format!(
                    "Make sure that ScriptLogGroup={group} is set for this account in templates/member.yaml ({}).",
                    manual::ROLES
                ),
            ),
        },
    )
}

/// The log group, or `None` if there is no log.
async fn group(account: &Account<'_>) -> Result<Option<String>, CallError> {
    let is_on = setting(account, DESTINATION).await?.is_some_and(|value| value == CLOUD_WATCH);
    Ok(if is_on { Some(setting(account, GROUP).await?.unwrap_or_else(|| DEFAULT_GROUP.to_owned())) } else { None })
}

/// `None` if the setting has no value.
async fn setting(account: &Account<'_>, id: &str) -> Result<Option<String>, CallError> {
    let ssm = aws_sdk_ssm::Client::new(&account.settings);
    let request = ssm.get_service_setting().setting_id(id);
    match account.calls.call(GET_SETTING, account.ends.reads, || request.clone().send()).await {
        Ok(answer) => {
            let value = answer.service_setting.and_then(|setting| setting.setting_value);
            Ok(value.filter(|value| !value.is_empty()))
        }
        Err(error) if error.code == "ServiceSettingNotFound" => Ok(None),
        Err(error) => Err(error),
    }
}
