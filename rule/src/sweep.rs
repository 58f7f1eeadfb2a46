//! The sweep of an account, in four steps: it plans who is read, reads them, confirms whose keys were read, and delivers the results.
//!
//! Results are delivered beside the other steps, each batch as soon as it is full. Those that need no read go first.

pub(crate) mod plan;
pub(crate) mod read;
mod reconcile;
mod state;
pub(crate) mod unread;

#[cfg(test)]
mod simulation;

use crate::{
    aws::{
        client::{CallError, Failure},
        iam::Listing,
    },
    config_service::{
        delivery::{BATCH, Destination, Evaluation, Undelivered, deliver},
        event::Event,
        recorded_results::read_results,
    },
    error::Error,
    notices::Notices,
    user::{Confirm, Evaluated, Evaluator},
};
use futures_util::{
    StreamExt,
    future::{join, join3},
};
use plan::{Decision, Pending, Plan, Skipped};
use policy::{
    recorded_result::{RecordedResult, is_to_deliver},
    verdict::Verdict,
};
use read::{Reader, received};
use std::{cell::RefCell, pin::pin};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::Instant,
};
use tracing::warn;

/// How many batches are delivered at a time.
const DELIVERIES_AT_A_TIME: usize = 8;
/// How many users' notices are put together: each user has two keys at most, as a rule.
const USERS_NOTIFIED_AT_A_TIME: usize = 5;

/// Evaluates every user of the account.
///
/// # Errors
/// If anything is missing; the error says why. All other results have been delivered by then.
pub(crate) async fn sweep(
    event: &Event,
    evaluator: Evaluator<'_>,
    results: &Destination,
    notices: Option<&Notices<'_>>,
) -> Result<(), Error> {
    let sweep = Sweep { event, evaluator, results, notices, reader: Reader::new(evaluator) };
    let (batches, to_deliver) = unbounded_channel();
    let (recorded, delivered) = join(sweep.evaluate(Batches::new(batches)), sweep.deliver_all(to_deliver)).await;
    sweep.finish(recorded.err(), delivered).await
}

struct Sweep<'a> {
    event: &'a Event,
    evaluator: Evaluator<'a>,
    results: &'a Destination,
    notices: Option<&'a Notices<'a>>,
    reader: Reader<'a>,
}

/// The results to deliver, put together in batches.
struct Batches {
    filling: RefCell<Vec<Evaluation>>,
    full: UnboundedSender<Vec<Evaluation>>,
}

/// What became of the deliveries.
#[derive(Debug, Default)]
struct Delivered {
    batches: usize,
    undelivered: Option<Undelivered>,
}

impl Batches {
    fn new(full: UnboundedSender<Vec<Evaluation>>) -> Batches {
        Batches { filling: RefCell::default(), full }
    }

    fn add(&self, evaluation: Evaluation) {
        let is_full = {
            let mut filling = self.filling.borrow_mut();
            filling.push(evaluation);
            filling.len() == BATCH
        };
        if is_full {
            self.flush();
        }
    }

    /// Sends what there is, without waiting for more.
    fn flush(&self) {
        let batch = self.filling.take();
        if !batch.is_empty() {
            drop(self.full.send(batch));
        }
    }
}

impl Sweep<'_> {
    /// The steps plan, read, and confirm. An error says that the recorded results could not be read.
    async fn evaluate(&self, batches: Batches) -> Result<(), CallError> {
        let (evaluated, to_notify) = unbounded_channel();
        let steps = async {
            let (results, recorded) = unbounded_channel();
            let (to_read, pending) = unbounded_channel();
            let (recorded, without_user, ()) = join3(
                self.read_recorded(results),
                self.plan(recorded, to_read, Batches::new(batches.full.clone())),
                self.reader.read(received(pending), Confirm::Later, &evaluated),
            )
            .await;
            // Only complete lists show whose result has no user.
            let without_user = without_user.filter(|_| recorded.is_ok()).unwrap_or_default();
            let gone = self.reader.confirm(without_user, &evaluated).await;
            drop(evaluated);
            (recorded, gone)
        };
        let ((recorded, gone), ()) = join(steps, self.notify_all(to_notify, &batches)).await;
        gone.iter().for_each(|id| batches.add(Evaluation::of_user(id, Verdict::not_applicable())));
        batches.flush();
        recorded
    }

    /// Passes on the users to read, and delivers the results of users who need no read. Returns the results whose users were not listed,
    /// if the listing is complete.
    async fn plan(
        &self,
        recorded: UnboundedReceiver<RecordedResult>,
        to_read: UnboundedSender<Pending>,
        batches: Batches,
    ) -> Option<Vec<RecordedResult>> {
        let Evaluator { parameters, now, .. } = self.evaluator;
        let (Listing { users, broken_off }, exposed) = self.reader.list().await;
        let mut plan = Plan::of(users, exposed, parameters, now);
        let carry_out = |decision| match decision {
            Decision::Skip(Skipped { user, verdict, is_to_deliver }) => {
                self.reader.skip(&user, &verdict);
                if is_to_deliver {
                    batches.add(Evaluation::of_user(&user.id, verdict));
                }
            }
            Decision::Read(pending) => {
                self.reader.pending(&pending.user);
                drop(to_read.send(pending));
            }
        };
        let mut recorded = pin!(received(recorded));
        while let Some(result) = recorded.next().await {
            plan.result(result).into_iter().for_each(carry_out);
        }
        let (rest, without_user) = plan.end();
        rest.into_iter().for_each(carry_out);
        batches.flush();
        broken_off.is_none().then_some(without_user)
    }

    /// Reads the results that AWS Config recorded. They spare reads and show which users may be gone, but no verdict needs them, so
    /// they get only a quarter of the time for reads.
    async fn read_recorded(&self, results: UnboundedSender<RecordedResult>) -> Result<(), CallError> {
        let account = self.evaluator.account;
        let start = Instant::now();
        let until = start + account.ends.reads.saturating_duration_since(start) / 4;
        read_results(account, &self.event.rule_name, until, |result| drop(results.send(result))).await
    }

    /// Sends the notices of users with a verdict, then passes on the results that are to be delivered.
    async fn notify_all(&self, users: UnboundedReceiver<state::Result>, batches: &Batches) {
        // No limit here: a slow event bus must not delay the results of users without notices.
        received(users)
            .chunks(USERS_NOTIFIED_AT_A_TIME)
            .for_each_concurrent(None, |users| self.notify(users, batches))
            .await;
    }

    async fn notify(&self, mut users: Vec<state::Result>, batches: &Batches) {
        let notified = match self.notices {
            Some(notices) => {
                let users = users.iter_mut().map(|(evaluated, recorded)| (evaluated, recorded.as_deref()));
                // Boxed, because thousands of these futures may wait for their turn, and most have nothing to send.
                Box::pin(notices.send(&mut users.collect::<Vec<_>>())).await
            }
            None => vec![false; users.len()],
        };
        let deliver = self.evaluator.parameters.deliver;
        for ((Evaluated { assessment, .. }, recorded), notified) in users.into_iter().zip(notified) {
            if notified || is_to_deliver(&assessment.verdict, recorded.as_deref(), deliver) {
                batches.add(Evaluation::of_user(&assessment.user.id, assessment.verdict));
            }
        }
    }

    /// Delivers each batch as it comes.
    async fn deliver_all(&self, batches: UnboundedReceiver<Vec<Evaluation>>) -> Delivered {
        let delivered = RefCell::new(Delivered::default());
        received(batches).for_each_concurrent(DELIVERIES_AT_A_TIME, |batch| self.deliver(batch, &delivered)).await;
        delivered.into_inner()
    }

    async fn deliver(&self, batch: Vec<Evaluation>, all: &RefCell<Delivered>) {
        let delivered = deliver(self.evaluator.account, self.event, self.results, batch).await;
        let mut all = all.borrow_mut();
        all.batches += 1;
        let Err(undelivered) = delivered else { return };
        warn!("{undelivered}");
        if undelivered.in_vain() {
            self.reader.stop();
        }
        match &mut all.undelivered {
            Some(first) => first.results += undelivered.results,
            None => all.undelivered = Some(undelivered),
        }
    }

    /// The errors of all steps.
    async fn finish(self, recorded: Option<CallError>, delivered: Delivered) -> Result<(), Error> {
        let Evaluator { account, .. } = self.evaluator;
        let notices = self.notices.and_then(Notices::error);
        let mut errors = self.reader.finish().await.errors(account, false);
        errors.extend(notices);
        if let Some(error) = recorded {
            if error.kind == Failure::Denied {
                errors.push(account.error(&error));
            }
            errors.push(Error::AwsError(format!(
                "Deleted users may keep a result, because the rule's results could not be read: {error}."
            )));
        }
        if let Some(undelivered) = delivered.undelivered {
            errors.extend(undelivered.errors(account));
        }
        Error::of_all(errors)?;
        if delivered.batches == 0 {
            // AWS Config counts the rule as evaluated only if there is a delivery, even an empty one.
            deliver(account, self.event, self.results, Vec::new())
                .await
                .or_else(|undelivered| Error::of_all(undelivered.errors(account)))?;
        }
        Ok(())
    }
}
