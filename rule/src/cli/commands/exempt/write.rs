//! Writes a user's exemption tags, and looks whether IAM holds them.

use super::{is_exemption_tag, misspelt};
use crate::{args::connection::Session, output::destination};
use access_key_rotation::{
    aws::{
        account::Account,
        calls::{CallError, Failure},
        iam::{get_user, list_access_keys},
    },
    evaluation::user::Evaluator,
    metrics::Metrics,
    policy::{
        exemption::{EXEMPT_KEY, Tags},
        parameters::Parameters,
    },
};
use anyhow::{Context, anyhow, bail};
use aws_sdk_iam::types::Tag;
use std::{
    io::{Write, stderr},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often the tags are read back; the waits between make about half a minute. IAM is eventually consistent.
const LOOKS: u32 = 12;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a write is repeated that IAM throttles: somebody is waiting.
const WRITE: Duration = Duration::from_secs(60);

/// A user whose exemption is written.
struct Target<'a> {
    account: &'a Account<'a>,
    name: &'a str,
    /// `AIDA…`: the name may pass to another user meanwhile.
    id: &'a str,
    /// The tags of an exemption that are there, in any spelling.
    old: Tags,
}

/// Puts the tags of a new exemption in the place of those that are there; of none, to remove it.
///
/// # Errors
/// What is wrong, and whether anything was written.
pub(super) async fn write(
    session: &Session,
    account: &Account<'_>,
    parameters: &Parameters,
    name: &str,
    new: Tags,
) -> anyhow::Result<()> {
    let (id, tags) = get_user(account, name).await.map_err(|error| unread(account, name, &error))?;
    let (old, mut others): (Tags, Tags) = tags.into_iter().partition(|(name, _)| is_exemption_tag(name));
    let target = Target { account, name, id: &id, old };
    target.check(&new).await?;
    others.extend(new.clone());
    let metrics = Metrics::default();
    let evaluator = Evaluator { account, parameters, now: session.now, metrics: &metrics, uses_of_exempt_keys: false };
    let evaluated = evaluator.with_tags(name, others).await.map_err(|error| account.error(&error))?;
    let verdict =
        evaluated.with_context(|| format!("{name} was deleted or renamed meanwhile; nothing was written"))?.verdict;
    let compliance = verdict.compliance.as_str();
    let with = if new.is_empty() { "Without the exemption" } else { "With the exemption" };
    let why = verdict.annotation.map(|annotation| format!(": {annotation}")).unwrap_or_default();
    destination::print(format!("{with}, the rule says of {name} in account {}: {compliance}{why}\n", account.id))
        .await?;
    target.replace(&new).await?;
    let done =
        if new.is_empty() { "Removed: IAM holds no exemption tag of the user.\n" } else { "Set: IAM holds it.\n" };
    destination::print(done.to_owned()).await
}

impl Target<'_> {
    /// What would make the rule see something else than what is to be written.
    async fn check(&self, new: &Tags) -> anyhow::Result<()> {
        let Target { account, name, old, .. } = self;
        if new.is_empty() {
            return match old.is_empty() {
                true => {
                    bail!("{name} in account {} has no exemption tag: there is nothing to remove", account.id)
                }
                false => Ok(()),
            };
        }
        let misspelt = misspelt(old);
        if !misspelt.is_empty() {
            bail!(
                "{name} has {}, which the rule does not know, and IAM takes for the same tag as the rule's. Remove it first: \
                 access-key-rotation exempt {name} --remove; nothing was written",
                misspelt.join(", ")
            );
        }
        let Some(key) = new.get(EXEMPT_KEY) else {
            return Ok(());
        };
        let keys = list_access_keys(account, name).await.map_err(|error| unread(account, name, &error))?;
        if keys.iter().any(|known| known.id == *key) {
            return Ok(());
        }
        let known: Vec<_> = keys.into_iter().map(|key| key.id).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        bail!("--key {key}: not an access key of {name}, who has {known}; nothing was written")
    }

    /// Sets before it removes: until the earlier `exempt-key` is gone, the new exemption covers no more than that key. The other
    /// way round, the earlier exemption would cover every key for a moment. Each call is for all of its tags.
    async fn replace(&self, new: &Tags) -> anyhow::Result<()> {
        let Target { account, name, old, .. } = self;
        let leftover: Vec<_> = old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        let mut unfinished = Unfinished(Some(format!(
            "interrupted while the exemption of {name} in account {} was written. The earlier one may still be there, or the new \
             one for fewer keys than asked for: run the same command again",
            account.id
        )));
        let written = async {
            if !new.is_empty() {
                self.tag(new).await.map_err(|error| self.unwritten(&error, ""))?;
            }
            if !leftover.is_empty() {
                let left =
                    if new.is_empty() { "" } else { " The new tags are set, beside those of the earlier exemption." };
                self.untag(leftover).await.map_err(|error| self.unwritten(&error, left))?;
            }
            self.confirm(new).await
        };
        let written = written.await;
        unfinished.0 = None;
        written
    }

    async fn tag(&self, new: &Tags) -> Result<(), CallError> {
        const ACTION: &str = "iam:TagUser";
        let tags =
            new.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect::<Result<_, _>>();
        let tags = tags.map_err(|error| CallError { action: ACTION, kind: Failure::Other, code: error.to_string() })?;
        let request = self.account.iam.tag_user().user_name(self.name).set_tags(Some(tags));
        self.account.calls.call(ACTION, Instant::now() + WRITE, || request.clone().send()).await.map(|_| ())
    }

    async fn untag(&self, names: Vec<String>) -> Result<(), CallError> {
        let request = self.account.iam.untag_user().user_name(self.name).set_tag_keys(Some(names));
        let until = Instant::now() + WRITE;
        self.account.calls.call("iam:UntagUser", until, || request.clone().send()).await.map(|_| ())
    }

    fn unwritten(&self, error: &CallError, before: &str) -> anyhow::Error {
        let what = match error.kind {
            Failure::Denied if error.code.starts_with("AccessDenied") => {
                "Likely by the service control policy of templates/prevention.yaml: where it is attached, only the role \
                 access-key-rotation-administration, or the one in its AdministrationRoleName, may write exemptions. The evaluation \
                 role never may. Use that role, by --profile or, in another account, by --role-name."
            }
            Failure::NotFound => "The user was deleted or renamed meanwhile.",
            _ if error.code == "LimitExceeded" => "A user takes 50 tags: remove another one.",
            _ => "Look with exempt --list whether IAM has taken it, and run the same command again.",
        };
        anyhow!("{error} for {} in account {}.{before} {what}", self.name, self.account.id)
    }

    /// Reads until IAM holds these tags of an exemption and no others.
    async fn confirm(&self, new: &Tags) -> anyhow::Result<()> {
        let mut held = String::new();
        for look in 0..LOOKS {
            if look > 0 {
                sleep((Duration::from_millis(100) * 2_u32.pow(look)).min(LONGEST_WAIT)).await;
            }
            let read = get_user(self.account, self.name).await;
            let (id, mut tags) = read
                .map_err(|error| anyhow!("written, and not confirmed: {}", unread(self.account, self.name, &error)))?;
            if id != self.id {
                bail!(
                    "the name {} has passed to another user, {id}, meanwhile: look with exempt --list who is exempt now",
                    self.name
                );
            }
            tags.retain(|name, _| is_exemption_tag(name));
            if tags == *new {
                return Ok(());
            }
            held = shown(&tags);
        }
        bail!(
            "written, and not confirmed: IAM still shows {held}. It may need longer, or somebody else writes these tags: look \
             with exempt --list"
        )
    }
}

fn shown(tags: &Tags) -> String {
    match tags.is_empty() {
        true => "no exemption".to_owned(),
        false => tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", "),
    }
}

fn unread(account: &Account<'_>, name: &str, error: &CallError) -> anyhow::Error {
    match error.kind {
        Failure::NotFound => anyhow!("account {} has no user {name}", account.id),
        _ => account.error(error).into(),
    }
}

/// What is said on Ctrl-C, which drops the future that writes.
struct Unfinished(Option<String>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(text) = &self.0 {
            // Standard error that nobody reads is no reason to panic.
            let _ = writeln!(stderr(), "access-key-rotation: {text}");
        }
    }
}
