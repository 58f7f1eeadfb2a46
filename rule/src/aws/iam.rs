//! Reads users, their access keys and the keys' last use from IAM. Every listing is read to its end, within a bound.

use super::{
    account::Account,
    client::{CallError, Pages},
};
use aws_sdk_iam::{
    primitives::DateTime as AwsDateTime,
    types::{EntityType, StatusType},
};
use chrono::{DateTime, Utc};
use policy::{
    access_key::{AccessKey, KeyStatus, LastUsed},
    user::{Tags, User},
};
use std::{collections::BTreeMap, mem::swap};
use tokio::time::Instant;

/// `iam:ListUsers`
pub const LIST_USERS: &str = "iam:ListUsers";
/// `iam:ListAccessKeys`
pub const LIST_ACCESS_KEYS: &str = "iam:ListAccessKeys";
/// `iam:GetUser`
pub const GET_USER: &str = "iam:GetUser";
/// `iam:GetAccessKeyLastUsed`
pub const GET_ACCESS_KEY_LAST_USED: &str = "iam:GetAccessKeyLastUsed";

/// The most users on a page of `ListUsers`.
const USERS_A_PAGE: i32 = 1000;

/// The users of an account.
#[derive(Debug)]
pub struct Listing {
    /// Each user once, in order of their ids, as far as the listing got.
    pub users: Vec<User>,
    /// Why the listing is incomplete, if it is.
    pub broken_off: Option<CallError>,
}

/// Lists all users, 1,000 a page, no later than `until`, and sorts them by id. `ListUsers` does not return tags.
pub async fn list_users(account: &Account<'_>, until: Instant) -> Listing {
    let (mut users, mut broken_off) = (Vec::new(), None);
    let mut pages = Pages::of(LIST_USERS);
    while pages.more() {
        let request = account.iam.list_users().max_items(USERS_A_PAGE).set_marker(pages.next());
        let page = account.calls.call(LIST_USERS, until, || request.clone().send()).await;
        let page = page.and_then(|page| pages.turn_if(page.is_truncated, page.marker).map(|()| page.users));
        let page = page
            .and_then(|users| users.into_iter().map(|found| user(found, LIST_USERS)).collect::<Result<Vec<_>, _>>());
        match page {
            Ok(page) => users.extend(page),
            Err(error) => {
                broken_off = Some(error);
                break;
            }
        }
    }
    // A user who is renamed during the listing may appear twice. The later name is the one to use.
    users.sort_by(|one, other| one.id.cmp(&other.id));
    users.dedup_by(|later, earlier| {
        later.id == earlier.id && {
            swap(later, earlier);
            true
        }
    });
    Listing { users, broken_off }
}

/// A user, by name and id, with all tags.
#[derive(Clone, Debug)]
pub struct Tagged {
    /// The name.
    pub name: String,
    /// `AIDA…`
    pub id: String,
    /// `CreateDate`
    pub created: Option<DateTime<Utc>>,
    /// All tags.
    pub tags: Tags,
}

/// The users of an account with their tags.
#[derive(Debug)]
pub struct TaggedListing {
    /// Each user once.
    pub users: Vec<Tagged>,
    /// How many calls it took to list them; `None` if they were read one after the other.
    pub pages: Option<usize>,
}

/// Lists all users with their tags, at most 1,000 a page, for the command line: `GetAccountAuthorizationDetails` also returns the users'
/// policies, so the function has no permission for it.
///
/// # Errors
/// If the listing is not complete.
pub async fn list_tagged_users(account: &Account<'_>) -> Result<TaggedListing, CallError> {
    const ACTION: &str = "iam:GetAccountAuthorizationDetails";
    let mut listing = Pages::of(ACTION);
    let (mut users, mut pages) = (BTreeMap::new(), 0);
    while listing.more() {
        let request = account.iam.get_account_authorization_details().filter(EntityType::User).max_items(USERS_A_PAGE);
        let request = request.set_marker(listing.next());
        let page = account.calls.call(ACTION, account.ends.reads, || request.clone().send()).await?;
        listing.turn_if(page.is_truncated, page.marker)?;
        pages += 1;
        for user in page.user_detail_list.unwrap_or_default() {
            let (Some(name), Some(id)) = (user.user_name, user.user_id) else {
                return Err(CallError::unexpected(ACTION, "a user without a name or an id"));
            };
            let tags = user.tags.unwrap_or_default().into_iter().map(|tag| (tag.key, tag.value)).collect();
            // A user who is renamed during the listing may appear twice. The later name is the one to use.
            let created = user.create_date.and_then(|date| time(&date));
            users.insert(id.clone(), Tagged { name, id, created, tags });
        }
    }
    Ok(TaggedListing { users: users.into_values().collect(), pages: Some(pages) })
}

/// Lists a user's access keys in any status.
pub async fn list_access_keys(account: &Account<'_>, user_name: &str) -> Result<Vec<AccessKey>, CallError> {
    let mut keys = Vec::new();
    let mut pages = Pages::of(LIST_ACCESS_KEYS);
    while pages.more() {
        let request = account.iam.list_access_keys().user_name(user_name).set_marker(pages.next());
        let page = account.calls.call(LIST_ACCESS_KEYS, account.ends.reads, || request.clone().send()).await?;
        pages.turn_if(page.is_truncated, page.marker)?;
        for key in page.access_key_metadata {
            let (Some(id), Some(created)) = (key.access_key_id, key.create_date.and_then(|date| time(&date))) else {
                return Err(CallError::unexpected(LIST_ACCESS_KEYS, "an access key without an id or a date"));
            };
            let status = match key.status {
                Some(StatusType::Active) => KeyStatus::Active,
                Some(StatusType::Inactive) => KeyStatus::Inactive,
                Some(StatusType::Expired) => KeyStatus::Expired,
                // A key in this status may be usable, so it is not ignored.
                _ => return Err(CallError::unexpected(LIST_ACCESS_KEYS, "an access key in an unknown status")),
            };
            keys.push(AccessKey { id, status, created, last_used: None });
        }
    }
    Ok(keys)
}

/// The user who has this name now, with all tags, which `GetUser` returns in one answer.
pub async fn get_user(account: &Account<'_>, user_name: &str) -> Result<(User, Tags), CallError> {
    let request = account.iam.get_user().user_name(user_name);
    let answer = account.calls.call(GET_USER, account.ends.reads, || request.clone().send()).await?;
    let mut found = answer.user.ok_or_else(|| CallError::unexpected(GET_USER, "no user"))?;
    let tags = found.tags.take().unwrap_or_default();
    Ok((user(found, GET_USER)?, tags.into_iter().map(|tag| (tag.key, tag.value)).collect()))
}

/// When, where and by which service a key was last used, if IAM answers before `until`.
pub async fn last_used(account: &Account<'_>, key_id: &str, until: Instant) -> Result<LastUsed, CallError> {
    let request = account.iam.get_access_key_last_used().access_key_id(key_id);
    let answer = account.calls.call(GET_ACCESS_KEY_LAST_USED, until, || request.clone().send()).await?;
    let used =
        answer.access_key_last_used.ok_or_else(|| CallError::unexpected(GET_ACCESS_KEY_LAST_USED, "no last use"))?;
    let at = match used.last_used_date {
        None => None,
        Some(date) => {
            Some(time(&date).ok_or_else(|| CallError::unexpected(GET_ACCESS_KEY_LAST_USED, "a date out of range"))?)
        }
    };
    Ok(LastUsed { at, region: used.region, service: used.service_name })
}

fn user(user: aws_sdk_iam::types::User, action: &'static str) -> Result<User, CallError> {
    match time(&user.create_date) {
        Some(created) => Ok(User { name: user.user_name, id: user.user_id, arn: user.arn, created }),
        None => Err(CallError::unexpected(action, "a date out of range")),
    }
}

fn time(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(date.secs(), date.subsec_nanos())
}
