//! How old the active keys are, and which of the stale ones are in use.

use super::parts::{Group, chart, count_cell, number, scrolling};
use crate::findings::{
    finding::{Key, Terms},
    scan_result::ScanResult,
};
use chrono::TimeDelta;
use maud::{Markup, html};
use policy::access_key::KeyStatus;
use std::collections::BTreeMap;

/// What is known of a key's use.
const USES: [&str; 4] = ["In use", "Idle", "No use on record", "Not read"];

/// Counts by the number of [`edges`] that keys are older than.
#[derive(Default)]
struct Ages {
    active: BTreeMap<usize, usize>,
    /// Of stale keys, by [`USES`].
    uses: BTreeMap<usize, [usize; USES.len()]>,
}

impl Ages {
    fn of(result: &ScanResult, edges: &[i64]) -> Ages {
        let terms = &result.terms;
        let limit = TimeDelta::days(terms.max_access_key_age.into());
        let mut ages = Ages::default();
        let keys = result.findings.iter().flat_map(|finding| &finding.access_keys);
        for key in keys.filter(|key| key.status == KeyStatus::Active) {
            let age = terms.scanned_at - key.create_date;
            let bucket = edges.iter().filter(|days| age > TimeDelta::days(**days)).count();
            *ages.active.entry(bucket).or_default() += 1;
            if age > limit {
                ages.uses.entry(bucket).or_default()[place(key, terms)] += 1;
            }
        }
        ages
    }
}

/// Where a key's use is among [`USES`].
fn place(key: &Key, terms: &Terms) -> usize {
    let has_use = key.last_used.as_ref().is_some_and(|used| used.date.is_some());
    match key.is_in_use(terms.quiet_days, terms.scanned_at) {
        Some(true) => 0,
        Some(false) if has_use => 1,
        Some(false) => 2,
        None => 3,
    }
}

/// The ages of all keys, and of the stale ones by their use.
pub(super) fn sections(result: &ScanResult) -> Markup {
    let terms = &result.terms;
    let limit = i64::from(terms.max_access_key_age);
    let edges = edges(terms);
    let ages = Ages::of(result, &edges);
    let (young, stale): (Vec<_>, Vec<_>) =
        (0..=edges.len()).partition(|bucket| edges.get(*bucket).is_some_and(|edge| *edge <= limit));
    let rows = |buckets: &[usize]| -> Vec<_> {
        let count = |bucket| ages.active.get(bucket).copied().unwrap_or_default();
        buckets.iter().map(|bucket| (bucket_name(&edges, *bucket), count(bucket))).collect()
    };
    let name = format!("Stale: older than {}", number(limit, "day"));
    let groups = [
        Group { name: &name, style: "stale", rows: rows(&stale) },
        Group { name: "Not stale", style: "", rows: rows(&young) },
    ];
    html! {
        section aria-labelledby="ages" {
            h2 #ages { "Age of active access keys" }
            (chart("Active access keys that were read, by age in days", "Age", &groups))
        }
        @if !ages.uses.is_empty() {
            section aria-labelledby="uses" {
                h2 #uses { "Use of stale keys" }
                (scrolling("Use of stale keys", &by_use(&ages, &edges, &stale, terms)))
            }
        }
    }
}

fn by_use(ages: &Ages, edges: &[i64], stale: &[usize], terms: &Terms) -> Markup {
    let row = |bucket: &usize| ages.uses.get(bucket).copied().unwrap_or_default();
    let sums: [usize; USES.len()] = std::array::from_fn(|place| stale.iter().map(|bucket| row(bucket)[place]).sum());
    let cells = |counts: [usize; USES.len()]| html! { @for count in counts { (count_cell(count)) } };
    html! {
        table {
            caption {
                "Stale keys, exempt ones too, by age in days. In use: within " (number(terms.quiet_days, "day")) " before the scan"
            }
            thead { tr { th scope="col" { "Age" } @for name in USES { th.number scope="col" { (name) } } } }
            tbody {
                @for bucket in stale { tr { th scope="row" { (bucket_name(edges, *bucket)) } (cells(row(bucket))) } }
                tr.total { th scope="row" { "all" } (cells(sums)) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::finding::{Finding, Used},
        output::html::tests::{finding, page, page_by, text, violation},
    };

    #[test]
    fn ages_are_counted_as_the_verdict_counts_them() {
        const DAY: i64 = 86_400;
        let mut inactive = finding("inactive", &[200 * DAY]);
        inactive.access_keys[0].status = KeyStatus::Inactive;
        let ages = |limit: u16, seconds: &[i64]| {
            let terms = Terms { max_access_key_age: limit, ..Terms::by_default() };
            text(&page_by(terms, vec![finding("bot", seconds), inactive.clone()], None))
        };
        let said = ages(90, &[90 * DAY, 90 * DAY + 1]);
        assert!(
            said.contains("Stale: older than 90 days over 90 to 180 1 over 180 to 365 0 over 365 to 730 0 over 730 0")
        );
        assert!(said.contains("Not stale up to 30 0 over 30 to 60 0 over 60 to 90 1"), "{said}");
        let said = ages(100, &[100 * DAY, 100 * DAY + 1]);
        assert!(said.contains("Stale: older than 100 days over 100 to 180 1 "), "{said}");
        assert!(said.contains("over 60 to 90 0 over 90 to 100 1 "), "{said}");
        let said = ages(1, &[-5, DAY + 1]);
        assert!(said.contains("over 1 to 30 1 ") && said.contains("Not stale up to 1 1 "), "{said}");
        let said = ages(3650, &[731 * DAY, 3651 * DAY]);
        assert!(said.contains("older than 3,650 days over 3650 1 ") && said.contains("over 730 to 3650 1 "), "{said}");
    }

    #[test]
    fn a_stale_key_whose_use_was_not_read_is_neither_in_use_nor_idle() {
        let used = |name: &str, age: i64, used: Option<Option<i64>>| -> Finding {
            let mut finding = violation(name, age);
            let date = |days| Terms::by_default().scanned_at - TimeDelta::days(days);
            finding.access_keys[0].last_used =
                used.map(|days| Used { date: days.map(date), region: String::new(), service_name: String::new() });
            finding
        };
        let findings = vec![
            used("in-use", 91, Some(Some(44))),
            used("idle", 91, Some(Some(46))),
            used("idle-too", 800, Some(Some(46))),
            used("never", 400, Some(None)),
            used("unread", 200, None),
            finding("young", &[86_400]),
        ];
        let said = text(&page(findings));
        let (_, said) = said.split_once("Age In use Idle No use on record Not read ").unwrap();
        let rows =
            "over 90 to 180 1 1 0 0 over 180 to 365 0 0 0 1 over 365 to 730 0 0 1 0 over 730 0 1 0 0 all 1 2 1 1";
        assert!(said.starts_with(rows), "{said}");
        assert!(!text(&page(vec![finding("young", &[86_400])])).contains("Use of stale keys"));
    }
}
