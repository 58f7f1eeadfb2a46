//! Which keys to look up: those that are named, those of users, or every stale key in use.

use super::key_history::Wanted;
use crate::{
    args::{connection::Session, targets::Targets},
    findings::finding::{Finding, Key, Used},
};
use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Failure},
    iam::{GET_ACCESS_KEY_LAST_USED, last_used, list_access_keys},
};
use anyhow::bail;
use chrono::{DateTime, Utc};
use policy::access_key::{KeyState, KeyStatus};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Display,
};

/// How many of the accounts that were searched an error names.
const MOST_NAMED: usize = 10;

/// The keys that were found, and what is wrong with the others.
#[derive(Debug, Default)]
pub(crate) struct Chosen {
    pub(crate) keys: Vec<Wanted>,
    pub(crate) errors: Vec<String>,
    /// The names of users who were found.
    users: BTreeSet<String>,
    /// The accounts that could not be read.
    unread: BTreeSet<String>,
}

type Accounts = BTreeMap<String, Option<String>>;

/// Parses the id of a long-term access key: `AKIA` and letters and digits (`accessKeyIdType` in IAM's model).
pub(crate) fn key_id(text: &str) -> anyhow::Result<String> {
    let is_id = (16..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_id && text.starts_with("AKIA") {
        Ok(text.to_owned())
    } else if is_id && text.starts_with("ASIA") {
        bail!("a temporary key, which nobody rotates. Pass the id of a user's access key: AKIA...")
    } else {
        bail!("the id of an access key is AKIA and 12 to 124 letters and digits")
    }
}

/// Every stale key in use, or whose last use is unknown, in the order of the findings.
pub(crate) fn stale_keys_in_use<'a>(
    findings: impl Iterator<Item = &'a Finding>,
    quiet_days: u16,
    now: DateTime<Utc>,
) -> Vec<Wanted> {
    let is_wanted = |key: &&Key| {
        let is_stale = matches!(key.state, KeyState::Violation | KeyState::Exempt) && key.status == KeyStatus::Active;
        is_stale && key.is_in_use(quiet_days, now) != Some(false)
    };
    let keys = findings.flat_map(|finding| finding.access_keys.iter().filter(is_wanted).map(move |key| (finding, key)));
    let wanted = keys.map(|(finding, key)| Wanted {
        account: finding.account.clone(),
        user_name: Some(finding.user_name.clone()),
        access_key_id: key.access_key_id.clone(),
        created: Some(key.create_date),
        last_used: key.last_used.clone(),
    });
    wanted.collect()
}

/// Every key of users with these names.
pub(crate) async fn of_users(session: &Session, accounts: Accounts, names: &[String]) -> Chosen {
    let all: Vec<_> = accounts.keys().cloned().collect();
    let found = session.read_accounts(accounts, async |id: String, _| {
        let calls = session.calls_in(&id);
        let mut found = Chosen::default();
        let account = match session.open(&id, &calls).await {
            Ok(account) => account,
            Err(error) => return found.failed(id, error),
        };
        for name in names {
            match keys_of(&account, name).await {
                Ok(keys) => {
                    found.users.insert(name.clone());
                    found.keys.extend(keys);
                }
                Err(error) if error.kind == Failure::NotFound => {}
                Err(error) => return found.failed(id, account.error(&error)),
            }
        }
        found
    });
    let mut chosen = Chosen::of(found.await);
    for name in names.iter().filter(|name| !chosen.users.contains(*name)) {
        let searched = chosen.searched(all.iter());
        chosen.errors.extend(searched.map(|searched| format!("--user {name}: no such user in {searched}")));
    }
    chosen
}

/// The keys with these ids, in this order.
pub(crate) async fn by_id(session: &Session, targets: &Targets, accounts: Accounts, ids: &[String]) -> Chosen {
    let mut errors = Vec::new();
    // In which accounts to look for a key: in all of them if STS does not tell whose it is.
    let mut places: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
    for id in ids.iter().collect::<BTreeSet<_>>() {
        match account_of(session, id).await {
            None => _ = places.insert(id, accounts.keys().collect()),
            Some(account) => match accounts.get_key_value(&account) {
                Some((account, _)) => _ = places.insert(id, vec![account]),
                None if targets.organization => errors.push(format!(
                    "{id}: a key of account {account}, which is not one of the organization's accounts that were chosen"
                )),
                None => errors
                    .push(format!("{id}: a key of account {account}, which was not chosen. Pass --account {account}")),
            },
        }
    }
    let in_account = |account: &String| {
        let here = places.iter().filter(|(_, accounts)| accounts.contains(&account));
        here.map(|(id, _)| (*id).clone()).collect::<Vec<_>>()
    };
    let to_search = accounts.iter().filter(|(account, _)| !in_account(account).is_empty());
    let to_search = to_search.map(|(id, name)| (id.clone(), name.clone())).collect();
    let found = session.read_accounts(to_search, async |id: String, _| {
        let calls = session.calls_in(&id);
        let mut found = Chosen::default();
        let account = match session.open(&id, &calls).await {
            Ok(account) => account,
            Err(error) => return found.failed(id, error),
        };
        for key in in_account(&id) {
            match owned(&account, &key).await {
                Ok(key) => found.keys.extend(key),
                Err(error) => return found.failed(id, account.error(&error)),
            }
        }
        found
    });
    let mut chosen = Chosen::of(found.await);
    for (id, accounts) in &places {
        if !chosen.keys.iter().any(|key| key.access_key_id == **id) {
            let searched = chosen.searched(accounts.iter().copied());
            errors.extend(searched.map(|searched| {
                format!("{id}: no such key in {searched}, or iam:GetAccessKeyLastUsed is denied there")
            }));
        }
    }
    chosen.errors.extend(errors);
    chosen.keys.sort_by_key(|key| ids.iter().position(|id| *id == key.access_key_id));
    chosen
}

impl Chosen {
    fn of(parts: Vec<Chosen>) -> Chosen {
        let mut all = Chosen::default();
        for Chosen { keys, errors, users, unread } in parts {
            all.keys.extend(keys);
            all.errors.extend(errors);
            all.users.extend(users);
            all.unread.extend(unread);
        }
        all
    }

    /// The account could not be read, so that what is there is unknown.
    fn failed(mut self, account: String, error: impl Display) -> Chosen {
        self.errors.push(format!("account {account}: {error}"));
        self.unread.insert(account);
        self
    }

    /// Those of the accounts that were read, for an error; `None` if none was.
    fn searched<'a>(&self, accounts: impl Iterator<Item = &'a String>) -> Option<String> {
        let read: Vec<_> = accounts.filter(|id| !self.unread.contains(*id)).map(String::as_str).collect();
        match read[..] {
            [] => None,
            [id] => Some(format!("account {id}")),
            _ if read.len() > MOST_NAMED => {
                Some(format!("{} accounts ({}, ...)", read.len(), read[..MOST_NAMED].join(", ")))
            }
            _ => Some(format!("the accounts {}", read.join(", "))),
        }
    }
}

/// The account of a key, if STS tells: it says nothing of a key that does not exist, and may be denied.
async fn account_of(session: &Session, id: &str) -> Option<String> {
    let sts = aws_sdk_sts::Client::new(&session.config);
    let request = sts.get_access_key_info().access_key_id(id);
    let answer = session.calls().call("sts:GetAccessKeyInfo", session.until, || request.clone().send()).await;
    answer.ok()?.account
}

/// The key, if it is one of the account's. IAM denies the read of a key that is not, as it does without the permission.
async fn owned(account: &Account<'_>, id: &str) -> Result<Option<Wanted>, CallError> {
    let request = account.iam.get_access_key_last_used().access_key_id(id);
    let answer = account.calls.call(GET_ACCESS_KEY_LAST_USED, account.ends.reads, || request.clone().send()).await;
    let user_name = match answer {
        Ok(answer) => answer.user_name,
        Err(error) if matches!(error.kind, Failure::NotFound | Failure::Denied) => return Ok(None),
        Err(error) => return Err(error),
    };
    let of_user = match &user_name {
        Some(name) => keys_of(account, name).await,
        None => Ok(Vec::new()),
    };
    match of_user {
        Ok(keys) if !keys.is_empty() => Ok(keys.into_iter().find(|key| key.access_key_id == id)),
        // A key of the root user has no user whose keys can be listed.
        Ok(_) => Ok(Some(unlisted(account, user_name, id))),
        Err(error) if error.kind == Failure::NotFound => Ok(Some(unlisted(account, user_name, id))),
        Err(error) => Err(error),
    }
}

fn unlisted(account: &Account<'_>, user_name: Option<String>, id: &str) -> Wanted {
    let (account, access_key_id) = (account.id.clone(), id.to_owned());
    Wanted { account, user_name, access_key_id, created: None, last_used: None }
}

async fn keys_of(account: &Account<'_>, user_name: &str) -> Result<Vec<Wanted>, CallError> {
    let mut wanted = Vec::new();
    for key in list_access_keys(account, user_name).await? {
        wanted.push(Wanted {
            account: account.id.clone(),
            user_name: Some(user_name.to_owned()),
            last_used: last_used(account, &key.id, account.ends.reads).await.ok().map(Used::from),
            access_key_id: key.id,
            created: Some(key.created),
        });
    }
    Ok(wanted)
}
