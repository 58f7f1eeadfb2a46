//! Lists exemptions, valid or not.

use crate::{
    args::{
        connection::Session,
        targets::{Resolved, Targets, tell_left_out},
    },
    command_result::CommandResult,
    findings::exemptions::{Exempted, read_exemptions, sort},
    output::{Format, destination},
};
use futures_util::StreamExt;
use policy::parameters::Parameters;
use std::{fmt::Write as _, pin::pin};

pub(super) const FORMATS: &[(Format, &str)] =
    &[(Format::Table, "One line for each user"), (Format::Json, "A JSON list of the same users")];

pub(super) async fn list(
    session: &Session,
    targets: &Targets,
    parameters: &Parameters,
    format: Format,
) -> anyhow::Result<CommandResult> {
    let Resolved { accounts, left_out } = targets.resolve(session).await?;
    tell_left_out(&left_out);
    let reads = session.each_account(accounts, |id, _| async move {
        let read = read(session, &id, parameters).await;
        (id, read)
    });
    let mut reads = pin!(reads);
    let (mut exempted, mut errors) = (Vec::new(), Vec::new());
    while let Some((id, (users, unread))) = reads.next().await {
        exempted.extend(users);
        errors.extend(unread.into_iter().map(|error| format!("account {id}: {error}")));
    }
    sort(&mut exempted);
    // Accounts end in any order.
    errors.sort();
    destination::print(match format {
        Format::Json => serde_json::to_string_pretty(&exempted)? + "\n",
        _ => table(&exempted),
    })
    .await?;
    Ok(CommandResult { errors, violations: false })
}

async fn read(session: &Session, id: &str, parameters: &Parameters) -> (Vec<Exempted>, Vec<String>) {
    let calls = session.calls();
    match session.open(id, &calls).await {
        Ok(account) => read_exemptions(&account, parameters, session.now).await,
        Err(error) => (Vec::new(), vec![error.to_string()]),
    }
}

fn table(exempted: &[Exempted]) -> String {
    let mut rows = vec![["Account", "User", "Until", "Owner", "Key", "State", "Reason"]];
    let text = |value: &Option<String>| value.as_deref().map_or("-", str::trim).to_owned();
    let cells: Vec<_> =
        exempted.iter().map(|user| [&user.until, &user.owner, &user.key, &user.reason].map(text)).collect();
    for (user, [until, owner, key, reason]) in exempted.iter().zip(&cells) {
        rows.push([&user.account, &user.user_name, until, owner, key, &user.state, reason]);
    }
    let mut out = String::new();
    if !exempted.is_empty() {
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..6).map(width).collect();
        for [account, user, until, owner, key, state, reason] in rows {
            let _ = writeln!(
                out,
                "{account:<0$}  {user:<1$}  {until:<2$}  {owner:<3$}  {key:<4$}  {state:<5$}  {reason}",
                widths[0], widths[1], widths[2], widths[3], widths[4], widths[5]
            );
        }
    }
    let valid = exempted.iter().filter(|user| user.valid).count();
    let users = if exempted.len() == 1 { "user" } else { "users" };
    let _ = writeln!(out, "{} {users} with exemption tags, {valid} valid", exempted.len());
    out
}
