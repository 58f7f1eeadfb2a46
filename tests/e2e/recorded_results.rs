//! What a sweep remembers: who needs no read, and that nothing false is kept.

use crate::support::*;
use chrono::TimeDelta;
use local_aws::{ComplianceType::*, FaultKind, KeyStatus, events};
use std::time::Duration;

/// An account in which nobody but `stale` is in violation, after its first sweep.
async fn swept() -> Deployment {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        for (name, age) in [("young", 10), ("stale", 134)] {
            account.create_user(name, today() - days(400));
            account.create_key(name, today() - days(age)).unwrap();
        }
        account.create_user("keyless", today() - days(400));
        account.create_user("new", today() - days(30));
        account.create_key("new", today() - days(20)).unwrap();
    });
    deployment.sweep(&[]).await;
    assert_eq!(deployment.calls_of("ListAccessKeys"), 3, "no key of a new user is old");
    deployment.clear_calls();
    deployment
}

#[tokio::test(start_paused = true)]
async fn whoever_cannot_be_in_violation_yet_is_not_read_again() {
    let deployment = swept().await;
    deployment.aws.world().advance(days(40));
    deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
    let expected = [
        ("AssumeRole", 1),
        ("GetAccessKeyLastUsed", 1),
        ("GetComplianceDetailsByConfigRule", 2),
        ("GetUser", 1),
        ("ListAccessKeys", 1),
        ("ListEntitiesForPolicy", 3),
        ("ListUsers", 1),
        ("PutEvaluations", 1),
    ];
    assert_eq!(deployment.calls(), expected.map(|(action, number)| (action.to_owned(), number)).into());
}

#[tokio::test(start_paused = true)]
async fn the_annotation_says_until_when() {
    let deployment = swept().await;
    let compliant = |text: &str| (Compliant, Some(text.to_owned()));
    assert_eq!(deployment.result("young"), compliant("No access key becomes stale before 2026-05-19 (limit 90 days)."));
    assert_eq!(deployment.result("new"), compliant("No access key becomes stale before 2026-04-29 (limit 90 days)."));
    let keyless = "The user had no access key on 2026-03-01. None becomes stale before 2026-05-29 (limit 90 days).";
    assert_eq!(deployment.result("keyless"), compliant(keyless));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_was_switched_off_and_on_is_as_old_as_before() {
    let deployment = swept().await;
    for (user, advance) in [("stale", 1), ("young", 85)] {
        deployment.member(|account| {
            let key = account.user(user).unwrap().keys[0].id.clone();
            account.set_key_status(user, &key, KeyStatus::Inactive);
        });
        deployment.sweep(&[]).await;
        assert_eq!(deployment.result(user).0, Compliant, "{user}");
        deployment.aws.world().advance(days(advance));
        deployment.member(|account| {
            let key = account.user(user).unwrap().keys[0].id.clone();
            account.set_key_status(user, &key, KeyStatus::Active);
        });
        deployment.sweep(&[]).await;
        assert_eq!(deployment.result(user).0, NonCompliant, "{user}");
        deployment.assert_all_right(90);
    }
}

#[tokio::test(start_paused = true)]
async fn an_old_inactive_key_is_named_and_its_user_read_in_every_sweep() {
    let deployment = swept().await;
    let key = deployment.member(|account| {
        let key = account.user("stale").unwrap().keys[0].id.clone();
        account.set_key_status("stale", &key, KeyStatus::Inactive);
        key
    });
    for _ in 0..2 {
        deployment.clear_calls();
        deployment.sweep(&[]).await;
        let said = format!(
            "stale: Delete {key} (inactive, created 2025-10-18) once nothing needs it. It is older than 90 days."
        );
        assert_eq!(deployment.result("stale"), (Compliant, Some(said)));
        assert_eq!(deployment.calls_of("ListAccessKeys"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn without_what_config_holds_everyone_is_read() {
    let deployment = swept().await;
    deployment.fault(Some("GetComplianceDetailsByConfigRule"), None, FaultKind::ServerError { probability: 1.0 });
    assert_eq!(deployment.sweep_with(&[]).await.0.unwrap_err().error_type(), "AwsError");
    assert_eq!(deployment.calls_of("ListAccessKeys"), 3);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn what_was_seen_of_the_held_results_counts_though_they_break_off() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 60, 0, 0));
    deployment.sweep(&[]).await;
    deployment.clear_calls();
    let results = Some("GetComplianceDetailsByConfigRule");
    deployment.fault(results, None, FaultKind::ShortPages(20));
    deployment.fault(results, None, FaultKind::BreakOffAfterPages(3));
    assert_eq!(deployment.sweep_with(&[]).await.0.unwrap_err().error_type(), "AwsError");
    assert_eq!(deployment.calls_of("ListAccessKeys"), 20);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn another_limit_makes_everyone_be_read() {
    let deployment = swept().await;
    deployment.sweep(&[("maxAccessKeyAge", "5")]).await;
    deployment.assert_all_right(5);
    assert_eq!(deployment.calls_of("ListAccessKeys"), 4);
    deployment.sweep(&[("maxAccessKeyAge", "89")]).await;
    deployment.assert_all_right(89);
}

#[tokio::test(start_paused = true)]
async fn what_a_change_notification_found_is_remembered() {
    let deployment = swept().await;
    deployment.member(|account| {
        account.create_user("imported", today() - days(400));
        account.create_key("imported", today() - days(5)).unwrap();
    });
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "imported", &[]).unwrap();
    deployment.send(&event).await.0.unwrap();
    deployment.clear_calls();
    deployment.sweep(&[]).await;
    assert_eq!(deployment.calls_of("ListAccessKeys"), 1, "the one in violation");
    deployment.assert_all_right(90);
}

/// Each with the results that are delivered in all, or only if they change.
#[tokio::test(start_paused = true)]
async fn what_changes_reaches_the_console_with_the_next_sweep() {
    for deliver in ["changes", "all"] {
        let deployment = swept().await;
        let sweep = async || {
            deployment.sweep(&[("deliver", deliver)]).await;
            deployment.assert_all_right(90);
        };
        let said = |user: &str| deployment.result(user).1.unwrap();

        deployment.aws.world().advance(days(67));
        sweep().await;
        assert!(
            said("young").contains(" is due on 2026-05-20 (limit 90 days). Rotate it before then."),
            "{}",
            said("young")
        );
        let now = deployment.aws.world().now();
        deployment.member(|account| {
            let old = account.user("young").unwrap().keys[0].id.clone();
            account.create_key("young", now).unwrap();
            account.delete_key("young", &old);
        });
        sweep().await;
        assert_eq!(said("young"), "No access key becomes stale before 2026-08-04 (limit 90 days).", "{deliver}");

        let exempt = |until: &str| {
            deployment.member(|account| {
                account.tag_user("stale", "access-key-rotation:exempt-until", until);
                account.tag_user("stale", "access-key-rotation:exempt-owner", "payments");
            });
        };
        for until in ["2026-06-01", "2026-07-01"] {
            exempt(until);
            sweep().await;
            assert!(
                said("stale").starts_with(&format!("stale: Exempt until {until} (owner: payments): AKIA")),
                "{}",
                said("stale")
            );
        }
        deployment.member(|account| {
            let key = account.user("stale").unwrap().keys[0].id.clone();
            account.delete_key("stale", &key);
        });
        sweep().await;
        assert!(said("stale").starts_with("The user had no access key on 2026-05-07."), "{}", said("stale"));
    }
}

/// The console shows an id, so the name in the annotation is the only one.
#[tokio::test(start_paused = true)]
async fn a_renamed_user_has_the_new_name_after_the_next_sweep() {
    let deployment = Deployment::start().await;
    let names = ["stale", "exempt", "due", "outlived", "young"];
    deployment.member(|account| {
        for (name, age) in names.into_iter().zip([134, 134, 80, 134, 5]) {
            account.create_user(name, today() - days(400));
            let key = account.create_key(name, today() - days(age)).unwrap();
            if name == "exempt" {
                account.tag_user(name, "access-key-rotation:exempt-until", "2026-06-01");
                account.tag_user(name, "access-key-rotation:exempt-owner", "payments");
            }
            if name == "outlived" {
                account.set_key_status(name, &key, KeyStatus::Inactive);
            }
        }
    });
    deployment.sweep(&[]).await;
    let said = |name: &str| deployment.result(name).1.unwrap();
    let before = names.map(said);
    deployment.member(|account| assert!(names.iter().all(|name| account.rename_user(name, &format!("{name}-2")))));
    deployment.clear_calls();
    deployment.sweep(&[]).await;
    for (name, before) in names.into_iter().zip(before) {
        let now = said(&format!("{name}-2"));
        match before.strip_prefix(name) {
            Some(rest) => assert_eq!(now, format!("{name}-2{rest}")),
            None => assert_eq!((name, now), ("young", before)),
        }
    }
    assert_eq!(deployment.calls_of("ListAccessKeys"), 4, "the young one needs no read");
}

#[tokio::test(start_paused = true)]
async fn whoever_needs_no_read_has_a_result_whatever_happens_to_the_reads() {
    let kinds = [
        FaultKind::Throttle { probability: 1.0 },
        FaultKind::AccessDenied,
        FaultKind::Latency(Duration::from_secs(60)),
    ];
    for kind in kinds {
        let mut deployment = Deployment::start().await;
        deployment.member(|account| {
            populate(account, today(), 130, 10, 20);
            for n in 0..130 {
                account.create_user(&format!("new-{n}"), today() - days(n % 70));
            }
        });
        deployment.sweep(&[]).await;
        deployment.aws.world().advance(days(1));
        deployment.rule.timeout = Duration::from_secs(30);
        deployment.fault(Some("ListAccessKeys"), None, kind.clone());
        deployment.sweep_with(&[("deliver", "all")]).await.0.unwrap_err();
        let fresh = deployment.member(|account| {
            account.results(RULE).values().filter(|result| result.result_recorded_time == today() + days(1)).count()
        });
        assert_eq!(fresh, 260 - 13, "{kind:?}");
        deployment.assert_all_right(90);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_passes_to_another_user_does_not_lend_its_keys_for_months() {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        for (name, age) in [("bot", 134), ("spare", 1)] {
            account.create_user(name, today() - days(400));
            account.create_key(name, today() - days(age)).unwrap();
        }
    });
    // The answer for the name comes when it is another user's.
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::Latency(Duration::from_secs(1)));
    let event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    let swap = async {
        deployment.called("ListUsers", 1).await;
        deployment.member(|account| {
            account.rename_user("bot", "old-bot");
            account.rename_user("spare", "bot");
        });
    };
    let ((outcome, _), ()) = tokio::join!(deployment.send(&event), swap);
    outcome.unwrap();
    assert_eq!(deployment.result("old-bot").0, NonCompliant);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_result_is_no_proof_of_more_than_its_own_time_allows() {
    let deployment = swept().await;
    deployment.member(|account| {
        let id = account.user("stale").unwrap().id.clone();
        let result = account.results_mut(RULE).unwrap().get_mut(&id).unwrap();
        result.compliance = Compliant;
        result.annotation = Some("No access key becomes stale before 2026-05-30 (limit 90 days).".to_owned());
    });
    deployment.sweep(&[]).await;
    assert_eq!(deployment.result("stale").0, NonCompliant);

    deployment.aws.world().advance(TimeDelta::hours(1));
    deployment.member(|account| {
        let id = account.user("stale").unwrap().id.clone();
        let result = account.results_mut(RULE).unwrap().get_mut(&id).unwrap();
        result.annotation = Some("No access key becomes stale before 2026-05-29 (limit 90 days).".to_owned());
    });
    deployment.sweep(&[]).await;
    assert_eq!(deployment.result("stale").0, NonCompliant, "a violation's words prove nothing");
    assert!(deployment.result("stale").1.unwrap().contains(" is stale: "));
}
