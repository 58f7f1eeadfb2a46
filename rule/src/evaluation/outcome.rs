//! The outcome of the reads of an account: the users who could not be read, and the errors to raise.

use super::user::Control;
use crate::{
    aws::{
        account::Account,
        calls::{CallError, Failure},
        iam::GET_ACCESS_KEY_LAST_USED,
    },
    error::Error,
};
use policy::text::{count, excerpt};
use std::collections::BTreeMap;
use tracing::warn;

/// How many unknown users an error names.
const NAMED: usize = 10;
/// How many of them the log names, one by one.
const LOGGED: usize = 100;
/// If an action is denied for this many users and granted for none, it is denied for the account.
const MANY: usize = 16;

/// Counts what the reads of an account achieved, and what they did not.
#[derive(Debug, Default)]
pub(crate) struct ReadOutcome {
    /// How many users there are, as far as is known.
    pub(crate) listed: usize,
    /// How many users have a verdict.
    pub(crate) evaluated: usize,
    /// Whether reads were stopped early. The reason is raised elsewhere.
    pub(crate) stopped: bool,
    /// Why the listing of users is incomplete.
    listing: Option<CallError>,
    /// How many users could not be read for reasons other than a denial.
    failed: usize,
    /// Some of these users, with the reasons.
    named: Vec<String>,
    /// By action: the users who could not be read because a policy denies it.
    denied: BTreeMap<&'static str, Denied>,
    /// How many users could not be read because IAM's answers about them do not agree yet.
    not_yet_consistent: usize,
    /// How many users have a key of unknown last use for reasons other than a denial, and one of the reasons.
    without_last_use: Option<(usize, CallError)>,
    /// The same because a policy denies the action.
    last_use_denied: Option<Denied>,
    time_up: bool,
    logged: usize,
}

/// Users for whom an action was denied.
#[derive(Debug)]
struct Denied {
    error: CallError,
    users: usize,
    named: Vec<String>,
    /// Whether it is granted for others.
    control: Control,
}

impl Denied {
    fn new(error: &CallError) -> Denied {
        Denied { error: error.clone(), users: 0, named: Vec::new(), control: Control::Unknown }
    }
}

impl ReadOutcome {
    pub(crate) fn of_listing(listed: usize, broken_off: Option<CallError>) -> ReadOutcome {
        let mut outcome = ReadOutcome { listed, ..ReadOutcome::default() };
        if let Some(error) = broken_off {
            outcome.listing_broken_off(error);
        }
        outcome
    }

    /// Records that users may be missing from the listing.
    pub(crate) fn listing_broken_off(&mut self, error: CallError) {
        self.time_up |= error.kind == Failure::TimeUp;
        self.listing.get_or_insert(error);
    }

    /// Records a user who could not be read.
    pub(crate) fn unread(&mut self, user_name: &str, error: &CallError) {
        self.log(user_name, error, "user unknown");
        let named = match error.kind {
            Failure::Denied => {
                let denied = self.denied.entry(error.action).or_insert_with(|| Denied::new(error));
                denied.users += 1;
                &mut denied.named
            }
            kind => {
                self.time_up |= kind == Failure::TimeUp;
                self.not_yet_consistent += usize::from(kind == Failure::NotYetConsistent);
                self.failed += 1;
                &mut self.named
            }
        };
        name(named, user_name, error);
    }

    /// Records a user of whom it is not known whose keys were read, because the second listing broke off.
    pub(crate) fn unconfirmed(&mut self, user_name: &str, broken_off: Option<&CallError>) {
        self.failed += 1;
        if let Some(error) = broken_off {
            self.log(user_name, error, "user unknown");
            name(&mut self.named, user_name, error);
        }
    }

    /// Records a user who has a key of unknown last use.
    pub(crate) fn without_last_use(&mut self, user_name: &str, error: &CallError) {
        self.log(user_name, error, "last use unknown");
        match error.kind {
            Failure::Denied => self.last_use_denied.get_or_insert_with(|| Denied::new(error)).users += 1,
            _ => self.without_last_use.get_or_insert_with(|| (0, error.clone())).0 += 1,
        }
    }

    fn log(&mut self, user_name: &str, error: &CallError, what: &str) {
        if self.logged < LOGGED {
            warn!(user = user_name, %error, "{what}");
            self.logged += 1;
        }
    }

    /// The actions that were denied for some users.
    pub(crate) fn denied(&self) -> Vec<&'static str> {
        self.denied.keys().copied().chain(self.last_use_denied.iter().map(|denied| denied.error.action)).collect()
    }

    /// Records whether a denied action is granted for users who could be read before.
    pub(crate) fn control(&mut self, action: &str, control: Control) {
        let denied = match action {
            GET_ACCESS_KEY_LAST_USED => self.last_use_denied.as_mut(),
            _ => self.denied.get_mut(action),
        };
        if let Some(denied) = denied {
            denied.control = control;
        }
    }

    /// How many users could not be read or were not reached. Those whom a retry is expected to settle do not count.
    pub(crate) fn users_unknown(&self) -> usize {
        self.missing().saturating_sub(self.not_yet_consistent)
    }

    fn missing(&self) -> usize {
        self.listed.saturating_sub(self.evaluated)
    }

    /// The errors to raise. If an action is denied for a user and granted for others, a policy shields that user, who is then
    /// unknown, counted and logged. `shielded_too` says whether that is an error: it is not if a retry would end in the same
    /// way.
    pub(crate) fn errors(self, account: &Account<'_>, shielded_too: bool) -> Vec<Error> {
        let mut errors = Vec::new();
        let mut missing = self.missing();
        let mut accounted_for = self.failed;
        let mut named = self.named;
        if let Some(error) = self.listing.iter().find(|error| error.kind == Failure::Denied) {
            errors.push(account.error(error));
        }
        for denied in self.denied.into_values() {
            if denied.control == Control::Granted && !shielded_too {
                missing = missing.saturating_sub(denied.users);
                continue;
            }
            accounted_for += denied.users;
            named.extend(denied.named);
            let to_all = denied.users >= MANY && !account.calls.granted(denied.error.action);
            if denied.control == Control::Denied || denied.control == Control::Unknown && to_all {
                errors.push(account.error(&denied.error));
            }
        }
        if self.time_up || missing > accounted_for && !self.stopped {
            let text = "Time ran out. The next sweep continues with the remaining users. If this happens again, find out why \
                        IAM throttles calls in this account, or give the function more memory.";
            errors.push(Error::DeadlineExceeded(text.to_owned()));
        }
        if let Some(error) = &self.listing {
            errors.push(Error::Incomplete(format!("The list of users is incomplete: {error}.")));
        }
        if missing > 0 {
            // Reads end in any order.
            named.sort();
            named.truncate(NAMED);
            let named = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
            let text = format!("{missing} of {} users unknown{named}.", self.listed);
            errors.push(match missing > self.not_yet_consistent {
                true => Error::Incomplete(text),
                false => Error::NotYetConsistent(text),
            });
        }
        let denied = self.last_use_denied.filter(|denied| denied.control != Control::Granted || shielded_too);
        if let Some(denied) = &denied
            && (denied.control == Control::Denied || !account.calls.granted(denied.error.action))
        {
            errors.push(account.error(&denied.error));
        }
        let (failed, denied) = (self.without_last_use, denied.map(|denied| (denied.users, denied.error)));
        let users = failed.iter().chain(&denied).map(|(users, _)| users).sum();
        if let Some((_, error)) = denied.or(failed) {
            errors.push(Error::Incomplete(format!(
                "The last use of keys is unknown for {} in violation: {error}.",
                count(users, "user")
            )));
        }
        errors
    }
}

/// Adds a user to those whom an error names.
fn name(named: &mut Vec<String>, user_name: &str, error: &CallError) {
    if named.len() < NAMED {
        named.push(format!("{} ({error})", excerpt(user_name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    };
    use tracing::{Event, Subscriber, subscriber::with_default};
    use tracing_subscriber::{
        layer::{Context, Layer, SubscriberExt},
        registry,
    };

    struct Lines(Arc<AtomicUsize>);

    impl<S: Subscriber> Layer<S> for Lines {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// How many lines the log has about so many unread users and users with a key of unknown last use.
    fn lines(unread: usize, without_last_use: usize) -> usize {
        let lines = Arc::new(AtomicUsize::new(0));
        with_default(registry().with(Lines(lines.clone())), || {
            let mut outcome = ReadOutcome::of_listing(1000, None);
            let error = CallError { action: "iam:ListAccessKeys", kind: Failure::Other, code: "Failed".to_owned() };
            (0..unread).for_each(|n| outcome.unread(&format!("user-{n}"), &error));
            (0..without_last_use).for_each(|n| outcome.without_last_use(&format!("user-{n}"), &error));
        });
        lines.load(Relaxed)
    }

    #[test]
    fn the_log_names_unknown_users_one_by_one_up_to_a_limit() {
        for (unread, without_last_use, expected) in [(3, 2, 5), (150, 0, LOGGED), (0, 150, LOGGED), (60, 60, LOGGED)] {
            assert_eq!(lines(unread, without_last_use), expected, "{unread} and {without_last_use}");
        }
    }
}
