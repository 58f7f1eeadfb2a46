//! What could not be read of an account's users, and what that means for the invocation.

use crate::{
    aws::{
        account::Account,
        calls::{CallError, Calls, Failure},
    },
    error::Error,
    policy::text::excerpt,
};
use std::collections::BTreeMap;
use tracing::warn;

/// How many unknown users an error names.
const NAMED: usize = 10;
/// How many of them the log names, one by one.
const LOGGED: usize = 100;
/// So many users who are denied, and nobody who is not, are no coincidence.
const MANY: usize = 16;

/// What became of the reads of an account.
#[derive(Debug, Default)]
pub(crate) struct ReadOutcome {
    /// Users there are, as far as is known.
    pub(crate) listed: usize,
    /// Users for whom there is a verdict.
    pub(crate) evaluated: usize,
    /// Whether reads were stopped before their time, which is somebody else's to explain.
    pub(crate) stopped: bool,
    /// Why the listing of users is not complete.
    listing: Option<CallError>,
    /// Users who could not be read, but for those who were denied.
    failed: usize,
    /// Some of those, and why.
    named: Vec<String>,
    /// By action: users who could not be read since a policy denies it.
    denied: BTreeMap<&'static str, Denied>,
    /// Users whose keys' last use is unknown, and why it is of one of them.
    without_last_use: Option<(usize, CallError)>,
    time_up: bool,
    logged: usize,
}

#[derive(Debug)]
struct Denied {
    error: CallError,
    users: usize,
    named: Vec<String>,
    /// Whether it was denied for users who could be read before, too.
    controls: bool,
}

impl ReadOutcome {
    pub(crate) fn of_listing(listed: usize, broken_off: Option<CallError>) -> ReadOutcome {
        let mut outcome = ReadOutcome { listed, ..ReadOutcome::default() };
        if let Some(error) = broken_off {
            outcome.listing_broken_off(error);
        }
        outcome
    }

    /// Notes that users may be missing from the listing.
    pub(crate) fn listing_broken_off(&mut self, error: CallError) {
        self.time_up |= error.kind == Failure::TimeUp;
        self.listing.get_or_insert(error);
    }

    /// Notes a user who could not be read.
    pub(crate) fn unread(&mut self, user_name: &str, error: &CallError) {
        if self.logged < LOGGED {
            warn!(user = user_name, %error, "user unknown");
            self.logged += 1;
        }
        let named = match error.kind {
            Failure::Denied => {
                let denied = Denied { error: error.clone(), users: 0, named: Vec::new(), controls: false };
                let denied = self.denied.entry(error.action).or_insert(denied);
                denied.users += 1;
                &mut denied.named
            }
            kind => {
                self.time_up |= kind == Failure::TimeUp;
                self.failed += 1;
                &mut self.named
            }
        };
        if named.len() < NAMED {
            named.push(format!("{} ({error})", excerpt(user_name)));
        }
    }

    /// Notes a user whose verdict says of a key that its last use is unknown.
    pub(crate) fn without_last_use(&mut self, user_name: &str, error: &CallError) {
        if self.logged < LOGGED {
            warn!(user = user_name, %error, "last use unknown");
            self.logged += 1;
        }
        let (users, _) = self.without_last_use.get_or_insert((0, error.clone()));
        *users += 1;
    }

    /// The actions that were denied for users and granted for nobody so far.
    pub(crate) fn denied_only(&self, calls: &Calls) -> Vec<&'static str> {
        self.denied.keys().copied().filter(|action| !calls.granted(action)).collect()
    }

    /// Notes that an action is denied for users who could be read before, too.
    pub(crate) fn denied_for_controls(&mut self, action: &str) {
        if let Some(denied) = self.denied.get_mut(action) {
            denied.controls = true;
        }
    }

    /// Users who were read in vain, or not reached.
    pub(crate) fn users_unknown(&self) -> usize {
        self.listed.saturating_sub(self.evaluated)
    }

    /// What is to be raised. A user who is denied what is granted for others is shielded by a policy: unknown, counted and logged.
    /// Whether that is an error is for the caller to say: it is none where a repetition would end the same way.
    pub(crate) fn errors(self, account: &Account<'_>, shielded_too: bool) -> Vec<Error> {
        let mut errors = Vec::new();
        let mut missing = self.users_unknown();
        let mut accounted_for = self.failed;
        let mut named = self.named;
        if let Some(error) = self.listing.iter().find(|error| error.kind == Failure::Denied) {
            errors.push(account.error(error));
        }
        for denied in self.denied.into_values() {
            if account.calls.granted(denied.error.action) && !shielded_too {
                missing = missing.saturating_sub(denied.users);
                continue;
            }
            accounted_for += denied.users;
            named.extend(denied.named);
            if !account.calls.granted(denied.error.action) && (denied.users >= MANY || denied.controls) {
                errors.push(account.error(&denied.error));
            }
        }
        if self.time_up || missing > accounted_for && !self.stopped {
            let text = "Time ran out. The next sweep goes on with the users who are left. If this happens again, find out why \
                        IAM throttles its calls in this account, or give the function more memory.";
            errors.push(Error::DeadlineExceeded(text.to_owned()));
        }
        if let Some(error) = &self.listing {
            errors.push(Error::Incomplete(format!("The listing of users broke off: {error}.")));
        }
        if missing > 0 {
            // Reads end in any order.
            named.sort();
            named.truncate(NAMED);
            let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
            errors.push(Error::Incomplete(format!("{missing} of {} users unknown{named}.", self.listed)));
        }
        if let Some((users, error)) = self.without_last_use {
            let denied = error.kind == Failure::Denied;
            let granted = account.calls.granted(error.action);
            if denied && !granted {
                errors.push(account.error(&error));
            }
            if !denied || !granted || shielded_too {
                let text = format!("The last use of keys is unknown for {users} users in violation: {error}.");
                errors.push(Error::Incomplete(text));
            }
        }
        errors
    }
}
