//! The hub's check of coverage: the organization's accounts against what AWS Config says in each.

use super::account::{Coverage, State, is_function};
use crate::{
    aws::{
        account::{Account, Accounts},
        client::{CallError, Calls, Failure},
        home::Home,
        organization::{LIST_ACCOUNTS, Member, list_accounts},
    },
    config_service::organization_packs::{excluded_accounts, organization_packs},
    error::Error,
    metrics::{Metric, embedded},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::Instant;
use tracing::{info, warn};

/// How many accounts are read at a time.
const ACCOUNTS_AT_A_TIME: usize = 16;
/// What is left at the deadline for reporting the outcome.
const FOR_THE_OUTCOME: Duration = Duration::from_secs(5);
/// Why an account is left out.
const EXCLUDED: &str = "excluded";
/// What helps if AWS Organizations or AWS Config tells this account nothing of the organization.
const REGISTER: &str = "Only the management account and delegated administrators may list the organization's accounts and conformance \
                        packs: register this account as one (templates/README.md, step 1).";
/// How many accounts the log names that are not covered, that are left out, and that have several rules; all are counted.
const LOGGED: usize = 100;
/// The number of places at which the order of the accounts may begin. It has no divisor in common with the hours between two checks, 1
/// to 12 (`CoverageSchedule`), so that no schedule comes back to the same place before it has been at all others.
const PLACES: u64 = 13;
/// How many places further a check begins that runs an hour later; twelve hours later, it is as many places back. Either is about half of
/// the accounts, so that a check that reaches 7 of 13 leaves none to the third check.
const PLACES_AN_HOUR: u64 = 6;

/// The metrics of a check, in the order of the values in [`Summary::line`].
pub static METRICS: [Metric; 10] = [
    Metric::new(
        "AccountsExpected",
        "Count",
        "the organization's accounts, without those that are not open and those that you exclude",
    ),
    Metric::new(
        "AccountsExcluded",
        "Count",
        "accounts that you exclude, unless a rule of theirs invokes this function",
    ),
    Metric::new("AccountsEvaluated", "Count", "accounts in which AWS Config evaluated the rule in time"),
    Metric::new("AccountsOverdue", "Count", "accounts whose last evaluation is too old"),
    Metric::new("AccountsUnknown", "Count", "accounts for whose rule AWS Config gives no evaluation status"),
    Metric::new("AccountsWithoutRule", "Count", "accounts without a rule that invokes this function, by its whole ARN"),
    Metric::new("AccountsUnreachable", "Count", "accounts that the check could not read"),
    Metric::new(
        "AccountsNotCovered",
        "Count",
        "overdue, without rule and unreachable, and unknown if AWS Config gives the status of other accounts; an alarm watches it",
    ),
    Metric::new(
        "AccountsWithSeveralRules",
        "Count",
        "accounts in which more than one rule invokes this function, so that AWS Config reports everything twice",
    ),
    Metric::new("CoverageCheckDuration", "Seconds", "how long the check took"),
];

/// What one check goes by.
#[derive(Debug)]
pub struct Check {
    /// Where the function is.
    pub home: Home,
    /// The time as of which evaluations are in time or overdue.
    pub now: DateTime<Utc>,
    /// How long Lambda lets it run, from now on.
    pub remaining: Duration,
    /// The name of the rule's function, in the same account and Region.
    pub rule_function_name: String,
    /// Accounts to leave out, besides those that the organization's conformance pack excludes.
    pub excluded: BTreeSet<String>,
}

/// How many accounts are covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The organization's open accounts, without those that are excluded.
    pub expected: usize,
    /// Accounts that are excluded. One that only the pack excludes, and that has a rule all the same, is expected.
    pub excluded: usize,
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
    /// Accounts with more than one rule, in any of these states.
    pub several_rules: usize,
}

/// Lists the organization's accounts, reads when AWS Config last evaluated the rule in each, and logs those that are not covered.
///
/// # Errors
/// [`Error`] if the accounts cannot be listed, the pack's exclusions cannot be read, or no account is left to check: then nothing is
/// known of coverage.
pub async fn check(check: &Check, accounts: &Accounts) -> Result<Summary, Error> {
    let until = Instant::now() + check.remaining - FOR_THE_OUTCOME.min(check.remaining / 3);
    let (settings, own) = (accounts.own_settings(), &check.home.account);
    let members = list_accounts(settings, own, &Calls::default(), until).await.map_err(listing_failed)?;
    let function = &check.home.function_arn(&check.rule_function_name);
    let excluded_by_pack = excluded_by_pack(check, accounts, until, function).await?;
    let (mut expected, mut left_out) = (Vec::new(), Vec::new());
    for (id, Member { name, not_open }) in members {
        match not_open.or(check.excluded.contains(&id).then_some(EXCLUDED)) {
            Some(why) => left_out.push((id, why)),
            None => expected.push((id, name)),
        }
    }
    let first = first_place(expected.len(), check.now);
    expected.rotate_left(first);
    let reads = expected.into_iter().map(|(id, name)| read(check, accounts, until, id, name, function));
    let coverage: Vec<_> = stream::iter(reads).buffer_unordered(ACCOUNTS_AT_A_TIME).collect().await;
    // An account that the pack excludes may have the rule from elsewhere, such as a StackSet of its organizational unit.
    let is_left_out = |one: &Coverage| one.state == State::NoRule && excluded_by_pack.contains(&one.account);
    let (no_rule, mut coverage): (Vec<_>, Vec<_>) = coverage.into_iter().partition(is_left_out);
    left_out.extend(no_rule.into_iter().map(|one| (one.account, EXCLUDED)));
    left_out.sort();
    coverage.sort_by(|a, b| a.account.cmp(&b.account));
    log_left_out(&left_out);
    if coverage.is_empty() {
        let left_out = left_out.len();
        return Err(Error::AwsError(format!("{LIST_ACCOUNTS}: all {left_out} accounts are excluded or not open.")));
    }
    log(&coverage);
    let excluded = left_out.iter().filter(|(_, why)| *why == EXCLUDED).count();
    Ok(Summary { excluded, ..Summary::of(&coverage) })
}

async fn excluded_by_pack(
    check: &Check,
    accounts: &Accounts,
    until: Instant,
    function: &str,
) -> Result<BTreeSet<String>, Error> {
    let calls = Calls::default();
    let own = accounts.open(&check.home.account, &check.home, check.now, &calls, until.into()).await?;
    let packs =
        organization_packs(&own.config, &calls, until).await.map_err(|error| exclusions_failed(&error, &own))?;
    Ok(excluded_accounts(packs, |arn| is_function(arn, function)))
}

/// Where the order of so many accounts begins at `now`. A check that runs out of time misses the last ones, so each begins elsewhere.
fn first_place(accounts: usize, now: DateTime<Utc>) -> usize {
    let hours = u64::try_from(now.timestamp() / 3600).unwrap_or_default();
    let place = hours % PLACES * PLACES_AN_HOUR % PLACES;
    (accounts as u64 * place / PLACES) as usize
}

async fn read(
    check: &Check,
    accounts: &Accounts,
    until: Instant,
    id: String,
    name: Option<String>,
    function: &str,
) -> Coverage {
    let calls = Calls::default();
    let coverage = match accounts.open(&id, &check.home, check.now, &calls, until.into()).await {
        Ok(account) => Coverage::read(&account, name, function, check.now).await,
        Err(error) => Coverage::unreachable(id.clone(), name, error.to_string()),
    };
    // Nothing else will be asked of the account, and the clients of a thousand would fill the function's memory.
    accounts.forget(&id);
    coverage
}

fn exclusions_failed(error: &CallError, own: &Account<'_>) -> Error {
    match error.code.as_str() {
        // Not a matter of the role's policy.
        "OrganizationAccessDeniedException" => Error::AccessDenied(format!("{error}. {REGISTER}")),
        _ => own.error(error),
    }
}

fn listing_failed(error: CallError) -> Error {
    match error.kind {
        Failure::Denied => Error::AccessDenied(format!("{error}. {REGISTER}")),
        Failure::TimeUp => Error::DeadlineExceeded(format!("no time left for {error}")),
        Failure::NotFound | Failure::NotYetConsistent | Failure::Other => Error::AwsError(format!("{error}.")),
    }
}

fn log_left_out(left_out: &[(String, &str)]) {
    for (account, why) in left_out.iter().take(LOGGED) {
        info!(account, why, "account left out");
    }
    if !left_out.is_empty() {
        info!(accounts = left_out.len(), "accounts left out");
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
    let several = coverage.iter().filter_map(|one| Some((&one.account, one.several_rules()?)));
    for (account, why) in several.take(LOGGED) {
        warn!(account, why, "account with several rules");
    }
}

impl Summary {
    /// Counts the accounts by state.
    pub fn of(coverage: &[Coverage]) -> Summary {
        let count = |state| coverage.iter().filter(|account| account.state == state).count();
        Summary {
            expected: coverage.len(),
            excluded: 0,
            evaluated: count(State::Evaluated),
            overdue: count(State::Overdue),
            unknown: count(State::Unknown),
            without_rule: count(State::NoRule),
            unreachable: count(State::Unreachable),
            several_rules: coverage.iter().filter(|one| !one.other_rules.is_empty()).count(),
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
        let values = [
            json!(self.expected),
            json!(self.excluded),
            json!(self.evaluated),
            json!(self.overdue),
            json!(self.unknown),
            json!(self.without_rule),
            json!(self.unreachable),
            json!(self.not_covered()),
            json!(self.several_rules),
            json!(took.as_secs_f64()),
        ];
        embedded(now, METRICS.iter().zip(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    /// The first `reached` of so many accounts, as a check at that hour reads them.
    fn reached(accounts: usize, hour: i64, reached: usize) -> BTreeSet<usize> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::hours(500_000 + hour);
        let mut order: Vec<_> = (0..accounts).collect();
        order.rotate_left(first_place(accounts, now));
        order.into_iter().take(reached).collect()
    }

    #[test]
    fn what_one_check_misses_the_next_reaches() {
        for hours in [1, 12] {
            for first in 0..26 {
                for accounts in [13_usize, 100, 5000] {
                    let enough = (accounts * 7).div_ceil(13) + 1;
                    let [one, next] = [first, first + hours].map(|hour| reached(accounts, hour, enough));
                    assert_eq!(one.union(&next).count(), accounts, "{accounts} accounts, from hour {first}");
                }
            }
        }
    }

    #[test]
    fn every_schedule_begins_everywhere() {
        for hours in 1..=12 {
            // A check that reaches hardly more than a thirteenth of the accounts.
            let checks = (0..13).flat_map(|check| reached(5000, check * hours, 386));
            assert_eq!(checks.collect::<BTreeSet<_>>().len(), 5000, "every {hours} hours");
        }
    }
}
