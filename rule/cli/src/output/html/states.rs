//! How many keys are in which state of a rotation or of the way out, as the runbooks' records have it.

use super::{
    parts::{known, scrolling},
    rotations::style,
};
use crate::findings::{
    board::{Board, Place},
    finding::AccountSummary,
    scan_result::ScanResult,
};
use maud::{Markup, html};

/// What needs a person first, then in the order of a rotation.
const MEANINGS: [(Place, &str); 6] = [
    (Place::Blocked, "It cannot go on before a person does something."),
    (Place::Unknown, "The records do not say where it stands. Look at them."),
    (Place::Rotating, "A new key is made, or goes into the secret."),
    (Place::Settling, "The secret has a new key. The old one stays on until nobody uses it."),
    (Place::Deactivated, "A runbook switched it off. You can reactivate it."),
    (Place::Deletable, "A runbook switched it off, and may delete it now."),
];

/// A state, the style of its mark, how many keys are in it, and what it means.
type State = (&'static str, &'static str, usize, &'static str);

/// Empty if no key is in such a state.
pub(super) fn section(result: &ScanResult) -> Markup {
    let states = states(result);
    let is_known = |account: &AccountSummary| {
        account.error.is_none() && account.records_error.is_none() && account.rotations_error.is_none()
    };
    let complete = result.accounts.iter().all(is_known);
    let table = html! {
        table {
            thead { tr { th scope="col" { "State" } th.number scope="col" { "Access keys" } th scope="col" { "Meaning" } } }
            tbody {
                @for (name, style, count, meaning) in &states {
                    tr {
                        th scope="row" { span class={ "mark " (style) } { (name) } }
                        td.number { (known(*count, complete)) }
                        td { (meaning) }
                    }
                }
            }
        }
    };
    html! {
        @if !states.is_empty() {
            section aria-labelledby="states" {
                h2 #states { "States of rotation" }
                (scrolling("States of rotation", &table))
            }
        }
    }
}

/// Those that a key is in.
fn states(result: &ScanResult) -> Vec<State> {
    let board = Board::of(result);
    let mut counts = [0; MEANINGS.len()];
    let mut waiting = 0;
    for (finding, _, entry) in board.all(result.findings.iter()) {
        if let Some(place) = MEANINGS.iter().position(|(place, _)| *place == entry.place) {
            counts[place] += 1;
        } else if finding.rotates_into.is_some() && matches!(entry.place, Place::Stale | Place::DueSoon) {
            waiting += 1;
        }
    }
    let states = MEANINGS.iter().zip(counts);
    let states = states.map(|((place, meaning), count)| (place.as_str(), style(*place), count, *meaning));
    let waiting = ("waiting", "", waiting, "It is stale or due soon, and rotates by itself into a secret.");
    states.chain([waiting]).filter(|(_, _, count, _)| *count > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        findings::{
            finding::{Finding, Terms},
            rotation::{Rotation, Stage},
            scan_result::AccountScan,
        },
        output::html::tests::{page_of, text, violation},
    };
    use policy::access_key::KeyState;

    fn said(findings: Vec<Finding>, rotations_error: Option<&str>) -> String {
        let mut result = ScanResult::new(Terms::by_default(), None);
        let records_errors = [None, rotations_error.map(str::to_owned)];
        let account = "111122223333".to_owned();
        result.add(AccountScan { account, findings, records_errors, ..AccountScan::default() });
        text(&page_of(result.finish()))
    }

    #[test]
    fn keys_are_counted_by_state_and_unread_records_make_that_a_lower_bound() {
        let stale = |name: &str| {
            let mut finding = violation(name, 91);
            finding.access_keys[0].state = KeyState::Violation;
            finding
        };
        let blocked = |name: &str| {
            let rotation = Rotation {
                state: Stage::Blocked,
                changed: Some(Terms::by_default().scanned_at),
                execution: None,
                secret: None,
                new_key: None,
                reason: None,
            };
            Finding { rotation: Some(rotation), ..stale(name) }
        };
        let findings = || {
            let waits =
                Finding { rotates_into: Some("prod/mail".to_owned()), production: Some(false), ..stale("waits") };
            vec![stale("bot"), blocked("a"), blocked("b"), waits]
        };
        let read = said(findings(), None);
        assert!(read.contains("State Access keys Meaning blocked 2 It cannot go on"), "{read}");
        assert!(read.contains("waiting 1 It is stale or due soon, and rotates by itself"), "{read}");
        let unread = said(findings(), Some("denied"));
        assert!(unread.contains("blocked at least 2 "), "{unread}");
        assert!(!said(vec![stale("bot")], None).contains("States of rotation"));
    }
}
