//! The users whom every tool reads.

use crate::ACCOUNT;
use chrono::{TimeDelta, Utc};
use deployment::deploy;
use local_aws::{Account, Credentials, Fault, FaultKind, KeyStatus, KeyUses, LocalAws, REGION, SecretValue, World};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// Stale, and exempt for a month: no tool should report this user.
pub(crate) const EXEMPT: &str = "user-0050";
/// Stale. Somebody switched the key off and on today.
pub(crate) const SWITCHED: &str = "user-0100";
/// Stale. The exemption has ended.
const ENDED: &str = "user-0200";
/// The user whose keys AWS refuses to list, and who has a stale key.
const REFUSED: &str = "user-0000";
const SECRET: &str = "shop/mailer";
const TAG: &str = "access-key-rotation:";

/// What AWS refuses to the tool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Refused {
    Nothing,
    /// `ListAccessKeys` of one user with a stale key.
    KeysOfOne,
    Report,
}

/// A local AWS with an account of old users, each with a key. Every hundredth key is stale, and every other one of these is in
/// use. Each answer takes 30 ms.
pub(crate) struct Population {
    pub(crate) aws: LocalAws,
    pub(crate) credentials: Credentials,
    /// The names of those whom a tool should report.
    pub(crate) stale: BTreeSet<String>,
}

impl Population {
    pub(crate) async fn start(users: usize, refused: Refused) -> Population {
        let mut world = World::live_clock();
        let credentials = deploy(&mut world, ACCOUNT, &[]);
        let stale = populate(world.account(ACCOUNT), users);
        let mut fault = |action: Option<&str>, user: Option<&str>, kind| {
            let [action, user] = [action, user].map(|name| name.map(str::to_owned));
            world.faults.add(Fault { account: None, action, user, kind });
        };
        fault(None, None, FaultKind::Latency(Duration::from_millis(30)));
        match refused {
            Refused::Nothing => {}
            Refused::KeysOfOne => fault(Some("ListAccessKeys"), Some(REFUSED), FaultKind::AccessDenied),
            Refused::Report => {
                fault(Some("GenerateCredentialReport"), None, FaultKind::AccessDenied);
                fault(Some("GetCredentialReport"), None, FaultKind::AccessDenied);
            }
        }
        Population { aws: LocalAws::start(world).await.unwrap(), credentials, stale }
    }

    pub(crate) fn account<R>(&self, read: impl FnOnce(&mut Account) -> R) -> R {
        read(self.aws.world().account(ACCOUNT))
    }

    /// The calls of an action, or of all, since the last [`clear_calls`](World::clear_calls).
    pub(crate) fn calls(&self, action: Option<&str>) -> usize {
        let world = self.aws.world();
        world.calls().iter().filter(|call| action.is_none_or(|action| call.action == action)).count()
    }

    /// How many of the stale keys are switched off, of those in use and of those that nobody uses.
    pub(crate) fn switched_off(&self) -> [(usize, usize); 2] {
        let count = |in_use| {
            self.account(|account| {
                let keys = account.users().filter(|user| self.stale.contains(&user.name)).flat_map(|user| &user.keys);
                let keys: Vec<_> = keys.filter(|key| key.last_used.is_some() == in_use).collect();
                (keys.iter().filter(|key| key.status == KeyStatus::Inactive).count(), keys.len())
            })
        };
        [count(true), count(false)]
    }
}

fn populate(account: &mut Account, users: usize) -> BTreeSet<String> {
    let now = Utc::now();
    let name = |n: usize| format!("user-{n:04}");
    let age = |n| if n % 100 == 0 || name(n) == EXEMPT { 120 } else { 10 };
    account.populate(now, users, age).unwrap();
    let key_of = |account: &Account, user: &str| account.user(user).map(|user| user.keys[0].id.clone());
    if let Some(key) = key_of(account, SWITCHED) {
        account.set_key_status(SWITCHED, &key, KeyStatus::Inactive);
        account.set_key_status(SWITCHED, &key, KeyStatus::Active);
    }
    for (user, days) in [(EXEMPT, 30), (ENDED, -1)] {
        let until = (now + TimeDelta::days(days)).format("%Y-%m-%d").to_string();
        account.tag_user(user, &format!("{TAG}exempt-until"), &until);
        account.tag_user(user, &format!("{TAG}exempt-owner"), "team-a");
    }
    for key in (0..users).step_by(200).filter_map(|n| key_of(account, &name(n))).collect::<Vec<_>>() {
        let last = now - TimeDelta::hours(2);
        account.use_key(&key, last, REGION, "s3");
        account.add_key_uses(KeyUses { every: TimeDelta::hours(1), count: 100, ..KeyUses::once(&key, last) });
    }
    (0..users).step_by(100).map(name).collect()
}

/// A user whose key is due in a day, and the secret from which a consumer reads it.
pub(crate) fn add_secret(account: &mut Account) {
    const USER: &str = "shop-mailer";
    let now = Utc::now();
    let created = now - TimeDelta::days(74) - TimeDelta::hours(1);
    account.create_user(USER, now - TimeDelta::days(400));
    account.tag_user(USER, &format!("{TAG}secret"), SECRET);
    let key = account.create_key(USER, created).unwrap();
    let value = json!({ "AccessKeyId": key, "SecretAccessKey": "any" });
    account.create_secret(created, REGION, SECRET);
    account.put_secret_value(created, REGION, SECRET, &value.to_string());
    account.change_secret(now, REGION, SECRET, |secret| secret.tags.insert(format!("{TAG}user"), USER.to_owned()));
}

/// The consumer reads the secret, and uses the key if it is active. Gives the key's id if it is.
pub(crate) fn consume(world: &mut World) -> Option<String> {
    let now = world.now();
    let account = world.account(ACCOUNT);
    let secret = account.secrets(REGION).get(SECRET)?;
    let SecretValue::String(text) = &secret.staged("AWSCURRENT")?.value else { return None };
    let value: Value = serde_json::from_str(text).unwrap();
    let id = value["AccessKeyId"].as_str()?.to_owned();
    let keys = account.users().flat_map(|user| &user.keys);
    let is_active = keys.filter(|key| key.status == KeyStatus::Active).any(|key| key.id == id);
    account.use_key(&id, now - TimeDelta::hours(1), REGION, "s3");
    is_active.then_some(id)
}
