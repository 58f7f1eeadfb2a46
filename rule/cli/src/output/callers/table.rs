//! Who uses keys, for a terminal.

use super::{advice, cells, creator, last_use, number, remarks, user};
use crate::{
    callers::{
        key_history::{Histories, KeyHistory},
        rows::Caller,
    },
    findings::filtered,
    output::{
        columns::{self, left, right},
        visible::on_one_line,
    },
};
use std::{
    borrow::Cow,
    io::{self, Write},
};

/// How much of an agent to show whose class is unknown.
const AGENT: usize = 60;
/// Sets a key's callers off from the key.
const INDENT: &str = "  ";

pub(crate) fn write(histories: &Histories, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        left("  Address", 0),
        left("Class", 0),
        left("Agent", 0),
        left("Services", 0),
        left("Regions", 0),
        left("First", 10),
        left("Last", 10),
        right("Events", 0),
        right("Errors", 0),
    ];
    for key in &histories.keys {
        let KeyHistory { access_key_id, account_id, .. } = key;
        let head = format!("{access_key_id} of {} in {account_id}: {}{}", user(key), last_use(key), creator(key));
        writeln!(out, "{}", on_one_line(&head))?;
        let rows: Vec<_> = key.callers.iter().map(row).collect();
        columns::write(
            &columns,
            rows.iter().map(|row| row.iter().map(|cell| Cow::from(cell.as_str())).collect()),
            out,
        )?;
        for sentence in remarks(key).into_iter().chain(advice(key)) {
            writeln!(out, "  {}", on_one_line(&sentence))?;
        }
    }
    writeln!(out, "{}", number(&histories.keys))?;
    filtered::sentences(histories.filtered.as_ref()).iter().try_for_each(|sentence| writeln!(out, "{sentence}"))
}

fn row(caller: &Caller) -> [String; 9] {
    let mut cells = cells(caller, AGENT).map(|cell| on_one_line(&cell));
    cells[0].insert_str(0, INDENT);
    cells
}
