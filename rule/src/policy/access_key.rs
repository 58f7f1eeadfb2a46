//! Access keys and their last use, in IAM's words.

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
pub(super) fn day(time: DateTime<Utc>) -> NaiveDate {
    time.date_naive()
}
