//! The sweep of an account: everyone listed, the suspects read live, the results delivered as they come.

use crate::{
    error::Error,
    evaluations::{BATCH, Destination, Evaluation, Held, deliver},
    event::Event,
    inventory::{credential_report, list_users},
    judge::Judge,
    parameters::Deliver,
    problems::Problems,
    report::{Screen, User},
    user::Evaluator,
    verdict::Verdict,
};
use futures_util::{StreamExt, future::join3, future::ready, stream};
use std::collections::{BTreeSet, HashSet};
use tokio::{sync::Semaphore, time::Instant};
use tracing::warn;

/// How many batches are on their way at a time.
const DELIVERIES_AT_A_TIME: usize = 4;

static NOBODY: BTreeSet<String> = BTreeSet::new();

/// Evaluates every user of the account.
///
/// # Errors
/// After whatever could be delivered is delivered: what is missing, and why.
pub async fn sweep(event: &Event, evaluator: Evaluator<'_>, results: &Destination) -> Result<(), Error> {
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
        results,
        judge: Judge::new(evaluator, Screen::new(report.as_ref(), parameters, now), &NOBODY, problems),
        // Without what Config holds, everything is delivered.
        held: held.ok().filter(|_| parameters.deliver == Deliver::Changes),
        deliveries: Semaphore::new(DELIVERIES_AT_A_TIME),
    };
    sweep.judge_and_deliver(listing.users, Vec::new()).await;
    let (renamed, gone) = sweep.judge.settle(missing).await;
    sweep.judge_and_deliver(renamed, gone).await;
    sweep.finish().await
}

/// What the phases of a sweep share.
struct Sweep<'a> {
    event: &'a Event,
    evaluator: Evaluator<'a>,
    results: &'a Destination,
    judge: Judge<'a>,
    /// The results that Config holds, if only what differs from them is to be delivered.
    held: Option<Held>,
    deliveries: Semaphore,
}

impl Sweep<'_> {
    /// Delivers the verdicts on `users`, and that the users with the ids `gone` are gone, each batch as soon as it is full.
    async fn judge_and_deliver(&self, users: Vec<User>, gone: Vec<String>) {
        let gone = gone.into_iter().map(|id| Evaluation::of_user(&id, Verdict::not_applicable()));
        self.judge
            .verdicts(users)
            .map(|(user, judged)| Evaluation::of_user(&user.id, judged.verdict))
            .chain(stream::iter(gone))
            .filter(|evaluation| ready(self.is_wanted(evaluation)))
            .chunks(BATCH)
            // Without a limit here, so that slow deliveries do not keep reads and their deadline from being polled.
            .for_each_concurrent(None, |batch| self.deliver(batch))
            .await;
    }

    fn is_wanted(&self, evaluation: &Evaluation) -> bool {
        self.held.as_ref().is_none_or(|held| held.differs(&evaluation.resource_id, &evaluation.verdict))
    }

    async fn deliver(&self, batch: Vec<Evaluation>) {
        let _permit = self.deliveries.acquire().await;
        let delivered = deliver(self.evaluator.account, self.event, self.results, &batch).await;
        let mut problems = self.judge.problems();
        problems.batches += 1;
        if let Err(undelivered) = delivered
            && problems.undelivered(undelivered)
        {
            self.judge.halt();
        }
    }

    async fn finish(self) -> Result<(), Error> {
        let problems = self.judge.finish();
        let nothing_sent = problems.batches == 0;
        problems.raise(self.evaluator.account)?;
        if nothing_sent {
            // Nothing to report is a report too: without it the rule does not count as evaluated.
            deliver(self.evaluator.account, self.event, self.results, &[])
                .await
                .map_err(|undelivered| undelivered.into_error(self.evaluator.account))?;
        }
        Ok(())
    }
}
