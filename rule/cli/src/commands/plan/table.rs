//! The board, for a terminal.

use super::contents::Plan;
use crate::{
    findings::filtered,
    output::{
        callers,
        columns::{self, left},
        visible::on_one_line,
    },
};
use policy::text::count;
use std::{
    borrow::Cow,
    io::{self, Write},
};

pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let columns = [
        left("Account", 12),
        left("User", 0),
        left("Owner", 0),
        left("Access key", 0),
        left("State", 0),
        left("From", 10),
        left("By itself", 0),
        left("To do", 0),
    ];
    let rows: Vec<_> = plan
        .entries()
        .map(|(finding, key, entry)| {
            let text = |text: &Option<String>| on_one_line(text.as_deref().unwrap_or("-"));
            let owner = on_one_line(finding.owner_or("-", "?"));
            let from = entry.on.map_or("-".to_owned(), |day| day.to_string());
            [
                finding.account.clone(),
                finding.user_name.clone(),
                owner,
                key.access_key_id.clone(),
                entry.place.as_str().to_owned(),
                from,
                text(&entry.next),
                text(&entry.to_do),
            ]
        })
        .collect();
    columns::write(&columns, rows.iter().map(|row| row.each_ref().map(|cell| Cow::from(cell.as_str())).into()), out)?;
    let violations = plan.violations().count();
    writeln!(out, "{}, {} in violation", count(rows.len(), "key"), count(violations, "user"))?;
    let unknown = plan.records_unknown.iter().cloned().chain(filtered::sentences(plan.filtered.as_ref()));
    for sentence in
        unknown.chain(plan.incomplete.iter().map(|account| format!("{account} is incomplete. It may have more keys.")))
    {
        writeln!(out, "{sentence}")?;
    }
    plan.histories.as_ref().map_or(Ok(()), |histories| callers::table::write(histories, out))
}
