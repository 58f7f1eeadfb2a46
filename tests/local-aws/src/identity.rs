//! The sender of a request: an administrator, an IAM user, or the session of an assumed role.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

/// Credentials to sign requests with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `AWS_ACCESS_KEY_ID`
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`
    pub secret_access_key: String,
    /// `AWS_SESSION_TOKEN`
    pub session_token: Option<String>,
}

/// The sender of a call.
pub(crate) struct Caller {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
    pub(crate) kind: CallerKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallerKind {
    Administrator,
    /// An IAM user, by name.
    User(String),
    /// A session of the role with that name.
    Role(String),
}

/// The sessions of roles.
#[derive(Default)]
pub(crate) struct Sessions {
    /// By access key id.
    pub(crate) issued: HashMap<String, Session>,
    /// The session that credentials from elsewhere stand for.
    pub(crate) foreign: Option<Session>,
}

pub(crate) struct Session {
    pub(crate) account: String,
    pub(crate) role: String,
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) expires: Option<DateTime<Utc>>,
}

/// The role's name without its path, as in the ARN of its sessions.
pub(crate) fn role_name(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}
