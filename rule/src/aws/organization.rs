//! The accounts of the organization, from AWS Organizations.

use super::{
    calls::{CallError, Calls, Failure},
    pages::Pages,
};
use aws_config::SdkConfig;
use aws_sdk_organizations::types::{Account, AccountState, AccountStatus};
use std::collections::BTreeMap;
use tokio::time::Instant;

/// `organizations:ListAccounts`
pub const LIST_ACCOUNTS: &str = "organizations:ListAccounts";

/// An account of the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name that AWS Organizations has for it.
    pub name: Option<String>,
    /// Whether anything can be done in it: no, if it is suspended or closed.
    pub open: bool,
}

/// Lists all accounts by id. Only the management account and delegated administrators may.
///
/// # Errors
/// Why the listing is not complete: an account that is missing unseen would pass for one without findings.
pub async fn list_accounts(
    settings: &SdkConfig,
    calls: &Calls,
    until: Instant,
) -> Result<BTreeMap<String, Member>, CallError> {
    let organizations = aws_sdk_organizations::Client::new(settings);
    let mut accounts = BTreeMap::new();
    let mut pages = Pages::of(LIST_ACCOUNTS);
    while pages.more() {
        let request = organizations.list_accounts().set_next_token(pages.next());
        let page = calls.call(LIST_ACCOUNTS, until, || request.clone().send()).await?;
        for account in page.accounts.unwrap_or_default() {
            let open = is_open(&account);
            let id = account.id.ok_or_else(|| CallError {
                action: LIST_ACCOUNTS,
                kind: Failure::Other,
                code: "unexpected answer (an account without id)".to_owned(),
            })?;
            accounts.insert(id, Member { name: account.name, open });
        }
        pages.turn(page.next_token)?;
    }
    Ok(accounts)
}

/// `State` replaces `Status`, which older answers have instead.
fn is_open(account: &Account) -> bool {
    match (&account.state, &account.status) {
        (Some(state), _) => !matches!(state, AccountState::Suspended | AccountState::Closed),
        (None, Some(status)) => *status != AccountStatus::Suspended,
        (None, None) => true,
    }
}
