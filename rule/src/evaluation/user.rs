//! Evaluates one user, with the fewest reads that make the verdict certain.

use crate::{
    aws::{
        account::Account,
        calls::{CallError, Failure},
        iam::{GET_USER, LIST_ACCESS_KEYS, get_user, last_used, list_access_keys, list_users},
    },
    metrics::Metrics,
    policy::{
        access_key::{AccessKey, KeyStatus, LastUsed, LastUses},
        decision::{Verdict, decide, stale_keys},
        exemption::Tags,
        parameters::Parameters,
    },
};
use chrono::{DateTime, Utc};
use futures_util::future::{join, join_all};
use std::time::Duration;
use tokio::time::sleep;

/// IAM is eventually consistent: it may take a moment until a change is visible everywhere.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How many other users are read to find out whether an action is denied for one user or for the account.
pub(crate) const CONTROLS: usize = 3;

/// A verdict on a user, and the facts behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// What the rule says.
    pub verdict: Verdict,
    /// The user's access keys, each with its last use if that was read. Empty for a user who is gone.
    pub keys: Vec<(AccessKey, Option<LastUsed>)>,
    /// The user's tags, if they were read, as they are if a key is stale.
    pub tags: Option<Tags>,
    /// Why the last use of a key in violation is unknown, if it is.
    pub unknown_use: Option<CallError>,
}

impl Evaluated {
    /// For a user who is gone.
    fn gone() -> Evaluated {
        Evaluated { verdict: Verdict::not_applicable(), keys: Vec::new(), tags: None, unknown_use: None }
    }
}

/// The facts that decide on a user: access keys and, if one of them is stale, tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    keys: Vec<AccessKey>,
    tags: Option<Tags>,
}

/// Evaluates the users of an account.
#[derive(Clone, Copy, Debug)]
pub struct Evaluator<'a> {
    /// The users' account.
    pub account: &'a Account<'a>,
    /// The rule's parameters.
    pub parameters: &'a Parameters,
    /// The time against which ages are measured.
    pub now: DateTime<Utc>,
    /// Counts the verdicts.
    pub metrics: &'a Metrics,
    /// Whether to read the last use of exempt keys too. That of keys in violation is always read.
    pub uses_of_exempt_keys: bool,
}

impl Facts {
    /// Whether the user's id was read together with the keys. If not, they are the keys of the user who had the name at that
    /// moment.
    pub(crate) fn are_of_the_id(&self) -> bool {
        self.tags.is_some()
    }
}

impl Evaluator<'_> {
    /// Reads the facts about a user whose name and id were just listed together: one call, and one more if a key is stale.
    /// Returns `None` if no user has this name and id now.
    ///
    /// # Errors
    /// The error of the read that failed. The user is then unknown, neither compliant nor gone.
    pub async fn read_listed(&self, name: &str, id: &str) -> Result<Option<Facts>, CallError> {
        let keys = match list_access_keys(self.account, name).await {
            Err(error) if error.kind == Failure::NotFound => return Ok(None),
            keys => keys?,
        };
        if stale_keys(&keys, self.parameters, self.now).is_empty() {
            return Ok(Some(Facts { keys, tags: None }));
        }
        match get_user(self.account, name).await {
            Ok((found, tags)) if found == id => Ok(Some(Facts { keys, tags: Some(tags) })),
            Ok(_) => Ok(None),
            Err(error) if error.kind == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Evaluates the user of a configuration item, which may be out of date: by now, the name may belong to another user, or
    /// the user may have another name.
    ///
    /// # Errors
    /// As for [`Evaluator::read_listed`].
    pub async fn of_item(&self, name: &str, id: &str) -> Result<Evaluated, CallError> {
        let (user, keys) = join(get_user(self.account, name), list_access_keys(self.account, name)).await;
        match (user, keys) {
            (Ok((found, tags)), Ok(keys)) if found == id => {
                if let Some(evaluated) = self.complete(name, id, Facts { keys, tags: Some(tags) }).await {
                    return Ok(evaluated);
                }
            }
            (Ok((found, _)), Err(error)) if found == id && error.kind != Failure::NotFound => return Err(error),
            (Err(error), _) if error.kind != Failure::NotFound => return Err(error),
            _ => {}
        }
        // The user is renamed or gone: only a complete listing tells which.
        let listing = list_users(self.account).await;
        match (listing.users.into_iter().find(|user| user.id == id), listing.broken_off) {
            (Some(user), _) => {
                let facts = self.read_listed(&user.name, id).await?.ok_or_else(elusive)?;
                self.complete(&user.name, id, facts).await.ok_or_else(elusive)
            }
            (None, Some(error)) => Err(error),
            (None, None) => Ok(Evaluated::gone()),
        }
    }

    /// Evaluates a user as if the user had these tags. Returns `None` if no user has this name now.
    ///
    /// # Errors
    /// As for [`Evaluator::read_listed`].
    pub async fn with_tags(&self, name: &str, tags: Tags) -> Result<Option<Evaluated>, CallError> {
        match list_access_keys(self.account, name).await {
            Ok(keys) => Ok(Some(self.decorate(Facts { keys, tags: Some(tags) }).await)),
            Err(error) if error.kind == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The verdict, with the last use of the keys that it is about. `None` if no user has this name and id any more.
    pub async fn complete(&self, name: &str, id: &str, facts: Facts) -> Option<Evaluated> {
        let evaluated = self.decorate(facts).await;
        let may_be_gone = |error: &CallError| match error.kind {
            Failure::NotFound => true,
            // IAM denies the action for a key that does not exist, even if it grants it for others.
            Failure::Denied => self.account.calls.granted(error.action),
            _ => false,
        };
        if !evaluated.unknown_use.as_ref().is_some_and(may_be_gone) {
            return Some(evaluated);
        }
        // The key may have been deleted since it was listed. A second read distinguishes that from a denial.
        sleep(SECOND_LOOK).await;
        match self.read_listed(name, id).await {
            Ok(Some(facts)) => Some(self.decorate(facts).await),
            Ok(None) => None,
            Err(_) => Some(evaluated),
        }
    }

    /// The verdict, without reading the last use of the keys that it is about. `why` says why their last use is unknown.
    pub(crate) fn without_last_use(&self, facts: Facts, why: CallError) -> Evaluated {
        let verdict = self.decide(&facts, &LastUses::new());
        let unknown_use = (!verdict.violations.is_empty()).then_some(why);
        self.evaluated(facts, verdict, &LastUses::new(), unknown_use)
    }

    async fn decorate(&self, facts: Facts) -> Evaluated {
        let verdict = self.decide(&facts, &LastUses::new());
        let wanted: Vec<_> = match self.uses_of_exempt_keys && verdict.exempt {
            true => stale_keys(&facts.keys, self.parameters, self.now).into_iter().map(|key| key.id.clone()).collect(),
            false => verdict.violations.clone(),
        };
        if wanted.is_empty() {
            return self.evaluated(facts, verdict, &LastUses::new(), None);
        }
        let until = self.account.extras_end();
        let reads = wanted.iter().map(|id| last_used(self.account, id, until));
        let mut uses = LastUses::new();
        let mut unknown = None;
        for (id, used) in wanted.iter().zip(join_all(reads).await) {
            match used {
                Ok(used) => drop(uses.insert(id.clone(), used)),
                Err(error) => unknown = Some(error),
            }
        }
        let verdict = self.decide(&facts, &uses);
        self.evaluated(facts, verdict, &uses, unknown)
    }

    fn decide(&self, facts: &Facts, uses: &LastUses) -> Verdict {
        let none = Tags::new();
        decide(&facts.keys, uses, facts.tags.as_ref().unwrap_or(&none), self.parameters, self.now)
    }

    fn evaluated(&self, facts: Facts, verdict: Verdict, uses: &LastUses, unknown_use: Option<CallError>) -> Evaluated {
        let active = facts.keys.iter().filter(|key| key.status == KeyStatus::Active);
        if let Some(oldest) = active.map(|key| key.created).min() {
            self.metrics.active_key((self.now - oldest).num_days());
        }
        let with_use = |key: AccessKey| {
            let used = uses.get(&key.id).cloned();
            (key, used)
        };
        Evaluated { verdict, keys: facts.keys.into_iter().map(with_use).collect(), tags: facts.tags, unknown_use }
    }
}

/// Whether an action that is denied for one user is granted for any of these: then a policy shields that user.
pub(crate) async fn is_granted_for_any(account: &Account<'_>, action: &str, user_names: &[String]) -> bool {
    for name in user_names {
        // `calls` records whether the action was granted.
        match action {
            LIST_ACCESS_KEYS => drop(list_access_keys(account, name).await),
            GET_USER => drop(get_user(account, name).await),
            _ => {}
        }
        if account.calls.granted(action) {
            break;
        }
    }
    account.calls.granted(action)
}

/// The error for a user who was listed twice, but could not be found by either name.
pub(crate) fn elusive() -> CallError {
    CallError {
        action: LIST_ACCESS_KEYS,
        kind: Failure::Other,
        code: "the user was renamed in the meantime".to_owned(),
    }
}
