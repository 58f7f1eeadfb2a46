//! The number of calls for an account of 5,000 users, and that everyone is right all the same. How long it takes and how
//! much memory the function needs is measured by `cargo bench`.

use crate::support::*;
use local_aws::{FaultKind, World};

async fn large(per_cent: usize, keyless: usize) -> Deployment {
    let mut world = World::new(today());
    world.account(MEMBER).report_polls = 3;
    let deployment = Deployment::start_in(world).await;
    deployment.member(|account| populate(account, today(), 5000, per_cent, keyless));
    deployment
}

#[tokio::test]
async fn with_the_report_one_per_cent_in_violation_costs_290_calls() {
    let deployment = large(1, 20).await;
    let metrics = deployment.sweep(&[("keySource", "report")]).await;
    assert_eq!(deployment.held().len(), 5000);
    deployment.assert_all_right(90);
    assert!(metrics.calls.made() <= 290, "{} calls: {:?}", metrics.calls.made(), deployment.calls());
}

#[tokio::test]
async fn live_reads_each_user_who_has_a_key_once_and_nobody_else() {
    for (keyless, calls) in [(0, 5400), (50, 2900)] {
        let deployment = large(1, keyless).await;
        let metrics = deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        assert!(metrics.calls.made() <= calls, "{} calls: {:?}", metrics.calls.made(), deployment.calls());
        let with_keys = deployment.member(|account| account.users().filter(|user| !user.keys.is_empty()).count());
        assert_eq!(deployment.calls_of("ListAccessKeys"), with_keys);
    }
}

#[tokio::test]
async fn a_limit_on_reads_slows_the_sweep_down_and_loses_nobody() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 500, 1, 0));
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::TokenBucket { per_second: 100.0, burst: 20.0 });
    let metrics = deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
    let repeated = metrics.calls.throttled();
    assert!(repeated > 0 && repeated < 500, "{repeated} calls throttled for 500 admitted");
}
