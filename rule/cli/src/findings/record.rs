//! The runbooks' record of an access key: a parameter of Systems Manager that says what a runbook did to the key, and when. Whoever
//! may write parameters may have written it, so only words that are known get further.

use crate::findings::finding::Key;
use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use policy::access_key::KeyStatus;
use serde::{Deserialize, Serialize};
use serde_json::{Map, from_value};

/// The path of the records. The last part of a record's name is the key id.
pub(crate) const PATH: &str = "/access-key-rotation/keys";
/// The runbook that deletes what another one deactivated.
pub(crate) const DELETION: &str = "AccessKeyRotation-DeleteDeactivatedKeys";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    Deactivating,
    Deactivated,
    Reactivating,
    Reactivated,
    /// Not what a runbook writes.
    Unreadable,
}

impl State {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            State::Deactivating => "deactivating",
            State::Deactivated => "deactivated",
            State::Reactivating => "reactivating",
            State::Reactivated => "reactivated",
            State::Unreadable => "unreadable",
        }
    }
}

/// What the record of a key says. Of an unreadable one, only that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Record {
    pub(crate) state: State,
    /// When the key came into this state.
    pub(crate) since: Option<DateTime<Utc>>,
    /// The id of the runbook's execution.
    pub(crate) execution: Option<String>,
    /// The day from which a runbook may delete the key, in UTC; `None` if none may as things are.
    pub(crate) deletable_from: Option<NaiveDate>,
}

/// The value of the parameter.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    state: State,
    since: String,
    execution: Option<String>,
    user_id: String,
    proven_until: Option<String>,
}

impl Record {
    /// Reads the record of a key of the user with this id.
    pub(crate) fn read(value: &str, user_id: Option<&str>, key: &Key, grace_days: u16) -> Record {
        let unreadable = Record { state: State::Unreadable, since: None, execution: None, deletable_from: None };
        // An object: serde also takes a list for a structure.
        let object = serde_json::from_str::<Map<_, _>>(value);
        let Ok(Value { state, since, execution, user_id: of, proven_until }) =
            object.and_then(|object| from_value(object.into()))
        else {
            return unreadable;
        };
        let Some(since) = time(&since) else { return unreadable };
        let is_proof = proven_until.is_none_or(|text| time(&text).is_some());
        if !is_proof
            || state == State::Unreadable
            || Some(of.as_str()) != user_id
            || execution.as_deref().is_some_and(is_no_id)
        {
            return unreadable;
        }
        let is_deletable = state == State::Deactivated && key.status == KeyStatus::Inactive && key.create_date <= since;
        let day = since.checked_add_signed(TimeDelta::days(grace_days.into())).map(|day| day.date_naive());
        Record { state, since: Some(since), execution, deletable_from: day.filter(|_| is_deletable) }
    }
}

impl Key {
    /// What the key's record says and what follows from it, in one line.
    pub(crate) fn record_line(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let Record { state, since, execution, deletable_from } = record;
        let rest = if self.is_left_on() {
            "A runbook leaves it on until somebody passes Again=true"
        } else {
            "No runbook deletes it"
        };
        let follows = match (state, deletable_from) {
            (_, Some(day)) => format!("{DELETION} may delete it from {day}"),
            (State::Unreadable, _) => format!("look at the parameter {PATH}/{}. {rest}", self.access_key_id),
            (State::Deactivating, _) => format!("the run did not end, or is under way. {rest}"),
            (State::Reactivating, _) if !self.is_left_on() => format!("the run did not end, or is under way. {rest}"),
            _ if self.is_left_on() => format!("somebody switched it on again. {rest}"),
            _ => rest.to_owned(),
        };
        let since = since.map(|since| format!(" since {}", since.date_naive())).unwrap_or_default();
        let execution = execution.as_ref().map(|id| format!(" (execution {id})")).unwrap_or_default();
        Some(format!("{}{since}{execution}: {follows}", state.as_str()))
    }

    /// Whether a runbook leaves the key on because of its record, whatever that says.
    pub(crate) fn is_left_on(&self) -> bool {
        self.record.is_some() && self.status == KeyStatus::Active
    }

    /// The day from which a runbook may delete the key.
    pub(crate) fn deletable_from(&self) -> Option<NaiveDate> {
        self.record.as_ref()?.deletable_from
    }
}

/// A time as the runbooks write it: UTC, to the second.
fn time(text: &str) -> Option<DateTime<Utc>> {
    const FORMAT: &str = "%Y-%m-%dT%H:%M:%SZ";
    let time = NaiveDateTime::parse_from_str(text, FORMAT).ok()?.and_utc();
    (time.format(FORMAT).to_string() == text).then_some(time)
}

/// Ids of executions are UUIDs. This is about text that could do harm in a report.
fn is_no_id(text: &str) -> bool {
    text.is_empty() || text.len() > 64 || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use policy::access_key::{
        KeyState,
        KeyStatus::{Active, Expired, Inactive},
    };
    use serde_json::json;

    const ID: &str = "AIDAEXAMPLE";
    const EXECUTION: &str = "7a4c6d1f-0000-4000-8000-000000000000";

    fn value(changes: &[(&str, serde_json::Value)]) -> String {
        let mut value = json!({
            "state": "deactivated", "since": "2026-03-01T12:00:00Z", "execution": EXECUTION, "userId": ID,
            "provenUntil": "2026-03-20T12:00:00Z",
        });
        for (name, changed) in changes {
            value[*name] = changed.clone();
        }
        value.to_string()
    }

    fn line(value: &str, status: KeyStatus) -> String {
        let mut key = Key {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            description: None,
            status,
            create_date: DateTime::UNIX_EPOCH,
            age_days: 0,
            last_used: None,
            record: None,
            state: KeyState::Current,
            exempt_until: None,
        };
        key.record = Some(Record::read(value, Some(ID), &key, 30));
        key.record_line().unwrap()
    }

    #[test]
    fn a_record_says_what_a_runbook_did_and_what_follows() {
        let left_on = "A runbook leaves it on until somebody passes Again=true";
        let again = &format!("somebody switched it on again. {left_on}");
        let deletable = "AccessKeyRotation-DeleteDeactivatedKeys may delete it from 2026-03-31";
        let undone = |rest: &str| format!("the run did not end, or is under way. {rest}");
        let (undone_on, undone_off) = (&undone(left_on), &undone("No runbook deletes it"));
        for (state, status, follows) in [
            ("deactivated", Inactive, deletable),
            ("deactivated", Active, again),
            ("deactivated", Expired, "No runbook deletes it"),
            ("reactivated", Active, again),
            ("reactivated", Inactive, "No runbook deletes it"),
            ("deactivating", Active, undone_on),
            ("deactivating", Inactive, undone_off),
            ("reactivating", Active, again),
            ("reactivating", Inactive, undone_off),
        ] {
            let expected = format!("{state} since 2026-03-01 (execution {EXECUTION}): {follows}");
            assert_eq!(line(&value(&[("state", state.into())]), status), expected, "{state} {status:?}");
        }
        let older_than_the_key = value(&[("since", "1969-12-31T00:00:00Z".into())]);
        assert!(line(&older_than_the_key, Inactive).ends_with(": No runbook deletes it"));
        let by_nobody = value(&[("execution", json!(null)), ("provenUntil", json!(null))]);
        assert_eq!(line(&by_nobody, Inactive), format!("deactivated since 2026-03-01: {deletable}"));
    }

    #[test]
    fn what_no_runbook_writes_is_unreadable_and_leads_to_nothing() {
        let unreadable = "unreadable: look at the parameter /access-key-rotation/keys/AKIAEXAMPLE. ";
        let changed = |name: &str, to: serde_json::Value| value(&[(name, to)]);
        for text in [
            String::new(),
            "deactivated".to_owned(),
            json!(["deactivated", "2026-03-01T12:00:00Z", null, ID]).to_string(),
            changed("state", "deleted".into()),
            changed("state", "unreadable".into()),
            changed("state", json!(null)),
            changed("since", json!(null)),
            changed("since", "2026-03-01".into()),
            changed("since", "2026-3-01T12:00:00Z".into()),
            changed("since", "2026-03-01T12:00:00+02:00".into()),
            changed("since", "2026-02-30T12:00:00Z".into()),
            changed("execution", 7.into()),
            changed("execution", "\u{1b}[2J".into()),
            changed("userId", "AIDAOTHER".into()),
            changed("userId", json!(null)),
            changed("provenUntil", "soon".into()),
        ] {
            assert_eq!(line(&text, Inactive), format!("{unreadable}No runbook deletes it"), "{text}");
            let on = "A runbook leaves it on until somebody passes Again=true";
            assert_eq!(line(&text, Active), format!("{unreadable}{on}"), "{text}");
        }
    }
}
