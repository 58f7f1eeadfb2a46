//! The exemptions of an account, valid or not, by the tags of all its users.

use access_key_rotation::aws::{
    account::Account,
    client::Failure,
    iam::{Tagged, TaggedListing, get_user, list_tagged_users, list_users},
};
use anyhow::bail;
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{StreamExt, stream};
use policy::{
    exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL, EXEMPTION_TAGS, Exemption},
    parameters::Parameters,
    user::{Tags, User},
};
use serde::Serialize;

/// How many users to read at a time, as in a scan.
const READS_AT_A_TIME: usize = 16;
/// How many unread users to name.
const NAMED: usize = 10;

/// A user with at least one exemption tag, and the tags' values.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Exempted {
    pub(crate) account: String,
    pub(crate) user_name: String,
    pub(crate) user_id: String,
    pub(crate) until: Option<String>,
    pub(crate) owner: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) valid: bool,
    /// `valid`, or the rule's reason why it is not.
    pub(crate) state: String,
    /// Who set it; `None` if CloudTrail does not say so, or was not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) set_by: Option<SetBy>,
    /// The last day of a valid exemption, in UTC.
    #[serde(skip)]
    pub(crate) ends: Option<NaiveDate>,
    /// When the user was created.
    #[serde(skip)]
    pub(crate) created: Option<DateTime<Utc>>,
}

/// The last call that gave an exemption its last day.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct SetBy {
    pub(crate) arn: String,
    pub(crate) at: DateTime<Utc>,
}

/// Reads the tags of all users of the account. Returns those with exemption tags, in no particular order, and what is missing.
pub(crate) async fn read_exemptions(
    account: &Account<'_>,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> (Vec<Exempted>, Vec<String>) {
    let (users, errors) = read_tags(account).await;
    let day = (now.date_naive(), parameters.max_exemption_days);
    let exempted = users.into_iter().filter_map(|user| Exempted::read(&account.id, user, day)).collect();
    (exempted, errors)
}

/// Reads the tags of all users, one after the other: `ListUsers` returns no tags. Returns the users in no particular order, and what
/// is missing.
async fn read_tags(account: &Account<'_>) -> (Vec<Tagged>, Vec<String>) {
    let listing = list_users(account, account.ends.reads).await;
    let mut errors: Vec<_> = listing.broken_off.iter().map(|error| account.error(error).to_string()).collect();
    let users = listing.users.len();
    let mut tagged = Vec::new();
    let mut unread = Vec::new();
    let mut tags = stream::iter(listing.users)
        .map(|user| async move { (tags_of(account, &user).await, user) })
        .buffer_unordered(READS_AT_A_TIME);
    while let Some((tags, User { name, id, created, .. })) = tags.next().await {
        match tags {
            Ok(tags) => tagged.push(Tagged { name, id, created: Some(created), tags }),
            Err(why) => unread.push(format!("{name} ({why})")),
        }
    }
    if tagged.len() < users {
        // Reads end in any order.
        unread.sort();
        unread.truncate(NAMED);
        errors.push(format!(
            "The list of exemptions is incomplete: {} of {users} users unknown: {}",
            users - tagged.len(),
            unread.join(", ")
        ));
    }
    (tagged, errors)
}

/// Reads all users with their tags: from one listing, or one after the other if the listing is denied.
///
/// # Errors
/// What is missing, if not everything could be read.
pub(crate) async fn tagged_users(account: &Account<'_>) -> Result<TaggedListing, Vec<String>> {
    match list_tagged_users(account).await {
        Ok(listed) => Ok(listed),
        Err(error) if error.kind == Failure::Denied => match read_tags(account).await {
            (users, errors) if errors.is_empty() => Ok(TaggedListing { users, pages: None }),
            (_, errors) => Err(errors),
        },
        Err(error) => Err(vec![account.error(&error).to_string()]),
    }
}

/// Those whose exemption ends soon come first, and void ones last.
pub(crate) fn sort(exempted: &mut [Exempted]) {
    exempted.sort_by(|a, b| {
        let rank = |user: &Exempted| (user.ends.is_none(), user.ends);
        (rank(a), &a.account, &a.user_name).cmp(&(rank(b), &b.account, &b.user_name))
    });
}

/// Whether a tag belongs to an exemption. IAM ignores the case of tag names, but the rule does not.
pub(crate) fn is_exemption_tag(name: &str) -> bool {
    EXEMPTION_TAGS.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// The exemption tags whose names the rule does not recognize because of their case.
pub(crate) fn misspelled(tags: &Tags) -> Vec<&str> {
    let names = tags.keys().map(String::as_str);
    names.filter(|name| is_exemption_tag(name) && !EXEMPTION_TAGS.contains(name)).collect()
}

/// The user's tags.
async fn tags_of(account: &Account<'_>, user: &User) -> anyhow::Result<Tags> {
    match get_user(account, &user.name).await {
        Ok((found, tags)) if found.id == user.id => Ok(tags),
        Err(error) if error.kind != Failure::NotFound => Err(error.into()),
        _ => bail!("deleted or renamed in the meantime. Run this again"),
    }
}

impl Exempted {
    /// `None` if the user has no exemption tag in any spelling.
    pub(crate) fn read(account: &str, user: Tagged, (today, most): (NaiveDate, u16)) -> Option<Exempted> {
        let Tagged { name: user_name, id: user_id, created, tags } = user;
        if !tags.keys().any(|name| is_exemption_tag(name)) {
            return None;
        }
        let misspelled = misspelled(&tags);
        let (mut state, ends) = match Exemption::read(&tags, today, most) {
            Exemption::Valid { until, .. } => ("valid".to_owned(), Some(until)),
            Exemption::Void(why) => (why, None),
            Exemption::Absent => ("No exemption".to_owned(), None),
        };
        if !misspelled.is_empty() {
            state +=
                &format!(". Tag names are case-sensitive here, so the rule ignores these: {}", misspelled.join(", "));
        }
        let value = |name: &str| tags.get(name).cloned();
        Some(Exempted {
            account: account.to_owned(),
            user_name,
            user_id,
            until: value(EXEMPT_UNTIL),
            owner: value(EXEMPT_OWNER),
            reason: value(EXEMPT_REASON),
            key: value(EXEMPT_KEY),
            valid: ends.is_some(),
            state,
            set_by: None,
            ends,
            created,
        })
    }
}
