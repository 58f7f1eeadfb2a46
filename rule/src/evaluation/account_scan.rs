//! An account evaluated without AWS Config: for people, who want the verdicts and what they rest on.

use super::{
    reads::{Reads, Suspect},
    user::{Evaluated, Evaluator},
};
use crate::{aws::iam::User, error::Error};
use futures_util::{StreamExt, stream};

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// Everyone for whom there is a verdict, in no order.
    pub findings: Vec<(User, Evaluated)>,
    /// What is missing, and why.
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
