//! The accounts of the organization, from AWS Organizations.

use super::client::{CallError, Calls, Pages, WholeAnswers};
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
    /// Its state, in words, if nobody can work in it: not yet, or no longer. `None` also for a state that this version does not know:
    /// such an account is evaluated, and if that fails, it is named.
    pub not_open: Option<&'static str>,
}

/// Lists all accounts by id. Only the management account and delegated administrators may. `own` is the account that asks.
///
/// # Errors
/// Why the listing is not complete: an account that is missing unseen would pass for one without findings. An organization has at least
/// the account that asks, so a list without it is no answer.
pub async fn list_accounts(
    settings: &SdkConfig,
    own: &str,
    calls: &Calls,
    until: Instant,
) -> Result<BTreeMap<String, Member>, CallError> {
    let organizations = aws_sdk_organizations::config::Builder::from(settings).interceptor(WholeAnswers).build();
    let organizations = aws_sdk_organizations::Client::from_conf(organizations);
    let mut accounts = BTreeMap::new();
    let mut pages = Pages::of(LIST_ACCOUNTS);
    while pages.more() {
        let request = organizations.list_accounts().set_next_token(pages.next());
        let page = calls.call(LIST_ACCOUNTS, until, || request.clone().send()).await?;
        // The last page may be empty, but it has a list.
        if page.accounts.is_none() && page.next_token.is_none() {
            return Err(unexpected("no list of accounts".to_owned()));
        }
        for account in page.accounts.unwrap_or_default() {
            let not_open = not_open(&account);
            let id = account.id.ok_or_else(|| unexpected("an account without id".to_owned()))?;
            accounts.insert(id, Member { name: account.name, not_open });
        }
        pages.turn(page.next_token)?;
    }
    if accounts.contains_key(own) {
        Ok(accounts)
    } else {
        Err(unexpected(format!("a list without account {own}, which asks")))
    }
}

fn unexpected(what: String) -> CallError {
    CallError::unexpected(LIST_ACCOUNTS, &what)
}

/// `State` replaces `Status`, which AWS has retired and which counts only where there is no `State`.
fn not_open(account: &Account) -> Option<&'static str> {
    match (&account.state, &account.status) {
        (Some(AccountState::PendingActivation), _) => Some("pending activation"),
        (Some(AccountState::PendingClosure), _) | (None, Some(AccountStatus::PendingClosure)) => {
            Some("pending closure")
        }
        (Some(AccountState::Suspended), _) | (None, Some(AccountStatus::Suspended)) => Some("suspended"),
        (Some(AccountState::Closed), _) => Some("closed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_left_out_for_its_state_and_for_its_status_only_where_it_has_no_state() {
        for (state, status, expected) in [
            (Some("ACTIVE"), None, None),
            (Some("PENDING_ACTIVATION"), None, Some("pending activation")),
            (Some("PENDING_CLOSURE"), None, Some("pending closure")),
            (Some("SUSPENDED"), None, Some("suspended")),
            (Some("CLOSED"), None, Some("closed")),
            (None, Some("ACTIVE"), None),
            (None, Some("PENDING_CLOSURE"), Some("pending closure")),
            (None, Some("SUSPENDED"), Some("suspended")),
            (Some("ACTIVE"), Some("SUSPENDED"), None),
            (Some("PENDING_ACTIVATION"), Some("ACTIVE"), Some("pending activation")),
            (Some("CLOSED"), Some("SUSPENDED"), Some("closed")),
            // Not known to be closed, so not forgotten.
            (Some("HIBERNATING"), None, None),
            (Some("HIBERNATING"), Some("SUSPENDED"), None),
            (None, None, None),
        ] {
            let account = Account::builder()
                .set_state(state.map(AccountState::from))
                .set_status(status.map(AccountStatus::from))
                .build();
            assert_eq!(not_open(&account), expected, "{state:?} {status:?}");
        }
    }
}
