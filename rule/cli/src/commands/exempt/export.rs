//! `exempt --export`: writes the file from the exemptions that there are.

use super::{
    file::{ACCOUNT, KEY, OWNER, REASON, TOP, UNTIL, USER},
    yaml::written,
};
use crate::{
    args::{
        connection::Session,
        targets::{Resolved, Targets, tell_left_out},
    },
    command_result::CommandResult,
    findings::exemptions::{Exempted, tagged_users},
    output::{destination, messages::note},
};
use anyhow::bail;
use policy::{
    parameters::Parameters,
    text::{count, visible},
};

/// Writes a file of all valid exemptions, in the order of accounts and users, and names the others in comments.
///
/// # Errors
/// If anything could not be read: `--apply --prune` would end the exemptions that an incomplete file lacks.
pub(super) async fn export(
    session: &Session,
    targets: &Targets,
    parameters: &Parameters,
) -> anyhow::Result<CommandResult> {
    let Resolved { accounts, left_out } = targets.resolve(session).await?;
    tell_left_out(&left_out);
    let day = (session.now.date_naive(), parameters.max_exemption_days);
    let reads = session.read_accounts(accounts, async |id, _| {
        let calls = session.calls_in(&id);
        let account = session.open(&id, &calls).await.map_err(|error| vec![error.to_string()]);
        let users = match &account {
            Ok(account) => tagged_users(account).await.map(|listed| listed.users),
            Err(errors) => Err(errors.clone()),
        };
        users
            .map(|users| users.into_iter().filter_map(|user| Exempted::read(&id, user, day)).collect::<Vec<_>>())
            .map_err(|errors| errors.into_iter().map(|error| format!("account {id}: {error}")).collect::<Vec<_>>())
    });
    let (mut exempted, mut errors) = (Vec::new(), Vec::new());
    for read in reads.await {
        match read {
            Ok(users) => exempted.extend(users),
            Err(unread) => errors.extend(unread),
        }
    }
    if !errors.is_empty() {
        bail!("{}\nNothing was exported: the file would lack exemptions", errors.join("\n"));
    }
    exempted.sort_by(|a, b| (&a.account, &a.user_name).cmp(&(&b.account, &b.user_name)));
    let void = exempted.iter().filter(|user| !user.valid).count();
    destination::print(yaml(&exempted)).await?;
    if void > 0 {
        let left_out = count(void, "user");
        note(&format!("{left_out} with exemption tags that the rule does not accept: see the comments in the file"));
    }
    Ok(CommandResult::default())
}

fn yaml(exempted: &[Exempted]) -> String {
    let (valid, void): (Vec<_>, Vec<_>) = exempted.iter().partition(|user| user.valid);
    let mut text = if valid.is_empty() { format!("{TOP}: []\n") } else { format!("{TOP}:\n") };
    for user in valid {
        let fields = [
            (ACCOUNT, Some(user.account.as_str())),
            (USER, Some(&user.user_name)),
            (KEY, user.key.as_deref()),
            (OWNER, user.owner.as_deref()),
            (REASON, user.reason.as_deref()),
            (UNTIL, user.until.as_deref()),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name, value?.trim())));
        for (n, (name, value)) in fields.filter(|(_, value)| !value.is_empty()).enumerate() {
            text += &format!("  {} {name}: {}\n", if n == 0 { "-" } else { " " }, written(value));
        }
    }
    for user in void {
        let Exempted { account, user_name, state, .. } = user;
        let said = format!("{user_name} in account {account}: {state}");
        text += &format!("# Not exported: {}\n", visible(&said, usize::MAX));
    }
    text
}
