//! IAM users and their access keys.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use crate::other_credentials::ServiceSpecificCredential;

/// An IAM user.
#[derive(Clone, Debug)]
pub struct User {
    /// The name, unique in the account regardless of case.
    pub name: String,
    /// The unique id, `AIDA…`.
    pub id: String,
    /// The ARN, which contains the path and the name.
    pub arn: String,
    /// The path, usually `/`.
    pub path: String,
    /// When the user was created, to the second.
    pub created: DateTime<Utc>,
    /// The access keys in order of creation: two at most.
    pub keys: Vec<AccessKey>,
    /// The service-specific credentials in order of creation.
    pub service_specific_credentials: Vec<ServiceSpecificCredential>,
    /// The tags by key. No two keys differ only in case.
    pub tags: BTreeMap<String, String>,
    /// The ARNs of the managed policies that are attached to the user itself.
    pub attached_policies: Vec<String>,
}

impl User {
    pub(crate) fn key_mut(&mut self, id: &str) -> Option<&mut AccessKey> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    /// Sets a tag. IAM ignores the case of tag keys, and keeps the newer spelling.
    pub(crate) fn tag(&mut self, key: &str, value: &str) {
        self.untag(key);
        self.tags.insert(key.to_owned(), value.to_owned());
    }

    /// Removes a tag, and returns whether it existed.
    pub(crate) fn untag(&mut self, key: &str) -> bool {
        let before = self.tags.len();
        let key = key.to_lowercase();
        self.tags.retain(|other, _| other.to_lowercase() != key);
        self.tags.len() < before
    }
}

/// A user's access key.
#[derive(Clone, Debug)]
pub struct AccessKey {
    /// The id, `AKIA…`.
    pub id: String,
    /// Whether the key can be used.
    pub status: KeyStatus,
    /// When the key was created, to the second.
    pub created: DateTime<Utc>,
    /// When it was last activated, which only the credential report shows.
    pub(crate) activated: DateTime<Utc>,
    /// The secret access key, if CreateAccessKey made this key.
    pub secret: Option<String>,
    /// The last use, if there was any.
    pub last_used: Option<LastUsed>,
}

/// The last use of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUsed {
    /// When, to the second.
    pub at: DateTime<Utc>,
    /// The Region.
    pub region: String,
    /// The service, such as `s3`.
    pub service: String,
}

/// The status of an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// The key can be used.
    Active,
    /// The key is deactivated.
    Inactive,
    /// The key has expired. AWS sets this status; no caller can.
    Expired,
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyStatus::Active => "Active",
            KeyStatus::Inactive => "Inactive",
            KeyStatus::Expired => "Expired",
        })
    }
}
