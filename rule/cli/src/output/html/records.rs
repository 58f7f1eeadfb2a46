//! The page's list of what the runbooks recorded, for all users. It is short: a record goes with its key.

use super::{
    parts::{Theirs, heads, number, scrolling},
    rotations::style,
};
use crate::findings::{board::Board, scan_result::ScanResult};
use maud::html;
use std::io::{self, Write};

/// Writes the keys that have a record, in the order of their users. Writes nothing if there are none.
pub(super) fn write_records(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let board = Board::of(result);
    let recorded: Vec<_> = result
        .findings
        .iter()
        .flat_map(|finding| finding.access_keys.iter().filter_map(move |key| Some((finding, key, key.record_line()?))))
        .collect();
    if recorded.is_empty() {
        return Ok(());
    }
    let table = html! {
        table.list.cards {
            thead { tr { (heads(&["Account", "User", "Access key", "Status", "Record"])) } }
            tbody {
                @for (finding, key, line) in &recorded {
                    tr {
                        td { (Theirs(&finding.account)) }
                        th scope="row" { bdi { (Theirs(&finding.user_name)) } }
                        td { code { (Theirs(&key.access_key_id)) } }
                        td {
                            (key.status.as_str())
                            @if let Some(place) = board.place(finding, key) {
                                " " span class={ "mark " (style(place)) } { (place.as_str()) }
                            }
                        }
                        td.text { (Theirs(line)) }
                    }
                }
            }
        }
    };
    let section = html! {
        section aria-labelledby="records" {
            h2 #records { "Records of the runbooks" }
            p { "What a runbook did to a key, and what follows from it." }
            details open { summary { (number(recorded.len(), "key")) } (scrolling("Records of the runbooks", &table)) }
        }
    };
    writeln!(out, "{}", section.into_string())
}
