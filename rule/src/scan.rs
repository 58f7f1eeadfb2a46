//! An account evaluated without AWS Config: for people, who want the verdicts and what they rest on.

use crate::{
    error::Error,
    inventory::{credential_report, list_users},
    judge::Judge,
    problems::Problems,
    report::{Screen, User},
    user::{Evaluator, Judged},
};
use futures_util::{StreamExt, future::join};
use std::collections::BTreeSet;
use tracing::warn;

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// Everyone for whom there is a verdict, in no order.
    pub findings: Vec<(User, Judged)>,
    /// What is missing, and why.
    pub outcome: Result<(), Error>,
}

/// Evaluates every user of the account, as a sweep does, and delivers nothing. The users with the ids `read_anyway` are read live
/// even where the credential report would clear them.
pub async fn scan(evaluator: Evaluator<'_>, read_anyway: &BTreeSet<String>) -> Scan {
    let Evaluator { account, parameters, now, .. } = evaluator;
    let (report, listing) = join(credential_report(account, account.reads_end), list_users(account)).await;
    let report = report.inspect_err(|reason| warn!(reason, "no credential report: every user is read live")).ok();
    let problems = Problems::new(listing.users.len(), listing.broken_off, None);
    let judge = Judge::new(evaluator, Screen::new(report.as_ref(), parameters, now), read_anyway, problems);
    let mut findings: Vec<_> = judge.verdicts(listing.users).collect().await;
    let (renamed, _) = judge.settle(Vec::new()).await;
    findings.extend(judge.verdicts(renamed).collect::<Vec<_>>().await);
    Scan { findings, outcome: judge.finish().raise(account) }
}
