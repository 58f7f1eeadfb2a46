//! Decides on a user's compliance and its annotation, from the access keys, the exemption and the time.

use super::{
    access_key::{AccessKey, KeyStatus, LastUses},
    annotation,
    clearance::Clearance,
    exemption::{Exemption, Tags},
    parameters::Parameters,
};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// The values of `ComplianceType` that `PutEvaluations` accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Compliance {
    /// No stale key, or an exemption for each.
    Compliant,
    /// A stale key and no valid exemption.
    NonCompliant,
    /// The user is gone, or the rule does not evaluate this resource.
    NotApplicable,
}

impl Compliance {
    /// AWS Config's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Compliance::Compliant => "COMPLIANT",
            Compliance::NonCompliant => "NON_COMPLIANT",
            Compliance::NotApplicable => "NOT_APPLICABLE",
        }
    }
}

/// What the rule says about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub compliance: Compliance,
    /// 1 to 256 printable ASCII characters, most important first. Only `NOT_APPLICABLE` has none.
    pub annotation: Option<String>,
    /// The stale keys that no exemption covers, oldest first: empty unless `NON_COMPLIANT`.
    pub violations: Vec<String>,
    /// Whether an exemption makes the user compliant.
    pub exempt: bool,
    /// Whether a key of a compliant user falls due within `warnBeforeDays`.
    pub due_soon: bool,
}

impl Verdict {
    /// For a user who is gone or out of the rule's scope.
    pub fn not_applicable() -> Verdict {
        Verdict {
            compliance: Compliance::NotApplicable,
            annotation: None,
            violations: Vec::new(),
            exempt: false,
            due_soon: false,
        }
    }

    /// Adds to the annotation that the owner has not been told what there is to tell.
    pub fn not_told(&mut self) {
        let annotation = self.annotation.take().unwrap_or_default();
        self.annotation =
            Some(if annotation::is_not_told(&annotation) { annotation } else { annotation::not_told(&annotation) });
    }

    /// For a user without a stale key.
    pub fn compliant(annotation: String) -> Verdict {
        Verdict { compliance: Compliance::Compliant, annotation: Some(annotation), ..Verdict::not_applicable() }
    }
}

/// The user's stale keys: active, and older than the limit. Oldest first.
pub fn stale_keys<'a>(keys: &'a [AccessKey], parameters: &Parameters, now: DateTime<Utc>) -> Vec<&'a AccessKey> {
    active_past(keys, parameters.max_access_key_age, now)
}

/// Evaluates a user who has these access keys.
///
/// `tags` matter only if a key is stale. `last_uses` never change the compliance: they go into the annotation of a violation.
pub fn decide(
    keys: &[AccessKey],
    last_uses: &LastUses,
    tags: &Tags,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Verdict {
    let stale = stale_keys(keys, parameters, now);
    if stale.is_empty() {
        return without_stale_keys(keys, parameters, now);
    }
    let limit = parameters.max_access_key_age;
    let exemption = Exemption::read(tags, now.date_naive(), parameters.max_exemption_days);
    let violations: Vec<_> = stale.iter().copied().filter(|key| !exemption.covers(&key.id)).collect();
    match exemption {
        Exemption::Valid { until, owner, reason, .. } if violations.is_empty() => Verdict {
            exempt: true,
            ..Verdict::compliant(annotation::exempt(until, &owner, reason.as_deref(), &stale, limit))
        },
        exemption => Verdict {
            compliance: Compliance::NonCompliant,
            annotation: Some(annotation::violation(&violations, keys, last_uses, &exemption, limit, now)),
            violations: violations.into_iter().map(|key| key.id.clone()).collect(),
            ..Verdict::not_applicable()
        },
    }
}

fn without_stale_keys(keys: &[AccessKey], parameters: &Parameters, now: DateTime<Utc>) -> Verdict {
    let limit = parameters.max_access_key_age;
    let due_soon = active_past(keys, i32::from(limit) - i32::from(parameters.warn_before_days), now);
    // Reactivating such a key makes the user non-compliant at once.
    let outlived: Vec<_> = keys.iter().filter(|key| key.is_outlived(limit, now)).collect();
    let text = match (due_soon.is_empty(), outlived.is_empty()) {
        (true, true) => Clearance::of_keys(keys, parameters, now).annotation(),
        (true, false) => annotation::outlived(&outlived, limit),
        (false, true) => annotation::due_soon(&due_soon, limit),
        (false, false) => {
            annotation::join(&annotation::due_soon(&due_soon, limit), &annotation::outlived(&outlived, limit))
        }
    };
    Verdict { due_soon: !due_soon.is_empty(), ..Verdict::compliant(text) }
}

/// The active keys that are *older* than `days` days of 86,400 s. A key of exactly that age is not.
fn active_past(keys: &[AccessKey], days: impl Into<i64>, now: DateTime<Utc>) -> Vec<&AccessKey> {
    let age = TimeDelta::days(days.into());
    let counts = |key: &&AccessKey| key.status == KeyStatus::Active && now.signed_duration_since(key.created) > age;
    let mut found: Vec<_> = keys.iter().filter(counts).collect();
    found.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    found
}

#[cfg(test)]
mod tests;
