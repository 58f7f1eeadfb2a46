//! One page for the browser: for people who act on a scan and, with more sections, for people who audit.
//!
//! The file loads nothing: it contains its style and script, and its content security policy allows these two, by their hashes,
//! and nothing else. Without the script, only sorting and filtering are missing.

mod accounts;
mod ages;
mod callers;
mod credentials;
mod due;
mod evidence;
mod lead;
mod owners;
mod parts;
mod records;
mod rotations;
mod since;
mod states;
mod totals;
mod users;

use crate::{
    args::targets::left_out_line,
    findings::{
        filtered,
        finding::{AccountSummary, Terms},
        scan_result::ScanResult,
    },
    output::evidence::Evidence,
};
pub(crate) use callers::write_callers;

use base64::{Engine, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parts::{Theirs, grouped, number};
use sha2::{Digest, Sha256};
use std::io::{self, Write};
use totals::Totals;

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// Writes the page of a scan, or an auditor's document about it.
pub(crate) fn write(result: &ScanResult, evidence: Option<&Evidence>, out: &mut dyn Write) -> io::Result<()> {
    let ScanResult { terms, accounts, comparison, findings, left_out, .. } = result;
    let mut totals = Totals::default();
    findings.iter().for_each(|finding| totals.add(finding));
    let missing: Vec<_> = accounts.iter().filter_map(|account| Some((account, account.error.as_deref()?))).collect();
    let before = html! {
        (incomplete(&missing, accounts.len()))
        @if let Some(evidence) = evidence { (evidence::before_totals(evidence)) }
        @if terms.credential_report { (credential_report()) }
        (records_unknown(accounts))
        (credentials::root_keys(accounts))
        (credentials::unread(accounts))
        (totals.tiles(terms, accounts))
        @if let Some(comparison) = comparison { (since::changes(comparison, result.filtered.is_some())) }
        div.charts { (due::section(result)) div { (ages::sections(result)) (states::section(result)) } }
        (owners::section(result))
        (accounts::accounts(accounts))
        @if evidence.is_none() && let Some(line) = left_out_line(left_out) { p { (Theirs(&line)) } }
        @if let Some(evidence) = evidence { (evidence::exemptions(evidence)) }
    };
    let title = format!(
        "{}{}{}{}, {}",
        if result.filtered.is_some() { "Filtered: " } else { "" },
        if evidence.is_some() { "Evidence: " } else { "" },
        if missing.is_empty() { "" } else { "Incomplete: " },
        number(totals.non_compliant, "non-compliant IAM user"),
        terms.scanned_at.date_naive()
    );
    // This opens and closes the elements by hand, since the users between them are written one by one.
    writeln!(out, "{}\n<html lang=\"en\">\n{}\n<body>", DOCTYPE.into_string(), head(&title).into_string())?;
    let header = header(result, evidence.is_some());
    writeln!(out, "{}\n<main>\n{}", header.into_string(), before.into_string())?;
    users::write_users(result, &totals, out)?;
    users::write_old_keys(result, out)?;
    records::write_records(result, out)?;
    rotations::write_rotations(result, out)?;
    credentials::write_credentials(result, out)?;
    writeln!(out, "{}\n</main>\n{}\n</body>\n</html>", words(terms).into_string(), foot().into_string())
}

fn head(title: &str) -> Markup {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) }
            style { (PreEscaped(STYLE)) }
        }
    }
}

/// A source for the content security policy, which allows the text with this hash.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

fn header(result: &ScanResult, is_evidence: bool) -> Markup {
    let ScanResult { terms, accounts, .. } = result;
    let has_old_keys = accounts.iter().any(|account| account.old_inactive_keys > 0);
    let has_credentials =
        accounts.iter().any(|account| !account.other_credentials.service_specific_credentials().is_empty());
    let limit = number(terms.max_access_key_age, "day");
    html! {
        header {
            h1 { @if is_evidence { "Evidence: " } "IAM access keys older than " (limit) }
            @for sentence in filtered::sentences(result.filtered.as_ref()) { p.lead { (Theirs(&sentence)) } }
            @if result.filtered.is_none() || !result.findings.is_empty() { p.lead { (lead::sentences(result)) } }
            p { "Scanned on " (terms.scanned_at.format("%Y-%m-%d at %H:%M")) " UTC." }
            nav aria-label="On this page" {
                a href="#accounts" { "Accounts" } " "
                @if is_evidence { a href="#exemptions" { "Exemptions" } " " }
                a href="#users" { "Users" } " "
                @if has_old_keys { a href="#old-keys" { "Old inactive keys" } " " }
                @if has_credentials { a href="#service-credentials" { "Service-specific credentials" } }
            }
        }
    }
}

/// What the page's words mean.
fn words(terms: &Terms) -> Markup {
    html! {
        section aria-labelledby="words" {
            h2 #words { "Words" }
            p {
                "An active access key older than " (number(terms.max_access_key_age, "day")) " is stale, and its user is non-compliant \
                 unless exempt. "
                @if terms.warn_before_days > 0 {
                    "Users with keys due within " (number(terms.warn_before_days, "day")) " are listed too. "
                }
                "A key in violation is in use if it was used within " (number(terms.quiet_days, "day")) " before the scan. "
                "Access keys of the root user and service-specific credentials have no verdict: the page only names them."
            }
        }
    }
}

/// Says what is missing. It comes before everything else.
fn incomplete(missing: &[(&AccountSummary, &str)], accounts: usize) -> Markup {
    html! {
        @if !missing.is_empty() {
            section.notice.alert aria-labelledby="incomplete" {
                h2 #incomplete { "Incomplete: " (grouped(missing.len())) " of " (number(accounts, "account")) }
                p { "Users who could not be evaluated are missing below. They are unknown, not compliant." }
                ul {
                    @for (account, error) in missing {
                        li {
                            (Theirs(&account.account))
                            @if let Some(name) = &account.name { " (" bdi { (Theirs(name)) } ")" }
                            ": " bdi { (Theirs(error)) }
                        }
                    }
                }
            }
        }
    }
}

/// The accounts whose runbooks' records are unknown.
fn records_unknown(accounts: &[AccountSummary]) -> Markup {
    let sentences: Vec<_> = accounts.iter().filter_map(AccountSummary::records_sentence).collect();
    html! {
        @if !sentences.is_empty() {
            section.notice aria-labelledby="records-unknown" {
                h2 #records-unknown { "Records unknown: " (number(sentences.len(), "account")) }
                p { "What a runbook deactivated or rotates, and what somebody switched on again, looks like any other key there." }
                ul { @for sentence in &sentences { li { (Theirs(sentence)) } } }
            }
        }
    }
}

fn credential_report() -> Markup {
    html! {
        section.notice aria-labelledby="report" {
            h2 #report { "From a credential report alone" }
            p {
                "The report has neither key ids nor tags, so exemptions, owners and production are unknown, and exempt users \
                 count as non-compliant here. Its dates say when a key was created or last switched on: a key that was \
                 switched off and on again looks new, and its user looks compliant."
            }
        }
    }
}

fn foot() -> Markup {
    html! {
        footer { p { "access-key-rotation " (env!("CARGO_PKG_VERSION")) } }
        script { (PreEscaped(SCRIPT)) }
    }
}

#[cfg(test)]
mod tests;
