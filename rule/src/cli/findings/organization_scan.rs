//! Accounts scanned at once, for every command that needs to know who is in violation.

use crate::{
    args::connection::Session,
    findings::{
        comparison::{Comparison, Earlier},
        finding::{AccountSummary, Finding, TagNames, Terms},
        finding_store::FindingStore,
    },
    output::html::Totals,
};
use access_key_rotation::{
    evaluation::{account_scan::scan, user::Evaluator},
    metrics::Metrics,
    policy::parameters::Parameters,
};
use futures_util::{StreamExt, stream};
use std::{
    collections::BTreeMap,
    future::Future,
    io::{IsTerminal, Write, stderr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many accounts are scanned at a time, each at the rate of its own.
const ACCOUNTS_AT_A_TIME: usize = 8;

/// What was found: the accounts in order, and their users' findings on disk.
pub(crate) struct OrganizationScan {
    pub(crate) terms: Terms,
    pub(crate) accounts: Vec<AccountSummary>,
    pub(crate) comparison: Option<Comparison>,
    pub(crate) findings: FindingStore,
    pub(crate) totals: Totals,
    /// The longest name of a user in violation, in characters.
    pub(crate) longest_name: usize,
    earlier: Option<Earlier>,
}

impl OrganizationScan {
    pub(crate) fn new(terms: Terms, earlier: Option<Earlier>) -> Result<OrganizationScan, String> {
        let findings = FindingStore::new().map_err(|error| format!("no temporary file: {error}"))?;
        Ok(OrganizationScan {
            terms,
            accounts: Vec::new(),
            comparison: None,
            findings,
            totals: Totals::default(),
            longest_name: 0,
            earlier,
        })
    }

    /// Adds an account: what is known of its users, and what is missing.
    pub(crate) fn add(
        &mut self,
        account: String,
        name: Option<String>,
        mut findings: Vec<Finding>,
        error: Option<String>,
    ) -> Result<(), String> {
        let violations = findings.iter().filter(|finding| finding.is_violation());
        let summary = AccountSummary {
            account,
            name,
            users_evaluated: findings.len(),
            users_non_compliant: violations.clone().count(),
            users_exempt: (!self.terms.credential_report)
                .then(|| findings.iter().filter(|finding| finding.exempt == Some(true)).count()),
            error,
        };
        let longest = violations.map(|finding| finding.user_name.chars().count()).max();
        self.longest_name = self.longest_name.max(longest.unwrap_or(0));
        if let Some(earlier) = &mut self.earlier {
            findings.iter_mut().for_each(|finding| earlier.compare(finding));
            earlier.account_done(&summary);
        }
        findings.iter().for_each(|finding| self.totals.add(finding, &self.terms));
        self.accounts.push(summary);
        self.findings.add(findings).map_err(|error| format!("temporary file: {error}"))
    }

    /// When all accounts are added.
    pub(crate) fn finish(mut self) -> OrganizationScan {
        self.accounts.sort_by(|a, b| a.account.cmp(&b.account));
        self.comparison = self.earlier.take().map(Earlier::finish);
        self
    }

    /// What is missing, for standard error.
    pub(crate) fn errors(&self) -> Vec<String> {
        let error =
            |account: &AccountSummary| Some(format!("account {}: {}", account.account, account.error.as_ref()?));
        self.accounts.iter().filter_map(error).collect()
    }

    pub(crate) fn has_violations(&self) -> bool {
        self.accounts.iter().any(|account| account.users_non_compliant > 0)
    }
}

/// Scans the accounts, some at a time. One that fails costs no other.
///
/// # Errors
/// Only what the machine lacks; what AWS refuses is in the accounts' summaries.
pub(crate) async fn survey(
    session: &Session,
    targets: BTreeMap<String, Option<String>>,
    (parameters, names): (&Parameters, &TagNames),
    mut survey: OrganizationScan,
) -> Result<OrganizationScan, String> {
    let terms = survey.terms.clone();
    let progress = Progress { accounts: targets.len(), ..Progress::default() };
    let (terms, reporter) = (&terms, &progress);
    let work = async {
        let mut accounts = stream::iter(targets)
            .map(|(id, name)| async move {
                let metrics = Arc::new(Metrics::with_calls(session.calls()));
                reporter.state().running.insert(id.clone(), Arc::clone(&metrics));
                let (findings, error) = one(session, &id, (parameters, names, terms), &metrics).await;
                // Its clients are of no more use, and would be held for hundreds of accounts.
                session.accounts.forget(&id);
                (id, name, findings, error)
            })
            .buffer_unordered(ACCOUNTS_AT_A_TIME);
        while let Some((id, name, findings, error)) = accounts.next().await {
            reporter.done(&id, findings.len(), error.is_some());
            survey.add(id, name, findings, error)?;
        }
        Ok::<_, String>(())
    };
    progress.shown_during(work).await?;
    Ok(survey.finish())
}

async fn one(
    session: &Session,
    id: &str,
    (parameters, names, terms): (&Parameters, &TagNames, &Terms),
    metrics: &Metrics,
) -> (Vec<Finding>, Option<String>) {
    let account = match session.open(id, &metrics.calls).await {
        Ok(account) => account,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let evaluator = Evaluator { account: &account, parameters, now: session.now, metrics, uses_of_exempt_keys: true };
    let scan = scan(evaluator).await;
    let findings = scan.findings.into_iter().map(|(user, found)| Finding::new(id, user, found, names, terms));
    (findings.collect(), scan.outcome.err().map(|error| error.to_string()))
}

/// How far a survey got.
#[derive(Default)]
struct Progress {
    accounts: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<String, Arc<Metrics>>,
    done: usize,
    failed: usize,
    users: u64,
}

impl Progress {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn done(&self, id: &str, users: usize, failed: bool) {
        let mut state = self.state();
        state.running.remove(id);
        state.done += 1;
        state.failed += usize::from(failed);
        state.users += users as u64;
    }

    /// Shows the progress on a terminal while the work is done; elsewhere it is quiet.
    async fn shown_during<T>(&self, work: impl Future<Output = T>) -> T {
        if !stderr().is_terminal() {
            return work.await;
        }
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                _ = ticks.tick() => self.show(),
            }
        };
        // The line is taken back: what the command prints may go to the same terminal.
        let _ = write!(stderr(), "\r\x1b[K");
        result
    }

    fn show(&self) {
        let state = self.state();
        let users = state.users + state.running.values().map(|metrics| metrics.evaluated()).sum::<u64>();
        let failed = if state.failed > 0 { format!(", {} not complete", state.failed) } else { String::new() };
        // A terminal that cannot be written to is no reason to stop.
        let _ =
            write!(stderr(), "\r\x1b[K{} of {} accounts{failed}, {users} users evaluated", state.done, self.accounts);
    }
}
