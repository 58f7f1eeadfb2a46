//! What a plan has, whatever its format: the users who are on the board, and what is unknown.

use super::steps::{Step, exposed, steps};
use crate::{
    args::filter::Filter,
    callers::key_history::Histories,
    command_result::CommandResult,
    findings::{
        board::{Board, Entry},
        filtered::{self, Filtered},
        finding::{AccountSummary, Finding, Key, Terms},
        scan_result::ScanResult,
    },
};

pub(super) struct Plan {
    pub(super) terms: Terms,
    pub(super) board: Board,
    /// Users with a key on the board, and exposed users, the most urgent first.
    pub(super) findings: Vec<Finding>,
    /// Accounts with missing data.
    pub(super) incomplete: Vec<String>,
    /// A sentence for each account whose runbooks' records are unknown.
    pub(super) records_unknown: Vec<String>,
    /// `None`: nobody is left out.
    pub(super) filtered: Option<Filtered>,
    /// Who uses the stale keys in use, with `--where`.
    pub(super) histories: Option<Histories>,
}

impl Plan {
    /// The plan, and what is missing in it.
    pub(super) fn new(mut result: ScanResult, filter: &Filter) -> (Plan, CommandResult) {
        let board = Board::of(&result);
        let incomplete = result.accounts.iter().filter(|account| account.error.is_some());
        let incomplete = incomplete.map(|account| account.account.clone()).collect();
        let records_unknown = result.accounts.iter().filter_map(AccountSummary::records_sentence).collect();
        let is_on_board = |finding: &Finding| finding.is_exposed() || !board.entries(finding).is_empty();
        filtered::apply(filter, &mut result, is_on_board, is_on_board);
        let command_result = result.command_result();
        let ScanResult { terms, mut findings, filtered, .. } = result;
        findings.retain(is_on_board);
        (Plan { terms, board, findings, incomplete, records_unknown, filtered, histories: None }, command_result)
    }

    /// The users in violation.
    pub(super) fn violations(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_violation())
    }

    /// The users in violation, and all other exposed users.
    pub(super) fn urgent(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_violation() || finding.is_exposed())
    }

    /// The keys that are older than the limit, but not active, and whose they are.
    pub(super) fn old_inactive_keys(&self) -> impl Iterator<Item = (&Finding, &Key)> {
        self.findings.iter().flat_map(|finding| finding.old_inactive_keys().map(move |key| (finding, key)))
    }

    /// The board.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Finding, &Key, Entry)> {
        self.board.all(self.findings.iter())
    }

    /// The steps for a user; none for a user who is neither exposed nor in violation.
    pub(super) fn steps(&self, finding: &Finding) -> Vec<Step> {
        if finding.is_exposed() {
            exposed(finding)
        } else if finding.is_violation() {
            steps(finding, self)
        } else {
            Vec::new()
        }
    }
}
