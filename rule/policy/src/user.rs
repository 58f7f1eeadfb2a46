//! IAM users and their tags.

use chrono::{DateTime, Utc};
use std::collections::BTreeMap;

/// An IAM user, as `ListUsers` returns it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `UserName`
    pub name: String,
    /// `UserId`, `AIDA…`, which is Config's resource id. Empty for a user in a credential report, which has none.
    pub id: String,
    /// `Arn`, with the path: `arn:PARTITION:iam::ACCOUNT:user/PATH/NAME`.
    pub arn: String,
    /// `CreateDate`
    pub created: DateTime<Utc>,
}

/// The tags of an IAM user. Keys are compared case-sensitively, as in a policy that guards the exemption tags.
pub type Tags = BTreeMap<String, String>;
