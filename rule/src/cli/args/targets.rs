//! Which accounts a command is about.

use crate::args::connection::{Session, account_id};
use access_key_rotation::aws::{
    calls::Failure,
    organization::{Member, list_accounts},
};
use anyhow::{anyhow, bail};
use std::collections::BTreeMap;

/// The current account, unless it is said otherwise.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct Targets {
    /// These accounts instead of the current one
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, conflicts_with = "organization")]
    account: Vec<String>,
    /// Every account of the organization; for the management account or a delegated administrator
    #[arg(long)]
    organization: bool,
    /// But not these
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, requires = "organization")]
    exclude: Vec<String>,
}

impl Targets {
    /// The accounts' ids, each once, with the names that AWS Organizations has for them, if it was asked.
    ///
    /// # Errors
    /// Why the organization's accounts are not known: one that is missing unseen would pass for one without findings.
    pub(crate) async fn resolve(&self, session: &Session) -> anyhow::Result<BTreeMap<String, Option<String>>> {
        if !self.organization {
            let ids = if self.account.is_empty() { vec![session.home.account.clone()] } else { self.account.clone() };
            return Ok(ids.into_iter().map(|id| (id, None)).collect());
        }
        let mut accounts = organization(session).await?;
        if let Some(id) = self.exclude.iter().find(|id| !accounts.contains_key(*id)) {
            bail!("--exclude {id}: no account of the organization");
        }
        // Nobody can enter closed and suspended accounts.
        accounts.retain(|id, account| account.open && !self.exclude.contains(id));
        if accounts.is_empty() {
            bail!("--exclude leaves no account");
        }
        Ok(accounts.into_iter().map(|(id, account)| (id, account.name)).collect())
    }
}

async fn organization(session: &Session) -> anyhow::Result<BTreeMap<String, Member>> {
    list_accounts(&session.config, &session.calls(), session.until).await.map_err(|error| {
        let remedy = match error.kind {
            Failure::Denied => {
                ". It is for the management account and delegated administrators; or name accounts with --account"
            }
            _ => "",
        };
        anyhow!("{error}{remedy}")
    })
}
