//! The page's numbers of users in total. They are counted before the first line is written.

use super::parts::{UNKNOWN, grouped, known, tile};
use crate::findings::finding::{AccountSummary, Finding, Terms};
use maud::{Markup, html};
use policy::verdict::Compliance;

/// The state of a user on the page's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum UserState {
    NonCompliant,
    /// Compliant, but AWS found a key of the user in public.
    Exposed,
    Exempt,
    /// Compliant, with a key due soon.
    DueSoon,
}

impl UserState {
    /// `None` if the page does not list the user.
    pub(super) fn of(finding: &Finding) -> Option<UserState> {
        if finding.is_violation() {
            Some(UserState::NonCompliant)
        } else if finding.is_exposed() {
            Some(UserState::Exposed)
        } else if finding.exempt == Some(true) {
            Some(UserState::Exempt)
        } else {
            finding.due_soon.then_some(UserState::DueSoon)
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            UserState::NonCompliant => "non-compliant",
            UserState::Exposed => "exposed",
            UserState::Exempt => "exempt",
            UserState::DueSoon => "due soon",
        }
    }

    /// The CSS class of its mark.
    pub(super) fn style(self) -> &'static str {
        match self {
            UserState::NonCompliant | UserState::Exposed => "alert",
            UserState::Exempt => "",
            UserState::DueSoon => "warn",
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) non_compliant: usize,
    exposed: usize,
    /// Exposed or not, as is the next.
    exempt: usize,
    due_soon: usize,
    evaluated: usize,
    listed: usize,
    /// Compliant users who are not listed.
    pub(super) compliant: usize,
}

impl Totals {
    pub(super) fn add(&mut self, finding: &Finding) {
        self.evaluated += 1;
        self.non_compliant += usize::from(finding.is_violation());
        self.exposed += usize::from(finding.is_exposed());
        self.exempt += usize::from(finding.exempt == Some(true));
        self.due_soon += usize::from(finding.due_soon);
        if UserState::of(finding).is_some() {
            self.listed += 1;
        } else {
            self.compliant += usize::from(finding.compliance == Compliance::Compliant);
        }
    }

    /// How many users are listed.
    pub(super) fn listed(&self) -> usize {
        self.listed
    }

    pub(super) fn tiles(&self, terms: &Terms, accounts: &[AccountSummary]) -> Markup {
        let missing = accounts.iter().filter(|account| account.error.is_some()).count();
        let old_inactive_keys: usize = accounts.iter().map(|account| account.old_inactive_keys).sum();
        let is_known = accounts.iter().all(|account| account.users_exposed.is_some());
        let exposed = known(self.exposed, missing == 0 && is_known);
        let known = |count| known(count, missing == 0);
        let exempt = if terms.credential_report {
            html! { small { (UNKNOWN) } }
        } else {
            known(self.exempt)
        };
        let plain = |count| html! { (grouped(count)) };
        let style = |number, style| if number > 0 { style } else { "" };
        let total = |name, field, value: &Markup, style| tile(name, Some(field), value, style);
        html! {
            section aria-labelledby="totals" {
                h2 #totals { "In total" }
                dl.tiles {
                    (total("Users non-compliant", "usersNonCompliant", &known(self.non_compliant), style(self.non_compliant, "alert")))
                    (total("Users exposed", "usersExposed", &exposed, style(self.exposed, "alert")))
                    (total("Users exempt", "usersExempt", &exempt, ""))
                    (total("Users with keys due soon", "usersDueSoon", &known(self.due_soon), style(self.due_soon, "warn")))
                    (total("Old inactive keys", "oldInactiveKeys", &known(old_inactive_keys), style(old_inactive_keys, "warn")))
                    (total("Users evaluated", "usersEvaluated", &plain(self.evaluated), ""))
                    (total("Accounts", "accounts", &plain(accounts.len()), ""))
                    (total("Accounts incomplete", "accountsIncomplete", &plain(missing), style(missing, "alert")))
                }
            }
        }
    }
}
