//! The documents of `scan --format json` and `evidence --format json`, which `--since` reads. They have one line for each user, so
//! that both `jq` and `grep` work on them.

use crate::{
    args::targets::LeftOut,
    findings::{
        comparison::Comparison,
        filtered::Filtered,
        finding::{AccountSummary, Finding, Terms},
        scan_result::ScanResult,
    },
    output::evidence::{self, Evidence},
};
use serde::Serialize;
use std::io::{self, Write};

/// Everything except the users.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Head<'a> {
    #[serde(flatten)]
    terms: &'a Terms,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a Filtered>,
    accounts: &'a [AccountSummary],
    left_out: &'a [LeftOut],
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a Comparison>,
}

/// The data of an auditor's document, and the hash over it.
#[derive(Serialize)]
struct Sealed<'a> {
    sha256: &'a str,
    #[serde(flatten)]
    head: evidence::Head<'a>,
}

pub(crate) fn write(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let ScanResult { terms, filtered, accounts, left_out, comparison, .. } = result;
    let head = Head { terms, filter: filtered.as_ref(), accounts, left_out, since: comparison.as_ref() };
    write_document(&head, &result.findings, out)
}

pub(crate) fn write_evidence(evidence: &Evidence, out: &mut dyn Write) -> io::Result<()> {
    let head = Sealed { sha256: &evidence.sha256, head: evidence.head() };
    write_document(&head, &evidence.result.findings, out)
}

fn write_document(head: &impl Serialize, findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let head = serde_json::to_string_pretty(head)?;
    write!(out, "{},\n  \"users\": [", head.trim_end_matches("\n}"))?;
    for (number, finding) in findings.iter().enumerate() {
        write!(out, "{}\n    ", if number == 0 { "" } else { "," })?;
        serde_json::to_writer(&mut *out, finding)?;
    }
    writeln!(out, "\n  ]\n}}")
}
