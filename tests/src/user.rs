//! IAM users and their access keys.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

/// An IAM user.
#[derive(Clone, Debug)]
pub struct User {
    /// The name, unique in the account without regard to case.
    pub name: String,
    /// The unique id, `AIDA…`.
    pub id: String,
    /// The ARN, which holds path and name.
    pub arn: String,
    /// The path, `/` for most.
    pub path: String,
    /// When the user was made, to the second.
    pub created: DateTime<Utc>,
    /// The access keys in order of creation: two at most.
    pub keys: Vec<AccessKey>,
    /// The tags by key. Two keys never differ by case only.
    pub tags: BTreeMap<String, String>,
}

impl User {
    pub(crate) fn key_mut(&mut self, id: &str) -> Option<&mut AccessKey> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    /// Sets a tag. IAM's tag keys are the same if they differ by case only; the newer spelling stays.
    pub(crate) fn tag(&mut self, key: &str, value: &str) {
        self.untag(key);
        self.tags.insert(key.to_owned(), value.to_owned());
    }

    /// Takes a tag away; whether there was one.
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
    /// When the key was made, to the second.
    pub created: DateTime<Utc>,
    /// When it was last made active, which only the credential report tells.
    pub(crate) activated: DateTime<Utc>,
    /// The last use, if there was any.
    pub last_used: Option<LastUsed>,
}

/// The last use of an access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUsed {
    /// When, to the second.
    pub at: DateTime<Utc>,
    /// In which Region.
    pub region: String,
    /// By which service, as in `s3`.
    pub service: String,
}

/// The status of an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyStatus {
    /// Can be used.
    Active,
    /// Switched off.
    Inactive,
    /// Run out. AWS sets this, no caller can.
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
