//! The output formats of a scan, and the texts that they share.

use crate::{
    findings::{finding::Finding, scan_result::ScanResult},
    output::{csv, html, json, table},
};
use clap::ValueEnum;
use std::io::{self, Write};

/// The output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Violations, and a summary of each account
    Table,
    /// Every user
    Json,
    /// Every user, one on each line
    Csv,
    /// A page for your browser: violations, exemptions, and keys due soon
    Html,
}

impl Format {
    pub(crate) fn write(self, result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Table => table::write(result, out),
            Format::Json => json::write(result, out),
            Format::Csv => csv::write(result, out),
            Format::Html => html::write(result, out),
        }
    }
}

/// The limits of findings from credential reports.
pub(crate) const CREDENTIAL_REPORT: &str = "This comes from credential reports, and is as old as they are: a key that was \
    switched off and on again looks new in them, and they show no exemptions and no key ids.";

/// The priority of a violation, in words.
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
