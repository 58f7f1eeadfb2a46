//! The accounts that a command works on.

use crate::args::connection::{Session, account_id};
use access_key_rotation::aws::{
    calls::Failure,
    organization::{Member, list_accounts},
};
use anyhow::{anyhow, bail};
use std::collections::BTreeMap;

/// The current account by default.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Accounts")]
pub(crate) struct Targets {
    /// Work on these accounts instead of the current one
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, conflicts_with = "organization")]
    account: Vec<String>,
    /// Work on every account of your organization. Run this in the management account or a delegated administrator account
    #[arg(long)]
    organization: bool,
    /// Leave out these accounts of the organization
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, requires = "organization")]
    exclude: Vec<String>,
}

impl Targets {
    /// The account ids without duplicates, with the accounts' names if AWS Organizations lists them.
    ///
    /// # Errors
    /// If AWS Organizations does not list all accounts. A silently missing account would look like one without findings.
    pub(crate) async fn resolve(&self, session: &Session) -> anyhow::Result<BTreeMap<String, Option<String>>> {
        if !self.organization {
            let ids = if self.account.is_empty() { vec![session.home.account.clone()] } else { self.account.clone() };
            return Ok(ids.into_iter().map(|id| (id, None)).collect());
        }
        let mut accounts = organization(session).await?;
        if let Some(id) = self.exclude.iter().find(|id| !accounts.contains_key(*id)) {
            bail!("--exclude {id}: not an account of the organization");
        }
        // Nobody can work in closed or suspended accounts.
        accounts.retain(|id, account| account.open && !self.exclude.contains(id));
        if accounts.is_empty() {
            bail!("--exclude leaves no accounts");
        }
        Ok(accounts.into_iter().map(|(id, account)| (id, account.name)).collect())
    }
}

async fn organization(session: &Session) -> anyhow::Result<BTreeMap<String, Member>> {
    list_accounts(&session.config, &session.calls(), session.until).await.map_err(|error| {
        let remedy = match error.kind {
            Failure::Denied => {
                ". Run this in the management account or a delegated administrator account, or name accounts with --account"
            }
            _ => "",
        };
        anyhow!("{error}{remedy}")
    })
}
