//! The board: what state each access key is in, what happens to it next by itself, and what a person must do.
//!
//! It is told from metadata: keys, tags of users, and the runbooks' records. No secret is read, neither its value nor its tags, so
//! nothing here says which key a secret holds. A record may be forged: the board shows what it says, and the runbooks decide for
//! themselves.

use super::{
    finding::{Finding, Key, Terms},
    record::{self, DELETION},
    rotation::{ROTATION, Rotation, Stage, USERS_PATH},
    scan_result::ScanResult,
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use policy::{
    access_key::{KeyState, KeyStatus},
    rotation::by_itself,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// Longer than a run of the runbook. A run that wrote a record within this time may be at work.
const RUN_TIME: TimeDelta = TimeDelta::hours(1);
/// How long a use of the old key after the switch says nothing. The runbook counts the days of settling from the secret's last change,
/// which the board does not read: the record is a moment younger, unless somebody changes the secret later.
const RUN_SLACK: TimeDelta = TimeDelta::minutes(15);
/// How long the runbook waits after a secret that it could not write, unless somebody starts it for the user.
const BLOCKED_DAYS: TimeDelta = TimeDelta::days(7);

/// The state of a key on the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Place {
    /// AWS found a key of the user in public.
    Exposed,
    /// In violation.
    Stale,
    DueSoon,
    /// A rotation is under way, and the secret does not give out the new key for sure.
    Rotating,
    /// The secret gives out the new key, and the old one waits until nobody uses it.
    Settling,
    /// By a runbook.
    Deactivated,
    /// Deactivated, and a runbook may delete it.
    Deletable,
    /// A rotation cannot go on before a person does something.
    Blocked,
    /// Older than the limit and not active, but not by a runbook.
    OldInactive,
    /// The records do not say what the state is.
    Unknown,
}

impl Place {
    /// In words.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Place::Exposed => "exposed",
            Place::Stale => "stale",
            Place::DueSoon => "due soon",
            Place::Rotating => "rotating",
            Place::Settling => "settling",
            Place::Deactivated => "deactivated",
            Place::Deletable => "deletable",
            Place::Blocked => "blocked",
            Place::OldInactive => "old, inactive",
            Place::Unknown => "unknown",
        }
    }
}

/// What the board says of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) place: Place,
    /// What happens next by itself: a sentence.
    pub(crate) next: Option<String>,
    /// On which day, at the earliest, in UTC; `None` if that is the next run of a runbook, or unknown.
    pub(crate) on: Option<NaiveDate>,
    /// What a person must do: one sentence or more.
    pub(crate) to_do: Option<String>,
}

impl Entry {
    fn new(place: Place) -> Entry {
        Entry { place, next: None, on: None, to_do: None }
    }

    fn next(self, next: impl Into<String>) -> Entry {
        Entry { next: Some(next.into()), ..self }
    }

    fn on(self, on: NaiveDate) -> Entry {
        Entry { on: Some(on), ..self }
    }

    fn ask(self, to_do: impl Into<String>) -> Entry {
        Entry { to_do: Some(to_do.into()), ..self }
    }
}

/// The board of a scan.
#[derive(Debug)]
pub(crate) struct Board {
    pub(super) terms: Terms,
    /// The accounts whose records of rotations are unknown.
    unknown: BTreeSet<String>,
}

impl Board {
    pub(crate) fn of(result: &ScanResult) -> Board {
        let unknown = result.accounts.iter().filter(|account| account.rotations_error.is_some());
        Board { terms: result.terms.clone(), unknown: unknown.map(|account| account.account.clone()).collect() }
    }

    /// What it says of each key of a user that is on it.
    pub(crate) fn entries<'a>(&self, finding: &'a Finding) -> Vec<(&'a Key, Entry)> {
        let keys = finding.access_keys.iter();
        keys.filter_map(|key| Some((key, self.entry(finding, key)?))).collect()
    }

    /// What it says of each key of these users.
    pub(crate) fn all<'a>(
        &self,
        findings: impl Iterator<Item = &'a Finding>,
    ) -> impl Iterator<Item = (&'a Finding, &'a Key, Entry)> {
        findings.flat_map(|finding| self.entries(finding).into_iter().map(move |(key, entry)| (finding, key, entry)))
    }

    /// The same of the users whose keys rotate by themselves.
    pub(crate) fn rotations<'a>(&self, findings: &'a [Finding]) -> Vec<(&'a Finding, &'a Key, Entry)> {
        self.all(findings.iter().filter(|finding| finding.takes_part())).collect()
    }

    /// The state of a key that is on it.
    pub(crate) fn place(&self, finding: &Finding, key: &Key) -> Option<Place> {
        self.entry(finding, key).map(|entry| entry.place)
    }

    fn entry(&self, finding: &Finding, key: &Key) -> Option<Entry> {
        let of = Of { finding, key, terms: &self.terms, is_unknown: self.unknown.contains(&finding.account) };
        if key.status != KeyStatus::Active {
            return of.inactive();
        }
        if finding.is_exposed() {
            return Some(Entry::new(Place::Exposed).ask("Deactivate it now: AWS found a key of this user in public."));
        }
        finding.rotation.as_ref().and_then(|rotation| of.rotating(rotation)).or_else(|| of.due())
    }
}

/// All that an entry depends on.
struct Of<'a> {
    finding: &'a Finding,
    key: &'a Key,
    terms: &'a Terms,
    /// Whether the records of rotations are unknown.
    is_unknown: bool,
}

impl Of<'_> {
    fn now(&self) -> DateTime<Utc> {
        self.terms.scanned_at
    }

    fn is_new_key(&self, rotation: &Rotation) -> bool {
        rotation.new_key.as_ref() == Some(&self.key.access_key_id)
    }

    fn inactive(&self) -> Option<Entry> {
        let record = self.key.record.as_ref();
        let state = record.map(|record| record.state);
        if let Some(rotation) = &self.finding.rotation
            && self.is_new_key(rotation)
            && rotation.state != Stage::Switched
        {
            let entry = if state == Some(record::State::Deactivated) {
                let next = format!(
                    "It is a new key whose secret was not stored. {ROTATION} deletes it, if CloudTrail shows that it made the key and nobody used it."
                );
                Entry::new(Place::Deactivated).next(next)
            } else {
                let to_do = "It is the new key of a rotation, and inactive. Delete it if nobody needs it.";
                Entry::new(Place::Blocked).ask(to_do)
            };
            return Some(entry);
        }
        if let Some(day) = self.key.deletable_from() {
            let place = if day <= self.now().date_naive() { Place::Deletable } else { Place::Deactivated };
            let entry = Entry::new(place).on(day);
            let entry = if self.finding.rotates_into.is_some() {
                let entry = entry.next(format!("{DELETION} deletes it, if nobody used it since."));
                if day < self.now().date_naive() {
                    entry.ask(format!("It is still there. Start {DELETION}: its result says why."))
                } else {
                    entry
                }
            } else {
                entry.ask(format!("Start {DELETION} from {day} on."))
            };
            return Some(entry);
        }
        match state {
            Some(record::State::Deactivating | record::State::Reactivating | record::State::Unreadable) => {
                let line = self.key.record_line().unwrap_or_default();
                Some(Entry::new(Place::Unknown).ask(format!("The record is {line}.")))
            }
            _ if self.key.state == KeyState::OldInactive => {
                Some(Entry::new(Place::OldInactive).ask("Delete it once nothing needs it."))
            }
            _ => None,
        }
    }

    /// `None`: the rotation is not about this key.
    fn rotating(&self, rotation: &Rotation) -> Option<Entry> {
        match rotation.state {
            Stage::Unreadable => {
                let user_id = self.finding.user_id.as_deref().unwrap_or_default();
                Some(Entry::new(Place::Unknown).ask(format!("Look at the parameter {USERS_PATH}/{user_id}.")))
            }
            Stage::Blocked if self.is_new_key(rotation) => {
                let next = format!("It is a new key whose secret was not stored. {ROTATION} deactivates it.");
                Some(Entry::new(Place::Blocked).next(next))
            }
            Stage::Blocked => Some(self.blocked(rotation)),
            Stage::Creating | Stage::Created | Stage::Switching => {
                let is_at_work = rotation.changed.is_some_and(|changed| self.now() - changed < RUN_TIME);
                let new = if self.is_new_key(rotation) { "It is the new key. " } else { "" };
                let next = if is_at_work { "A run is at work, or ended." } else { "A run ended." };
                Some(Entry::new(Place::Rotating).next(format!("{new}{next} The next run of {ROTATION} goes on.")))
            }
            Stage::Switched => self.settling(rotation),
        }
    }

    fn blocked(&self, rotation: &Rotation) -> Entry {
        let again = rotation.changed.map(|changed| (changed + BLOCKED_DAYS).date_naive());
        let why = rotation.reason.as_deref().unwrap_or("the record gives no reason").trim_end_matches('.');
        let to_do = format!("Fix what holds the rotation up, then start {ROTATION} for the user: {why}.");
        let entry = Entry::new(Place::Blocked).next(format!("{ROTATION} tries again.")).ask(to_do);
        Entry { on: again.filter(|day| *day > self.now().date_naive()), ..entry }
    }

    /// Of the old key of a rotation whose secret gives out the new one. The runbook decides likewise: see `settle` in
    /// `templates/runbooks/rotation.py`.
    fn settling(&self, rotation: &Rotation) -> Option<Entry> {
        if self.is_new_key(rotation) {
            return None;
        }
        let new = self.finding.access_keys.iter().find(|key| Some(&key.access_key_id) == rotation.new_key.as_ref());
        let Some(new) = new else {
            let to_do = "A rotation was under way, but the user does not have its new key. Find out which key the secret holds.";
            return Some(Entry::new(Place::Unknown).ask(to_do));
        };
        if self.key.create_date >= new.create_date {
            return None;
        }
        let new = &new.access_key_id;
        if self.key.is_left_on() {
            let to_do = format!(
                "{new} replaced it, but it is on, though it has a record. Find out who needs it, then delete it."
            );
            return Some(Entry::new(Place::Blocked).ask(to_do));
        }
        let entry = Entry::new(Place::Settling);
        if let Some(until) = self.key.exempt_until {
            return Some(entry.next(format!("{new} replaced it. It stays active while it is exempt.")).on(until));
        }
        let days = self.terms.settle_days;
        let (Some(used), Some(changed)) = (&self.key.last_used, rotation.changed) else {
            let next = format!(
                "{new} replaced it. {ROTATION} deactivates it after {days} days without use. Its last use could not be read."
            );
            return Some(entry.next(next));
        };
        let switched = changed + RUN_SLACK;
        let used_since = used.date.filter(|date| *date > switched);
        let quiet = used_since.unwrap_or(switched) + TimeDelta::days(days.into());
        let entry = entry.next(format!("{new} replaced it. {ROTATION} deactivates it after {days} days without use."));
        let entry = match used_since {
            Some(date) => entry.ask(format!(
                "Find out what still uses it (last used on {} by {}): it must read the key from the secret.",
                date.date_naive(),
                used.service_name
            )),
            None if quiet + TimeDelta::days(1) < self.now() => {
                entry.ask(format!("Look at the last run of {ROTATION}: perhaps nobody has used {new} yet."))
            }
            None => entry,
        };
        Some(if quiet > self.now() { entry.on(quiet.date_naive()) } else { entry })
    }

    /// A key that is stale or due soon, without a rotation that is about it.
    fn due(&self) -> Option<Entry> {
        let limit = TimeDelta::days(self.terms.max_access_key_age.into());
        let due = (self.key.create_date + limit).date_naive();
        let entry = match self.key.state {
            KeyState::Violation => Entry::new(Place::Stale),
            KeyState::DueSoon => Entry::new(Place::DueSoon),
            _ => return None,
        };
        if let Some(secret) = &self.finding.rotates_into {
            return Some(self.rotates(entry, secret));
        }
        if entry.place == Place::Stale {
            return Some(entry.ask("Rotate it, or retire it if nobody needs it."));
        }
        let to_do = if self.finding.tags_are_read() {
            format!("Rotate it before {due}.")
        } else {
            format!("Rotate it before {due}, unless it rotates by itself: the user's tags could not be read.")
        };
        Some(entry.next("It becomes stale.").on(due).ask(to_do))
    }

    /// The user names a secret. The same decisions as `begin` in `templates/runbooks/rotation.py`.
    fn rotates(&self, entry: Entry, secret: &str) -> Entry {
        if let Some(until) = self.key.exempt_until {
            return entry.next("It is exempt, so nothing rotates it until the exemption ends.").on(until);
        }
        if self.is_unknown {
            return entry.ask("Whether its rotation is under way is unknown, since the records could not be read.");
        }
        let others = self.finding.access_keys.iter();
        if let Some(other) = others.into_iter().find(|other| other.access_key_id != self.key.access_key_id) {
            return self.without_room(entry, other);
        }
        let from = self.key.create_date + TimeDelta::days(self.terms.rotate_after_days.into());
        let entry = entry.next(by_itself(secret, &self.finding.user_name));
        let is_late = from + TimeDelta::days(1) < self.now();
        if from > self.now() {
            entry.on(from.date_naive())
        } else if is_late || entry.place == Place::Stale {
            let since = from.date_naive();
            entry.ask(format!("It was due to rotate on {since}. Start {ROTATION}: its result says what holds it up."))
        } else {
            entry
        }
    }

    /// A user has room for two keys.
    fn without_room(&self, entry: Entry, other: &Key) -> Entry {
        let id = &other.access_key_id;
        if self.now() - other.create_date < RUN_TIME {
            return Entry { place: Place::Unknown, ..entry }
                .ask(format!("Run plan again in an hour: {id} was just made, perhaps by a rotation."));
        }
        let room = format!("There is no room for a new key until {id} is deleted.");
        let settles = self.finding.rotation.as_ref().is_some_and(|rotation| rotation.state == Stage::Switched);
        if let Some(day) = other.deletable_from() {
            return entry.next(format!("{room} {DELETION} deletes it, if nobody used it since.")).on(day);
        }
        if settles {
            return entry.next(format!("{room} It settles first."));
        }
        Entry { place: Place::Blocked, ..entry }
            .ask(format!("{room} Find out which of the two the consumer needs, and delete the other."))
    }
}

#[cfg(test)]
mod tests;
