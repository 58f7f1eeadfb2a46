//! The policy, without AWS: a user's access keys, exemption and the time make a compliance and an annotation.

use crate::{
    exemption::{Exemption, Tags},
    parameters::Parameters,
    text::{ascii, fit},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use std::collections::BTreeSet;

/// The longest annotation that `PutEvaluations` takes, in characters (the service model's `StringWithCharLimit256`).
pub const ANNOTATION_LIMIT: usize = 256;

/// `Status` of `AccessKeyMetadata` in IAM's service model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// Good for calls: the only status in which a key can be stale.
    Active,
    /// Switched off; can be switched on again.
    Inactive,
    /// Past its own end.
    Expired,
}

/// An access key, as `ListAccessKeys` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// Whether it can be used.
    pub status: KeyStatus,
    /// `CreateDate`: the only authority on the key's age.
    pub created: DateTime<Utc>,
}

/// `GetAccessKeyLastUsed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUsed {
    /// `LastUsedDate`: absent when IAM has no use on record (it keeps records since 22 April 2015).
    pub at: Option<DateTime<Utc>>,
    /// `Region`, or `N/A`.
    pub region: String,
    /// `ServiceName`, or `N/A`.
    pub service: String,
}

/// `ComplianceType`, as far as `PutEvaluations` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compliance {
    /// No stale key, or an exemption for each.
    Compliant,
    /// A stale key and no valid exemption.
    NonCompliant,
    /// No such user any more, or not one the rule is about.
    NotApplicable,
}

/// What the rule says about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The result.
    pub compliance: Compliance,
    /// 1 to 256 printable ASCII characters, most important first.
    pub annotation: Option<String>,
    /// The stale keys that no exemption covers, oldest first: empty unless `NON_COMPLIANT`.
    pub violations: Vec<String>,
    /// Whether it is an exemption that makes the user compliant.
    pub exempt: bool,
}

impl Verdict {
    /// For a user that is gone or out of the rule's scope.
    pub fn not_applicable() -> Verdict {
        Verdict { compliance: Compliance::NotApplicable, annotation: None, violations: Vec::new(), exempt: false }
    }

    /// For a user of whom it is known that no key is stale or soon will be.
    pub fn compliant() -> Verdict {
        Verdict { compliance: Compliance::Compliant, ..Verdict::not_applicable() }
    }
}

/// Whether what was created at `created` is *older* than so many days of 86,400 s: at exactly that age it is not.
pub fn older_than(days: i64, created: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(created) > TimeDelta::days(days)
}

/// The age in days beyond which a compliant user is told of a key: what is younger needs no word and no closer look.
/// Negative when the warning time is longer than the limit.
pub fn unremarkable_age(parameters: &Parameters) -> i64 {
    i64::from(parameters.max_access_key_age) - i64::from(parameters.warn_before_days)
}

/// The user's stale keys: active, and older than the limit. Oldest first.
pub fn stale_keys(keys: &[AccessKey], parameters: &Parameters, now: DateTime<Utc>) -> Vec<AccessKey> {
    active_older_than(parameters.max_access_key_age.into(), keys, now)
}

/// The verdict on a user who has no stale key: compliant, with a word on keys that fall due soon.
pub fn without_stale_keys(keys: &[AccessKey], parameters: &Parameters, now: DateTime<Utc>) -> Verdict {
    let due_soon = active_older_than(unremarkable_age(parameters), keys, now);
    let Some((first, others)) = due_soon.split_first() else {
        return Verdict::compliant();
    };
    let limit = parameters.max_access_key_age;
    let mut text =
        format!("{} falls due on {} ({} of {limit} days old)", first.id, due(first, parameters), age(first, now));
    for other in others {
        text += &format!("; {} on {}", other.id, due(other, parameters));
    }
    text += ". Rotate before then.";
    Verdict { annotation: annotation(&text), ..Verdict::compliant() }
}

/// The verdict on a user with stale keys, each with its last use, oldest first, among all of the user's `keys`.
pub fn with_stale_keys(
    stale: &[(AccessKey, LastUsed)],
    keys: &[AccessKey],
    tags: &Tags,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Verdict {
    let exemption = Exemption::read(tags, now.date_naive(), parameters.max_exemption_days);
    let violations: Vec<_> = stale.iter().filter(|(key, _)| !exemption.covers(&key.id)).cloned().collect();
    match exemption {
        Exemption::Valid { until, owner, reason, .. } if violations.is_empty() => {
            let mut text = format!("Exempt until {until} (owner: {owner}): {}", describe(stale, parameters, now));
            if let Some(reason) = reason {
                text += &format!(". Reason: {reason}");
            }
            Verdict { annotation: annotation(&text), exempt: true, ..Verdict::compliant() }
        }
        exemption => {
            let mut text = describe(&violations, parameters, now) + ".";
            match exemption {
                Exemption::Absent => {}
                Exemption::Void(why) => text += &format!(" {why}."),
                Exemption::Valid { key, .. } => {
                    text += &format!(" The exemption covers only {}.", key.unwrap_or_default());
                }
            }
            text += advice(&violations, keys, parameters, now);
            Verdict {
                compliance: Compliance::NonCompliant,
                annotation: annotation(&text),
                violations: violations.into_iter().map(|(key, _)| key.id).collect(),
                exempt: false,
            }
        }
    }
}

/// What to do. A user can have two keys (a quota that AWS does not raise), so there is not always room for a new one.
fn advice(
    violations: &[(AccessKey, LastUsed)],
    keys: &[AccessKey],
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> &'static str {
    let unused = violations.iter().all(|(_, used)| used.at.is_none());
    let [(stale, _)] = violations else {
        return match unused {
            true => " Deactivate them, then delete them.",
            false => " Deactivate and delete one, then replace the other.",
        };
    };
    if unused {
        return " Deactivate it, then delete it.";
    }
    match keys.iter().find(|key| key.id != stale.id) {
        None => " Create a new key, switch to it, deactivate this one.",
        Some(other) if other.status != KeyStatus::Active => {
            " Delete the inactive key, create a new one, switch to it, deactivate this one."
        }
        Some(other) if older_than(parameters.max_access_key_age.into(), other.created, now) => {
            " Deactivate it as soon as nothing uses it."
        }
        Some(_) => " Switch to the newer key, deactivate this one.",
    }
}

/// The access keys that the annotation of a violation names: what tells whether a result that Config holds is still about
/// the same keys. Only the first sentence counts; what follows may quote tags.
pub fn keys_named(annotation: &str) -> BTreeSet<&str> {
    let sentence = annotation.split(". ").next().unwrap_or_default();
    let is_key_id =
        |word: &&str| word.len() >= 16 && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    sentence.split(|c: char| !c.is_ascii_alphanumeric()).filter(is_key_id).collect()
}

fn active_older_than(days: i64, keys: &[AccessKey], now: DateTime<Utc>) -> Vec<AccessKey> {
    let counts = |key: &&AccessKey| key.status == KeyStatus::Active && older_than(days, key.created, now);
    let mut found: Vec<_> = keys.iter().filter(counts).cloned().collect();
    found.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
    found
}

fn describe(stale: &[(AccessKey, LastUsed)], parameters: &Parameters, now: DateTime<Utc>) -> String {
    let Some(((first, used), others)) = stale.split_first() else {
        return String::new();
    };
    let mut text = format!(
        "{} is {} days old (limit {}, due {}), {}",
        first.id,
        age(first, now),
        parameters.max_access_key_age,
        due(first, parameters),
        describe_use(used),
    );
    if used.at.is_some() && used.service != "N/A" {
        text += &format!(" by {}", used.service);
        if used.region != "N/A" {
            text += &format!(" in {}", used.region);
        }
    }
    for (number, (key, used)) in others.iter().enumerate() {
        text += if number == 0 { "; also stale: " } else { ", " };
        text += &format!("{} ({} days, {})", key.id, age(key, now), describe_use(used));
    }
    text
}

fn describe_use(used: &LastUsed) -> String {
    match used.at {
        Some(at) => format!("last used {}", at.date_naive()),
        None => "no use on record".to_owned(),
    }
}

/// Whole days.
fn age(key: &AccessKey, now: DateTime<Utc>) -> i64 {
    now.signed_duration_since(key.created).num_days()
}

/// The day on which the key reaches the limit, in UTC.
fn due(key: &AccessKey, parameters: &Parameters) -> NaiveDate {
    let limit = TimeDelta::days(parameters.max_access_key_age.into());
    key.created.checked_add_signed(limit).unwrap_or(DateTime::<Utc>::MAX_UTC).date_naive()
}

fn annotation(text: &str) -> Option<String> {
    Some(fit(&ascii(text), ANNOTATION_LIMIT))
}

#[cfg(test)]
mod tests;
