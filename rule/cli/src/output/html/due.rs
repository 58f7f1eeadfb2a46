//! When keys become stale, if nobody rotates them: what is overdue, and the weeks to come.

use super::parts::{Group, chart, number};
use crate::findings::{
    finding::{Finding, Key, Terms},
    scan_result::ScanResult,
};
use chrono::TimeDelta;
use maud::{Markup, html};
use policy::access_key::KeyStatus;

/// A quarter of a year, so that with the usual limit of 90 days every key has its week.
const WEEKS: usize = 13;

/// Active keys, by the time at which they become stale.
#[derive(Default)]
struct Due {
    in_violation: usize,
    exempt: usize,
    weeks: [usize; WEEKS],
    later: usize,
}

impl Due {
    fn of(result: &ScanResult) -> Due {
        let mut due = Due::default();
        for finding in &result.findings {
            let active = finding.access_keys.iter().filter(|key| key.status == KeyStatus::Active);
            active.for_each(|key| due.add(finding, key, &result.terms));
        }
        due
    }

    fn add(&mut self, finding: &Finding, key: &Key, terms: &Terms) {
        let limit = TimeDelta::days(terms.max_access_key_age.into());
        let count = if finding.violates(key) {
            &mut self.in_violation
        } else if terms.scanned_at - key.create_date > limit {
            &mut self.exempt
        } else {
            let days = ((key.create_date + limit).date_naive() - terms.scanned_at.date_naive()).num_days();
            let week = usize::try_from(days / 7).unwrap_or_default();
            self.weeks.get_mut(week).unwrap_or(&mut self.later)
        };
        *count += 1;
    }
}

pub(super) fn section(result: &ScanResult) -> Markup {
    let terms = &result.terms;
    let due = Due::of(result);
    let today = terms.scanned_at.date_naive();
    let mut overdue = vec![("in violation".to_owned(), due.in_violation)];
    if !terms.credential_report {
        overdue.push(("exempt".to_owned(), due.exempt));
    }
    let from = (0..).step_by(7).map(|days| (today + TimeDelta::days(days)).to_string());
    let mut weeks: Vec<_> = from.zip(due.weeks).collect();
    if due.later > 0 {
        weeks.push(("later".to_owned(), due.later));
    }
    let groups = [
        Group { name: "Overdue", style: "stale", rows: overdue },
        Group { name: "Due in the week from", style: "", rows: weeks },
    ];
    let rotates = result.findings.iter().any(Finding::takes_part);
    html! {
        section aria-labelledby="due" {
            h2 #due { "The next " (WEEKS) " weeks" }
            (chart("When active access keys become stale, if nobody rotates them before", "Due", &groups))
            p.faint {
                "Every active key "
                @if result.filtered.is_some() { "of the users whom the filter shows" } @else { "that the scan read" }
                ", also of compliant users. A key becomes stale after "
                (number(terms.max_access_key_age, "day")) "."
                @if rotates { " Some rotate by themselves: the scan knows that only of users whose tags it read." }
                @if !result.is_complete() { " Keys of users who could not be read are missing." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::html::tests::{finding, page_by, text, violation};

    const DAY: i64 = 86_400;

    fn said(limit: u16, findings: Vec<Finding>, error: Option<&str>) -> String {
        let terms = Terms { max_access_key_age: limit, ..Terms::by_default() };
        let said = text(&page_by(terms, findings, error));
        let (_, said) = said.split_once("Overdue ").unwrap();
        said.split_once(" Every active key").unwrap().0.to_owned()
    }

    #[test]
    fn a_key_is_in_the_week_of_the_day_that_the_annotation_names() {
        let limit = 90 * DAY;
        let noon = |days: i64, more: i64| limit - days * DAY - more;
        // At noon: older by a second, so exempt; then on the same day, on the seventh, on the eighth, on the last, and too far away.
        let seconds =
            [-1, 0, 11 * 3600, 6 * DAY + 11 * 3600, 6 * DAY + 12 * 3600, 90 * DAY, 91 * DAY].map(|s| noon(0, s));
        let mut findings: Vec<_> =
            seconds.iter().enumerate().map(|(n, age)| finding(&format!("u{n}"), &[*age])).collect();
        findings.push(violation("old", 400));
        let weeks = "2026-03-15 0 2026-03-22 0 2026-03-29 0 2026-04-05 0 2026-04-12 0 2026-04-19 0 2026-04-26 0 2026-05-03 0 \
                     2026-05-10 0 2026-05-17 0";
        assert_eq!(
            said(90, findings, None),
            format!(
                "in violation 1 exempt 1 Due in the week from 2026-03-01 3 2026-03-08 1 {weeks} 2026-05-24 1 later 1"
            )
        );
    }

    #[test]
    fn inactive_keys_never_become_stale_and_unread_ones_are_said_to_be_missing() {
        let mut inactive = finding("off", &[80 * DAY]);
        inactive.access_keys[0].status = KeyStatus::Inactive;
        let said = said(365, vec![inactive, finding("far", &[DAY])], Some("denied"));
        assert!(!said.contains(" 1 ") && said.ends_with("later 1"), "{said}");
        let terms = Terms { credential_report: true, ..Terms::by_default() };
        let page = text(&page_by(terms, vec![violation("bot", 91)], Some("denied")));
        assert!(page.contains("Overdue in violation 1 Due in"), "a report knows no exemptions: {page}");
        assert!(page.contains("Keys of users who could not be read are missing."), "{page}");
    }
}
