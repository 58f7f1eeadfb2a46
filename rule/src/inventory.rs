//! Reads of IAM: users, their access keys, and the credential report. Every listing is followed to its end, within a bound.

use crate::{
    account::Account,
    calls::{CallError, Failure, backoff},
    exemption::Tags,
    report::{Report, User},
    verdict::{AccessKey, KeyStatus, LastUsed},
};
use aws_sdk_iam::{
    primitives::DateTime as AwsDateTime,
    types::{ReportStateType, StatusType},
};
use chrono::{DateTime, Utc};
use std::collections::HashMap;
use tokio::time::{Instant, sleep};

/// No listing of IAM has more: an account has 5,000 users at most (a quota that AWS does not raise), but pages may be short.
const MOST_PAGES: usize = 20_000;
/// The most that `ListUsers` puts on a page.
const USERS_A_PAGE: i32 = 1000;
/// How often the report is asked for before the sweep does without; the waits between make about half a minute.
const REPORT_POLLS: u32 = 15;

/// The users of an account.
#[derive(Debug)]
pub struct Listing {
    /// Each user once, as far as the listing got.
    pub users: Vec<User>,
    /// Why it is not complete, if it is not.
    pub broken_off: Option<CallError>,
}

/// Lists all users, 1,000 a page. `ListUsers` tells no tags.
pub async fn list_users(account: &Account<'_>) -> Listing {
    let mut listing = Listing { users: Vec::new(), broken_off: None };
    let mut positions = HashMap::new();
    let mut pages = Pages::new("iam:ListUsers");
    while pages.more() {
        let request = account.iam.list_users().max_items(USERS_A_PAGE).set_marker(pages.marker.clone());
        let page = account.calls.call(pages.action, account.reads_end, || request.clone().send()).await;
        let page = page.and_then(|page| pages.turn(page.is_truncated, page.marker).map(|()| page.users));
        let users = page.and_then(|users| users.into_iter().map(user).collect::<Result<Vec<_>, _>>());
        match users {
            Ok(users) => {
                for user in users {
                    // Whoever is renamed meanwhile may be seen twice: the later name is the one to use.
                    match positions.get(&user.id) {
                        Some(&position) => listing.users[position] = user,
                        None => {
                            positions.insert(user.id.clone(), listing.users.len());
                            listing.users.push(user);
                        }
                    }
                }
            }
            Err(error) => {
                listing.broken_off = Some(error);
                break;
            }
        }
    }
    listing
}

/// Lists a user's access keys in any status.
pub async fn list_access_keys(account: &Account<'_>, user_name: &str) -> Result<Vec<AccessKey>, CallError> {
    let mut keys = Vec::new();
    let mut pages = Pages::new("iam:ListAccessKeys");
    while pages.more() {
        let request = account.iam.list_access_keys().user_name(user_name).set_marker(pages.marker.clone());
        let page = account.calls.call(pages.action, account.reads_end, || request.clone().send()).await?;
        pages.turn(page.is_truncated, page.marker)?;
        for key in page.access_key_metadata {
            let (Some(id), Some(created)) = (key.access_key_id, key.create_date.and_then(|date| time(&date))) else {
                return Err(not_understood(pages.action, "an access key without id or date"));
            };
            let status = match key.status {
                Some(StatusType::Active) => KeyStatus::Active,
                Some(StatusType::Inactive) => KeyStatus::Inactive,
                Some(StatusType::Expired) => KeyStatus::Expired,
                // Not known to be harmless, so not taken for it.
                _ => return Err(not_understood(pages.action, "an access key in an unknown status")),
            };
            keys.push(AccessKey { id, status, created });
        }
    }
    Ok(keys)
}

/// The id and the tags of the user who has this name now. `GetUser` tells all tags in one answer.
pub async fn get_user(account: &Account<'_>, user_name: &str) -> Result<(String, Tags), CallError> {
    const ACTION: &str = "iam:GetUser";
    let request = account.iam.get_user().user_name(user_name);
    let answer = account.calls.call(ACTION, account.reads_end, || request.clone().send()).await?;
    let user = answer.user.ok_or_else(|| not_understood(ACTION, "no user"))?;
    Ok((user.user_id, user.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

/// When, where and for what a key was last used.
pub async fn last_used(account: &Account<'_>, key_id: &str) -> Result<LastUsed, CallError> {
    const ACTION: &str = "iam:GetAccessKeyLastUsed";
    let request = account.iam.get_access_key_last_used().access_key_id(key_id);
    let answer = account.calls.call(ACTION, account.reads_end, || request.clone().send()).await?;
    let used = answer.access_key_last_used.ok_or_else(|| not_understood(ACTION, "no last use"))?;
    let at = match used.last_used_date {
        None => None,
        Some(date) => Some(time(&date).ok_or_else(|| not_understood(ACTION, "a date out of range"))?),
    };
    Ok(LastUsed { at, region: used.region, service: used.service_name })
}

/// Has a credential report made, or takes the one that AWS made within the last four hours; no later than `until`.
///
/// # Errors
/// Why there is none. That is no failure of the sweep, which then reads every user live.
pub async fn credential_report(account: &Account<'_>, until: Instant) -> Result<Report, String> {
    let mut last = "not complete in time".to_owned();
    for poll in 1..=REPORT_POLLS {
        match generate(account, until).await {
            Ok(true) => match get(account, until).await {
                Ok(report) => return report,
                Err(error) if report_is_late(&error) => last = error.to_string(),
                Err(error) => return Err(error.to_string()),
            },
            Ok(false) => {}
            // Somebody else is having reports made just now: not one of the errors that are repeated for their code.
            Err(error) if error.code == "LimitExceeded" => last = error.to_string(),
            Err(error) => return Err(error.to_string()),
        }
        let delay = backoff(poll + 2);
        if poll == REPORT_POLLS || Instant::now() + delay >= until {
            break;
        }
        sleep(delay).await;
    }
    Err(last)
}

/// Whether a report is ready.
async fn generate(account: &Account<'_>, until: Instant) -> Result<bool, CallError> {
    let request = account.iam.generate_credential_report();
    let answer = account.calls.call("iam:GenerateCredentialReport", until, || request.clone().send()).await?;
    Ok(answer.state == Some(ReportStateType::Complete))
}

async fn get(account: &Account<'_>, until: Instant) -> Result<Result<Report, String>, CallError> {
    const ACTION: &str = "iam:GetCredentialReport";
    let request = account.iam.get_credential_report();
    let answer = account.calls.call(ACTION, until, || request.clone().send()).await?;
    let (Some(content), Some(generated)) = (answer.content, answer.generated_time.and_then(|date| time(&date))) else {
        return Err(not_understood(ACTION, "a report without content or date"));
    };
    Ok(Report::parse(content.as_ref(), generated).map_err(|error| format!("{ACTION}: {error}")))
}

fn report_is_late(error: &CallError) -> bool {
    // The codes on the wire; the model's names for them are CredentialReportNotPresentException and so on.
    ["ReportNotPresent", "ReportExpired", "ReportInProgress"].contains(&error.code.as_str())
}

fn user(user: aws_sdk_iam::types::User) -> Result<User, CallError> {
    match time(&user.create_date) {
        Some(created) => Ok(User { name: user.user_name, id: user.user_id, arn: user.arn, created }),
        None => Err(not_understood("iam:ListUsers", "a date out of range")),
    }
}

fn time(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(date.secs(), date.subsec_nanos())
}

fn not_understood(action: &'static str, what: &str) -> CallError {
    CallError { action, kind: Failure::Other, code: format!("an answer that is not understood ({what})") }
}

/// Follows `IsTruncated` and `Marker`, never the number of items on a page.
struct Pages {
    action: &'static str,
    marker: Option<String>,
    turned: usize,
}

impl Pages {
    fn new(action: &'static str) -> Pages {
        Pages { action, marker: None, turned: 0 }
    }

    fn more(&self) -> bool {
        self.turned == 0 || self.marker.is_some()
    }

    fn turn(&mut self, is_truncated: bool, marker: Option<String>) -> Result<(), CallError> {
        self.turned += 1;
        if is_truncated && (marker.is_none() || marker == self.marker || self.turned >= MOST_PAGES) {
            return Err(not_understood(self.action, "a listing without an end"));
        }
        self.marker = marker.filter(|_| is_truncated);
        Ok(())
    }
}
