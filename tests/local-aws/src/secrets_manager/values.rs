//! The values of secrets: GetSecretValue, PutSecretValue.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::secret::{CURRENT, Secret, SecretValue};
use super::{Result, check_kept, check_ours, check_policy, find, invalid_request, not_found, secret_id};
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{JsonCall, epoch_seconds, member, serialization, strings};

/// The longest value, in bytes.
const VALUE: usize = 65_536;

pub(super) fn get(
    JsonCall { world, principal, account, region, action, input }: JsonCall<'_>,
    effects: &Effects,
) -> Result<Value> {
    let id = secret_id(input)?;
    let version = member(input, "VersionId", Value::as_str)?;
    let stage = member(input, "VersionStage", Value::as_str)?;
    let mut violations = Violations::default();
    violations.length("versionId", version.unwrap_or(&"x".repeat(32)), 32..=64);
    violations.length("versionStage", stage.unwrap_or(CURRENT), 1..=256);
    violations.finish("ValidationException")?;
    let secret = find(world.account(account).secrets(region), id)?;
    check_policy(secret, principal, action)?;
    check_kept(secret)?;
    check_key(secret, effects)?;
    let none = |of: String| not_found(format!("Secrets Manager can't find the specified secret value for {of}"));
    let version_id = match version {
        Some(id) => id,
        None => {
            let stage = stage.unwrap_or(CURRENT);
            secret.stages.get(stage).ok_or_else(|| none(format!("staging label: {stage}")))?
        }
    };
    let version = secret.versions.get(version_id).ok_or_else(|| none(format!("VersionId: {version_id}")))?;
    if stage.is_some_and(|stage| secret.stages.get(stage).is_none_or(|id| id != version_id)) {
        let message = "You provided a VersionStage that is not associated to the provided VersionId.";
        return Err(invalid_request(message));
    }
    let mut shown = shown(secret, version_id);
    shown["CreatedDate"] = epoch_seconds(version.created);
    match &version.value {
        SecretValue::String(text) => shown["SecretString"] = text.as_str().into(),
        SecretValue::Binary(bytes) => shown["SecretBinary"] = STANDARD.encode(bytes).into(),
    }
    Ok(shown)
}

pub(super) fn put(
    JsonCall { world, principal, account, region, action, input }: JsonCall<'_>,
    effects: &Effects,
) -> Result<Value> {
    let id = secret_id(input)?;
    let token = member(input, "ClientRequestToken", Value::as_str)?.ok_or_else(|| {
        invalid_request("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
    })?;
    let value = value(input)?;
    let stages = strings(input, "VersionStages")?;
    let mut violations = Violations::default();
    violations.length("clientRequestToken", token, 32..=64);
    match &value {
        SecretValue::String(text) => violations.size("secretString", text.len(), 1..=VALUE),
        SecretValue::Binary(bytes) => violations.size("secretBinary", bytes.len(), 1..=VALUE),
    }
    if input.contains_key("VersionStages") {
        violations.size("versionStages", stages.len(), 1..=20);
    }
    for stage in &stages {
        violations.length("versionStages", stage, 1..=256);
    }
    violations.finish("ValidationException")?;

    let account = world.account(account);
    let secret = find(account.secrets(region), id)?;
    check_policy(secret, principal, action)?;
    check_ours(secret, region)?;
    check_key(secret, effects)?;
    if let Some(existing) = secret.versions.get(token) {
        if existing.value == value {
            return Ok(shown(secret, token));
        }
        let message = format!(
            "You can't use ClientRequestToken {token} because that value is already in use for a version of secret {}.",
            secret.arn
        );
        return Err(AwsError::new(400, "ResourceExistsException", message));
    }
    let (name, now) = (secret.name.clone(), account.now);
    let put = account.change_secret(now, region, &name, |secret| {
        if !secret.make_room(now) {
            let message = "The request failed because it would exceed one of the Secrets Manager quotas.";
            return Err(AwsError::new(400, "LimitExceededException", message));
        }
        secret.put(now, token, value, &stages);
        Ok(shown(secret, token))
    });
    put.unwrap_or_else(|| Err(not_found("Secrets Manager can't find the specified secret.")))
}

/// The one value in the input.
fn value(input: &Map<String, Value>) -> Result<SecretValue> {
    let text = member(input, "SecretString", Value::as_str)?;
    let binary = member(input, "SecretBinary", Value::as_str)?;
    match (text, binary) {
        (Some(text), None) => Ok(SecretValue::String(text.to_owned())),
        (None, Some(encoded)) => {
            let bytes = STANDARD.decode(encoded).map_err(|_| serialization("SecretBinary"))?;
            Ok(SecretValue::Binary(bytes))
        }
        _ => Err(invalid_request("You must provide either SecretString or SecretBinary.")),
    }
}

/// AWS's answer does not name the key. DescribeSecret does.
fn check_key(secret: &Secret, effects: &Effects) -> Result<()> {
    if effects.kms_denied && secret.kms_key_id.is_some() {
        return Err(AwsError::new(400, "AccessDeniedException", "Access to KMS is not allowed"));
    }
    Ok(())
}

fn shown(secret: &Secret, version: &str) -> Value {
    let mut shown = json!({ "ARN": secret.arn, "Name": secret.name, "VersionId": version });
    if let Some(stages) = secret.stages_by_version().get(version) {
        shown["VersionStages"] = json!(stages);
    }
    shown
}
