//! The page's list of keys that rotate by themselves: where each stands, and what comes next.

use super::parts::{Theirs, heads, number, scrolling};
use crate::findings::{
    board::{Board, Place},
    scan_result::ScanResult,
};
use maud::html;
use std::io::{self, Write};

/// Writes the keys, in the order of their users. Writes nothing if there are none.
pub(super) fn write_rotations(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let rotations = Board::of(result).rotations(&result.findings);
    if rotations.is_empty() {
        return Ok(());
    }
    let table = html! {
        table.list.cards {
            thead { tr { (heads(&["Account", "User", "Access key", "State", "By itself", "From", "To do"])) } }
            tbody {
                @for (finding, key, entry) in &rotations {
                    tr {
                        td { (Theirs(&finding.account)) }
                        th scope="row" { bdi { (Theirs(&finding.user_name)) } }
                        td { code { (Theirs(&key.access_key_id)) } }
                        td { span class={ "mark " (style(entry.place)) } { (entry.place.as_str()) } }
                        td.text { bdi { (Theirs(entry.next.as_deref().unwrap_or("–"))) } }
                        td { @if let Some(day) = entry.on { (day) } @else { "–" } }
                        td.text { bdi { (Theirs(entry.to_do.as_deref().unwrap_or("–"))) } }
                    }
                }
            }
        }
    };
    let section = html! {
        section aria-labelledby="rotations" {
            h2 #rotations { "Rotations" }
            p {
                "Keys of users whose consumers read them from a secret. The runbook runs by itself only where RotationSchedule is set."
            }
            details open { summary { (number(rotations.len(), "key")) } (scrolling("Rotations", &table)) }
        }
    };
    writeln!(out, "{}", section.into_string())
}

/// The CSS class of a mark.
pub(super) fn style(place: Place) -> &'static str {
    match place {
        Place::Exposed | Place::Stale | Place::Blocked => "alert",
        Place::DueSoon | Place::OldInactive | Place::Unknown => "warn",
        Place::Rotating | Place::Settling | Place::Deactivated | Place::Deletable => "",
    }
}
