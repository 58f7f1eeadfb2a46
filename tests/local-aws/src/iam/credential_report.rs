//! The credential report, which AWS creates at most every four hours: GenerateCredentialReport, GetCredentialReport. The
//! runbook that deletes keys reads from it when a key was last activated.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::context::{Context, Result};
use crate::account::{Account, CredentialReport};
use crate::error::AwsError;
use crate::response::Xml;
use crate::user::{KeyStatus, User};

/// A report is returned again for this long, instead of a new one, and then expires.
const LIFETIME: TimeDelta = TimeDelta::hours(4);

const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,password_last_changed,\
    password_next_rotation,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,\
    access_key_1_last_used_region,access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,cert_1_active,\
    cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// The first answer says that the report has been started.
pub(super) fn generate(cx: &mut Context<'_>) -> Xml {
    let now = cx.account.now;
    let state = match &cx.account.credential_report {
        Some(report) if now - report.generated < LIFETIME => "COMPLETE",
        _ => {
            cx.account.credential_report = Some(CredentialReport { generated: now, csv: csv(cx.account) });
            "STARTED"
        }
    };
    Xml::Structure(vec![("State", Xml::text(state))])
}

pub(super) fn get(cx: &Context<'_>) -> Result<Xml> {
    let report = cx.account.credential_report.as_ref();
    let report = report.ok_or_else(|| AwsError::new(410, "ReportNotPresent", "No report has been generated"))?;
    if cx.account.now - report.generated > LIFETIME {
        return Err(AwsError::new(410, "ReportExpired", "The credential report has expired"));
    }
    Ok(Xml::Structure(vec![
        ("Content", Xml::text(STANDARD.encode(&report.csv))),
        ("ReportFormat", Xml::text("text/csv")),
        ("GeneratedTime", Xml::time(report.generated)),
    ]))
}

fn csv(account: &Account) -> String {
    let unused = "N/A,N/A,N/A";
    let root_key = |slot: usize| match account.root_access_keys.get(slot) {
        None => format!("false,N/A,{unused}"),
        Some(created) => format!("true,{},{unused}", date(*created)),
    };
    let root = format!(
        "<root_account>,arn:aws:iam::{}:root,{},not_supported,no_information,not_supported,not_supported,true,\
         {},{},false,N/A,false,N/A",
        account.id(),
        date(account.created()),
        root_key(0),
        root_key(1)
    );
    let rows = account.users().map(|user| {
        let User { name, arn, created, .. } = user;
        let key = |slot: usize| match user.keys.get(slot) {
            None => format!("false,N/A,{unused}"),
            Some(key) => {
                let used = key.last_used.as_ref();
                let used = used.map(|used| format!("{},{},{}", date(used.at), used.region, used.service));
                let used = used.unwrap_or_else(|| unused.to_owned());
                format!("{},{},{used}", key.status == KeyStatus::Active, date(key.activated))
            }
        };
        let created = date(*created);
        format!("{name},{arn},{created},false,N/A,N/A,N/A,false,{},{},false,N/A,false,N/A", key(0), key(1))
    });
    [COLUMNS.to_owned(), root].into_iter().chain(rows).collect::<Vec<_>>().join("\n")
}

fn date(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, false)
}
