//! The record of a user's rotation: a parameter of Systems Manager that is there from the start of a rotation until the old key is
//! deactivated. As with the record of a key, somebody else may have written it: it is shown, and decides nothing.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, from_value};

/// The path of the records. The last part of a record's name is the user's id.
pub(crate) const USERS_PATH: &str = "/access-key-rotation/users";
/// The runbook that rotates.
pub(crate) const ROTATION: &str = "AccessKeyRotation-RotateKey";

/// The most characters of the reason, and of an ARN.
const MOST_REASON: usize = 400;
const MOST_ARN: usize = 2048;

/// How far a rotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Stage {
    /// The new key is being made.
    Creating,
    /// The new key is there, and the secret does not give it out.
    Created,
    /// From now on, the secret may give out the new key.
    Switching,
    /// The secret gives out the new key, and the old one settles.
    Switched,
    /// The secret could not be written.
    Blocked,
    /// Not what a runbook writes.
    Unreadable,
}

/// What the record says. Of an unreadable one, only that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Rotation {
    pub(crate) state: Stage,
    /// When the record was last written, by Systems Manager's clock.
    pub(crate) changed: Option<DateTime<Utc>>,
    /// The id of the runbook's execution.
    pub(crate) execution: Option<String>,
    /// The secret's ARN.
    pub(crate) secret: Option<String>,
    /// The id of the key that replaces the other one; `None` if it is not known yet.
    pub(crate) new_key: Option<String>,
    /// Why the rotation is blocked, in the runbook's words.
    pub(crate) reason: Option<String>,
}

/// The value of the parameter. The runbook writes every field.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Value {
    state: Stage,
    secret: String,
    execution: Option<String>,
    new_key: Option<String>,
    reason: Option<String>,
}

impl Rotation {
    /// Reads the record of a user, which Systems Manager says was written at `changed`.
    pub(crate) fn read(value: &str, changed: Option<DateTime<Utc>>) -> Rotation {
        Rotation::parse(value, changed).unwrap_or(Rotation {
            state: Stage::Unreadable,
            changed,
            execution: None,
            secret: None,
            new_key: None,
            reason: None,
        })
    }

    fn parse(value: &str, changed: Option<DateTime<Utc>>) -> Option<Rotation> {
        // An object: serde also takes a list for a structure.
        let object = serde_json::from_str::<Map<_, _>>(value).ok()?;
        let has_all = ["execution", "newKey", "reason"].iter().all(|name| object.contains_key(*name));
        let Value { state, secret, execution, new_key, reason } = from_value(object.into()).ok()?;
        let is_id = |text: &String| {
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let is_readable = has_all
            && changed.is_some()
            && state != Stage::Unreadable
            && secret.len() <= MOST_ARN
            && execution.iter().chain(&new_key).all(is_id);
        let reason = reason.map(|reason| reason.chars().take(MOST_REASON).collect());
        is_readable.then_some(Rotation { state, changed, execution, secret: Some(secret), new_key, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn value(changes: &[(&str, serde_json::Value)]) -> String {
        let mut value = json!({
            "state": "switched", "since": "2026-03-01T12:00:00Z", "execution": "7a4c6d1f", "userName": "bot",
            "secret": "arn:aws:secretsmanager:us-east-1:111122223333:secret:mail-AbCdEf", "newKey": "AKIANEW", "reason": null,
        });
        for (name, changed) in changes {
            value[*name] = changed.clone();
        }
        value.to_string()
    }

    #[test]
    fn a_record_says_how_far_a_rotation_is() {
        let changed = Some(DateTime::UNIX_EPOCH);
        let read = |changes: &[(&str, serde_json::Value)]| Rotation::read(&value(changes), changed);
        let rotation = read(&[]);
        assert_eq!((rotation.state, rotation.changed, rotation.reason), (Stage::Switched, changed, None));
        assert_eq!((rotation.execution.as_deref(), rotation.new_key.as_deref()), (Some("7a4c6d1f"), Some("AKIANEW")));
        let blocked = read(&[("state", "blocked".into()), ("newKey", json!(null)), ("reason", "x".repeat(500).into())]);
        assert_eq!((blocked.state, blocked.new_key, blocked.reason.unwrap().len()), (Stage::Blocked, None, 400));
    }

    #[test]
    fn what_no_runbook_writes_is_unreadable() {
        let missing = json!({ "state": "switched", "secret": "arn", "execution": null, "newKey": null });
        let changed = |name: &str, to: serde_json::Value| value(&[(name, to)]);
        for text in [
            String::new(),
            missing.to_string(),
            json!(["switched", "arn", null, null, null]).to_string(),
            changed("state", "done".into()),
            changed("state", "unreadable".into()),
            changed("state", json!(null)),
            changed("secret", json!(null)),
            changed("secret", "x".repeat(3000).into()),
            changed("newKey", 7.into()),
            changed("newKey", "\u{1b}[2J".into()),
            changed("execution", "a b".into()),
            changed("reason", json!(["no"])),
        ] {
            let rotation = Rotation::read(&text, Some(DateTime::UNIX_EPOCH));
            assert_eq!((rotation.state, rotation.secret, rotation.reason), (Stage::Unreadable, None, None), "{text}");
        }
        assert_eq!(Rotation::read(&value(&[]), None).state, Stage::Unreadable, "without a time");
    }
}
