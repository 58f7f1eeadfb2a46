//! Scans accounts side by side. If one fails, the others keep their findings.

use crate::{
    args::{connection::Session, function::function_arn, scope::Scope, targets::Resolved},
    callers::tagging::add_setters,
    findings::{
        comparison::Earlier,
        exemptions::read_exemptions,
        finding::{Covered, Finding, Terms},
        other_credentials::OtherCredentials,
        progress::Progress,
        records::Records,
        rotation::{Rotation, Stage},
        rule_parameters::differences,
        scan_result::{AccountScan, ScanResult},
    },
};
use access_key_rotation::{
    aws::account::Account,
    coverage::account::read,
    metrics::Metrics,
    scan::scan,
    user::{Evaluated, Evaluator},
};
use chrono::{DateTime, Utc};
use futures_util::{StreamExt, future::join, stream};
use policy::{
    access_key::{AccessKey, KeyState, KeyStatus},
    exposure::Exposure,
};
use std::{path::Path, sync::Arc};

/// How many users to read more about at a time, as in a scan.
const READS_AT_A_TIME: usize = 16;

/// Who asks, and for what besides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reader<'a> {
    Scan {
        /// Also the owner of every user with a key that is old and inactive, with one more call for each of them.
        owners: bool,
    },
    /// Nothing besides the verdicts.
    Where,
    /// The owner of every key that is on the board, with one more call for each of their users.
    Plan,
    /// The exemption tags of all users, with one more call for each user, and when AWS Config last evaluated the rule in each account.
    Auditor {
        /// The rule's function, by name or ARN.
        function: &'a str,
    },
}

/// Scans the accounts in scope, and compares with an earlier scan if there is one.
///
/// # Errors
/// If nothing can be scanned. The error of a single account is in its summary.
pub(crate) async fn scan_accounts(
    session: &Session,
    scope: &Scope,
    since: Option<&Path>,
    reader: Reader<'_>,
) -> anyhow::Result<ScanResult> {
    let terms = &Terms::new(&scope.rule.parameters, &scope.order, scope.days, session.now);
    let earlier = since.map(|path| Earlier::read(path, terms)).transpose()?;
    let Resolved { accounts, left_out } = scope.targets.resolve(session).await?;
    let mut result = ScanResult::new(terms.clone(), earlier);
    result.left_out = left_out;
    let progress = &Progress::of(accounts.len());
    let scans = session.read_accounts(accounts, async |id: String, name| {
        let metrics = Arc::new(Metrics::with_calls(session.calls_in(&id)));
        progress.started(&id, &metrics);
        let scan = scan_account(session, &id, scope, terms, reader, &metrics).await;
        progress.done(&id, scan.findings.len(), scan.error.is_some());
        AccountScan { account: id, name, ..scan }
    });
    for scan in progress.shown_during(scans).await {
        result.add(scan);
    }
    Ok(result.finish())
}

async fn scan_account(
    session: &Session,
    id: &str,
    scope: &Scope,
    terms: &Terms,
    reader: Reader<'_>,
    metrics: &Metrics,
) -> AccountScan {
    let account = match session.open(id, &metrics.calls).await {
        Ok(account) => account,
        Err(error) => return AccountScan { error: Some(error.to_string()), ..AccountScan::default() },
    };
    // Before the keys: if a record then says that a runbook switched a key off which is on, somebody switched it on again.
    let (records, other_credentials) = join(Records::read(&account), others(&account, session.now, reader)).await;
    let records = &records;
    let evaluator = Evaluator {
        account: &account,
        parameters: &scope.rule.parameters,
        now: session.now,
        metrics,
        uses_of_exempt_keys: true,
        has_notices: false,
    };
    let scan = scan(evaluator).await;
    let findings = stream::iter(scan.users)
        .map(|user| async move {
            let user = more(&evaluator, user, records, reader).await;
            let mut finding = Finding::new(id, user.assessment, &scope.order, terms);
            records.add_to(&mut finding, terms.grace_days);
            finding
        })
        .buffer_unordered(READS_AT_A_TIME)
        .collect()
        .await;
    let mut errors: Vec<_> = scan.complete.err().map(|error| error.to_string()).into_iter().collect();
    let (mut coverage, mut parameter_differences, mut exemptions) = (None, None, Vec::new());
    if let Reader::Auditor { function } = reader {
        match read(&account, None, &function_arn(&session.home, function), session.now).await {
            Ok(read) => {
                parameter_differences = differences(&scope.rule.parameters, &read.parameters);
                coverage = Some(Covered::from(read));
            }
            Err(error) => errors.push(account.error(&error).to_string()),
        }
        let (read, unread) = read_exemptions(&account, &scope.rule.parameters, session.now).await;
        exemptions = read;
        add_setters(&account, &session.home.partition, &mut exemptions, session.now).await;
        errors.extend(unread);
    }
    let error = (!errors.is_empty()).then(|| errors.join(" "));
    AccountScan {
        findings,
        exemptions,
        coverage,
        parameter_differences,
        other_credentials,
        records_errors: records.errors(&account),
        error,
        ..AccountScan::default()
    }
}

/// The credentials that the rule does not cover. A plan is about those that it does.
async fn others(account: &Account<'_>, now: DateTime<Utc>, reader: Reader<'_>) -> OtherCredentials {
    match reader {
        Reader::Where | Reader::Plan => OtherCredentials::default(),
        Reader::Scan { .. } | Reader::Auditor { .. } => OtherCredentials::read(account, now).await,
    }
}

/// Reads what the board says of a user besides the verdict: whether a key that is due soon rotates by itself, who uses an old key that
/// settles, and the owner of an exposed user and whether the keys are in use.
async fn more(evaluator: &Evaluator<'_>, user: Evaluated, records: &Records, reader: Reader<'_>) -> Evaluated {
    let assessment = &user.assessment;
    let rotation = records.rotation(&assessment.user.id);
    let is_left = assessment.has(KeyState::OldInactive)
        || assessment.keys.iter().any(|key| key.key.status != KeyStatus::Active && records.has_key(&key.key.id));
    let is_wanted = is_left && matches!(reader, Reader::Plan | Reader::Scan { owners: true });
    let is_exposed = assessment.exposure == Exposure::Exposed;
    if !is_wanted && !is_exposed && !assessment.has(KeyState::DueSoon) && rotation.is_none() {
        return user;
    }
    let settles = |rotation: &Rotation| rotation.state == Stage::Switched;
    let new = rotation.filter(settles).and_then(|rotation| rotation.new_key);
    let is_old = |key: &&AccessKey| {
        key.status == KeyStatus::Active && (is_exposed || new.as_ref().is_some_and(|new| *new != key.id))
    };
    let old: Vec<_> = assessment.keys.iter().map(|key| &key.key).filter(is_old).map(|key| key.id.clone()).collect();
    evaluator.with_more(user, &old).await
}
