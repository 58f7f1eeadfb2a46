//! Keys and accounts as text, for a terminal.

mod keys;

use crate::{
    args::targets::left_out_line,
    findings::{
        board::Board,
        comparison::{Comparison, Violation},
        filtered,
        finding::{AccountSummary, Finding, Since},
        report_scan::LIMITS,
        scan_result::ScanResult,
    },
    output::{
        aws_cli::{before_deletion, deletion},
        columns::{self, left, right},
        look::Look,
        visible::on_one_line,
    },
};
use chrono::SecondsFormat;
use policy::text::count;
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// How many accounts have a line each, whether or not there is something to do.
const ACCOUNTS: usize = 10;

/// Writes a line for each key or, if it is to be `wide`, for each user, with the rule's annotation.
pub(crate) fn write(result: &ScanResult, wide: bool, look: Look, out: &mut dyn Write) -> io::Result<()> {
    if result.terms.credential_report && !result.is_from_reports() && result.comparison.is_none() {
        // Nothing was evaluated: the errors say it all.
        return Ok(());
    }
    if wide {
        users(result, out)?;
        old_inactive_keys(result, out)?;
    } else {
        keys::write(result, look, out)?;
    }
    records(result, out)?;
    rotations(result, out)?;
    service_specific_credentials(result, out)?;
    let is_listed = |account: &&AccountSummary| {
        let AccountSummary { users_non_compliant, users_exposed, old_inactive_keys, error, .. } = account;
        wide || result.accounts.len() <= ACCOUNTS
            || *users_non_compliant + users_exposed.unwrap_or(1) + old_inactive_keys > 0
            || error.is_some()
    };
    let counted = counted(result);
    for account in result.accounts.iter().filter(is_listed) {
        let name = account.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        let exempt = account.users_exempt.map_or("exemptions unknown".to_owned(), |exempt| format!("{exempt} exempt"));
        let old = match account.old_inactive_keys {
            0 => String::new(),
            1 => ", 1 old inactive key".to_owned(),
            keys => format!(", {keys} old inactive keys"),
        };
        let exposed = match account.users_exposed {
            None if !result.terms.credential_report => ", exposure unknown".to_owned(),
            None | Some(0) => String::new(),
            Some(users) => format!(", {users} exposed"),
        };
        let state = if account.error.is_some() { ", incomplete" } else { "" };
        writeln!(
            out,
            "{}{name}: {} {counted}, {} non-compliant, {exempt}{exposed}{old}{state}",
            account.account,
            count(account.users_evaluated, "user"),
            account.users_non_compliant
        )?;
    }
    total(result, result.accounts.iter().filter(|account| !is_listed(account)).count(), out)?;
    for sentence in filtered::sentences(result.filtered.as_ref()) {
        writeln!(out, "{sentence}")?;
    }
    if let Some(line) = left_out_line(&result.left_out) {
        writeln!(out, "{line}")?;
    }
    for sentence in result.accounts.iter().filter_map(AccountSummary::records_sentence) {
        writeln!(out, "{sentence}")?;
    }
    for sentence in result.accounts.iter().flat_map(AccountSummary::root_sentences) {
        writeln!(out, "{sentence}")?;
    }
    for sentence in result.accounts.iter().flat_map(AccountSummary::unread_sentences) {
        writeln!(out, "{sentence}")?;
    }
    if result.is_from_reports() {
        writeln!(out, "{LIMITS}")?;
    }
    if let Some(comparison) = &result.comparison {
        since(comparison, out)?;
    }
    if !wide && !result.terms.credential_report && result.urgent().next().is_some() {
        writeln!(
            out,
            "Next: access-key-rotation plan says what to do about each key, access-key-rotation where says who uses it"
        )?;
    }
    Ok(())
}

/// What the counts are about.
fn counted(result: &ScanResult) -> &'static str {
    if result.filtered.is_some() { "shown" } else { "evaluated" }
}

/// All accounts together, if there are several.
fn total(result: &ScanResult, not_listed: usize, out: &mut dyn Write) -> io::Result<()> {
    let accounts = result.accounts.len();
    if accounts < 2 {
        return Ok(());
    }
    if not_listed > 0 {
        let shown = if result.filtered.is_some() { " whom the filter shows" } else { "" };
        writeln!(out, "{}: nobody{shown} in violation", count(not_listed, "other account"))?;
    }
    let number = |counts: fn(&Finding) -> bool| result.findings.iter().filter(|finding| counts(finding)).count();
    let incomplete = result.accounts.iter().filter(|account| account.error.is_some()).count();
    let incomplete = if incomplete > 0 { format!(", {incomplete} incomplete") } else { String::new() };
    let known = if result.terms.credential_report {
        "exemptions unknown".to_owned()
    } else {
        let exempt = number(|finding| finding.exempt == Some(true));
        let exposed = number(Finding::is_exposed);
        let is_known = result.accounts.iter().all(|account| account.users_exposed.is_some());
        match exposed {
            0 if !is_known => format!("{exempt} exempt, exposure unknown"),
            _ => format!("{exempt} exempt, {exposed} exposed"),
        }
    };
    writeln!(
        out,
        "All {accounts} accounts{incomplete}: {} {}, {} non-compliant, {known}, {} with a key due soon",
        count(result.findings.len(), "user"),
        counted(result),
        number(Finding::is_violation),
        number(|finding| finding.due_soon),
    )
}

/// The users in violation and those who are exposed, each with the annotation.
fn users(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let columns = [left("Account", 12), left("User", 0), left("Priority", 18), left("What to do", 0)];
    let rows = result.urgent().map(|finding| {
        let Finding { account, user_name, annotation, since, .. } = finding;
        let annotation = annotation.as_deref().unwrap_or_default();
        let what = if *since == Some(Since::New) { format!("NEW: {annotation}").into() } else { Cow::from(annotation) };
        vec![account.into(), user_name.into(), finding.priority().as_str().into(), what]
    });
    columns::write(&columns, rows, out)
}

/// The keys that somebody should delete. Their users need not be in violation.
fn old_inactive_keys(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    if result.accounts.iter().all(|account| account.old_inactive_keys == 0) {
        return Ok(());
    }
    writeln!(out, "Old inactive keys. {}", before_deletion(&result.terms))?;
    for finding in &result.findings {
        for key in finding.old_inactive_keys() {
            let (created, status) = (key.create_date.date_naive(), key.status.as_str().to_lowercase());
            let delete = deletion(&finding.user_name, key, &result.terms);
            writeln!(out, "{:<12}  {:<8}  {created}  {delete}", finding.account, status)?;
        }
    }
    Ok(())
}

/// What the runbooks did to keys, for all users.
fn records(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let columns = [left("Account", 12), left("User", 0), left("Access key", 0), left("Record of the runbooks", 0)];
    let rows = result.findings.iter().flat_map(|finding| {
        finding.access_keys.iter().filter_map(move |key| {
            let (account, user): (&str, &str) = (&finding.account, &finding.user_name);
            let key_id: &str = &key.access_key_id;
            Some(vec![account.into(), user.into(), key_id.into(), key.record_line()?.into()])
        })
    });
    columns::write(&columns, rows, out)
}

/// Where the keys stand that rotate by themselves.
fn rotations(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        left("Account", 12),
        left("User", 0),
        left("Access key", 0),
        left("State", 0),
        left("From", 10),
        left("By itself", 0),
        left("To do", 0),
    ];
    let rotations = Board::of(result).rotations(&result.findings);
    let rows = rotations.iter().map(|(finding, key, entry)| {
        let (account, user): (&str, &str) = (&finding.account, &finding.user_name);
        let key_id: &str = &key.access_key_id;
        let text = |text: &Option<String>| Cow::from(on_one_line(text.as_deref().unwrap_or("-")));
        let from = text(&entry.on.map(|day| day.to_string()));
        vec![
            account.into(),
            user.into(),
            key_id.into(),
            entry.place.as_str().into(),
            from,
            text(&entry.next),
            text(&entry.to_do),
        ]
    });
    columns::write(&columns, rows, out)
}

/// The credentials of users besides their access keys.
fn service_specific_credentials(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let credentials = result.service_specific_credentials();
    if credentials.is_empty() {
        return Ok(());
    }
    writeln!(out, "Service-specific credentials. The rule does not cover them.")?;
    let columns = [
        left("Account", 12),
        left("User", 0),
        left("Service", 0),
        left("Credential", 0),
        left("Status", 0),
        right("Days old", 0),
        left("Expires", 10),
    ];
    let rows = credentials.iter().map(|(account, credential)| {
        let text = |text: &str| Cow::from(on_one_line(text));
        vec![
            Cow::from(*account),
            text(&credential.user_name),
            text(&credential.service_name),
            text(&credential.service_specific_credential_id),
            credential.status.as_str().to_lowercase().into(),
            credential.age_days.to_string().into(),
            credential.expires().into(),
        ]
    });
    columns::write(&columns, rows, out)
}

fn since(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let Comparison { scanned_at, fixed, exempt, new, open, unknown, new_accounts } = comparison;
    writeln!(
        out,
        "Since {}: {} fixed, {} exempt now, {} new, {} still open, {} unknown",
        scanned_at.to_rfc3339_opts(SecondsFormat::Secs, true),
        fixed.len(),
        exempt.len(),
        new.len(),
        open.len(),
        unknown.len()
    )?;
    for (what, list) in [("fixed", fixed), ("exempt now", exempt), ("new", new), ("unknown", unknown)] {
        for Violation { account, user_name, access_key_id, .. } in list {
            writeln!(out, "  {what:<10}  {account}  {user_name}  {access_key_id}")?;
        }
    }
    if !new_accounts.is_empty() {
        writeln!(
            out,
            "The earlier scan did not cover these accounts completely, so new violations there may be old: {}",
            new_accounts.join(", ")
        )?;
    }
    Ok(())
}
