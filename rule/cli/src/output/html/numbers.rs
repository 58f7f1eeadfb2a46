//! The page's numbers: in total, since an earlier scan, and by account. They are counted before the first line is written.

use super::parts::{Group, Theirs, UNKNOWN, chart, grouped, heads, known, number, scrolling, tile};
use crate::findings::{
    comparison::{Comparison, Violation},
    finding::{AccountSummary, Covered, Finding, Terms},
};
use access_key_rotation::coverage::account::State;
use chrono::TimeDelta;
use maud::{Markup, html};
use policy::{access_key::KeyStatus, verdict::Compliance};
use std::collections::BTreeMap;

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
    /// Active keys by the number of [`edges`] that they are older than.
    ages: BTreeMap<usize, usize>,
    /// Active keys by the week in which they fall due.
    due: BTreeMap<i64, usize>,
}

impl Totals {
    pub(super) fn add(&mut self, finding: &Finding, terms: &Terms) {
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

/// The changes since an earlier scan.
pub(super) fn changes(comparison: &Comparison) -> Markup {
    let Comparison { scanned_at, fixed, exempt, new, open, unknown, new_accounts } = comparison;
    let counts = [("Fixed", fixed), ("Exempt now", exempt), ("New", new), ("Still open", open), ("Unknown", unknown)];
    // The list of users has those that are still open.
    let named = counts.iter().filter(|(what, list)| *what != "Still open" && !list.is_empty());
    html! {
        section aria-labelledby="since" {
            h2 #since { "Since the scan on " (scanned_at.format("%Y-%m-%d at %H:%M")) " UTC" }
            p { "Access keys in violation then or now." }
            dl.tiles { @for (what, list) in counts { (tile(what, None, &html! { (grouped(list.len())) }, "")) } }
            @if !unknown.is_empty() { p { "Unknown: in violation then, but not evaluated now." } }
            @if !new_accounts.is_empty() {
                p {
                    "The earlier scan did not cover these accounts completely, so new violations there may be old: "
                    (Theirs(&new_accounts.join(", "))) "."
                }
            }
            @for (what, list) in named { (violations(what, list)) }
        }
    }
}

fn violations(what: &str, list: &[Violation]) -> Markup {
    let table = html! {
        table {
            thead { tr { (heads(&["Account", "User", "Access key"])) } }
            tbody {
                @for Violation { account, user_name, access_key_id, .. } in list {
                    tr {
                        td { (Theirs(account)) }
                        th scope="row" { bdi { (Theirs(user_name)) } }
                        td.id { (Theirs(access_key_id)) }
                    }
                    "\n"
                }
            }
        }
    };
    html! {
        details open {
            summary { (what) ": " (number(list.len(), "access key")) }
            (scrolling(&format!("Access keys: {}", what.to_lowercase()), &table))
        }
    }
}

/// The table of accounts.
pub(super) fn accounts(accounts: &[AccountSummary]) -> Markup {
    let with_coverage = accounts.iter().any(|account| account.coverage.is_some());
    let table = html! {
        table {
            thead {
                tr {
                    (heads(&["Account", "Name"]))
                    th.number scope="col" { "Evaluated" }
                    th.number scope="col" { "Non-compliant" }
                    th.number scope="col" { "Exempt" }
                    th.number scope="col" { "Old inactive keys" }
                    th scope="col" { "State" }
                    @if with_coverage { th scope="col" { "Evaluated by AWS Config" } }
                }
            }
            tbody { @for summary in accounts { (account(summary, with_coverage)) "\n" } }
        }
    };
    html! {
        section aria-labelledby="accounts" {
            h2 #accounts { "Accounts" }
            details open { summary { (number(accounts.len(), "account")) } (scrolling("Accounts", &table)) }
        }
    }
}

fn account(summary: &AccountSummary, with_coverage: bool) -> Markup {
    let AccountSummary { account, name, users_evaluated, users_non_compliant, users_exempt, error, coverage, .. } =
        summary;
    let complete = error.is_none();
    html! {
        tr {
            th scope="row" { (Theirs(account)) }
            td { bdi { (Theirs(name.as_deref().unwrap_or("–"))) } }
            td.number { (grouped(users_evaluated)) }
            td.number { (known(*users_non_compliant, complete)) }
            td.number {
                @match users_exempt {
                    Some(exempt) => (known(*exempt, complete)),
                    None => (UNKNOWN),
                }
            }
            td.number { (known(summary.old_inactive_keys, complete)) }
            td { @if complete { "complete" } @else { span.mark.alert { "incomplete" } } }
            @if with_coverage { td.why { (coverage.as_ref().map_or_else(|| html! { (UNKNOWN) }, covered)) } }
        }
    }
}

/// When AWS Config last evaluated the rule, or why the account is not covered.
fn covered(coverage: &Covered) -> Markup {
    html! {
        @if coverage.state == State::Evaluated {
            @match coverage.last_evaluated {
                Some(at) => (at.format("%Y-%m-%d at %H:%M")),
                None => "not yet, since the rule is new",
            }
        } @else {
            span.mark.alert { (coverage.state.name()) }
            " " bdi { (Theirs(coverage.why.as_deref().unwrap_or_default())) }
        }
    }
}
