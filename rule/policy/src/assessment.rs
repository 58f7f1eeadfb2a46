//! The policy's one entrance: what the rule says about a user, and about each of the user's access keys.
//!
//! Sweep, change, scan, credential report, exemption, notices and plan all read the same [`Assessment`]. Nothing else derives
//! anything from keys.

use crate::{
    access_key::{AccessKey, KeyState, KeyStatus, LastUsed, description, was_used_within},
    annotation,
    exemption::Exemption,
    exposure::Exposure,
    milestone::{Milestone, reached},
    parameters::Parameters,
    recorded_result::RecordedResult,
    skip_until::SkipUntil,
    user::{Tags, User},
    verdict::{Compliance, Verdict},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

/// An access key, with what the policy says about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssessedKey {
    /// As IAM returned it.
    pub key: AccessKey,
    /// What to do about it.
    pub state: KeyState,
    /// The latest milestone, of which there may be a notice to send.
    pub milestone: Option<Milestone>,
    /// The user's own words for it, if there are any and the tags were read.
    pub description: Option<String>,
}

/// What the policy says about a user whose access keys are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assessment {
    /// The user.
    pub user: User,
    /// What the rule reports.
    pub verdict: Verdict,
    /// What the tags say about an exemption. [`Exemption::Absent`] if they were not read.
    pub exemption: Exemption,
    /// Whether AWS found a key of the user in public. It has no effect on the verdict.
    pub exposure: Exposure,
    /// In IAM's order.
    pub keys: Vec<AssessedKey>,
    /// The tags, if they were read, as they always are if a key is stale.
    pub tags: Option<Tags>,
    /// The first day on which the user must be read again. `None` if every evaluation must read the user.
    pub skip_until: Option<NaiveDate>,
}

/// Assesses a user by the user's access keys. Without `tags`, an exemption is not seen: they matter only if a key is stale.
///
/// The last use of keys never changes the compliance. It goes into the annotation of a violation.
pub fn assess(
    user: User,
    keys: Vec<AccessKey>,
    tags: Option<Tags>,
    exposure: Exposure,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Assessment {
    let exemption = tags
        .as_ref()
        .map_or(Exemption::Absent, |tags| Exemption::read(tags, now.date_naive(), parameters.max_exemption_days));
    let assessed = |key| AssessedKey {
        state: state(&key, &exemption, parameters, now),
        milestone: reached(&key, &exemption, parameters, now),
        description: tags.as_ref().and_then(|tags| description(tags, &key.id)).map(str::to_owned),
        key,
    };
    let keys = keys.into_iter().map(assessed).collect();
    let verdict = Verdict::not_applicable();
    let mut assessment = Assessment { user, verdict, exemption, exposure, keys, tags, skip_until: None };
    assessment.decide(parameters, now);
    assessment
}

/// The verdict on a user whose access keys need no read: by the result that AWS Config recorded, or by the user's own age. `None` if
/// neither proves that no key can be stale or due soon.
pub fn assess_unread(
    user: &User,
    recorded: Option<&RecordedResult>,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Option<Verdict> {
    let recorded = recorded.and_then(|recorded| SkipUntil::of_recorded(recorded, parameters));
    let proofs = recorded.into_iter().chain([SkipUntil::of_user(user, parameters)]);
    let proof = proofs.into_iter().find(|proof| proof.holds(parameters, now))?;
    Some(Verdict::compliant(proof.annotation()))
}

/// Whether a key is stale, so that the user's tags and the key's last use are to be read: active, and older than the limit.
fn is_stale(key: &AccessKey, parameters: &Parameters, now: DateTime<Utc>) -> bool {
    key.status == KeyStatus::Active && is_older(key, i64::from(parameters.max_access_key_age), now)
}

fn state(key: &AccessKey, exemption: &Exemption, parameters: &Parameters, now: DateTime<Utc>) -> KeyState {
    let limit = i64::from(parameters.max_access_key_age);
    if is_stale(key, parameters, now) {
        if exemption.covers(&key.id) { KeyState::Exempt } else { KeyState::Violation }
    } else if key.status == KeyStatus::Active {
        let is_due_soon = is_older(key, limit - i64::from(parameters.warn_before_days), now);
        if is_due_soon { KeyState::DueSoon } else { KeyState::Current }
    } else if is_older(key, limit, now) {
        // Reactivating such a key makes the user non-compliant at once.
        KeyState::OldInactive
    } else {
        KeyState::Current
    }
}

/// Whether a key is *older* than `days` days of 86,400 s. A key of exactly that age is not.
fn is_older(key: &AccessKey, days: i64, now: DateTime<Utc>) -> bool {
    now.signed_duration_since(key.created) > TimeDelta::days(days)
}

impl Assessment {
    /// The keys as IAM returned them.
    pub fn into_keys(self) -> Vec<AccessKey> {
        self.keys.into_iter().map(|key| key.key).collect()
    }

    /// The keys in this state, oldest first.
    pub fn keys_in(&self, state: KeyState) -> Vec<&AccessKey> {
        let mut keys: Vec<_> = self.keys.iter().filter(|key| key.state == state).map(|key| &key.key).collect();
        keys.sort_by(|a, b| (a.created, &a.id).cmp(&(b.created, &b.id)));
        keys
    }

    /// Whether a key is in this state.
    pub fn has(&self, state: KeyState) -> bool {
        self.keys.iter().any(|key| key.state == state)
    }

    /// Whether an exemption makes the user compliant.
    pub fn is_exempt(&self) -> bool {
        self.verdict.compliance == Compliance::Compliant && self.has(KeyState::Exempt)
    }

    /// Whether a key of a compliant user without a stale key is due soon.
    pub fn is_due_soon(&self) -> bool {
        self.has(KeyState::DueSoon) && !self.has(KeyState::Violation) && !self.has(KeyState::Exempt)
    }

    /// Whether a key that the verdict is about was used within so many days: a key in violation or, if there is none, one that is
    /// stale but exempt. `None` if that is unknown, or if the verdict is about no key.
    pub fn is_in_use(&self, within_days: u16, now: DateTime<Utc>) -> Option<bool> {
        let state = if self.has(KeyState::Violation) { KeyState::Violation } else { KeyState::Exempt };
        let uses: Vec<_> = self.keys_in(state).into_iter().map(|key| key.is_in_use(within_days, now)).collect();
        if uses.contains(&Some(true)) {
            return Some(true);
        }
        (!uses.is_empty() && !uses.contains(&None)).then_some(false)
    }

    /// The annotation without the user's name, for a place that shows the name anyway.
    pub fn said(&self) -> Option<&str> {
        self.verdict.annotation.as_deref().map(|said| annotation::without_name(said, &self.user.name))
    }

    /// What to do about the user, for a place that lists the keys with their dates: what the annotation says besides these. Unlike the
    /// annotation, it is of today, so a key that nobody used within `quiet_days` is unused. Empty if there is nothing to do.
    pub fn to_do(&self, limit: u16, quiet_days: u16, now: DateTime<Utc>) -> String {
        let mut sentences = Vec::new();
        let exposed = self.exposure == Exposure::Exposed;
        if exposed {
            let is_active = self.keys.iter().any(|key| key.key.status == KeyStatus::Active);
            sentences.push(annotation::exposed(is_active).to_owned());
        }
        let violations = self.keys_in(KeyState::Violation);
        if !violations.is_empty() {
            sentences.extend(annotation::why_not_exempt(&self.exemption));
            if self.exposure == Exposure::Unknown {
                sentences.push(annotation::EXPOSURE_UNKNOWN.to_owned());
            }
            if !exposed {
                let is_unused = |used: &LastUsed| !was_used_within(used.at, quiet_days, now);
                sentences.push(annotation::advice(&violations, self.other_key(&violations), is_unused).to_owned());
            }
            return sentences.join(" ");
        }
        if let (Exemption::Valid { until, owner, reason, .. }, true) = (&self.exemption, self.has(KeyState::Exempt)) {
            let reason = reason.as_deref().map(annotation::reason).unwrap_or_default();
            sentences.push(format!("{}{reason}.", annotation::exempt_until(*until, owner)));
            return sentences.join(" ");
        }
        sentences.extend(annotation::rotate_before(&self.keys_in(KeyState::DueSoon), limit));
        sentences.extend(match self.keys_in(KeyState::OldInactive).len() {
            0 => None,
            1 => Some("Delete the old inactive key once nothing needs it.".to_owned()),
            _ => Some("Delete the old inactive keys once nothing needs them.".to_owned()),
        });
        sentences.join(" ")
    }

    /// The milestones that were reached after the last notice, with their keys. Without one, no notice was sent yet.
    pub fn milestones(&self, notified_at: Option<DateTime<Utc>>) -> impl Iterator<Item = (&AssessedKey, &Milestone)> {
        let is_new = move |milestone: &&Milestone| milestone.is_after(notified_at);
        self.keys.iter().filter_map(move |key| Some((key, key.milestone.as_ref().filter(is_new)?)))
    }

    /// The first key besides these.
    fn other_key(&self, keys: &[&AccessKey]) -> Option<(KeyStatus, KeyState)> {
        let other = self.keys.iter().find(|other| keys.iter().all(|key| key.id != other.key.id))?;
        Some((other.key.status, other.state))
    }

    /// Sets the verdict, and until when the user needs no read, from the keys' states.
    fn decide(&mut self, parameters: &Parameters, now: DateTime<Utc>) {
        let limit = parameters.max_access_key_age;
        let violations = self.keys_in(KeyState::Violation);
        if !violations.is_empty() {
            let other = self.other_key(&violations);
            let said = annotation::violation(self.exposure, &self.exemption, &violations, other, limit);
            let annotation = self.annotation(&said, "");
            self.verdict = Verdict { compliance: Compliance::NonCompliant, annotation: Some(annotation) };
            return;
        }
        let exempt = self.keys_in(KeyState::Exempt);
        if let (Exemption::Valid { until, owner, reason, .. }, false) = (&self.exemption, exempt.is_empty()) {
            let said = annotation::exempt(self.exposure, *until, owner, &exempt, limit);
            let reason = reason.as_deref().map(annotation::reason).unwrap_or_default();
            self.verdict = Verdict::compliant(self.annotation(&said, &reason));
            return;
        }
        let (due_soon, old_inactive) = (self.keys_in(KeyState::DueSoon), self.keys_in(KeyState::OldInactive));
        let mut sentences = Vec::new();
        if self.exposure == Exposure::Exposed {
            let is_active = self.keys.iter().any(|key| key.key.status == KeyStatus::Active);
            sentences.push(annotation::exposed(is_active).to_owned());
        }
        if !due_soon.is_empty() {
            sentences.push(annotation::due_soon(&due_soon, limit));
        }
        if !old_inactive.is_empty() {
            sentences.push(annotation::old_inactive(&old_inactive, limit));
        }
        if sentences.is_empty() {
            let proof = SkipUntil::of_keys(self.keys.iter().map(|key| &key.key), parameters, now);
            self.skip_until = proof.day(parameters);
            self.verdict = Verdict::compliant(proof.annotation());
        } else {
            self.verdict = Verdict::compliant(self.annotation(&sentences.join(" "), ""));
        }
    }

    fn annotation(&self, said: &str, more: &str) -> String {
        annotation::of_user(&self.user, self.exposure, said, more)
    }
}

#[cfg(test)]
mod tests;
