//! The sweep: right for every user, with the fewest reads.

use crate::support::*;
use access_key_rotation::metrics::Metrics;
use chrono::TimeDelta;
use local_aws::{Account, ComplianceType::*, FaultKind, KeyStatus, events};
use std::time::Duration;

#[tokio::test(start_paused = true)]
async fn every_boundary_is_judged_to_the_second() {
    let deployment = Deployment::start().await;
    let limit = days(90);
    let second = TimeDelta::seconds(1);
    deployment.member(|account| {
        for (name, age) in
            [("at-the-limit", limit), ("one-second-beyond", limit + second), ("one-before", limit - second)]
        {
            account.create_user(name, today() - days(2000));
            account.create_key(name, today() - age).unwrap();
        }
        account.create_user("no-key", today() - days(2000));
        account.create_user("new", today());
        for (name, status) in [("inactive", KeyStatus::Inactive), ("expired", KeyStatus::Expired)] {
            account.create_user(name, today() - days(2000));
            let key = account.create_key(name, today() - days(1000)).unwrap();
            account.set_key_status(name, &key, status);
        }
        account.create_user("second-key-stale", today() - days(2000));
        account.create_key("second-key-stale", today() - days(1)).unwrap();
        account.create_key("second-key-stale", today() - days(91)).unwrap();
    });
    deployment.sweep(&[]).await;
    let violators: Vec<_> = deployment
        .recorded()
        .into_iter()
        .filter(|(_, recorded)| *recorded == NonCompliant)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(violators, ["one-second-beyond", "second-key-stale"]);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn the_annotation_lets_an_operator_act() {
    let deployment = Deployment::start().await;
    let key = deployment.member(|account| {
        account.create_user("bot", today() - days(400));
        let key = account.create_key("bot", today() - days(134)).unwrap();
        account.use_key(&key, today() - days(2), "us-east-1", "s3");
        key
    });
    deployment.sweep(&[]).await;
    let expected = format!(
        "bot: {key} is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), last used 2026-02-27 by s3 in us-east-1. Create a \
         new key, switch to it, deactivate this one."
    );
    assert_eq!(deployment.result("bot"), (NonCompliant, Some(expected)));
}

#[tokio::test(start_paused = true)]
async fn an_exemption_is_read_from_the_users_tags() {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        for (name, until) in [("exempt", "2026-03-01"), ("expired", "2026-02-28")] {
            account.create_user(name, today() - days(400));
            account.create_key(name, today() - days(134)).unwrap();
            account.tag_user(name, "access-key-rotation:exempt-until", until);
            account.tag_user(name, "access-key-rotation:exempt-owner", "payments");
        }
    });
    let metrics = deployment.sweep(&[]).await;
    assert_eq!(deployment.result("exempt").0, Compliant);
    assert!(
        deployment.result("exempt").1.unwrap().starts_with("exempt: Exempt until 2026-03-01 (owner: payments): AKIA")
    );
    assert_eq!(deployment.result("expired").0, NonCompliant);
    assert!(deployment.result("expired").1.unwrap().contains("Exemption expired on 2026-02-28 (owner: payments)."));
    let line = metrics.line(today(), Duration::from_secs(1));
    assert_eq!([&line["UsersEvaluated"], &line["UsersNonCompliant"], &line["UsersExempt"]], [2, 1, 1]);
    assert_eq!(line["OldestActiveKeyDays"], 134);
    assert_eq!(deployment.calls_of("GetAccessKeyLastUsed"), 1, "none for an exempt key");
    assert_eq!(line["AccountId"], MEMBER);
}

#[tokio::test(start_paused = true)]
async fn listings_are_followed_through_short_and_empty_pages() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 120, 10, 50));
    deployment.fault(None, None, FaultKind::ShortPages(7));
    deployment.sweep(&[]).await;
    deployment.sweep(&[("deliver", "changes")]).await;
    assert_eq!(deployment.recorded().len(), 120);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn results_of_users_who_are_gone_become_not_applicable() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 250, 0, 50));
    deployment.sweep(&[]).await;
    let gone: Vec<_> = deployment
        .member(|account| {
            let names = ["user-0000", "user-0123", "user-0249"];
            names.map(|name| {
                let id = account.user(name).unwrap().id.clone();
                account.delete_user(name);
                id
            })
        })
        .to_vec();
    // IAM may not list everywhere whoever has a result for a moment only.
    deployment.sweep(&[]).await;
    deployment
        .member(|account| assert!(account.results(RULE).values().all(|recorded| recorded.compliance != NotApplicable)));
    deployment.aws.world().advance(TimeDelta::minutes(3));
    deployment.sweep(&[]).await;
    deployment.member(|account| {
        for (id, result) in account.results(RULE) {
            assert_eq!(result.compliance == NotApplicable, gone.contains(id), "{id}");
        }
    });
    deployment.clear_calls();
    deployment.sweep(&[("deliver", "changes")]).await;
    let last = deployment.member(|account| *account.deliveries(RULE).last().unwrap());
    assert_eq!(last.evaluations, 0, "what is not applicable already is not said again");
}

/// Sweeps ten users. When they are listed, and before Config looks up the results that the sweep asks for, another is made and
/// evaluated after the change, and from then on shielded if so wanted.
async fn sweep_while_a_user_is_made(is_shielded: bool) -> (Deployment, Metrics) {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 10, 10, 50));
    let action = "GetComplianceDetailsByConfigRule";
    deployment.fault(Some(action), None, FaultKind::Latency(Duration::from_secs(2)));
    let sweep = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    let make = async {
        deployment.called("ListUsers", 1).await;
        deployment.member(|account| account.create_user("made-meanwhile", today()));
        let change = events::change(&mut deployment.aws.world(), MEMBER, RULE, "made-meanwhile", &[]).unwrap();
        deployment.send(&change).await.0.unwrap();
        if is_shielded {
            deployment.fault(Some("ListAccessKeys"), Some("made-meanwhile"), FaultKind::AccessDenied);
        }
    };
    let ((outcome, metrics), ()) = tokio::join!(deployment.send(&sweep), make);
    outcome.unwrap();
    (deployment, metrics)
}

#[tokio::test(start_paused = true)]
async fn a_user_made_while_the_sweep_runs_is_not_taken_for_gone() {
    let (deployment, _) = sweep_while_a_user_is_made(false).await;
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_user_made_while_the_sweep_runs_who_cannot_be_read_is_unknown() {
    let (deployment, metrics) = sweep_while_a_user_is_made(true).await;
    deployment.assert_all_right(90);
    let line = metrics.line(today(), Duration::ZERO);
    assert_eq!([&line["UsersEvaluated"], &line["UsersUnknown"]], [10, 1]);
}

/// Ten users with a key, and the id of the first, whose key is stale.
async fn ten_users() -> (Deployment, String) {
    let deployment = Deployment::start().await;
    let id = deployment.member(|account| {
        populate(account, today(), 10, 10, 0);
        account.user("user-0000").unwrap().id.clone()
    });
    (deployment, id)
}

/// Sweeps, and acts on the account when the users are listed and before their keys are.
async fn act_between_listing_and_reads(deployment: &Deployment, act: impl FnOnce(&mut Account)) {
    act_between(deployment, ("ListUsers", 1), "ListAccessKeys", act).await;
}

/// Sweeps, and acts on the account after so many calls of one action and before AWS acts on those of the next.
async fn act_between(
    deployment: &Deployment,
    (action, calls): (&str, usize),
    next: &str,
    act: impl FnOnce(&mut Account),
) {
    deployment.clear_calls();
    deployment.fault(Some(next), None, FaultKind::Latency(Duration::from_secs(2)));
    let event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    let act = async {
        deployment.called(action, calls).await;
        deployment.member(act);
    };
    let ((outcome, _), ()) = tokio::join!(deployment.send(&event), act);
    outcome.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_user_renamed_while_the_sweep_runs_is_not_taken_for_gone() {
    let (deployment, _) = ten_users().await;
    act_between_listing_and_reads(&deployment, |account| {
        account.rename_user("user-0000", "renamed");
        account.rename_user("user-0001", "renamed-too");
    })
    .await;
    assert_eq!(deployment.result("renamed").0, NonCompliant);
    deployment.assert_all_right(90);
    assert_eq!(deployment.calls_of("ListUsers"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_user_renamed_between_two_reads_is_read_again() {
    let (deployment, _) = ten_users().await;
    act_between(&deployment, ("ListAccessKeys", 10), "GetUser", |account| {
        account.rename_user("user-0000", "renamed");
    })
    .await;
    assert_eq!(deployment.result("renamed").0, NonCompliant);
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_user_deleted_while_the_sweep_runs_is_not_applicable() {
    let (deployment, id) = ten_users().await;
    act_between_listing_and_reads(&deployment, |account| {
        account.delete_user("user-0000");
    })
    .await;
    deployment.member(|account| assert_eq!(account.results(RULE)[&id].compliance, NotApplicable));
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_name_that_passes_to_another_user_while_the_sweep_runs_does_not_lend_its_keys() {
    let (deployment, id) = ten_users().await;
    act_between_listing_and_reads(&deployment, |account| {
        account.delete_user("user-0000");
        account.create_user("user-0000", today() - days(200));
        account.create_key("user-0000", today() - days(100)).unwrap();
    })
    .await;
    deployment.member(|account| assert_eq!(account.results(RULE)[&id].compliance, NotApplicable));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.result("user-0000").0, NonCompliant);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_delivery_is_a_schedule() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 10, 10, 50));
    let event = events::about_the_account(&mut deployment.aws.world(), "snapshot", MEMBER, RULE, &[]);
    deployment.send(&event).await.0.unwrap();
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn an_account_without_users_is_evaluated_too() {
    let deployment = Deployment::start().await;
    deployment.sweep(&[]).await;
    let deliveries = deployment.member(|account| account.deliveries(RULE).to_vec());
    assert_eq!(deliveries.iter().map(|delivery| delivery.evaluations).collect::<Vec<_>>(), [0]);
}
