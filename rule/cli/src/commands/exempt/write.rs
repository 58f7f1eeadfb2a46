//! Writes a user's exemption tags, and checks that IAM holds them.

use crate::{
    args::connection::Session,
    findings::exemptions::{is_exemption_tag, misspelled},
    output::destination,
};
use access_key_rotation::{
    aws::{
        account::Account,
        client::{CallError, Failure},
        iam::{get_user, list_access_keys},
    },
    metrics::Metrics,
    user::{Evaluated, Evaluator},
};
use anyhow::{Context, anyhow, bail};
use aws_sdk_iam::types::Tag;
use policy::{
    access_key::KeyStatus, assessment::AssessedKey, exemption::EXEMPT_KEY, parameters::Parameters, user::Tags,
};
use std::{
    io::{Write, stderr},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How many times to read the tags back, within about half a minute. IAM is eventually consistent.
const LOOKS: u32 = 12;
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long to retry a write that IAM throttles. Somebody is waiting.
const WRITE: Duration = Duration::from_secs(60);

/// The user whose exemption changes.
pub(super) struct Target<'a> {
    pub(super) account: &'a Account<'a>,
    pub(super) name: &'a str,
    /// `AIDA…`, since another user may get the name in the meantime.
    pub(super) id: &'a str,
    /// The exemption tags that the user has now, in any spelling.
    pub(super) old: &'a Tags,
}

/// Why a user's tags could not be written, and what to do about it.
pub(super) struct Unwritten {
    pub(super) why: String,
    pub(super) advice: &'static str,
}

/// Replaces the user's exemption tags with `new`. If `new` is empty, this removes the exemption.
///
/// # Errors
/// Says what is wrong, and whether anything was written.
pub(super) async fn write(
    session: &Session,
    account: &Account<'_>,
    parameters: &Parameters,
    name: &str,
    new: Tags,
) -> anyhow::Result<()> {
    let (user, tags) = get_user(account, name).await.map_err(|error| unread(account, name, &error))?;
    let (old, mut others): (Tags, Tags) = tags.into_iter().partition(|(name, _)| is_exemption_tag(name));
    let target = Target { account, name, id: &user.id.clone(), old: &old };
    target.check(&new).await?;
    others.extend(new.clone());
    let metrics = Metrics::default();
    let evaluator = Evaluator {
        account,
        parameters,
        now: session.now,
        metrics: &metrics,
        uses_of_exempt_keys: false,
        has_notices: false,
    };
    let evaluated = evaluator.with_tags(user, others).await.map_err(|error| account.error(&error))?;
    let Evaluated { assessment, .. } =
        evaluated.with_context(|| format!("{name} was deleted or renamed in the meantime. Nothing was written"))?;
    let compliance = assessment.verdict.compliance.as_str();
    let with = if new.is_empty() { "without the exemption" } else { "with the exemption" };
    let why = assessment.said().map(|said| format!(": {said}")).unwrap_or_default();
    destination::print(format!("Verdict for {name} in account {} {with}: {compliance}{why}\n", account.id)).await?;
    if let Some(without) = without_keys(&assessment.keys).filter(|_| !new.is_empty()) {
        let note =
            format!("{name} has {without}: the exemption covers nothing until somebody creates or activates one.\n");
        destination::print(note).await?;
    }
    target.replace(&new).await?;
    let done =
        if new.is_empty() { "Removed: IAM holds no exemption tags for this user.\n" } else { "Set: IAM holds it.\n" };
    destination::print(done.to_owned()).await
}

/// Says so if there is nothing to exempt: no key, or none that is active.
fn without_keys(keys: &[AssessedKey]) -> Option<&'static str> {
    match keys {
        [] => Some("no access key"),
        _ if keys.iter().any(|key| key.key.status == KeyStatus::Active) => None,
        _ => Some("no active access key"),
    }
}

impl Target<'_> {
    /// Refuses a change after which the rule would see something else than the user asked for.
    async fn check(&self, new: &Tags) -> anyhow::Result<()> {
        let Target { account, name, old, .. } = self;
        if new.is_empty() {
            return if old.is_empty() {
                bail!("{name} in account {} has no exemption tags. There is nothing to remove", account.id)
            } else {
                Ok(())
            };
        }
        let misspelled = misspelled(old);
        if !misspelled.is_empty() {
            bail!(
                "{name} has {}. The rule does not recognize this spelling, but to IAM it is the same tag as the rule's. \
                 Nothing was written. Remove it first: access-key-rotation exempt {name} --remove",
                misspelled.join(", ")
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
        bail!("--key {key}: not an access key of {name} (access keys: {known}). Nothing was written")
    }

    /// Writes the tags, and reads them back.
    async fn replace(&self, new: &Tags) -> anyhow::Result<()> {
        let mut unfinished = Unfinished(Some(format!(
            "interrupted while writing the exemption of {} in account {}. The earlier exemption may still be there, or \
             the new one may cover fewer keys than you asked for. Run the same command again",
            self.name, self.account.id
        )));
        let written = async {
            self.write(new).await.map_err(|Unwritten { why, advice }| anyhow!("{why} {advice}"))?;
            self.confirm(new).await
        };
        let written = written.await;
        unfinished.0 = None;
        written
    }

    /// Sets tags before it removes others: until the earlier `exempt-key` is gone, the new exemption covers only that key. In
    /// the other order, the earlier exemption would cover every key for a moment. Each call handles all of its tags.
    pub(super) async fn write(&self, new: &Tags) -> Result<(), Unwritten> {
        let leftover: Vec<_> = self.old.keys().filter(|name| !new.contains_key(*name)).cloned().collect();
        if !new.is_empty() {
            self.tag(new).await.map_err(|error| self.unwritten(&error, ""))?;
        }
        if !leftover.is_empty() {
            let left =
                if new.is_empty() { "" } else { " The new tags are set, but tags of the earlier exemption remain." };
            self.untag(leftover).await.map_err(|error| self.unwritten(&error, left))?;
        }
        Ok(())
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

    fn unwritten(&self, error: &CallError, left: &str) -> Unwritten {
        let advice = match error.kind {
            Failure::Denied if error.code.starts_with("AccessDenied") => {
                "The cause is probably the service control policy of templates/prevention.yaml. It allows only the roles in \
                 its ExemptionRoles to write exemptions, by default access-key-rotation-administration. Use such a role \
                 with --profile or, in another account, with --role-name. The evaluation role can never write them."
            }
            Failure::NotFound => "The user was deleted or renamed in the meantime.",
            _ if error.code == "LimitExceeded" => "A user can have at most 50 tags. Remove another tag first.",
            _ => "Check with exempt --list whether IAM holds the change, then run the same command again.",
        };
        Unwritten { why: format!("{error} for {} in account {}.{left}", self.name, self.account.id), advice }
    }

    /// Reads the tags until IAM holds exactly these exemption tags.
    pub(super) async fn confirm(&self, new: &Tags) -> anyhow::Result<()> {
        let mut held = String::new();
        for look in 0..LOOKS {
            if look > 0 {
                sleep((Duration::from_millis(100) * 2_u32.pow(look)).min(LONGEST_WAIT)).await;
            }
            let read = get_user(self.account, self.name).await;
            let (user, mut tags) = read
                .map_err(|error| anyhow!("written, but not confirmed: {}", unread(self.account, self.name, &error)))?;
            if user.id != self.id {
                bail!(
                    "the name {} now belongs to another user, {}. Check with exempt --list who is exempt",
                    self.name,
                    user.id
                );
            }
            tags.retain(|name, _| is_exemption_tag(name));
            if tags == *new {
                return Ok(());
            }
            held = shown(&tags);
        }
        bail!(
            "written, but not confirmed: IAM still shows {held}. IAM may need longer, or somebody else is writing these tags. \
             Check with exempt --list"
        )
    }
}

fn shown(tags: &Tags) -> String {
    if tags.is_empty() {
        "no exemption".to_owned()
    } else {
        tags.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    }
}

fn unread(account: &Account<'_>, name: &str, error: &CallError) -> anyhow::Error {
    match error.kind {
        Failure::NotFound => anyhow!("account {} has no user {name}", account.id),
        _ => account.error(error).into(),
    }
}

/// The message for Ctrl-C, which drops the future that writes.
struct Unfinished(Option<String>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(text) = &self.0 {
            // A closed standard error is no reason to panic.
            let _ = writeln!(stderr(), "access-key-rotation: {text}");
        }
    }
}
