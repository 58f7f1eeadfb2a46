//! Who has stale keys to replace, by the owner tag.

use super::parts::{Theirs, count_cell, number, scrolling};
use crate::findings::{
    finding::{Finding, Terms},
    scan_result::ScanResult,
};
use maud::{Markup, html};
use std::{cmp::Reverse, collections::BTreeMap};

/// Whose keys they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner<'a> {
    Named(&'a str),
    /// The tags were read, but name no owner.
    Nobody,
    Unread,
}

/// Keys in violation, by what is known of their use.
#[derive(Clone, Copy, Default)]
pub(super) struct Open {
    users: usize,
    pub(super) in_use: usize,
    pub(super) idle: usize,
    pub(super) unknown: usize,
    /// Days.
    pub(super) oldest: i64,
}

impl Open {
    pub(super) fn add(&mut self, finding: &Finding, terms: &Terms) {
        self.users += 1;
        for key in finding.access_keys.iter().filter(|key| finding.violates(key)) {
            match key.is_in_use(terms.quiet_days, terms.scanned_at) {
                Some(true) => self.in_use += 1,
                Some(false) => self.idle += 1,
                None => self.unknown += 1,
            }
            self.oldest = self.oldest.max(key.age_days);
        }
    }
}

/// Empty if nobody is in violation, or if no owner can be known.
pub(super) fn section(result: &ScanResult) -> Markup {
    let mut owners = BTreeMap::<_, Open>::new();
    for finding in result.findings.iter().filter(|finding| finding.is_violation()) {
        let owner = match &finding.owner {
            Some(owner) => Owner::Named(owner),
            None if finding.tags_are_read() => Owner::Nobody,
            None => Owner::Unread,
        };
        owners.entry(owner).or_default().add(finding, &result.terms);
    }
    let mut owners: Vec<_> = owners.into_iter().collect();
    owners.sort_by_key(|(_, open)| Reverse((open.in_use, open.unknown, open.idle, open.oldest)));
    html! {
        @if !owners.is_empty() && !result.terms.credential_report {
            section aria-labelledby="owners" {
                h2 #owners { "Owners" }
                details open {
                    summary { (number(owners.len(), "owner")) " of stale keys, the most keys in use first" }
                    (scrolling("Owners", &table(&owners)))
                }
            }
        }
    }
}

fn table(owners: &[(Owner<'_>, Open)]) -> Markup {
    html! {
        table.numbers {
            thead {
                tr {
                    th scope="col" { "Owner" }
                    @for name in ["Users", "Keys in use", "Idle keys", "Use not read", "Oldest"] { th.number scope="col" { (name) } }
                }
            }
            tbody {
                @for (owner, open) in owners {
                    tr {
                        th scope="row" {
                            @match owner {
                                Owner::Named(name) => bdi { (Theirs(name)) },
                                Owner::Nobody => span.faint { "no owner tag" },
                                Owner::Unread => span.faint { "tags not read" },
                            }
                        }
                        @for count in [open.users, open.in_use, open.idle, open.unknown] { (count_cell(count)) }
                        td.number { (number(open.oldest, "day")) }
                    }
                    "\n"
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::finding::Used,
        output::html::tests::{finding, page, page_by, text, violation},
    };
    use chrono::TimeDelta;

    #[test]
    fn owners_with_keys_in_use_come_first_and_unread_tags_are_not_a_missing_owner() {
        let owned = |name: &str, owner: Option<&str>, age: i64, days: i64| -> Finding {
            let mut finding = violation(name, age);
            let date = Some(Terms::by_default().scanned_at - TimeDelta::days(days));
            finding.access_keys[0].last_used = Some(Used { date, region: String::new(), service_name: String::new() });
            Finding { owner: owner.map(str::to_owned), production: Some(false), ..finding }
        };
        let findings = vec![
            owned("a", Some("web"), 91, 60),
            owned("b", Some("web"), 400, 60),
            owned("c", Some("data"), 100, 1),
            owned("d", None, 95, 60),
            violation("e", 700),
            Finding { owner: Some("calm".to_owned()), ..finding("young", &[86_400]) },
        ];
        let said = text(&page(findings));
        let rows = "4 owners of stale keys, the most keys in use first Owner Users Keys in use Idle keys Use not read Oldest \
                    data 1 1 0 0 100 days tags not read 1 0 0 1 700 days web 2 0 2 0 400 days no owner tag 1 0 1 0 95 days";
        assert!(said.contains(rows), "{said}");
        assert!(!text(&page(vec![finding("young", &[86_400])])).contains("Owners"));
        let report = Terms { credential_report: true, ..Terms::by_default() };
        assert!(!text(&page_by(report, vec![violation("bot", 91)], None)).contains("Owners"), "a report has no tags");
    }
}
