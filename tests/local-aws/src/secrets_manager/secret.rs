//! Secrets, their versions and labels, and what tests make of them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::Account;
use crate::ids;

pub(super) const CURRENT: &str = "AWSCURRENT";
const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// How many versions Secrets Manager keeps, besides those of the last day.
const KEPT: usize = 100;
/// How long ListSecrets may show a secret as it was.
const MOST_STALE: TimeDelta = TimeDelta::minutes(5);

static NONE: BTreeMap<String, Secret> = BTreeMap::new();

/// The secrets of an account, by Region and name.
#[derive(Default)]
pub(crate) struct Secrets {
    by_region: BTreeMap<String, BTreeMap<String, Secret>>,
    listing_delay: TimeDelta,
    /// What listings may still show, the oldest first.
    past: Vec<Past>,
}

/// A secret before a change.
struct Past {
    region: String,
    name: String,
    until: DateTime<Utc>,
    /// `None` before it was created.
    secret: Option<Secret>,
}

/// A secret. Tests may change everything, as its owner or AWS does.
#[derive(Clone, Debug)]
pub struct Secret {
    /// The ARN, which ends in a hyphen and six random characters.
    pub arn: String,
    /// The name.
    pub name: String,
    /// When it was created.
    pub created: DateTime<Utc>,
    /// When it was last changed.
    pub changed: DateTime<Utc>,
    /// The customer's KMS key. Without one, AWS's own encrypts the secret.
    pub kms_key_id: Option<String>,
    /// Whether Secrets Manager rotates it. `None` if that was never set up.
    pub rotation_enabled: Option<bool>,
    /// The service that created and manages it.
    pub owning_service: Option<String>,
    /// The Region that it is replicated from, or its own Region if that has replicas elsewhere.
    pub primary_region: Option<String>,
    /// When it will be deleted, if that is planned.
    pub deleted: Option<DateTime<Utc>>,
    /// The actions, such as `PutSecretValue`, that its resource policy denies everybody.
    pub denied: BTreeSet<String>,
    /// The tags.
    pub tags: BTreeMap<String, String>,
    /// The versions by id.
    pub versions: BTreeMap<String, SecretVersion>,
    /// The staging labels, each with the id of the one version that has it.
    pub stages: BTreeMap<String, String>,
}

/// A version of a secret.
#[derive(Clone, Debug)]
pub struct SecretVersion {
    /// When it was created.
    pub created: DateTime<Utc>,
    /// What it holds.
    pub value: SecretValue,
}

/// What a version holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretValue {
    /// `SecretString`
    String(String),
    /// `SecretBinary`
    Binary(Vec<u8>),
}

impl Account {
    /// The secrets in a Region, by name.
    pub fn secrets(&self, region: &str) -> &BTreeMap<String, Secret> {
        self.secrets.by_region.get(region).unwrap_or(&NONE)
    }

    /// Creates a secret without any version, as at that time, and returns its ARN. An existing one stays as it is.
    pub fn create_secret(&mut self, at: DateTime<Utc>, region: &str, name: &str) -> String {
        if let Some(secret) = self.secrets(region).get(name) {
            return secret.arn.clone();
        }
        let suffix = ids::secret_suffix(&mut self.rng);
        let arn = format!("arn:aws:secretsmanager:{region}:{}:secret:{name}-{suffix}", self.id());
        let secret = Secret {
            arn: arn.clone(),
            name: name.to_owned(),
            created: at,
            changed: at,
            kms_key_id: None,
            rotation_enabled: None,
            owning_service: None,
            primary_region: None,
            deleted: None,
            denied: BTreeSet::new(),
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            stages: BTreeMap::new(),
        };
        self.remember_secret(at, region, name);
        self.secrets.by_region.entry(region.to_owned()).or_default().insert(name.to_owned(), secret);
        arn
    }

    /// Changes a secret, as at that time. `None` if there is none with that name.
    pub fn change_secret<R>(
        &mut self,
        at: DateTime<Utc>,
        region: &str,
        name: &str,
        change: impl FnOnce(&mut Secret) -> R,
    ) -> Option<R> {
        self.secrets(region).get(name)?;
        self.remember_secret(at, region, name);
        let secret = self.secrets.by_region.get_mut(region)?.get_mut(name)?;
        secret.changed = at;
        Some(change(secret))
    }

    /// Stores a string as the current version, as the owner does at that time, and returns its id. `None` if there is no such
    /// secret.
    pub fn put_secret_value(&mut self, at: DateTime<Utc>, region: &str, name: &str, value: &str) -> Option<String> {
        let id = ids::request_id(&mut self.rng);
        let value = SecretValue::String(value.to_owned());
        self.change_secret(at, region, name, |secret| secret.put(at, &id, value, &[]))?;
        Some(id)
    }

    /// Deletes a secret for good, and returns whether it existed.
    pub fn delete_secret(&mut self, at: DateTime<Utc>, region: &str, name: &str) -> bool {
        self.remember_secret(at, region, name);
        self.secrets.by_region.get_mut(region).is_some_and(|secrets| secrets.remove(name).is_some())
    }

    /// Sets how long ListSecrets shows secrets as they were before later changes: up to five minutes. At first, it shows them as
    /// they are.
    pub fn set_secret_listing_delay(&mut self, delay: TimeDelta) {
        self.secrets.listing_delay = delay.min(MOST_STALE);
    }

    fn remember_secret(&mut self, until: DateTime<Utc>, region: &str, name: &str) {
        let delay = self.secrets.listing_delay;
        self.secrets.past.retain(|past| past.until > self.now - delay);
        if delay > TimeDelta::zero() {
            let secret = self.secrets(region).get(name).cloned();
            self.secrets.past.push(Past { region: region.to_owned(), name: name.to_owned(), until, secret });
        }
    }

    /// The secrets in a Region as ListSecrets shows them now.
    pub(super) fn listed_secrets(&self, region: &str) -> BTreeMap<&str, &Secret> {
        let shown = self.now - self.secrets.listing_delay;
        let mut listed: BTreeMap<_, _> =
            self.secrets(region).iter().map(|(name, secret)| (name.as_str(), secret)).collect();
        // The oldest comes last, so that it counts.
        for past in self.secrets.past.iter().rev().filter(|past| past.region == region && past.until > shown) {
            match &past.secret {
                Some(secret) => listed.insert(&past.name, secret),
                None => listed.remove(past.name.as_str()),
            };
        }
        listed
    }
}

impl Secret {
    /// The version that has this label.
    pub fn staged(&self, stage: &str) -> Option<&SecretVersion> {
        self.versions.get(self.stages.get(stage)?)
    }

    /// Adds a version, and gives it these labels, or `AWSCURRENT` if there are none. The first version is always current.
    pub fn put(&mut self, at: DateTime<Utc>, id: &str, value: SecretValue, stages: &[&str]) {
        let is_current = stages.is_empty() || self.versions.is_empty();
        let stages: BTreeSet<_> = stages.iter().copied().chain(is_current.then_some(CURRENT)).collect();
        let before = self.stages.get(CURRENT).cloned();
        self.versions.insert(id.to_owned(), SecretVersion { created: at, value });
        for stage in stages {
            self.attach(stage, id);
        }
        // As recorded from AWS: the version that was current does not stay the pending one.
        if before != self.stages.get(CURRENT).cloned() && before.as_ref() == self.stages.get(PENDING) {
            self.stages.remove(PENDING);
        }
    }

    /// Moves a label to a version. The version that was current becomes the previous one.
    pub(super) fn attach(&mut self, stage: &str, id: &str) {
        let before = self.stages.insert(stage.to_owned(), id.to_owned());
        if let Some(before) = before.filter(|before| stage == CURRENT && before != id) {
            self.stages.insert(PREVIOUS.to_owned(), before);
        }
    }

    /// Deletes old versions without labels that are too many. Returns whether there is room for one more.
    pub(super) fn make_room(&mut self, now: DateTime<Utc>) -> bool {
        let labelled: BTreeSet<_> = self.stages.values().collect();
        let day = TimeDelta::days(1);
        let mut old: Vec<_> = self.versions.iter().filter(|(id, _)| !labelled.contains(id)).collect();
        old.retain(|(_, version)| now - version.created > day);
        old.sort_by_key(|(_, version)| version.created);
        let too_many = (self.versions.len() + 1).saturating_sub(KEPT);
        let gone: Vec<_> = old.into_iter().take(too_many).map(|(id, _)| id.clone()).collect();
        for id in gone {
            self.versions.remove(&id);
        }
        self.versions.len() < KEPT
    }

    /// The labels of each version that has any.
    pub(super) fn stages_by_version(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut stages: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (stage, id) in &self.stages {
            stages.entry(id.as_str()).or_default().push(stage.as_str());
        }
        stages
    }
}
