//! The runbooks on an AWS that fails, ended half-way, and beside others who change the same keys: no key is lost, and the
//! next run finishes what one has begun.

use crate::{runbooks::*, support::*};
use chrono::Utc;
use local_aws::{
    Account,
    FaultKind::{self, *},
    KeyStatus::*,
};
use std::sync::mpsc;

const AT_ONCE: &[(&str, &str)] = &[("DryRun", "false"), ("GraceDays", "1")];

fn clear_faults(deployment: &Deployment) {
    deployment.aws.world().faults.clear();
}

/// Whatever goes wrong with any of the reads, the run fails and nothing of the user is changed.
async fn no_read_may_fail(runbook: &str, user: &str, inputs: &[(&str, &str)], reads: &[&str]) {
    let deployment = start().await;
    let due = deployment.member(|account| {
        user_with_key(account, "anna", 400);
        let due = deactivated(account, "anna", 31);
        deactivated(account, "zoe", 31);
        user_with_key(account, "zoe", 10);
        due
    });
    let of_anna = [("AccessKeyId", due.as_str())];
    let inputs = if runbook == REACTIVATE { &of_anna } else { inputs };
    let before = state(&deployment);
    let kinds: [&[FaultKind]; 4] = [
        &[Throttle { probability: 1.0 }],
        &[AccessDenied],
        &[ServerError { probability: 1.0 }],
        &[ShortPages(1), BreakOffAfterPages(1)],
    ];
    for action in reads {
        let has_pages = action.starts_with("List") || action.ends_with("ByPath");
        for kinds in kinds.iter().filter(|kinds| kinds.len() == 1 || has_pages) {
            kinds.iter().for_each(|kind| deployment.fault(Some(action), None, kind.clone()));
            let error = run(&deployment, runbook, user, inputs).await.expect_err(action);
            assert!(error.contains(action), "{kinds:?}: {error}");
            assert_eq!(state(&deployment), before, "{action} {kinds:?}");
            assert!(writes(&deployment).is_empty(), "{action} {kinds:?}");
            clear_faults(&deployment);
        }
    }
    run(&deployment, runbook, user, inputs).await.unwrap();
    assert!(!writes(&deployment).is_empty(), "there was something to do");
}

const READS: &[&str] = &[
    "ListUsers",
    "GetUser",
    "ListAccessKeys",
    "GetParameter",
    "GetAccessKeyLastUsed",
    // These for a deletion alone.
    "GetParametersByPath",
    "GetParameterHistory",
];

#[tokio::test]
async fn a_failed_read_deactivates_nothing() {
    no_read_may_fail(DEACTIVATE, "anna", &[], &READS[..5]).await;
}

#[tokio::test]
async fn a_failed_read_reactivates_nothing() {
    no_read_may_fail(REACTIVATE, "anna", &[], &READS[..4]).await;
}

#[tokio::test]
async fn a_failed_read_deletes_nothing() {
    no_read_may_fail(DELETE, "anna", FOR_REAL, READS).await;
}

#[tokio::test]
async fn one_of_the_two_proofs_may_fail_and_without_both_nothing_is_deleted() {
    for kind in [Throttle { probability: 1.0 }, AccessDenied, ServerError { probability: 1.0 }] {
        for (failing, outcome) in [
            (&["LookupEvents"][..], "deleted"),
            (&["GenerateCredentialReport"], "deleted"),
            (&["GetCredentialReport"], "deleted"),
            (&["LookupEvents", "GenerateCredentialReport"], "left as it is"),
            (&["LookupEvents", "GetCredentialReport"], "left as it is"),
        ] {
            let deployment = start().await;
            let due = deployment.member(|account| deactivated(account, "anna", 31));
            failing.iter().for_each(|action| deployment.fault(Some(action), None, kind.clone()));
            let output = run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
            assert_eq!(outcomes(&output)[due.as_str()], outcome, "{failing:?} {kind:?}");
            assert_eq!(writes(&deployment).is_empty(), outcome != "deleted", "{failing:?} {kind:?}");
        }
    }
}

#[tokio::test]
async fn a_failed_read_of_one_user_costs_no_other() {
    for action in ["GetUser", "ListAccessKeys"] {
        let deployment = start().await;
        let keys = deployment.member(|account| ["anna", "otto", "zoe"].map(|user| deactivated(account, user, 31)));
        deployment.fault(Some(action), Some("otto"), AccessDenied);
        let error = run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap_err();
        let (_, summary) = error.rsplit_once("Failed: ").unwrap();
        assert!(
            summary.starts_with("otto: ") && summary.contains(action) && summary.contains("1 failed."),
            "{summary}"
        );
        assert!(summary.contains("In all: 2 changed, 0 left as they are."), "{summary}");
        let left = ["anna", "otto", "zoe"].iter().zip(&keys).map(|(user, key)| status(&deployment, user, key));
        assert_eq!(left.collect::<Vec<_>>(), [None, Some(Inactive), None]);
    }
}

#[tokio::test]
async fn a_failed_write_fails_the_run_and_the_next_run_finishes() {
    for (runbook, user, action) in [
        (DEACTIVATE, "bot", "PutParameter"),
        (DEACTIVATE, "bot", "UpdateAccessKey"),
        (REACTIVATE, "off", "UpdateAccessKey"),
        (REACTIVATE, "off", "PutParameter"),
        (DELETE, "ALL", "DeleteAccessKey"),
        (DELETE, "ALL", "DeleteParameter"),
    ] {
        let deployment = start().await;
        let begun = Utc::now();
        let [stale, young, due, other] = deployment.member(|account| {
            let [stale, young] = [400, 10].map(|age| user_with_key(account, "bot", age));
            [stale, young, deactivated(account, "off", 31), user_with_key(account, "off", 10)]
        });
        let inputs = if runbook == REACTIVATE { &[("AccessKeyId", due.as_str())] } else { FOR_REAL };
        for kind in [Throttle { probability: 1.0 }, AccessDenied] {
            deployment.fault(Some(action), None, kind);
            let error = run(&deployment, runbook, user, inputs).await.unwrap_err();
            clear_faults(&deployment);
            let subject = if runbook == DEACTIVATE { &stale } else { &due };
            assert!(error.contains(subject) && error.contains(action), "{error}");
            // A key is only deleted where it is the record that cannot be removed.
            assert_eq!(status(&deployment, "off", &due).is_none(), (runbook, action) == (DELETE, "DeleteParameter"));
            assert_eq!(status(&deployment, "bot", &stale), Some(Active), "{action}");
            let others = [status(&deployment, "bot", &young), status(&deployment, "off", &other)];
            assert_eq!(others, [Some(Active); 2], "{action}");
            if action == "UpdateAccessKey" {
                assert_eq!(status(&deployment, "off", &due), Some(Inactive));
            }
        }
        run(&deployment, runbook, user, inputs).await.unwrap();
        assert_eq!(is_deactivated(&deployment, "bot", &stale, begun), runbook == DEACTIVATE, "{action}");
        let expected = match runbook {
            DEACTIVATE => Some(Inactive),
            REACTIVATE => Some(Active),
            _ => None,
        };
        assert_eq!(status(&deployment, "off", &due), expected, "{action}");
        assert_eq!(recorded(&deployment, &due).is_some(), runbook != DELETE, "{action}");
    }
}

#[tokio::test]
async fn one_key_that_cannot_be_deleted_costs_no_other() {
    let deployment = start().await;
    let [anna, otto, zoe] =
        deployment.member(|account| ["anna", "otto", "zoe"].map(|user| deactivated(account, user, 31)));
    deployment.fault(Some("DeleteAccessKey"), Some("otto"), AccessDenied);
    let error = run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap_err();
    let [_, summary] = error.rsplit_once("Failed: ").map(|(trace, summary)| [trace, summary]).unwrap();
    assert!(summary.starts_with(&format!("{otto} of otto: ")) && summary.contains("1 failed."), "{summary}");
    assert!([&anna, &zoe].iter().all(|key| summary.contains(*key)), "what was done is said: {summary}");
    let left =
        [("anna", anna), ("otto", otto), ("zoe", zoe)].map(|(user, key)| status(&deployment, user, &key).is_some());
    assert_eq!(left, [false, true, false]);
}

/// Runs a runbook that ends after so many calls; whether that was enough for it.
async fn run_for(deployment: &Deployment, calls: usize, runbook: &str, user: &str, inputs: &[(&str, &str)]) -> bool {
    deployment.fault(None, None, BreakOffAfterCalls(calls));
    let outcome = run(deployment, runbook, user, inputs).await;
    clear_faults(deployment);
    outcome.is_ok()
}

#[tokio::test]
async fn a_deactivation_that_dies_makes_no_key_look_long_deactivated() {
    for calls in 4.. {
        let deployment = start().await;
        let key = deployment.member(|account| user_with_key(account, "bot", 400));
        let begun = Utc::now();
        let finished = run_for(&deployment, calls, DEACTIVATE, "bot", &[]).await;
        if finished {
            assert_eq!(calls, 11, "five reads, two records and a look at one, the deed and a look before and after it");
            break;
        }
        let came_to_the_deed = status(&deployment, "bot", &key) == Some(Inactive);
        run(&deployment, DELETE, "bot", AT_ONCE).await.unwrap();
        assert!(status(&deployment, "bot", &key).is_some(), "deleted after {calls} calls of a deactivation");
        let unfinished = recorded(&deployment, &key);
        let output = run(&deployment, DEACTIVATE, "bot", &[]).await.unwrap();
        if unfinished.is_some() {
            // Nothing tells whether the run came to the deed, or somebody else has switched the key since.
            let outcome = if came_to_the_deed { "left for you to decide" } else { "left as it is" };
            assert_eq!(outcomes(&output)[key.as_str()], outcome);
            assert_eq!(recorded(&deployment, &key).as_deref(), Some("deactivating"), "after {calls} calls");
            run(&deployment, REACTIVATE, "bot", &[("AccessKeyId", &key)]).await.unwrap();
            run(&deployment, DEACTIVATE, "bot", &[("Again", "true")]).await.unwrap();
        }
        assert!(is_deactivated(&deployment, "bot", &key, begun), "after {calls} calls");
    }
}

#[tokio::test]
async fn a_deletion_that_dies_is_finished_by_the_next() {
    for calls in 4.. {
        let deployment = start().await;
        let (due, other) =
            deployment.member(|account| (deactivated(account, "bot", 31), user_with_key(account, "bot", 400)));
        let finished = run_for(&deployment, calls, DELETE, "bot", FOR_REAL).await;
        assert_eq!(status(&deployment, "bot", &other), Some(Active));
        if finished {
            assert_eq!(calls, 20, "eleven reads, five once more, the deed, a look before and after it, and the record");
            break;
        }
        run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
        let left = (status(&deployment, "bot", &due), recorded(&deployment, &due));
        assert_eq!(left, (None, None), "after {calls} calls");
    }
}

#[tokio::test]
async fn a_reactivation_that_dies_is_finished_by_the_next() {
    for calls in 3.. {
        let deployment = start().await;
        let key = deployment.member(|account| deactivated(account, "bot", 31));
        let finished = run_for(&deployment, calls, REACTIVATE, "bot", &[("AccessKeyId", &key)]).await;
        run(&deployment, REACTIVATE, "bot", &[("AccessKeyId", &key)]).await.unwrap();
        let left = (status(&deployment, "bot", &key), recorded(&deployment, &key));
        assert_eq!(left, (Some(Active), Some("reactivated".to_owned())), "after {calls} calls");
        if finished {
            break;
        }
    }
}

#[tokio::test]
async fn a_reactivation_that_dies_leaves_no_old_record_on_an_active_key() {
    for calls in 3.. {
        let deployment = start().await;
        let key = deployment.member(|account| deactivated(account, "bot", 31));
        let finished = run_for(&deployment, calls, REACTIVATE, "bot", &[("AccessKeyId", &key)]).await;
        if status(&deployment, "bot", &key) == Some(Active) {
            // By hand: the days of grace begin anew, whatever the record says.
            deployment.member(|account| account.set_key_status("bot", &key, Inactive));
            run(&deployment, DELETE, "bot", AT_ONCE).await.unwrap();
            assert!(status(&deployment, "bot", &key).is_some(), "deleted, without grace, after {calls} calls");
        }
        if finished {
            break;
        }
    }
}

/// Lets somebody else act between so many calls of an action and whichever call comes next.
fn after(
    deployment: &Deployment,
    (action, calls): (&'static str, usize),
    act: impl FnOnce(&mut Account) + Send + 'static,
) {
    deployment.aws.world().after_calls_of(action, calls - 1, move |world| {
        world.after_calls(0, move |world| act(world.account(MEMBER)));
    });
}

#[tokio::test]
async fn a_key_that_is_switched_on_or_exempted_while_the_deletion_runs_stays() {
    for (status_meanwhile, reason) in [(Active, "it is active again"), (Inactive, "the user has exemption tags")] {
        let deployment = start().await;
        let due = deployment.member(|account| deactivated(account, "bot", 31));
        let key = due.clone();
        after(&deployment, ("ListAccessKeys", 1), move |account| {
            account.set_key_status("bot", &key, status_meanwhile);
            if status_meanwhile == Inactive {
                account.tag_user("bot", "access-key-rotation:exempt-until", "2999-12-31");
            }
        });
        let error = run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap_err();
        assert!(error.contains(&format!("{due} of bot: it changed while this ran: {reason}")), "{error}");
        assert_eq!(status(&deployment, "bot", &due), Some(status_meanwhile));
        assert!(writes(&deployment).is_empty());
    }
}

#[tokio::test]
async fn a_user_who_is_replaced_or_renamed_meanwhile_is_left_alone() {
    let unknown = [("AccessKeyId", "AKIAABCDEFGHIJKLMNOP")];
    for (runbook, inputs) in [(DEACTIVATE, &[][..]), (REACTIVATE, &unknown), (DELETE, FOR_REAL)] {
        let deployment = start().await;
        deployment.member(|account| user_with_key(account, "bot", 400));
        let (replaced, left) = mpsc::channel();
        after(&deployment, ("ListUsers", 1), move |account| {
            account.delete_user("bot");
            user_with_key(account, "bot", 400);
            deactivated(account, "bot", 31);
            replaced.send(state_of(account)).unwrap();
        });
        let error = run(&deployment, runbook, "bot", inputs).await.unwrap_err();
        assert!(error.contains("The name bot now belongs to another user"), "{error}");
        assert_eq!(state(&deployment), left.recv().unwrap());
        assert!(writes(&deployment).is_empty());
    }

    let deployment = start().await;
    let stale = deployment.member(|account| user_with_key(account, "bot", 400));
    after(&deployment, ("ListAccessKeys", 1), |account| {
        account.rename_user("bot", "robot");
    });
    let error = run(&deployment, DEACTIVATE, "bot", &[]).await.unwrap_err();
    assert!(error.contains(&format!("IAM does not say that {stale} is of bot")), "{error}");
    assert!(writes(&deployment).is_empty());
}

#[tokio::test]
async fn a_deactivation_waits_until_it_is_seen() {
    for holds in [true, false] {
        let deployment = start().await;
        let begun = Utc::now();
        let stale = deployment.member(|account| user_with_key(account, "bot", 400));
        // As long as IAM has not come to show it, or for good.
        let key = stale.clone();
        after(&deployment, ("UpdateAccessKey", 1), move |account| {
            account.set_key_status("bot", &key, Active);
        });
        let key = stale.clone();
        after(&deployment, ("ListAccessKeys", 5), move |account| {
            account.set_key_status("bot", &key, if holds { Inactive } else { Active });
        });
        let outcome = run(&deployment, DEACTIVATE, "bot", &[]).await;
        assert_eq!(is_deactivated(&deployment, "bot", &stale, begun), holds);
        if let Err(error) = &outcome {
            assert!(error.contains(&format!("{stale} of bot is still Active after it was made Inactive")), "{error}");
            assert_eq!(recorded(&deployment, &stale).as_deref(), Some("deactivating"));
        }
        assert_eq!(outcome.is_ok(), holds);
    }
}

#[tokio::test]
async fn a_key_that_is_deactivated_while_the_deletion_runs_keeps_its_record() {
    let deployment = start().await;
    let key = deployment.member(|account| deactivated(account, "bot", 31));
    deployment.member(|account| account.set_key_status("bot", &key, Active));
    let begun = Utc::now();
    let of_the_other = key.clone();
    after(&deployment, ("ListAccessKeys", 1), move |account| {
        let id = account.user("bot").unwrap().id.clone();
        account.set_parameter(&record(&of_the_other), &record_of(&id, Utc::now()));
        account.set_key_status("bot", &of_the_other, Inactive);
    });
    // It may fail, or leave the key for the next time.
    let _ = run(&deployment, DELETE, "ALL", FOR_REAL).await;
    assert!(is_deactivated(&deployment, "bot", &key, begun), "without its record there is no way back");
}

#[tokio::test]
async fn a_user_who_is_deleted_meanwhile_costs_no_other() {
    let deployment = start().await;
    let due = deployment.member(|account| {
        account.create_user("anna", Utc::now());
        deactivated(account, "zoe", 31)
    });
    after(&deployment, ("ListUsers", 1), |account| {
        account.delete_user("anna");
    });
    run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
    assert_eq!(status(&deployment, "zoe", &due), None);
}

#[tokio::test]
async fn a_listing_that_does_not_end_is_given_up() {
    let deployment = start().await;
    deployment.member(|account| populate(account, Utc::now(), 400, 0, 100));
    deployment.fault(Some("ListUsers"), None, ShortPages(1));
    let error = run(&deployment, DEACTIVATE, "user-0000", &[]).await.unwrap_err();
    assert!(error.contains("list_users does not end"), "{error}");
    assert_eq!(deployment.calls(), [("ListUsers".to_owned(), 501)].into());
}

#[tokio::test]
async fn a_run_is_a_trial_unless_dry_run_is_exactly_false() {
    let deployment = start().await;
    let due = deployment.member(|account| {
        user_with_key(account, "bot", 400);
        deactivated(account, "bot", 31)
    });
    let before = state(&deployment);
    // A `$` in a pattern takes a line's end before it.
    let dry = ("DryRun", "true\n");
    for (runbook, inputs) in [(DEACTIVATE, &[dry][..]), (REACTIVATE, &[dry, ("AccessKeyId", &due)]), (DELETE, &[dry])] {
        let _ = run(&deployment, runbook, "bot", inputs).await;
        assert_eq!(state(&deployment), before, "{runbook}");
    }
    assert!(writes(&deployment).is_empty());
}
