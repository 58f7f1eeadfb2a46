//! `scan`: the accounts in question, evaluated at once.

use crate::{
    args::scope::Scope,
    findings::{organization_scan::scan_accounts, report_scan::scan_reports},
    outcome::Outcome,
    output::{
        destination::Output,
        format::{CREDENTIAL_REPORT, Format},
    },
};
use anyhow::bail;
use chrono::{DateTime, Datelike, Utc};
use std::{
    io::{Write, stderr},
    path::PathBuf,
};

/// Evaluates every IAM user of the current account, or of others, without AWS Config.
///
/// Exit status: 0 - no violation; 1 - failed, or not complete; 2 - wrong usage; 3 - violations found.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  access-key-rotation scan --profile security --organization --format html --output keys.html"
)]
pub(crate) struct Args {
    /// Judge by credential reports alone, offline. A key that was switched off and on again looks new in them, they show no
    /// exemptions and no key ids, and they are as old as they are
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["account", "organization", "profile", "region"])]
    credential_report: Vec<PathBuf>,
    /// Judge as of this time instead of now, as of the report's GeneratedTime
    #[arg(long, value_name = "TIME", requires = "credential_report", value_parser = time)]
    as_of: Option<DateTime<Utc>>,
    /// Say what is fixed, what is new and what is still open since an earlier scan, printed by --format json
    #[arg(long, value_name = "EARLIER.json")]
    since: Option<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    scope: Scope,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let output = Output::open(args.output.as_deref())?;
    let (reports, since) = (args.credential_report, args.since.as_deref());
    let result = match reports.is_empty() {
        true => scan_accounts(&args.scope, since).await?,
        false => scan_reports(&reports, args.as_of.unwrap_or_else(Utc::now), &args.scope, since)?,
    };
    if result.terms.credential_report && matches!(args.format, Format::Json | Format::Csv) {
        // These two have no place for it. Standard error that nobody reads is no reason to fail.
        let _ = writeln!(stderr(), "access-key-rotation: {CREDENTIAL_REPORT}");
    }
    let outcome = result.outcome();
    output.write(move |out| args.format.write(&result, out)).await?;
    Ok(outcome)
}

/// A time as AWS writes it, within the centuries in which days can be added and taken away.
fn time(text: &str) -> anyhow::Result<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) if time > Utc::now() => bail!("it is in the future"),
        Ok(time) if time.year() >= 2000 => Ok(time.to_utc()),
        _ => bail!("a time is as in 2026-03-01T12:00:00+00:00"),
    }
}
