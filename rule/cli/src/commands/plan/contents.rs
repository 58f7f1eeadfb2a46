//! What a plan has, whatever its format: the users who are on the board, and what is unknown.

use super::steps::{Step, exposed, steps};
use crate::{
    callers::key_history::Histories,
    findings::{
        board::{Board, Entry},
        finding::{AccountSummary, Finding, Key, Terms},
        scan_result::ScanResult,
    },
};

/// The users to plan for; without any, all of them.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Wanted {
    /// Only these users, by name
    #[arg(long, num_args = 1.., value_name = "NAME")]
    pub(super) user: Vec<String>,
    /// Only users with one of these owners, as the owner tag names them
    #[arg(long, num_args = 1.., value_name = "OWNER")]
    pub(super) owner: Vec<String>,
}

impl Wanted {
    fn is_wanted(&self, finding: &Finding) -> bool {
        let is_owner = |owner: &String| finding.owner.as_ref() == Some(owner);
        (self.user.is_empty() || self.user.contains(&finding.user_name))
            && (self.owner.is_empty() || self.owner.iter().any(is_owner))
    }

    /// The users that nobody has evaluated.
    pub(super) fn unknown_users<'a>(&'a self, result: &'a ScanResult) -> impl Iterator<Item = &'a String> {
        let is_there = |name: &String| result.findings.iter().any(|finding| finding.user_name == *name);
        self.user.iter().filter(move |name| !is_there(name))
    }
}

pub(super) struct Plan {
    pub(super) terms: Terms,
    pub(super) board: Board,
    /// Users with a key on the board, and exposed users, the most urgent first.
    pub(super) findings: Vec<Finding>,
    /// Accounts with missing data.
    pub(super) incomplete: Vec<String>,
    /// A sentence for each account whose runbooks' records are unknown.
    pub(super) records_unknown: Vec<String>,
    /// How many users on the board are left out, since their owner is unknown.
    pub(super) owners_unknown: usize,
    /// Who uses the stale keys in use, with `--where`.
    pub(super) histories: Option<Histories>,
}

impl Plan {
    pub(super) fn new(result: ScanResult, wanted: &Wanted) -> Plan {
        let board = Board::of(&result);
        let incomplete = result.accounts.iter().filter(|account| account.error.is_some());
        let incomplete = incomplete.map(|account| account.account.clone()).collect();
        let records_unknown = result.accounts.iter().filter_map(AccountSummary::records_sentence).collect();
        let is_on_board = |finding: &Finding| finding.is_exposed() || !board.entries(finding).is_empty();
        let on_board = result.findings.into_iter().filter(is_on_board);
        let (findings, others): (Vec<_>, Vec<_>) = on_board.partition(|finding| wanted.is_wanted(finding));
        let any_owner = Wanted { owner: Vec::new(), ..wanted.clone() };
        let is_unknown = |finding: &&Finding| !finding.tags_are_read() && any_owner.is_wanted(finding);
        let owners_unknown = others.iter().filter(is_unknown).count();
        Plan { terms: result.terms, board, findings, incomplete, records_unknown, owners_unknown, histories: None }
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

    /// One sentence, if it is not zero.
    pub(super) fn owners_unknown_sentence(&self) -> Option<String> {
        let text = match self.owners_unknown {
            0 => return None,
            1 => "1 user is left out, since the user's tags could not be read and the owner is unknown.".to_owned(),
            users => {
                format!("{users} users are left out, since their tags could not be read and the owners are unknown.")
            }
        };
        Some(text)
    }
}
