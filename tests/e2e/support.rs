//! A deployment of the rule on a local AWS: a hub account with the function's role, member accounts with the evaluation
//! role and the rule.

use access_key_rotation::{error::Error, metrics::Metrics};
use chrono::{DateTime, NaiveTime, TimeDelta, Utc};
use deployment::InProcess;
use local_aws::{
    AccessKey, Account, ComplianceType, Credentials, Fault, FaultKind, KeyStatus, LocalAws, REGION, User, World, events,
};
use serde_json::Value;
use std::{collections::BTreeMap, thread};
use tokio::sync::oneshot;

pub(crate) use deployment::{EVALUATION_ROLE, FUNCTION_ROLE, RULE};

pub(crate) const HUB: &str = "111122223333";
pub(crate) const MEMBER: &str = "444455556666";
pub(crate) const OTHER_MEMBER: &str = "777788889999";

pub(crate) fn at(time: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(time).unwrap().to_utc()
}

/// The day of all tests that do not need the real clock.
pub(crate) fn today() -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z")
}

thread_local! {
    /// A test has a thread of its own. One that goes by the system's clock begins after midnight rather than just before it.
    static BEGUN: () = {
        let rest = midnight_of(Utc::now()) + days(1) - Utc::now();
        if rest < TimeDelta::seconds(90) {
            thread::sleep(rest.to_std().unwrap_or_default());
        }
    };
}

/// When today began, by the system's clock: neither the age nor the date of what is so many days older changes while a test runs.
pub(crate) fn midnight() -> DateTime<Utc> {
    BEGUN.with(|()| midnight_of(Utc::now()))
}

fn midnight_of(time: DateTime<Utc>) -> DateTime<Utc> {
    time.date_naive().and_time(NaiveTime::MIN).and_utc()
}

/// The day that begins so many days after this one, as arguments and tags say it.
pub(crate) fn day(ahead: i64) -> String {
    (midnight() + days(ahead)).date_naive().to_string()
}

pub(crate) fn days(days: i64) -> TimeDelta {
    TimeDelta::days(days)
}

/// Makes the accounts, roles and rules in a world; gives the credentials of the function.
pub(crate) fn deploy(world: &mut World) -> Credentials {
    deployment::deploy(world, HUB, &[MEMBER, OTHER_MEMBER])
}

/// The rule's handler, in process, on a local AWS.
pub(crate) struct Deployment {
    pub(crate) aws: LocalAws,
    pub(crate) rule: InProcess,
}

impl Deployment {
    /// In memory, for tests on paused time.
    pub(crate) async fn start() -> Deployment {
        Deployment::start_in(World::new(today())).await
    }

    /// In memory, in this world.
    pub(crate) async fn start_in(mut world: World) -> Deployment {
        let credentials = deploy(&mut world);
        Deployment::on(LocalAws::in_memory(world), credentials).await
    }

    /// On a server, for other processes.
    pub(crate) async fn serve_in(mut world: World) -> Deployment {
        let credentials = deploy(&mut world);
        Deployment::on(LocalAws::start(world).await.unwrap(), credentials).await
    }

    async fn on(aws: LocalAws, credentials: Credentials) -> Deployment {
        let rule = InProcess::start(&aws, HUB, credentials).await.unwrap();
        Deployment { aws, rule }
    }

    pub(crate) fn member<T>(&self, act: impl FnOnce(&mut Account) -> T) -> T {
        act(self.aws.world().account(MEMBER))
    }

    pub(crate) fn fault(&self, action: Option<&str>, user: Option<&str>, kind: FaultKind) {
        self.aws.world().faults.add(Fault {
            account: None,
            action: action.map(str::to_owned),
            user: user.map(str::to_owned),
            kind,
        });
    }

    pub(crate) async fn send(&self, event: &Value) -> (Result<(), Error>, Metrics) {
        let now = self.aws.world().now();
        self.rule.invoke(event, now).await
    }

    /// Sends an event, and ends the invocation when AWS acts on the call after so many, as if the process died. Returns whether it
    /// ended by itself before that.
    pub(crate) async fn send_and_kill(&self, event: &Value, after: usize) -> bool {
        self.send_or_kill(event, after).await.is_some()
    }

    /// The same. Returns the outcome if it ended by itself.
    pub(crate) async fn send_or_kill(&self, event: &Value, after: usize) -> Option<Result<(), Error>> {
        let (kill, killed) = oneshot::channel();
        self.aws.world().after_calls(after, move |_| kill.send(()).unwrap_or_default());
        // The order of a random choice would differ from one run to the next.
        tokio::select! {
            biased;
            Ok(()) = killed => None,
            (outcome, _) = self.send(event) => Some(outcome),
        }
    }

    pub(crate) async fn sweep_with(&self, parameters: &[(&str, &str)]) -> (Result<(), Error>, Metrics) {
        let event = events::scheduled(&mut self.aws.world(), MEMBER, RULE, parameters);
        self.send(&event).await
    }

    /// A sweep that must succeed.
    pub(crate) async fn sweep(&self, parameters: &[(&str, &str)]) -> Metrics {
        let (outcome, metrics) = self.sweep_with(parameters).await;
        outcome.unwrap();
        metrics
    }

    /// The compliance that Config has recorded for each user of the member, by name; users without a result are left out.
    pub(crate) fn recorded(&self) -> BTreeMap<String, ComplianceType> {
        self.member(|account| {
            let results = account.results(RULE);
            account.users().filter_map(|user| Some((user.name.clone(), results.get(&user.id)?.compliance))).collect()
        })
    }

    /// What Config has recorded for a user: compliance and annotation.
    pub(crate) fn result(&self, user: &str) -> (ComplianceType, Option<String>) {
        self.member(|account| {
            let id = &account.user(user).unwrap().id;
            let result = &account.results(RULE)[id];
            (result.compliance, result.annotation.clone())
        })
    }

    /// The number of calls of each action since the last time the calls were cleared.
    pub(crate) fn calls(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for call in self.aws.world().calls() {
            *counts.entry(call.action.clone()).or_default() += 1;
        }
        counts
    }

    pub(crate) fn calls_of(&self, action: &str) -> usize {
        self.calls().get(action).copied().unwrap_or_default()
    }

    /// Waits until so many calls of an action are answered.
    pub(crate) async fn called(&self, action: &str, times: usize) {
        self.aws.called(|calls| calls.iter().filter(|call| call.action == action).count() >= times).await;
    }

    pub(crate) fn clear_calls(&self) {
        self.aws.world().clear_calls();
    }

    /// Checks every user's result against the definition.
    pub(crate) fn assert_all_right(&self, max_age: i64) {
        let now = self.aws.world().now();
        let (recorded, expected) = self.member(|account| {
            let results = account.results(RULE);
            let recorded: BTreeMap<_, _> = account
                .users()
                .map(|user| (user.name.clone(), results.get(&user.id).map(|result| result.compliance)))
                .collect();
            let expected: BTreeMap<_, _> =
                account.users().map(|user| (user.name.clone(), Some(definition(user, now, max_age)))).collect();
            (recorded, expected)
        });
        for (user, expected) in &expected {
            assert_eq!(recorded[user], *expected, "{user}");
        }
    }
}

/// The definition of the verdict, on its own feet. Exemptions may end 365 days ahead.
pub(crate) fn definition(user: &User, now: DateTime<Utc>, max_age: i64) -> ComplianceType {
    let is_stale = |key: &&AccessKey| {
        key.status == KeyStatus::Active && (now - key.created).num_milliseconds() > max_age * 86_400_000
    };
    if user.keys.iter().filter(is_stale).any(|key| !is_exempt(user, key, now)) {
        ComplianceType::NonCompliant
    } else {
        ComplianceType::Compliant
    }
}

fn is_exempt(user: &User, key: &AccessKey, now: DateTime<Utc>) -> bool {
    let tag = |name: &str| user.tags.get(&format!("access-key-rotation:exempt-{name}")).map(String::as_str);
    let today = now.format("%Y-%m-%d").to_string();
    let last = (now + days(365)).format("%Y-%m-%d").to_string();
    // Days of this form are in the order of their letters.
    let holds = tag("until").is_some_and(|until| until.len() == 10 && *until >= *today && *until <= *last);
    holds && tag("owner").is_some_and(|owner| !owner.is_empty()) && tag("key").is_none_or(|only| only == key.id)
}

/// Makes the results so much older: whoever has had one for a moment only may not be listed everywhere yet.
pub(crate) fn age_results(account: &mut Account, by: TimeDelta) {
    for result in account.results_mut(RULE).unwrap().values_mut() {
        result.result_recorded_time -= by;
        result.config_rule_invoked_time -= by;
    }
}

/// A key that became so many days old at midnight, of a user who is made if need be, older than any limit.
pub(crate) fn user_with_key(account: &mut Account, user: &str, age: i64) -> String {
    account.create_user(user, midnight() - days(1000));
    account.create_key(user, midnight() - days(age)).unwrap()
}

/// Users who are all older than the limit: `number` of them, `per_cent` with a stale key, `keyless` per cent without any.
pub(crate) fn populate(account: &mut Account, now: DateTime<Utc>, number: usize, per_cent: usize, keyless: usize) {
    for n in 0..number {
        let name = format!("user-{n:04}");
        account.create_user(&name, now - days(1000));
        if n * per_cent % 100 < per_cent {
            let key = account.create_key(&name, now - days(91 + (n % 300) as i64)).unwrap();
            account.use_key(&key, now - days(1), REGION, "s3");
        } else if n * 37 % 100 >= keyless {
            account.create_key(&name, now - days((n % 70) as i64)).unwrap();
        }
    }
}
