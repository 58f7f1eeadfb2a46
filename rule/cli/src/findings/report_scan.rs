//! Evaluates the users in credential reports, without AWS.
//!
//! A report has no key ids and no tags, so it shows no exemptions, and no changes since IAM generated it. A key's `last_rotated`
//! is the day when it was "created or most recently activated" (AWS Trusted Advisor, check DqdJqYeRm5), so a key that was
//! switched off and on looks new. For the columns, see "Get credential reports for your AWS account" in the IAM user guide.

use crate::{
    args::{order::Order, scope::Scope},
    findings::{
        comparison::Earlier,
        finding::{Finding, Key, Terms},
        other_credentials::OtherCredentials,
        scan_result::{AccountScan, ScanResult},
    },
};
use access_key_rotation::aws::home::is_account_id;
use anyhow::{Context, bail};
use chrono::{DateTime, TimeDelta, Utc};
use csv::StringRecord;
use policy::{
    access_key::{AccessKey, KeyStatus, LastUsed},
    assessment::{Assessment, assess},
    exposure::Exposure,
    parameters::Parameters,
    skip_until::is_routine,
    user::User,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The column that says whether a user has more access keys or certificates than the report lists. Not every report has it.
const ADDITIONAL: &str = "additional_credentials_info";

/// The limits of findings from credential reports.
pub(crate) const LIMITS: &str = "This comes from credential reports, and is as old as they are: a key that was \
    switched off and on again looks new in them, and they show no exemptions, no exposed users, no key ids, no service-specific credentials and no records of the runbooks.";

const NOT_A_REPORT: &str = "not a credential report";

/// What to do about what a spreadsheet did to a report.
const SPREADSHEET: &str = "A spreadsheet may have changed it: pass the file as IAM wrote it";

/// How many unreadable rows to name.
const NAMED: usize = 10;

/// The most that AWS's clock may be ahead of this machine's.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::minutes(5);

/// The report of one account.
pub(crate) struct CredentialReport {
    pub(crate) account: String,
    pub(crate) findings: Vec<Finding>,
    /// The root user's keys; `None` if the report has no readable row for the root user.
    pub(crate) root_access_keys: Option<Vec<Key>>,
    /// Unreadable rows, and the reasons.
    pub(crate) unknown: Vec<String>,
}

/// Evaluates the users in the reports, one report for each account. An unusable report makes its account unknown.
///
/// # Errors
/// If the earlier scan cannot be read.
pub(crate) fn scan_reports(
    paths: &[PathBuf],
    as_of: DateTime<Utc>,
    scope: &Scope,
    since: Option<&Path>,
) -> anyhow::Result<ScanResult> {
    let terms =
        Terms { credential_report: true, ..Terms::new(&scope.rule.parameters, &scope.order, scope.days, as_of) };
    let earlier = since.map(|path| Earlier::read(path, &terms)).transpose()?;
    let mut result = ScanResult::new(terms.clone(), earlier);
    for path in paths {
        let read = fs::read(path).map_err(anyhow::Error::from);
        match read.and_then(|content| evaluate_report(&content, &scope.rule.parameters, &scope.order, &terms)) {
            Ok(report) if !result.accounts.iter().any(|other| other.account == report.account) => {
                let CredentialReport { account, findings, root_access_keys, unknown } = report;
                let error = named(&unknown, findings.len());
                let other_credentials = OtherCredentials::of_report(root_access_keys);
                result.add(AccountScan { account, findings, other_credentials, error, ..AccountScan::default() });
            }
            Ok(report) => {
                let error = format!("a second report for account {}. Pass one report for each account", report.account);
                result.add(unusable(path, error));
            }
            Err(error) => result.add(unusable(path, format!("{error:#}"))),
        }
    }
    Ok(result.finish())
}

/// A report that cannot be used stands for an account that is unknown.
fn unusable(path: &Path, error: String) -> AccountScan {
    AccountScan { account: path.display().to_string(), error: Some(error), ..AccountScan::default() }
}

/// The error for unreadable rows.
fn named(unknown: &[String], known: usize) -> Option<String> {
    let number = unknown.len();
    let named = unknown[..number.min(NAMED)].join(", ");
    (number > 0).then(|| format!("{number} of {} users unknown: {named}", number + known))
}

/// Evaluates the users in the content of a report.
///
/// # Errors
/// If it is not a whole report of one account.
pub(crate) fn evaluate_report(
    content: &[u8],
    parameters: &Parameters,
    order: &Order,
    terms: &Terms,
) -> anyhow::Result<CredentialReport> {
    if content.starts_with(b"{") || content.starts_with(b"dXNlcixhcm4s") {
        bail!(
            "this is the report in Base64, as the AWS CLI prints it. Decode it: aws iam get-credential-report --query Content \
                    --output text | base64 --decode"
        );
    }
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        bail!("this is UTF-16. {SPREADSHEET}");
    }
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(content);
    let columns = Columns::find(reader.headers().context(NOT_A_REPORT)?)?;
    let mut report =
        CredentialReport { account: String::new(), findings: Vec::new(), root_access_keys: None, unknown: Vec::new() };
    let mut seen = BTreeSet::new();
    let mut first_partition = None;
    let mut additional_is_empty = true;
    for record in reader.records() {
        let record = record.context(NOT_A_REPORT)?;
        let line = record.position().map_or(0, |position| position.line());
        if record.iter().any(|field| field.contains(['\n', '\r'])) {
            bail!("line {line} has a field with several lines. A closing quotation mark may be missing");
        }
        if record.iter().all(str::is_empty) {
            bail!("line {line} has only empty fields. {SPREADSHEET}");
        }
        if record.len() < columns.number || record.len() == columns.number && columns.is_cut_off(&record) {
            bail!("line {line} is cut off, so the report is incomplete");
        }
        // In a row with too many fields, this is another field.
        let is_empty = |column: usize| record.len() > columns.number || record[column].is_empty();
        additional_is_empty &= columns.additional.is_none_or(is_empty);
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
            bail!("line {line} is for account {account}, but the lines before it are for {}", report.account);
        }
        // Or two lines could be for the same user, under two ARNs.
        let partition = arn.split(':').nth(1).map(str::to_owned);
        if *first_partition.get_or_insert_with(|| partition.clone()) != partition {
            bail!("line {line} is for another partition than the lines before it");
        }
        if !seen.insert(arn) {
            bail!("line {line} is a second line for the same user");
        }
        if let Some(column) = columns.after(&record, terms.scanned_at + CLOCKS_DIFFER) {
            let now = terms.scanned_at;
            bail!("line {line}: {column} is after {now}, the time of this evaluation. See --as-of");
        }
        match (user, columns.keys(&record, additional_is_empty)) {
            (Some(user), Ok(keys)) => {
                let assessment = evaluate(user, keys, parameters, terms.scanned_at);
                report.findings.push(Finding::new(&report.account, assessment, order, terms));
            }
            (None, Ok(keys)) => {
                let key = |key| Key::new(key, None, terms.scanned_at);
                report.root_access_keys = Some(keys.into_iter().map(key).collect());
            }
            (user, Err(why)) => {
                let name = user.as_ref().map_or("the root user", |user| &user.name);
                report.unknown.push(format!("{name} ({why})"));
            }
        }
    }
    if seen.is_empty() { bail!("the report has no line for a user or for the root user") } else { Ok(report) }
}

/// Applies the rule's policy. Without tags, exemptions are unknown.
fn evaluate(user: User, keys: Vec<AccessKey>, parameters: &Parameters, now: DateTime<Utc>) -> Assessment {
    let mut assessment = assess(user, keys, None, Exposure::NotRead, parameters, now);
    // A report proves neither that a user has no key nor that a key is young.
    assessment.verdict.annotation = assessment.verdict.annotation.filter(|annotation| !is_routine(annotation));
    assessment
}

/// The positions of the columns.
struct Columns {
    number: usize,
    user: usize,
    arn: usize,
    user_created: usize,
    additional: Option<usize>,
    /// The last column of a report that does not have `additional`.
    last_certificate: Option<usize>,
    /// Active, last rotated, and last used: date, Region, service.
    keys: [[usize; 5]; 2],
}

impl Columns {
    fn find(header: &StringRecord) -> anyhow::Result<Columns> {
        let first = header.get(0).unwrap_or_default();
        if let Some((_, name)) = [(';', "semicolons"), ('\t', "tabs")].iter().find(|(other, _)| first.contains(*other))
        {
            bail!("{NOT_A_REPORT}: {name} separate the fields, instead of commas. {SPREADSHEET}");
        }
        let find = |name: &str| header.iter().position(|column| column == name);
        let column = |name: &str| find(name).with_context(|| format!("{NOT_A_REPORT}: no column {name}"));
        let key = |number: u8| -> anyhow::Result<[usize; 5]> {
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

    /// The user of a row; `None` for the root user, which is not an IAM user.
    fn user(&self, record: &StringRecord) -> anyhow::Result<Option<User>> {
        let (name, arn) = (&record[self.user], &record[self.arn]);
        // Checks the form of both, since a name with a comma may have moved the columns.
        if record.len() > self.number {
            bail!("more fields than columns, perhaps because of an unquoted name with a comma");
        }
        let ["arn", _, "iam", "", account, resource] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
            bail!("arn is not the ARN of a user");
        };
        if !is_account_id(account) {
            bail!("arn is not the ARN of a user");
        }
        if resource == "root" {
            return Ok(None);
        }
        // IAM's names: "IAM and AWS STS quotas" in the IAM user guide.
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
        let names_the_user = resource.strip_prefix("user/").and_then(|path| path.rsplit('/').next()) == Some(name);
        if !names_the_user || !name.chars().all(is_name) || !(1..=64).contains(&name.len()) {
            bail!("user and arn do not name the same IAM user. {SPREADSHEET}");
        }
        let created = time(&record[self.user_created]).with_context(|| not_a_time("user_creation_time"))?;
        Ok(Some(User { name: name.to_owned(), id: String::new(), arn: arn.to_owned(), created }))
    }

    /// Whether the last field is cut off. A report has no line end after its last line.
    fn is_cut_off(&self, record: &StringRecord) -> bool {
        self.last_certificate.is_some_and(|column| record[column] != *"N/A" && time(&record[column]).is_none())
    }

    /// A column with a time after `latest`.
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

    /// The user's keys. [`ADDITIONAL`] may be empty if it is empty in all rows so far.
    fn keys(&self, record: &StringRecord, additional_is_empty: bool) -> anyhow::Result<Vec<AccessKey>> {
        match self.additional.map(|additional| &record[additional]) {
            None | Some("N/A") => {}
            Some("") if additional_is_empty => {}
            // A report that is cut off right before this field ends with a comma.
            Some("") => bail!("{ADDITIONAL} is empty"),
            Some(_) => bail!("{ADDITIONAL}: the user has more keys or certificates than the report lists"),
        }
        let mut keys = Vec::new();
        for (number, columns) in (1..).zip(self.keys) {
            let [active, last_rotated, used, region, service] = columns.map(|column| &record[column]);
            // Spreadsheets save TRUE and FALSE.
            let status = match (active.to_ascii_lowercase().as_str(), last_rotated) {
                ("false", "N/A") => continue,
                ("true", _) => KeyStatus::Active,
                ("false", _) => KeyStatus::Inactive,
                _ => bail!("access_key_{number}_active is neither true nor false"),
            };
            let created =
                time(last_rotated).with_context(|| not_a_time(&format!("access_key_{number}_last_rotated")))?;
            let at = match used {
                "N/A" => None,
                date => Some(time(date).with_context(|| not_a_time(&format!("access_key_{number}_last_used_date")))?),
            };
            let last_used = LastUsed { at, region: region.to_owned(), service: service.to_owned() };
            keys.push(AccessKey {
                id: format!("access key {number}"),
                status,
                created,
                last_used: Some(Box::new(last_used)),
            });
        }
        Ok(keys)
    }
}

fn not_a_time(column: &str) -> String {
    format!("{column} is not a time such as 2026-03-01T12:00:00+00:00. {SPREADSHEET}")
}

/// Parses a time in a report; `None` if it is not one.
fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}
