//! What is missing after the reads of an account: the users who could not be read, and the errors to raise.

use super::state::{State, Unknown};
use crate::{
    aws::{
        account::Account,
        client::{CallError, Failure},
        iam::{GET_ACCESS_KEY_LAST_USED, LIST_USERS},
    },
    error::Error,
    user::{Control, not_yet_consistent},
};
use policy::text::{count, excerpt};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tracing::warn;

/// How many unknown users an error names.
const NAMED: usize = 10;
/// How many of them the log names, one by one.
const LOGGED: usize = 100;
/// If an action is denied for this many users and granted for none, it is denied for the account.
const MANY: usize = 16;

/// What the reads of an account did not find out.
#[derive(Debug, Default)]
pub(crate) struct Unread {
    /// How many users there are, as far as is known.
    listed: usize,
    /// Whether reads were stopped early. The reason is raised elsewhere.
    stopped: bool,
    /// Why the listing of users is incomplete.
    listing: Option<CallError>,
    /// The users whose turn did not come.
    not_reached: usize,
    /// The users who could not be read for reasons other than a denial.
    failed: Vec<UnreadUser>,
    /// By action: the users who could not be read because a policy denies it.
    denied: BTreeMap<&'static str, Denied>,
    /// The users who have a key of unknown last use for reasons other than a denial.
    without_last_use: Vec<UnreadUser>,
    /// The same because a policy denies the action.
    last_use_denied: Denied,
    /// Why it is unknown who is exposed, if it is.
    pub(crate) exposure: Option<CallError>,
}

/// A user who could not be read.
#[derive(Debug)]
struct UnreadUser {
    name: String,
    id: String,
    error: CallError,
    /// Whether the user is known to be shielded.
    is_known: bool,
}

/// Users for whom an action was denied.
#[derive(Debug, Default)]
struct Denied {
    users: Vec<UnreadUser>,
    /// Whether it is granted for others.
    control: Control,
}

impl Denied {
    /// Whether the users are shielded by a policy, which would do the same to a retry.
    fn is_shield(&self) -> bool {
        self.control == Control::Granted
    }

    /// How many of them are not known to be shielded, or are not shielded but denied to the rule for all.
    fn unexpected(&self) -> usize {
        self.users.iter().filter(|user| !(user.is_known && self.is_shield())).count()
    }

    /// The error of one of them.
    fn error(&self) -> Option<&CallError> {
        self.users.first().map(|user| &user.error)
    }
}

impl Unread {
    /// Folds what became of each user, and logs the first of those who are unknown: others before those whose ids are known to be
    /// shielded, and by name.
    pub(crate) fn of(
        states: HashMap<String, State>,
        listing: Option<CallError>,
        stopped: bool,
        known_shielded: &BTreeSet<String>,
    ) -> Unread {
        let mut unread = Unread { listed: states.len(), listing, stopped, ..Unread::default() };
        states.into_iter().for_each(|(id, state)| unread.add(id, state, known_shielded));
        unread.sort_and_log();
        unread
    }

    fn add(&mut self, id: String, state: State, known_shielded: &BTreeSet<String>) {
        let is_known = known_shielded.contains(&id);
        let user = |name, error| UnreadUser { name, id, error, is_known };
        match state {
            State::Evaluated | State::Gone => {}
            State::Pending => self.not_reached += 1,
            // A user who could not be found by the name in the second listing either.
            State::NotFound(pending) => self.failed.push(user(pending.user.name, not_yet_consistent())),
            State::Unconfirmed(read) => self.failed.push(user(read.name, not_yet_consistent())),
            State::Unread(unknown) => {
                let Unknown { name, error } = *unknown;
                // That a listing is denied says nothing of one user.
                if error.kind == Failure::Denied && error.action != LIST_USERS {
                    self.denied.entry(error.action).or_default().users.push(user(name, error));
                } else {
                    self.failed.push(user(name, error));
                }
            }
            State::WithoutLastUse(unknown) => {
                let Unknown { name, error } = *unknown;
                let is_denied = error.kind == Failure::Denied;
                let users = if is_denied { &mut self.last_use_denied.users } else { &mut self.without_last_use };
                users.push(user(name, error));
            }
        }
    }

    /// The order of a map differs from one run to the next.
    fn sort_and_log(&mut self) {
        let Unread { failed, denied, without_last_use, last_use_denied, .. } = self;
        let unknown = [failed].into_iter().chain(denied.values_mut().map(|denied| &mut denied.users));
        let last_use_unknown = [without_last_use, &mut last_use_denied.users];
        let lists = unknown.map(|users| (users, "user unknown"));
        let lists = lists.chain(last_use_unknown.map(|users| (users, "last use unknown")));
        let mut left = LOGGED;
        for (users, what) in lists {
            users.sort_unstable_by(|one, other| (one.is_known, &one.name).cmp(&(other.is_known, &other.name)));
            for UnreadUser { name, id, error, .. } in users.iter().take(left) {
                warn!(user = name, id, %error, "{what}");
            }
            left -= left.min(users.len());
        }
    }

    /// The actions that were denied for some users.
    pub(crate) fn denied(&self) -> Vec<&'static str> {
        self.denied.keys().copied().chain(self.last_use_denied.error().map(|error| error.action)).collect()
    }

    /// Records whether a denied action is granted for users who could be read before.
    pub(crate) fn control(&mut self, action: &str, control: Control) {
        if action == GET_ACCESS_KEY_LAST_USED {
            self.last_use_denied.control = control;
        } else if let Some(denied) = self.denied.get_mut(action) {
            denied.control = control;
        }
    }

    /// How many users could not be read or were not reached. Those for whom a retry is expected to help do not count, nor those who
    /// are known to be shielded, and are.
    pub(crate) fn users_unknown(&self) -> usize {
        let denied: usize = self.denied.values().map(Denied::unexpected).sum();
        self.not_reached + self.failed.len() + denied - self.not_yet_consistent()
    }

    fn not_yet_consistent(&self) -> usize {
        self.failed.iter().filter(|user| user.error.kind == Failure::NotYetConsistent).count()
    }

    /// The errors to raise. If an action is denied for a user and granted for others, a policy shields that user, who is then
    /// unknown, counted and logged. `shielded_too` says whether that is an error: it is not if a retry would end in the same
    /// way.
    pub(crate) fn errors(mut self, account: &Account<'_>, shielded_too: bool) -> Vec<Error> {
        if !shielded_too {
            self.denied.retain(|_, denied| !denied.is_shield());
            if self.last_use_denied.is_shield() {
                self.last_use_denied.users.clear();
            }
        }
        let mut errors = Vec::new();
        if let Some(error) = self.listing.iter().find(|error| error.kind == Failure::Denied) {
            errors.push(account.error(error));
        }
        for denied in self.denied.values() {
            let Some(error) = denied.error() else { continue };
            let to_all = denied.users.len() >= MANY && !account.calls.granted(error.action);
            if denied.control == Control::Denied || denied.control == Control::Unknown && to_all {
                errors.push(account.error(error));
            }
        }
        if self.is_time_up() {
            let text = "Time ran out. The next sweep continues with the remaining users. If this happens again, find out why \
                        IAM throttles calls in this account, or give the function more memory.";
            errors.push(Error::DeadlineExceeded(text.to_owned()));
        }
        if let Some(error) = &self.listing {
            errors.push(Error::Incomplete(format!("The list of users is incomplete: {error}.")));
        }
        errors.extend(self.unknown_users());
        errors.extend(self.unknown_last_uses(account));
        errors.extend(self.exposure.iter().flat_map(|error| unknown_exposure_errors(account, error)));
        errors
    }

    fn is_time_up(&self) -> bool {
        let mut reasons = self.failed.iter().map(|user| &user.error).chain(&self.listing);
        reasons.any(|error| error.kind == Failure::TimeUp) || self.not_reached > 0 && !self.stopped
    }

    fn unknown_users(&self) -> Option<Error> {
        let denied = self.denied.values().flat_map(|denied| &denied.users);
        let mut unread: Vec<_> = self.failed.iter().chain(denied).collect();
        let missing = self.not_reached + unread.len();
        if missing == 0 {
            return None;
        }
        unread.sort_by(|one, other| one.name.cmp(&other.name));
        let named = unread.iter().take(NAMED).map(|user| format!("{} ({})", excerpt(&user.name), user.error));
        let named = named.collect::<Vec<_>>().join(", ");
        let named = if named.is_empty() { named } else { format!(": {named}") };
        let text = format!("{missing} of {} users unknown{named}.", self.listed);
        let is_settled_by_a_retry = missing == self.not_yet_consistent();
        Some(if is_settled_by_a_retry { Error::NotYetConsistent(text) } else { Error::Incomplete(text) })
    }

    fn unknown_last_uses(&self, account: &Account<'_>) -> Vec<Error> {
        let denied = self.last_use_denied.error();
        let Some(error) = denied.or(self.without_last_use.first().map(|user| &user.error)) else { return Vec::new() };
        let mut errors = Vec::new();
        if let Some(denied) = denied
            && (self.last_use_denied.control == Control::Denied || !account.calls.granted(denied.action))
        {
            errors.push(account.error(denied));
        }
        let users = self.last_use_denied.users.len() + self.without_last_use.len();
        errors.push(Error::Incomplete(format!(
            "The last use of keys is unknown for {} in violation: {error}.",
            count(users, "user")
        )));
        errors
    }
}

/// The errors to raise if it is unknown whether users are exposed.
pub(crate) fn unknown_exposure_errors(account: &Account<'_>, error: &CallError) -> Vec<Error> {
    let denied = (error.kind == Failure::Denied).then(|| account.error(error));
    let text = format!("It is unknown whether AWS found access keys of users in public: {error}.");
    denied.into_iter().chain([Error::Incomplete(text)]).collect()
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

    fn states(of: fn(Box<Unknown>) -> State, number: usize) -> impl Iterator<Item = (String, State)> {
        let error = CallError { action: "iam:ListAccessKeys", kind: Failure::Other, code: "Failed".to_owned() };
        (0..number).map(move |n| {
            let state = of(Box::new(Unknown { name: format!("user-{n}"), error: error.clone() }));
            (format!("AIDA{n}{state:?}"), state)
        })
    }

    /// What is missing, and how many lines the log has about it. Each test has a subscriber, since what one has no interest in,
    /// another that runs at the same time could miss.
    fn logged(states: HashMap<String, State>, known_shielded: &BTreeSet<String>) -> (Unread, usize) {
        let lines = Arc::new(AtomicUsize::new(0));
        let subscriber = registry().with(Lines(lines.clone()));
        let unread = with_default(subscriber, || Unread::of(states, None, false, known_shielded));
        (unread, lines.load(Relaxed))
    }

    /// How many lines the log has about so many unread users and users with a key of unknown last use.
    fn lines(unread: usize, without_last_use: usize) -> usize {
        let unread = states(State::Unread, unread);
        let without_last_use = states(State::WithoutLastUse, without_last_use);
        logged(unread.chain(without_last_use).collect(), &BTreeSet::new()).1
    }

    #[test]
    fn the_log_names_unknown_users_one_by_one_up_to_a_limit() {
        for (unread, without_last_use, expected) in [(3, 2, 5), (150, 0, LOGGED), (0, 150, LOGGED), (60, 60, LOGGED)] {
            assert_eq!(lines(unread, without_last_use), expected, "{unread} and {without_last_use}");
        }
    }

    #[test]
    fn a_known_user_does_not_count_while_shielded_and_is_named_after_the_others() {
        let error = CallError { action: "iam:GetUser", kind: Failure::Denied, code: "AccessDenied".to_owned() };
        let users = [("AIDA1", "known"), ("AIDA2", "other")];
        let states = users.map(|(id, name)| (id.to_owned(), State::unread(name.to_owned(), error.clone())));
        let known = ["AIDA1".to_owned(), "AIDA9".to_owned()].into();
        let (mut unread, lines) = logged(states.into(), &known);
        assert_eq!(lines, 2);
        let named: Vec<_> = unread.denied["iam:GetUser"].users.iter().map(|user| user.name.as_str()).collect();
        assert_eq!(named, ["other", "known"]);
        for (control, expected) in [(Control::Granted, 1), (Control::Denied, 2), (Control::Unknown, 2)] {
            unread.control("iam:GetUser", control);
            assert_eq!(unread.users_unknown(), expected, "{control:?}");
        }
    }

    #[test]
    fn users_for_whom_a_retry_is_expected_to_help_are_not_counted() {
        let mut states: HashMap<_, _> = states(State::Unread, 3).collect();
        let new = Unknown { name: "new".to_owned(), error: not_yet_consistent() };
        states.insert("NEW".to_owned(), State::Unread(Box::new(new)));
        states.insert("LATER".to_owned(), State::Pending);
        states.insert("READ".to_owned(), State::Evaluated);
        let (unread, _) = logged(states, &BTreeSet::new());
        assert_eq!((unread.listed, unread.users_unknown()), (6, 4));
    }
}
