//! The accounts that a command works on.

use crate::{
    args::connection::{Session, account_id},
    output::messages::note,
};
use access_key_rotation::aws::{
    client::Failure,
    organization::{Member, list_accounts},
};
use anyhow::{anyhow, bail};
use serde::Serialize;
use std::collections::BTreeMap;

/// The current account by default.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct Targets {
    /// Work on these accounts instead of the current one
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, conflicts_with = "organization")]
    pub(crate) account: Vec<String>,
    /// Work on every account of your organization. Run this in the management account or a delegated administrator account
    #[arg(long)]
    pub(crate) organization: bool,
    /// Leave out these accounts of the organization
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, requires = "organization", conflicts_with = "account")]
    pub(crate) exclude: Vec<String>,
}

/// The accounts that a command works on, and those of the organization that it leaves out.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    /// The account ids without duplicates, with the accounts' names if AWS Organizations lists them.
    pub(crate) accounts: BTreeMap<String, Option<String>>,
    pub(crate) left_out: Vec<LeftOut>,
}

/// An account of the organization that a command leaves out.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LeftOut {
    pub(crate) account: String,
    pub(crate) name: Option<String>,
    pub(crate) why: &'static str,
}

/// How many accounts are left out, which, and why. `None` if there are none.
pub(crate) fn left_out_line(left_out: &[LeftOut]) -> Option<String> {
    let named = left_out.iter().map(|LeftOut { account, name, why }| {
        let name = name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
        format!("{account}{name} {why}")
    });
    let named: Vec<_> = named.collect();
    let accounts = if named.len() == 1 { "account" } else { "accounts" };
    (!named.is_empty()).then(|| format!("{} {accounts} left out: {}", named.len(), named.join(", ")))
}

/// Says on standard error which accounts are left out, for an output that has no place for it.
pub(crate) fn tell_left_out(left_out: &[LeftOut]) {
    if let Some(line) = left_out_line(left_out) {
        note(&line);
    }
}

impl Targets {
    /// Asks AWS Organizations for its accounts if they are all meant.
    ///
    /// # Errors
    /// If AWS Organizations does not list all accounts. A silently missing account would look like one without findings.
    pub(crate) async fn resolve(&self, session: &Session) -> anyhow::Result<Resolved> {
        if !self.organization {
            let ids = if self.account.is_empty() { vec![session.home.account.clone()] } else { self.account.clone() };
            return Ok(Resolved { accounts: ids.into_iter().map(|id| (id, None)).collect(), left_out: Vec::new() });
        }
        let accounts = organization(session).await?;
        if let Some(id) = self.exclude.iter().find(|id| !accounts.contains_key(*id)) {
            bail!("--exclude {id}: not an account of the organization");
        }
        let mut resolved = Resolved::default();
        for (id, Member { name, not_open }) in accounts {
            match self.exclude.contains(&id).then_some("excluded").or(not_open) {
                Some(why) => resolved.left_out.push(LeftOut { account: id, name, why }),
                None => _ = resolved.accounts.insert(id, name),
            }
        }
        if resolved.accounts.is_empty() { bail!("--exclude leaves no accounts") } else { Ok(resolved) }
    }
}

async fn organization(session: &Session) -> anyhow::Result<BTreeMap<String, Member>> {
    list_accounts(&session.config, &session.home.account, &session.calls(), session.until).await.map_err(|error| {
        let remedy = match error.kind {
            Failure::Denied => {
                ". Run this in the management account or a delegated administrator account, or name accounts with --account"
            }
            _ => "",
        };
        anyhow!("{error}{remedy}")
    })
}
