//! Evaluates one user, with the fewest reads that make the verdict certain.

use crate::{
    aws::{
        account::Account,
        client::{CallError, Failure},
        iam::{
            GET_ACCESS_KEY_LAST_USED, GET_USER, LIST_ACCESS_KEYS, Listing, get_user, last_used, list_access_keys,
            list_users,
        },
        quarantine::is_exposed,
    },
    metrics::Metrics,
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use policy::{
    access_key::{AccessKey, KeyState, KeyStatus},
    assessment::{AssessedKey, Assessment, assess},
    exposure::Exposure,
    parameters::Parameters,
    user::{Tags, User},
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

/// A user who was evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// What the policy says. If it has the user's tags, these were read after the keys, under the same name and with the user's
    /// id, so the keys are this user's. If not, the keys are those of the user who had the name at that moment.
    pub assessment: Assessment,
    /// Why the last use of a key that the verdict is about is unknown, if it is.
    pub unknown_use: Option<CallError>,
    /// Why it is unknown whether the user is exposed, if this read asked.
    pub unknown_exposure: Option<CallError>,
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
    /// Evaluates a user whose name and id were listed together, without the last use of keys. Returns `None` if no user has this
    /// name and id now.
    ///
    /// # Errors
    /// As for [`Evaluator::of_item`].
    pub(crate) async fn read(
        &self,
        user: &User,
        exposure: Exposure,
        confirm: Confirm,
    ) -> Result<Option<Evaluated>, CallError> {
        let keys = match list_access_keys(self.account, &user.name).await {
            Err(error) if error.kind == Failure::NotFound => return Ok(None),
            keys => keys?,
        };
        let unconfirmed = self.assess(user.clone(), keys, None, exposure);
        let is_needed = confirm == Confirm::Now || unconfirmed.assessment.has(KeyState::Violation);
        let is_told = exposure == Exposure::Exposed || unconfirmed.assessment.milestones(None).next().is_some();
        let is_wanted = self.has_notices && is_told;
        if !is_needed && !is_wanted {
            return Ok(Some(unconfirmed));
        }
        match get_user(self.account, &user.name).await {
            Ok((owner, tags)) if owner.id == user.id => {
                Ok(Some(self.assess(owner, unconfirmed.assessment.into_keys(), Some(tags), exposure)))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind == Failure::NotFound => Ok(None),
            // The tags are for a notice, and no condition of the verdict.
            Err(_) if !is_needed => Ok(Some(unconfirmed)),
            Err(error) => Err(error),
        }
    }

    /// Evaluates the user of a configuration item, which may be out of date: by now, the name may belong to another user, or
    /// the user may have another name. Returns `None` if the user is gone. Without `is_exposed`, IAM is asked.
    ///
    /// # Errors
    /// The error of the read that failed. The user is then unknown, neither compliant nor gone.
    pub async fn of_item(
        &self,
        name: &str,
        id: &str,
        captured: DateTime<Utc>,
        is_exposed: Option<bool>,
    ) -> Result<Option<Evaluated>, CallError> {
        let keys = list_access_keys(self.account, name).await;
        if !matches!(&keys, Err(error) if error.kind == Failure::NotFound) {
            // Before the user, as the keys: then they are this user's.
            let (exposure, unknown_exposure) = self.exposure(name, is_exposed).await;
            match get_user(self.account, name).await {
                Ok((user, tags)) if user.id == id => {
                    let evaluated = self.complete(self.assess(user, keys?, Some(tags), exposure)).await;
                    if let Some(evaluated) = evaluated {
                        return Ok(Some(Evaluated { unknown_exposure, ..evaluated }));
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
                let (exposure, unknown_exposure) = self.exposure(&user.name, is_exposed).await;
                let evaluated = self.read(&user, exposure, Confirm::Now).await?.ok_or_else(not_yet_consistent)?;
                let evaluated = self.complete(evaluated).await.ok_or_else(not_yet_consistent)?;
                Ok(Some(Evaluated { unknown_exposure, ..evaluated }))
            }
            (None, Some(error)) => Err(error),
            (None, None) if self.is_fresh(captured) => Err(not_yet_consistent()),
            (None, None) => Ok(None),
        }
    }

    async fn exposure(&self, user_name: &str, known: Option<bool>) -> (Exposure, Option<CallError>) {
        let answer = match known {
            Some(known) => Ok(known),
            None => is_exposed(self.account, user_name, self.account.extras_end()).await,
        };
        match answer {
            Ok(true) => (Exposure::Exposed, None),
            Ok(false) => (Exposure::NotExposed, None),
            Err(error) => (Exposure::Unknown, Some(error)),
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
    pub async fn with_tags(&self, user: User, tags: Tags) -> Result<Option<Evaluated>, CallError> {
        match list_access_keys(self.account, &user.name).await {
            Ok(keys) => {
                let assessed = self.assess(user, keys, Some(tags), Exposure::NotRead);
                Ok(Some(self.with_last_uses(assessed).await))
            }
            Err(error) if error.kind == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Adds the user's tags, if they can be read and the user has this name still, and the last use of these keys. The verdict depends
    /// on neither: a stale key's tags and uses are there already.
    pub async fn with_more(&self, evaluated: Evaluated, keys: &[String]) -> Evaluated {
        let Evaluated { mut assessment, unknown_use, unknown_exposure } = evaluated;
        for AssessedKey { key, .. } in &mut assessment.keys {
            if key.last_used.is_none() && keys.contains(&key.id) {
                let used = last_used(self.account, &key.id, self.account.extras_end()).await;
                key.last_used = used.ok().map(Box::new);
            }
        }
        if assessment.tags.is_none()
            && let Ok((owner, tags)) = get_user(self.account, &assessment.user.name).await
            && owner.id == assessment.user.id
        {
            let exposure = assessment.exposure;
            let assessed = self.assess(owner, assessment.into_keys(), Some(tags), exposure);
            return Evaluated { unknown_use, unknown_exposure, ..assessed };
        }
        Evaluated { assessment, unknown_use, unknown_exposure }
    }

    /// Adds the last use of the keys that the verdict is about. Returns `None` if the user has this name and id no more.
    pub(crate) async fn complete(&self, evaluated: Evaluated) -> Option<Evaluated> {
        let evaluated = self.with_last_uses(evaluated).await;
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
        let Assessment { user, exposure, .. } = &evaluated.assessment;
        match self.read(user, *exposure, Confirm::Now).await {
            Ok(Some(again)) => Some(self.with_last_uses(again).await),
            Ok(None) => None,
            Err(_) => Some(evaluated),
        }
    }

    /// Whether the last use of a key is to be read.
    pub(crate) fn needs_last_use(&self, assessment: &Assessment) -> bool {
        assessment.keys.iter().any(|key| self.wants_last_use(assessment, key.state))
    }

    fn wants_last_use(&self, assessment: &Assessment, state: KeyState) -> bool {
        match state {
            KeyState::Violation => true,
            KeyState::Exempt => self.uses_of_exempt_keys && assessment.is_exempt(),
            KeyState::DueSoon | KeyState::OldInactive | KeyState::Current => false,
        }
    }

    async fn with_last_uses(&self, evaluated: Evaluated) -> Evaluated {
        if !self.needs_last_use(&evaluated.assessment) {
            return evaluated;
        }
        let Evaluated { mut assessment, unknown_exposure, .. } = evaluated;
        let wanted: Vec<_> = assessment.keys.iter().map(|key| self.wants_last_use(&assessment, key.state)).collect();
        let until = self.account.extras_end();
        let wanted = assessment.keys.iter_mut().zip(wanted).filter(|(_, is_wanted)| *is_wanted);
        let reads = wanted.map(async |(AssessedKey { key, .. }, _)| {
            last_used(self.account, &key.id, until).await.map(|used| key.last_used = Some(used.into())).err()
        });
        let unknown_use = join_all(reads).await.into_iter().flatten().last();
        let (user, tags, exposure) = (assessment.user.clone(), assessment.tags.take(), assessment.exposure);
        Evaluated { unknown_use, unknown_exposure, ..self.assess(user, assessment.into_keys(), tags, exposure) }
    }

    /// Applies the policy, and counts the age of the keys.
    pub(crate) fn assess(&self, user: User, keys: Vec<AccessKey>, tags: Option<Tags>, exposure: Exposure) -> Evaluated {
        let active = keys.iter().filter(|key| key.status == KeyStatus::Active);
        if let Some(oldest) = active.map(|key| key.created).min() {
            self.metrics.active_key((self.now - oldest).num_days());
        }
        let assessment = assess(user, keys, tags, exposure, self.parameters, self.now);
        Evaluated { assessment, unknown_use: None, unknown_exposure: None }
    }
}

/// Whether AWS grants an action that it denied for one user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Control {
    /// For another user: a policy shields the one.
    Granted,
    /// For no other user either: the account's roles or policies are wrong.
    Denied,
    /// There is no other user, or the answers do not tell.
    #[default]
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
