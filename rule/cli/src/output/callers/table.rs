//! Who uses keys, for a terminal.

use super::{advice, agent, errors, last_use, number, remarks, some, user};
use crate::{
    callers::{key_history::Histories, rows::Caller},
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
        let creator = key.created_by.as_ref().map(|creator| format!(", created by {creator}")).unwrap_or_default();
        let head = format!("{} of {} in {}: {}{creator}", key.access_key_id, user(key), key.account_id, last_use(key));
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
    writeln!(out, "{}", number(&histories.keys))
}

fn row(caller: &Caller) -> [String; 9] {
    let cells = [
        format!("  {}", caller.source_ip),
        caller.address_class.to_owned(),
        agent(caller, AGENT),
        some(caller.services.iter()),
        some(caller.regions.iter()),
        caller.first.date_naive().to_string(),
        caller.last.date_naive().to_string(),
        caller.events.to_string(),
        errors(caller),
    ];
    cells.map(|cell| on_one_line(&cell))
}
