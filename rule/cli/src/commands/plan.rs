//! `plan`: for each violation, the steps of a rotation that breaks nothing. `plan` itself changes nothing.

mod markdown;
mod steps;

use crate::{
    args::{scope::Scope, targets::tell_left_out},
    command_result::CommandResult,
    findings::organization_scan::scan_accounts,
    output::destination::Output,
};
use std::path::PathBuf;
use steps::Plan;

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
    #[command(flatten)]
    scope: Scope,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let output = Output::open(args.output.as_deref())?;
    let result = scan_accounts(&args.scope.connection.open().await?, &args.scope, None, None).await?;
    tell_left_out(&result.left_out);
    let command_result = result.command_result();
    let plan = Plan::new(result);
    output.write(move |out| markdown::write(&plan, out)).await?;
    Ok(command_result)
}

#[cfg(test)]
mod tests;
