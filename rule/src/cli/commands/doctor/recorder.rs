//! Whether AWS Config records IAM users in an account.

use super::{Caller, Check};
use crate::manual;
use access_key_rotation::{aws::account::Account, config::event::IAM_USER};
use aws_sdk_config::types::{
    ConfigurationRecorder, ConfigurationRecorderStatus, RecorderStatus, RecordingFrequency, RecordingGroup,
    RecordingMode, RecordingStrategyType, ResourceType,
};

const NAME: &str = "recorder";

pub(super) async fn check(account: &Account<'_>, region: &str, caller: &Caller<'_>) -> Check {
    let Account { config, calls, reads_end, .. } = account;
    // Without a name, AWS Config tells of the customer's own recorder, of which there is at most one.
    let answer = calls
        .call("config:DescribeConfigurationRecorders", *reads_end, || config.describe_configuration_recorders().send());
    let recorders = match answer.await {
        Ok(answer) => answer.configuration_recorders.unwrap_or_default(),
        Err(error) => return Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
    };
    let Some(recorder) = recorders.into_iter().find(|recorder| recorder.service_principal.is_none()) else {
        return Check::failed(
            NAME,
            format!("there is no configuration recorder in {region}"),
            format!(
                "Turn AWS Config on there, recording {IAM_USER}, or leave the account out of the pack with \
                 --excluded-accounts ({}).",
                manual::PACK
            ),
        );
    };
    let answer = calls.call("config:DescribeConfigurationRecorderStatus", *reads_end, || {
        config.describe_configuration_recorder_status().send()
    });
    let statuses = match answer.await {
        Ok(answer) => answer.configuration_recorders_status.unwrap_or_default(),
        Err(error) => return Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
    };
    match statuses.into_iter().find(|status| status.name == recorder.name) {
        Some(status) => judge(&recorder, &status, region),
        None => Check::unknown(NAME, "config:DescribeConfigurationRecorderStatus does not tell of it", "Run it again."),
    }
}

fn judge(recorder: &ConfigurationRecorder, status: &ConfigurationRecorderStatus, region: &str) -> Check {
    let name = recorder.name.as_deref().unwrap_or("default");
    let Some(records_users) = recorder.recording_group.as_ref().and_then(records_users) else {
        return Check::unknown(
            NAME,
            format!("what {name} records is said in a way that this version does not understand"),
            format!(
                "See whether it records {IAM_USER}: aws configservice describe-configuration-recorders --region {region}"
            ),
        );
    };
    if !records_users {
        return Check::failed(
            NAME,
            format!("{name} does not record {IAM_USER}"),
            "Include the globally recorded resource types, or this one, in AWS Config's settings there (aws configservice \
             put-configuration-recorder).",
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
            "Mend what AWS Config names, often the recorder's role or its delivery channel.",
        );
    }
    let daily = if recorder.recording_mode.as_ref().is_some_and(is_daily) { ", once a day" } else { "" };
    Check::ok(NAME, format!("{name} records {IAM_USER}{daily}"))
}

/// As AWS Config's API reference has it for `RecordingGroup`; `None` if it is none of that.
fn records_users(group: &RecordingGroup) -> Option<bool> {
    let lists_users = |types: Option<&Vec<ResourceType>>| {
        types.is_some_and(|types| types.iter().any(|listed| listed.as_str() == IAM_USER))
    };
    let listed = lists_users(group.resource_types.as_ref());
    // "All supported types" are all but IAM's, which have a switch of their own. Types that are listed count in any case.
    let with_global = Some(group.include_global_resource_types || listed);
    match group.recording_strategy.as_ref().and_then(|strategy| strategy.use_only.as_ref()) {
        Some(RecordingStrategyType::AllSupportedResourceTypes) => with_global,
        Some(RecordingStrategyType::InclusionByResourceTypes) => Some(listed),
        // This one overrides the rest: the switch says nothing here.
        Some(RecordingStrategyType::ExclusionByResourceTypes) => {
            let excluded = group.exclusion_by_resource_types.as_ref();
            Some(!lists_users(excluded.and_then(|excluded| excluded.resource_types.as_ref())))
        }
        Some(_) => None,
        // Recorders from before there were strategies.
        None if group.all_supported => with_global,
        None => Some(listed),
    }
}

/// Then a change of a user is seen within a day; the rule's schedule does not depend on it.
fn is_daily(mode: &RecordingMode) -> bool {
    let mut overrides = mode.recording_mode_overrides.iter().flatten();
    let of_users = overrides.rfind(|or| or.resource_types.iter().any(|listed| listed.as_str() == IAM_USER));
    let frequency = of_users.map_or(&mode.recording_frequency, |or| &or.recording_frequency);
    *frequency == RecordingFrequency::Daily
}
