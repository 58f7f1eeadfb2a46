//! What the users of the accounts have, compared with the entries of the file.

use super::{
    file::{self, ACCOUNT, Entry, File, KEY, UNTIL, USER},
    yaml::{Mistake, quoted},
};
use crate::{
    args::{
        connection::Session,
        targets::{Resolved, Targets, tell_left_out},
    },
    findings::exemptions::{is_exemption_tag, misspelled, tagged_users},
};
use access_key_rotation::aws::{
    account::Account,
    client::Failure,
    iam::{Tagged, TaggedListing, list_access_keys},
};
use anyhow::bail;
use chrono::NaiveDate;
use futures_util::{StreamExt, stream};
use policy::{
    exemption::{EXEMPT_REASON, EXEMPTION_TAGS, Exemption},
    user::Tags,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// How many users' keys to read, or tags to write, at a time in an account.
pub(super) const AT_A_TIME: usize = 16;

/// A user whose tags differ from the entry.
pub(super) struct Change<'a> {
    pub(super) entry: &'a Entry,
    pub(super) id: String,
    /// The exemption tags that the user has, in any spelling.
    pub(super) old: Tags,
}

/// An account, compared with its entries.
#[derive(Default)]
pub(super) struct Compared<'a> {
    pub(super) changes: Vec<Change<'a>>,
    /// Users with exemption tags, but without an entry. They have no other tags here.
    pub(super) others: Vec<Tagged>,
    /// Entries that no user or no key fits, and users whose tags nobody can set.
    pub(super) mistakes: Vec<Mistake>,
    /// What could not be read, and at which entry.
    pub(super) unread: Vec<Mistake>,
    /// The same where there is no entry.
    pub(super) unread_elsewhere: Vec<String>,
    /// How many pages it took to list the users; `None` if they were read one after the other.
    pub(super) pages: Option<usize>,
}

/// What the rule would not accept in the file today: an end too far ahead and, unless `past` is allowed, one that has passed.
pub(super) fn refused_by_the_rule(file: &File, (today, most): (NaiveDate, u16), past: bool) -> Vec<Mistake> {
    let refused = file.entries.iter().filter_map(|entry| match Exemption::read(&entry.tags(), today, most) {
        Exemption::Void(_) if past && entry.ends().is_some_and(|end| end < today) => None,
        Exemption::Void(why) => Some(entry.mistake(UNTIL, why)),
        Exemption::Valid { .. } | Exemption::Absent => None,
    });
    refused.collect()
}

/// Reads the accounts of the file or, if `targets` has the organization, all of its accounts. They are in the order of their ids.
///
/// # Errors
/// If the accounts are not known, or an entry is about none of them.
pub(super) async fn compare<'a>(
    session: &Session,
    (path, file): (&Path, &'a File),
    targets: &Targets,
) -> anyhow::Result<BTreeMap<String, Compared<'a>>> {
    let mut accounts: BTreeMap<_, _> = file.entries.iter().map(|entry| (entry.account().to_owned(), None)).collect();
    if targets.organization {
        let Resolved { accounts: all, left_out } = targets.resolve(session).await?;
        let outside = file.entries.iter().filter(|entry| !all.contains_key(entry.account())).map(|entry| {
            let left_out = left_out.iter().find(|left_out| left_out.account == entry.account());
            let why = left_out.map_or("not in your organization", |left_out| left_out.why);
            entry.mistake(ACCOUNT, format!("account {}: {why}", entry.account()))
        });
        let outside: Vec<_> = outside.collect();
        if !outside.is_empty() {
            return Err(file::refused(path, outside, Vec::new()));
        }
        tell_left_out(&left_out);
        accounts = all;
    }
    if accounts.is_empty() {
        bail!("{}: no entry is about a user. Pass --organization to look at every account", path.display());
    }
    let compared = session.read_accounts(accounts, async |id, _| {
        let entries: Vec<_> = file.entries.iter().filter(|entry| entry.account() == id).collect();
        let calls = session.calls_in(&id);
        let compared = match session.open(&id, &calls).await {
            Ok(account) => compare_account(&account, &entries).await,
            Err(error) => Compared::unread(&id, &entries, &error.to_string()),
        };
        (id, compared)
    });
    Ok(compared.await.into_iter().collect())
}

async fn compare_account<'a>(account: &Account<'_>, entries: &[&'a Entry]) -> Compared<'a> {
    let TaggedListing { users, pages } = match tagged_users(account).await {
        Ok(listed) => listed,
        Err(errors) => return Compared::unread(&account.id, entries, &errors.join(". ")),
    };
    let mut compared = Compared { pages, ..Compared::default() };
    let listed = users.len();
    let mut users: BTreeMap<_, _> = users.into_iter().map(|user| (user.name.clone(), user)).collect();
    if users.len() < listed {
        let why = "two users had the same name, since somebody renamed one in the meantime. Run this again";
        return Compared::unread(&account.id, entries, why);
    }
    let mut keyed = Vec::new();
    for entry in entries {
        let Some(Tagged { id, mut tags, .. }) = users.remove(entry.user()) else {
            let other = users.keys().find(|name| name.eq_ignore_ascii_case(entry.user()));
            let other = other.map(|name| format!(". Its user {} is written in another case", quoted(name)));
            let what = format!("account {} has no user {}", account.id, quoted(entry.user()));
            compared.mistakes.push(entry.mistake(USER, what + &other.unwrap_or_default()));
            continue;
        };
        keyed.extend(entry.key().map(|key| (*entry, key)));
        tags.retain(|name, _| is_exemption_tag(name));
        let misspelled = misspelled(&tags);
        if !misspelled.is_empty() {
            let what = format!(
                "{} has {}. The rule does not recognize this spelling, but to IAM it is the same tag as the rule's. Remove it \
                 first: access-key-rotation exempt {} --remove",
                entry.user(),
                misspelled.join(", "),
                entry.user()
            );
            compared.mistakes.push(entry.mistake(USER, what));
        } else if as_the_rule_reads(&tags) != entry.tags() {
            compared.changes.push(Change { entry, id, old: tags });
        }
    }
    compared.others = users.into_values().filter_map(with_exemption_tags_only).collect();
    compared.find_keys(account, keyed).await;
    compared
}

fn with_exemption_tags_only(mut user: Tagged) -> Option<Tagged> {
    user.tags.retain(|name, _| is_exemption_tag(name));
    (!user.tags.is_empty()).then_some(user)
}

/// The tags without what the rule ignores: white space around a value, and an empty reason.
fn as_the_rule_reads(tags: &Tags) -> Tags {
    let trimmed = tags.iter().map(|(name, value)| (name.clone(), value.trim().to_owned()));
    trimmed.filter(|(name, value)| name != EXEMPT_REASON || !value.is_empty()).collect()
}

impl<'a> Compared<'a> {
    fn unread(id: &str, entries: &[&'a Entry], why: &str) -> Compared<'a> {
        let mut compared = Compared::default();
        match entries {
            [] => compared.unread_elsewhere.push(format!("account {id}: {why}")),
            [first, ..] => {
                let of = if entries.len() == 1 { String::new() } else { format!(" ({} entries)", entries.len()) };
                compared.unread.push(first.mistake(ACCOUNT, format!("account {id}{of}: {why}")));
            }
        }
        compared
    }

    /// Checks that each key is one of the entry's user. This is one call an entry.
    async fn find_keys(&mut self, account: &Account<'_>, keyed: Vec<(&'a Entry, &'a str)>) {
        let mut reads = stream::iter(keyed)
            .map(|(entry, key)| async move { (entry, key, list_access_keys(account, entry.user()).await) })
            .buffer_unordered(AT_A_TIME);
        while let Some((entry, key, keys)) = reads.next().await {
            match keys {
                Ok(keys) if keys.iter().any(|known| known.id == key) => {}
                Ok(keys) => {
                    let known: BTreeSet<_> = keys.into_iter().map(|key| key.id).collect();
                    let known = known.into_iter().collect::<Vec<_>>().join(", ");
                    let known = if known.is_empty() { "none" } else { &known };
                    let what = format!("{key}: not an access key of {} (access keys: {known})", entry.user());
                    self.mistakes.push(entry.mistake(KEY, what));
                }
                Err(error) if error.kind == Failure::NotFound => {
                    let what = format!("{} was deleted or renamed in the meantime", entry.user());
                    self.mistakes.push(entry.mistake(USER, what));
                }
                Err(error) => self.unread.push(entry.mistake(KEY, account.error(&error).to_string())),
            }
        }
    }
}

impl Change<'_> {
    /// Whose tags differ, and how.
    pub(super) fn says(&self) -> Mistake {
        let (user, account) = (self.entry.user(), self.entry.account());
        let differs = difference(&self.old, &self.entry.tags());
        self.entry.mistake(USER, format!("{user} in account {account}: {differs}"))
    }
}

/// Each tag that differs, with both values.
fn difference(old: &Tags, new: &Tags) -> String {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let order = |name: &str| EXEMPTION_TAGS.iter().position(|known| *known == name);
    let mut names: Vec<_> = names.into_iter().filter(|name| old.get(*name) != new.get(*name)).collect();
    names.sort_by_key(|name| order(name));
    let value = |tags: &Tags, name: &str| tags.get(name).map_or("none".to_owned(), |value| quoted(value));
    let differing =
        names.into_iter().map(|name| format!("{}: {} -> {}", short(name), value(old, name), value(new, name)));
    differing.collect::<Vec<_>>().join(", ")
}

/// Exemption tags on one line.
pub(super) fn shown(tags: &Tags) -> String {
    let tags = tags.iter().map(|(name, value)| format!("{}: {}", short(name), quoted(value)));
    tags.collect::<Vec<_>>().join(", ")
}

fn short(tag: &str) -> &str {
    tag.strip_prefix("access-key-rotation:").unwrap_or(tag)
}
