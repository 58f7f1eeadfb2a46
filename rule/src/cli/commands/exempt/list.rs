//! Lists an account's exemptions, valid or not.

use super::{is_exemption_tag, misspelled};
use crate::{args::connection::Session, outcome::Outcome, output::destination};
use access_key_rotation::{
    aws::{
        account::Account,
        calls::Failure,
        iam::{User, get_user, list_users},
    },
    policy::{
        exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL, Exemption, Tags},
        parameters::Parameters,
    },
};
use anyhow::bail;
use chrono::NaiveDate;
use clap::ValueEnum;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::fmt::Write as _;

/// How many users to read at a time, as in a scan.
const READS_AT_A_TIME: usize = 16;
/// How many unread users to name.
const NAMED: usize = 10;

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// One line for each user
    Table,
    /// A JSON list of the same users
    Json,
}

/// A user with at least one exemption tag, and the tags' values.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exempted {
    account: String,
    user_name: String,
    user_id: String,
    until: Option<String>,
    owner: Option<String>,
    reason: Option<String>,
    key: Option<String>,
    valid: bool,
    /// `valid`, or the rule's reason why it is not.
    state: String,
}

pub(super) async fn list(
    session: &Session,
    account: &Account<'_>,
    parameters: &Parameters,
    format: Format,
) -> anyhow::Result<Outcome> {
    let listing = list_users(account).await;
    let mut errors: Vec<_> = listing.broken_off.iter().map(|error| account.error(error).to_string()).collect();
    let users = listing.users.len();
    let (today, most) = (session.now.date_naive(), parameters.max_exemption_days);
    let mut exempted = Vec::new();
    let mut unread = Vec::new();
    let mut tags = stream::iter(listing.users)
        .map(|user| async move { (tags_of(account, &user).await, user) })
        .buffer_unordered(READS_AT_A_TIME);
    let mut read = 0;
    while let Some((tags, user)) = tags.next().await {
        match tags {
            Ok(tags) => {
                read += 1;
                exempted.extend(Exempted::read(account, user, &tags, (today, most)));
            }
            Err(why) => unread.push(format!("{} ({why})", user.name)),
        }
    }
    if read < users {
        // Reads end in any order.
        unread.sort();
        unread.truncate(NAMED);
        errors.push(format!(
            "the list is incomplete: {} of {users} users unknown: {}",
            users - read,
            unread.join(", ")
        ));
    }
    exempted.sort_by(|a, b| a.user_name.cmp(&b.user_name));
    destination::print(match format {
        Format::Table => table(&exempted, &account.id),
        Format::Json => serde_json::to_string_pretty(&exempted)? + "\n",
    })
    .await?;
    Ok(Outcome { errors, violations: false })
}

/// The user's tags.
async fn tags_of(account: &Account<'_>, user: &User) -> anyhow::Result<Tags> {
    match get_user(account, &user.name).await {
        Ok((id, tags)) if id == user.id => Ok(tags),
        Err(error) if error.kind != Failure::NotFound => Err(error.into()),
        _ => bail!("deleted or renamed in the meantime. Run the list again"),
    }
}

impl Exempted {
    /// `None` if the user has no exemption tag in any spelling.
    fn read(account: &Account<'_>, user: User, tags: &Tags, (today, most): (NaiveDate, u16)) -> Option<Exempted> {
        if !tags.keys().any(|name| is_exemption_tag(name)) {
            return None;
        }
        let misspelled = misspelled(tags);
        let mut state = match Exemption::read(tags, today, most) {
            Exemption::Valid { .. } => "valid".to_owned(),
            Exemption::Void(why) => why,
            Exemption::Absent => "No exemption".to_owned(),
        };
        let valid = state == "valid";
        if !misspelled.is_empty() {
            state +=
                &format!(". Tag names are case-sensitive here, so the rule ignores these: {}", misspelled.join(", "));
        }
        let value = |name: &str| tags.get(name).cloned();
        Some(Exempted {
            account: account.id.clone(),
            user_name: user.name,
            user_id: user.id,
            until: value(EXEMPT_UNTIL),
            owner: value(EXEMPT_OWNER),
            reason: value(EXEMPT_REASON),
            key: value(EXEMPT_KEY),
            valid,
            state,
        })
    }
}

fn table(exempted: &[Exempted], account: &str) -> String {
    let mut rows = vec![["User", "Until", "Owner", "Key", "State", "Reason"]];
    let text = |value: &Option<String>| value.as_deref().map_or("-", str::trim).to_owned();
    let cells: Vec<_> =
        exempted.iter().map(|user| [&user.until, &user.owner, &user.key, &user.reason].map(text)).collect();
    for (user, [until, owner, key, reason]) in exempted.iter().zip(&cells) {
        rows.push([&user.user_name, until, owner, key, &user.state, reason]);
    }
    let mut out = String::new();
    if !exempted.is_empty() {
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<_> = (0..5).map(width).collect();
        for [user, until, owner, key, state, reason] in rows {
            let _ = writeln!(
                out,
                "{user:<0$}  {until:<1$}  {owner:<2$}  {key:<3$}  {state:<4$}  {reason}",
                widths[0], widths[1], widths[2], widths[3], widths[4]
            );
        }
    }
    let valid = exempted.iter().filter(|user| user.valid).count();
    let users = if exempted.len() == 1 { "user" } else { "users" };
    let _ = writeln!(out, "{account}: {} {users} with exemption tags, {valid} valid", exempted.len());
    out
}
