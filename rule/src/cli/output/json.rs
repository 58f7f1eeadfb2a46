//! The document of `--format json`, which `--since` reads. It has one line for each user, so that both `jq` and `grep` work on
//! it.

use crate::findings::{
    comparison::Comparison,
    finding::{AccountSummary, Terms},
    scan_result::ScanResult,
};
use serde::Serialize;
use std::io::{self, Write};

/// Everything except the users.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(flatten)]
    terms: &'a Terms,
    accounts: &'a [AccountSummary],
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a Comparison>,
}

pub(crate) fn write(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let head = Head { terms: &result.terms, accounts: &result.accounts, since: result.comparison.as_ref() };
    let head = serde_json::to_string_pretty(&head)?;
    write!(out, "{},\n  \"users\": [", head.trim_end_matches("\n}"))?;
    for (number, finding) in result.findings.ordered()?.enumerate() {
        write!(out, "{}\n    ", if number == 0 { "" } else { "," })?;
        serde_json::to_writer(&mut *out, &finding?)?;
    }
    writeln!(out, "\n  ]\n}}")
}
