//! Verdicts on the users of an account: each cleared by the credential report or read live, within the time for reads.

use crate::{
    inventory::list_users,
    lock,
    problems::Problems,
    report::{Screen, User},
    user::{Evaluator, Judged, elusive},
    verdict::Verdict,
};
use futures_util::{Stream, StreamExt, future::ready, stream};
use std::{
    collections::{BTreeSet, HashMap},
    mem::take,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, time::timeout_at};

/// How many users are read at a time: at 30 ms an answer, 5,000 in ten seconds.
pub(crate) const READS_AT_A_TIME: usize = 16;

/// What verdicts are made with, and what went wrong so far.
pub(crate) struct Judge<'a> {
    evaluator: Evaluator<'a>,
    screen: Screen<'a>,
    /// Ids of users who are read whatever the screen says.
    read_anyway: &'a BTreeSet<String>,
    /// Users who were listed, and whom their name did not lead to a moment later.
    vanished: Mutex<Vec<User>>,
    problems: Mutex<Problems>,
    halt: Notify,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(
        evaluator: Evaluator<'a>,
        screen: Screen<'a>,
        read_anyway: &'a BTreeSet<String>,
        problems: Problems,
    ) -> Judge<'a> {
        let (vanished, problems) = (Mutex::default(), Mutex::new(problems));
        Judge { evaluator, screen, read_anyway, vanished, problems, halt: Notify::new() }
    }

    /// The verdicts as they come. Who is missing is in the problems, or to be settled.
    pub(crate) fn verdicts(&self, users: Vec<User>) -> impl Stream<Item = (User, Judged)> {
        stream::iter(users)
            .map(|user| self.judge(user))
            .buffer_unordered(READS_AT_A_TIME)
            .take_until(self.end_of_reads())
            .filter_map(ready)
    }

    async fn judge(&self, user: User) -> Option<(User, Judged)> {
        let judged = match self.screen.clears(&user) && !self.read_anyway.contains(&user.id) {
            true => Ok(Some(Judged::unread(Verdict::compliant()))),
            false => self.evaluator.listed(&user.name, &user.id).await,
        };
        match judged {
            Ok(Some(judged)) => {
                self.problems().evaluated += 1;
                self.evaluator.metrics.verdict(&judged.verdict);
                return Some((user, judged));
            }
            Ok(None) => lock(&self.vanished).push(user),
            Err(error) => {
                if self.problems().unread(&user.name, &error, self.evaluator.account.calls) {
                    self.halt();
                }
            }
        }
        None
    }

    /// Tells who is gone from who is renamed, by another listing: among users with a result who were not listed, and users
    /// whom their name no longer led to. Gives the renamed, to be judged again, and the ids of the gone.
    pub(crate) async fn settle(&self, missing: Vec<String>) -> (Vec<User>, Vec<String>) {
        let vanished = take(&mut *lock(&self.vanished));
        let (mut renamed, mut gone) = (Vec::new(), Vec::new());
        if missing.is_empty() && vanished.is_empty() {
            return (renamed, gone);
        }
        let listing = list_users(self.evaluator.account).await;
        let broken_off = listing.broken_off;
        let mut found: HashMap<_, _> = listing.users.into_iter().map(|user| (user.id.clone(), user)).collect();
        for user in vanished {
            match (found.remove(&user.id), &broken_off) {
                (Some(user), _) => renamed.push(user),
                (None, None) => {
                    self.problems().evaluated += 1;
                    gone.push(user.id);
                }
                (None, Some(error)) => {
                    self.problems().unread(&user.name, error, self.evaluator.account.calls);
                }
            }
        }
        for id in missing {
            match (found.remove(&id), &broken_off) {
                (Some(user), _) => {
                    self.problems().listed += 1;
                    renamed.push(user);
                }
                (None, None) => gone.push(id),
                (None, Some(_)) => {}
            }
        }
        if let Some(error) = broken_off {
            self.problems().listing_broken_off(error);
        }
        (renamed, gone)
    }

    /// Reads end when their time is up, or when it has shown that they are of no use.
    async fn end_of_reads(&self) {
        let _ = timeout_at(self.evaluator.account.reads_end, self.halt.notified()).await;
    }

    /// Ends reads.
    pub(crate) fn halt(&self) {
        self.halt.notify_one();
    }

    pub(crate) fn problems(&self) -> MutexGuard<'_, Problems> {
        lock(&self.problems)
    }

    /// What went wrong in all. Whom even a second listing's name did not lead to is unknown.
    pub(crate) fn finish(self) -> Problems {
        for user in take(&mut *lock(&self.vanished)) {
            self.problems().unread(&user.name, &elusive(), self.evaluator.account.calls);
        }
        let problems = self.problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.evaluator.metrics.unknown(problems.users_unknown());
        problems
    }
}
