//! The configuration recorder: DescribeConfigurationRecorders, DescribeConfigurationRecorderStatus.

use serde_json::{Value, json};

use super::context::{Context, Result};
use crate::REGION;
use crate::error::AwsError;
use crate::json::{epoch_seconds, strings};
use crate::regional::Recorder;

pub(super) fn describe(cx: &Context<'_>) -> Result<Value> {
    let recorders = recorders(cx)?;
    let id = cx.account.id();
    let recorders = recorders.map(|recorder| {
        json!({
            "arn": arn(cx, recorder),
            "name": recorder.name,
            "roleARN": format!("arn:aws:iam::{id}:role/aws-service-role/config.amazonaws.com/AWSServiceRoleForConfig"),
            "recordingGroup": recorder.recording_group,
            "recordingMode": recorder.recording_mode,
            "recordingScope": "PAID",
        })
    });
    Ok(json!({ "ConfigurationRecorders": recorders.collect::<Vec<_>>() }))
}

pub(super) fn status(cx: &Context<'_>) -> Result<Value> {
    let recorders = recorders(cx)?;
    let since = epoch_seconds(cx.account.created());
    let recorders = recorders.map(|recorder| {
        let mut status = json!({
            "arn": arn(cx, recorder),
            "name": recorder.name,
            "lastStartTime": since,
            "recording": recorder.recording,
            "lastStatus": recorder.last_status,
            "lastStatusChangeTime": since,
        });
        if recorder.last_status == "Failure" {
            status["lastErrorCode"] = "AccessDenied".into();
            status["lastErrorMessage"] = "The role of the recorder may not describe resources.".into();
        }
        status
    });
    Ok(json!({ "ConfigurationRecordersStatus": recorders.collect::<Vec<_>>() }))
}

fn recorders<'a>(cx: &'a Context<'_>) -> Result<impl Iterator<Item = &'a Recorder>> {
    let recorder = cx.account.regional.recorder.as_ref().filter(|_| cx.home);
    let is_unknown = |name: &&str| recorder.is_none_or(|recorder| recorder.name != *name);
    match strings(cx.input, "ConfigurationRecorderNames")?.into_iter().find(is_unknown) {
        None => Ok(recorder.into_iter()),
        Some(name) => {
            let message = format!("Cannot find configuration recorder with the specified name '{name}'.");
            Err(AwsError::new(400, "NoSuchConfigurationRecorderException", message))
        }
    }
}

fn arn(cx: &Context<'_>, recorder: &Recorder) -> String {
    format!("arn:aws:config:{REGION}:{}:configuration-recorder/{}/local", cx.account.id(), recorder.name)
}
