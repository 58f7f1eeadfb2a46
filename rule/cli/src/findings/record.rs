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
}

impl Record {
    /// Reads the record of a key that a user with this id has, in this status.
    pub(crate) fn read(value: &str, user_id: Option<&str>, status: KeyStatus, grace_days: u16) -> Record {
        let unreadable = Record { state: State::Unreadable, since: None, execution: None, deletable_from: None };
        // An object: serde also takes a list for a structure.
        let object = serde_json::from_str::<Map<_, _>>(value);
        let Ok(Value { state, since, execution, user_id: of }) = object.and_then(|object| from_value(object.into()))
        else {
            return unreadable;
        };
        let Some(since) = time(&since) else { return unreadable };
        if state == State::Unreadable || Some(of.as_str()) != user_id || execution.as_deref().is_some_and(is_no_id) {
            return unreadable;
        }
        let is_deletable = state == State::Deactivated && status == KeyStatus::Inactive;
        let day = since.checked_add_signed(TimeDelta::days(grace_days.into())).map(|day| day.date_naive());
        Record { state, since: Some(since), execution, deletable_from: day.filter(|_| is_deletable) }
    }

    /// Whether somebody switched the key on after a runbook had switched it off.
    pub(crate) fn is_on_again(&self, status: KeyStatus) -> bool {
        status == KeyStatus::Active && matches!(self.state, State::Deactivated | State::Reactivated)
    }
}

impl Key {
    /// What the key's record says and what follows from it, in one line.
    pub(crate) fn record_line(&self) -> Option<String> {
        let record = self.record.as_ref()?;
        let Record { state, since, execution, deletable_from } = record;
        let follows = match (state, deletable_from) {
            (_, Some(day)) => format!("{DELETION} may delete it from {day}"),
            _ if record.is_on_again(self.status) => {
                "somebody switched it on again, and a runbook leaves it on until somebody passes Again=true".to_owned()
            }
            (State::Deactivating | State::Reactivating, _) => "the runbook has not recorded that it is done".to_owned(),
            (State::Deactivated | State::Reactivated, _) => "no runbook deletes it".to_owned(),
            (State::Unreadable, _) => {
                let id = &self.access_key_id;
                return Some(format!("unreadable, and no runbook trusts it: look at the parameter {PATH}/{id}"));
            }
        };
        let since = since.map(|since| format!(" since {}", since.date_naive())).unwrap_or_default();
        let execution = execution.as_ref().map(|id| format!(" (execution {id})")).unwrap_or_default();
        Some(format!("{}{since}{execution}: {follows}", state.as_str()))
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
    use policy::access_key::KeyStatus::{Active, Expired, Inactive};
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
        let key = Key {
            access_key_id: "AKIAEXAMPLE".to_owned(),
            description: None,
            status,
            create_date: DateTime::UNIX_EPOCH,
            age_days: 0,
            last_used: None,
            record: Some(Record::read(value, Some(ID), status, 30)),
        };
        key.record_line().unwrap()
    }

    #[test]
    fn a_record_says_what_a_runbook_did_and_what_follows() {
        let again = "somebody switched it on again, and a runbook leaves it on until somebody passes Again=true";
        let deletable = "AccessKeyRotation-DeleteDeactivatedKeys may delete it from 2026-03-31";
        let undone = "the runbook has not recorded that it is done";
        for (state, status, follows) in [
            ("deactivated", Inactive, deletable),
            ("deactivated", Active, again),
            ("deactivated", Expired, "no runbook deletes it"),
            ("reactivated", Active, again),
            ("reactivated", Inactive, "no runbook deletes it"),
            ("deactivating", Active, undone),
            ("reactivating", Inactive, undone),
        ] {
            let expected = format!("{state} since 2026-03-01 (execution {EXECUTION}): {follows}");
            assert_eq!(line(&value(&[("state", state.into())]), status), expected, "{state} {status:?}");
        }
        let by_nobody = value(&[("execution", json!(null)), ("provenUntil", json!(null))]);
        assert_eq!(line(&by_nobody, Inactive), format!("deactivated since 2026-03-01: {deletable}"));
    }

    #[test]
    fn what_no_runbook_writes_is_unreadable_and_leads_to_nothing() {
        let unreadable =
            "unreadable, and no runbook trusts it: look at the parameter /access-key-rotation/keys/AKIAEXAMPLE";
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
        ] {
            assert_eq!(line(&text, Inactive), unreadable, "{text}");
            assert_eq!(Record::read(&text, Some(ID), Inactive, 30).deletable_from, None, "{text}");
            assert!(!Record::read(&text, Some(ID), Active, 30).is_on_again(Active), "{text}");
        }
    }
}
