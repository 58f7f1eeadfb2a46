//! What a filter of `scan`, `plan` or `where` leaves of a scan. Everything that is then counted is about the users who are left;
//! [`Filtered`] says of how many.

use crate::{
    args::filter::{Filter, Sort, Urgency},
    findings::{
        finding::{Finding, Used},
        scan_result::ScanResult,
    },
    output::visible::on_one_line,
};
use policy::text::count;
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// How many owners to name who are there, if nobody has the one that was asked for.
const MOST_NAMED: usize = 20;

/// That a result is filtered, and of what it is a part.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filtered {
    #[serde(flatten)]
    pub(crate) filter: Filter,
    /// Of all users, as is the next.
    pub(crate) users_evaluated: usize,
    pub(crate) users_non_compliant: usize,
    /// Users who are left out, since what the filter asks could not be read of them.
    pub(crate) users_unknown: usize,
    #[serde(skip)]
    shown: usize,
    #[serde(skip)]
    shown_non_compliant: usize,
    /// Whether a user in violation is shown, or would be without `--top`.
    #[serde(skip)]
    pub(crate) has_violations: bool,
    /// The names of users that nobody evaluated.
    #[serde(skip)]
    unknown_names: Vec<String>,
    /// The owners that nobody has, as far as it is known who has which.
    #[serde(skip)]
    unknown_owners: Vec<String>,
    /// The owners that there are.
    #[serde(skip)]
    owners: BTreeSet<String>,
}

/// Sorts the findings, and keeps those that the filter shows. `is_listed`: whom `--top` counts. `is_wanted`: who would be missing if it is
/// unknown whether the filter shows them.
pub(crate) fn apply(
    filter: &Filter,
    result: &mut ScanResult,
    is_listed: impl Fn(&Finding) -> bool,
    is_wanted: impl Fn(&Finding) -> bool,
) {
    result.sort = filter.sort;
    sort(&mut result.findings, filter.sort);
    if !filter.narrows() {
        return;
    }
    let all = std::mem::take(&mut result.findings);
    let mut filtered = Filtered::of(filter, &all);
    let (mut shown, others): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|finding| filter.shows(finding) == Some(true));
    let is_unknown = |finding: &&Finding| is_wanted(finding) && filter.shows(finding).is_none();
    filtered.users_unknown = others.iter().filter(is_unknown).count();
    filtered.has_violations = shown.iter().any(Finding::is_violation);
    if let Some(top) = filter.top {
        let mut listed = 0;
        shown.retain(|finding| {
            let is_shown = listed < top && is_listed(finding);
            listed += u32::from(is_shown);
            is_shown
        });
    }
    filtered.shown = shown.len();
    filtered.shown_non_compliant = shown.iter().filter(|finding| finding.is_violation()).count();
    let mut of_accounts: BTreeMap<&str, Vec<&Finding>> = BTreeMap::new();
    for finding in &shown {
        of_accounts.entry(&finding.account).or_default().push(finding);
    }
    for account in &mut result.accounts {
        account.narrow(of_accounts.get(account.account.as_str()).map_or(&[][..], Vec::as_slice));
    }
    result.findings = shown;
    result.filtered = Some(filtered);
}

/// They are sorted by priority.
fn sort(findings: &mut [Finding], by: Sort) {
    let latest_use = |finding: &Finding| {
        let used = finding.access_keys.iter().filter_map(|key| key.last_used.as_ref());
        // No use on record is more than no known use.
        Reverse(used.map(|Used { date, .. }| (date.is_some(), *date)).max())
    };
    let owner = |finding: &Finding| {
        let owner = finding.owner.as_ref().map(|owner| owner.to_lowercase());
        (owner.is_none(), owner)
    };
    match by {
        Sort::Priority => {}
        Sort::Age => findings.sort_by_key(|finding| {
            let oldest = finding.access_keys.iter().map(|key| key.create_date).min();
            (oldest.is_none(), oldest)
        }),
        Sort::LastUsed => findings.sort_by_key(latest_use),
        Sort::Owner => findings.sort_by_cached_key(owner),
        Sort::Account => findings.sort_by(|a, b| a.account.cmp(&b.account)),
        Sort::User => findings.sort_by(|a, b| a.user_name.cmp(&b.user_name)),
    }
}

impl Filter {
    /// `None` if that is unknown, since it could not be read.
    fn shows(&self, finding: &Finding) -> Option<bool> {
        let Filter { user, owner, priority, min_age, sort: _, top: _ } = self;
        let is_old = |days: u16| finding.access_keys.iter().any(|key| key.age_days >= days.into());
        if !user.is_empty() && !user.contains(&finding.user_name) || min_age.is_some_and(|days| !is_old(days)) {
            return Some(false);
        }
        let has_owner = if owner.is_empty() {
            Some(true)
        } else {
            of_tags(finding, || owner.iter().any(|owner| is_owner(owner, finding)))
        };
        let has_priority =
            if priority.is_empty() { Some(true) } else { any(priority.iter().map(|urgency| urgency.is_of(finding))) };
        match (has_owner, has_priority) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        }
    }
}

impl Urgency {
    fn is_of(self, finding: &Finding) -> Option<bool> {
        match self {
            Urgency::Exposed => finding.exposed,
            Urgency::Production => of_tags(finding, || finding.production == Some(true)),
            // Who may be in use comes before who is not.
            Urgency::InUse => Some(finding.in_use == Some(true) || finding.in_use.is_none() && finding.is_violation()),
            Urgency::Idle => Some(finding.in_use == Some(false)),
        }
    }
}

/// What tags say. Nobody reads those of a user of whom there is nothing to say.
fn of_tags(finding: &Finding, say: impl FnOnce() -> bool) -> Option<bool> {
    let is_noted = finding.is_violation()
        || finding.is_exposed()
        || finding.exempt == Some(true)
        || finding.due_soon
        || finding.rotation.is_some()
        || !finding.old_inactive_keys.is_empty();
    if finding.tags_are_read() { Some(say()) } else { (!is_noted).then_some(false) }
}

fn is_owner(wanted: &str, finding: &Finding) -> bool {
    match &finding.owner {
        Some(owner) => owner.to_lowercase() == wanted.to_lowercase(),
        None => wanted == "-",
    }
}

/// Whether one is true; `None` if one may be.
fn any(facts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let facts: Vec<_> = facts.collect();
    if facts.contains(&Some(true)) { Some(true) } else { (!facts.contains(&None)).then_some(false) }
}

/// That users are left out, and of how many; nothing if nobody is.
pub(crate) fn sentences(filtered: Option<&Filtered>) -> Vec<String> {
    filtered.map(Filtered::sentences).unwrap_or_default()
}

impl Filtered {
    fn of(filter: &Filter, all: &[Finding]) -> Filtered {
        let is_there = |name: &&String| !all.iter().any(|finding| finding.user_name == **name);
        let has_nobody = |owner: &&String| *owner != "-" && !all.iter().any(|finding| is_owner(owner, finding));
        Filtered {
            filter: filter.clone(),
            users_evaluated: all.len(),
            users_non_compliant: all.iter().filter(|finding| finding.is_violation()).count(),
            users_unknown: 0,
            shown: 0,
            shown_non_compliant: 0,
            has_violations: false,
            unknown_names: filter.user.iter().filter(is_there).cloned().collect(),
            unknown_owners: filter.owner.iter().filter(has_nobody).cloned().collect(),
            owners: all.iter().filter_map(|finding| finding.owner.clone()).collect(),
        }
    }

    /// The filter, of how many users it shows how many, and what is to be said of both.
    fn sentences(&self) -> Vec<String> {
        let Filtered { filter, users_evaluated, users_non_compliant, shown, shown_non_compliant, .. } = self;
        let of = count(*users_evaluated, "user");
        let counts = match shown {
            0 => format!("shows nobody of {of}, of whom {users_non_compliant} are in violation"),
            _ => format!("shows {shown} of {of}, and {shown_non_compliant} of {users_non_compliant} in violation"),
        };
        let owners = self.unknown_owners.iter().map(|owner| {
            let there: Vec<_> = self.owners.iter().take(MOST_NAMED).map(String::as_str).collect();
            let there = match self.owners.len() {
                0 => "none".to_owned(),
                number if number > MOST_NAMED => format!("{}, ...", there.join(", ")),
                _ => there.join(", "),
            };
            format!("--owner {owner}: no user with something to do has this owner. Known owners: {there}")
        });
        let unknown = self.unknown().into_iter();
        [format!("The filter {filter} {counts}")]
            .into_iter()
            .chain(owners)
            .chain(unknown)
            .map(|sentence| format!("{}.", on_one_line(&sentence)))
            .collect()
    }

    fn unknown(&self) -> Option<String> {
        let users = match self.users_unknown {
            0 => return None,
            1 => "1 user is".to_owned(),
            users => format!("{users} users are"),
        };
        Some(format!("{users} left out, since what the filter asks could not be read"))
    }

    /// What is missing.
    pub(crate) fn errors(&self) -> Vec<String> {
        let names = self.unknown_names.iter();
        let names = names.map(|name| on_one_line(&format!("--user {name}: no such user was evaluated")));
        names.chain(self.unknown()).collect()
    }
}

#[cfg(test)]
mod tests;
