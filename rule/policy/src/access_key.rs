//! Access keys and their last use, in IAM's words.

use super::exemption::Tags;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `Status` of `AccessKeyMetadata` in IAM's service model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyStatus {
    /// Can sign calls. Only an active key can be stale.
    Active,
    /// Deactivated; can be reactivated.
    Inactive,
    /// Past its expiration.
    Expired,
}

impl KeyStatus {
    /// IAM's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyStatus::Active => "Active",
            KeyStatus::Inactive => "Inactive",
            KeyStatus::Expired => "Expired",
        }
    }
}

/// An access key, as `ListAccessKeys` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKIA…`
    pub id: String,
    /// Whether it can be used.
    pub status: KeyStatus,
    /// `CreateDate`, which alone decides the key's age.
    pub created: DateTime<Utc>,
}

impl AccessKey {
    /// When the key reaches the limit. It is stale from the next second on.
    pub fn due(&self, limit: u16) -> DateTime<Utc> {
        self.created.checked_add_signed(TimeDelta::days(limit.into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether the key is older than the limit, but not active: a key to delete once nothing needs it.
    pub fn is_outlived(&self, limit: u16, now: DateTime<Utc>) -> bool {
        self.status != KeyStatus::Active && now > self.due(limit)
    }
}

/// The description of a user's access key, if it has one. IAM's console keeps it as a tag of the user whose key is the access key id
/// ("Manage access keys for IAM users" in the IAM user guide). Whoever may tag the user writes it, so it is untrusted text.
pub fn description<'a>(tags: &'a Tags, access_key_id: &str) -> Option<&'a str> {
    tags.get(access_key_id).map(|description| description.trim()).filter(|description| !description.is_empty())
}

/// `GetAccessKeyLastUsed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastUsed {
    /// `LastUsedDate`: absent if IAM has no use on record (it has kept records since 22 April 2015).
    pub at: Option<DateTime<Utc>>,
    /// `Region`, or `N/A`.
    pub region: String,
    /// `ServiceName`, or `N/A`.
    pub service: String,
}

/// The last use of access keys, by key id. The last use of a key that is missing here is unknown.
pub type LastUses = BTreeMap<String, LastUsed>;

/// The UTC day of a time, as annotations give it.
pub(crate) fn day(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_is_outlived_unless_it_is_active() {
        let created = DateTime::from_timestamp(1_772_366_400, 0).unwrap();
        let key = |status| AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), status, created };
        let at = |seconds| created + TimeDelta::days(90) + TimeDelta::seconds(seconds);
        for (status, outlived) in [(KeyStatus::Active, false), (KeyStatus::Inactive, true), (KeyStatus::Expired, true)]
        {
            assert!(!key(status).is_outlived(90, at(0)), "{status:?}");
            assert_eq!(key(status).is_outlived(90, at(1)), outlived, "{status:?}");
        }
    }

    #[test]
    fn a_description_is_the_tag_named_like_the_key() {
        let tags = [("AKIAONE", " mail relay "), ("AKIATWO", " "), ("team", "payments")];
        let tags: Tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let described = ["AKIAONE", "AKIATWO", "AKIATHREE", "akiaone"].map(|key| description(&tags, key));
        assert_eq!(described, [Some("mail relay"), None, None, None]);
    }
}
