//! `exempt --check`: compares the exemptions of the accounts with the file. Reads only.

use super::{
    compare::{Change, Compared, compare, refused_by_the_rule, shown},
    file::{self, File, UNTIL},
    yaml::Mistake,
};
use crate::{
    args::{connection::Session, targets::Targets},
    command_result::CommandResult,
    output::{destination, visible::on_one_line},
};
use access_key_rotation::aws::iam::Tagged;
use chrono::NaiveDate;
use policy::{parameters::Parameters, text::count};
use std::{collections::BTreeMap, path::Path};

/// Says what differs, what ends within so many days, and what is gone.
///
/// # Errors
/// If the file is wrong, or its accounts are not known.
pub(super) async fn check(
    session: &Session,
    (path, file): (&Path, &File),
    targets: &Targets,
    parameters: &Parameters,
    days: u16,
) -> anyhow::Result<CommandResult> {
    let today = session.now.date_naive();
    let refused = refused_by_the_rule(file, (today, parameters.max_exemption_days), true);
    if !refused.is_empty() {
        return Err(file::refused(path, refused, Vec::new()));
    }
    let accounts = compare(session, (path, file), targets).await?;
    let ending = ending(file, today, days);
    let all = || accounts.values();
    let wrong: Vec<_> = all().flat_map(|account| account.mistakes.clone()).collect();
    let differing: Vec<_> = all().flat_map(|account| account.changes.iter().map(Change::says)).collect();
    let others = without_entry(&accounts);
    let numbers = format!(
        "{}. To write: {}. Ending within {}: {}. Cannot be applied: {}. Users without an entry: {}",
        entries(file),
        differing.len(),
        count(days.into(), "day"),
        ending.len(),
        wrong.len(),
        others.len(),
    );
    let mut found = [wrong, differing, ending].concat();
    found.sort();
    let violations = !found.is_empty() || !others.is_empty();
    let said: Vec<_> = lines(path, &found).into_iter().chain(others).chain([numbers]).collect();
    destination::print(said.join("\n") + "\n").await?;
    Ok(CommandResult { errors: unread(path, &accounts), violations })
}

/// Each entry whose end has passed or is at most so many days away.
fn ending(file: &File, today: NaiveDate, days: u16) -> Vec<Mistake> {
    let ending = file.entries.iter().filter_map(|entry| {
        let end = entry.ends()?;
        let left = (end - today).num_days();
        let when = match left {
            _ if left > days.into() => return None,
            ..0 => format!("ended on {end}"),
            0 => format!("ends today, on {end}"),
            _ => format!("ends on {end}, in {}", count(left.try_into().unwrap_or_default(), "day")),
        };
        Some(entry.mistake(UNTIL, format!("the exemption of {} in account {} {when}", entry.user(), entry.account())))
    });
    ending.collect()
}

/// The number of entries about users.
pub(super) fn entries(file: &File) -> String {
    let entries = file.entries.len();
    let number = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    match file.of_guard_alone {
        0 => number,
        guard => format!("{number} (and {guard} for Guard alone)"),
    }
}

fn lines(path: &Path, mistakes: &[Mistake]) -> Vec<String> {
    mistakes.iter().map(|mistake| format!("{}, {mistake}", path.display())).collect()
}

/// What could not be read.
pub(super) fn unread(path: &Path, accounts: &BTreeMap<String, Compared<'_>>) -> Vec<String> {
    let mut unread: Vec<_> = accounts.values().flat_map(|account| account.unread.clone()).collect();
    unread.sort();
    let elsewhere = accounts.values().flat_map(|account| account.unread_elsewhere.clone());
    lines(path, &unread).into_iter().chain(elsewhere).collect()
}

/// The users who have exemption tags, but no entry.
pub(super) fn without_entry(accounts: &BTreeMap<String, Compared<'_>>) -> Vec<String> {
    let others = accounts.iter().flat_map(|(id, account)| account.others.iter().map(move |user| (id, user)));
    let line = |(id, user): (_, &Tagged)| {
        format!("No entry: {} in account {id} has {}", on_one_line(&user.name), shown(&user.tags))
    };
    others.map(line).collect()
}
