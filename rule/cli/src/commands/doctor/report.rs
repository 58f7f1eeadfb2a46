//! What the doctor says: checks with their remedies, and the report of all of them as a table or as JSON.

use crate::{
    args::targets::{LeftOut, left_out_line},
    command_result::CommandResult,
    manual,
    output::Format,
};
use access_key_rotation::aws::client::{CallError, Failure};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::io::{self, Write};

pub(super) const FORMATS: &[(Format, &str)] = &[
    (Format::Table, "Problems and advice with their remedies, and a summary of each account"),
    (Format::Json, "Every check"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Ok,
    /// The rule works, and something could be better. It does not change the exit status.
    Advice,
    Failed,
    /// The doctor could not check it.
    Unknown,
    /// The doctor did not try it. `seen` says why.
    Skipped,
}

/// One thing that the rule needs.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    check: &'static str,
    /// The part that was checked, such as an action or a document.
    #[serde(skip_serializing_if = "Option::is_none")]
    of: Option<&'static str>,
    status: Status,
    seen: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

impl Check {
    fn new(check: &'static str, status: Status, seen: impl Into<String>, remedy: Option<String>) -> Check {
        // AWS's messages may have several lines.
        let seen = seen.into().replace(char::is_control, " ");
        Check { check, of: None, status, seen, remedy }
    }

    pub(super) fn ok(check: &'static str, seen: impl Into<String>) -> Check {
        Check::new(check, Status::Ok, seen, None)
    }

    pub(super) fn advice(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check::new(check, Status::Advice, seen, Some(remedy.into()))
    }

    pub(super) fn failed(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check::new(check, Status::Failed, seen, Some(remedy.into()))
    }

    pub(super) fn unknown(check: &'static str, seen: impl Into<String>, remedy: impl Into<String>) -> Check {
        Check::new(check, Status::Unknown, seen, Some(remedy.into()))
    }

    pub(super) fn skipped(check: &'static str, why: impl Into<String>) -> Check {
        Check::new(check, Status::Skipped, why, None)
    }

    pub(super) fn of(self, of: &'static str) -> Check {
        Check { of: Some(of), ..self }
    }
}

/// The caller, for the remedy of a denied call.
pub(super) enum Caller<'a> {
    /// The person who runs the doctor.
    Current,
    /// The role that the doctor assumes in a member account.
    Role(&'a str),
}

impl Caller<'_> {
    /// The remedy for a failed call of the doctor's own.
    pub(super) fn remedy(&self, error: &CallError) -> String {
        match self {
            _ if !is_denial(error) => {
                "Run the doctor again. If that does not help, check the state of this account in AWS.".to_owned()
            }
            Caller::Current => format!("Grant yourself {}.", error.action),
            Caller::Role(name) => format!(
                "Grant {} to the role {name} in this account. templates/member.yaml does so if you set CommandLineRoleArn ({}).",
                error.action,
                manual::ROLES
            ),
        }
    }
}

/// Whether a policy denies the action. Expired credentials are another matter.
pub(super) fn is_denial(error: &CallError) -> bool {
    error.kind == Failure::Denied && ["AccessDenied", "AccessDeniedException"].contains(&error.code.as_str())
}

/// The checks of one account.
#[derive(Debug, Serialize)]
pub(crate) struct Examined {
    pub(super) account: String,
    /// The name in AWS Organizations, with `--organization`.
    pub(super) name: Option<String>,
    pub(super) checks: Vec<Check>,
}

/// Everything, with the accounts in order.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    pub(super) checked_at: DateTime<Utc>,
    pub(super) region: String,
    pub(super) current_account: String,
    /// The checks that are not about a single account.
    pub(super) checks: Vec<Check>,
    pub(super) accounts: Vec<Examined>,
    pub(super) left_out: Vec<LeftOut>,
}

impl Report {
    fn all(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().chain(self.accounts.iter().flat_map(|account| &account.checks))
    }

    pub(super) fn command_result(&self) -> CommandResult {
        let number = |status| self.all().filter(|check| check.status == status).count();
        let errors = match number(Status::Unknown) {
            0 => Vec::new(),
            1 => vec!["1 check is unknown: the output says which and why".to_owned()],
            unknown => vec![format!("{unknown} checks are unknown: the output says which and why")],
        };
        CommandResult { errors, violations: number(Status::Failed) > 0 }
    }

    pub(super) fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, self)?;
                writeln!(out)
            }
            _ => table(self, out),
        }
    }
}

fn table(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    const WHOLE: &str = "all accounts";
    let of_accounts = || report.accounts.iter().map(|account| (account.account.as_str(), &account.checks));
    for (account, checks) in [(WHOLE, &report.checks)].into_iter().chain(of_accounts()) {
        for check in checks.iter().filter(|check| check.status != Status::Ok) {
            let of = check.of.map(|of| format!("{of}: ")).unwrap_or_default();
            writeln!(out, "{account}  {:<11}  {:<7}  {of}{}", check.check, check.status.name(), check.seen)?;
            if let Some(remedy) = &check.remedy {
                writeln!(out, "{:>36}{remedy}", "")?;
            }
        }
    }
    writeln!(out, "{WHOLE}: {}", summary(&report.checks))?;
    for Examined { account, name, checks } in &report.accounts {
        let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        writeln!(out, "{account}{name}: {}", summary(checks))?;
    }
    left_out_line(&report.left_out).map_or(Ok(()), |line| writeln!(out, "{line}"))
}

/// For example `6 ok, 1 failed`.
fn summary(checks: &[Check]) -> String {
    let count = |status| (status, checks.iter().filter(|check| check.status == status).count());
    let counts = [Status::Ok, Status::Failed, Status::Unknown, Status::Advice, Status::Skipped].map(count);
    let told = counts.iter().filter(|(status, number)| *number > 0 || *status == Status::Ok);
    told.map(|(status, number)| format!("{number} {}", status.name())).collect::<Vec<_>>().join(", ")
}

impl Status {
    fn name(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Advice => "advice",
            Status::Failed => "failed",
            Status::Unknown => "unknown",
            Status::Skipped => "skipped",
        }
    }
}
