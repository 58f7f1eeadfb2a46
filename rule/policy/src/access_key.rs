//! Access keys and their last use, in IAM's words.

use crate::user::Tags;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

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
    /// The last use; `None` if it was not read, or could not be. Boxed, since it is read for few of thousands of keys.
    pub last_used: Option<Box<LastUsed>>,
}

impl AccessKey {
    /// When the key reaches the limit. It is stale from the next second on.
    pub fn due(&self, limit: u16) -> DateTime<Utc> {
        self.created.checked_add_signed(TimeDelta::days(limit.into())).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// Whether the key was used within so many days. `None` if its last use is not known.
    pub fn is_in_use(&self, within_days: u16, now: DateTime<Utc>) -> Option<bool> {
        self.last_used.as_ref().map(|used| was_used_within(used.at, within_days, now))
    }
}

/// Whether a key that was last used then, if ever, counts as used within so many days.
pub fn was_used_within(last_used: Option<DateTime<Utc>>, days: u16, now: DateTime<Utc>) -> bool {
    last_used.is_some_and(|at| at >= now - TimeDelta::days(days.into()))
}

/// The description of a user's access key, if it has one. IAM's console keeps it as a tag of the user whose key is the access key id
/// ("Manage access keys for IAM users" in the IAM user guide). Whoever may tag the user writes it, so it is untrusted text.
pub(crate) fn description<'a>(tags: &'a Tags, access_key_id: &str) -> Option<&'a str> {
    tags.get(access_key_id).map(|description| description.trim()).filter(|description| !description.is_empty())
}

/// What the policy says about an access key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyState {
    /// Stale, and no exemption covers it.
    Violation,
    /// Stale, and an exemption covers it.
    Exempt,
    /// Active, and stale within `warnBeforeDays`.
    DueSoon,
    /// Older than the limit, but not active: somebody should delete it once nothing needs it.
    OldInactive,
    /// Nothing to do.
    #[default]
    Current,
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

/// The UTC day of a time, as annotations give it.
pub(crate) fn day(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_in_use_within_the_days_to_the_second() {
        let now = DateTime::from_timestamp(1_772_366_400, 0).unwrap();
        let used = |seconds: Option<i64>| LastUsed {
            at: seconds.map(|seconds| now - TimeDelta::seconds(seconds)),
            region: "N/A".to_owned(),
            service: "N/A".to_owned(),
        };
        let key = |last_used| AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            status: KeyStatus::Active,
            created: now - TimeDelta::days(400),
            last_used,
        };
        for (last_used, expected) in [
            (Some(used(Some(45 * 86_400)).into()), Some(true)),
            (Some(used(Some(45 * 86_400 + 1)).into()), Some(false)),
            (Some(used(None).into()), Some(false)),
            (None, None),
        ] {
            assert_eq!(key(last_used).is_in_use(45, now), expected);
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
