//! Checks whether AWS Config records IAM users in an account, and the history of their compliance.

use super::report::{Caller, Check};
use crate::manual;
use access_key_rotation::{aws::account::Account, config_service::event::IAM_USER};
use aws_sdk_config::types::{
    ConfigurationRecorder, ConfigurationRecorderStatus, RecorderStatus, RecordingFrequency, RecordingMode,
    RecordingStrategyType, ResourceType,
};

const NAME: &str = "recorder";
const HISTORY: &str = "history";
/// The resource type of the compliance history. AWS Config's developer guide, "Viewing Compliance History": a recorder of all
/// supported types includes it.
const RESOURCE_COMPLIANCE: &str = "AWS::Config::ResourceCompliance";

/// How AWS Control Tower names its recorder ("AWS Control Tower shared resources" in its user guide). Its control
/// AWS-GR_CONFIG_CHANGE_PROHIBITED denies PutConfigurationRecorder, PutDeliveryChannel and the like to everybody but its own
/// role, but not StartConfigurationRecorder.
const CONTROL_TOWER: &str = "aws-controltower-";
/// How to change what that control protects.
const AS_CONTROL_TOWER: &str = "AWS Control Tower denies this change to all but its role AWSControlTowerExecution: assume that role \
    from the management account. If Control Tower sets the recorder back when it updates the account, use \
    https://github.com/aws-samples/aws-control-tower-config-customization.";

/// The recorder, and the compliance history that it records.
pub(super) async fn check(account: &Account<'_>, region: &str, caller: &Caller<'_>) -> [Check; 2] {
    let Account { config, calls, ends, .. } = account;
    // Without a name, AWS Config returns the customer managed recorder, of which there is at most one.
    let answer = calls
        .call("config:DescribeConfigurationRecorders", ends.reads, || config.describe_configuration_recorders().send());
    let recorders = match answer.await {
        Ok(answer) => answer.configuration_recorders.unwrap_or_default(),
        Err(error) => {
            let recorder = Check::unknown(NAME, error.to_string(), caller.remedy(&error));
            return [recorder, Check::skipped(HISTORY, "the recorder is unknown")];
        }
    };
    let Some(recorder) = recorders.into_iter().find(|recorder| recorder.service_principal.is_none()) else {
        let seen = format!("there is no configuration recorder in {region}");
        let remedy = format!(
            "Turn on AWS Config in this account and record {IAM_USER} (with AWS Control Tower: enroll or update the account), \
             or exclude the account from the pack with --excluded-accounts ({}).",
            manual::PACK
        );
        return [Check::failed(NAME, &seen, remedy), Check::skipped(HISTORY, &seen)];
    };
    let answer = calls.call("config:DescribeConfigurationRecorderStatus", ends.reads, || {
        config.describe_configuration_recorder_status().send()
    });
    let statuses = answer.await.map(|answer| answer.configuration_recorders_status.unwrap_or_default());
    let status = statuses.map(|statuses| statuses.into_iter().find(|status| status.name == recorder.name));
    let check = match status {
        Ok(Some(status)) => evaluate(&recorder, &status, region),
        Ok(None) => Check::unknown(
            NAME,
            "config:DescribeConfigurationRecorderStatus: no status of the recorder",
            "Run the doctor again.",
        ),
        Err(error) => Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
    };
    [check, history(&recorder, region)]
}

/// Whether the history is among what the recorder records. Whether it runs is the other check.
fn history(recorder: &ConfigurationRecorder, region: &str) -> Check {
    let name = name(recorder);
    match records(recorder, RESOURCE_COMPLIANCE) {
        Some(true) => Check::ok(HISTORY, format!("the recorded types of {name} include {RESOURCE_COMPLIANCE}")),
        Some(false) => Check::advice(
            HISTORY,
            format!("{name} does not record {RESOURCE_COMPLIANCE}, the compliance history that auditors ask for"),
            changed(
                recorder,
                "Include this resource type in this account's AWS Config settings (aws configservice \
                 put-configuration-recorder). AWS Config bills each item that it records.",
            ),
        ),
        None => not_understood(HISTORY, name, RESOURCE_COMPLIANCE, region),
    }
}

fn not_understood(check: &'static str, name: &str, resource_type: &str, region: &str) -> Check {
    Check::unknown(
        check,
        format!("this version does not understand what {name} records"),
        format!(
            "Check whether it records {resource_type}: aws configservice describe-configuration-recorders --region {region}"
        ),
    )
}

fn name(recorder: &ConfigurationRecorder) -> &str {
    recorder.name.as_deref().unwrap_or("default")
}

fn is_control_towers(recorder: &ConfigurationRecorder) -> bool {
    name(recorder).starts_with(CONTROL_TOWER)
}

/// The remedy, and who may apply it.
fn changed(recorder: &ConfigurationRecorder, remedy: &str) -> String {
    if is_control_towers(recorder) { format!("{remedy} {AS_CONTROL_TOWER}") } else { remedy.to_owned() }
}

fn evaluate(recorder: &ConfigurationRecorder, status: &ConfigurationRecorderStatus, region: &str) -> Check {
    let name = name(recorder);
    let Some(records_users) = records(recorder, IAM_USER) else {
        return not_understood(NAME, name, IAM_USER, region);
    };
    if !records_users {
        return Check::failed(
            NAME,
            format!("{name} does not record {IAM_USER}"),
            if is_control_towers(recorder) {
                // It sets `includeGlobalResourceTypes` in its home Region only.
                format!(
                    "AWS Control Tower's recorder records IAM users in its home Region only. If {region} is another Region, \
                     deploy the rule to the home Region, and pass it with --region. Otherwise include {IAM_USER} (aws \
                     configservice put-configuration-recorder). {AS_CONTROL_TOWER}"
                )
            } else {
                "Include the globally recorded resource types, or this one, in this account's AWS Config settings \
                      (aws configservice put-configuration-recorder)."
                    .to_owned()
            },
        );
    }
    if !status.recording {
        return Check::failed(
            NAME,
            format!("{name} is stopped"),
            format!(
                "aws configservice start-configuration-recorder --configuration-recorder-name {name} --region {region}"
            ),
        );
    }
    if status.last_status == Some(RecorderStatus::Failure) {
        let code = status.last_error_code.as_deref().unwrap_or("no error code");
        let message = status.last_error_message.as_deref().unwrap_or_default();
        return Check::failed(
            NAME,
            format!("{name} fails to record: {code} {message}").trim_end().to_owned(),
            changed(recorder, "Fix what AWS Config names, often the recorder's role or its delivery channel."),
        );
    }
    let daily = if recorder.recording_mode.as_ref().is_some_and(is_daily) { ", once a day" } else { "" };
    Check::ok(NAME, format!("{name} records {IAM_USER}{daily}"))
}

/// Follows AWS Config's API reference for `RecordingGroup`. `None` without a group, or for an unknown strategy.
fn records(recorder: &ConfigurationRecorder, resource_type: &str) -> Option<bool> {
    let group = recorder.recording_group.as_ref()?;
    let lists = |types: Option<&Vec<ResourceType>>| {
        types.is_some_and(|types| types.iter().any(|listed| listed.as_str() == resource_type))
    };
    let listed = lists(group.resource_types.as_ref());
    // "All supported types" leaves out IAM's, which have a switch of their own. Listed types always count.
    let among_all = Some(resource_type != IAM_USER || group.include_global_resource_types || listed);
    match group.recording_strategy.as_ref().and_then(|strategy| strategy.use_only.as_ref()) {
        Some(RecordingStrategyType::AllSupportedResourceTypes) => among_all,
        Some(RecordingStrategyType::InclusionByResourceTypes) => Some(listed),
        // This strategy overrides the switch.
        Some(RecordingStrategyType::ExclusionByResourceTypes) => {
            let excluded = group.exclusion_by_resource_types.as_ref();
            Some(!lists(excluded.and_then(|excluded| excluded.resource_types.as_ref())))
        }
        Some(_) => None,
        // Recorders from before AWS Config had strategies.
        None if group.all_supported => among_all,
        None => Some(listed),
    }
}

/// With daily recording, the rule sees a change of a user within a day. Its schedule does not depend on this.
fn is_daily(mode: &RecordingMode) -> bool {
    let mut overrides = mode.recording_mode_overrides.iter().flatten();
    let of_users = overrides.rfind(|or| or.resource_types.iter().any(|listed| listed.as_str() == IAM_USER));
    let frequency = of_users.map_or(&mode.recording_frequency, |or| &or.recording_frequency);
    *frequency == RecordingFrequency::Daily
}
