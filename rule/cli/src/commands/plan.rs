//! `plan`: the board of all keys that need somebody or something, and for each violation the steps of a rotation that breaks nothing.
//! `plan` itself changes nothing.

mod contents;
mod json;
mod markdown;
mod rotation;
mod steps;
mod table;

use crate::{
    args::{scope::Scope, targets::tell_left_out},
    callers::{chosen::stale_keys_in_use, history, lookup::Window},
    command_result::CommandResult,
    findings::organization_scan::{Reader, scan_accounts},
    output::{Format, destination::Output, one_of},
};
use contents::{Plan, Wanted};
use std::path::PathBuf;

const FORMATS: &[(Format, &str)] = &[
    (Format::Markdown, "The board, and a checklist for each owner"),
    (Format::Table, "The board"),
    (Format::Json, "The board, and the steps for each user"),
];

/// Show where each key stands that is stale, due soon, rotating, settling, deactivated or blocked: what happens next by itself, and
/// what you must do. It changes nothing, and reads no secret.
///
/// The checklist has the steps that rotate or retire each key in violation, with a command for each: a runbook's if the runbooks are
/// deployed, or the AWS CLI's. It ends with the old inactive keys, which somebody should delete.
///
/// Exit status: 0 - no violations; 1 - failed or incomplete; 2 - wrong usage; 3 - violations found.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
        access-key-rotation plan --organization --profile security --owner-tag team --output plan.md\n  \
        access-key-rotation plan --format table --user mailer")]
pub(crate) struct Args {
    /// Print in this format
    #[arg(long, value_parser = one_of(FORMATS), default_value = "markdown")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show also who uses each stale key that is in use, by CloudTrail's events of the last 90 days
    #[arg(long = "where")]
    with_callers: bool,
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    scope: Scope,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let output = Output::open(args.output.as_deref())?;
    let session = args.scope.connection.open().await?;
    let result = scan_accounts(&session, &args.scope, None, Reader::Plan).await?;
    tell_left_out(&result.left_out);
    let mut errors = result.command_result().errors;
    errors.extend(args.wanted.unknown_users(&result).map(|name| format!("--user {name}: no such user was evaluated")));
    let mut plan = Plan::new(result, &args.wanted);
    if args.with_callers {
        let keys = stale_keys_in_use(plan.findings.iter(), plan.terms.quiet_days, session.now);
        let histories = history::read(&session, keys, &Window::by_default(session.now)).await;
        errors.extend(histories.missing());
        plan.histories = Some(histories);
    }
    let violations = plan.violations().next().is_some();
    output
        .write(move |out| match args.format {
            Format::Table => table::write(&plan, out),
            Format::Json => json::write(&plan, out),
            _ => markdown::write(&plan, out),
        })
        .await?;
    Ok(CommandResult { errors, violations })
}

#[cfg(test)]
mod tests;
