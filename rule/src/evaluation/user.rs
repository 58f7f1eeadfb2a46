//! Evaluates one user, with the fewest reads that make the verdict certain.

use crate::{
    aws::{
        account::Account,
        calls::{CallError, Failure},
        iam::{
            GET_ACCESS_KEY_LAST_USED, GET_USER, LIST_ACCESS_KEYS, Listing, User, get_user, last_used, list_access_keys,
            list_users,
        },
    },
    metrics::Metrics,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use policy::{
    access_key::{AccessKey, KeyStatus, LastUsed, LastUses},
    decision::{Verdict, decide, stale_keys},
    exemption::{Exemption, Tags},
    notice::reached,
    parameters::Parameters,
};
use std::time::Duration;
use tokio::time::sleep;

/// IAM is eventually consistent: it may take a moment until a change is visible everywhere.
const SECOND_LOOK: Duration = Duration::from_secs(1);
/// How long IAM may take until a change is visible everywhere: seconds, as a rule. Lambda repeats an invocation for the last time
/// after three minutes, so what is still not visible by then is not there.
const CONSISTENT_WITHIN: TimeDelta = TimeDelta::minutes(2);
/// How many other users are read to find out whether an action is denied for one user or for the account.
pub(crate) const CONTROLS: usize = 3;

/// A verdict on a user, and the facts behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// What the rule says.
    pub verdict: Verdict,
    /// The user's access keys, each with its last use if that was read. Empty for a user who is gone.
    pub keys: Vec<(AccessKey, Option<LastUsed>)>,
    /// The user's tags, if they were read, as they are if a key is stale. They were read after the keys, under the same name and
    /// with the user's id, so the keys are this user's.
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

/// The facts that decide on a user: access keys and, if it is known whose they are, the user's tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    keys: Vec<AccessKey>,
    /// Read after the keys, under the same name.
    owner: Option<(User, Tags)>,
}

impl Facts {
    /// Whether it is known whose keys they are. If not, they are those of the user who had the name at that moment.
    pub(crate) fn are_confirmed(&self) -> bool {
        self.owner.is_some()
    }
}

/// When to find out whose access keys were read. IAM lists keys by the user's name, which may pass to another user at any moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    /// At once, by `GetUser`.
    Now,
    /// At once if a key is stale, since that takes the user's tags. Otherwise a second listing confirms many users together.
    Later,
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
    /// Whether there are notices, which need the tags of users with a key that falls due too. Those of users with a stale key are
    /// always read.
    pub has_notices: bool,
}

impl Evaluator<'_> {
    /// Reads the facts about a user whose name and id were listed together. Returns `None` if no user has this name and id now.
    ///
    /// # Errors
    /// As for [`Evaluator::of_item`].
    pub(crate) async fn read(&self, name: &str, id: &str, confirm: Confirm) -> Result<Option<Facts>, CallError> {
        let keys = match list_access_keys(self.account, name).await {
            Err(error) if error.kind == Failure::NotFound => return Ok(None),
            keys => keys?,
        };
        let is_needed = confirm == Confirm::Now || !stale_keys(&keys, self.parameters, self.now).is_empty();
        let is_wanted = self.has_notices && keys.iter().any(|key| self.has_milestone(key));
        if !is_needed && !is_wanted {
            return Ok(Some(Facts { keys, owner: None }));
        }
        match get_user(self.account, name).await {
            Ok(owner) if owner.0.id == id => Ok(Some(Facts { keys, owner: Some(owner) })),
            Ok(_) => Ok(None),
            Err(error) if error.kind == Failure::NotFound => Ok(None),
            // The tags are for a notice, and no condition of the verdict.
            Err(_) if !is_needed => Ok(Some(Facts { keys, owner: None })),
            Err(error) => Err(error),
        }
    }

    fn has_milestone(&self, key: &AccessKey) -> bool {
        reached(key, &Exemption::Absent, self.parameters, None, self.now).is_some()
    }

    /// Evaluates the user of a configuration item, which may be out of date: by now, the name may belong to another user, or
    /// the user may have another name. Returns the user too, as IAM names it now, unless the user is gone.
    ///
    /// # Errors
    /// The error of the read that failed. The user is then unknown, neither compliant nor gone.
    pub async fn of_item(
        &self,
        name: &str,
        id: &str,
        captured: DateTime<Utc>,
    ) -> Result<(Option<User>, Evaluated), CallError> {
        let keys = list_access_keys(self.account, name).await;
        if !matches!(&keys, Err(error) if error.kind == Failure::NotFound) {
            match get_user(self.account, name).await {
                Ok(owner) if owner.0.id == id => {
                    let user = owner.0.clone();
                    if let Some(evaluated) = self.complete(Facts { keys: keys?, owner: Some(owner) }, &user).await {
                        return Ok((Some(user), evaluated));
                    }
                }
                // Whatever was wrong with the keys of another user.
                Ok(_) => {}
                Err(error) if error.kind == Failure::NotFound => {}
                Err(error) => return Err(keys.err().unwrap_or(error)),
            }
        }
        // The user is renamed or gone: only a complete listing tells which.
        let Listing { users, broken_off } = list_users(self.account, self.account.ends.reads).await;
        match (users.into_iter().find(|user| user.id == id), broken_off) {
            (Some(user), _) => {
                let facts = self.read(&user.name, id, Confirm::Now).await?.ok_or_else(not_yet_consistent)?;
                let evaluated = self.complete(facts, &user).await.ok_or_else(not_yet_consistent)?;
                Ok((Some(user), evaluated))
            }
            (None, Some(error)) => Err(error),
            (None, None) if self.is_fresh(captured) => Err(not_yet_consistent()),
            (None, None) => Ok((None, Evaluated::gone())),
        }
    }

    /// Whether something happened so recently that IAM may not know it everywhere.
    pub(crate) fn is_fresh(&self, happened: DateTime<Utc>) -> bool {
        self.now.signed_duration_since(happened) < CONSISTENT_WITHIN
    }

    /// Evaluates a user as if the user had these tags. Returns `None` if no user has this name now.
    ///
    /// # Errors
    /// As for [`Evaluator::of_item`].
    pub async fn with_tags(&self, name: &str, tags: Tags) -> Result<Option<Evaluated>, CallError> {
        match list_access_keys(self.account, name).await {
            Ok(keys) => Ok(Some(self.decorate(keys, Some(tags)).await)),
            Err(error) if error.kind == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The verdict, with the last use of the keys that it is about. `None` if the user has this name and id no more.
    pub(crate) async fn complete(&self, facts: Facts, user: &User) -> Option<Evaluated> {
        let evaluated = self.decorate(facts.keys, facts.owner.map(|(_, tags)| tags)).await;
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
        match self.read(&user.name, &user.id, Confirm::Now).await {
            Ok(Some(facts)) => Some(self.decorate(facts.keys, facts.owner.map(|(_, tags)| tags)).await),
            Ok(None) => None,
            Err(_) => Some(evaluated),
        }
    }

    /// The verdict, without reading the last use of the keys that it is about. `why` says why their last use is unknown.
    pub(crate) fn without_last_use(&self, facts: Facts, why: CallError) -> Evaluated {
        let (keys, tags) = (facts.keys, facts.owner.map(|(_, tags)| tags));
        let verdict = self.decide(&keys, tags.as_ref(), &LastUses::new());
        let unknown_use = (!verdict.violations.is_empty()).then_some(why);
        self.evaluated((keys, tags), verdict, &LastUses::new(), unknown_use)
    }

    async fn decorate(&self, keys: Vec<AccessKey>, tags: Option<Tags>) -> Evaluated {
        let verdict = self.decide(&keys, tags.as_ref(), &LastUses::new());
        let wanted: Vec<_> = match self.uses_of_exempt_keys && verdict.exempt {
            true => stale_keys(&keys, self.parameters, self.now).into_iter().map(|key| key.id.clone()).collect(),
            false => verdict.violations.clone(),
        };
        if wanted.is_empty() {
            return self.evaluated((keys, tags), verdict, &LastUses::new(), None);
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
        let verdict = self.decide(&keys, tags.as_ref(), &uses);
        self.evaluated((keys, tags), verdict, &uses, unknown)
    }

    fn decide(&self, keys: &[AccessKey], tags: Option<&Tags>, uses: &LastUses) -> Verdict {
        decide(keys, uses, tags.unwrap_or(&Tags::new()), self.parameters, self.now)
    }

    fn evaluated(
        &self,
        (keys, tags): (Vec<AccessKey>, Option<Tags>),
        verdict: Verdict,
        uses: &LastUses,
        unknown_use: Option<CallError>,
    ) -> Evaluated {
        let active = keys.iter().filter(|key| key.status == KeyStatus::Active);
        if let Some(oldest) = active.map(|key| key.created).min() {
            self.metrics.active_key((self.now - oldest).num_days());
        }
        let with_use = |key: AccessKey| {
            let used = uses.get(&key.id).cloned();
            (key, used)
        };
        Evaluated { verdict, keys: keys.into_iter().map(with_use).collect(), tags, unknown_use }
    }
}

/// Whether AWS grants an action that it denied for one user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    /// For another user: a policy shields the one.
    Granted,
    /// For no other user either: the account's roles or policies are wrong.
    Denied,
    /// There is no other user, or the answers do not tell.
    Unknown,
}

/// Repeats an action that was denied for one user on others who could be read, now or earlier: each subject is the name of a user,
/// or for the last use the id of an access key. That the action was granted earlier proves nothing: a permission may be lost at
/// any moment.
pub(crate) async fn control(account: &Account<'_>, action: &str, subjects: &[String]) -> Control {
    let mut control = Control::Unknown;
    for subject in subjects {
        let answer = match action {
            LIST_ACCESS_KEYS => list_access_keys(account, subject).await.map(drop),
            GET_USER => get_user(account, subject).await.map(drop),
            GET_ACCESS_KEY_LAST_USED => last_used(account, subject, account.ends.confirmation).await.map(drop),
            _ => break,
        };
        match answer {
            Ok(()) => return Control::Granted,
            Err(error) if error.kind == Failure::Denied => control = Control::Denied,
            Err(_) => {}
        }
    }
    control
}

/// The error for a user about whom IAM's answers do not agree.
pub(crate) fn not_yet_consistent() -> CallError {
    CallError {
        action: LIST_ACCESS_KEYS,
        kind: Failure::NotYetConsistent,
        code: "the user is new, or was just renamed or deleted, and IAM does not know it everywhere yet".to_owned(),
    }
}
