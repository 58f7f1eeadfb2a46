//! The evaluation of one user: the fewest reads that make a verdict certain.

use crate::{
    account::Account,
    calls::{CallError, Failure},
    exemption::Tags,
    inventory::{get_user, last_used, list_access_keys, list_users},
    metrics::Metrics,
    parameters::Parameters,
    verdict::{self, AccessKey, KeyStatus, LastUsed, Verdict},
};
use chrono::{DateTime, Utc};
use futures_util::future::{try_join, try_join_all};
use std::time::Duration;
use tokio::time::sleep;

/// IAM is eventually consistent: what a moment ago was and was not there may be told apart a moment later.
const SECOND_LOOK: Duration = Duration::from_secs(1);

/// A verdict on a user, and what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// What the rule says.
    pub verdict: Verdict,
    /// The user's access keys, with the last use of those that are stale. `None` for a user whom the credential report cleared,
    /// or who is gone.
    pub keys: Option<Vec<(AccessKey, Option<LastUsed>)>>,
    /// The user's tags, if they were read: those of a user with a stale key are.
    pub tags: Option<Tags>,
}

impl Judged {
    /// A verdict without a look at the user's keys.
    pub(crate) fn unread(verdict: Verdict) -> Judged {
        Judged { verdict, keys: None, tags: None }
    }
}

/// What users are evaluated with.
#[derive(Clone, Copy, Debug)]
pub struct Evaluator<'a> {
    /// Where the users are.
    pub account: &'a Account<'a>,
    /// By which limits.
    pub parameters: &'a Parameters,
    /// As of when.
    pub now: DateTime<Utc>,
    /// Counts.
    pub metrics: &'a Metrics,
}

impl Evaluator<'_> {
    /// Evaluates a user whose name and id were just listed together. Costs one read if there is no stale key, any other two
    /// and one for each stale key. `None`: nobody has this name and id now.
    ///
    /// # Errors
    /// The first read that failed: the user is then unknown, neither compliant nor gone.
    pub async fn listed(&self, name: &str, id: &str) -> Result<Option<Judged>, CallError> {
        self.evaluate(name, id, None).await
    }

    /// Evaluates the user of a configuration item, which may be old: the name may be another user's by now, or the user have
    /// another name. Costs a read more.
    ///
    /// # Errors
    /// As for [`Evaluator::listed`].
    pub async fn of_item(&self, name: &str, id: &str) -> Result<Judged, CallError> {
        let judged = match get_user(self.account, name).await {
            Ok((found, tags)) if found == id => self.evaluate(name, id, Some(tags)).await?,
            Ok(_) => None,
            Err(error) if error.kind == Failure::NotFound => None,
            Err(error) => return Err(error),
        };
        if let Some(judged) = judged {
            return Ok(judged);
        }
        // Renamed or gone: only a complete listing tells which.
        let listing = list_users(self.account).await;
        match (listing.users.into_iter().find(|user| user.id == id), listing.broken_off) {
            (Some(user), _) => self.listed(&user.name, id).await?.ok_or_else(elusive),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Judged::unread(Verdict::not_applicable())),
        }
    }

    /// Evaluates a user as if these were the tags: what the rule will say once they are. `None`: nobody has this name now.
    ///
    /// # Errors
    /// As for [`Evaluator::listed`].
    pub async fn with_tags(&self, name: &str, id: &str, tags: Tags) -> Result<Option<Judged>, CallError> {
        self.evaluate(name, id, Some(tags)).await
    }

    async fn evaluate(&self, name: &str, id: &str, tags: Option<Tags>) -> Result<Option<Judged>, CallError> {
        let mut outcome = self.read(name, id, tags.clone()).await;
        if matches!(&outcome, Err(error) if is_about_a_key(error)) {
            // A key deleted since it was listed. Another look tells that from a key that may not be read about.
            sleep(SECOND_LOOK).await;
            outcome = self.read(name, id, tags).await;
        }
        match outcome {
            Err(error) if error.kind == Failure::NotFound && !is_about_a_key(&error) => Ok(None),
            outcome => outcome,
        }
    }

    async fn read(&self, name: &str, id: &str, tags: Option<Tags>) -> Result<Option<Judged>, CallError> {
        let Evaluator { account, parameters, now, metrics } = *self;
        let keys = list_access_keys(account, name).await?;
        let active = keys.iter().filter(|key| key.status == KeyStatus::Active);
        if let Some(oldest) = active.map(|key| key.created).min() {
            metrics.active_key((now - oldest).num_days());
        }
        let stale = verdict::stale_keys(&keys, parameters, now);
        if stale.is_empty() {
            let verdict = verdict::without_stale_keys(&keys, parameters, now);
            return Ok(Some(Judged { verdict, keys: Some(keys.into_iter().map(|key| (key, None)).collect()), tags }));
        }
        let confirmed_tags = async {
            match tags {
                Some(tags) => Ok(Some(tags)),
                None => get_user(account, name).await.map(|(found, tags)| (found == id).then_some(tags)),
            }
        };
        let uses = try_join_all(stale.iter().map(|key| last_used(account, &key.id)));
        let (Some(tags), uses) = try_join(confirmed_tags, uses).await? else {
            return Ok(None);
        };
        let stale: Vec<_> = stale.into_iter().zip(uses).collect();
        let verdict = verdict::with_stale_keys(&stale, &keys, &tags, parameters, now);
        let last_use = |id: &str| stale.iter().find(|(key, _)| key.id == id).map(|(_, used)| used.clone());
        let keys = keys
            .into_iter()
            .map(|key| {
                let used = last_use(&key.id);
                (key, used)
            })
            .collect();
        Ok(Some(Judged { verdict, keys: Some(keys), tags: Some(tags) }))
    }
}

/// A user whom the listing shows and the name does not lead to, twice.
pub(crate) fn elusive() -> CallError {
    CallError { action: "iam:ListAccessKeys", kind: Failure::Other, code: "the user was renamed meanwhile".to_owned() }
}

fn is_about_a_key(error: &CallError) -> bool {
    error.action == "iam:GetAccessKeyLastUsed" && matches!(error.kind, Failure::NotFound | Failure::Denied)
}
