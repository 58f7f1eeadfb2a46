//! What became of each user of a sweep.

use super::plan::Pending;
use crate::{aws::client::CallError, user::Evaluated};
use policy::recorded_result::RecordedResult;

/// What became of a user.
#[derive(Debug)]
pub(crate) enum State {
    /// To be read.
    Pending,
    /// The keys were read by name only: they may be those of another user.
    Unconfirmed(Box<Result>),
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
