//! Checks that AWS Config evaluated the rule in time.

use super::{Caller, Check};
use crate::manual;
use access_key_rotation::{
    aws::account::Account,
    coverage::account::{Coverage, State, read},
};
use chrono::{DateTime, SecondsFormat, Utc};

const NAME: &str = "coverage";

pub(super) async fn check(account: &Account<'_>, function: &str, now: DateTime<Utc>, caller: &Caller<'_>) -> Check {
    let Coverage { state, rule, last_evaluated, why, .. } = match read(account, None, function, now).await {
        Ok(coverage) => coverage,
        Err(error) => return Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
    };
    let (rule, why) = (rule.unwrap_or_default(), why.unwrap_or_default());
    match (state, last_evaluated) {
        (State::Evaluated, Some(at)) => {
            let at = at.to_rfc3339_opts(SecondsFormat::Secs, true);
            Check::ok(NAME, format!("AWS Config last evaluated {rule} on {at}"))
        }
        (State::Evaluated, None) => Check::ok(NAME, format!("{rule} is new, and AWS Config has not evaluated it yet")),
        (State::Unknown, _) => Check::skipped(NAME, why),
        (State::NoRule, _) => Check::failed(
            NAME,
            why,
            format!(
                "Repeat the command in {}. AWS Config does not repeat it for an account that joined before its runbooks existed.",
                manual::PACK
            ),
        ),
        (State::Overdue | State::Unreachable, _) => Check::failed(
            NAME,
            format!("AWS Config has not evaluated {rule} in time: {why}"),
            format!("Read the function's log for this account, and {}.", manual::TROUBLESHOOTING),
        ),
    }
}
