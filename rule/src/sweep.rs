//! The sweep of an account: everyone listed, the suspects read live, the results delivered as they come.

use crate::{
    account::Account,
    error::Error,
    evaluations::{BATCH, Evaluation, Held, deliver},
    event::Event,
    inventory::{credential_report, list_users},
    metrics::Metrics,
    parameters::{Deliver, Parameters},
    problems::Problems,
    report::{Screen, User},
    user::{self, Identity},
    verdict::Verdict,
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::join, future::ready, stream};
use std::{
    collections::HashSet,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::{sync::Notify, time::timeout_at};
use tracing::warn;

/// How many users are read at a time: at 30 ms an answer, 5,000 in ten seconds.
const READS_AT_A_TIME: usize = 16;
/// How many batches are on their way at a time.
const DELIVERIES_AT_A_TIME: usize = 4;

/// Evaluates every user of the account.
///
/// # Errors
/// After whatever could be delivered is delivered: what is missing, and why.
pub async fn sweep(
    account: &Account<'_>,
    event: &Event,
    parameters: &Parameters,
    now: DateTime<Utc>,
    metrics: &Metrics,
) -> Result<(), Error> {
    // What Config holds is read before the users are listed: a user made in between must not be taken for gone.
    let results_then_users = async { (Held::read(account, &event.rule_name).await, list_users(account).await) };
    let (report, (held, listing)) = join(credential_report(account), results_then_users).await;
    let report = report.inspect_err(|reason| warn!(reason, "no credential report: every user is read live")).ok();
    let gone = match (&held, &listing.broken_off) {
        (Ok(held), None) => held.gone(&listing.users.iter().map(|user| user.id.as_str()).collect::<HashSet<_>>()),
        _ => Vec::new(),
    };
    let problems = Problems::new(listing.users.len(), listing.broken_off, held.as_ref().err().cloned());
    let sweep = Sweep {
        account,
        event,
        parameters,
        now,
        metrics,
        screen: Screen::new(report.as_ref(), parameters, now),
        // Without what Config holds, everything is delivered.
        held: held.ok().filter(|_| parameters.deliver == Deliver::Changes),
        problems: Mutex::new(problems),
        halt: Notify::new(),
    };
    stream::iter(listing.users)
        .map(|user| sweep.judge(user))
        .buffer_unordered(READS_AT_A_TIME)
        .take_until(sweep.end_of_reads())
        .filter_map(ready)
        .chain(stream::iter(gone).map(|id| Evaluation::of_user(&id, Verdict::not_applicable())))
        .filter(|evaluation| ready(sweep.is_wanted(evaluation)))
        .chunks(BATCH)
        .for_each_concurrent(DELIVERIES_AT_A_TIME, |batch| sweep.deliver(batch))
        .await;
    sweep.finish().await
}

/// What the phases of a sweep share.
struct Sweep<'a> {
    account: &'a Account<'a>,
    event: &'a Event,
    parameters: &'a Parameters,
    now: DateTime<Utc>,
    metrics: &'a Metrics,
    screen: Screen<'a>,
    /// The results that Config holds, if only what differs from them is to be delivered.
    held: Option<Held>,
    problems: Mutex<Problems>,
    halt: Notify,
}

impl Sweep<'_> {
    async fn judge(&self, user: User) -> Option<Evaluation> {
        let verdict = if self.screen.clears(&user) {
            Ok(Verdict::compliant())
        } else {
            let who = (user.name.as_str(), user.id.as_str());
            user::evaluate(self.account, who, Identity::Listed, self.parameters, self.now, self.metrics).await
        };
        match verdict {
            Ok(verdict) => {
                self.problems().evaluated += 1;
                self.metrics.verdict(&verdict);
                Some(Evaluation::of_user(&user.id, verdict))
            }
            Err(error) => {
                if self.problems().unread(&user.name, &error) {
                    self.halt.notify_one();
                }
                None
            }
        }
    }

    fn is_wanted(&self, evaluation: &Evaluation) -> bool {
        self.held.as_ref().is_none_or(|held| held.differs(&evaluation.resource_id, &evaluation.verdict))
    }

    async fn deliver(&self, batch: Vec<Evaluation>) {
        let delivered = deliver(self.account, self.event, &batch).await;
        self.problems().batches += 1;
        if let Err(undelivered) = delivered
            && self.problems().undelivered(undelivered)
        {
            self.halt.notify_one();
        }
    }

    /// Reads end when their time is up, or when it has shown that they are of no use.
    async fn end_of_reads(&self) {
        let _ = timeout_at(self.account.reads_end, self.halt.notified()).await;
    }

    async fn finish(self) -> Result<(), Error> {
        let problems = self.problems.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.metrics.unknown(problems.users_unknown());
        let nothing_sent = problems.batches == 0;
        problems.raise(self.account)?;
        if nothing_sent {
            // Nothing to report is a report too: without it the rule does not count as evaluated.
            deliver(self.account, self.event, &[]).await.map_err(|undelivered| undelivered.into_error(self.account))?;
        }
        Ok(())
    }

    fn problems(&self) -> MutexGuard<'_, Problems> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
