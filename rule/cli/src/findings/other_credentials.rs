//! The other long-lived credentials of an account: access keys of the root user, and service-specific credentials. The rule does not
//! cover them, so they get no verdict, and a scan is complete without them. It names them, and says what it could not read.

use crate::findings::finding::{AccountSummary, Key};
use chrono::{DateTime, Utc};
use policy::access_key::KeyStatus;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// What was read of an account. Without a value and without an error, nobody tried.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct OtherCredentials {
    /// IAM's `AccountAccessKeysPresent`, or how many a credential report has.
    pub(crate) root_access_keys_present: Option<u32>,
    /// The keys themselves, which only a credential report has.
    pub(crate) root_access_keys: Option<Vec<Key>>,
    /// Why it is unknown whether the root user has access keys.
    pub(crate) root_access_keys_error: Option<String>,
    /// The most urgent first: see [`ServiceSpecificCredential::rank`].
    pub(crate) service_specific_credentials: Option<Vec<ServiceSpecificCredential>>,
    /// Why they are unknown or, if there is a list, why some may be missing.
    pub(crate) service_specific_credentials_error: Option<String>,
}

/// A password or an API key of a user for one service. Its secret cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceSpecificCredential {
    pub(crate) user_name: String,
    /// Such as `codecommit.amazonaws.com`.
    pub(crate) service_name: String,
    /// `ACCA…`
    pub(crate) service_specific_credential_id: String,
    pub(crate) status: KeyStatus,
    pub(crate) create_date: DateTime<Utc>,
    /// Whole days.
    pub(crate) age_days: i64,
    /// `None`: never.
    pub(crate) expiration_date: Option<DateTime<Utc>>,
}

impl OtherCredentials {
    /// From a credential report. `keys`: `None` if it has no readable row for the root user.
    pub(crate) fn of_report(keys: Option<Vec<Key>>) -> OtherCredentials {
        OtherCredentials {
            root_access_keys_present: keys.as_ref().and_then(|keys| u32::try_from(keys.len()).ok()),
            root_access_keys: keys,
            ..OtherCredentials::default()
        }
    }

    /// Those that are known.
    pub(crate) fn service_specific_credentials(&self) -> &[ServiceSpecificCredential] {
        self.service_specific_credentials.as_deref().unwrap_or_default()
    }
}

impl AccountSummary {
    /// One sentence about each access key of the root user or, without details, about all of them.
    pub(crate) fn root_sentences(&self) -> Vec<String> {
        let OtherCredentials { root_access_keys, root_access_keys_present, .. } = &self.other_credentials;
        let present = match (root_access_keys, root_access_keys_present) {
            (Some(keys), _) => return keys.iter().map(|key| root_sentence(&self.account, key)).collect(),
            (None, None | Some(0)) => return Vec::new(),
            (None, Some(1)) => {
                "an access key, which the rule does not cover. Replace it with a role, then delete it".to_owned()
            }
            (None, Some(number)) => {
                format!(
                    "{number} access keys, which the rule does not cover. Replace them with roles, then delete them"
                )
            }
        };
        vec![format!("{}: the root user has {present}: sign in as the root user.", self.account)]
    }

    /// One sentence about the service-specific credentials, for a format that has no place for them.
    pub(crate) fn credentials_sentence(&self) -> Option<String> {
        let credentials = self.other_credentials.service_specific_credentials();
        let (number, account) = (credentials.len(), &self.account);
        let endless = credentials.iter().filter(|credential| credential.expiration_date.is_none()).count();
        let s = if number == 1 { "" } else { "s" };
        (number > 0).then(|| {
            format!(
                "{account}: {number} service-specific credential{s}, which the rule does not cover (without an end: {endless}). See \
                 --format json."
            )
        })
    }

    /// What was not read of the other credentials, and why.
    pub(crate) fn unread_sentences(&self) -> Vec<String> {
        let OtherCredentials { root_access_keys_error, service_specific_credentials_error, .. } =
            &self.other_credentials;
        let root = root_access_keys_error.iter();
        let root =
            root.map(|error| format!("{}: whether the root user has access keys was not read. {error}", self.account));
        let what = if self.other_credentials.service_specific_credentials.is_some() {
            "service-specific credentials may be missing"
        } else {
            "the service-specific credentials were not read"
        };
        let others = service_specific_credentials_error.iter();
        root.chain(others.map(|error| format!("{}: {what}. {error}", self.account))).collect()
    }
}

impl ServiceSpecificCredential {
    /// Active ones first; among them those that never expire, then the last to expire; older ones before younger ones.
    pub(crate) fn rank(&self) -> (bool, Reverse<DateTime<Utc>>, DateTime<Utc>, &str, &str) {
        let expires = self.expiration_date.unwrap_or(DateTime::<Utc>::MAX_UTC);
        let (id, is_usable) = (&self.service_specific_credential_id, self.status == KeyStatus::Active);
        (!is_usable, Reverse(expires), self.create_date, &self.user_name, id)
    }

    /// The day, or `never`.
    pub(crate) fn expires(&self) -> String {
        self.expiration_date.map_or_else(|| "never".to_owned(), |date| date.date_naive().to_string())
    }
}

fn root_sentence(account: &str, key: &Key) -> String {
    let used = match key.last_used.as_ref().and_then(|used| used.date) {
        Some(date) => format!("last used {}", date.date_naive()),
        None => "no use on record".to_owned(),
    };
    format!(
        "{account}: the root user has an access key, which the rule does not cover ({}, created or last activated {}, {used}). \
         Replace it with a role, then delete it: sign in as the root user.",
        key.status.as_str().to_lowercase(),
        key.create_date.date_naive()
    )
}
