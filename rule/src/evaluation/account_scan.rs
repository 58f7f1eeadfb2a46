//! Evaluates an account without AWS Config, for the command line: the verdicts and the facts behind them.

use super::{
    reads::{Pending, Reads, Settled},
    user::{Confirm, Evaluated, Evaluator},
};
use crate::{aws::iam::User, error::Error};
use futures_util::{StreamExt, stream};

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// The users with a verdict, in no particular order.
    pub findings: Vec<(User, Evaluated)>,
    /// An error if anything is missing. It says what and why.
    pub outcome: Result<(), Error>,
}

/// Reads and evaluates every user of the account, and delivers nothing.
pub async fn scan(evaluator: Evaluator<'_>) -> Scan {
    let reads = Reads::new(evaluator);
    let users = reads.list().await.users.into_iter().map(|user| Pending { user, held: None });
    let mut evaluated: Vec<_> = reads.evaluations(stream::iter(users), Confirm::Later).collect().await;
    let Settled { confirmed, again, .. } = reads.settle(Vec::new()).await;
    evaluated.extend(confirmed.into_iter().map(|read| *read));
    evaluated.extend(reads.evaluations(stream::iter(again), Confirm::Now).collect::<Vec<_>>().await);
    let errors = reads.finish().await.errors(evaluator.account, true);
    let findings = evaluated.into_iter().map(|(pending, evaluated)| (pending.user, evaluated)).collect();
    Scan { findings, outcome: Error::of_all(errors) }
}
