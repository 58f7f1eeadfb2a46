//! What a scan found, for people and for programs.

use access_key_rotation::{
    parameters::Parameters,
    report::User,
    user::Judged,
    verdict::{Compliance, KeyStatus},
};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::ValueEnum;
use serde_json::{Value, json};

/// An account that was scanned.
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) findings: Vec<(User, Judged)>,
    pub(crate) error: Option<String>,
}

/// How to print.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// Violations, oldest first, and a summary of each account
    Table,
    /// Every user
    Json,
    /// Every user, a line each
    Csv,
}

impl Account {
    pub(crate) fn has_violations(&self) -> bool {
        self.violations() > 0
    }

    fn violations(&self) -> usize {
        self.findings.iter().filter(|(_, judged)| judged.verdict.compliance == Compliance::NonCompliant).count()
    }
}

impl Format {
    pub(crate) fn print(
        self,
        accounts: &[Account],
        parameters: &Parameters,
        now: DateTime<Utc>,
    ) -> Result<String, String> {
        match self {
            Format::Table => Ok(table(accounts)),
            Format::Json => Ok(format!("{:#}\n", json(accounts, parameters, now))),
            Format::Csv => csv(accounts),
        }
    }
}

/// Everyone's findings, those with the oldest stale key first, then by name.
fn in_order(accounts: &[Account]) -> Vec<(&Account, &User, &Judged)> {
    let mut rows: Vec<_> = accounts
        .iter()
        .flat_map(|account| account.findings.iter().map(move |(user, judged)| (account, user, judged)))
        .collect();
    let oldest = |judged: &Judged| {
        let stale = judged.keys.iter().filter(|(key, _)| judged.verdict.violations.contains(&key.id));
        stale.map(|(key, _)| key.created).min().unwrap_or(DateTime::<Utc>::MAX_UTC)
    };
    rows.sort_by_cached_key(|(account, user, judged)| (oldest(judged), account.id.clone(), user.name.clone()));
    rows
}

fn compliance(judged: &Judged) -> &'static str {
    match judged.verdict.compliance {
        Compliance::Compliant => "COMPLIANT",
        Compliance::NonCompliant => "NON_COMPLIANT",
        Compliance::NotApplicable => "NOT_APPLICABLE",
    }
}

fn table(accounts: &[Account]) -> String {
    let rows: Vec<_> = in_order(accounts);
    let violations = rows.iter().filter(|(_, _, judged)| judged.verdict.compliance == Compliance::NonCompliant);
    let name_width = violations.clone().map(|(_, user, _)| user.name.chars().count()).max().unwrap_or(0).max(4);
    let mut text = String::new();
    for (row, (account, user, judged)) in violations.enumerate() {
        if row == 0 {
            text += &format!("{:<12}  {:<name_width$}  What to do\n", "Account", "User");
        }
        let annotation = judged.verdict.annotation.as_deref().unwrap_or_default();
        text += &format!("{:<12}  {:<name_width$}  {annotation}\n", account.id, user.name);
    }
    for account in accounts {
        let exempt = account.findings.iter().filter(|(_, judged)| judged.verdict.exempt).count();
        let state = if account.error.is_some() { ", not complete" } else { "" };
        text += &format!(
            "{}: {} users evaluated, {} non-compliant, {exempt} exempt{state}\n",
            account.id,
            account.findings.len(),
            account.violations()
        );
    }
    text
}

fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn json(accounts: &[Account], parameters: &Parameters, now: DateTime<Utc>) -> Value {
    let users: Vec<_> = in_order(accounts)
        .iter()
        .map(|(account, user, judged)| {
            let keys: Vec<_> = judged
                .keys
                .iter()
                .map(|(key, used)| {
                    let status = match key.status {
                        KeyStatus::Active => "Active",
                        KeyStatus::Inactive => "Inactive",
                        KeyStatus::Expired => "Expired",
                    };
                    let last_used = used.as_ref().map(
                        |used| json!({ "date": used.at.map(time), "region": used.region, "serviceName": used.service }),
                    );
                    json!({
                        "accessKeyId": key.id, "status": status, "createDate": time(key.created),
                        "ageDays": (now - key.created).num_days(), "lastUsed": last_used,
                    })
                })
                .collect();
            json!({
                "account": account.id, "userName": user.name, "userId": user.id, "arn": user.arn,
                "compliance": compliance(judged), "annotation": judged.verdict.annotation,
                "exempt": judged.verdict.exempt, "violations": judged.verdict.violations, "accessKeys": keys,
            })
        })
        .collect();
    let accounts: Vec<_> = accounts
        .iter()
        .map(|account| {
            json!({
                "account": account.id, "usersEvaluated": account.findings.len(),
                "usersNonCompliant": account.violations(), "error": account.error,
            })
        })
        .collect();
    json!({
        "scannedAt": time(now), "maxAccessKeyAge": parameters.max_access_key_age, "accounts": accounts, "users": users,
    })
}

fn csv(accounts: &[Account]) -> Result<String, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = ["account", "user", "user_id", "compliance", "exempt", "violations", "annotation"];
    let mut write = |row: [&str; 7]| writer.write_record(row).map_err(|error| error.to_string());
    write(header)?;
    for (account, user, judged) in in_order(accounts) {
        let verdict = &judged.verdict;
        write([
            &account.id,
            &user.name,
            &user.id,
            compliance(judged),
            if verdict.exempt { "true" } else { "false" },
            &verdict.violations.join(" "),
            verdict.annotation.as_deref().unwrap_or_default(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|error| error.to_string())?;
    String::from_utf8(bytes).map_err(|error| error.to_string())
}
