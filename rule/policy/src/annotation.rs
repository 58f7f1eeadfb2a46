//! Annotations: the text that an operator reads next to a finding, most important first.
//!
//! They give dates, never ages, so an annotation stays true until the facts change. One that calls for action begins with the user's
//! name, since AWS Config's console shows the user's id only. One that spares later reads does not: nobody would see that the user
//! has another name by then.

use crate::{
    access_key::{AccessKey, KeyState, KeyStatus, LastUsed, day},
    exemption::Exemption,
    exposure::Exposure,
    text::{ascii, count, fit},
    user::User,
};
use chrono::NaiveDate;

/// The longest annotation that `PutEvaluations` takes, in characters (the service model's `StringWithCharLimit256`).
pub const ANNOTATION_LIMIT: usize = 256;

/// What is `said` about a user, after the user's name if there is room for both; `more` may be cut. A name is never cut: half of it
/// could be another user's. An exposure comes before the name.
pub(crate) fn of_user(user: &User, exposure: Exposure, said: &str, more: &str) -> String {
    let first = if exposure == Exposure::Exposed { EXPOSED } else { "" };
    let named = format!("{first}{}{BETWEEN}{said}", user.name);
    let is_room = named.chars().count() <= ANNOTATION_LIMIT;
    let text = if is_room { named } else { format!("{first}{said}") } + more;
    fit(&ascii(&text), ANNOTATION_LIMIT)
}

const BETWEEN: &str = ": ";

const EXPOSED: &str = "EXPOSED: ";

/// Whether an annotation says that a user is exposed.
pub(crate) fn is_exposed(annotation: &str) -> bool {
    annotation.starts_with(EXPOSED)
}

fn without_exposed(annotation: &str) -> &str {
    annotation.strip_prefix(EXPOSED).unwrap_or(annotation)
}

/// An annotation without the user's name, and without EXPOSED, for a place that shows both anyway.
pub fn without_name<'a>(annotation: &'a str, user_name: &str) -> &'a str {
    let annotation = without_exposed(annotation);
    annotation.strip_prefix(&ascii(user_name)).and_then(|rest| rest.strip_prefix(BETWEEN)).unwrap_or(annotation)
}

/// The same if the user's name is not known. IAM takes no space in a name.
fn without_any_name(annotation: &str) -> &str {
    let annotation = without_exposed(annotation);
    let named = annotation.split_once(BETWEEN).filter(|(name, _)| !name.contains(' '));
    named.map_or(annotation, |(_, said)| said)
}

pub(crate) const EXPOSURE_UNKNOWN: &str = "Exposure unknown.";

const FOUND_IN_PUBLIC: &str = "Deactivate this user's keys now: AWS found one in public.";

/// What to do first about an exposed user without a key in violation. AWS does not say which key it found.
pub(crate) fn exposed(is_active: bool) -> &'static str {
    if is_active {
        FOUND_IN_PUBLIC
    } else {
        "AWS found a key of this user in public. Find out what it did, then detach the quarantine policy."
    }
}

/// For a violation: the keys, why no exemption covers them, and what to do. `other` is a key of the user besides these.
pub(crate) fn violation(
    exposure: Exposure,
    exemption: &Exemption,
    violations: &[&AccessKey],
    other: Option<(KeyStatus, KeyState)>,
    limit: u16,
) -> String {
    let mut text = String::new();
    for (number, key) in violations.iter().enumerate() {
        let used = key.last_used.as_deref();
        let created = day(key.created);
        text += &match number {
            0 => {
                let due = day(key.due(limit));
                let use_of = use_of(used, true);
                format!("{} is stale: created {created}, due {due} (limit {}), {use_of}", key.id, days(limit))
            }
            number => {
                let join = if number == 1 { "; also stale: " } else { ", " };
                format!("{join}{} (created {created}, {})", key.id, use_of(used, false))
            }
        };
    }
    text += ".";
    if let Some(why) = why_not_exempt(exemption) {
        text += &format!(" {why}");
    }
    // Two keys and their last use leave about 40 characters.
    match (exposure, violations) {
        (Exposure::Exposed, [_]) => format!("{FOUND_IN_PUBLIC} {text}"),
        (Exposure::Exposed, _) => format!("One is public: deactivate all. {text}"),
        (Exposure::Unknown, [_]) => format!("{text} {EXPOSURE_UNKNOWN} {}", advice(violations, other, never_used)),
        (Exposure::Unknown, _) => format!("{text} Exposure unknown: rotate them now."),
        (Exposure::NotExposed | Exposure::NotRead, _) => format!("{text} {}", advice(violations, other, never_used)),
    }
}

/// Why an exemption does not cover a key in violation.
pub(crate) fn why_not_exempt(exemption: &Exemption) -> Option<String> {
    match exemption {
        Exemption::Absent => None,
        Exemption::Void(why) => Some(format!("{why}.")),
        Exemption::Valid { key, .. } => {
            Some(format!("The exemption covers only {}.", key.as_deref().unwrap_or_default()))
        }
    }
}

const EXEMPT: &str = "Exempt until ";

/// Until when a user is exempt, and who answers for it.
pub(crate) fn exempt_until(until: NaiveDate, owner: &str) -> String {
    format!("{EXEMPT}{until} (owner: {owner})")
}

/// Whether an annotation says that an exemption makes its user compliant.
pub fn is_exemption(annotation: &str) -> bool {
    without_any_name(annotation).starts_with(EXEMPT)
}

/// For a user whose stale keys are all exempt. It leaves out their last use, which changes every day: AWS Config would record
/// each change as another result.
pub(crate) fn exempt(exposure: Exposure, until: NaiveDate, owner: &str, stale: &[&AccessKey], limit: u16) -> String {
    let mut text = format!("{}: ", exempt_until(until, owner));
    for (number, key) in stale.iter().enumerate() {
        let (created, due) = (day(key.created), day(key.due(limit)));
        text += &match number {
            0 => format!("{} was created {created}, due {due} (limit {})", key.id, days(limit)),
            _ => format!(", {} {created}", key.id),
        };
    }
    if exposure == Exposure::Exposed {
        text += ". ";
        text += FOUND_IN_PUBLIC.trim_end_matches('.');
    }
    text
}

/// The reason for an exemption, after the rest.
pub(crate) fn reason(reason: &str) -> String {
    format!(". Reason: {reason}")
}

/// For a user whose keys fall due soon.
pub(crate) fn due_soon(due_soon: &[&AccessKey], limit: u16) -> String {
    let mut text = String::new();
    for (number, key) in due_soon.iter().enumerate() {
        let (join, is_due) = if number == 0 { ("", "is due on") } else { (", ", "on") };
        text += &format!("{join}{} (created {}) {is_due} {}", key.id, day(key.created), day(key.due(limit)));
    }
    let them = if due_soon.len() == 1 { "it" } else { "them" };
    format!("{text} (limit {}). Rotate {them} before then.", days(limit))
}

/// Until when to rotate keys that fall due soon.
pub(crate) fn rotate_before(due_soon: &[&AccessKey], limit: u16) -> Option<String> {
    let mut days: Vec<_> = due_soon.iter().map(|key| day(key.due(limit)).to_string()).collect();
    days.dedup();
    let them = if due_soon.len() == 1 { "it" } else { "them" };
    (!days.is_empty()).then(|| format!("Rotate {them} before {}.", days.join(" and ")))
}

const NOTICE_NOT_SENT: &str = " Notice not sent yet.";

pub(crate) fn with_notice_not_sent(annotation: &str) -> String {
    let annotation = annotation.strip_suffix(NOTICE_NOT_SENT).unwrap_or(annotation);
    let room = ANNOTATION_LIMIT - NOTICE_NOT_SENT.len();
    let first = if is_exposed(annotation) { EXPOSED } else { "" };
    let without_name = || format!("{first}{}", without_any_name(annotation));
    let annotation = if annotation.len() <= room { annotation.to_owned() } else { without_name() };
    format!("{}{NOTICE_NOT_SENT}", fit(&annotation, room))
}

/// Whether an annotation says that a notice was not sent.
pub(crate) fn is_notice_not_sent(annotation: &str) -> bool {
    annotation.ends_with(NOTICE_NOT_SENT)
}

/// For a user with inactive or expired keys that are older than the limit.
pub(crate) fn old_inactive(old: &[&AccessKey], limit: u16) -> String {
    let each = |key: &&AccessKey| {
        let status = if key.status == KeyStatus::Expired { "expired" } else { "inactive" };
        format!("{} ({status}, created {})", key.id, day(key.created))
    };
    let keys: Vec<_> = old.iter().map(each).collect();
    let (them, they_are) = if old.len() == 1 { ("it", "It is") } else { ("them", "They are") };
    let keys = keys.join(" and ");
    format!("Delete {keys} once nothing needs {them}. {they_are} older than {}.", days(limit))
}

/// Whether nobody ever used a key. An annotation stays true on later days, so it knows no other kind of unused.
fn never_used(used: &LastUsed) -> bool {
    used.at.is_none()
}

/// What to do. IAM's quota is two keys per user, so there is not always room for a new one. A key whose last use is unknown may
/// be in use.
pub(crate) fn advice(
    violations: &[&AccessKey],
    other: Option<(KeyStatus, KeyState)>,
    is_unused: impl Fn(&LastUsed) -> bool,
) -> &'static str {
    let uses: Vec<_> = violations.iter().map(|key| key.last_used.as_deref()).collect();
    let unused = uses.iter().filter(|used| used.is_some_and(&is_unused)).count();
    if violations.len() > 1 {
        // Two keys and their last use leave about 40 characters.
        return match unused {
            all if all == uses.len() => "Deactivate them, then delete them.",
            _ if uses.contains(&None) => "Find out first which of them are in use.",
            0 => "Stop using one, then rotate the other.",
            _ => "Deactivate what is unused, rotate the rest.",
        };
    }
    if unused == 1 {
        return "Deactivate it, then delete it.";
    }
    match other {
        None => "Create a new key, switch to it, deactivate this one.",
        Some((KeyStatus::Inactive | KeyStatus::Expired, _)) => {
            "Delete the inactive key, create a new one, switch to it, deactivate this one."
        }
        Some((KeyStatus::Active, KeyState::Exempt)) => "Deactivate it as soon as nothing uses it.",
        Some(_) => "Switch to the newer key, deactivate this one.",
    }
}

/// The last use of a key, with service and Region if `in_full`.
fn use_of(used: Option<&LastUsed>, in_full: bool) -> String {
    let Some(used) = used else { return "last use unknown".to_owned() };
    let Some(at) = used.at else { return "no use on record".to_owned() };
    let mut text = format!("last used {}", day(at));
    if in_full && used.service != "N/A" {
        text += &format!(" by {}", used.service);
        if used.region != "N/A" {
            text += &format!(" in {}", used.region);
        }
    }
    text
}

pub(crate) fn days(number: u16) -> String {
    count(number.into(), "day")
}
