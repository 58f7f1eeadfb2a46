//! Reads the runbooks' records of an account. They are in the Region of the runbooks: the home Region.

use crate::findings::{
    finding::Finding,
    record::{PATH, Record},
    rotation::{Rotation, USERS_PATH},
};
use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Failure, Pages},
};
use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

pub(crate) const GET_PARAMETERS_BY_PATH: &str = "ssm:GetParametersByPath";

/// What the runbooks recorded in an account. What could not be read says nothing about any key or user.
#[derive(Debug)]
pub(crate) struct Records {
    keys: Result<BTreeMap<String, Recorded>, CallError>,
    users: Result<BTreeMap<String, Recorded>, CallError>,
}

/// The value of a record, and when it was last written.
#[derive(Debug)]
struct Recorded {
    value: String,
    changed: Option<DateTime<Utc>>,
}

impl Records {
    /// Reads the records of all keys and users of the account, also of those that are gone.
    pub(crate) async fn read(account: &Account<'_>) -> Records {
        Records { keys: listed(account, PATH).await, users: listed(account, USERS_PATH).await }
    }

    /// Why the records of keys, and those of rotations, are unknown.
    pub(crate) fn errors(&self, account: &Account<'_>) -> [Option<String>; 2] {
        [&self.keys, &self.users].map(|records| records.as_ref().err().map(|error| account.error(error).to_string()))
    }

    /// The rotation of a user that is under way.
    pub(crate) fn rotation(&self, user_id: &str) -> Option<Rotation> {
        let Recorded { value, changed } = self.users.as_ref().ok()?.get(user_id)?;
        Some(Rotation::read(value, *changed))
    }

    /// Whether a key has a record.
    pub(crate) fn has_key(&self, id: &str) -> bool {
        self.keys.as_ref().is_ok_and(|keys| keys.contains_key(id))
    }

    /// Adds the record of each key that has one, and the user's.
    pub(crate) fn add_to(&self, finding: &mut Finding, grace_days: u16) {
        finding.rotation = finding.user_id.as_deref().and_then(|id| self.rotation(id));
        let Ok(keys) = &self.keys else { return };
        for key in &mut finding.access_keys {
            let record = keys.get(&key.access_key_id);
            key.record = record.map(|record| Record::read(&record.value, finding.user_id.as_deref(), key, grace_days));
        }
    }
}

/// The records under a path, by the last part of their names.
///
/// # Errors
/// If a page is missing.
async fn listed(account: &Account<'_>, path: &str) -> Result<BTreeMap<String, Recorded>, CallError> {
    let ssm = aws_sdk_ssm::Client::new(&account.settings);
    let mut records = BTreeMap::new();
    let mut pages = Pages::of(GET_PARAMETERS_BY_PATH);
    while pages.more() {
        // Pages have ten parameters at most, which is also the default.
        let request = ssm.get_parameters_by_path().path(path).set_next_token(pages.next());
        let page = account.calls.call(GET_PARAMETERS_BY_PATH, account.ends.reads, || request.clone().send()).await?;
        // Without a list, even an empty one, it is no answer of Systems Manager.
        let parameters = page.parameters.ok_or_else(|| CallError {
            action: GET_PARAMETERS_BY_PATH,
            kind: Failure::Other,
            code: "unexpected answer".to_owned(),
        })?;
        for parameter in parameters {
            let name = parameter.name.unwrap_or_default();
            if let Some(id) = name.strip_prefix(path).and_then(|rest| rest.strip_prefix('/')) {
                let changed = parameter.last_modified_date;
                let changed = changed.and_then(|at| DateTime::from_timestamp(at.secs(), at.subsec_nanos()));
                records.insert(id.to_owned(), Recorded { value: parameter.value.unwrap_or_default(), changed });
            }
        }
        pages.turn(page.next_token)?;
    }
    Ok(records)
}
