//! Evaluates an account without AWS Config, for the command line: the verdicts and the facts behind them.

use crate::{
    aws::iam::Listing,
    error::Error,
    sweep::{plan::Pending, read::Reader},
    user::{Confirm, Evaluated, Evaluator},
};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::unbounded_channel;

/// What a scan found.
#[derive(Debug)]
pub struct Scan {
    /// The users with a verdict, in no particular order.
    pub users: Vec<Evaluated>,
    /// An error if anything is missing. It says what and why.
    pub complete: Result<(), Error>,
}

/// Reads and evaluates every user of the account, and delivers nothing.
pub async fn scan(evaluator: Evaluator<'_>) -> Scan {
    let reader = Reader::new(evaluator);
    let (Listing { users, .. }, _) = reader.list().await;
    users.iter().for_each(|user| reader.pending(user));
    let users = stream::iter(users).map(|user| Pending { user, recorded: None });
    let (evaluated, mut found) = unbounded_channel();
    reader.read(users, Confirm::Later, &evaluated).await;
    reader.confirm(Vec::new(), &evaluated).await;
    drop(evaluated);
    let mut users = Vec::new();
    while let Some((user, _)) = found.recv().await {
        users.push(user);
    }
    Scan { users, complete: Error::of_all(reader.finish().await.errors(evaluator.account, true)) }
}
