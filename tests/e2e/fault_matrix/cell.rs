//! One invocation with one fault, in an account of each kind of user, and what comes after it.

use crate::support::*;
use access_key_rotation::{aws::event_bus::EventBus, notices::NoticeSettings};
use chrono::TimeDelta;
use deployment::{InProcess, client_settings};
use local_aws::{Account, ComplianceType, EvaluationResult, FaultKind, KeyStatus, LocalAws, World, events};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const BUS: &str = "access-key-rotation";
/// What an annotation says if something could not be read on which the verdict does not depend, and how the manual calls that.
const UNKNOWN: [(&str, &str); 2] = [("last use unknown", "last use"), ("Exposure unknown", "exposure")];

/// A fault of all calls of an action.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    /// As the manual says it.
    pub(super) name: &'static str,
    /// `None`: no fault of AWS. A user's name passes to another user just before the first call.
    pub(super) kind: Option<FaultKind>,
    /// How long the invocation may take.
    pub(super) timeout: Duration,
}

impl Fault {
    pub(super) fn new(name: &'static str, kind: FaultKind) -> Fault {
        Fault { name, kind: Some(kind), timeout: Duration::from_secs(900) }
    }
}

/// What runs have left in AWS Config, which is all that the function remembers. Whatever leaves the same has the same future.
#[derive(Default)]
pub(super) struct Left(Vec<(Invocation, Results)>);

/// The results that AWS Config holds, by user id.
type Results = BTreeMap<String, Recorded>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Recorded {
    compliance: ComplianceType,
    annotation: String,
    /// Whether it was recorded today.
    fresh: bool,
}

/// What the function is invoked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Invocation {
    Change,
    FirstSweep,
    LaterSweep,
}

impl Invocation {
    pub(super) const ALL: [Invocation; 3] = [Invocation::Change, Invocation::FirstSweep, Invocation::LaterSweep];
}

/// An action in an invocation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub(super) action: &'static str,
    pub(super) invocation: Invocation,
}

/// What an invocation did.
pub(super) struct Run {
    /// How often the action was called.
    pub(super) calls: usize,
    error: Option<&'static str>,
    before: Results,
    after: Results,
    /// The ids of the users who are there.
    users: BTreeSet<String>,
}

impl Cell {
    /// The invocation, and then sweeps without faults, until any wrong memory would show.
    pub(super) async fn run(self, fault: Option<&Fault>, left: &mut Left) -> Run {
        let mut deployment = start(self.invocation).await;
        let before = deployment.results();
        let event = match self.invocation {
            // Its event does not say which policies the user has.
            Invocation::Change if self.action == "iam:ListAttachedUserPolicies" => {
                events::oversized_change(&mut deployment.aws.world(), MEMBER, RULE, "aged", &[]).unwrap()
            }
            Invocation::Change => events::change(&mut deployment.aws.world(), MEMBER, RULE, "aged", &[]).unwrap(),
            _ => events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]),
        };
        if (self.action, self.invocation) == ("iam:ListUsers", Invocation::Change) {
            // Otherwise a change lists no users.
            deployment.member(|account| account.rename_user("aged", "renamed"));
        }
        deployment.clear_calls();
        let (_, action) = self.action.split_once(':').unwrap();
        match fault {
            Some(Fault { kind: Some(kind), timeout, .. }) => {
                deployment.fault(Some(action), None, kind.clone());
                deployment.rule.timeout = *timeout;
            }
            Some(Fault { kind: None, .. }) => deployment.aws.world().after_calls_of(action, 0, name_passes_on),
            None => {}
        }
        let outcome = deployment.send(&event).await.0;
        let fitted = deployment.aws.world().faults.calls();
        let is_aws = fault.is_some_and(|fault| fault.kind.is_some());
        assert!(!is_aws || fitted > 0, "{self:?} {fault:?}: no call");
        deployment.aws.world().faults.clear();
        assert_eq!(deployment.aws.world().forget_acts(), 0, "{self:?} {fault:?}: no call");
        let run = Run {
            calls: deployment.calls_of(action),
            error: outcome.as_ref().err().map(|error| error.error_type()),
            before,
            after: deployment.results(),
            users: deployment.member(|account| account.users().map(|user| user.id.clone()).collect()),
        };
        deployment.assert_nothing_is_wrong(&run, &format!("{self:?} {fault:?}"));
        if left.is_new(self.invocation, &run.after) {
            deployment.recover().await;
        }
        run
    }
}

/// The user whose key is stale since today gets another name, and a new user the old one.
fn name_passes_on(world: &mut World) {
    let account = world.account(MEMBER);
    let name = if account.user("aged").is_some() { "aged" } else { "renamed" };
    account.rename_user(name, "aged-old");
    account.create_user(name, today());
    account.create_key(name, today()).unwrap();
}

impl Left {
    fn is_new(&mut self, invocation: Invocation, results: &Results) -> bool {
        let left = (invocation, results.clone());
        let is_new = !self.0.contains(&left);
        if is_new {
            self.0.push(left);
        }
        is_new
    }
}

/// A world of today, in which the account was swept yesterday unless this is the first sweep.
async fn start(invocation: Invocation) -> Deployment {
    let yesterday = today() - days(1);
    let mut world = World::new(yesterday);
    let credentials = deploy(&mut world);
    let account = world.account(MEMBER);
    for (user, created, keys) in [
        // Stale since today.
        ("aged", 400, &[89][..]),
        ("stale", 400, &[134]),
        ("exempt", 400, &[134]),
        ("inactive", 400, &[134]),
        ("fresh", 400, &[5, 30]),
        ("rotated", 400, &[134]),
        ("keyless", 400, &[]),
        ("gone", 400, &[20]),
        ("new", 10, &[5]),
    ] {
        account.create_user(user, yesterday - days(created));
        for age in keys {
            account.create_key(user, yesterday - days(*age) - TimeDelta::hours(12)).unwrap();
        }
    }
    account.tag_user("exempt", "access-key-rotation:exempt-owner", "payments");
    account.tag_user("exempt", "access-key-rotation:exempt-until", "2026-06-30");
    let key = only_key(account, "inactive");
    account.set_key_status("inactive", &key, KeyStatus::Inactive);
    world.account(HUB).add_event_bus(BUS);

    let aws = LocalAws::in_memory(world);
    let settings = client_settings(&aws, credentials).await;
    let bus = EventBus::new(&settings, BUS.to_owned());
    let mut rule = InProcess::with(settings, HUB).unwrap();
    rule.notices = Some(NoticeSettings { bus, owner_tag: "team".to_owned() });
    let deployment = Deployment { aws, rule };

    if invocation != Invocation::FirstSweep {
        deployment.sweep(&[]).await;
    }
    deployment.aws.world().advance(days(1));
    deployment.member(|account| {
        account.delete_user("gone");
        let old = only_key(account, "rotated");
        account.create_key("rotated", today()).unwrap();
        account.delete_key("rotated", &old);
        account.create_user("joined", today());
        account.create_user("imported", today() - days(300));
        account.create_key("imported", today() - days(200)).unwrap();
    });
    deployment
}

fn only_key(account: &Account, user: &str) -> String {
    let [key] = &account.user(user).unwrap().keys[..] else { panic!("{user} has not one key") };
    key.id.clone()
}

impl Deployment {
    fn results(&self) -> Results {
        let now = self.aws.world().now();
        let recorded = |(id, result): (&String, &EvaluationResult)| {
            let annotation = result.annotation.clone().unwrap_or_default();
            let fresh = result.result_recorded_time == now;
            (id.clone(), Recorded { compliance: result.compliance, annotation, fresh })
        };
        self.member(|account| account.results(RULE).iter().map(recorded).collect())
    }

    /// Each result is as it was, or right; nobody who is there is gone.
    fn assert_nothing_is_wrong(&self, run: &Run, what: &str) {
        let now = self.aws.world().now();
        let right: BTreeMap<_, _> =
            self.member(|account| account.users().map(|user| (user.id.clone(), definition(user, now, 90))).collect());
        for (id, result) in &run.after {
            let right = right.get(id).copied().unwrap_or(ComplianceType::NotApplicable);
            assert!(result.compliance == right || run.before.get(id) == Some(result), "{what}: {id} {result:?}");
        }
        assert!(run.before.keys().all(|id| run.after.contains_key(id)), "{what}");
    }

    /// Without faults, every result is right: at once, on a day that a result of today may cover, and after that.
    async fn recover(&mut self) {
        self.rule.timeout = Duration::from_secs(900);
        for later in [0, 40, 60] {
            self.aws.world().advance(days(later));
            self.sweep(&[]).await;
            self.assert_all_right(90);
            let right = self.member(|account| {
                let is_there = |id: &String| account.users().any(|user| user.id == *id);
                account
                    .results(RULE)
                    .iter()
                    .all(|(id, result)| is_there(id) == (result.compliance != ComplianceType::NotApplicable))
            });
            assert!(right);
        }
    }
}

impl Recorded {
    /// Whether it says what this one says. What is read today instead of recorded has other dates.
    fn is_as(&self, other: &Recorded) -> bool {
        self.compliance == other.compliance
            && (self.annotation == other.annotation
                || self.fresh && !UNKNOWN.iter().any(|(unknown, _)| self.annotation.contains(unknown)))
    }
}

impl Run {
    /// The outcome as the manual says it, beside a run without a fault.
    pub(super) fn outcome(&self, sound: &Run) -> String {
        assert_eq!(sound.error, None);
        let unlike = || {
            sound.after.iter().filter(|(id, sound)| !self.after.get(*id).is_some_and(|recorded| recorded.is_as(sound)))
        };
        let lacks = |unknown: &str, (id, sound): (&String, &Recorded)| {
            let recorded = self.after.get(id);
            recorded.is_some_and(|recorded| {
                recorded.compliance == sound.compliance && recorded.annotation.contains(unknown)
            })
        };
        let lacking = UNKNOWN.iter().find(|(unknown, _)| unlike().all(|result| lacks(unknown, result)));
        let results = if unlike().next().is_none() {
            "all results".to_owned()
        } else if self.after == self.before {
            "no result".to_owned()
        } else if unlike().all(|(id, _)| !self.users.contains(id)) {
            "all results but of deleted users".to_owned()
        } else if let Some((_, what)) = lacking {
            format!("all results, without {what}")
        } else {
            "some results".to_owned()
        };
        match self.error {
            None => results,
            Some(error) => format!("`{error}`, {results}"),
        }
    }
}
