//! The sweep of an account: everyone listed, the suspects read live, the results delivered as they come.

use crate::{
    error::Error,
    evaluations::{BATCH, Evaluation, Held, deliver},
    event::Event,
    inventory::{credential_report, list_users},
    lock,
    parameters::Deliver,
    problems::Problems,
    report::{Screen, User},
    user::{Evaluator, elusive},
    verdict::Verdict,
};
use futures_util::{StreamExt, future::join3, future::ready, stream};
use std::{
    collections::{HashMap, HashSet},
    mem::take,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, timeout_at},
};
use tracing::warn;

/// How many users are read at a time: at 30 ms an answer, 5,000 in ten seconds.
pub(crate) const READS_AT_A_TIME: usize = 16;
/// How many batches are on their way at a time.
const DELIVERIES_AT_A_TIME: usize = 4;

/// Evaluates every user of the account.
///
/// # Errors
/// After whatever could be delivered is delivered: what is missing, and why.
pub async fn sweep(event: &Event, evaluator: Evaluator<'_>) -> Result<(), Error> {
    let Evaluator { account, parameters, now, .. } = evaluator;
    // Neither the report nor what Config holds is needed for a verdict: they may not use up the time for those.
    let start = Instant::now();
    let until = start + account.reads_end.saturating_duration_since(start) / 4;
    let (report, held, listing) =
        join3(credential_report(account, until), Held::read(account, &event.rule_name, until), list_users(account))
            .await;
    let report = report.inspect_err(|reason| warn!(reason, "no credential report: every user is read live")).ok();
    // Not gone yet: a user may have been made, and had a first result, since the users were listed.
    let missing = match (&held, &listing.broken_off) {
        (Ok(held), None) => held.gone(&listing.users.iter().map(|user| user.id.as_str()).collect::<HashSet<_>>()),
        _ => Vec::new(),
    };
    let problems = Problems::new(listing.users.len(), listing.broken_off, held.as_ref().err().cloned());
    let sweep = Sweep {
        event,
        evaluator,
        screen: Screen::new(report.as_ref(), parameters, now),
        // Without what Config holds, everything is delivered.
        held: held.ok().filter(|_| parameters.deliver == Deliver::Changes),
        deliveries: Semaphore::new(DELIVERIES_AT_A_TIME),
        vanished: Mutex::default(),
        problems: Mutex::new(problems),
        halt: Notify::new(),
    };
    sweep.judge_and_deliver(listing.users, Vec::new()).await;
    sweep.settle(missing).await;
    sweep.finish().await
}

/// What the phases of a sweep share.
struct Sweep<'a> {
    event: &'a Event,
    evaluator: Evaluator<'a>,
    screen: Screen<'a>,
    /// The results that Config holds, if only what differs from them is to be delivered.
    held: Option<Held>,
    deliveries: Semaphore,
    /// Users who were listed, and whom their name did not lead to a moment later.
    vanished: Mutex<Vec<User>>,
    problems: Mutex<Problems>,
    halt: Notify,
}

impl Sweep<'_> {
    /// Delivers the verdicts on `users`, and results that are `known` already, each batch as soon as it is full.
    async fn judge_and_deliver(&self, users: Vec<User>, known: Vec<Evaluation>) {
        stream::iter(users)
            .map(|user| self.judge(user))
            .buffer_unordered(READS_AT_A_TIME)
            .take_until(self.end_of_reads())
            .filter_map(ready)
            .chain(stream::iter(known))
            .filter(|evaluation| ready(self.is_wanted(evaluation)))
            .chunks(BATCH)
            // Without a limit here, so that slow deliveries do not keep reads and their deadline from being polled.
            .for_each_concurrent(None, |batch| self.deliver(batch))
            .await;
    }

    async fn judge(&self, user: User) -> Option<Evaluation> {
        let verdict = match self.screen.clears(&user) {
            true => Ok(Some(Verdict::compliant())),
            false => self.evaluator.listed(&user.name, &user.id).await,
        };
        match verdict {
            Ok(Some(verdict)) => {
                self.problems().evaluated += 1;
                self.evaluator.metrics.verdict(&verdict);
                return Some(Evaluation::of_user(&user.id, verdict));
            }
            Ok(None) => lock(&self.vanished).push(user),
            Err(error) => {
                if self.problems().unread(&user.name, &error, self.evaluator.account.calls) {
                    self.halt.notify_one();
                }
            }
        }
        None
    }

    /// Tells who is gone from who is renamed, by another listing: among users with a result who were not listed, and users
    /// whom their name no longer led to.
    async fn settle(&self, missing: Vec<String>) {
        let vanished = take(&mut *lock(&self.vanished));
        if missing.is_empty() && vanished.is_empty() {
            return;
        }
        let listing = list_users(self.evaluator.account).await;
        let broken_off = listing.broken_off;
        let mut found: HashMap<_, _> = listing.users.into_iter().map(|user| (user.id.clone(), user)).collect();
        let (mut renamed, mut gone) = (Vec::new(), Vec::new());
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
        let gone = gone.iter().map(|id| Evaluation::of_user(id, Verdict::not_applicable())).collect();
        self.judge_and_deliver(renamed, gone).await;
        for user in take(&mut *lock(&self.vanished)) {
            self.problems().unread(&user.name, &elusive(), self.evaluator.account.calls);
        }
    }

    fn is_wanted(&self, evaluation: &Evaluation) -> bool {
        self.held.as_ref().is_none_or(|held| held.differs(&evaluation.resource_id, &evaluation.verdict))
    }

    async fn deliver(&self, batch: Vec<Evaluation>) {
        let _permit = self.deliveries.acquire().await;
        let delivered = deliver(self.evaluator.account, self.event, &batch).await;
        self.problems().batches += 1;
        if let Err(undelivered) = delivered
            && self.problems().undelivered(undelivered)
        {
            self.halt.notify_one();
        }
    }

    /// Reads end when their time is up, or when it has shown that they are of no use.
    async fn end_of_reads(&self) {
        let _ = timeout_at(self.evaluator.account.reads_end, self.halt.notified()).await;
    }

    async fn finish(self) -> Result<(), Error> {
        let problems = self.problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.evaluator.metrics.unknown(problems.users_unknown());
        let nothing_sent = problems.batches == 0;
        problems.raise(self.evaluator.account)?;
        if nothing_sent {
            // Nothing to report is a report too: without it the rule does not count as evaluated.
            deliver(self.evaluator.account, self.event, &[])
                .await
                .map_err(|undelivered| undelivered.into_error(self.evaluator.account))?;
        }
        Ok(())
    }

    fn problems(&self) -> MutexGuard<'_, Problems> {
        lock(&self.problems)
    }
}
