//! Simulates sweeps over a year without AWS: the steps that make no call, fed with listings and answers that change between any two.

#[path = "../../../tests/seeds.rs"]
mod seeds;

use super::{
    plan::{Decision, Pending, Plan, Skipped},
    reconcile::{Became, Known, reconcile},
};
use crate::aws::quarantine::ExposedUsers;
use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use policy::{
    access_key::{AccessKey, KeyState, KeyStatus},
    assessment::{Assessment, assess},
    exposure::Exposure,
    parameters::Parameters,
    recorded_result::{RecordedResult, is_to_deliver},
    user::{Tags, User},
    verdict::{Compliance, Verdict},
};
use std::collections::{BTreeMap, BTreeSet};

/// An account: its users, what AWS Config recorded, and one act of somebody else in the course of a sweep.
struct Account {
    random: Rng,
    now: DateTime<Utc>,
    parameters: Parameters,
    users: Vec<(User, Vec<AccessKey>)>,
    recorded: BTreeMap<String, RecordedResult>,
    names: usize,
    /// After so many calls, somebody acts.
    act_after: usize,
    /// After so many results, the invocation ends.
    end_after: usize,
    /// In violation from the beginning of the sweep until now.
    always_stale: BTreeSet<String>,
    is_disturbed: bool,
}

impl Account {
    fn by_chance(seed: u64) -> Account {
        let mut account = Account {
            random: Rng::with_seed(seed),
            now: DateTime::from_timestamp(1_772_366_400, 0).unwrap(),
            parameters: Parameters::default(),
            users: Vec::new(),
            recorded: BTreeMap::new(),
            names: 0,
            act_after: usize::MAX,
            end_after: usize::MAX,
            always_stale: BTreeSet::new(),
            is_disturbed: false,
        };
        (0..6).for_each(|_| account.create_user());
        account
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("user-{}", self.names)
    }

    fn create_user(&mut self) {
        let name = self.name();
        let (id, created) = (format!("AIDA{name}"), self.now - TimeDelta::seconds(self.random.i64(0..200 * 86_400)));
        let user = User { name, id, arn: String::new(), created };
        let keys = (0..self.random.usize(0..3)).map(|_| self.random.i64(0..200 * 86_400)).collect::<Vec<_>>();
        let keys = keys.into_iter().map(|age| key((self.now - TimeDelta::seconds(age)).max(created))).collect();
        self.users.push((user, keys));
    }

    /// Something that somebody does to the users.
    fn act(&mut self) {
        let (what, status) = (self.random.u8(0..8), [KeyStatus::Active, KeyStatus::Inactive][self.random.usize(0..2)]);
        let new_name = self.name();
        if what == 0 || self.users.len() < 2 {
            return self.create_user();
        }
        let [one, other] = [0; 2].map(|_| self.random.usize(0..self.users.len()));
        let keys = self.users[one].1.len();
        match what {
            1 if keys < 2 => self.users[one].1.push(key(self.now)),
            2 | 3 if keys > 0 => self.users[one].1[self.random.usize(0..keys)].status = status,
            4 if keys > 0 => drop(self.users[one].1.remove(0)),
            5 => self.users[one].0.name = new_name,
            6 if one != other => {
                let name = self.users[one].0.name.clone();
                self.users[one].0.name = std::mem::replace(&mut self.users[other].0.name, name);
            }
            _ => {
                let name = self.users.remove(one).0.name;
                let user = User { name, id: format!("AIDA{new_name}"), arn: String::new(), created: self.now };
                self.users.push((user, vec![key(self.now)]));
            }
        }
    }

    /// Before each call, somebody may act.
    fn call(&mut self) {
        if self.act_after == 0 {
            self.act();
            self.is_disturbed = true;
            let stale = self.violators();
            self.always_stale.retain(|id| stale.contains(id));
        }
        self.act_after = self.act_after.wrapping_sub(1);
    }

    /// The users, or the first of them if the listing breaks off.
    fn list(&mut self) -> (Vec<User>, bool) {
        self.call();
        let is_complete = self.random.u8(0..8) > 0;
        let number = if is_complete { self.users.len() } else { self.random.usize(0..=self.users.len()) };
        self.is_disturbed |= !is_complete;
        (self.users.iter().take(number).map(|(user, _)| user.clone()).collect(), is_complete)
    }

    fn of_name(&self, name: &str) -> Option<&(User, Vec<AccessKey>)> {
        self.users.iter().find(|(user, _)| user.name == name)
    }

    /// As the reads of a sweep do it: keys by name and then, if a key is stale or it is to be certain, whose they are. `Err` if a call
    /// fails, `Ok(None)` if nobody has this name and id.
    fn read(&mut self, user: &User, is_certain: bool) -> Result<Option<Assessment>, ()> {
        self.call();
        if self.random.u8(0..20) == 0 {
            self.is_disturbed = true;
            return Err(());
        }
        let Some((_, keys)) = self.of_name(&user.name).cloned() else { return Ok(None) };
        let assessment = assess(user.clone(), keys, None, Exposure::NotExposed, &self.parameters, self.now);
        if !is_certain && !assessment.has(KeyState::Violation) {
            return Ok(Some(assessment));
        }
        self.call();
        let is_same = self.of_name(&user.name).is_some_and(|(owner, _)| owner.id == user.id);
        let keys = assessment.into_keys();
        Ok(is_same
            .then(|| assess(user.clone(), keys, Some(Tags::new()), Exposure::NotExposed, &self.parameters, self.now)))
    }

    fn deliver(&mut self, id: &str, verdict: Verdict) {
        if self.end_after == 0 {
            self.is_disturbed = true;
            return;
        }
        self.end_after -= 1;
        let (compliance, annotation, recorded) =
            (verdict.compliance, verdict.annotation.unwrap_or_default(), Some(self.now));
        if compliance == Compliance::NotApplicable {
            self.recorded.remove(id);
            return;
        }
        assert!(
            compliance == Compliance::NonCompliant || !self.always_stale.contains(id),
            "{id} is in violation all the time, and gets: {annotation}"
        );
        let result = RecordedResult { user_id: id.to_owned(), compliance, annotation, recorded, invoked: recorded };
        self.recorded.insert(id.to_owned(), result);
    }

    fn deliver_change(&mut self, id: &str, verdict: Verdict, recorded: Option<&RecordedResult>) {
        if is_to_deliver(&verdict, recorded, self.parameters.deliver) {
            self.deliver(id, verdict);
        }
    }

    fn violators(&self) -> BTreeSet<String> {
        let limit = TimeDelta::days(self.parameters.max_access_key_age.into());
        let is_stale = |key: &AccessKey| key.status == KeyStatus::Active && self.now - key.created > limit;
        let violators = self.users.iter().filter(|(_, keys)| keys.iter().any(is_stale));
        violators.map(|(user, _)| user.id.clone()).collect()
    }

    fn sweep(&mut self) {
        self.always_stale = self.violators();
        self.is_disturbed = false;
        let (listed, is_whole) = self.list();
        let mut recorded: Vec<_> = self.recorded.values().cloned().collect();
        let results_are_whole = self.random.u8(0..8) > 0;
        if !results_are_whole {
            recorded.truncate(self.random.usize(0..=recorded.len()));
            self.is_disturbed = true;
        }
        let parameters = self.parameters.clone();
        let exposed: Vec<_> = self.users.iter().map(|(user, _)| user.id.clone()).collect();
        let exposed = ExposedUsers::of(exposed.into_iter().filter(|_| self.random.u8(0..8) == 0));
        let mut plan = Plan::of(listed, &exposed, &parameters, self.now);
        let mut decisions: Vec<_> = recorded.into_iter().filter_map(|result| plan.result(result)).collect();
        let (rest, without_user) = plan.end();
        decisions.extend(rest);
        let mut open = Vec::new();
        for decision in decisions {
            let Pending { user, recorded } = match decision {
                Decision::Read(pending) => pending,
                Decision::Skip(Skipped { user, verdict, is_to_deliver }) => {
                    if is_to_deliver {
                        self.deliver(&user.id, verdict);
                    }
                    continue;
                }
            };
            match self.read(&user, false) {
                Ok(Some(assessment)) if assessment.tags.is_some() => {
                    self.deliver_change(&user.id, assessment.verdict, recorded.as_deref());
                }
                Ok(read) => open.push((user, read, recorded)),
                Err(()) => {}
            }
        }
        if is_whole && results_are_whole {
            for result in without_user {
                let created = result.recorded.unwrap();
                let user = User { name: String::new(), id: result.user_id.clone(), arn: String::new(), created };
                open.push((user, None, Some(Box::new(result))));
            }
        }
        if !open.is_empty() {
            let (listed, is_complete) = self.list();
            for (user, read, recorded) in open {
                let is_new = self.now - user.created < TimeDelta::minutes(2);
                let known = Known { read_under: read.as_ref().map(|_| user.name.as_str()), is_new };
                let found = listed.iter().find(|found| found.id == user.id);
                match (reconcile(known, found, is_complete), read) {
                    (Became::Confirmed(_), Some(read)) => {
                        self.deliver_change(&user.id, read.verdict, recorded.as_deref());
                    }
                    (Became::ReadAgain(user), _) => {
                        if let Ok(Some(read)) = self.read(&user, true) {
                            self.deliver_change(&user.id, read.verdict, recorded.as_deref());
                        }
                    }
                    (Became::Gone, _) => self.deliver(&user.id, Verdict::not_applicable()),
                    (Became::NotYetConsistent | Became::Unknown | Became::Confirmed(_), _) => {}
                }
            }
        }
        self.check();
    }

    /// A sweep that nothing disturbed leaves what is so: a result for each user, and none for anybody else.
    fn check(&self) {
        if self.is_disturbed {
            return;
        }
        let stale = self.violators();
        let recorded: BTreeMap<_, _> =
            self.recorded.iter().map(|(id, result)| (id, result.compliance == Compliance::NonCompliant)).collect();
        let expected: BTreeMap<_, _> =
            self.users.iter().map(|(user, _)| (&user.id, stale.contains(&user.id))).collect();
        assert_eq!(recorded, expected, "{:?}", self.users);
    }
}

fn key(created: DateTime<Utc>) -> AccessKey {
    AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), status: KeyStatus::Active, created, last_used: None }
}

#[test]
fn sweeps_of_every_history_leave_nobody_with_a_stale_key_compliant() {
    seeds::each_history(5000, |seed| {
        let mut account = Account::by_chance(seed);
        for _ in 0..25 {
            account.now += TimeDelta::seconds(account.random.i64(180..30 * 86_400));
            (0..account.random.usize(0..4)).for_each(|_| account.act());
            if account.random.u8(0..20) == 0 {
                account.parameters.max_access_key_age = [30, 90, 90][account.random.usize(0..3)];
                account.parameters.warn_before_days = [0, 14][account.random.usize(0..2)];
            }
            account.now += TimeDelta::minutes(3);
            account.act_after = if account.random.bool() { account.random.usize(0..12) } else { usize::MAX };
            account.end_after = if account.random.u8(0..4) == 0 { account.random.usize(0..6) } else { usize::MAX };
            account.sweep();
        }
    });
}
