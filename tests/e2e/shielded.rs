//! Users whom a policy shields from the rule, and last uses that cannot be read.

use crate::support::*;
use local_aws::{ComplianceType::*, Fault, FaultKind, events};
use std::time::Duration;

/// 200 users, of whom every tenth has a stale key.
async fn start() -> Deployment {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 200, 10, 0));
    deployment
}

impl Deployment {
    fn shield(&self, action: &str, user: &str) {
        self.fault(Some(action), Some(user), FaultKind::AccessDenied);
    }

    fn id(&self, user: &str) -> String {
        self.member(|account| account.user(user).unwrap().id.clone())
    }

    /// How many users have a result that was recorded today.
    fn fresh(&self) -> usize {
        let now = self.aws.world().now();
        self.member(|account| {
            account.results(RULE).values().filter(|result| result.result_recorded_time == now).count()
        })
    }
}

#[tokio::test(start_paused = true)]
async fn any_number_of_shielded_users_cost_only_themselves_and_are_no_error() {
    for shielded in [1, 16, 150] {
        let deployment = start().await;
        // The first in the listing.
        (0..shielded).for_each(|n| deployment.shield("ListAccessKeys", &format!("user-{n:04}")));
        let metrics = deployment.sweep(&[]).await;
        assert_eq!(deployment.recorded().len(), 200 - shielded);
        let line = metrics.line(today(), Duration::ZERO);
        assert_eq!([&line["UsersUnknown"], &line["UsersEvaluated"]], [shielded, 200 - shielded]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_shielded_whichever_read_is_denied() {
    for action in ["ListAccessKeys", "GetUser"] {
        let deployment = start().await;
        deployment.sweep(&[]).await;
        let before = deployment.result("user-0000");
        deployment.aws.world().advance(days(1));
        deployment.shield(action, "user-0000");
        let metrics = deployment.sweep(&[]).await;
        assert_eq!(metrics.line(today(), Duration::ZERO)["UsersUnknown"], 1, "{action}");
        assert_eq!(deployment.result("user-0000"), before, "the old result stays");
        assert_eq!(deployment.fresh(), 19, "the other violations");
    }
}

#[tokio::test(start_paused = true)]
async fn a_shielded_user_who_is_known_does_not_count_and_any_other_does() {
    for action in ["ListAccessKeys", "GetUser"] {
        let mut deployment = start().await;
        let known = ["user-0000", "user-0010", "user-0020"].map(|user| deployment.id(user));
        // Unknown ids do no harm, nor does the empty one of an empty list.
        deployment.rule.known_shielded = known.into_iter().chain(["AIDAGONE".to_owned(), String::new()]).collect();
        let unknown = async || deployment.sweep(&[]).await.users_unknown();
        for user in ["user-0000", "user-0010"] {
            deployment.shield(action, user);
        }
        assert_eq!(unknown().await, 0, "{action}");
        assert!(!deployment.recorded().contains_key("user-0000"), "neither compliant nor gone");
        assert_eq!(deployment.recorded()["user-0020"], NonCompliant, "known, and not shielded");
        deployment.shield(action, "user-0030");
        assert_eq!(unknown().await, 1, "{action}");

        let change = async |user: &str| {
            let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, user, &[]).unwrap();
            let (outcome, metrics) = deployment.send(&event).await;
            (outcome.is_ok(), metrics.users_unknown())
        };
        assert_eq!(change("user-0000").await, (true, 0), "{action}");
        assert_eq!(change("user-0030").await, (true, 1), "{action}");

        // Without a shield, a failure counts: the permission is lost, or AWS fails.
        deployment.aws.world().faults.clear();
        deployment.fault(Some(action), None, FaultKind::AccessDenied);
        let (outcome, metrics) = deployment.sweep_with(&[]).await;
        assert!(outcome.is_err() && metrics.users_unknown() >= 20, "{action}: {}", metrics.users_unknown());
        assert_eq!(change("user-0000").await, (false, 1), "{action}");
        deployment.aws.world().faults.clear();
        deployment.fault(Some(action), Some("user-0000"), FaultKind::ServerError { probability: 1.0 });
        assert_eq!(deployment.sweep_with(&[]).await.1.users_unknown(), 1, "{action}");
    }
}

/// Whoever else could show that it is one user's matter is remembered, and would not be read.
#[tokio::test(start_paused = true)]
async fn an_action_that_is_denied_to_all_is_recognized_by_others_where_only_shielded_users_are_read() {
    for action in ["ListAccessKeys", "GetUser"] {
        let deployment = Deployment::start().await;
        deployment.member(|account| {
            populate(account, today(), 20, 0, 0);
            account.create_user("break-glass", today() - days(400));
            account.create_key("break-glass", today() - days(134)).unwrap();
        });
        deployment.sweep(&[]).await;
        deployment.clear_calls();
        deployment.shield(action, "break-glass");
        deployment.sweep(&[]).await;
        assert!(deployment.calls_of(action) <= 3, "{action}: {:?}", deployment.calls());

        deployment.aws.world().faults.clear();
        deployment.clear_calls();
        deployment.fault(Some(action), None, FaultKind::AccessDenied);
        let error = deployment.sweep_with(&[]).await.0.unwrap_err();
        assert_eq!(error.error_type(), "AccessDenied", "{error}");
        assert_eq!(deployment.calls_of(action), 4, "one for the user, and three for others");
        for part in [action, "role/access-key-rotation-evaluation", "templates/member.yaml", MEMBER] {
            assert!(error.to_string().contains(part), "{part}: {error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_permission_that_is_lost_in_the_middle_of_a_sweep_is_no_shield() {
    for action in ["ListAccessKeys", "GetUser", "GetAccessKeyLastUsed"] {
        // Of 600, 300 are in violation. The permission is lost early, or for the last two.
        for after in [100, if action == "ListAccessKeys" { 598 } else { 298 }] {
            let deployment = Deployment::start().await;
            deployment.member(|account| populate(account, today(), 600, 50, 0));
            deployment.aws.world().after_calls_of(action, after, move |world| {
                let (account, user) = (None, None);
                world.faults.add(Fault {
                    account,
                    action: Some(action.to_owned()),
                    user,
                    kind: FaultKind::AccessDenied,
                });
            });
            let error = deployment.sweep_with(&[]).await.0.unwrap_err();
            assert_eq!(error.error_type(), "AccessDenied", "{action} after {after}: {error}");
            for part in [action, "role/access-key-rotation-evaluation", "templates/member.yaml", MEMBER] {
                assert!(error.to_string().contains(part), "{part}: {error}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_last_use_that_fails_for_one_user_is_raised_though_a_policy_shields_the_one_before() {
    let deployment = start().await;
    deployment.shield("GetAccessKeyLastUsed", "user-0000");
    deployment.fault(Some("GetAccessKeyLastUsed"), Some("user-0010"), FaultKind::ServerError { probability: 1.0 });
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    let text = "The last use of keys is unknown for 1 user in violation: iam:GetAccessKeyLastUsed: ServiceFailure.";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn the_change_of_a_shielded_user_is_no_error_either() {
    for action in ["ListAccessKeys", "GetUser"] {
        let deployment = start().await;
        deployment.shield(action, "user-0000");
        let change = async || {
            let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "user-0000", &[]).unwrap();
            deployment.send(&event).await
        };
        let (outcome, metrics) = change().await;
        outcome.unwrap();
        assert_eq!(metrics.line(today(), Duration::ZERO)["UsersUnknown"], 1);
        assert!(deployment.recorded().is_empty());

        deployment.fault(Some(action), None, FaultKind::AccessDenied);
        let error = change().await.0.unwrap_err();
        assert_eq!(error.error_type(), "AccessDenied", "{error}");
        assert!(error.to_string().contains(action), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_few_who_are_all_denied_are_unknown_and_raised() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 3, 0, 0));
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::AccessDenied);
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "Incomplete", "{error}");
    assert!(
        error.to_string().starts_with("3 of 3 users unknown: user-0000 (iam:ListAccessKeys: AccessDenied)"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn every_violation_is_delivered_though_no_last_use_can_be_read() {
    let kinds = [
        (FaultKind::AccessDenied, "AccessDenied"),
        (FaultKind::Throttle { probability: 1.0 }, "Incomplete"),
        (FaultKind::ServerError { probability: 1.0 }, "Incomplete"),
        (FaultKind::Latency(Duration::from_secs(60)), "Incomplete"),
    ];
    for (kind, expected) in kinds {
        let mut deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), 40, 50, 0));
        deployment.rule.timeout = Duration::from_secs(30);
        deployment.fault(Some("GetAccessKeyLastUsed"), None, kind.clone());
        let error = deployment.sweep_with(&[]).await.0.unwrap_err();
        assert_eq!(error.error_type(), expected, "{kind:?}: {error}");
        assert!(error.to_string().contains("The last use of keys is unknown for 20 users in violation"), "{error}");
        deployment.assert_all_right(90);
        let (compliance, text) = deployment.result("user-0000");
        let text = text.unwrap();
        assert_eq!(compliance, NonCompliant);
        assert!(text.contains("last use unknown") && text.ends_with("switch to it, deactivate this one."), "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_whose_last_use_alone_is_shielded_is_no_error() {
    let deployment = start().await;
    deployment.shield("GetAccessKeyLastUsed", "user-0000");
    deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
    assert!(deployment.result("user-0000").1.unwrap().contains("last use unknown"));
    assert!(deployment.result("user-0010").1.unwrap().contains("last used 2026-02-28"));
}

#[tokio::test(start_paused = true)]
async fn last_uses_are_not_asked_for_again_and_again_if_none_can_be_read() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 80, 100, 0));
    deployment.fault(Some("GetAccessKeyLastUsed"), None, FaultKind::AccessDenied);
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert!(error.to_string().contains("The last use of keys is unknown for 80 users in violation"), "{error}");
    // After 16 failures, 15 more may be under way.
    assert!(deployment.calls_of("GetAccessKeyLastUsed") < 32, "{:?}", deployment.calls());
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_last_use_that_cannot_be_read_for_another_reason_is_an_error() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 20, 10, 0));
    deployment.fault(Some("GetAccessKeyLastUsed"), Some("user-0000"), FaultKind::ServerError { probability: 1.0 });
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "Incomplete", "{error}");
    let text = "The last use of keys is unknown for 1 user in violation: iam:GetAccessKeyLastUsed: ServiceFailure.";
    assert_eq!(error.to_string(), text);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_changed_user_has_a_result_though_the_last_use_cannot_be_read() {
    for (kind, expected) in
        [(FaultKind::ServerError { probability: 1.0 }, "Incomplete"), (FaultKind::AccessDenied, "AccessDenied")]
    {
        let mut deployment = start().await;
        deployment.rule.timeout = Duration::from_secs(30);
        let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "user-0000", &[]).unwrap();
        deployment.fault(Some("GetAccessKeyLastUsed"), None, kind);
        let error = deployment.send(&event).await.0.unwrap_err();
        assert_eq!(error.error_type(), expected, "{error}");
        assert!(error.to_string().contains("iam:GetAccessKeyLastUsed"), "{error}");
        let (compliance, text) = deployment.result("user-0000");
        assert_eq!(compliance, NonCompliant, "delivered all the same");
        assert!(text.unwrap().contains("last use unknown"));
    }
}
