//! The result of a scan of AWS or of credential reports: each account's summary, and all users' findings.

use crate::{
    args::{filter::Sort, targets::LeftOut},
    command_result::CommandResult,
    findings::{
        comparison::{Comparison, Earlier},
        exemptions::{Exempted, sort},
        filtered::Filtered,
        finding::{AccountSummary, Covered, Finding, Terms},
        other_credentials::{OtherCredentials, ServiceSpecificCredential},
    },
};
use std::collections::BTreeMap;

/// The accounts, sorted by [`ScanResult::finish`], and their users' findings.
pub(crate) struct ScanResult {
    pub(crate) terms: Terms,
    pub(crate) accounts: Vec<AccountSummary>,
    pub(crate) comparison: Option<Comparison>,
    /// All users or, if they are filtered, those that are shown, in the order of `sort`.
    pub(crate) findings: Vec<Finding>,
    pub(crate) sort: Sort,
    /// `None`: nobody is left out.
    pub(crate) filtered: Option<Filtered>,
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
            sort: Sort::default(),
            filtered: None,
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
        let mut summary = AccountSummary {
            account,
            name,
            users_exempt: (!self.terms.credential_report).then_some(0),
            other_credentials,
            records_error,
            rotations_error,
            error,
            coverage,
            parameter_differences,
            ..AccountSummary::default()
        };
        summary.count(&findings.iter().collect::<Vec<_>>());
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
        let filter = self.filtered.iter().flat_map(Filtered::errors);
        let violations = match &self.filtered {
            Some(filtered) => filtered.has_violations,
            None => self.findings.iter().any(Finding::is_violation),
        };
        CommandResult { errors: self.accounts.iter().filter_map(error).chain(filter).collect(), violations }
    }

    /// Whether it says anything from a credential report. A report that cannot be used says nothing.
    pub(crate) fn is_from_reports(&self) -> bool {
        let says = |account: &AccountSummary| account.error.is_none() || account.users_evaluated > 0;
        let is_filtered = self.filtered.as_ref().is_some_and(|filtered| filtered.users_evaluated > 0);
        self.terms.credential_report && (is_filtered || self.accounts.iter().any(says))
    }

    /// Whether every account could be read.
    pub(crate) fn is_complete(&self) -> bool {
        self.accounts.iter().all(|account| account.error.is_none())
    }

    /// The names of accounts that have one, by id.
    pub(crate) fn account_names(&self) -> BTreeMap<&str, &str> {
        self.accounts.iter().filter_map(|account| Some((account.account.as_str(), account.name.as_deref()?))).collect()
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
}
