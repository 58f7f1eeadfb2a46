//! The page's numbers, counted before the first line is written.

use super::{
    chart::{Group, chart},
    known,
    text::{UNKNOWN, grouped, number},
    tile,
};
use crate::findings::finding::{AccountSummary, Finding, Terms};
use chrono::TimeDelta;
use maud::{Markup, html};
use policy::{access_key::KeyStatus, assessment::Compliance};
use std::collections::BTreeMap;

/// The state of a user on the page's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    NonCompliant,
    Exempt,
    /// Compliant, with a key due soon.
    DueSoon,
}

impl State {
    /// `None` if the page does not list the user.
    pub(super) fn of(finding: &Finding) -> Option<State> {
        match (finding.is_violation(), finding.exempt == Some(true)) {
            (true, _) => Some(State::NonCompliant),
            (_, true) => Some(State::Exempt),
            _ => finding.due_soon.then_some(State::DueSoon),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            State::NonCompliant => "non-compliant",
            State::Exempt => "exempt",
            State::DueSoon => "due soon",
        }
    }

    /// The CSS class of its mark.
    pub(super) fn style(self) -> &'static str {
        match self {
            State::NonCompliant => "alert",
            State::Exempt => "",
            State::DueSoon => "warn",
        }
    }
}

/// The counts.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) non_compliant: usize,
    exempt: usize,
    due_soon: usize,
    /// Compliant users who are not listed.
    pub(super) compliant: usize,
    /// Active keys by the number of [`edges`] that they are older than.
    ages: BTreeMap<usize, usize>,
    /// Active keys by the week in which they fall due.
    due: BTreeMap<i64, usize>,
}

impl Totals {
    pub(super) fn add(&mut self, finding: &Finding, terms: &Terms) {
        match State::of(finding) {
            Some(State::NonCompliant) => self.non_compliant += 1,
            Some(State::Exempt) => self.exempt += 1,
            Some(State::DueSoon) => self.due_soon += 1,
            None => self.compliant += usize::from(finding.compliance == Compliance::Compliant),
        }
        let edges = edges(terms);
        for key in finding.access_keys.iter().filter(|key| key.status == KeyStatus::Active) {
            let is_older = |days: &i64| terms.scanned_at - key.create_date > TimeDelta::days(*days);
            *self.ages.entry(edges.iter().filter(|days| is_older(days)).count()).or_default() += 1;
            let limit = i64::from(terms.max_access_key_age);
            if is_older(&(limit - i64::from(terms.warn_before_days))) && !is_older(&limit) {
                let due = terms.scanned_at + (TimeDelta::days(limit) - (terms.scanned_at - key.create_date));
                let days = (due.date_naive() - terms.scanned_at.date_naive()).num_days();
                *self.due.entry((days / 7).min(weeks(terms) - 1)).or_default() += 1;
            }
        }
    }

    /// How many users are listed.
    pub(super) fn listed(&self) -> usize {
        self.non_compliant + self.exempt + self.due_soon
    }

    pub(super) fn tiles(&self, terms: &Terms, accounts: &[AccountSummary]) -> Markup {
        let missing = accounts.iter().filter(|account| account.error.is_some()).count();
        let old_inactive_keys: usize = accounts.iter().map(|account| account.old_inactive_keys).sum();
        let known = |count| known(count, missing == 0);
        let exempt = if terms.credential_report {
            html! { small { (UNKNOWN) } }
        } else {
            known(self.exempt)
        };
        let plain = |count| html! { (grouped(count)) };
        let style = |number, style| if number > 0 { style } else { "" };
        html! {
            section aria-labelledby="totals" {
                h2 #totals { "In total" }
                dl.tiles {
                    (tile("Users non-compliant", &known(self.non_compliant), style(self.non_compliant, "alert")))
                    (tile("Users exempt", &exempt, ""))
                    (tile("Users with keys due soon", &known(self.due_soon), style(self.due_soon, "warn")))
                    (tile("Old inactive keys", &known(old_inactive_keys), style(old_inactive_keys, "warn")))
                    (tile("Users evaluated", &plain(self.listed() + self.compliant), ""))
                    (tile("Accounts", &plain(accounts.len()), ""))
                    (tile("Accounts incomplete", &plain(missing), style(missing, "alert")))
                }
            }
        }
    }

    pub(super) fn ages(&self, terms: &Terms) -> Markup {
        let limit = i64::from(terms.max_access_key_age);
        let edges = edges(terms);
        let (young, stale): (Vec<_>, Vec<_>) =
            (0..=edges.len()).partition(|bucket| edges.get(*bucket).is_some_and(|edge| *edge <= limit));
        let rows = |buckets: Vec<usize>| -> Vec<_> {
            let count = |bucket| self.ages.get(&bucket).copied().unwrap_or_default();
            buckets.into_iter().map(|bucket| (bucket_name(&edges, bucket), count(bucket))).collect()
        };
        let name = format!("Stale: older than {}", number(limit, "day"));
        let groups = [
            Group { name: &name, style: "stale", rows: rows(stale) },
            Group { name: "Not stale", style: "", rows: rows(young) },
        ];
        html! {
            section aria-labelledby="ages" {
                h2 #ages { "Age of active access keys" }
                (chart("Active access keys that were read, by age in days", "Age", &groups))
            }
        }
    }

    /// Empty if there is no warning period.
    pub(super) fn due(&self, terms: &Terms) -> Markup {
        let today = terms.scanned_at.date_naive();
        let last = weeks(terms) - 1;
        let row = |week: i64| {
            let end = if week == last { terms.warn_before_days.into() } else { 7 * week + 6 };
            let name = format!("{} to {}", today + TimeDelta::days(7 * week), today + TimeDelta::days(end));
            (name, self.due.get(&week).copied().unwrap_or_default())
        };
        let groups = [Group { name: "", style: "warn", rows: (0..=last).map(row).collect() }];
        html! {
            @if terms.warn_before_days > 0 {
                section aria-labelledby="due" {
                    h2 #due { "Falling due" }
                    (chart("Active access keys that reach the limit, by week", "Week", &groups))
                }
            }
        }
    }
}

/// In days. The limit is one of them, so that each range is either stale or not.
fn edges(terms: &Terms) -> Vec<i64> {
    let mut edges = vec![30, 60, 90, 180, 365, 730, i64::from(terms.max_access_key_age)];
    edges.sort_unstable();
    edges.dedup();
    edges
}

fn bucket_name(edges: &[i64], bucket: usize) -> String {
    match (bucket.checked_sub(1).and_then(|before| edges.get(before)), edges.get(bucket)) {
        (Some(from), Some(to)) => format!("over {from} to {to}"),
        (Some(from), None) => format!("over {from}"),
        (None, to) => format!("up to {}", to.copied().unwrap_or_default()),
    }
}

/// The number of weeks in the warning period. The last week may have an extra day.
fn weeks(terms: &Terms) -> i64 {
    i64::from(terms.warn_before_days.div_ceil(7)).max(1)
}
