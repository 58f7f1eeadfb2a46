//! Reads and evaluates the users of an account within the time for reads, and records the users who could not be read.

use super::{
    outcome::ReadOutcome,
    reconcile::{Became, Known, reconcile},
    user::{CONTROLS, Confirm, Evaluated, Evaluator, Facts, control, not_yet_consistent},
};
use crate::{
    aws::{
        calls::{CallError, Failure},
        iam::{GET_ACCESS_KEY_LAST_USED, GET_USER, LIST_ACCESS_KEYS, Listing, User, list_users},
    },
    config::results::HeldResult,
    lock,
};
use futures_util::{Stream, StreamExt, future::ready};
use policy::decision::Verdict;
use std::{
    collections::BTreeMap,
    mem::take,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout_at},
};

/// How many users are read at a time: at 30 ms an answer, 5,000 in ten seconds.
const READS_AT_A_TIME: usize = 16;
/// How many users in violation have the last use of their keys read at a time. The others wait without delaying anybody.
const LAST_USES_AT_A_TIME: usize = 16;
/// After this many failures in a row, the last use of keys is no longer read.
const LAST_USE_FAILURES: u32 = 16;

/// A user to read.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) user: User,
    /// The result that AWS Config holds, if it is known. Boxed, since most of thousands have none in a first sweep.
    pub(crate) held: Option<Box<HeldResult>>,
}

/// Reads of one account.
pub(crate) struct Reads<'a> {
    evaluator: Evaluator<'a>,
    outcome: Mutex<ReadOutcome>,
    /// Users who were listed but could not be found by their name a moment later.
    vanished: Mutex<Vec<Pending>>,
    /// Users whose keys were read by name only: the keys may be those of another user.
    #[expect(clippy::vec_box, reason = "thousands of them are freed one by one as they are delivered")]
    unconfirmed: Mutex<Vec<Box<(Pending, Evaluated)>>>,
    /// By action: some for whom it was granted. See [`control`].
    controls: Mutex<BTreeMap<&'static str, Vec<String>>>,
    /// Names of some users who were read without a call of an action that others need, or who could be read earlier.
    readable: Mutex<Vec<String>>,
    last_uses: Semaphore,
    last_use_failures: FailuresInARow,
    stop: Notify,
}

/// What a second listing of users showed.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// The evaluations that are now known to be about the right user.
    #[expect(clippy::vec_box, reason = "as above")]
    pub(crate) confirmed: Vec<Box<(Pending, Evaluated)>>,
    /// The users to read again.
    pub(crate) again: Vec<Pending>,
    /// The ids of users who are gone.
    pub(crate) gone: Vec<String>,
}

/// How many users in violation in a row have a key whose last use could not be read.
#[derive(Default)]
struct FailuresInARow(AtomicU32);

impl FailuresInARow {
    fn count(&self, evaluated: &Evaluated) {
        match evaluated.unknown_use {
            Some(_) => drop(self.0.fetch_add(1, Relaxed)),
            None if !evaluated.verdict.violations.is_empty() => self.0.store(0, Relaxed),
            // No last use was read.
            None => {}
        }
    }

    fn are_too_many(&self) -> bool {
        self.0.load(Relaxed) >= LAST_USE_FAILURES
    }
}

impl Settled {
    /// Adds a user whose keys are not known.
    fn add(&mut self, pending: Pending, became: Became, outcome: &mut ReadOutcome, broken_off: Option<&CallError>) {
        let Pending { user, held } = pending;
        match became {
            Became::ReadAgain(user) => self.again.push(Pending { user, held }),
            Became::Gone => {
                outcome.evaluated += 1;
                self.gone.push(user.id);
            }
            Became::NotYetConsistent => outcome.unread(&user.name, &not_yet_consistent()),
            Became::Unknown | Became::Confirmed => outcome.unconfirmed(&user.name, broken_off),
        }
    }
}

impl<'a> Reads<'a> {
    pub(crate) fn new(evaluator: Evaluator<'a>) -> Reads<'a> {
        Reads {
            evaluator,
            outcome: Mutex::default(),
            vanished: Mutex::default(),
            unconfirmed: Mutex::default(),
            controls: Mutex::default(),
            readable: Mutex::default(),
            last_uses: Semaphore::new(LAST_USES_AT_A_TIME),
            last_use_failures: FailuresInARow::default(),
            stop: Notify::new(),
        }
    }

    /// Lists the users, and starts the outcome with them.
    pub(crate) async fn list(&self) -> Listing {
        let account = self.evaluator.account;
        let listing = list_users(account, account.ends.reads).await;
        *self.outcome() = ReadOutcome::of_listing(listing.users.len(), listing.broken_off.clone());
        listing
    }

    /// Counts a user who need not be read.
    pub(crate) fn cleared(&self, user: &User, verdict: &Verdict) {
        self.evaluated(verdict);
        some(&mut lock(&self.readable), &user.name);
    }

    /// The evaluations of users of whom it is known at once whose keys were read, as they arrive. With [`Confirm::Later`], most
    /// users are left to [`Reads::settle`]. A user without an evaluation is in the outcome.
    pub(crate) fn evaluations(
        &self,
        pending: impl Stream<Item = Pending>,
        confirm: Confirm,
    ) -> impl Stream<Item = (Pending, Evaluated)> {
        pending
            .map(move |pending| self.read(pending, confirm))
            .buffer_unordered(READS_AT_A_TIME)
            .take_until(self.end_of_reads())
            .filter_map(ready)
            .map(|(pending, facts)| self.complete(pending, facts))
            .buffer_unordered(usize::MAX)
            .filter_map(ready)
    }

    async fn read(&self, pending: Pending, confirm: Confirm) -> Option<(Pending, Facts)> {
        let User { name, id, .. } = &pending.user;
        match self.evaluator.read(name, id, confirm).await {
            Ok(Some(facts)) => {
                self.granted(LIST_ACCESS_KEYS, name);
                if facts.are_confirmed() {
                    self.granted(GET_USER, name);
                }
                return Some((pending, facts));
            }
            Ok(None) => lock(&self.vanished).push(pending),
            Err(error) => self.outcome().unread(name, &error),
        }
        None
    }

    async fn complete(&self, pending: Pending, facts: Facts) -> Option<(Pending, Evaluated)> {
        let Some(evaluated) = self.with_last_use(&pending.user, facts).await else {
            lock(&self.vanished).push(pending);
            return None;
        };
        if evaluated.tags.is_none() {
            some(&mut lock(&self.readable), &pending.user.name);
            lock(&self.unconfirmed).push(Box::new((pending, evaluated)));
            return None;
        }
        match &evaluated.unknown_use {
            Some(error) => self.outcome().without_last_use(&pending.user.name, error),
            None => evaluated.verdict.violations.iter().for_each(|key| self.granted(GET_ACCESS_KEY_LAST_USED, key)),
        }
        self.evaluated(&evaluated.verdict);
        Some((pending, evaluated))
    }

    async fn with_last_use(&self, user: &User, facts: Facts) -> Option<Evaluated> {
        if !facts.are_confirmed() {
            // No key is stale, so there is no last use to read and no permit to wait for.
            return Box::pin(self.evaluator.complete(facts, user)).await;
        }
        let _permit = self.last_uses.acquire().await;
        let why = |kind, code: &str| CallError { action: GET_ACCESS_KEY_LAST_USED, kind, code: code.to_owned() };
        if self.last_use_failures.are_too_many() {
            let why = why(Failure::Other, "skipped after failures for other users");
            return Some(self.evaluator.without_last_use(facts, why));
        }
        if Instant::now() >= self.evaluator.account.ends.reads {
            return Some(self.evaluator.without_last_use(facts, why(Failure::TimeUp, "no time left")));
        }
        // Boxed to keep the outer future small: thousands of users in violation may wait for a permit at once.
        let evaluated = Box::pin(self.evaluator.complete(facts, user)).await?;
        self.last_use_failures.count(&evaluated);
        Some(evaluated)
    }

    /// Lists the users again, in time of its own, to find out whose keys were read, who is renamed or new, and who is gone. `missing`
    /// are results whose users were not listed.
    pub(crate) async fn settle(&self, missing: Vec<HeldResult>) -> Settled {
        let Evaluator { account, .. } = self.evaluator;
        let unconfirmed = take(&mut *lock(&self.unconfirmed));
        let vanished = take(&mut *lock(&self.vanished));
        let mut settled = Settled::default();
        if missing.is_empty() && vanished.is_empty() && unconfirmed.is_empty() {
            return settled;
        }
        let Listing { mut users, broken_off } = list_users(account, account.ends.confirmation).await;
        // Sorted, since a map of thousands would take as much memory again.
        users.sort_unstable_by(|one, other| one.id.cmp(&other.id));
        let found = |id: &str| users.binary_search_by(|user| user.id.as_str().cmp(id)).ok().map(|at| &users[at]);
        let is_complete = broken_off.is_none();
        let mut outcome = self.outcome();
        for read in unconfirmed {
            let (Pending { user, .. }, evaluated) = &*read;
            let known = Known { read_under: Some(&user.name), is_new: self.evaluator.is_fresh(user.created) };
            match reconcile(known, found(&user.id), is_complete) {
                Became::Confirmed => {
                    outcome.evaluated += 1;
                    self.evaluator.metrics.verdict(&evaluated.verdict);
                    settled.confirmed.push(read);
                }
                became => settled.add(read.0, became, &mut outcome, broken_off.as_ref()),
            }
        }
        for pending in vanished {
            let known = Known { read_under: None, is_new: self.evaluator.is_fresh(pending.user.created) };
            let became = reconcile(known, found(&pending.user.id), is_complete);
            settled.add(pending, became, &mut outcome, broken_off.as_ref());
        }
        for held in missing {
            let is_new = held.recorded.is_some_and(|recorded| self.evaluator.is_fresh(recorded));
            match reconcile(Known { read_under: None, is_new }, found(&held.user_id), is_complete) {
                Became::ReadAgain(user) => {
                    outcome.listed += 1;
                    settled.again.push(Pending { user, held: Some(Box::new(held)) });
                }
                Became::Gone => settled.gone.push(held.user_id),
                // The result stays. The next sweep decides.
                Became::NotYetConsistent | Became::Unknown | Became::Confirmed => {}
            }
        }
        if let Some(error) = broken_off {
            outcome.listing_broken_off(error);
        }
        settled
    }

    /// Ends when the time for reads is up, or when reads are stopped.
    async fn end_of_reads(&self) {
        let _ = timeout_at(self.evaluator.account.ends.reads, self.stop.notified()).await;
    }

    /// Stops reads, because their results cannot be delivered.
    pub(crate) fn stop(&self) {
        self.outcome().stopped = true;
        self.stop.notify_one();
    }

    /// The outcome of all reads. A user who could not be found by the name in the second listing either is unknown.
    pub(crate) async fn finish(self) -> ReadOutcome {
        let Evaluator { account, metrics, .. } = self.evaluator;
        let mut outcome = self.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
        for Pending { user, .. } in lock(&self.vanished).drain(..) {
            outcome.unread(&user.name, &not_yet_consistent());
        }
        let (mut granted, readable) = (take(&mut *lock(&self.controls)), take(&mut *lock(&self.readable)));
        for action in outcome.denied() {
            let subjects = granted.remove(action).unwrap_or_else(|| match action {
                // It asks about keys.
                GET_ACCESS_KEY_LAST_USED => Vec::new(),
                _ => readable.clone(),
            });
            outcome.control(action, control(account, action, &subjects).await);
        }
        metrics.unknown(outcome.users_unknown());
        outcome
    }

    fn evaluated(&self, verdict: &Verdict) {
        self.outcome().evaluated += 1;
        self.evaluator.metrics.verdict(verdict);
    }

    fn granted(&self, action: &'static str, subject: &str) {
        some(lock(&self.controls).entry(action).or_default(), subject);
    }

    fn outcome(&self) -> MutexGuard<'_, ReadOutcome> {
        lock(&self.outcome)
    }
}

/// Keeps the first few.
fn some(subjects: &mut Vec<String>, subject: &str) {
    if subjects.len() < CONTROLS {
        subjects.push(subject.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_in_a_row_end_the_reads_of_last_uses() {
        let error = || CallError { action: GET_ACCESS_KEY_LAST_USED, kind: Failure::Other, code: "Failed".to_owned() };
        let evaluated = |violations: &[&str], unknown_use| Evaluated {
            verdict: Verdict {
                violations: violations.iter().map(|id| (*id).to_owned()).collect(),
                ..Verdict::not_applicable()
            },
            keys: Vec::new(),
            tags: None,
            unknown_use,
        };
        let (failed, read, exempt) =
            (evaluated(&["AKIAONE"], Some(error())), evaluated(&["AKIAONE"], None), evaluated(&[], None));
        let failures = FailuresInARow::default();
        for _ in 0..3 {
            (1..LAST_USE_FAILURES).for_each(|_| failures.count(&failed));
            assert!(!failures.are_too_many());
            failures.count(&read);
        }
        for _ in 0..LAST_USE_FAILURES {
            assert!(!failures.are_too_many());
            failures.count(&failed);
            failures.count(&exempt);
        }
        assert!(failures.are_too_many());
    }
}
