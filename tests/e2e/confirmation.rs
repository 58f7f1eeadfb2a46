//! Whose access keys were read: IAM lists them by the user's name, which may pass to another user between any two calls. What the rule
//! stores about a user, and believes for months, is about that user.

use crate::support::*;
use local_aws::{ComplianceType::*, FaultKind, World, events};
use std::{collections::BTreeMap, time::Duration};

/// What somebody does between two calls.
#[derive(Clone, Copy, Debug)]
enum Act {
    /// The user with the stale key gets another name, and a new user the old one.
    Rename,
    /// The user with the stale key and the one with the young key swap names.
    Swap,
    /// The user with the young key is deleted, and the one with the stale key gets that name.
    TakeOver,
    /// The user with the stale key is deleted and created again.
    Recreate,
}

impl Act {
    const ALL: [Act; 4] = [Act::Rename, Act::Swap, Act::TakeOver, Act::Recreate];

    fn happen(self, world: &mut World) {
        let now = world.now();
        let account = world.account(MEMBER);
        match self {
            Act::Rename => {
                account.rename_user("app", "app-old");
                account.create_user("app", now);
                account.create_key("app", now).unwrap();
            }
            Act::Swap => {
                account.rename_user("app", "app-old");
                account.rename_user("young", "app");
                account.rename_user("app-old", "young");
            }
            Act::TakeOver => {
                account.delete_user("young");
                account.rename_user("app", "young");
            }
            Act::Recreate => {
                account.delete_user("app");
                account.create_user("app", now);
                account.create_key("app", now).unwrap();
            }
        }
    }
}

/// What the function is invoked for while it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Invocation {
    FirstSweep,
    LaterSweep,
    Change(&'static str),
}

/// `app` has a key of 134 days, `young` one of a day, and others have what makes a sweep ask more.
async fn start() -> Deployment {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        for (name, ages) in [("app", &[134][..]), ("young", &[1]), ("due", &[80, 3]), ("keyless", &[]), ("bot", &[200])]
        {
            account.create_user(name, today() - days(400));
            for age in ages {
                account.create_key(name, today() - days(*age)).unwrap();
            }
        }
    });
    deployment
}

impl Deployment {
    /// Who has a stale key and is recorded as compliant.
    fn wrongly_compliant(&self) -> Vec<String> {
        let now = self.aws.world().now();
        self.member(|account| {
            let recorded = |user: &local_aws::User| account.results(RULE).get(&user.id).map(|result| result.compliance);
            let wrong = |user: &&local_aws::User| {
                recorded(user) == Some(Compliant) && definition(user, now, 90) == NonCompliant
            };
            account.users().filter(wrong).map(|user| user.name.clone()).collect()
        })
    }

    fn event(&self, invocation: Invocation) -> serde_json::Value {
        let world = &mut self.aws.world();
        match invocation {
            Invocation::Change(user) => events::change(world, MEMBER, RULE, user, &[]).unwrap(),
            _ => events::scheduled(world, MEMBER, RULE, &[]),
        }
    }
}

/// One history: something happens before call `at`, the invocation ends when AWS acts on call `end`, and sweeps follow. Returns
/// how many calls the invocation made, and whether it ended by itself.
async fn history(invocation: Invocation, act: Act, at: usize, end: Option<usize>) -> (usize, bool) {
    let deployment = start().await;
    if invocation == Invocation::LaterSweep {
        deployment.sweep(&[]).await;
        deployment.aws.world().advance(days(1));
    }
    let event = deployment.event(invocation);
    deployment.clear_calls();
    deployment.aws.world().after_calls(at, move |world| act.happen(world));
    let ended = deployment.send_and_kill(&event, end.unwrap_or(usize::MAX)).await;
    let calls = deployment.aws.world().calls().len();
    let what = format!("{invocation:?}, {act:?} before call {at}, ended at {end:?}");
    let wrong = deployment.wrongly_compliant();
    // An earlier result may be of before: in none of these histories was the user with the stale key compliant then.
    assert!(wrong.is_empty(), "{what}: {wrong:?} at once");
    deployment.aws.world().forget_acts();
    for later in [1, 40, 30] {
        deployment.aws.world().advance(days(later));
        deployment.sweep(&[]).await;
        let wrong = deployment.wrongly_compliant();
        assert!(wrong.is_empty(), "{what}: {wrong:?} after the next sweep");
        deployment.assert_all_right(90);
    }
    (calls, ended)
}

#[tokio::test(start_paused = true)]
async fn whatever_passes_between_two_calls_nobody_with_a_stale_key_stays_compliant() {
    let mut histories = 0;
    for invocation in
        [Invocation::FirstSweep, Invocation::LaterSweep, Invocation::Change("app"), Invocation::Change("young")]
    {
        for act in Act::ALL {
            for at in 0.. {
                let (calls, _) = history(invocation, act, at, None).await;
                histories += 1;
                if at >= calls {
                    break;
                }
                // Ended at any call after it.
                for end in at + 1.. {
                    histories += 1;
                    if history(invocation, act, at, Some(end)).await.1 {
                        break;
                    }
                }
            }
        }
    }
    assert!(histories > 1000, "{histories} histories");
}

/// Somebody renames `app` and makes a new `app` when the users are listed, and the second listing fails.
async fn sweep_without_confirmation(deployment: &Deployment) {
    let event = deployment.event(Invocation::FirstSweep);
    deployment.aws.world().after_calls_of("ListAccessKeys", 0, |world| Act::Rename.happen(world));
    deployment.fault(Some("ListUsers"), None, FaultKind::BreakOffAfterCalls(1));
    let (outcome, metrics) = deployment.send(&event).await;
    let error = outcome.unwrap_err();
    assert_eq!(error.error_type(), "Incomplete", "{error}");
    assert!(error.to_string().contains("of 5 users unknown"), "{error}");
    // `bot` and the user who was read under a name whose keys are stale are known by their ids.
    let line = metrics.line(today(), Duration::ZERO);
    assert_eq!([&line["UsersEvaluated"], &line["UsersUnknown"]], [1, 4]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_spares_reads_is_not_stored_without_a_second_listing() {
    let deployment = start().await;
    sweep_without_confirmation(&deployment).await;
    assert_eq!(deployment.recorded(), BTreeMap::from([("bot".to_owned(), NonCompliant)]));
    deployment.aws.world().faults.clear();
    for later in [40, 30] {
        deployment.aws.world().advance(days(later));
        deployment.sweep(&[]).await;
        assert_eq!(deployment.result("app-old").0, NonCompliant, "{later} days later");
        deployment.assert_all_right(90);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_delivered_once_in_a_sweep_whatever_was_read_first() {
    for act in Act::ALL {
        for at in 0..25 {
            let deployment = start().await;
            let event = deployment.event(Invocation::FirstSweep);
            deployment.aws.world().after_calls(at, move |world| act.happen(world));
            let (_, metrics) = deployment.send(&event).await;
            let (delivered, results) = deployment.member(|account| {
                let deliveries = account.deliveries(RULE).iter();
                (deliveries.map(|delivery| delivery.evaluations).sum::<usize>(), account.results(RULE).len())
            });
            assert_eq!(delivered, results, "{act:?} before call {at}");
            let gone = deployment.member(|account| {
                account.results(RULE).values().filter(|result| result.compliance == NotApplicable).count()
            });
            let evaluated = &metrics.line(today(), Duration::ZERO)["UsersEvaluated"];
            assert_eq!(*evaluated, results - gone, "{act:?} before call {at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_its_deadline_cuts_off_keeps_what_it_confirmed() {
    let mut deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 600, 0, 0));
    deployment.rule.timeout = Duration::from_secs(30);
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::TokenBucket { per_second: 12.0, burst: 12.0 });
    let mut results = Vec::new();
    let mut invocations = 0;
    while results.last() != Some(&600) {
        invocations += 1;
        assert!(invocations <= 5, "{results:?}");
        drop(deployment.sweep_with(&[]).await);
        results.push(deployment.recorded().len());
    }
    deployment.assert_all_right(90);
}

/// As seen with nothing injected but a limit on reads.
#[tokio::test(start_paused = true)]
async fn a_name_that_passes_on_before_the_deadline_lends_no_keys() {
    let mut deployment = Deployment::start().await;
    deployment.member(|account| {
        populate(account, today(), 600, 0, 0);
        account.create_user("app", today() - days(400));
        account.create_key("app", today() - days(134)).unwrap();
    });
    deployment.rule.timeout = Duration::from_secs(30);
    deployment.fault(None, None, FaultKind::TokenBucket { per_second: 12.0, burst: 12.0 });
    deployment.aws.world().after_calls_of("ListAccessKeys", 0, |world| Act::Rename.happen(world));
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "DeadlineExceeded", "{error}");
    deployment.aws.world().faults.clear();
    deployment.rule.timeout = Duration::from_secs(900);
    for later in [1, 70] {
        deployment.aws.world().advance(days(later));
        deployment.sweep(&[]).await;
        assert_eq!(deployment.result("app-old").0, NonCompliant);
        deployment.assert_all_right(90);
    }
}
