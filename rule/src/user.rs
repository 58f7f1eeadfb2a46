//! The evaluation of one user: the fewest reads that make a verdict certain.

use crate::{
    account::Account,
    calls::{CallError, Failure},
    inventory::{get_user, last_used, list_access_keys},
    metrics::Metrics,
    parameters::Parameters,
    verdict::{self, KeyStatus, Verdict},
};
use chrono::{DateTime, Utc};
use futures_util::future::{try_join, try_join_all};

/// How sure it is that the name belongs to the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Both were just listed together.
    Listed,
    /// They come from a configuration item, which may be old: the name may since have passed to another user.
    Unconfirmed,
}

/// Evaluates the user of this name and id. A user without a stale key costs one read (two when the identity is not
/// confirmed), any other two and one for each stale key.
///
/// # Errors
/// The first read that failed: the user is then unknown, neither compliant nor gone.
pub async fn evaluate(
    account: &Account<'_>,
    (name, id): (&str, &str),
    identity: Identity,
    parameters: &Parameters,
    now: DateTime<Utc>,
    metrics: &Metrics,
) -> Result<Verdict, CallError> {
    let read = || read(account, (name, id), identity, parameters, now, metrics);
    let mut outcome = read().await;
    if matches!(&outcome, Err(error) if is_about_a_key(error)) {
        // A key deleted since it was listed. Another look tells that from a key that may not be read about.
        outcome = read().await;
    }
    match outcome {
        Err(error) if error.kind == Failure::NotFound && !is_about_a_key(&error) => Ok(Verdict::not_applicable()),
        outcome => outcome,
    }
}

fn is_about_a_key(error: &CallError) -> bool {
    error.action == "iam:GetAccessKeyLastUsed" && matches!(error.kind, Failure::NotFound | Failure::Denied)
}

async fn read(
    account: &Account<'_>,
    (name, id): (&str, &str),
    identity: Identity,
    parameters: &Parameters,
    now: DateTime<Utc>,
    metrics: &Metrics,
) -> Result<Verdict, CallError> {
    let mut found = match identity {
        Identity::Listed => None,
        Identity::Unconfirmed => Some(get_user(account, name).await?),
    };
    let keys = match &found {
        Some((found_id, _)) if found_id != id => return Ok(Verdict::not_applicable()),
        _ => list_access_keys(account, name).await?,
    };
    let active = keys.iter().filter(|key| key.status == KeyStatus::Active);
    if let Some(oldest) = active.map(|key| key.created).min() {
        metrics.active_key((now - oldest).num_days());
    }
    let stale = verdict::stale_keys(&keys, parameters, now);
    if stale.is_empty() {
        return Ok(verdict::without_stale_keys(&keys, parameters, now));
    }
    let confirm = async {
        match found.take() {
            Some(found) => Ok(found),
            None => get_user(account, name).await,
        }
    };
    let ((found_id, tags), used) =
        try_join(confirm, try_join_all(stale.iter().map(|key| last_used(account, &key.id)))).await?;
    if found_id != id {
        return Ok(Verdict::not_applicable());
    }
    let stale: Vec<_> = stale.into_iter().zip(used).collect();
    Ok(verdict::with_stale_keys(&stale, &keys, &tags, parameters, now))
}
