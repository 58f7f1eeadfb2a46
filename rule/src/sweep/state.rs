//! What became of each user of a sweep.

use super::plan::Pending;
use crate::{aws::client::CallError, user::Evaluated};
use chrono::{DateTime, Utc};
use policy::{access_key::AccessKey, recorded_result::RecordedResult};

/// What became of a user.
#[derive(Debug)]
pub(crate) enum State {
    /// To be read.
    Pending,
    /// The keys were read by name only: they may be those of another user.
    Unconfirmed(Box<Unconfirmed>),
    /// Listed, but not found by name and id a moment later.
    NotFound(Box<Pending>),
    /// Could not be read.
    Unread(Box<Unknown>),
    /// Has a verdict, for which no last use had to be read, or all were.
    Evaluated,
    /// Has a verdict, but the last use of a key could not be read.
    WithoutLastUse(Box<Unknown>),
    /// The user is gone.
    Gone,
}

/// A user whose keys were read by name only. In a first sweep, thousands wait for the second listing: their assessments would take
/// several times the memory, and are made again once it is known whose keys they are.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    /// The name under which the keys were read.
    pub(crate) name: String,
    /// When the user was created.
    pub(crate) created: DateTime<Utc>,
    pub(crate) keys: Box<[AccessKey]>,
    /// The result that AWS Config recorded, if it is known.
    pub(crate) recorded: Option<Box<RecordedResult>>,
}

/// A user about whom something is unknown, and why.
#[derive(Debug)]
pub(crate) struct Unknown {
    pub(crate) name: String,
    pub(crate) error: CallError,
}

/// A user with a verdict, and the result that AWS Config recorded, if it is known.
pub(crate) type Result = (Evaluated, Option<Box<RecordedResult>>);

impl State {
    pub(crate) fn unread(name: String, error: CallError) -> State {
        State::Unread(Box::new(Unknown { name, error }))
    }
}
