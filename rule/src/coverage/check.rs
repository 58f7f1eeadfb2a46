//! The hub's check of coverage: the organization's accounts against what AWS Config says in each.

use super::account::{Coverage, State};
use crate::{
    aws::{
        account::Accounts,
        calls::{CallError, Calls, Failure},
        home::Home,
        organization::list_accounts,
    },
    error::Error,
    metrics::embedded,
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;
use tracing::warn;

/// How many accounts are read at a time.
const ACCOUNTS_AT_A_TIME: usize = 16;
/// What is left at the deadline for reporting the outcome.
const FOR_THE_OUTCOME: Duration = Duration::from_secs(5);
/// How many accounts the log names that are not covered; all are counted.
const LOGGED: usize = 100;

/// What one check goes by.
#[derive(Debug)]
pub struct Check {
    /// Where the function is.
    pub home: Home,
    /// The time as of which evaluations are in time or overdue.
    pub now: DateTime<Utc>,
    /// How long Lambda lets it run, from now on.
    pub remaining: Duration,
    /// The name of the rule's function, in the same account.
    pub rule_function_name: String,
    /// Accounts that the conformance pack excludes.
    pub excluded: BTreeSet<String>,
}

/// How many accounts are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The organization's open accounts, without those that are excluded.
    pub expected: usize,
    /// Accounts in which AWS Config evaluated the rule in time.
    pub evaluated: usize,
    /// Accounts whose last evaluation is too old.
    pub overdue: usize,
    /// Accounts with the rule, of whose evaluations AWS Config gives no status.
    pub unknown: usize,
    /// Accounts without the rule.
    pub without_rule: usize,
    /// Accounts that could not be read.
    pub unreachable: usize,
}

/// Lists the organization's accounts, reads when AWS Config last evaluated the rule in each, and logs those that are not covered.
///
/// # Errors
/// [`Error`] if the accounts cannot be listed: then nothing is known of coverage.
pub async fn check(check: &Check, accounts: &Accounts) -> Result<Summary, Error> {
    let until = Instant::now() + check.remaining - FOR_THE_OUTCOME.min(check.remaining / 3);
    let members = list_accounts(accounts.own_settings(), &Calls::default(), until).await.map_err(listing_failed)?;
    let open = members.into_iter().filter(|(id, member)| member.open && !check.excluded.contains(id));
    let reads = open.map(|(id, member)| read(check, accounts, until, id, member.name));
    let mut coverage: Vec<_> = stream::iter(reads).buffer_unordered(ACCOUNTS_AT_A_TIME).collect().await;
    coverage.sort_by(|a, b| a.account.cmp(&b.account));
    log(&coverage);
    Ok(Summary::of(&coverage))
}

async fn read(check: &Check, accounts: &Accounts, until: Instant, id: String, name: Option<String>) -> Coverage {
    let calls = Calls::default();
    let coverage = match accounts.open(&id, &check.home, check.now, &calls, until.into()).await {
        Ok(account) => Coverage::read(&account, name, &check.rule_function_name, check.now).await,
        Err(error) => Coverage::unreachable(id.clone(), name, error.to_string()),
    };
    // Nothing else will be asked of the account, and the clients of a thousand would fill the function's memory.
    accounts.forget(&id);
    coverage
}

fn listing_failed(error: CallError) -> Error {
    match error.kind {
        Failure::Denied => Error::AccessDenied(format!(
            "{error}. Only the management account and delegated administrators may list the organization's accounts: register \
             this account as one (templates/README.md, step 1)."
        )),
        Failure::TimeUp => Error::DeadlineExceeded(format!("no time left for {error}")),
        Failure::NotFound | Failure::NotYetConsistent | Failure::Other => Error::AwsError(format!("{error}.")),
    }
}

fn log(coverage: &[Coverage]) {
    let not_covered = || coverage.iter().filter(|account| !account.is_covered());
    for Coverage { account, state, why, .. } in not_covered().take(LOGGED) {
        warn!(account, ?state, why = why.as_deref().unwrap_or_default(), "account not covered");
    }
    let more = not_covered().count().saturating_sub(LOGGED);
    if more > 0 {
        warn!(more, "further accounts not covered");
    }
}

impl Summary {
    /// Counts the accounts by state.
    pub fn of(coverage: &[Coverage]) -> Summary {
        let count = |state| coverage.iter().filter(|account| account.state == state).count();
        Summary {
            expected: coverage.len(),
            evaluated: count(State::Evaluated),
            overdue: count(State::Overdue),
            unknown: count(State::Unknown),
            without_rule: count(State::NoRule),
            unreachable: count(State::Unreachable),
        }
    }

    /// Accounts that are not covered. If AWS Config gives the status of no account at all, those that are unknown do not count: an
    /// alarm that is always on says nothing about an account.
    pub fn not_covered(&self) -> usize {
        let gives_status = self.evaluated + self.overdue > 0;
        self.expected - self.evaluated - if gives_status { 0 } else { self.unknown }
    }

    /// The line of metrics, for a check that began at `now` and took so long.
    pub fn line(&self, now: DateTime<Utc>, took: Duration) -> Value {
        let count = |name, accounts: usize| (name, "Count", json!(accounts));
        let metrics = [
            count("AccountsExpected", self.expected),
            count("AccountsEvaluated", self.evaluated),
            count("AccountsOverdue", self.overdue),
            count("AccountsUnknown", self.unknown),
            count("AccountsWithoutRule", self.without_rule),
            count("AccountsUnreachable", self.unreachable),
            count("AccountsNotCovered", self.not_covered()),
            ("CoverageCheckDuration", "Seconds", json!(took.as_secs_f64())),
        ];
        embedded(now, &metrics)
    }
}
