//! What a scan found, for people and for programs.

use crate::{
    findings::{
        comparison::{Comparison, Violation},
        finding::{AccountSummary, Finding, Since, Terms},
        organization_scan::OrganizationScan,
    },
    output::html,
};
use chrono::SecondsFormat;
use clap::ValueEnum;
use serde::Serialize;
use std::{
    fmt::Write as _,
    io::{self, Write},
};

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Violations, and a summary of each account
    Table,
    /// Every user
    Json,
    /// Every user, a line each
    Csv,
    /// A page for the browser: violations, exemptions, keys due soon
    Html,
}

impl Format {
    pub(crate) fn write(self, survey: OrganizationScan, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Table => table(survey, out),
            Format::Json => json(survey, out),
            Format::Csv => csv(survey, out),
            Format::Html => html::write(survey, out),
        }
    }
}

/// What those who read the findings of credential reports should know.
pub(crate) const CREDENTIAL_REPORT: &str = "By credential reports alone, which are as old as they are: a key that was switched \
    off and on again looks new in them, exemptions are not seen, and keys have no ids.";

/// Why a violation is where it is in the order.
pub(crate) fn urgency(finding: &Finding) -> &'static str {
    match (finding.production == Some(true), finding.in_use) {
        (true, Some(true)) => "production, in use",
        (true, Some(false)) => "production",
        (true, None) => "production, in use?",
        (false, Some(true)) => "in use",
        (false, Some(false)) => "idle",
        (false, None) => "in use?",
    }
}

fn table(survey: OrganizationScan, out: &mut dyn Write) -> io::Result<()> {
    let OrganizationScan { terms, accounts, comparison, findings, longest_name, .. } = survey;
    let width = longest_name.max(4);
    if accounts.iter().any(|account| account.users_non_compliant > 0) {
        writeln!(out, "{:<12}  {:<width$}  {:<18}  What to do", "Account", "User", "First")?;
    }
    // The violations come first.
    for finding in findings.ordered()? {
        let finding = finding?;
        if !finding.is_violation() {
            break;
        }
        let Finding { account, user_name, annotation, since, .. } = &finding;
        let new = if *since == Some(Since::New) { "NEW: " } else { "" };
        let what = annotation.as_deref().unwrap_or_default();
        writeln!(out, "{account:<12}  {user_name:<width$}  {:<18}  {new}{what}", urgency(&finding))?;
    }
    for account in &accounts {
        let name = account.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let exempt = account.users_exempt.map_or("exemptions unknown".to_owned(), |exempt| format!("{exempt} exempt"));
        let state = if account.error.is_some() { ", not complete" } else { "" };
        writeln!(
            out,
            "{}{name}: {} users evaluated, {} non-compliant, {exempt}{state}",
            account.account, account.users_evaluated, account.users_non_compliant
        )?;
    }
    if terms.credential_report {
        writeln!(out, "{CREDENTIAL_REPORT}")?;
    }
    match comparison {
        Some(comparison) => out.write_all(summary(&comparison).as_bytes()),
        None => Ok(()),
    }
}

fn summary(comparison: &Comparison) -> String {
    let Comparison { scanned_at, fixed, exempt, new, open, unknown, new_accounts } = comparison;
    let mut text = format!(
        "Since {}: {} fixed, {} exempt now, {} new, {} still open, {} unknown\n",
        scanned_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        fixed.len(),
        exempt.len(),
        new.len(),
        open.len(),
        unknown.len()
    );
    for (what, list) in [("fixed", fixed), ("exempt now", exempt), ("new", new), ("unknown", unknown)] {
        for Violation { account, user_name, access_key_id, .. } in list {
            let _ = writeln!(text, "  {what:<10}  {account}  {user_name}  {access_key_id}");
        }
    }
    if !new_accounts.is_empty() {
        let _ = writeln!(text, "Not scanned in full then, so that new may be old: {}", new_accounts.join(", "));
    }
    text
}

/// A line a user, so that one document serves both `jq` and `grep`.
fn json(survey: OrganizationScan, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Head<'a> {
        #[serde(flatten)]
        terms: &'a Terms,
        accounts: &'a [AccountSummary],
        #[serde(skip_serializing_if = "Option::is_none")]
        since: Option<&'a Comparison>,
    }
    let head = Head { terms: &survey.terms, accounts: &survey.accounts, since: survey.comparison.as_ref() };
    let head = serde_json::to_string_pretty(&head)?;
    write!(out, "{},\n  \"users\": [", head.trim_end_matches("\n}"))?;
    for (number, finding) in survey.findings.ordered()?.enumerate() {
        write!(out, "{}\n    ", if number == 0 { "" } else { "," })?;
        serde_json::to_writer(&mut *out, &finding?)?;
    }
    writeln!(out, "\n  ]\n}}")
}

fn csv(survey: OrganizationScan, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::Writer::from_writer(out);
    // Unwrapped, so that a closed pipe is seen to be one.
    let unwrap = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    };
    let header = [
        "account",
        "user",
        "user_id",
        "compliance",
        "exempt",
        "production",
        "in_use",
        "owner",
        "violations",
        "since",
        "annotation",
    ];
    writer.write_record(header).map_err(unwrap)?;
    let flag = |flag| if flag { "true" } else { "false" };
    for finding in survey.findings.ordered()? {
        let finding = finding?;
        let violations = finding.violations.join(";");
        let record = [
            finding.account.as_str(),
            finding.user_name.as_str(),
            finding.user_id.as_deref().unwrap_or_default(),
            finding.compliance.name(),
            finding.exempt.map(flag).unwrap_or_default(),
            finding.production.map(flag).unwrap_or_default(),
            finding.in_use.map(flag).unwrap_or_default(),
            finding.owner.as_deref().unwrap_or_default(),
            violations.as_str(),
            match finding.since {
                Some(Since::New) => "new",
                Some(Since::Open) => "open",
                None => "",
            },
            finding.annotation.as_deref().unwrap_or_default(),
        ];
        writer.write_record(record).map_err(unwrap)?;
    }
    writer.flush()
}
