//! The formats of a scan, and what several of them say in the same words.

use crate::{
    findings::{finding::Finding, scan_result::ScanResult},
    output::{csv, html, json, table},
};
use clap::ValueEnum;
use std::io::{self, Write};

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
    pub(crate) fn write(self, result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
        match self {
            Format::Table => table::write(result, out),
            Format::Json => json::write(result, out),
            Format::Csv => csv::write(result, out),
            Format::Html => html::write(result, out),
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
