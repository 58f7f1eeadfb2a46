//! Lambda delivers an event at least once, in any order, and may end a process at any moment: the results are the same.

use crate::{function::bootstrap, notices::with_bus, support::*};
use local_aws::{
    ComplianceType::{self, NotApplicable},
    Fault, FaultKind, LocalAws, World, events,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// More than a batch of users who need no read, and some of each other kind.
const YOUNG: usize = 120;

/// An account a day after its first sweep, with notices.
struct Day {
    deployment: Deployment,
    event: Value,
}

impl Day {
    /// `change` makes an event about this user, and otherwise the event is the schedule's.
    async fn after_a_sweep(change: Option<&str>) -> Day {
        let deployment = with_bus().await;
        deployment.member(|member| {
            for n in 0..YOUNG {
                member.create_user(&format!("young-{n:03}"), today() - days(n as i64 % 60));
            }
            let mut user_with_key = |name: &str, age: i64| {
                member.create_user(name, today() - days(1000));
                member.create_key(name, today() - days(age)).unwrap();
            };
            for n in 0..4 {
                user_with_key(&format!("stale-{n}"), 120 + n);
                user_with_key(&format!("fresh-{n}"), 10 + n);
                user_with_key(&format!("exempt-{n}"), 200);
            }
            user_with_key("gone", 40);
            for n in 0..4 {
                member.tag_user(&format!("exempt-{n}"), "access-key-rotation:exempt-owner", "payments");
                member.tag_user(&format!("exempt-{n}"), "access-key-rotation:exempt-until", "2026-03-31");
            }
        });
        deployment.sweep(&[]).await;
        deployment.aws.world().advance(days(1));
        let now = deployment.aws.world().now();
        deployment.member(|member| {
            // Half of the results are lost, and half of the stale keys have been replaced.
            let mut number = 0;
            member.results_mut(RULE).unwrap().retain(|_, _| {
                number += 1;
                number % 2 == 0
            });
            member.create_user("new", now);
            for name in ["stale-0", "stale-1"] {
                let key = member.user(name).unwrap().keys[0].id.clone();
                member.delete_key(name, &key);
                member.create_key(name, now).unwrap();
            }
            member.delete_user("gone");
        });
        let all = [("deliver", "all")];
        let event = match change {
            None => events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &all),
            Some(user) => events::change(&mut deployment.aws.world(), MEMBER, RULE, user, &all).unwrap(),
        };
        deployment.clear_calls();
        Day { deployment, event }
    }

    async fn handle(&self) {
        self.deployment.send(&self.event).await.0.unwrap();
    }

    /// Kills the invocation as soon as AWS has acted on so many calls and answered all but the last. Returns whether there were so many.
    async fn kill_at(&self, calls: usize) -> bool {
        self.deployment.fault(None, None, FaultKind::SilentAfterCalls(calls - 1));
        let outcome = self.deployment.send_or_kill(&self.event, calls - 1).await;
        let is_killed = outcome.is_none();
        outcome.into_iter().for_each(Result::unwrap);
        self.deployment.aws.world().faults.clear();
        self.deployment.aws.world().forget_acts();
        is_killed
    }

    /// What AWS Config holds, by resource id.
    fn results(&self) -> BTreeMap<String, (ComplianceType, Option<String>)> {
        self.deployment.member(|account| {
            let results = account.results(RULE).iter();
            results.map(|(id, result)| (id.clone(), (result.compliance, result.annotation.clone()))).collect()
        })
    }

    /// The ids of the notices.
    fn notices(&self) -> BTreeSet<String> {
        self.deployment.notices().iter().map(|event| event["detail"]["id"].to_string()).collect()
    }
}

async fn killed_at_every_call(change: Option<&str>, least: usize) {
    let whole = Day::after_a_sweep(change).await;
    let before = whole.results();
    whole.handle().await;
    let (after, notices) = (whole.results(), whole.notices());
    assert!(!notices.is_empty());
    // How many calls there are depends on the order in which users are read: the notices of five go in one call.
    for call in 1..100 {
        let day = Day::after_a_sweep(change).await;
        let is_killed = day.kill_at(call).await;
        for (id, result) in day.results() {
            let of = |results: &BTreeMap<_, _>| results.get(&id) == Some(&result);
            assert!(of(&before) || of(&after), "killed at call {call}: {id} has {result:?}");
        }
        if is_killed {
            // Lambda repeats the event.
            day.handle().await;
        }
        assert_eq!(day.results(), after, "killed at call {call}");
        assert_eq!(day.notices(), notices, "killed at call {call}");
        if !is_killed {
            assert!(call > least, "{} calls", call - 1);
            return;
        }
    }
    panic!("100 calls are not enough");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_is_killed_at_any_call_ends_with_the_same_results_and_notices_once_it_is_repeated() {
    killed_at_every_call(None, 20).await;
}

#[tokio::test(start_paused = true)]
async fn a_change_that_is_killed_at_any_call_ends_with_the_same_result_and_notice_once_it_is_repeated() {
    killed_at_every_call(Some("stale-2"), 5).await;
}

#[tokio::test]
async fn the_functions_process_may_be_killed_when_config_has_taken_results_and_not_answered() {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world);
    populate(world.account(MEMBER), midnight(), 250, 10, 20);
    let event = events::scheduled(&mut world, MEMBER, RULE, &[]).to_string();
    let action = Some("PutEvaluations".to_owned());
    world.faults.add(Fault { account: None, action, user: None, kind: FaultKind::SilentAfterCalls(0) });
    let aws = LocalAws::start(world).await.unwrap();
    let start = || programs::start(aws.endpoint(), HUB, &credentials, bootstrap(), &[]);

    let function = start().await.unwrap();
    tokio::select! {
        outcome = function.invoke(event.as_bytes()) => panic!("{outcome:?}"),
        () = aws.called(|calls| calls.iter().any(|call| call.action == "PutEvaluations")) => {}
    }
    drop(function);
    let delivered = aws.world().account(MEMBER).results(RULE).len();
    assert!(delivered > 0 && delivered < 250, "{delivered}");

    aws.world().faults.clear();
    start().await.unwrap().invoke(event.as_bytes()).await.unwrap();
    let mut world = aws.world();
    let now = world.now();
    let account = world.account(MEMBER);
    for user in account.users() {
        assert_eq!(account.results(RULE)[&user.id].compliance, definition(user, now, 90), "{}", user.name);
    }
}

#[tokio::test(start_paused = true)]
async fn events_that_come_twice_and_in_any_order_leave_the_same_results() {
    let mut ends = BTreeSet::new();
    for seed in 0..12 {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 12, 50, 0));
        deployment.sweep(&[]).await;
        let mut events = Vec::new();
        for n in 0..12 {
            let name = format!("user-{n:04}");
            for step in 0..2 {
                deployment.aws.world().advance(chrono::TimeDelta::minutes(5));
                let now = deployment.aws.world().now();
                deployment.member(|account| match (n % 3, step) {
                    (0, 0) => drop(account.tag_user(&name, "access-key-rotation:exempt-owner", "payments")),
                    (0, _) => drop(account.tag_user(&name, "access-key-rotation:exempt-until", "2026-06-30")),
                    (1, 0) => drop(account.create_user(&format!("new-{n}"), now)),
                    (1, _) => drop(account.create_key(&name, now)),
                    _ => drop(account.tag_user(&name, "step", &step.to_string())),
                });
                events.extend(events::change(&mut deployment.aws.world(), MEMBER, RULE, &name, &[]));
            }
        }
        events.push(events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]));
        let gone = {
            let mut world = deployment.aws.world();
            let id = world.account(MEMBER).user("user-0002").unwrap().id.clone();
            world.account(MEMBER).delete_user("user-0002");
            events.push(events::deleted(&mut world, MEMBER, RULE, &id, "user-0002", &[]));
            id
        };
        let mut twice = [events.clone(), events].concat();
        fastrand::Rng::with_seed(seed).shuffle(&mut twice);
        // Four at a time, as Lambda's environments take them.
        for events in twice.chunks(4) {
            let outcomes = futures_util::future::join_all(events.iter().map(|event| deployment.send(event))).await;
            outcomes.into_iter().for_each(|(outcome, _)| outcome.unwrap());
        }
        deployment.assert_all_right(90);
        let end = deployment.member(|account| {
            let results = account.results(RULE);
            assert_eq!(results[&gone].compliance, NotApplicable);
            let of = |user: &local_aws::User| (user.name.clone(), results[&user.id].annotation.clone());
            account.users().map(of).collect::<Vec<_>>()
        });
        ends.insert(end);
    }
    assert_eq!(ends.len(), 1, "{ends:#?}");
}

#[tokio::test(start_paused = true)]
async fn two_sweeps_of_an_account_at_once_end_as_one_does() {
    let mut ends = Vec::new();
    for sweeps in [1, 2] {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 230, 10, 20));
        deployment.fault(None, None, FaultKind::Throttle { probability: 0.2 });
        for day in 0..3 {
            let gone = format!("user-{:04}", day * 10);
            deployment.member(|account| account.delete_user(&gone));
            let event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
            let all = futures_util::future::join_all((0..sweeps).map(|_| deployment.send(&event))).await;
            all.into_iter().for_each(|(outcome, _)| outcome.unwrap());
            deployment.assert_all_right(90);
            deployment.aws.world().advance(days(1));
        }
        ends.push(deployment.member(|account| {
            let results = account.results(RULE).iter();
            results.map(|(id, r)| (id.clone(), r.compliance, r.annotation.clone())).collect::<Vec<_>>()
        }));
    }
    assert_eq!(ends[0], ends[1]);
}
