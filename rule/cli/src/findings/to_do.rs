//! What somebody should do about an access key, in a word or two.

use crate::findings::{
    board::{Board, Place},
    finding::{Finding, Key},
};

/// What to do about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Do {
    /// AWS found a key of the user in public: deactivate all of them now.
    Exposed,
    /// It is in use: create a new one, and switch to it.
    Rotate,
    /// Nothing uses it.
    SwitchOff,
    /// Its last use could not be read.
    FindOut,
    /// It is old, and nothing can use it.
    Delete,
    /// A rotation cannot go on.
    Unblock,
    /// It rotates by itself.
    Wait,
}

impl Do {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Do::Exposed => "EXPOSED",
            Do::Rotate => "rotate",
            Do::SwitchOff => "switch off",
            Do::FindOut => "find out",
            Do::Delete => "delete",
            Do::Unblock => "unblock",
            Do::Wait => "wait",
        }
    }

    /// `None` if nobody needs to do anything about the key.
    pub(crate) fn of(finding: &Finding, key: &Key, board: &Board) -> Option<Do> {
        let is_violation = finding.violates(key);
        match board.place(finding, key) {
            Some(Place::Exposed) => Some(Do::Exposed),
            Some(Place::Blocked) => Some(Do::Unblock),
            Some(Place::Rotating | Place::Settling) => is_violation.then_some(Do::Wait),
            Some(Place::OldInactive) => Some(Do::Delete),
            _ if !is_violation => None,
            _ if finding.takes_part() => Some(Do::Wait),
            _ => Some(match key.is_in_use(board.terms.quiet_days, board.terms.scanned_at) {
                None => Do::FindOut,
                Some(true) => Do::Rotate,
                Some(false) => Do::SwitchOff,
            }),
        }
    }
}

/// Whether there is something to do about the user or one of the keys.
pub(crate) fn is_to_do(finding: &Finding, board: &Board) -> bool {
    // Without an active key, the policy is still attached to an exposed user.
    finding.is_exposed() || finding.access_keys.iter().any(|key| Do::of(finding, key, board).is_some())
}
