//! `scan`: the accounts in question, evaluated at once.

use crate::{
    Outcome,
    args::scope::Scope,
    findings::{comparison::Earlier, finding::Terms, organization_scan::OrganizationScan, report_scan},
    output::{
        destination::Output,
        format::{CREDENTIAL_REPORT, Format},
    },
};
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

pub(crate) async fn run(args: Args) -> Result<Outcome, String> {
    let output = Output::open(args.output.as_deref())?;
    let survey = match args.credential_report.is_empty() {
        true => args.scope.survey(args.since.as_deref()).await?,
        false => offline(&args)?,
    };
    if survey.terms.credential_report && matches!(args.format, Format::Json | Format::Csv) {
        // These two have no place for it. Standard error that nobody reads is no reason to fail.
        let _ = writeln!(stderr(), "access-key-rotation: {CREDENTIAL_REPORT}");
    }
    let outcome = Outcome { errors: survey.errors(), violations: survey.has_violations() };
    output.write(move |out| args.format.write(survey, out)).await?;
    Ok(outcome)
}

fn offline(args: &Args) -> Result<OrganizationScan, String> {
    let terms = Terms { credential_report: true, ..args.scope.terms(args.as_of.unwrap_or_else(Utc::now)) };
    let earlier = args.since.as_deref().map(|path| Earlier::read(path, &terms)).transpose()?;
    let mut survey = OrganizationScan::new(terms, earlier)?;
    for path in &args.credential_report {
        report_scan::add(&mut survey, path, &args.scope.rule.parameters, &args.scope.order.tag_names())?;
    }
    Ok(survey.finish())
}

/// A time as AWS writes it, within the centuries in which days can be added and taken away.
fn time(text: &str) -> Result<DateTime<Utc>, String> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) if time > Utc::now() => Err("it is in the future".to_owned()),
        Ok(time) if time.year() >= 2000 => Ok(time.to_utc()),
        _ => Err("a time is as in 2026-03-01T12:00:00+00:00".to_owned()),
    }
}
