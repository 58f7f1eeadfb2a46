//! Reads and evaluates the users of an account within the time for reads, and records the users who could not be read.

use super::{
    outcome::ReadOutcome,
    user::{CONTROLS, Evaluated, Evaluator, Facts, elusive, is_granted_for_any},
};
use crate::{
    aws::{
        calls::{CallError, Failure},
        iam::{GET_ACCESS_KEY_LAST_USED, Listing, User, list_users},
    },
    config::results::HeldResult,
    lock,
    policy::decision::Verdict,
};
use futures_util::{Stream, StreamExt, future::ready};
use std::{
    collections::HashMap,
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
pub(crate) struct Suspect {
    pub(crate) user: User,
    /// The result that AWS Config holds, if it is known.
    pub(crate) held: Option<HeldResult>,
}

/// Reads of one account.
pub(crate) struct Reads<'a> {
    evaluator: Evaluator<'a>,
    outcome: Mutex<ReadOutcome>,
    /// Users who were listed but could not be found by their name a moment later.
    vanished: Mutex<Vec<Suspect>>,
    /// Users, by id, whose keys were read by name only: the keys may be those of another user.
    by_name: Mutex<HashMap<String, User>>,
    /// Names of users who could be read, now or earlier.
    controls: Mutex<Vec<String>>,
    last_uses: Semaphore,
    last_use_failures: FailuresInARow,
    stop: Notify,
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

impl<'a> Reads<'a> {
    pub(crate) fn new(evaluator: Evaluator<'a>) -> Reads<'a> {
        Reads {
            evaluator,
            outcome: Mutex::default(),
            vanished: Mutex::default(),
            by_name: Mutex::default(),
            controls: Mutex::default(),
            last_uses: Semaphore::new(LAST_USES_AT_A_TIME),
            last_use_failures: FailuresInARow::default(),
            stop: Notify::new(),
        }
    }

    /// Lists the users, and starts the outcome with them.
    pub(crate) async fn list(&self) -> Listing {
        let listing = list_users(self.evaluator.account).await;
        *self.outcome() = ReadOutcome::of_listing(listing.users.len(), listing.broken_off.clone());
        listing
    }

    /// Counts a user who need not be read.
    pub(crate) fn cleared(&self, user: &User, verdict: &Verdict) {
        self.evaluated(verdict);
        self.control(user);
    }

    /// The evaluations as they arrive. A user without one is in the outcome, or is left to [`Reads::settle`].
    pub(crate) fn evaluations(
        &self,
        suspects: impl Stream<Item = Suspect>,
    ) -> impl Stream<Item = (Suspect, Evaluated)> {
        suspects
            .map(|suspect| self.read(suspect))
            .buffer_unordered(READS_AT_A_TIME)
            .take_until(self.end_of_reads())
            .filter_map(ready)
            .map(|(suspect, facts)| self.complete(suspect, facts))
            .buffer_unordered(usize::MAX)
            .filter_map(ready)
    }

    async fn read(&self, suspect: Suspect) -> Option<(Suspect, Facts)> {
        let User { name, id, .. } = &suspect.user;
        match self.evaluator.read_listed(name, id).await {
            Ok(Some(facts)) => return Some((suspect, facts)),
            Ok(None) => lock(&self.vanished).push(suspect),
            Err(error) => self.outcome().unread(name, &error),
        }
        None
    }

    async fn complete(&self, suspect: Suspect, facts: Facts) -> Option<(Suspect, Evaluated)> {
        if !facts.are_of_the_id() {
            lock(&self.by_name).insert(suspect.user.id.clone(), suspect.user.clone());
            self.control(&suspect.user);
        }
        let Some(evaluated) = self.with_last_use(&suspect.user, facts).await else {
            lock(&self.vanished).push(suspect);
            return None;
        };
        if let Some(error) = &evaluated.unknown_use {
            self.outcome().without_last_use(&suspect.user.name, error);
        }
        self.evaluated(&evaluated.verdict);
        Some((suspect, evaluated))
    }

    async fn with_last_use(&self, user: &User, facts: Facts) -> Option<Evaluated> {
        if !facts.are_of_the_id() {
            // No key is stale, so there is no last use to read and no permit to wait for.
            return Box::pin(self.evaluator.complete(&user.name, &user.id, facts)).await;
        }
        let _permit = self.last_uses.acquire().await;
        let why = |kind, code: &str| CallError { action: GET_ACCESS_KEY_LAST_USED, kind, code: code.to_owned() };
        if self.last_use_failures.are_too_many() {
            let why = why(Failure::Other, "skipped after failures for other users");
            return Some(self.evaluator.without_last_use(facts, why));
        }
        if Instant::now() >= self.evaluator.account.reads_end {
            return Some(self.evaluator.without_last_use(facts, why(Failure::TimeUp, "no time left")));
        }
        // Boxed to keep the outer future small: thousands of users in violation may wait for a permit at once.
        let evaluated = Box::pin(self.evaluator.complete(&user.name, &user.id, facts)).await?;
        self.last_use_failures.count(&evaluated);
        Some(evaluated)
    }

    /// Lists the users again to find out which users are gone and which are renamed or new. It checks the users of `missing`
    /// results, who were not listed, the users who could not be found by their name, and the users whose keys were read by name
    /// only. Returns the users to evaluate again, and the ids of those who are gone.
    pub(crate) async fn settle(&self, missing: Vec<HeldResult>) -> (Vec<Suspect>, Vec<String>) {
        let vanished = take(&mut *lock(&self.vanished));
        let by_name = take(&mut *lock(&self.by_name));
        let (mut again, mut gone) = (Vec::new(), Vec::new());
        if missing.is_empty() && vanished.is_empty() && by_name.is_empty() {
            return (again, gone);
        }
        let Listing { users, broken_off } = list_users(self.evaluator.account).await;
        let mut found: HashMap<_, _> = users.into_iter().map(|user| (user.id.clone(), user)).collect();
        let mut outcome = self.outcome();
        for Suspect { user, held } in vanished {
            match (found.remove(&user.id), &broken_off) {
                (Some(user), _) => again.push(Suspect { user, held }),
                (None, None) => {
                    outcome.evaluated += 1;
                    gone.push(user.id);
                }
                (None, Some(error)) => outcome.unread(&user.name, error),
            }
        }
        for held in missing {
            match (found.remove(&held.user_id), &broken_off) {
                (Some(user), _) => {
                    outcome.listed += 1;
                    again.push(Suspect { user, held: Some(held) });
                }
                (None, None) => gone.push(held.user_id),
                (None, Some(_)) => {}
            }
        }
        for (id, read) in by_name {
            match (found.remove(&id), &broken_off) {
                (Some(user), _) if user.name == read.name => {}
                (Some(user), _) => {
                    outcome.evaluated = outcome.evaluated.saturating_sub(1);
                    // The held result comes from the keys of another user, so the new one is a change in any case.
                    again.push(Suspect { user, held: None });
                }
                (None, None) => gone.push(id),
                (None, Some(_)) => {}
            }
        }
        if let Some(error) = broken_off {
            outcome.listing_broken_off(error);
        }
        (again, gone)
    }

    /// Ends when the time for reads is up, or when reads are stopped.
    async fn end_of_reads(&self) {
        let _ = timeout_at(self.evaluator.account.reads_end, self.stop.notified()).await;
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
        for Suspect { user, .. } in lock(&self.vanished).drain(..) {
            outcome.unread(&user.name, &elusive());
        }
        let controls = take(&mut *lock(&self.controls));
        for action in outcome.denied_only(account.calls) {
            if !controls.is_empty() && !is_granted_for_any(account, action, &controls).await {
                outcome.denied_for_controls(action);
            }
        }
        metrics.unknown(outcome.users_unknown());
        outcome
    }

    fn evaluated(&self, verdict: &Verdict) {
        self.outcome().evaluated += 1;
        self.evaluator.metrics.verdict(verdict);
    }

    fn control(&self, user: &User) {
        let mut controls = lock(&self.controls);
        if controls.len() < CONTROLS {
            controls.push(user.name.clone());
        }
    }

    fn outcome(&self) -> MutexGuard<'_, ReadOutcome> {
        lock(&self.outcome)
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
