//! One line for each access key, for spreadsheets. A user without a key has a line too, so that the file has every user.

use crate::{
    findings::{
        board::Board,
        finding::{Finding, Key, Since, Terms},
        scan_result::ScanResult,
        to_do::Do,
    },
    output::visible::on_one_line,
};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use policy::access_key::{KeyState, KeyStatus};
use std::io::{self, Write};

/// What a line is about.
struct Line<'a> {
    finding: &'a Finding,
    /// `None`: the user has none.
    key: Option<&'a Key>,
    account_name: Option<&'a str>,
    board: &'a Board,
    terms: &'a Terms,
}

/// Unknown values are empty, and so are those of a key that is not there.
type Column = (&'static str, fn(&Line<'_>) -> Option<String>);

const COLUMNS: [Column; 29] = [
    ("account", |line| Some(line.finding.account.clone())),
    ("account_name", |line| line.account_name.map(str::to_owned)),
    ("user", |line| Some(line.finding.user_name.clone())),
    ("user_id", |line| line.finding.user_id.clone()),
    ("arn", |line| Some(line.finding.arn.clone())),
    ("compliance", |line| Some(line.finding.compliance.as_str().to_owned())),
    ("exempt", |line| truth(line.finding.exempt)),
    ("exposed", |line| truth(line.finding.exposed)),
    ("production", |line| truth(line.finding.production)),
    ("owner", |line| line.finding.owner.clone()),
    ("priority", |Line { finding, .. }| {
        (finding.is_violation() || finding.is_exposed()).then(|| finding.priority().as_str().to_owned())
    }),
    ("access_key_id", |line| Some(line.key?.access_key_id.clone())),
    ("status", |line| Some(line.key?.status.as_str().to_owned())),
    ("state", |line| Some(state(line.key?.state).to_owned())),
    ("to_do", |Line { finding, key, board, .. }| match key {
        Some(key) => Do::of(finding, key, board).map(|what| what.as_str().to_owned()),
        None => finding.is_exposed().then(|| Do::Exposed.as_str().to_owned()),
    }),
    ("create_date", |line| Some(time(line.key?.create_date))),
    ("age_days", |line| Some(line.key?.age_days.to_string())),
    ("due", |line| {
        let active = line.key.filter(|key| key.status == KeyStatus::Active)?;
        let limit = TimeDelta::days(line.terms.max_access_key_age.into());
        Some((active.create_date + limit).date_naive().to_string())
    }),
    ("in_use", |line| truth(line.key?.is_in_use(line.terms.quiet_days, line.terms.scanned_at))),
    ("last_used", |line| line.key?.last_used.as_ref()?.date.map(time)),
    ("last_used_service", |line| known(&line.key?.last_used.as_ref()?.service_name)),
    ("last_used_region", |line| known(&line.key?.last_used.as_ref()?.region)),
    ("exempt_until", |line| Some(line.key?.exempt_until?.to_string())),
    ("rotates_into", |line| line.finding.rotates_into.clone()),
    ("record", |line| Some(line.key?.record.as_ref()?.state.as_str().to_owned())),
    ("record_since", |line| line.key?.record.as_ref()?.since.map(time)),
    ("since", |Line { finding, key, .. }| {
        let since = finding.since.filter(|_| key.is_some_and(|key| finding.violates(key)))?;
        Some(if since == Since::New { "new" } else { "open" }.to_owned())
    }),
    ("description", |line| line.key?.description.clone()),
    ("annotation", |line| line.finding.annotation.clone()),
];

pub(crate) fn write(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(COLUMNS.map(|(name, _)| name)).map_err(io_error)?;
    let (board, terms) = (&Board::of(result), &result.terms);
    let names = result.account_names();
    for finding in &result.findings {
        let account_name = names.get(finding.account.as_str()).copied();
        let keys = finding.access_keys.iter().map(Some);
        // One line without a key, if there is none.
        let keys = keys.chain(finding.access_keys.is_empty().then_some(None));
        for key in keys {
            let line = Line { finding, key, account_name, board, terms };
            let cells = COLUMNS.map(|(_, of)| cell(&of(&line).unwrap_or_default()));
            writer.write_record(cells).map_err(io_error)?;
        }
    }
    writer.flush()
}

fn truth(fact: Option<bool>) -> Option<String> {
    fact.map(|fact| fact.to_string())
}

fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// IAM's `N/A` is nothing.
fn known(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| text != "N/A")
}

fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Violation => "stale",
        KeyState::Exempt => "exempt",
        KeyState::DueSoon => "due soon",
        KeyState::OldInactive => "old, inactive",
        KeyState::Current => "current",
    }
}

/// Visible text that no spreadsheet takes for a formula ("CSV Injection", OWASP).
pub(super) fn cell(text: &str) -> String {
    let text = on_one_line(text);
    if text.trim_start().starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

/// The I/O error itself, so that the caller recognizes a closed pipe.
pub(super) fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}
