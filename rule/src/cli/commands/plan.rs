//! `plan`: for each violation, the steps of a rotation that breaks nothing. `plan` itself changes nothing.

mod markdown;
mod script;

use crate::{
    args::{scope::Scope, targets::tell_left_out},
    findings::{
        finding::{Finding, Key, Terms},
        organization_scan::{Besides, scan_accounts},
        scan_result::ScanResult,
    },
    outcome::Outcome,
    output::{destination::Output, shell::quoted},
};
use access_key_rotation::policy::access_key::KeyStatus;
use anyhow::Context;
use chrono::{DateTime, TimeDelta, Utc};
use clap::{ValueEnum, value_parser};
use std::{io, path::PathBuf};

/// Write the steps that rotate or retire each key in violation, with AWS CLI commands. It changes nothing itself.
///
/// Exit status: 0 - no violations; 1 - failed or incomplete; 2 - wrong usage; 3 - violations found.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  access-key-rotation plan --organization --profile security --owner-tag team --output plan.md"
)]
pub(crate) struct Args {
    /// Print in this format
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Wait this number of days between the deactivation and the deletion of a key (1 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = value_parser!(u16).range(1..=3650))]
    grace_days: u16,
    #[command(flatten)]
    scope: Scope,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A checklist for each owner
    Markdown,
    /// A Bash script that asks before each step. Read it before you run it
    Script,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let output = Output::open(args.output.as_deref())?;
    let result = scan_accounts(&args.scope.connection.open().await?, &args.scope, None, Besides::default()).await?;
    tell_left_out(&result.left_out);
    let plan = Plan::new(&result, args.grace_days).context("cannot read a temporary file")?;
    let write = if args.format == Format::Markdown { markdown::write } else { script::write };
    output.write(move |out| write(&plan, out)).await?;
    Ok(result.outcome())
}

/// The violations, the most urgent first.
struct Plan {
    terms: Terms,
    violations: Vec<Finding>,
    /// Accounts with missing data.
    incomplete: Vec<String>,
    grace_days: u16,
}

impl Plan {
    fn new(result: &ScanResult, grace_days: u16) -> io::Result<Plan> {
        let incomplete = result.accounts.iter().filter(|account| account.error.is_some());
        let incomplete = incomplete.map(|account| account.account.clone()).collect();
        let violations = result.findings.violations()?.collect::<io::Result<_>>()?;
        Ok(Plan { terms: result.terms.clone(), violations, incomplete, grace_days })
    }
}

/// A step: what to do, with the AWS CLI's arguments if a command does it.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// A person does it, or waits for it.
    Do(String),
    /// Changes nothing.
    Look(String, Vec<String>),
    /// Changes something now.
    Change(String, Vec<String>),
    /// Changes something for good, and must wait. The script never does it.
    Later(String, Vec<String>),
}

/// The steps for one user: create, switch, watch the last use, deactivate, wait, delete, or fewer if fewer are enough. A user
/// has at most two keys (a quota that AWS does not raise).
fn steps(finding: &Finding, plan: &Plan) -> Vec<Step> {
    let user = &finding.user_name;
    let (mut stale, others): (Vec<_>, Vec<_>) =
        finding.access_keys.iter().partition(|key| finding.violations.contains(&key.access_key_id));
    // Unused keys go first, then the key whose last use is longest ago.
    stale.sort_by_key(|key| (last_use(key), key.create_date));
    let Some((last, first)) = stale.split_last() else {
        return Vec::new();
    };
    let unknown: Vec<_> = stale.iter().filter(|key| key.last_used.is_none()).collect();
    if !unknown.is_empty() {
        let look_at = |key: &&&Key| {
            let id = &key.access_key_id;
            Step::Look(format!("Find out when {id} was last used. This plan could not read it."), look(id))
        };
        let again = Step::Do("Then run plan again. The key may be in use.".to_owned());
        return unknown.iter().map(look_at).chain([again]).collect();
    }
    if last_use(last).is_none() {
        return stale.iter().flat_map(|key| retire(user, key, plan)).collect();
    }
    let mut steps = Vec::new();
    let id = &last.access_key_id;
    if let [first] = first {
        let other = &first.access_key_id;
        if last_use(first).is_some() {
            steps.push(Step::Do(format!("Switch everything that uses {other} to {id} for now.")));
        }
        steps.extend(retire(user, first, plan));
        steps.push(Step::Do(format!("Delete {other} to make room for a new key, then run plan again for {id}.")));
        return steps;
    }
    match others.first().map(|other| (*other, &other.access_key_id)) {
        Some((other, other_id)) if other.status == KeyStatus::Active => {
            steps.push(Step::Do(
                match plan.terms.scanned_at - other.create_date > TimeDelta::days(plan.terms.max_access_key_age.into())
                {
                    true => format!(
                        "Move everything that uses {id} to a role. There is no room for a new key, since {other_id} is exempt."
                    ),
                    false => format!("Switch everything that uses {id} to {other_id}, which the user already has."),
                },
            ));
        }
        other => {
            if let Some((other, other_id)) = other {
                let (status, days) = (other.status.as_str().to_lowercase(), plan.grace_days);
                steps.push(Step::Look(
                    format!("Check that nobody needs {other_id} any more. It is {status}."),
                    look(other_id),
                ));
                let what = format!(
                    "If {other_id} has been {status} for {days} days and is not exempt, delete it to make room."
                );
                steps.push(Step::Later(what, iam("delete-access-key", user, Some(other_id))));
                steps.push(Step::Do(format!("Continue only after {other_id} is deleted.")));
            }
            let what = "Create a new key. AWS shows its secret only this once.";
            steps.push(Step::Change(what.to_owned(), iam("create-access-key", user, None)));
            steps.push(Step::Do(format!("Switch everything that uses {id} to the new key.")));
        }
    }
    steps.extend(retire(user, last, plan));
    steps
}

fn last_use(key: &Key) -> Option<DateTime<Utc>> {
    key.last_used.as_ref()?.date
}

/// Watch, deactivate, wait, delete.
fn retire(user: &str, key: &Key, plan: &Plan) -> Vec<Step> {
    let id = &key.access_key_id;
    let used = match key.last_used.as_ref().and_then(|used| Some((used.date?, used))) {
        Some((date, used)) => {
            // IAM returns `N/A` for what it does not know.
            let known =
                [("by", &used.service_name), ("in", &used.region)].into_iter().filter(|(_, text)| *text != "N/A");
            let known: String = known.map(|(word, text)| format!(" {word} {text}")).collect();
            format!("last used on {}{known}", date.date_naive())
        }
        None => "no use on record".to_owned(),
    };
    vec![
        Step::Look(format!("Check that nothing uses {id} any more ({used})."), look(id)),
        Step::Change(
            format!("Deactivate {id}. To undo this, run the command with --status Active."),
            [iam("update-access-key", user, Some(id)), vec!["--status".to_owned(), "Inactive".to_owned()]].concat(),
        ),
        Step::Later(
            format!(
                "After {} days, on {} at the earliest, delete {id} if nothing broke.",
                plan.grace_days,
                (plan.terms.scanned_at + TimeDelta::days(plan.grace_days.into())).date_naive()
            ),
            iam("delete-access-key", user, Some(id)),
        ),
    ]
}

fn look(key: &str) -> Vec<String> {
    ["iam", "get-access-key-last-used", "--access-key-id", key].map(str::to_owned).to_vec()
}

fn iam(action: &str, user: &str, key: Option<&str>) -> Vec<String> {
    let mut arguments = ["iam", action, "--user-name", user].map(str::to_owned).to_vec();
    if let Some(key) = key {
        arguments.extend(["--access-key-id".to_owned(), key.to_owned()]);
    }
    arguments
}

/// Puts text on one line, even if a tag has control characters.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c }).collect()
}

/// An AWS CLI command for a POSIX shell.
fn command(arguments: &[String]) -> String {
    let words: Vec<_> = arguments.iter().map(|argument| quoted(argument)).collect();
    format!("aws {}", words.join(" "))
}

#[cfg(test)]
mod tests;
