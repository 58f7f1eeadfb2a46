//! The page's list of old keys that are not active, each with the command that deletes it.

use super::{
    heads, scrolling,
    text::{Theirs, number},
};
use crate::{
    findings::{
        finding::{Finding, Key, Terms},
        scan_result::ScanResult,
    },
    output::aws_cli::{before_deletion, delete_command},
};
use maud::{Markup, PreEscaped, html};
use std::io::{self, Write};

/// Marks the place of the keys in the markup around them.
const KEYS: &str = "<!-- keys -->";

/// Writes the keys in the order of their users, one at a time. Writes nothing if there are none.
pub(super) fn write(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let count: usize = result.accounts.iter().map(|account| account.old_inactive_keys).sum();
    if count == 0 {
        return Ok(());
    }
    let around = section(count, &result.terms).into_string();
    let (before, after) = around.split_once(KEYS).unwrap_or((&around, ""));
    writeln!(out, "{before}")?;
    for finding in &result.findings {
        for key in finding.old_inactive_keys() {
            writeln!(out, "{}", row(finding, key, &result.terms).into_string())?;
        }
    }
    writeln!(out, "{after}")
}

fn section(count: usize, terms: &Terms) -> Markup {
    let table = html! {
        table {
            thead { tr { (heads(&["Account", "User", "Access key", "Status", "Age", "Command"])) } }
            tbody { (PreEscaped(KEYS)) }
        }
    };
    html! {
        section aria-labelledby="old-keys" {
            h2 #old-keys { "Old inactive keys" }
            p {
                "Keys that are older than " (number(terms.max_access_key_age, "day")) ", but not active. Their users are compliant unless \
                 they have other keys. " (before_deletion(terms))
            }
            details open { summary { (number(count, "key")) } (scrolling("Old inactive keys", &table)) }
        }
    }
}

fn row(finding: &Finding, key: &Key, terms: &Terms) -> Markup {
    html! {
        tr {
            td { (Theirs(&finding.account)) }
            th scope="row" { bdi { (Theirs(&finding.user_name)) } }
            td {
                span.id { (Theirs(&key.access_key_id)) }
                @if let Some(description) = &key.description { br; bdi { (Theirs(description)) } }
            }
            td { (key.status.as_str()) }
            td { (number(key.age_days, "day")) }
            td.id { (Theirs(&delete_command(&finding.user_name, key, terms))) }
        }
    }
}
