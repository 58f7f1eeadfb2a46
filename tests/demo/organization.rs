//! An organization that is the same each time, except for the dates.

use crate::{callers, rotating};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use deployment::organize;
use fastrand::Rng;
use local_aws::{AccessKey, Account, KeyStatus, Recorder, User, World};

const SERVICES: [&str; 8] = ["backup", "billing", "ci", "etl", "mailer", "metrics", "terraform", "vendor"];
const TEAMS: [&str; 4] = ["data", "payments", "platform", "web"];
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-southeast-2"];
/// The names of the first accounts. The others get numbers.
const NAMES: [&str; 3] = ["security", "payments", "research"];

/// The accounts, and what happens in them later.
pub(crate) struct Organization {
    /// The first is the security account, which has the function.
    pub(crate) accounts: Vec<String>,
}

impl Organization {
    /// Spreads the users evenly. `non_compliant` percent of them have a stale key and no exemption.
    pub(crate) fn seed(world: &mut World, accounts: u16, users: u32, non_compliant: u8) -> Organization {
        let now = midnight(world);
        let mut random = Rng::with_seed(1);
        let ids: Vec<_> = (1..=u64::from(accounts)).map(|n| format!("{:012}", 111_122_220_000 + n * 1111)).collect();
        for n in 0..users {
            let (account, within) = (world.account(&ids[n as usize % ids.len()]), n / u32::from(accounts));
            let name = format!("{}-{n:05}", SERVICES[n as usize % SERVICES.len()]);
            account.create_user(&name, now - days(random.i64(400..2000)));
            // Some users have no owner.
            if random.u8(0..5) > 0 {
                account.tag_user(&name, "owner", TEAMS[random.usize(0..TEAMS.len())]);
            }
            if random.u8(0..4) == 0 {
                account.tag_user(&name, "environment", "production");
            }
            let in_violation = within * u32::from(non_compliant) % 100 < u32::from(non_compliant);
            match within {
                // One exemption in each account ends today.
                1 => exempt(account, &name, now, now, &mut random),
                _ => seed_keys(account, &name, in_violation, now, &mut random),
            }
        }
        for (n, id) in ids.iter().enumerate() {
            // One root user has an access key.
            other_credentials(world.account(id), now, n + 1 == ids.len());
            exposed(world.account(id), now);
        }
        Organization { accounts: ids }
    }

    pub(crate) fn hub(&self) -> &str {
        &self.accounts[0]
    }

    pub(crate) fn last(&self) -> &str {
        &self.accounts[self.accounts.len() - 1]
    }

    /// Makes the accounts an organization whose first account may read all others.
    pub(crate) fn organize(&self, world: &mut World) {
        let name = |n: usize| NAMES.get(n).map_or_else(|| format!("workload-{}", n + 1), |name| (*name).to_owned());
        let named: Vec<_> = self.accounts.iter().enumerate().map(|(n, id)| (id.as_str(), name(n))).collect();
        organize(world, self.hub(), &named, &format!("arn:aws:iam::{}:root", self.hub()));
    }

    /// Adds what the command line and the runbooks find.
    pub(crate) fn prepare(&self, world: &mut World) {
        let today = midnight(world);
        // For the doctor.
        world.account(self.last()).set_recorder(Some(Recorder { recording: false, ..Recorder::of_everything() }));
        rotating::seed(world, self.hub(), today);
        for id in &self.accounts {
            callers::seed(world.account(id), today);
        }
    }

    /// In each account, the first five users with one stale key rotate it.
    pub(crate) fn rotate_some(&self, world: &mut World) {
        let now = midnight(world);
        for id in &self.accounts {
            let account = world.account(id);
            let stale: Vec<_> = in_violation(account, now)
                .filter(|user| user.keys.len() == 1)
                .map(|user| (user.name.clone(), user.keys[0].id.clone()))
                .take(5)
                .collect();
            for (user, key) in stale {
                if account.create_key(&user, now).is_ok() {
                    account.set_key_status(&user, &key, KeyStatus::Inactive);
                }
            }
        }
    }

    /// A user of the hub who is to rotate a key.
    pub(crate) fn in_violation(&self, world: &mut World) -> Option<String> {
        let now = world.now();
        in_violation(world.account(self.hub()), now).next().map(|user| user.name.clone())
    }
}

/// When the day began, so that all dates are the same whenever on a day the demo runs.
fn midnight(world: &World) -> DateTime<Utc> {
    world.now().date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// The users who have a stale key, and no tag of an exemption.
fn in_violation(account: &Account, now: DateTime<Utc>) -> impl Iterator<Item = &User> {
    account.users().filter(move |user| {
        !user.tags.contains_key("access-key-rotation:exempt-until") && user.keys.iter().any(|key| is_stale(key, now))
    })
}

/// Whether it is active and older than the rule's limit.
pub(crate) fn is_stale(key: &AccessKey, now: DateTime<Utc>) -> bool {
    key.status == KeyStatus::Active && now - key.created > days(90)
}

fn seed_keys(account: &mut Account, name: &str, in_violation: bool, now: DateTime<Utc>, random: &mut Rng) {
    let age = if in_violation {
        days(random.i64(91..700))
    } else {
        match random.u8(0..100) {
            0..45 => return,                    // no key
            45..90 => days(random.i64(1..76)),  // young
            90..93 => days(random.i64(77..90)), // due soon
            93..98 => return old_but_inactive(account, name, now, random),
            98 => return exempt(account, name, now + days([30, 90][random.usize(0..2)]), now, random),
            _ => days(random.i64(1..60)),
        }
    };
    let Ok(key) = account.create_key(name, now - age) else { return };
    if random.u8(0..10) > 0 {
        let used = now - TimeDelta::hours(random.i64(1..400)).min(age);
        account.use_key(&key, used, REGIONS[random.usize(0..REGIONS.len())], ["s3", "sqs", "ec2"][random.usize(0..3)]);
    }
    if in_violation && random.u8(0..5) == 0 {
        drop(account.create_key(name, now - days(random.i64(91..400))));
    }
    if in_violation && random.u8(0..6) == 0 {
        // Tagged, but still in violation.
        let expired = (now - days(29)).format("%Y-%m-%d").to_string();
        account.tag_user(name, "access-key-rotation:exempt-until", [&expired, "soon"][random.usize(0..2)]);
        account.tag_user(name, "access-key-rotation:exempt-owner", "platform");
    }
}

fn old_but_inactive(account: &mut Account, name: &str, now: DateTime<Utc>, random: &mut Rng) {
    if let Ok(key) = account.create_key(name, now - days(random.i64(100..900))) {
        account.set_key_status(name, &key, KeyStatus::Inactive);
    }
}

fn exempt(account: &mut Account, name: &str, until: DateTime<Utc>, now: DateTime<Utc>, random: &mut Rng) {
    drop(account.create_key(name, now - days(random.i64(91..400))));
    account.tag_user(name, "access-key-rotation:exempt-until", &until.format("%Y-%m-%d").to_string());
    account.tag_user(name, "access-key-rotation:exempt-owner", "platform");
    account.tag_user(name, "access-key-rotation:exempt-reason", "migration to roles under way");
}

/// AWS has found the key of the account's last user with a young key in public.
fn exposed(account: &mut Account, now: DateTime<Utc>) {
    let is_young = |user: &&User| matches!(&user.keys[..], [key] if now - key.created < days(60));
    let last = account.users().filter(is_young).last().map(|user| user.name.clone());
    if let Some(user) = last {
        account.attach_policies(&user, &["arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3"]);
    }
}

/// Credentials that the rule does not cover, of the account's next users after the first one, whom the demo deletes.
fn other_credentials(account: &mut Account, now: DateTime<Utc>, has_root_key: bool) {
    let kinds = [
        ("bedrock.amazonaws.com", 210, None),
        ("codecommit.amazonaws.com", 1300, None),
        ("logs.amazonaws.com", 60, Some(now + days(30))),
    ];
    let users: Vec<_> = account.users().map(|user| user.name.clone()).skip(1).take(kinds.len()).collect();
    for (user, (service, age, expires)) in users.iter().zip(kinds) {
        drop(account.create_service_specific_credential(user, service, now - days(age), expires));
    }
    if has_root_key {
        account.create_root_access_key(now - days(2900));
    }
}

fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}
