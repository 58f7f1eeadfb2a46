//! `scan`: evaluates accounts now.

use crate::{
    args::{
        filter::{Filter, Urgency},
        outputs::Outputs,
        scope::Scope,
        targets::tell_left_out,
    },
    command_result::CommandResult,
    findings::{
        board::Board,
        filtered,
        finding::AccountSummary,
        organization_scan::{Reader, scan_accounts},
        report_scan::{LIMITS, scan_reports},
        to_do::is_to_do,
    },
    output::{
        Format, csv, html, json,
        look::{Color, Look},
        messages::note,
        one_of, table,
    },
};
use anyhow::bail;
use chrono::{DateTime, Datelike, Utc, format::ParseErrorKind};
use std::path::PathBuf;

const FORMATS: &[(Format, &str)] = &[
    (Format::Table, "Violations, and a summary of each account"),
    (Format::Json, "Every user"),
    (Format::Csv, "Every user, one on each line"),
    (Format::Html, "A page for your browser: violations, exemptions, and keys due soon"),
];

/// Evaluate every IAM user of the current account, or of other accounts, without AWS Config.
///
/// Exit status: 0 - no violations, or --exit-zero; 1 - failed or incomplete; 2 - wrong usage; 3 - violations found among the users whom
/// the filter shows.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
        access-key-rotation scan --profile management --organization --role-name OrganizationAccountAccessRole\n  \
        access-key-rotation scan --profile security --organization --format html --output keys.html")]
#[command(mut_arg("format", |arg| arg.value_parser(one_of(FORMATS))))]
pub(crate) struct Args {
    /// Evaluate these credential reports offline. A report shows no exemptions and no key ids, a key that was switched off and
    /// on again looks new in it, and the results are as old as the report
    #[arg(long, num_args = 1.., value_name = "FILE", conflicts_with_all = ["account", "organization", "profile", "region", "owner"])]
    credential_report: Vec<PathBuf>,
    /// Evaluate the reports as of this time instead of now: pass the report's GeneratedTime
    #[arg(long, value_name = "TIME", requires = "credential_report", value_parser = time)]
    as_of: Option<DateTime<Utc>>,
    /// Show what is fixed, new and still open since an earlier scan, which you printed with --format json
    #[arg(long, value_name = "EARLIER.json")]
    since: Option<PathBuf>,
    /// In the table, show each user with the rule's annotation instead of a line for each key
    #[arg(long)]
    wide: bool,
    /// Use colors in the table
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Color,
    #[command(flatten)]
    outputs: Outputs,
    /// Exit with 0 although there are violations
    #[arg(long)]
    exit_zero: bool,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    scope: Scope,
}

#[expect(clippy::disallowed_methods, reason = "without AWS, a scan's `now` is when it begins")]
pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let outputs = args.outputs.open(FORMATS)?;
    let (reports, since, filter) = (args.credential_report, args.since.as_deref(), args.filter);
    if !reports.is_empty()
        && let Some(urgency) =
            filter.priority.iter().find(|which| matches!(which, Urgency::Exposed | Urgency::Production))
    {
        bail!("--priority {}: a credential report does not tell", urgency.name());
    }
    let mut result = if reports.is_empty() {
        let reader = Reader::Scan { owners: filter.needs_tags() };
        scan_accounts(&args.scope.connection.open().await?, &args.scope, since, reader).await?
    } else {
        scan_reports(&reports, args.as_of.unwrap_or_else(Utc::now), &args.scope, since)?
    };
    let board = Board::of(&result);
    filtered::apply(&filter, &mut result, |finding| is_to_do(finding, &board), |_| true);
    if outputs.has(&[Format::Json, Format::Csv]) {
        // JSON and CSV have no place for this.
        filtered::sentences(result.filtered.as_ref()).iter().for_each(|sentence| note(sentence));
        if result.is_from_reports() {
            note(LIMITS);
            result.accounts.iter().flat_map(AccountSummary::root_sentences).for_each(|sentence| note(&sentence));
        }
    }
    if outputs.has(&[Format::Csv]) {
        tell_left_out(&result.left_out);
        let accounts = result.accounts.iter();
        let sentences = accounts.flat_map(|account| {
            let records = account.records_sentence().into_iter();
            // Those of a report have been said.
            let root = if result.is_from_reports() { Vec::new() } else { account.root_sentences() };
            records.chain(root).chain(account.credentials_sentence()).chain(account.unread_sentences())
        });
        for sentence in sentences {
            note(&sentence);
        }
    }
    let CommandResult { errors, violations } = result.command_result();
    let (wide, look) = (args.wide, Look::of(outputs.is_standard(), args.color));
    outputs
        .write(move |format, out| match format {
            Format::Table | Format::Markdown => table::write(&result, wide, look, out),
            Format::Json => json::write(&result, out),
            Format::Csv => csv::write(&result, out),
            Format::Html => html::write(&result, None, out),
        })
        .await?;
    Ok(CommandResult { errors, violations: violations && !args.exit_zero })
}

/// Parses a time as AWS writes it. The range leaves room for date arithmetic.
#[expect(clippy::disallowed_methods, reason = "only the time of a report, which is in the past")]
fn time(text: &str) -> anyhow::Result<DateTime<Utc>> {
    match DateTime::parse_from_rfc3339(text) {
        Ok(time) if time > Utc::now() => bail!("the time is in the future"),
        Ok(time) if time.year() >= 2000 => Ok(time.to_utc()),
        // The form is right, so this is 30 February or 25 o'clock.
        Err(error) if error.kind() == ParseErrorKind::OutOfRange => bail!("no such day or time"),
        _ => bail!("write the time as in 2026-03-01T12:00:00+00:00"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    /// Markdown is for checklists.
    #[test]
    fn a_scan_has_every_format_but_markdown() {
        let formats: Vec<_> = FORMATS.iter().map(|(format, _)| *format).collect();
        let all = Format::value_variants().iter().copied().filter(|format| *format != Format::Markdown);
        assert_eq!(formats, all.collect::<Vec<_>>());
    }
}
