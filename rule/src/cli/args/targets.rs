//! The accounts that a command works on.

use crate::args::connection::{Session, account_id};
use access_key_rotation::aws::{calls::Failure, pages::Pages};
use anyhow::{Context, anyhow, bail};
use aws_sdk_organizations::types::{AccountState, AccountStatus};
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

/// An account of the organization.
struct Member {
    name: Option<String>,
    open: bool,
}

async fn organization(session: &Session) -> anyhow::Result<BTreeMap<String, Member>> {
    const ACTION: &str = "organizations:ListAccounts";
    let organizations = aws_sdk_organizations::Client::new(&session.config);
    let calls = session.calls();
    let mut accounts = BTreeMap::new();
    let mut pages = Pages::of(ACTION);
    while pages.more() {
        let request = organizations.list_accounts().set_next_token(pages.next());
        let page = calls.call(ACTION, session.until, || request.clone().send()).await.map_err(|error| {
            let remedy = match error.kind {
                Failure::Denied => {
                    ". Run this in the management account or a delegated administrator account, or name accounts with --account"
                }
                _ => "",
            };
            anyhow!("{error}{remedy}")
        })?;
        for account in page.accounts.unwrap_or_default() {
            let id = account.id.with_context(|| format!("{ACTION}: an account in the response has no id"))?;
            // AWS returned only `Status` before it introduced `State`.
            let open = match (&account.state, &account.status) {
                (Some(state), _) => !matches!(state, AccountState::Suspended | AccountState::Closed),
                (None, Some(status)) => *status != AccountStatus::Suspended,
                (None, None) => true,
            };
            accounts.insert(id, Member { name: account.name, open });
        }
        pages.turn(page.next_token)?;
    }
    Ok(accounts)
}
