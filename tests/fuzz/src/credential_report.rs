//! A credential report, from whoever passed the file on.

use crate::{
    findings::{
        finding::{Finding, Key, Terms},
        report_scan::{CredentialReport, evaluate_report},
    },
    terms::{ORDER, assert_annotation, assert_error, scan},
};
use chrono::{DateTime, TimeDelta};
use csv::{ReaderBuilder, StringRecord};
use policy::{access_key::KeyStatus, parameters::Parameters, verdict::Compliance};
use std::collections::BTreeSet;

/// The columns as IAM writes them; a newer report has one more.
const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// The input is the report.
pub(crate) fn credential_report(input: &[u8]) -> bool {
    let terms = scan(true);
    let Some(report) = evaluate(input, &terms) else { return false };
    assert_no_row_is_lost_or_misread(input, &report, &terms);
    assert_no_verdict_depends_on_the_end(input, &report, &terms);
    !report.findings.is_empty()
}

fn evaluate(content: &[u8], terms: &Terms) -> Option<CredentialReport> {
    match evaluate_report(content, &Parameters::default(), &ORDER, terms) {
        Ok(report) => Some(report),
        Err(error) => {
            assert_error(&format!("{error:#}"));
            None
        }
    }
}

fn assert_no_row_is_lost_or_misread(content: &[u8], report: &CredentialReport, terms: &Terms) {
    let CredentialReport { account, findings, root_access_keys, unknown } = report;
    let mut reader = ReaderBuilder::new().flexible(true).has_headers(false).from_reader(content);
    let mut records = reader.records().map(Result::unwrap);
    let header = records.next().unwrap();
    let rows: Vec<_> = records.collect();
    if !content.contains(&b'"') {
        let lines = content.split(|byte| b"\r\n".contains(byte)).filter(|line| !line.is_empty()).count();
        assert_eq!(lines, rows.len() + 1);
    }
    let column = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (user, arn, created) = (column("user"), column("arn"), column("user_creation_time"));
    let whole: Vec<_> = rows.iter().filter(|row| row.len() == header.len()).collect();
    // A root user whose keys cannot be read is unknown.
    let known = findings.len() + usize::from(root_access_keys.is_some());
    assert_eq!(known + unknown.len(), rows.len(), "{unknown:?}");
    if let Some(keys) = root_access_keys {
        let roots: Vec<_> = whole.iter().filter(|row| is_root(&row[arn])).collect();
        let [root] = roots[..] else { panic!("{} rows for the root user", roots.len()) };
        assert_keys(keys, |name| root[column(name)].to_owned(), terms);
    }
    unknown.iter().for_each(|why| assert_error(why));

    let mut arns = BTreeSet::new();
    for finding in findings {
        assert!(arns.insert(&finding.arn), "{} is there twice", finding.arn);
        assert!(account.len() == 12 && finding.account == *account, "{finding:?}");
        let is_it = |row: &&&StringRecord| {
            row[arn] == *finding.arn
                && row[user] == *finding.user_name
                && DateTime::parse_from_rfc3339(&row[created]).is_ok()
        };
        let row: Vec<_> = whole.iter().filter(is_it).collect();
        let [row] = row[..] else { panic!("{} rows for {}", row.len(), finding.arn) };
        assert_read(finding, |name| row[column(name)].to_owned(), terms);
    }
}

fn is_root(arn: &str) -> bool {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "iam", "", account, "root"] => {
            account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit())
        }
        _ => false,
    }
}

/// Whether the verdict is that of the keys in the row. Without an id, a tag or a page, there is neither an exemption nor more.
fn assert_read(finding: &Finding, column: impl Fn(&str) -> String, terms: &Terms) {
    let [violations, outlived] = assert_keys(&finding.access_keys, column, terms);
    let ids = |ids: &[String]| ids.iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!((ids(&finding.violations), ids(&finding.old_inactive_keys)), (violations.clone(), outlived));
    assert_eq!(finding.compliance == Compliance::NonCompliant, !violations.is_empty());
    assert_eq!(finding.compliance == Compliance::Compliant, violations.is_empty());
    assert!(finding.exempt != Some(true) && finding.owner.is_none() && finding.user_id.is_none());
    finding.annotation.iter().for_each(|annotation| assert_annotation(annotation));
}

/// Whether these are the keys in the row. Returns those that are older than the limit: the active ones, and the others.
fn assert_keys(keys: &[Key], column: impl Fn(&str) -> String, terms: &Terms) -> [BTreeSet<String>; 2] {
    let mut number_of_keys = 0;
    let mut old = [BTreeSet::new(), BTreeSet::new()];
    for number in [1, 2] {
        let rotated = column(&format!("access_key_{number}_last_rotated"));
        let is_active = match column(&format!("access_key_{number}_active")).to_ascii_lowercase().as_str() {
            "true" => true,
            "false" if rotated == "N/A" => continue,
            "false" => false,
            other => panic!("neither active nor not: {other}"),
        };
        number_of_keys += 1;
        let rotated = DateTime::parse_from_rfc3339(&rotated).unwrap().to_utc();
        let id = format!("access key {number}");
        let key = keys.iter().find(|key| key.access_key_id == id).unwrap();
        assert!(key.create_date == rotated && (key.status == KeyStatus::Active) == is_active, "{key:?}");
        if terms.scanned_at - rotated > TimeDelta::days(90) {
            old[usize::from(!is_active)].insert(id);
        }
    }
    assert_eq!(keys.len(), number_of_keys);
    old
}

/// A report of which the end is lost says the same of the users who are left. If it ends within a line, it says nothing of that user.
fn assert_no_verdict_depends_on_the_end(content: &[u8], whole: &CredentialReport, terms: &Terms) {
    // A row with too many fields may be one with a name with a comma, and be right without its end.
    let is_too_long = |why: &String| why.contains("more fields than columns");
    let rest = content.strip_prefix(COLUMNS.as_bytes()).unwrap_or_default();
    let rest = rest.strip_prefix(b",additional_credentials_info").unwrap_or(rest);
    if !rest.starts_with(b"\n") || whole.unknown.iter().any(is_too_long) {
        return;
    }
    // Each input has a place of its own, near the end.
    let sum = content.iter().fold(content.len(), |sum, byte| sum.wrapping_mul(31) + usize::from(*byte));
    let place = content.len() - 1 - sum % content.len().min(40);
    let Some(rest) = evaluate(&content[..place], terms) else { return };
    // Nothing tells an empty last field from one that is cut off, but that other lines have a word there.
    let is_end = |byte: &u8| b"\r\n".contains(byte);
    let mut lines = content[..place].split(is_end).filter(|line| !line.is_empty()).skip(1);
    let Some(first) = lines.next() else { return };
    if first.ends_with(b",") {
        return;
    }
    for finding in &rest.findings {
        assert!(whole.findings.contains(finding), "cut off at {place}: {finding:?}");
    }
    assert!(rest.root_access_keys.is_none() || rest.root_access_keys == whole.root_access_keys, "cut off at {place}");
    let is_between_lines = is_end(&content[place]) || is_end(&content[place - 1]);
    let last = String::from_utf8_lossy(lines.last().unwrap_or(first));
    let is_in_it = |finding: &Finding| last.split(',').any(|field| field.trim_matches('"') == finding.arn);
    assert!(is_between_lines || !rest.findings.iter().any(is_in_it), "cut off at {place} in: {last}");
}
