//! The population of an auditor's document: every user who was evaluated, one line each, in a fixed order, so that an auditor can draw a
//! sample.

use crate::{
    findings::finding::{Finding, Key},
    output::{csv::io_error, evidence::hexadecimal},
};
use chrono::SecondsFormat;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

const COLUMNS: [&str; 9] =
    ["account", "user", "user_id", "arn", "compliance", "exempt", "exposed", "access_keys", "annotation"];

/// The line with which the file begins.
pub(crate) fn header() -> String {
    format!("{}\n", COLUMNS.join(","))
}

/// Writes the users by account, name and id. Unknown values are empty.
pub(crate) fn write(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    let mut users: Vec<_> = findings.iter().collect();
    users.sort_by_key(|user| (&user.account, &user.user_name, &user.user_id));
    out.write_all(header().as_bytes())?;
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(out);
    for user in users {
        let Finding { account, user_name, user_id, arn, compliance, exempt, exposed, annotation, .. } = user;
        let keys = user.access_keys.iter().map(key).collect::<Vec<_>>().join(";");
        let row = (account, user_name, user_id, arn, compliance, exempt, exposed, keys, annotation);
        writer.serialize(row).map_err(io_error)?;
    }
    writer.flush()
}

/// The id, the status and the time of creation.
fn key(key: &Key) -> String {
    let created = key.create_date.to_rfc3339_opts(SecondsFormat::Secs, true);
    format!("{} {} {created}", key.access_key_id, key.status.as_str())
}

/// The SHA-256 of what [`write()`] writes, in hexadecimal.
pub(crate) fn hash(findings: &[Finding]) -> io::Result<String> {
    let mut hash = Hash(Sha256::new());
    write(findings, &mut hash)?;
    Ok(hexadecimal(hash.0))
}

/// Hashes what is written.
struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.update(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
