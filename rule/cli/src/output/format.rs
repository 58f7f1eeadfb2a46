//! The output formats of a scan.

use crate::{
    findings::scan_result::ScanResult,
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
            Format::Html => html::write(result, None, out),
        }
    }
}
