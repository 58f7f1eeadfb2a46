//! The result of a scan of AWS or of credential reports: each account's summary, and all users' findings.

use crate::{
    args::targets::LeftOut,
    command_result::CommandResult,
    findings::{
        comparison::{Comparison, Earlier},
        exemptions::{Exempted, sort},
        finding::{AccountSummary, Covered, Finding, Terms},
        other_credentials::{OtherCredentials, ServiceSpecificCredential},
    },
};

/// The accounts, sorted by [`ScanResult::finish`], and their users' findings.
pub(crate) struct ScanResult {
    pub(crate) terms: Terms,
    pub(crate) accounts: Vec<AccountSummary>,
    pub(crate) comparison: Option<Comparison>,
    /// All users, the most urgent first.
    pub(crate) findings: Vec<Finding>,
    /// Every user with exemption tags, if they were read: those whose exemption ends soon first, and void ones last.
    pub(crate) exemptions: Vec<Exempted>,
    /// Accounts of the organization that were not scanned.
    pub(crate) left_out: Vec<LeftOut>,
    earlier: Option<Earlier>,
}

/// What a scan found in one account.
#[derive(Default)]
pub(crate) struct AccountScan {
    pub(crate) account: String,
    pub(crate) name: Option<String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) exemptions: Vec<Exempted>,
    pub(crate) coverage: Option<Covered>,
    /// As [`AccountSummary::parameter_differences`].
    pub(crate) parameter_differences: Option<Vec<String>>,
    pub(crate) other_credentials: OtherCredentials,
    /// Why the runbooks' records of keys are unknown, and those of rotations.
    pub(crate) records_errors: [Option<String>; 2],
    /// The missing data, and the reason.
    pub(crate) error: Option<String>,
}

impl ScanResult {
    /// A result without accounts. It compares what you add with the earlier scan, if there is one.
    pub(crate) fn new(terms: Terms, earlier: Option<Earlier>) -> ScanResult {
        ScanResult {
            terms,
            accounts: Vec::new(),
            comparison: None,
            findings: Vec::new(),
            exemptions: Vec::new(),
            left_out: Vec::new(),
            earlier,
        }
    }

    /// Adds an account: the findings of its users, and an error if some are missing.
    pub(crate) fn add(&mut self, scan: AccountScan) {
        let AccountScan {
            account,
            name,
            mut findings,
            exemptions,
            coverage,
            parameter_differences,
            other_credentials,
            records_errors,
            error,
        } = scan;
        let [records_error, rotations_error] = records_errors;
        let count = |counts: fn(&Finding) -> bool| findings.iter().filter(|finding| counts(finding)).count();
        // Users who could not be evaluated may be exposed.
        let users_exposed: Option<usize> = findings.iter().map(|finding| finding.exposed.map(usize::from)).sum();
        let users_exposed = users_exposed.filter(|exposed| *exposed > 0 || error.is_none());
        let summary = AccountSummary {
            account,
            name,
            users_evaluated: findings.len(),
            users_non_compliant: count(Finding::is_violation),
            users_exempt: (!self.terms.credential_report).then(|| count(|finding| finding.exempt == Some(true))),
            users_exposed,
            old_inactive_keys: findings.iter().map(|finding| finding.old_inactive_keys.len()).sum(),
            other_credentials,
            records_error,
            rotations_error,
            error,
            coverage,
            parameter_differences,
        };
        if let Some(earlier) = &mut self.earlier {
            findings.iter_mut().for_each(|finding| earlier.compare(finding));
            earlier.account_done(&summary);
        }
        self.accounts.push(summary);
        self.exemptions.extend(exemptions);
        self.findings.extend(findings);
    }

    /// Completes the result after the last account.
    pub(crate) fn finish(mut self) -> ScanResult {
        self.accounts.sort_by(|a, b| a.account.cmp(&b.account));
        self.findings.sort_by_cached_key(Finding::rank);
        sort(&mut self.exemptions);
        self.comparison = self.earlier.take().map(Earlier::finish);
        self
    }

    /// The missing data, and whether there are violations.
    pub(crate) fn command_result(&self) -> CommandResult {
        let error =
            |account: &AccountSummary| Some(format!("account {}: {}", account.account, account.error.as_ref()?));
        CommandResult { errors: self.accounts.iter().filter_map(error).collect(), violations: self.has_violations() }
    }

    /// Whether it says anything from a credential report. A report that cannot be used says nothing.
    pub(crate) fn is_from_reports(&self) -> bool {
        let says = |account: &AccountSummary| account.error.is_none() || account.users_evaluated > 0;
        self.terms.credential_report && self.accounts.iter().any(says)
    }

    /// The violations and all other exposed users.
    pub(crate) fn urgent(&self) -> impl Iterator<Item = &Finding> + Clone {
        self.findings.iter().filter(|finding| finding.is_violation() || finding.is_exposed())
    }

    /// The service-specific credentials of all accounts, the most urgent first, each with its account.
    pub(crate) fn service_specific_credentials(&self) -> Vec<(&str, &ServiceSpecificCredential)> {
        let mut all: Vec<_> = self
            .accounts
            .iter()
            .flat_map(|summary| {
                let credentials = summary.other_credentials.service_specific_credentials().iter();
                credentials.map(|credential| (summary.account.as_str(), credential))
            })
            .collect();
        all.sort_by(|(_, a), (_, b)| a.rank().cmp(&b.rank()));
        all
    }

    pub(crate) fn has_violations(&self) -> bool {
        self.accounts.iter().any(|account| account.users_non_compliant > 0)
    }
}
