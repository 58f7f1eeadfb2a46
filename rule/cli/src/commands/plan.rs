//! `plan`: for each violation, the steps of a rotation that breaks nothing. `plan` itself changes nothing.

mod markdown;
mod steps;

use crate::{
    args::{scope::Scope, targets::tell_left_out},
    command_result::CommandResult,
    findings::{
        finding::{Finding, Key, Terms},
        organization_scan::scan_accounts,
        scan_result::ScanResult,
    },
    output::destination::Output,
};
use clap::value_parser;
use std::path::PathBuf;

/// Write a checklist for each owner: the steps that rotate or retire each key in violation. It changes nothing itself.
///
/// Each step has its command: a runbook's if the runbooks are deployed, or the AWS CLI's. The list ends with the old inactive
/// keys, which somebody should delete.
///
/// Exit status: 0 - no violations; 1 - failed or incomplete; 2 - wrong usage; 3 - violations found.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  access-key-rotation plan --organization --profile security --owner-tag team --output plan.md"
)]
pub(crate) struct Args {
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Wait this number of days between the deactivation and the deletion of a key (1 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = value_parser!(u16).range(1..=3650))]
    grace_days: u16,
    #[command(flatten)]
    scope: Scope,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let output = Output::open(args.output.as_deref())?;
    let result = scan_accounts(&args.scope.connection.open().await?, &args.scope, None, None).await?;
    tell_left_out(&result.left_out);
    let command_result = result.command_result();
    let plan = Plan::new(result, args.grace_days);
    output.write(move |out| markdown::write(&plan, out)).await?;
    Ok(command_result)
}

/// The violations, the most urgent first, and the old keys that are not active.
struct Plan {
    terms: Terms,
    violations: Vec<Finding>,
    /// Account, user and key.
    old_inactive_keys: Vec<(String, String, Key)>,
    /// Accounts with missing data.
    incomplete: Vec<String>,
    grace_days: u16,
}

impl Plan {
    fn new(result: ScanResult, grace_days: u16) -> Plan {
        let incomplete = result.accounts.iter().filter(|account| account.error.is_some());
        let incomplete = incomplete.map(|account| account.account.clone()).collect();
        let old = result.findings.iter().flat_map(|finding| {
            finding.old_inactive_keys().map(|key| (finding.account.clone(), finding.user_name.clone(), key.clone()))
        });
        let old_inactive_keys = old.collect();
        let violations = result.findings.into_iter().take_while(Finding::is_violation).collect();
        Plan { terms: result.terms, violations, old_inactive_keys, incomplete, grace_days }
    }
}

#[cfg(test)]
mod tests;
