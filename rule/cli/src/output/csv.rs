//! One line for each user, for spreadsheets.

use crate::{
    findings::{
        finding::{Finding, Key, Since},
        record::Record,
        scan_result::ScanResult,
    },
    output::visible::visible,
};
use chrono::SecondsFormat;
use policy::verdict::Compliance;
use serde::Serialize;
use std::io::{self, Write};

/// The columns, which the header line has even without users.
const COLUMNS: [&str; 15] = [
    "account",
    "user",
    "user_id",
    "compliance",
    "exempt",
    "exposed",
    "production",
    "in_use",
    "owner",
    "violations",
    "old_inactive_keys",
    "description",
    "records",
    "since",
    "annotation",
];

/// A user, in the order of the columns. Unknown values are empty.
#[derive(Serialize)]
struct Row<'a> {
    account: &'a str,
    user: &'a str,
    user_id: Option<&'a str>,
    compliance: Compliance,
    exempt: Option<bool>,
    exposed: Option<bool>,
    production: Option<bool>,
    in_use: Option<bool>,
    /// Visible text, as is the description.
    owner: Option<String>,
    /// Access key ids, separated by semicolons.
    violations: String,
    /// Access key ids, separated by semicolons.
    old_inactive_keys: String,
    /// The id and the description of each key that has one, separated by semicolons.
    description: String,
    /// The id, the state and the time of each record, separated by semicolons.
    records: String,
    since: Option<Since>,
    annotation: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn of(finding: &'a Finding) -> Row<'a> {
        Row {
            account: &finding.account,
            user: &finding.user_name,
            user_id: finding.user_id.as_deref(),
            compliance: finding.compliance,
            exempt: finding.exempt,
            exposed: finding.exposed,
            production: finding.production,
            in_use: finding.in_use,
            owner: finding.owner.as_deref().map(visible),
            violations: finding.violations.join(";"),
            old_inactive_keys: finding.old_inactive_keys.join(";"),
            description: finding.access_keys.iter().filter_map(described).collect::<Vec<_>>().join(";"),
            records: finding.access_keys.iter().filter_map(recorded).collect::<Vec<_>>().join(";"),
            since: finding.since,
            annotation: finding.annotation.as_deref(),
        }
    }
}

/// Begins with the key id, so that no spreadsheet takes it for a formula.
fn described(key: &Key) -> Option<String> {
    Some(format!("{} {}", key.access_key_id, visible(key.description.as_ref()?)))
}

fn recorded(key: &Key) -> Option<String> {
    let Record { state, since, .. } = key.record.as_ref()?;
    let since = since.map(|since| format!(" {}", since.to_rfc3339_opts(SecondsFormat::Secs, true)));
    Some(format!("{} {}{}", key.access_key_id, state.as_str(), since.unwrap_or_default()))
}

pub(crate) fn write(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    writer.write_record(COLUMNS).map_err(io_error)?;
    for finding in &result.findings {
        writer.serialize(Row::of(finding)).map_err(io_error)?;
    }
    writer.flush()
}

/// The I/O error itself, so that the caller recognizes a closed pipe.
pub(super) fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_columns_are_the_fields_of_a_row() {
        let row = Row {
            account: "",
            user: "",
            user_id: None,
            compliance: Compliance::Compliant,
            exempt: None,
            exposed: None,
            production: None,
            in_use: None,
            owner: None,
            violations: String::new(),
            old_inactive_keys: String::new(),
            description: String::new(),
            records: String::new(),
            since: None,
            annotation: None,
        };
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(row).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        assert_eq!(text.lines().next().unwrap(), COLUMNS.join(","));
    }
}
