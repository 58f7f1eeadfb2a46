//! A credential report as somebody else's evidence: users judged by it alone, without AWS.
//!
//! It has no key ids and no tags, so that exemptions are not seen, and keys that were changed since it was made are judged as
//! they were. A key's `last_rotated` is the day it was "created or most recently activated" (AWS Trusted Advisor, check
//! DqdJqYeRm5): a key that was switched off and on looks new. Columns: "Get credential reports for your AWS account" in the IAM
//! user guide.

use crate::findings::{
    finding::{Finding, TagNames, Terms},
    organization_scan::OrganizationScan,
};
use access_key_rotation::{
    aws::{home::is_account_id, iam::User},
    evaluation::user::Evaluated,
    policy::{
        clearance::is_routine,
        decision::{AccessKey, KeyStatus, LastUsed, decide},
        exemption::Tags,
        parameters::Parameters,
    },
};
use chrono::{DateTime, TimeDelta, Utc};
use csv::StringRecord;
use std::{collections::BTreeSet, fs, path::Path};

/// The column that has something to say of users with more than two access keys or certificates, which the report leaves out.
/// Not every report has it.
const ADDITIONAL: &str = "additional_credentials_info";

/// How many rows that are not understood are named.
const NAMED: usize = 10;

/// The clock of AWS, and that of this machine.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(5);

/// What the report of one account says.
struct Report {
    account: String,
    findings: Vec<Finding>,
    /// Rows that are not understood, and why.
    unknown: Vec<String>,
}

/// Judges the users of one report and adds them to the survey. A report that cannot be used is an account that is not known.
///
/// # Errors
/// Only what the machine lacks.
pub(crate) fn add(
    survey: &mut OrganizationScan,
    path: &Path,
    parameters: &Parameters,
    names: &TagNames,
) -> Result<(), String> {
    let read = fs::read(path).map_err(|error| error.to_string());
    match read.and_then(|content| judge(&content, parameters, names, &survey.terms)) {
        Err(error) => survey.add(path.display().to_string(), None, Vec::new(), Some(error)),
        Ok(Report { account, .. }) if survey.accounts.iter().any(|other| other.account == account) => {
            let error = format!("a second report of account {account}: give one of each");
            survey.add(path.display().to_string(), None, Vec::new(), Some(error))
        }
        Ok(Report { account, findings, unknown }) => {
            let number = unknown.len();
            let error = (number > 0).then(|| {
                let named = unknown.into_iter().take(NAMED).collect::<Vec<_>>().join("; ");
                format!("{number} of {} users unknown: {named}", number + findings.len())
            });
            survey.add(account, None, findings, error)
        }
    }
}

fn judge(content: &[u8], parameters: &Parameters, names: &TagNames, terms: &Terms) -> Result<Report, String> {
    if content.starts_with(b"{") || content.starts_with(b"dXNlcixhcm4s") {
        return Err(
            "the report as the AWS CLI has it, in Base64. Decode it: aws iam get-credential-report --query Content \
                    --output text | base64 --decode"
                .to_owned(),
        );
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(content);
    let columns = Columns::find(reader.headers().map_err(not_a_report)?)?;
    let mut report = Report { account: String::new(), findings: Vec::new(), unknown: Vec::new() };
    let mut seen = BTreeSet::new();
    for record in reader.records() {
        let record = record.map_err(not_a_report)?;
        let line = record.position().map_or(0, |position| position.line());
        if record.iter().any(|field| field.contains(['\n', '\r'])) {
            return Err(format!("line {line} has a field of several lines: a quotation mark without its other one"));
        }
        if record.len() < columns.number || record.len() == columns.number && columns.is_cut_off(&record) {
            return Err(format!("line {line} is cut off: the report is not whole"));
        }
        let arn = record[columns.arn].to_owned();
        let user = match columns.user(&record) {
            Ok(user) => user,
            Err(why) => {
                report.unknown.push(format!("line {line}: {why}"));
                continue;
            }
        };
        let account = arn.split(':').nth(4).unwrap_or_default();
        if report.account.is_empty() {
            report.account = account.to_owned();
        }
        if report.account != account {
            return Err(format!("line {line} is of account {account}, the lines before it of {}", report.account));
        }
        if !seen.insert(arn) {
            return Err(format!("line {line} is a second line for the same user"));
        }
        let Some(user) = user else { continue };
        if let Some(column) = columns.after(&record, terms.scanned_at + CLOCKS_DIFFER) {
            let now = terms.scanned_at;
            return Err(format!("line {line}: {column} is after {now}, as of which it is judged: see --as-of"));
        }
        match columns.keys(&record) {
            Ok(keys) => {
                let evaluated = evaluate(keys, parameters, terms.scanned_at);
                report.findings.push(Finding::new(&report.account, user, evaluated, names, terms));
            }
            Err(why) => report.unknown.push(format!("{} ({why})", user.name)),
        }
    }
    match seen.is_empty() {
        true => Err("no line of a user or of the root user".to_owned()),
        false => Ok(report),
    }
}

fn not_a_report(error: csv::Error) -> String {
    format!("not a credential report: {error}")
}

/// By the rule's policy. There are no tags: whether an exemption covers a stale key is not known.
fn evaluate(keys: Vec<(AccessKey, LastUsed)>, parameters: &Parameters, now: DateTime<Utc>) -> Evaluated {
    let all: Vec<_> = keys.iter().map(|(key, _)| key.clone()).collect();
    let uses = keys.iter().map(|(key, used)| (key.id.clone(), used.clone())).collect();
    let mut verdict = decide(&all, &uses, &Tags::new(), parameters, now);
    // A report proves neither that a user has no key nor that a key is young.
    verdict.annotation = verdict.annotation.filter(|annotation| !is_routine(annotation));
    let keys = keys.into_iter().map(|(key, used)| (key, Some(used))).collect();
    Evaluated { verdict, keys, tags: None, unknown_use: None }
}

/// Where the columns are.
struct Columns {
    number: usize,
    user: usize,
    arn: usize,
    user_created: usize,
    additional: Option<usize>,
    /// The last column of a report without the one before.
    last_certificate: Option<usize>,
    /// Active, last rotated, and last used: date, Region, service.
    keys: [[usize; 5]; 2],
}

impl Columns {
    fn find(header: &StringRecord) -> Result<Columns, String> {
        let find = |name: &str| header.iter().position(|column| column == name);
        let column = |name: &str| find(name).ok_or_else(|| format!("not a credential report: no column {name}"));
        let key = |number: u8| -> Result<[usize; 5], String> {
            let column = |name: &str| column(&format!("access_key_{number}_{name}"));
            Ok([
                column("active")?,
                column("last_rotated")?,
                column("last_used_date")?,
                column("last_used_region")?,
                column("last_used_service")?,
            ])
        };
        Ok(Columns {
            number: header.len(),
            user: column("user")?,
            arn: column("arn")?,
            user_created: column("user_creation_time")?,
            additional: find(ADDITIONAL),
            last_certificate: find("cert_2_last_rotated"),
            keys: [key(1)?, key(2)?],
        })
    }

    /// The user of a row; `None`: the root user, who is no IAM user.
    fn user(&self, record: &StringRecord) -> Result<Option<User>, &'static str> {
        let (name, arn) = (&record[self.user], &record[self.arn]);
        // Their shapes are checked, since a name with a comma may have moved the columns.
        if record.len() > self.number {
            return Err("more fields than columns, as from a name with a comma that is not quoted");
        }
        let ["arn", _, "iam", "", account, resource] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
            return Err("arn is not that of a user");
        };
        if !is_account_id(account) {
            return Err("arn is not that of a user");
        }
        if resource == "root" {
            return Ok(None);
        }
        // IAM's names: "IAM and AWS STS quotas" in the IAM user guide.
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let names_the_user = resource.strip_prefix("user/").and_then(|path| path.rsplit('/').next()) == Some(name);
        if !names_the_user || !name.chars().all(is_name) || !(1..=64).contains(&name.len()) {
            return Err("user or arn is not that of an IAM user");
        }
        let created = time(&record[self.user_created]).ok_or("user_creation_time is not a time")?;
        Ok(Some(User { name: name.to_owned(), id: String::new(), arn: arn.to_owned(), created }))
    }

    /// Whether the last column is less than it must be: a report ends without a line end.
    fn is_cut_off(&self, record: &StringRecord) -> bool {
        self.last_certificate.is_some_and(|column| record[column] != *"N/A" && time(&record[column]).is_none())
    }

    /// A column with a time after that one.
    fn after(&self, record: &StringRecord, latest: DateTime<Utc>) -> Option<String> {
        let is_after = |column: usize| time(&record[column]).is_some_and(|at| at > latest);
        if is_after(self.user_created) {
            return Some("user_creation_time".to_owned());
        }
        let keys = (1..).zip(self.keys);
        let mut columns = keys.flat_map(|(number, [_, rotated, used, ..])| {
            [
                (format!("access_key_{number}_last_rotated"), rotated),
                (format!("access_key_{number}_last_used_date"), used),
            ]
        });
        columns.find(|(_, column)| is_after(*column)).map(|(name, _)| name)
    }

    fn keys(&self, record: &StringRecord) -> Result<Vec<(AccessKey, LastUsed)>, String> {
        if !matches!(self.additional.map(|additional| &record[additional]), None | Some("" | "N/A")) {
            return Err(format!("{ADDITIONAL}: there are more keys or certificates than the report lists"));
        }
        let mut keys = Vec::new();
        for (number, columns) in (1..).zip(self.keys) {
            let [active, last_rotated, used, region, service] = columns.map(|column| &record[column]);
            let status = match (active, last_rotated) {
                ("false", "N/A") => continue,
                ("true", _) => KeyStatus::Active,
                ("false", _) => KeyStatus::Inactive,
                _ => return Err(format!("access_key_{number}_active is neither true nor false")),
            };
            let created =
                time(last_rotated).ok_or_else(|| format!("access_key_{number}_last_rotated is not a time"))?;
            let at = match used {
                "N/A" => None,
                date => Some(time(date).ok_or_else(|| format!("access_key_{number}_last_used_date is not a time"))?),
            };
            let used = LastUsed { at, region: region.to_owned(), service: service.to_owned() };
            keys.push((AccessKey { id: format!("access key {number}"), status, created }, used));
        }
        Ok(keys)
    }
}

/// A time as the report has it; `None` if it is none.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}
