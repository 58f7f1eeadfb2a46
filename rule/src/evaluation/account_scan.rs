//! Evaluates an account without AWS Config, for the command line: the verdicts and the facts behind them.

use super::{
    reads::{Reads, Suspect},
    user::{Evaluated, Evaluator},
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
    let users = reads.list().await.users;
    let mut findings = evaluate(&reads, users.into_iter().map(|user| Suspect { user, held: None }).collect()).await;
    let (again, gone) = reads.settle(Vec::new()).await;
    findings.retain(|(user, _)| !gone.contains(&user.id) && !again.iter().any(|other| other.user.id == user.id));
    findings.extend(evaluate(&reads, again).await);
    let errors = reads.finish().await.errors(evaluator.account, true);
    Scan { findings, outcome: Error::of_all(errors) }
}

async fn evaluate(reads: &Reads<'_>, suspects: Vec<Suspect>) -> Vec<(User, Evaluated)> {
    reads.evaluations(stream::iter(suspects)).map(|(suspect, evaluated)| (suspect.user, evaluated)).collect().await
}
