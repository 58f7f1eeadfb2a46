//! Simulates an account over up to a year: whatever happened, also between two calls, whatever AWS answered, and wherever an
//! invocation ended, a complete sweep's results are what the definition says of that instant.

#[path = "../seeds.rs"]
mod seeds;

use crate::support::*;
use access_key_rotation::error::Error;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use fastrand::Rng;
use local_aws::{ComplianceType::*, Failing, FaultKind, KeyStatus, User, events};
use policy::{annotation::without_name, skip_until::is_routine};
use serde_json::Value;
use std::{collections::BTreeMap, time::Duration};
use tokio::runtime::Builder;

const USERS: usize = 6;

/// The rule's parameters, as they change.
struct Rule {
    limit: i64,
    warn: i64,
    deliver: &'static str,
}

impl Rule {
    fn by_chance(random: &mut Rng) -> Rule {
        Rule {
            limit: [1, 2, 30, 90, 90, 90][random.usize(0..6)],
            warn: [0, 1, 14, 14, 60][random.usize(0..5)],
            deliver: ["changes", "all"][random.usize(0..2)],
        }
    }

    fn parameters(&self) -> [(&'static str, String); 3] {
        [
            ("maxAccessKeyAge", self.limit.to_string()),
            ("warnBeforeDays", self.warn.to_string()),
            ("deliver", self.deliver.to_owned()),
        ]
    }
}

struct History {
    deployment: Deployment,
    random: Rng,
    rule: Rule,
    /// Change notifications that are still on their way.
    events: Vec<Value>,
    names: usize,
}

impl History {
    async fn start(seed: u64) -> History {
        let mut random = Rng::with_seed(seed);
        let rule = Rule::by_chance(&mut random);
        let mut history = History { deployment: Deployment::start().await, random, rule, events: Vec::new(), names: 0 };
        for _ in 0..USERS {
            history.create_user();
        }
        history
    }

    fn now(&self) -> DateTime<Utc> {
        self.deployment.aws.world().now()
    }

    /// Seconds, around what the limit makes of a key, or anywhere within three times that.
    fn span(&mut self) -> TimeDelta {
        let day = 86_400;
        let (limit, warn) = (self.rule.limit * day, self.rule.warn * day);
        let near = self.random.i64(-2..3);
        TimeDelta::seconds(match self.random.u8(0..5) {
            0 => self.random.i64(0..limit * 3),
            1 => (limit + near).max(0),
            2 => (limit - warn + near).max(0),
            3 => (limit - warn - day + near).max(0),
            _ => self.random.i64(0..day * 3),
        })
    }

    /// A user with a past: the keys are as old as chance has it, but no key is older than its user.
    fn create_user(&mut self) {
        self.names += 1;
        let (name, now) = (format!("user-{}", self.names), self.now());
        let created = now - self.span();
        let keys: Vec<_> = (0..self.random.usize(0..3)).map(|_| (now - self.span()).max(created)).collect();
        self.deployment.member(|account| {
            account.create_user(&name, created);
            keys.into_iter().for_each(|created| drop(account.create_key(&name, created)));
        });
    }

    fn user(&mut self) -> Option<User> {
        let users: Vec<_> = self.deployment.member(|account| account.users().cloned().collect());
        (!users.is_empty()).then(|| users[self.random.usize(0..users.len())].clone())
    }

    /// Something that somebody does to the account.
    fn happen(&mut self) {
        let Some(user) = self.user() else { return self.create_user() };
        let (name, now) = (user.name.clone(), self.now());
        let key = (!user.keys.is_empty()).then(|| user.keys[self.random.usize(0..user.keys.len())].id.clone());
        let what = self.random.u8(0..24);
        let status =
            [KeyStatus::Active, KeyStatus::Active, KeyStatus::Inactive, KeyStatus::Expired][self.random.usize(0..4)];
        let until = now.date_naive() + TimeDelta::days(self.random.i64(-3..400));
        self.names += 1;
        let new_name = format!("user-{}", self.names);
        self.deployment.member(|account| match (what, key) {
            (0..5, _) => drop(account.create_key(&name, now)),
            (5..10, Some(key)) => drop(account.set_key_status(&name, &key, status)),
            (10 | 11, Some(key)) => drop(account.delete_key(&name, &key)),
            (12, _) => drop(account.delete_user(&name)),
            (13, _) => {
                account.delete_user(&name);
                account.create_user(&name, now);
            }
            (14, _) => drop(account.rename_user(&name, &new_name)),
            (15..18, key) => {
                account.tag_user(&name, "access-key-rotation:exempt-until", &until.to_string());
                account.tag_user(&name, "access-key-rotation:exempt-owner", ["payments", ""][usize::from(what == 17)]);
                if let Some(key) = key.filter(|_| what == 16) {
                    account.tag_user(&name, "access-key-rotation:exempt-key", &key);
                }
            }
            (18, _) => {
                for tag in ["until", "owner", "key"] {
                    account.untag_user(&name, &format!("access-key-rotation:exempt-{tag}"));
                }
            }
            _ => {}
        });
        match what {
            19 => self.rule = Rule::by_chance(&mut self.random),
            20 => self.create_user(),
            21 => self.lose_or_spoil_results(),
            _ => {}
        }
        // A change of a user, but not of a key, sends a notification: at once, later, or never.
        if (12..19).contains(&what) {
            let parameters = self.rule.parameters();
            let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let event = events::change(&mut self.deployment.aws.world(), MEMBER, RULE, &name, &parameters);
            self.events.extend(event);
        }
    }

    /// Results are lost, are somebody else's words, or claim what they cannot prove.
    fn lose_or_spoil_results(&mut self) {
        let now = self.now();
        let random = &mut self.random;
        self.deployment.member(|account| {
            let results = account.results_mut(RULE).unwrap();
            results.retain(|_, _| random.u8(0..4) > 0);
            for result in results.values_mut() {
                let day = (now + TimeDelta::days(random.i64(0..90))).date_naive();
                let beyond = (result.result_recorded_time + TimeDelta::days(90)).date_naive();
                result.annotation = match random.u8(0..8) {
                    0 => None,
                    1 => Some(String::new()).filter(|_| false),
                    2 => Some("COMPLIANT".to_owned()),
                    3 => Some(format!("No access key becomes stale before {day} (limit 91 days).")),
                    4 => Some(format!("No access key becomes stale before {beyond} (limit 90 days).")),
                    5 => Some(format!("no access key becomes stale before {day} (limit 90 days).")),
                    6 => Some(format!(
                        "The user had no access key on {day}. None becomes stale before {day} (limit 90 days)."
                    )),
                    _ => result.annotation.take(),
                };
            }
        });
    }

    async fn deliver_some_events(&mut self) {
        self.random.shuffle(&mut self.events);
        let number = self.random.usize(0..=self.events.len());
        for event in self.events.split_off(self.events.len() - number) {
            match self.deployment.send(&event).await.0 {
                // Lambda repeats it.
                Err(Error::NotYetConsistent(_)) => self.events.push(event),
                outcome => outcome.unwrap(),
            }
        }
    }

    /// AWS fails calls of one action, or of all.
    fn fail_some_calls(&mut self) {
        let actions = [
            "ListUsers",
            "ListAccessKeys",
            "GetUser",
            "GetAccessKeyLastUsed",
            "GetComplianceDetailsByConfigRule",
            "PutEvaluations",
        ];
        let action = actions.get(self.random.usize(0..actions.len() + 2)).copied();
        let kind = match self.random.u8(0..10) {
            0 => FaultKind::Throttle { probability: 0.5 },
            1 => FaultKind::ServerError { probability: 0.5 },
            2 => FaultKind::Latency(Duration::from_secs(self.random.u64(1..40))),
            3 => FaultKind::AccessDenied,
            4 if action.is_some_and(|action| action != "PutEvaluations") => FaultKind::NoSuchEntity,
            5 => FaultKind::BreakOffAfterCalls(self.random.usize(0..6)),
            6 => FaultKind::FailedEvaluations { times: 1, which: Failing::First(self.random.usize(1..4)) },
            7 => FaultKind::ShortPages(self.random.usize(1..3)),
            8 => FaultKind::RepeatedMarker,
            _ => FaultKind::Reset,
        };
        self.deployment.fault(action, None, kind);
    }

    /// A sweep or a change during which somebody acts between two calls, AWS may fail calls, and that may end at any later call.
    async fn disturbed(&mut self) {
        let Some(user) = self.user() else { return };
        let parameters = self.rule.parameters();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let event = {
            let world = &mut self.deployment.aws.world();
            let change = events::change(world, MEMBER, RULE, &user.name, &parameters);
            if self.random.bool() { change.unwrap() } else { events::scheduled(world, MEMBER, RULE, &parameters) }
        };
        self.names += 1;
        let (act, new_name) = (self.random.u8(0..4), format!("user-{}", self.names));
        let other = self.user().map_or_else(String::new, |user| user.name);
        let at = self.random.usize(0..20);
        self.deployment.aws.world().after_calls(at, move |world| {
            let (now, name) = (world.now(), user.name);
            let account = world.account(MEMBER);
            match act {
                0 => drop(account.rename_user(&name, &new_name)),
                1 => {
                    account.rename_user(&name, &new_name);
                    account.create_user(&name, now);
                    account.create_key(&name, now).unwrap();
                }
                2 if other != name => {
                    account.rename_user(&name, &new_name);
                    account.rename_user(&other, &name);
                    account.rename_user(&new_name, &other);
                }
                _ => {
                    account.delete_user(&name);
                    account.create_user(&name, now);
                }
            }
        });
        if self.random.bool() {
            self.fail_some_calls();
        }
        let end = if self.random.bool() { self.random.usize(at..25) } else { usize::MAX };
        self.deployment.send_and_kill(&event, end).await;
        self.deployment.aws.world().forget_acts();
        self.deployment.aws.world().faults.clear();
    }

    /// Sweeps, and checks every result against the definition.
    async fn sweep(&mut self) {
        let parameters = self.rule.parameters();
        let parameters: Vec<_> = parameters.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.deployment.sweep(&parameters).await;
        let Rule { limit, warn, .. } = self.rule;
        self.deployment.assert_all_right(limit);
        let now = self.now();
        self.deployment.member(|account| {
            let results = account.results(RULE);
            let users: BTreeMap<_, _> = account.users().map(|user| (&user.id, user)).collect();
            for (id, result) in results {
                match users.get(id) {
                    Some(user) => {
                        let said = result.annotation.as_deref().unwrap_or_default();
                        assert_true(said, result.compliance == NonCompliant, user, now, (limit, warn));
                    }
                    None => assert_eq!(result.compliance, NotApplicable, "{id} is gone"),
                }
            }
        });
    }
}

/// Whether an annotation says what is so, and leaves out nothing that somebody should know.
fn assert_true(annotation: &str, violation: bool, user: &User, now: DateTime<Utc>, (limit, warn): (i64, i64)) {
    let what = || format!("{annotation:?} of {user:?} at {now}, limit {limit}, warn {warn}");
    let said = without_name(annotation, &user.name);
    let has_name = said.len() < annotation.len();
    let is_room = user.name.len() + ": ".len() + said.len() <= 256 && !said.contains("...");
    assert!(if is_routine(said) { !has_name } else { has_name || !is_room }, "{}", what());
    let older = |key: &local_aws::AccessKey, days: i64| now - key.created > TimeDelta::days(days);
    let active: Vec<_> = user.keys.iter().filter(|key| key.status == KeyStatus::Active).collect();
    let due = |key: &local_aws::AccessKey| (key.created + TimeDelta::days(limit)).date_naive();
    let names =
        |key: &local_aws::AccessKey| said.contains(&key.id) && said.contains(&key.created.date_naive().to_string());
    if violation {
        let stale = active.iter().filter(|key| older(key, limit));
        assert!(
            stale.clone().any(|key| said.starts_with(&key.id) && said.contains(&format!("due {}", due(key)))),
            "{}",
            what()
        );
        assert!(said.contains("(limit ") && said.contains(" is stale: created "), "{}", what());
        return;
    }
    if active.iter().any(|key| older(key, limit)) {
        let until = &user.tags["access-key-rotation:exempt-until"];
        assert!(said.starts_with(&format!("Exempt until {until} (owner: payments): AKIA")), "{}", what());
        return;
    }
    let due_soon: Vec<_> = active.iter().filter(|key| older(key, limit - warn)).collect();
    let outlived: Vec<_> =
        user.keys.iter().filter(|key| key.status != KeyStatus::Active && older(key, limit)).collect();
    for key in &due_soon {
        assert!(names(key) && said.contains(&format!(" on {}", due(key))), "{}", what());
    }
    for key in &outlived {
        assert!(names(key) && said.contains("Delete "), "{}", what());
    }
    if !due_soon.is_empty() || !outlived.is_empty() {
        return;
    }
    if said == "The user has no access key." {
        assert!(user.keys.is_empty(), "{}", what());
        return;
    }
    let (_, before) = said.split_once("ecomes stale before ").unwrap_or_else(|| panic!("{}", what()));
    let day: NaiveDate = before[..10].parse().unwrap();
    assert!(
        user.keys.iter().all(|key| day < due(key)) && day < (now + TimeDelta::days(limit)).date_naive(),
        "{}",
        what()
    );
}

#[test]
fn a_sweep_after_every_history_equals_the_definition() {
    seeds::each_history(300, |seed| {
        // The SDK's retries and ours take their pauses from it.
        fastrand::seed(seed);
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(history(seed));
    });
}

async fn history(seed: u64) {
    let mut history = History::start(seed).await;
    for _ in 0..25 {
        for _ in 0..history.random.usize(0..6) {
            history.happen();
        }
        let later = match history.random.u8(0..4) {
            0 => history.span(),
            1 => TimeDelta::days(history.random.i64(0..500)),
            _ => TimeDelta::hours(history.random.i64(0..30)),
        };
        // What is three minutes old is known everywhere in IAM.
        let known = TimeDelta::minutes(3);
        history.deployment.aws.world().advance((later - known).max(TimeDelta::zero()));
        history.deliver_some_events().await;
        if history.random.u8(0..3) == 0 {
            history.disturbed().await;
        }
        history.deployment.aws.world().advance(known);
        history.sweep().await;
    }
}

/// Whatever the number of users, and whatever Config does not take at once.
#[tokio::test(start_paused = true)]
async fn results_are_delivered_once_in_batches_of_at_most_a_hundred() {
    for seed in 0..16u64 {
        let mut random = Rng::with_seed(seed);
        let users = random.usize(0..420);
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), users, 2, 50));
        let times = random.u32(0..3);
        let which = Failing::First(random.usize(1..30));
        deployment.fault(None, None, FaultKind::FailedEvaluations { times, which });
        deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        let deliveries = deployment.member(|account| account.deliveries(RULE).to_vec());
        assert!(deliveries.iter().all(|delivery| delivery.evaluations <= 100), "{users} users: {deliveries:?}");
        let taken: usize = deliveries.iter().map(|delivery| delivery.evaluations - delivery.failed).sum();
        assert_eq!(taken, users, "{deliveries:?}");
        let most = users.div_ceil(100).max(1) + times as usize;
        assert!(deliveries.len() <= most, "{users} users: {deliveries:?}");
    }
}
