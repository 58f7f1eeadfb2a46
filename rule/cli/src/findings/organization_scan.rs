//! Scans accounts side by side. If one fails, the others keep their findings.

use crate::{
    args::{connection::Session, function::function_arn, scope::Scope, targets::Resolved},
    findings::{
        comparison::Earlier,
        exemptions::read_exemptions,
        finding::{Covered, Finding, Terms},
        progress::Progress,
        records::Records,
        scan_result::{AccountScan, ScanResult},
    },
};
use access_key_rotation::{
    coverage::account::read,
    metrics::Metrics,
    scan::scan,
    user::{Evaluated, Evaluator},
};
use std::{path::Path, sync::Arc};

/// What auditors ask besides: the exemption tags of all users, with one more call for each user, and when AWS Config last evaluated the
/// rule in each account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ForAuditors<'a> {
    /// The rule's function, by name or ARN.
    pub(crate) function: &'a str,
}

/// Scans the accounts in scope, and compares with an earlier scan if there is one.
///
/// # Errors
/// If nothing can be scanned. The error of a single account is in its summary.
pub(crate) async fn scan_accounts(
    session: &Session,
    scope: &Scope,
    since: Option<&Path>,
    for_auditors: Option<ForAuditors<'_>>,
) -> anyhow::Result<ScanResult> {
    let terms = &Terms::new(&scope.rule.parameters, &scope.order, scope.grace_days, session.now);
    let earlier = since.map(|path| Earlier::read(path, terms)).transpose()?;
    let Resolved { accounts, left_out } = scope.targets.resolve(session).await?;
    let mut result = ScanResult::new(terms.clone(), earlier);
    result.left_out = left_out;
    let progress = &Progress::of(accounts.len());
    let scans = session.read_accounts(accounts, async |id: String, name| {
        let metrics = Arc::new(Metrics::with_calls(session.calls()));
        progress.started(&id, &metrics);
        let scan = scan_account(session, &id, scope, terms, for_auditors, &metrics).await;
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
    for_auditors: Option<ForAuditors<'_>>,
    metrics: &Metrics,
) -> AccountScan {
    let account = match session.open(id, &metrics.calls).await {
        Ok(account) => account,
        Err(error) => return AccountScan { error: Some(error.to_string()), ..AccountScan::default() },
    };
    // Before the keys: if a record then says that a runbook switched a key off which is on, somebody switched it on again.
    let records = Records::read(&account).await;
    let evaluator = Evaluator {
        account: &account,
        parameters: &scope.rule.parameters,
        now: session.now,
        metrics,
        uses_of_exempt_keys: true,
        has_notices: false,
    };
    let scan = scan(evaluator).await;
    let finding = |user: Evaluated| {
        let mut finding = Finding::new(id, user.assessment, &scope.order, terms);
        if let Ok(records) = &records {
            records.add_to(&mut finding, terms.grace_days);
        }
        finding
    };
    let findings = scan.users.into_iter().map(finding).collect();
    let mut errors: Vec<_> = scan.complete.err().map(|error| error.to_string()).into_iter().collect();
    let (mut coverage, mut exemptions) = (None, Vec::new());
    if let Some(ForAuditors { function }) = for_auditors {
        match read(&account, None, &function_arn(&session.home, function), session.now).await {
            Ok(read) => coverage = Some(Covered::from(read)),
            Err(error) => errors.push(account.error(&error).to_string()),
        }
        let (read, unread) = read_exemptions(&account, &scope.rule.parameters, session.now).await;
        exemptions = read;
        errors.extend(unread);
    }
    let error = (!errors.is_empty()).then(|| errors.join(" "));
    let records_error = records.err().map(|error| account.error(&error).to_string());
    AccountScan { findings, exemptions, coverage, records_error, error, ..AccountScan::default() }
}
