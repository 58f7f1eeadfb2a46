//! Lists exemptions, valid or not.

use crate::{
    args::{
        connection::Session,
        targets::{Resolved, Targets, tell_left_out},
    },
    command_result::CommandResult,
    findings::exemptions::{Exempted, read_exemptions, sort},
    output::{
        Format,
        columns::{self, left},
        destination::Output,
    },
};
use policy::parameters::Parameters;
use std::{
    borrow::Cow,
    io::{self, Write},
};

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
    let reads = session.read_accounts(accounts, async |id, _| read(session, &id, parameters).await).await;
    let (users, errors): (Vec<_>, Vec<_>) = reads.into_iter().unzip();
    let (mut exempted, errors) = (users.concat(), errors.concat());
    sort(&mut exempted);
    let write = move |out: &mut dyn Write| match format {
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, &exempted)?;
            writeln!(out)
        }
        _ => table(&exempted, out),
    };
    Output::Standard.write(write).await?;
    Ok(CommandResult { errors, violations: false })
}

async fn read(session: &Session, id: &str, parameters: &Parameters) -> (Vec<Exempted>, Vec<String>) {
    let calls = session.calls_in(id);
    let (users, unread) = match session.open(id, &calls).await {
        Ok(account) => read_exemptions(&account, parameters, session.now).await,
        Err(error) => (Vec::new(), vec![error.to_string()]),
    };
    (users, unread.into_iter().map(|error| format!("account {id}: {error}")).collect())
}

fn text(value: &Option<String>) -> &str {
    value.as_deref().map_or("-", str::trim)
}

fn table(exempted: &[Exempted], out: &mut dyn Write) -> io::Result<()> {
    let columns = ["Account", "User", "Until", "Owner", "Key", "State", "Reason"].map(|head| left(head, 0));
    let rows = exempted.iter().map(|user| {
        let Exempted { account, user_name, until, owner, key, state, reason, .. } = user;
        [account, user_name, text(until), text(owner), text(key), state, text(reason)].map(Cow::from).into()
    });
    columns::write(&columns, rows, out)?;
    let valid = exempted.iter().filter(|user| user.valid).count();
    let users = if exempted.len() == 1 { "user" } else { "users" };
    writeln!(out, "{} {users} with exemption tags, {valid} valid", exempted.len())
}
