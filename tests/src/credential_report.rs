//! The credential report: a CSV file that AWS makes at most every four hours.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use crate::account::Account;
use crate::error::AwsError;
use crate::user::{AccessKey, KeyStatus, User};

/// A report is served again, instead of a new one made, for as long, and expires then.
const LIFETIME: TimeDelta = TimeDelta::hours(4);

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// A report of the account as it was at one time.
#[derive(Clone)]
pub(crate) struct Report {
    pub(crate) generated: DateTime<Utc>,
    pub(crate) csv: String,
}

/// The reports of an account.
#[derive(Default)]
pub(crate) struct Reports {
    finished: Option<Report>,
    running: Option<Running>,
}

struct Running {
    report: Report,
    polls_left: u32,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum State {
    Started,
    InProgress,
    Complete,
}

impl State {
    /// AWS's name for it.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            State::Started => "STARTED",
            State::InProgress => "INPROGRESS",
            State::Complete => "COMPLETE",
        }
    }
}

impl Reports {
    pub(crate) fn finish(&mut self, generated: DateTime<Utc>, csv: String) {
        self.running = None;
        self.finished = Some(Report { generated, csv });
    }

    /// `GenerateCredentialReport`: `polls` answers that say that the report, which `csv` makes, is not complete yet.
    pub(crate) fn generate(&mut self, now: DateTime<Utc>, polls: u32, csv: impl FnOnce() -> String) -> State {
        if self.finished.as_ref().is_some_and(|report| now - report.generated < LIFETIME) {
            return State::Complete;
        }
        match self.running.take() {
            Some(Running { report, polls_left: 0 }) => {
                self.finished = Some(report);
                State::Complete
            }
            Some(Running { report, polls_left }) => {
                self.running = Some(Running { report, polls_left: polls_left - 1 });
                State::InProgress
            }
            None if polls == 0 => {
                self.finish(now, csv());
                State::Complete
            }
            None => {
                let report = Report { generated: now, csv: csv() };
                self.running = Some(Running { report, polls_left: polls - 1 });
                State::Started
            }
        }
    }

    /// `GetCredentialReport`.
    pub(crate) fn get(&self, now: DateTime<Utc>) -> Result<&Report, AwsError> {
        match (&self.finished, &self.running) {
            (Some(report), _) if now - report.generated <= LIFETIME => Ok(report),
            (_, Some(_)) => Err(AwsError::new(404, "ReportInProgress", "Credential report generation is in progress")),
            (Some(_), None) => Err(AwsError::new(410, "ReportExpired", "The credential report has expired")),
            (None, None) => Err(AwsError::new(410, "ReportNotPresent", "No report has been generated")),
        }
    }

    /// The last report, however old it is.
    pub(crate) fn last(&self) -> Option<&Report> {
        self.finished.as_ref()
    }
}

/// The report of the account's present state without the users and keys that were made after `at`. Lines end in LF, the
/// last in nothing.
pub(crate) fn csv(account: &Account, at: DateTime<Utc>) -> String {
    let more_info = account.additional_credentials_info;
    let header =
        COLUMNS.split(',').map(str::to_owned).chain(more_info.then(|| "additional_credentials_info".to_owned()));
    let users = account.users().filter(|user| user.created <= at).map(|user| user_row(user, at));
    let rows = std::iter::once(root_row(account)).chain(users).map(|mut row| {
        row.extend(more_info.then(|| "N/A".to_owned()));
        row
    });
    let lines = std::iter::once(header.collect()).chain(rows).map(|row| line(&row));
    lines.collect::<Vec<_>>().join("\n")
}

fn root_row(account: &Account) -> Vec<String> {
    let mut row = texts(["<root_account>"]);
    row.push(format!("arn:aws:iam::{}:root", account.id()));
    row.push(date(account.created()));
    row.extend(texts(["not_supported", "no_information", "not_supported", "not_supported", "true"]));
    row.extend(key_columns(None));
    row.extend(key_columns(None));
    row.extend(texts(["false", "N/A", "false", "N/A"]));
    row
}

fn user_row(user: &User, at: DateTime<Utc>) -> Vec<String> {
    let in_slot = |slot| user.keys.iter().find(|key| key.slot == slot && key.created <= at);
    let mut row = vec![user.name.clone(), user.arn.clone(), date(user.created)];
    row.extend(texts(["false", "N/A", "N/A", "N/A", "false"]));
    row.extend(key_columns(in_slot(0)));
    row.extend(key_columns(in_slot(1)));
    row.extend(texts(["false", "N/A", "false", "N/A"]));
    row
}

fn key_columns(key: Option<&AccessKey>) -> Vec<String> {
    let Some(key) = key else {
        return texts(["false", "N/A", "N/A", "N/A", "N/A"]);
    };
    let mut columns = vec![(key.status == KeyStatus::Active).to_string(), date(key.last_rotated)];
    match &key.last_used {
        Some(used) => columns.extend([date(used.at), used.region.clone(), used.service.clone()]),
        None => columns.extend(texts(["N/A", "N/A", "N/A"])),
    }
    columns
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

fn date(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, false)
}

/// Names may hold commas, and paths quotation marks.
fn line(row: &[String]) -> String {
    let quoted = row.iter().map(|field| match field.contains([',', '"']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.clone(),
    });
    quoted.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn account() -> Account {
        Account::new("123456789012", at("2019-01-01T00:00:00Z"))
    }

    #[test]
    fn rows_have_the_slots_of_the_keys_and_aws_sentinels() {
        let mut account = account();
        account.create_user("deploy-bot", at("2019-06-25T08:37:33.9Z"));
        let first = account.create_key("deploy-bot", at("2019-07-01T00:00:00Z")).unwrap();
        let second = account.create_key("deploy-bot", at("2019-08-01T00:00:00Z")).unwrap();
        account.use_key(&second, at("2019-09-01T10:00:00Z"), "us-east-1", "s3");
        account.set_key_status("deploy-bot", &second, KeyStatus::Inactive);
        account.delete_key("deploy-bot", &first);
        let csv = account.report_csv(at("2020-01-01T00:00:00Z"));
        let lines: Vec<_> = csv.split('\n').collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].split(',').count(), 22);
        assert_eq!(
            lines[1],
            "<root_account>,arn:aws:iam::123456789012:root,2019-01-01T00:00:00+00:00,not_supported,no_information,\
             not_supported,not_supported,true,false,N/A,N/A,N/A,N/A,false,N/A,N/A,N/A,N/A,false,N/A,false,N/A"
        );
        assert_eq!(
            lines[2],
            "deploy-bot,arn:aws:iam::123456789012:user/deploy-bot,2019-06-25T08:37:33+00:00,false,N/A,N/A,N/A,false,\
             false,N/A,N/A,N/A,N/A,false,2019-08-01T00:00:00+00:00,2019-09-01T10:00:00+00:00,us-east-1,s3,\
             false,N/A,false,N/A"
        );
    }

    #[test]
    fn what_was_made_later_is_left_out_and_commas_are_quoted() {
        let mut account = account();
        account.additional_credentials_info = true;
        account.create_user("a,b", at("2019-02-01T00:00:00Z"));
        account.create_user("later", at("2019-04-01T00:00:00Z"));
        account.create_key("a,b", at("2019-04-01T00:00:00Z")).unwrap();
        let csv = account.report_csv(at("2019-03-01T00:00:00Z"));
        let last = csv.split('\n').next_back().unwrap();
        assert!(last.starts_with("\"a,b\",\"arn:aws:iam::123456789012:user/a,b\",2019-02-01T00:00:00+00:00,"));
        assert!(last.ends_with(",false,N/A,N/A") && !last.contains("2019-04"));
        assert!(csv.lines().next().unwrap().ends_with(",cert_2_last_rotated,additional_credentials_info"));
    }

    #[test]
    fn a_report_is_complete_after_its_polls_reused_and_expires() {
        let (mut reports, start) = (Reports::default(), at("2019-01-01T00:00:00Z"));
        assert_eq!(reports.get(start).err().unwrap().code, "ReportNotPresent");
        assert_eq!(reports.generate(start, 2, String::new), State::Started);
        assert_eq!(reports.get(start).err().unwrap().code, "ReportInProgress");
        assert_eq!(reports.generate(start, 2, String::new), State::InProgress);
        assert_eq!(reports.generate(start, 2, String::new), State::Complete);
        let later = start + LIFETIME;
        assert_eq!(reports.get(later).ok().unwrap().generated, start);
        assert_eq!(reports.generate(later - TimeDelta::seconds(1), 2, String::new), State::Complete);
        assert_eq!(reports.get(later + TimeDelta::seconds(1)).err().unwrap().code, "ReportExpired");
        assert_eq!(reports.generate(later, 2, String::new), State::Started);
    }
}
