//! Secrets Manager, version 2017-10-17: DescribeSecret, GetSecretValue, PutSecretValue, UpdateSecretVersionStage, ListSecrets.
//!
//! AWS documents the codes of its errors. Where it answered others with a message, the message here is the same; the others say
//! it in their own words.

mod listing;
pub(crate) mod secret;
mod stages;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{JsonCall, epoch_seconds, member};
use secret::Secret;

type Result<T> = std::result::Result<T, AwsError>;

pub(crate) fn answer(call: JsonCall<'_>, effects: &Effects) -> Result<Value> {
    match call.action {
        "DescribeSecret" => describe(call),
        "GetSecretValue" => values::get(call, effects),
        "PutSecretValue" => values::put(call, effects),
        "UpdateSecretVersionStage" => stages::update(call),
        "ListSecrets" => listing::list(call, effects),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn describe(JsonCall { world, principal, account, region, action, input }: JsonCall<'_>) -> Result<Value> {
    let id = secret_id(input)?;
    let secret = find(world.account(account).secrets(region), id)?;
    check_policy(secret, principal, action)?;
    let mut shown = metadata(secret);
    if !secret.stages.is_empty() {
        shown.insert("VersionIdsToStages".to_owned(), json!(secret.stages_by_version()));
    }
    Ok(Value::Object(shown))
}

/// What DescribeSecret and ListSecrets say of a secret besides its labels. AWS leaves fields without a value out.
fn metadata(secret: &Secret) -> Map<String, Value> {
    let tags: Vec<_> = secret.tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
    let fields = [
        ("ARN", json!(secret.arn)),
        ("Name", json!(secret.name)),
        ("KmsKeyId", json!(secret.kms_key_id)),
        ("RotationEnabled", json!(secret.rotation_enabled)),
        ("LastChangedDate", epoch_seconds(secret.changed)),
        ("DeletedDate", secret.deleted.map_or(Value::Null, epoch_seconds)),
        ("Tags", if tags.is_empty() { Value::Null } else { Value::Array(tags) }),
        ("OwningService", json!(secret.owning_service)),
        ("CreatedDate", epoch_seconds(secret.created)),
        ("PrimaryRegion", json!(secret.primary_region)),
    ];
    fields.into_iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.to_owned(), value)).collect()
}

/// The required member `SecretId`: a name, or an ARN with or without its random end.
fn secret_id(input: &Map<String, Value>) -> Result<&str> {
    let id = member(input, "SecretId", Value::as_str)?;
    let mut violations = Violations::default();
    let given = violations.required("secretId", id);
    if id.is_some() {
        violations.length("secretId", given, 1..=2048);
    }
    violations.finish("ValidationException")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-/_+=.@!".contains(c);
    if !given.starts_with("arn:") && !given.chars().all(allowed) {
        let message =
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!";
        return Err(AwsError::new(400, "ValidationException", message));
    }
    Ok(given)
}

fn find<'a>(secrets: &'a BTreeMap<String, Secret>, id: &str) -> Result<&'a Secret> {
    let is_meant = |secret: &&Secret| secret.arn == id || secret.arn.rsplit_once('-').is_some_and(|(arn, _)| arn == id);
    let found = secrets.get(id).or_else(|| secrets.values().find(is_meant));
    found.ok_or_else(|| not_found("Secrets Manager can't find the specified secret."))
}

/// Refuses what the secret's resource policy denies.
fn check_policy(secret: &Secret, principal: &str, action: &str) -> Result<()> {
    if !secret.denied.contains(action) {
        return Ok(());
    }
    let message = format!(
        "User: {principal} is not authorized to perform: secretsmanager:{action} on resource: {} with an explicit deny in a \
         resource-based policy",
        secret.arn
    );
    Err(AwsError::new(400, "AccessDeniedException", message))
}

/// Refuses a secret that is scheduled for deletion.
fn check_kept(secret: &Secret) -> Result<()> {
    match secret.deleted {
        None => Ok(()),
        Some(_) => {
            Err(invalid_request("You can't perform this operation on the secret because it was marked for deletion."))
        }
    }
}

/// Refuses a secret whose versions cannot be changed in this Region, or by anybody but the service that owns it.
fn check_ours(secret: &Secret, region: &str) -> Result<()> {
    check_kept(secret)?;
    if secret.primary_region.as_ref().is_some_and(|primary| primary != region) {
        let message = "Operation not permitted on a replica secret. Call must be made in primary secret's region.";
        return Err(invalid_parameter(message));
    }
    match &secret.owning_service {
        None => Ok(()),
        Some(service) => Err(invalid_request(format!("The secret is managed by {service}. Use that service."))),
    }
}

fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterException", message)
}

fn invalid_request(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidRequestException", message)
}

fn not_found(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ResourceNotFoundException", message)
}
