//! The staging labels of versions: UpdateSecretVersionStage.

use serde_json::{Value, json};

use super::secret::CURRENT;
use super::{Result, check_ours, check_policy, find, invalid_parameter, not_found, secret_id};
use crate::constraints::Violations;
use crate::json::{JsonCall, member};

pub(super) fn update(JsonCall { world, principal, account, region, action, input }: JsonCall<'_>) -> Result<Value> {
    let id = secret_id(input)?;
    let stage = member(input, "VersionStage", Value::as_str)?;
    let from = member(input, "RemoveFromVersionId", Value::as_str)?;
    let to = member(input, "MoveToVersionId", Value::as_str)?;
    let mut violations = Violations::default();
    let label = violations.required("versionStage", stage);
    if stage.is_some() {
        violations.length("versionStage", label, 1..=256);
    }
    for (field, version) in [("removeFromVersionId", from), ("moveToVersionId", to)] {
        if let Some(version) = version {
            violations.length(field, version, 32..=64);
        }
    }
    violations.finish("ValidationException")?;

    let account = world.account(account);
    let secret = find(account.secrets(region), id)?;
    check_policy(secret, principal, action)?;
    check_ours(secret, region)?;
    let holder = secret.stages.get(label);
    if let Some(version) = to.filter(|version| !secret.versions.contains_key(*version)) {
        return Err(not_found(format!("Secrets Manager can't find the specified secret version: {version}")));
    }
    match (from, holder) {
        (None, Some(holder)) if to != Some(holder) => {
            return Err(invalid_parameter(format!(
                "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version \
                 {holder}, so you must explicitly reference that version in RemoveFromVersionId."
            )));
        }
        (Some(from), holder) if holder.is_none_or(|holder| holder != from) => {
            return Err(invalid_parameter(format!("Staging label {label} is not attached to version {from}.")));
        }
        _ => {}
    }
    if to.is_none() && label == CURRENT {
        return Err(invalid_parameter(format!(
            "You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
        )));
    }
    let answer = json!({ "ARN": secret.arn, "Name": secret.name });
    let (name, now) = (secret.name.clone(), account.now);
    account.change_secret(now, region, &name, |secret| match to {
        Some(to) => secret.attach(label, to),
        None => drop(secret.stages.remove(label)),
    });
    Ok(answer)
}
