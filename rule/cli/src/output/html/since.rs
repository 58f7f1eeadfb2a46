//! What became of the violations of an earlier scan.

use super::parts::{Theirs, grouped, heads, number, scrolling, tile};
use crate::findings::comparison::{Comparison, Violation};
use maud::{Markup, html};

/// The changes since an earlier scan.
pub(super) fn changes(comparison: &Comparison, is_filtered: bool) -> Markup {
    let Comparison { scanned_at, fixed, exempt, new, open, unknown, new_accounts } = comparison;
    let counts = [("Fixed", fixed), ("Exempt now", exempt), ("New", new), ("Still open", open), ("Unknown", unknown)];
    // The list of users has those that are still open.
    let named = counts.iter().filter(|(what, list)| *what != "Still open" && !list.is_empty());
    html! {
        section aria-labelledby="since" {
            h2 #since { "Since the scan on " (scanned_at.format("%Y-%m-%d at %H:%M")) " UTC" }
            p {
                "Access keys in violation then or now"
                @if is_filtered { ", of all users: the filter leaves out none of them here" }
                "."
            }
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
        table.list.cards {
            thead { tr { (heads(&["Account", "User", "Access key"])) } }
            tbody {
                @for Violation { account, user_name, access_key_id, .. } in list {
                    tr {
                        td { (Theirs(account)) }
                        th scope="row" { bdi { (Theirs(user_name)) } }
                        td { code { (Theirs(access_key_id)) } }
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
