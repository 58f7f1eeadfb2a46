//! Results on their way to Config: batches, changes, and what Config does not take.

use crate::support::*;
use local_aws::{ComplianceType::*, Failing, FaultKind, KeyStatus};
use std::time::Duration;

impl Deployment {
    fn deliveries(&self) -> Vec<usize> {
        self.member(|account| account.deliveries(RULE).iter().map(|delivery| delivery.evaluations).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn results_go_out_in_batches_of_a_hundred() {
    for (users, batches) in
        [(1, vec![1]), (99, vec![99]), (100, vec![100]), (101, vec![1, 100]), (250, vec![50, 100, 100])]
    {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), users, 10, 50));
        deployment.sweep(&[]).await;
        let mut deliveries = deployment.deliveries();
        deliveries.sort_unstable();
        assert_eq!(deliveries, batches, "{users} users");
        assert_eq!(deployment.recorded().len(), users);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unchanged_account_has_its_violations_delivered_or_the_empty_list() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 250, 10, 50));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.deliveries().iter().sum::<usize>(), 250, "the first time everything is new");
    let before = deployment.deliveries().len();
    deployment.aws.world().advance(days(1));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.deliveries()[before..], [25]);
    deployment.sweep(&[("deliver", "all")]).await;
    let all = deployment.deliveries()[before + 1..].to_vec();
    assert_eq!((all.iter().sum::<usize>(), all.len()), (250, 4), "skipped and read apart: {all:?}");

    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 50, 0, 50));
    deployment.sweep(&[]).await;
    deployment.sweep(&[]).await;
    assert_eq!(deployment.deliveries(), [50, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_result_is_delivered_beside_the_violations() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 250, 10, 50));
    deployment.sweep(&[]).await;
    let before = deployment.deliveries().len();
    deployment.aws.world().advance(chrono::TimeDelta::hours(5));
    let now = deployment.aws.world().now();
    deployment.member(|account| {
        let violators: Vec<_> = account
            .users()
            .filter(|user| definition(user, now, 90) == NonCompliant)
            .map(|user| (user.name.clone(), user.keys[0].id.clone()))
            .take(7)
            .collect();
        // Three rotated, two gone, two with a second key that is stale as well.
        for (user, key) in &violators[..3] {
            account.create_key(user, now).unwrap();
            account.set_key_status(user, key, KeyStatus::Inactive);
        }
        for (user, _) in &violators[3..5] {
            account.delete_user(user);
        }
        for (user, _) in &violators[5..] {
            account.create_key(user, now - days(200)).unwrap();
        }
        // Three new.
        for n in 0..3 {
            account.create_user(&format!("new-{n}"), now);
        }
    });
    deployment.sweep(&[]).await;
    let delivered = deployment.deliveries()[before..].to_vec();
    assert_eq!(delivered, [3, 25], "skipped for their age, then 20 violations, 3 rotated and the two who are gone");
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn everything_is_delivered_if_what_config_holds_cannot_be_read() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 120, 10, 50));
    deployment.sweep(&[]).await;
    let gone = deployment.member(|account| {
        let id = account.user("user-0001").unwrap().id.clone();
        account.delete_user("user-0001");
        id
    });
    let action = "GetComplianceDetailsByConfigRule";
    deployment.fault(Some(action), None, FaultKind::ServerError { probability: 1.0 });
    let before = deployment.deliveries().len();
    let (outcome, _) = deployment.sweep_with(&[]).await;
    assert_eq!(deployment.deliveries()[before..].iter().sum::<usize>(), 119);
    let error = outcome.unwrap_err();
    assert_eq!(error.error_type(), "AwsError");
    assert!(error.to_string().contains(action), "{error}");
    deployment.member(|account| assert_ne!(account.results(RULE)[&gone].compliance, NotApplicable));
}

#[tokio::test(start_paused = true)]
async fn results_that_are_slow_to_read_do_not_use_up_the_time_for_verdicts() {
    let mut deployment = Deployment::start().await;
    deployment.rule.timeout = Duration::from_secs(20);
    deployment.member(|account| populate(account, today(), 20, 10, 50));
    let action = "GetComplianceDetailsByConfigRule";
    deployment.fault(Some(action), None, FaultKind::Throttle { probability: 1.0 });
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "AwsError", "{error}");
    assert!(error.to_string().contains("Deleted users may keep a result"), "{error}");
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_config_names_as_failed_is_sent_again() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 150, 10, 50));
    deployment.fault(None, None, FaultKind::FailedEvaluations { times: 3, which: Failing::First(10) });
    deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_config_never_takes_is_an_error_and_costs_nobody_else() {
    let deployment = Deployment::start().await;
    let unlucky = deployment.member(|account| {
        populate(account, today(), 150, 10, 50);
        // In two batches.
        ["user-0007", "user-0149"].map(|name| account.user(name).unwrap().id.clone()).to_vec()
    });
    deployment.fault(None, None, FaultKind::FailedEvaluations { times: 1000, which: Failing::Ids(unlucky) });
    // Whoever is read after the first batch has failed still gets a result.
    deployment.fault(Some("ListAccessKeys"), Some("user-0148"), FaultKind::Latency(Duration::from_secs(6)));
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert_eq!(error.error_type(), "DeliveryFailed");
    assert!(error.to_string().contains("2 results did not reach AWS Config"), "{error}");
    assert_eq!(deployment.recorded().len(), 148);
}

#[tokio::test(start_paused = true)]
async fn a_rule_that_is_gone_ends_the_sweep() {
    let deployment = Deployment::start().await;
    // The results of violators go out first.
    deployment.member(|account| populate(account, today(), 500, 50, 0));
    let event = local_aws::events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    deployment.member(|account| account.delete_rule(RULE));
    let error = deployment.send(&event).await.0.unwrap_err();
    assert_eq!(error.error_type(), "DeliveryFailed");
    assert!(error.to_string().contains("NoSuchConfigRule"), "{error}");
    assert!(deployment.calls_of("ListAccessKeys") < 500, "reads went on in vain");
}

#[tokio::test(start_paused = true)]
async fn a_rule_name_too_long_to_ask_for_results_is_an_error_after_the_delivery() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 20, 10, 50));
    for length in [64, 65] {
        let rule = &"access-key-rotation-".repeat(4)[..length];
        deployment.member(|account| account.add_rule(rule));
        let event = local_aws::events::scheduled(&mut deployment.aws.world(), MEMBER, rule, &[]);
        let outcome = deployment.send(&event).await.0;
        assert_eq!(deployment.member(|account| account.results(rule).len()), 20);
        if length == 64 {
            outcome.unwrap();
        } else {
            let text = "the rule's name has 65 characters, but this action accepts at most 64";
            let error = outcome.unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_config_does_not_take_until_the_deadline_is_named_as_such() {
    let mut deployment = Deployment::start().await;
    let event = local_aws::events::deleted(&mut deployment.aws.world(), MEMBER, RULE, "AIDAGONE", "gone", &[]);
    // The role is assumed, so that nothing but the delivery takes time.
    deployment.send(&event).await.0.unwrap();
    deployment.rule.timeout = Duration::from_secs(2);
    let which = Failing::Ids(vec!["AIDAGONE".to_owned()]);
    deployment.fault(None, None, FaultKind::FailedEvaluations { times: 1000, which });
    let error = deployment.send(&event).await.0.unwrap_err();
    assert_eq!(error.error_type(), "DeliveryFailed", "{error}");
    assert!(error.to_string().contains("Config accepted the call but not the results"), "{error}");
}
