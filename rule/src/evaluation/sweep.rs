//! The sweep of an account: it lists all users, reads those who need it, and delivers the results as they arrive.
//!
//! Four tasks run at the same time. One reads the results that AWS Config holds. One sorts the users: those who are cleared by
//! a held result or by their own age go straight to delivery, and the others are read. One reads them. When all are read, a second
//! listing confirms whose keys they were, and shows who is to be read again and who is gone. One delivers each batch as soon as it is
//! full.

use super::{
    notices::{Notices, Subject},
    reads::{Pending, Reads, Settled},
    user::{Confirm, Evaluated, Evaluator},
};
use crate::{
    aws::{
        calls::{CallError, Failure},
        iam::{Listing, User},
    },
    config::{
        delivery::{BATCH, Destination, Evaluation, Undelivered, deliver},
        event::Event,
        results::{HeldResult, is_change, read_results},
    },
    error::Error,
    lock,
};
use futures_util::{
    Stream, StreamExt,
    future::{join, join3},
    stream,
};
use policy::{
    clearance::Clearance,
    decision::{Compliance, Verdict},
    parameters::Deliver,
};
use std::{collections::HashMap, sync::Mutex};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    time::Instant,
};
use tracing::warn;

/// How many batches are delivered at a time.
const DELIVERIES_AT_A_TIME: usize = 8;
/// How many users' notices are put together: each user has two keys at most, as a rule.
const USERS_TOLD_AT_A_TIME: usize = 5;

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
    let sweep = Sweep {
        event,
        evaluator,
        results,
        notices,
        reads: Reads::new(evaluator),
        deliveries: Semaphore::new(DELIVERIES_AT_A_TIME),
        delivered: Mutex::default(),
    };
    let (evaluations, to_deliver) = unbounded_channel();
    let (unread, ()) = join(sweep.evaluate(evaluations), sweep.deliver_all(items(to_deliver))).await;
    sweep.finish(unread).await
}

/// What the tasks of a sweep share.
struct Sweep<'a> {
    event: &'a Event,
    evaluator: Evaluator<'a>,
    results: &'a Destination,
    notices: Option<&'a Notices<'a>>,
    reads: Reads<'a>,
    deliveries: Semaphore,
    delivered: Mutex<Delivered>,
}

/// The outcome of the deliveries.
#[derive(Debug, Default)]
struct Delivered {
    batches: usize,
    undelivered: Option<Undelivered>,
}

impl Sweep<'_> {
    /// Evaluates everybody. Returns the error if the results that AWS Config holds could not be read.
    async fn evaluate(&self, evaluations: UnboundedSender<Evaluation>) -> Option<CallError> {
        let (held, sorted) = unbounded_channel();
        let (pending, read) = unbounded_channel();
        let evaluated = self.reads.evaluations(items(read), Confirm::Later);
        let (unread, missing, ()) =
            join3(self.read_held(held), self.sort(sorted, pending), self.pass_on(evaluated, &evaluations)).await;
        // These users are not necessarily gone: one may have been created, and evaluated, since the users were listed.
        let missing = if unread.is_none() { missing } else { Vec::new() };
        let Settled { confirmed, again, gone } = self.reads.settle(missing).await;
        for id in gone {
            drop(evaluations.send(Evaluation::of_user(&id, Verdict::not_applicable())));
        }
        let again = self.reads.evaluations(stream::iter(again), Confirm::Now);
        self.pass_on(stream::iter(confirmed).map(|read| *read).chain(again), &evaluations).await;
        unread
    }

    /// Reads the results that AWS Config holds, and returns the error if that fails. The results spare reads and show which
    /// users may be gone, but no verdict needs them, so they get only a quarter of the time for reads.
    async fn read_held(&self, held: UnboundedSender<HeldResult>) -> Option<CallError> {
        let account = self.evaluator.account;
        let start = Instant::now();
        let until = start + account.ends.reads.saturating_duration_since(start) / 4;
        let take = |result| drop(held.send(result));
        read_results(account, &self.event.rule_name, until, take).await.err()
    }

    /// Separates the users who are cleared from the pending. Returns the results whose users were not listed.
    async fn sort(
        &self,
        mut held: UnboundedReceiver<HeldResult>,
        pending: UnboundedSender<Pending>,
    ) -> Vec<HeldResult> {
        let Listing { users, broken_off } = self.reads.list().await;
        let positions: HashMap<_, _> = users.iter().enumerate().map(|(n, user)| (user.id.clone(), n)).collect();
        let mut unsorted: Vec<_> = users.into_iter().map(Some).collect();
        let mut cleared = Vec::new();
        let mut missing = Vec::new();
        let mut sort = |user: User, held: Option<HeldResult>| match self.clear(&user, held.as_ref()) {
            Some(verdict) => {
                self.reads.cleared(&user, &verdict);
                if self.is_wanted(held.as_ref(), &verdict) {
                    cleared.push(Evaluation::of_user(&user.id, verdict));
                }
            }
            None => drop(pending.send(Pending { user, held: held.map(Box::new) })),
        };
        while let Some(result) = held.recv().await {
            match positions.get(&result.user_id) {
                Some(position) => {
                    if let Some(user) = unsorted[*position].take() {
                        sort(user, Some(result));
                    }
                }
                None => missing.push(result),
            }
        }
        unsorted.into_iter().flatten().for_each(|user| sort(user, None));
        drop(pending);
        self.deliver_all(stream::iter(cleared)).await;
        if broken_off.is_none() { missing } else { Vec::new() }
    }

    /// The verdict on a user who need not be read. If a held result is the proof, the annotation stays the same.
    fn clear(&self, user: &User, held: Option<&HeldResult>) -> Option<Verdict> {
        let Evaluator { parameters, now, .. } = self.evaluator;
        let compliant = held.filter(|held| held.compliance == Compliance::Compliant);
        let remembered = compliant.and_then(|held| Clearance::remembered(&held.annotation, held.recorded?, parameters));
        [remembered, Some(Clearance::of_age(user.created, parameters))]
            .into_iter()
            .flatten()
            .find(|clearance| clearance.spares_read(parameters, now))
            .map(|clearance| Verdict::compliant(clearance.annotation()))
    }

    fn is_wanted(&self, held: Option<&HeldResult>, verdict: &Verdict) -> bool {
        self.evaluator.parameters.deliver == Deliver::All || is_change(held, verdict)
    }

    /// Passes on the results that are to be delivered, after the notices.
    async fn pass_on(
        &self,
        evaluated: impl Stream<Item = (Pending, Evaluated)>,
        evaluations: &UnboundedSender<Evaluation>,
    ) {
        // No limit here: a slow event bus must not keep the reads and their deadline from being polled.
        let told = evaluated.chunks(USERS_TOLD_AT_A_TIME).map(|users| self.tell(users)).buffer_unordered(usize::MAX);
        told.for_each(async |results| results.into_iter().for_each(|result| drop(evaluations.send(result)))).await;
    }

    /// Tells what there is to tell of these users, and returns the results to deliver.
    async fn tell(&self, mut users: Vec<(Pending, Evaluated)>) -> Vec<Evaluation> {
        let told = match self.notices {
            Some(notices) => {
                let subjects = users.iter_mut();
                let subjects = subjects.map(|(Pending { user, held }, evaluated)| Subject {
                    user,
                    evaluated,
                    held: held.as_deref(),
                });
                // Boxed, because thousands of these futures may wait for their turn, and most have nothing to tell.
                Box::pin(notices.tell(&mut subjects.collect::<Vec<_>>())).await
            }
            None => vec![false; users.len()],
        };
        users
            .into_iter()
            .zip(told)
            .filter(|((Pending { held, .. }, evaluated), told)| {
                *told || self.is_wanted(held.as_deref(), &evaluated.verdict)
            })
            .map(|((Pending { user, .. }, evaluated), _)| Evaluation::of_user(&user.id, evaluated.verdict))
            .collect()
    }

    /// Delivers each batch as soon as it is full.
    async fn deliver_all(&self, evaluations: impl Stream<Item = Evaluation>) {
        evaluations.chunks(BATCH).for_each_concurrent(DELIVERIES_AT_A_TIME, |batch| self.deliver(batch)).await;
    }

    async fn deliver(&self, batch: Vec<Evaluation>) {
        let _permit = self.deliveries.acquire().await;
        let delivered = deliver(self.evaluator.account, self.event, self.results, &batch).await;
        let mut all = lock(&self.delivered);
        all.batches += 1;
        let Err(undelivered) = delivered else { return };
        warn!("{undelivered}");
        if undelivered.in_vain() {
            self.reads.stop();
        }
        match &mut all.undelivered {
            Some(first) => first.results += undelivered.results,
            None => all.undelivered = Some(undelivered),
        }
    }

    async fn finish(self, held: Option<CallError>) -> Result<(), Error> {
        let Evaluator { account, .. } = self.evaluator;
        let notices = self.notices.and_then(Notices::error);
        let mut errors = self.reads.finish().await.errors(account, false);
        errors.extend(notices);
        let Delivered { batches, undelivered } = std::mem::take(&mut *lock(&self.delivered));
        if let Some(error) = held {
            if error.kind == Failure::Denied {
                errors.push(account.error(&error));
            }
            errors.push(Error::AwsError(format!(
                "Deleted users may keep a result, because the rule's results could not be read: {error}."
            )));
        }
        if let Some(undelivered) = undelivered {
            errors.extend(undelivered.errors(account));
        }
        Error::of_all(errors)?;
        if batches == 0 {
            // AWS Config counts the rule as evaluated only if there is a delivery, even an empty one.
            deliver(account, self.event, self.results, &[])
                .await
                .or_else(|undelivered| Error::of_all(undelivered.errors(account)))?;
        }
        Ok(())
    }
}

fn items<T>(mut receiver: UnboundedReceiver<T>) -> impl Stream<Item = T> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}
