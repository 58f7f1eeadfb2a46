//! `plan`: the board of all keys that need somebody or something, and for each violation the steps of a rotation that breaks nothing.
//! `plan` itself changes nothing.

mod contents;
mod json;
mod markdown;
mod rotation;
mod steps;
mod table;

use crate::{
    args::{filter::Filter, outputs::Outputs, scope::Scope, targets::tell_left_out},
    callers::{chosen::stale_keys_in_use, history, lookup::Window},
    command_result::CommandResult,
    findings::organization_scan::{Reader, scan_accounts},
    output::{Format, one_of},
};
use contents::Plan;

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
/// Exit status: 0 - no violations, or --exit-zero; 1 - failed or incomplete; 2 - wrong usage; 3 - violations found among the users whom
/// the filter shows.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
        access-key-rotation plan --organization --profile security --owner-tag team --output plan.md\n  \
        access-key-rotation plan --format table --user mailer")]
#[command(mut_arg("format", |arg| arg.value_parser(one_of(FORMATS))))]
pub(crate) struct Args {
    #[command(flatten)]
    outputs: Outputs,
    /// Show also who uses each stale key that is in use, by CloudTrail's events of the last 90 days
    #[arg(long = "where")]
    with_callers: bool,
    /// Exit with 0 although there are violations
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    scope: Scope,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let outputs = args.outputs.open(FORMATS)?;
    let session = args.scope.connection.open().await?;
    let result = scan_accounts(&session, &args.scope, None, Reader::Plan).await?;
    tell_left_out(&result.left_out);
    let (mut plan, CommandResult { mut errors, violations }) = Plan::new(result, &args.filter);
    if args.with_callers {
        let keys = stale_keys_in_use(plan.findings.iter(), plan.terms.quiet_days, session.now);
        let histories = history::read(&session, keys, &Window::by_default(session.now)).await;
        errors.extend(histories.missing());
        plan.histories = Some(histories);
    }
    outputs
        .write(move |format, out| match format {
            Format::Table => table::write(&plan, out),
            Format::Json => json::write(&plan, out),
            _ => markdown::write(&plan, out),
        })
        .await?;
    Ok(CommandResult { errors, violations: violations && !args.exit_zero })
}

#[cfg(test)]
mod tests;
