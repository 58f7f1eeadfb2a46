//! Scans accounts side by side. If one fails, the others keep their findings.

use crate::{
    args::{connection::Session, scope::Scope},
    findings::{
        comparison::Earlier,
        finding::{Covered, Finding, Terms},
        progress::Progress,
        scan_result::{AccountScan, ScanResult},
    },
};
use access_key_rotation::{
    coverage::account::read,
    evaluation::{account_scan::scan, user::Evaluator},
    metrics::Metrics,
};
use futures_util::{StreamExt, stream};
use std::{path::Path, sync::Arc};

/// How many accounts to scan at a time, each at its own rate.
const ACCOUNTS_AT_A_TIME: usize = 8;

/// Scans the accounts in scope, and compares with an earlier scan if there is one.
/// With the name of the rule's function in `coverage_of`, it also reads
/// when AWS Config last evaluated the rule in each account.
///
/// # Errors
/// If nothing can be scanned. The error of a single account is in its summary.
pub(crate) async fn scan_accounts(
    scope: &Scope,
    since: Option<&Path>,
    coverage_of: Option<&str>,
) -> anyhow::Result<ScanResult> {
    let session = &scope.connection.open().await?;
    let terms = &Terms::new(&scope.rule.parameters, &scope.order, session.now);
    let earlier = since.map(|path| Earlier::read(path, terms)).transpose()?;
    let accounts = scope.targets.resolve(session).await?;
    let mut result = ScanResult::new(terms.clone(), earlier)?;
    let progress = &Progress::of(accounts.len());
    let work = async {
        let mut scans = stream::iter(accounts)
            .map(|(id, name)| async move {
                let metrics = Arc::new(Metrics::with_calls(session.calls()));
                progress.started(&id, &metrics);
                let scan = scan_account(session, &id, scope, terms, coverage_of, &metrics).await;
                // Frees the account's clients, since a scan may cover hundreds of accounts.
                session.accounts.forget(&id);
                progress.done(&id, scan.findings.len(), scan.error.is_some());
                AccountScan { account: id, name, ..scan }
            })
            .buffer_unordered(ACCOUNTS_AT_A_TIME);
        while let Some(scan) = scans.next().await {
            result.add(scan)?;
        }
        anyhow::Ok(())
    };
    progress.shown_during(work).await?;
    Ok(result.finish())
}

async fn scan_account(
    session: &Session,
    id: &str,
    scope: &Scope,
    terms: &Terms,
    coverage_of: Option<&str>,
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
    };
    let scan = scan(evaluator).await;
    let findings = scan.findings.into_iter().map(|(user, found)| Finding::new(id, user, found, &scope.order, terms));
    let findings = findings.collect();
    let mut errors: Vec<_> = scan.outcome.err().map(|error| error.to_string()).into_iter().collect();
    let coverage = match coverage_of {
        Some(function_name) => match read(&account, None, function_name, session.now).await {
            Ok(coverage) => Some(Covered::from(coverage)),
            Err(error) => {
                errors.push(account.error(&error).to_string());
                None
            }
        },
        None => None,
    };
    let error = (!errors.is_empty()).then(|| errors.join(" "));
    AccountScan { findings, coverage, error, ..AccountScan::default() }
}
