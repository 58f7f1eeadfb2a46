//! One line for each caller of a key, for spreadsheets. A key without a caller has a line too.

use crate::{
    callers::{
        key_history::{Histories, KeyHistory},
        rows::Caller,
    },
    output::csv::{cell, io_error},
};
use chrono::{DateTime, SecondsFormat, Utc};
use std::{
    collections::BTreeSet,
    io::{self, Write},
};

const COLUMNS: [&str; 18] = [
    "account",
    "user",
    "access_key_id",
    "last_used",
    "created_by",
    "source_ip",
    "address_class",
    "user_agent",
    "agent_class",
    "services",
    "regions",
    "first",
    "last",
    "events",
    "errors",
    "regions_not_read",
    "note",
    "replacement",
];

pub(crate) fn write(histories: &Histories, out: &mut dyn Write) -> io::Result<()> {
    let mut writer = csv::WriterBuilder::new().from_writer(out);
    writer.write_record(COLUMNS).map_err(io_error)?;
    for key in &histories.keys {
        let callers: Vec<_> = key.callers.iter().map(Some).collect();
        for caller in if callers.is_empty() { vec![None] } else { callers } {
            writer.write_record(row(key, caller).map(|text| cell(&text))).map_err(io_error)?;
        }
    }
    writer.flush()
}

fn row(key: &KeyHistory, caller: Option<&Caller>) -> [String; 18] {
    let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let text = |of: fn(&Caller) -> String| caller.map(of).unwrap_or_default();
    let list = |of: fn(&Caller) -> &BTreeSet<String>| {
        caller.map(|caller| of(caller).iter().map(String::as_str).collect::<Vec<_>>().join(";")).unwrap_or_default()
    };
    let not_read = key.regions_not_read.iter().map(|region| region.region.as_deref().unwrap_or("others"));
    [
        key.account_id.clone(),
        key.user_name.clone().unwrap_or_default(),
        key.access_key_id.clone(),
        key.last_used.as_ref().and_then(|used| used.date).map(time).unwrap_or_default(),
        key.created_by.clone().unwrap_or_default(),
        text(|caller| caller.source_ip.clone()),
        text(|caller| caller.address_class.to_owned()),
        text(|caller| caller.user_agent.clone()),
        text(|caller| caller.agent_class.to_owned()),
        list(|caller| &caller.services),
        list(|caller| &caller.regions),
        caller.map(|caller| time(caller.first)).unwrap_or_default(),
        caller.map(|caller| time(caller.last)).unwrap_or_default(),
        text(|caller| caller.events.to_string()),
        text(|caller| caller.errors.to_string()),
        not_read.collect::<Vec<_>>().join(";"),
        key.note.clone().unwrap_or_default(),
        key.replacement.clone().unwrap_or_default(),
    ]
}
