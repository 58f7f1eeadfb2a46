//! The sweep of an account: it lists all users, reads those who need it, and delivers the results as they arrive.
//!
//! Three tasks run at the same time. One reads the results that AWS Config holds. One sorts the users: those who are cleared by
//! a held result or by their own age go straight to delivery, and the others are suspects. One reads the suspects and delivers
//! their results.

use super::{
    notices::{Notices, Subject},
    reads::{Reads, Suspect},
    user::{Evaluated, Evaluator},
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
    policy::{
        clearance::Clearance,
        decision::{Compliance, Verdict},
        parameters::Deliver,
    },
};
use futures_util::{
    Stream, StreamExt,
    future::{join, join3},
    stream,
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
const DELIVERIES_AT_A_TIME: usize = 4;
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
    let (held, sorted) = unbounded_channel();
    let (suspects, read) = unbounded_channel();
    let (unread, missing, ()) =
        join3(sweep.read_held(held), sweep.sort(sorted, suspects), sweep.read_and_deliver(items(read))).await;
    // These users are not necessarily gone: one may have been created, and evaluated, since the users were listed.
    let missing = if unread.is_none() { missing } else { Vec::new() };
    let (again, gone) = sweep.reads.settle(missing).await;
    let gone = gone.into_iter().map(|id| Evaluation::of_user(&id, Verdict::not_applicable()));
    join(sweep.read_and_deliver(stream::iter(again)), sweep.deliver_all(stream::iter(gone))).await;
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
    /// Reads the results that AWS Config holds, and returns the error if that fails. The results spare reads and show which
    /// users may be gone, but no verdict needs them, so they get only a quarter of the time for reads.
    async fn read_held(&self, held: UnboundedSender<HeldResult>) -> Option<CallError> {
        let account = self.evaluator.account;
        let start = Instant::now();
        let until = start + account.reads_end.saturating_duration_since(start) / 4;
        let take = |result| drop(held.send(result));
        read_results(account, &self.event.rule_name, until, take).await.err()
    }

    /// Separates the users who are cleared from the suspects. Returns the results whose users were not listed.
    async fn sort(
        &self,
        mut held: UnboundedReceiver<HeldResult>,
        suspects: UnboundedSender<Suspect>,
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
            None => drop(suspects.send(Suspect { user, held })),
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
        drop(suspects);
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

    async fn read_and_deliver(&self, suspects: impl Stream<Item = Suspect>) {
        let evaluated = self.reads.evaluations(suspects).chunks(USERS_TOLD_AT_A_TIME);
        // No limit here either: a slow event bus must not keep the reads and their deadline from being polled.
        let evaluations = evaluated.map(|users| self.tell(users)).buffer_unordered(usize::MAX).flat_map(stream::iter);
        self.deliver_all(evaluations).await;
    }

    /// Tells what there is to tell of these users, and returns the results to deliver.
    async fn tell(&self, users: Vec<(Suspect, Evaluated)>) -> Vec<Evaluation> {
        let subjects = users.iter().map(|(Suspect { user, held }, evaluated)| Subject {
            name: &user.name,
            id: &user.id,
            arn: Some(&user.arn),
            evaluated,
            told: held.as_ref().and_then(|held| held.recorded),
        });
        let told = match self.notices {
            Some(notices) => notices.tell(&subjects.collect::<Vec<_>>()).await,
            None => vec![false; users.len()],
        };
        users
            .into_iter()
            .zip(told)
            .filter(|((Suspect { held, .. }, evaluated), told)| {
                *told || self.is_wanted(held.as_ref(), &evaluated.verdict)
            })
            .map(|((Suspect { user, .. }, evaluated), _)| Evaluation::of_user(&user.id, evaluated.verdict))
            .collect()
    }

    /// Delivers each batch as soon as it is full.
    async fn deliver_all(&self, evaluations: impl Stream<Item = Evaluation>) {
        // No limit here: with one, slow deliveries would keep the reads and their deadline from being polled.
        evaluations.chunks(BATCH).for_each_concurrent(None, |batch| self.deliver(batch)).await;
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
