//! Scans accounts side by side. If one fails, the others keep their findings.

use crate::{
    args::{connection::Session, function::function_arn, scope::Scope, targets::Resolved},
    findings::{
        comparison::Earlier,
        exemptions::read_exemptions,
        finding::{Covered, Finding, Terms},
        progress::Progress,
        scan_result::{AccountScan, ScanResult},
    },
};
use access_key_rotation::{coverage::account::read, metrics::Metrics, scan::scan, user::Evaluator};
use futures_util::StreamExt;
use std::{path::Path, pin::pin, sync::Arc};

/// What to read besides the users who may be in violation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Besides<'a> {
    /// When AWS Config last evaluated the rule in each account. This is the rule's function, by name or ARN.
    pub(crate) coverage_of: Option<&'a str>,
    /// The exemption tags of all users, with one more call for each user.
    pub(crate) exemptions: bool,
}

/// Scans the accounts in scope, and compares with an earlier scan if there is one.
///
/// # Errors
/// If nothing can be scanned. The error of a single account is in its summary.
pub(crate) async fn scan_accounts(
    session: &Session,
    scope: &Scope,
    since: Option<&Path>,
    besides: Besides<'_>,
) -> anyhow::Result<ScanResult> {
    let terms = &Terms::new(&scope.rule.parameters, &scope.order, session.now);
    let earlier = since.map(|path| Earlier::read(path, terms)).transpose()?;
    let Resolved { accounts, left_out } = scope.targets.resolve(session).await?;
    let mut result = ScanResult::new(terms.clone(), earlier);
    result.left_out = left_out;
    let progress = &Progress::of(accounts.len());
    let work = async {
        let scans = session.each_account(accounts, |id, name| async move {
            let metrics = Arc::new(Metrics::with_calls(session.calls()));
            progress.started(&id, &metrics);
            let scan = scan_account(session, &id, scope, terms, besides, &metrics).await;
            progress.done(&id, scan.findings.len(), scan.error.is_some());
            AccountScan { account: id, name, ..scan }
        });
        let mut scans = pin!(scans);
        while let Some(scan) = scans.next().await {
            result.add(scan);
        }
    };
    progress.shown_during(work).await;
    Ok(result.finish())
}

async fn scan_account(
    session: &Session,
    id: &str,
    scope: &Scope,
    terms: &Terms,
    besides: Besides<'_>,
    metrics: &Metrics,
) -> AccountScan {
    let account = match session.open(id, &metrics.calls).await {
        Ok(account) => account,
        Err(error) => return AccountScan { error: Some(error.to_string()), ..AccountScan::default() },
    };
    let evaluator = Evaluator {
        account: &account,
        parameters: &scope.rule.parameters,
        now: session.now,
        metrics,
        uses_of_exempt_keys: true,
        has_notices: false,
    };
    let scan = scan(evaluator).await;
    let findings = scan.users.into_iter().map(|user| Finding::new(id, user.assessment, &scope.order, terms)).collect();
    let mut errors: Vec<_> = scan.complete.err().map(|error| error.to_string()).into_iter().collect();
    let coverage = match besides.coverage_of {
        Some(function) => match read(&account, None, &function_arn(&session.home, function), session.now).await {
            Ok(coverage) => Some(Covered::from(coverage)),
            Err(error) => {
                errors.push(account.error(&error).to_string());
                None
            }
        },
        None => None,
    };
    let mut exemptions = Vec::new();
    if besides.exemptions {
        let (read, unread) = read_exemptions(&account, &scope.rule.parameters, session.now).await;
        exemptions = read;
        errors.extend(unread);
    }
    let error = (!errors.is_empty()).then(|| errors.join(" "));
    AccountScan { findings, exemptions, coverage, error, ..AccountScan::default() }
}
