//! The number of calls, and that everyone is right all the same. How long it takes and how much memory the function needs is
//! measured by `cargo bench`.

use crate::support::*;
use local_aws::FaultKind;

async fn large(per_cent: usize, keyless: usize) -> Deployment {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 5000, per_cent, keyless));
    deployment
}

#[tokio::test(start_paused = true)]
async fn five_thousand_users_cost_5_168_calls_the_first_time_and_218_each_later_time() {
    let deployment = large(1, 0).await;
    let first = deployment.sweep(&[]).await;
    assert_eq!(deployment.recorded().len(), 5000);
    deployment.assert_all_right(90);
    assert!(first.calls.made() <= 5168, "{} calls: {:?}", first.calls.made(), deployment.calls());
    assert_eq!(deployment.calls_of("ListAccessKeys"), 5000);
    for hours in [1, 24] {
        deployment.clear_calls();
        deployment.aws.world().advance(chrono::TimeDelta::hours(hours));
        let later = deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        assert!(later.calls.made() <= 218, "{} calls: {:?}", later.calls.made(), deployment.calls());
        assert_eq!(deployment.calls_of("ListAccessKeys"), 50, "those in violation");
    }
}

#[tokio::test(start_paused = true)]
async fn users_without_keys_are_remembered_too() {
    let deployment = large(0, 100).await;
    deployment.sweep(&[]).await;
    deployment.clear_calls();
    let later = deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
    assert_eq!(deployment.calls_of("ListAccessKeys"), 0);
    assert!(later.calls.made() <= 63, "{} calls: {:?}", later.calls.made(), deployment.calls());
}

#[tokio::test(start_paused = true)]
async fn a_small_account_costs_a_handful_of_calls() {
    for (users, calls) in [(0, 8), (3, 15), (16, 43)] {
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), users, 34, 0));
        let first = deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        assert!(first.calls.made() <= calls, "{users} users: {:?}", deployment.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_on_reads_slows_the_sweep_down_and_loses_nobody() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 200, 1, 0));
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::TokenBucket { per_second: 20.0, burst: 10.0 });
    let metrics = deployment.sweep(&[]).await;
    deployment.assert_all_right(90);
    let repeated = metrics.calls.throttled();
    assert!(repeated > 0 && repeated < 120, "{repeated} calls throttled for 200 admitted");
}

/// A month of daily sweeps of 200 users, each of whom rotates the key every 90 days, five days before it is due.
#[tokio::test(start_paused = true)]
async fn a_month_of_daily_sweeps_costs_a_fraction_of_a_read_a_user_and_day() {
    let deployment = Deployment::start().await;
    deployment.member(|account| {
        for n in 0..200 {
            account.create_user(&format!("user-{n:03}"), today() - days(1000));
            account.create_key(&format!("user-{n:03}"), today() - days(n % 85)).unwrap();
        }
    });
    let mut first = 0;
    for day in 0..30 {
        deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        if day == 0 {
            first = deployment.calls_of("ListAccessKeys");
        }
        deployment.aws.world().advance(days(1));
        let now = deployment.aws.world().now();
        deployment.member(|account| {
            let due = |user: &local_aws::User| now - user.keys[0].created >= days(85);
            let due: Vec<_> = account
                .users()
                .filter(|user| due(user))
                .map(|user| (user.name.clone(), user.keys[0].id.clone()))
                .collect();
            for (user, key) in due {
                account.create_key(&user, now).unwrap();
                account.delete_key(&user, &key);
            }
        });
    }
    let reads = deployment.calls_of("ListAccessKeys");
    assert_eq!(first, 200);
    // From a fortnight and a day before it is due, a user is read each day until the rotation, and once after it.
    assert!(reads <= 200 + 30 * (200 / 85 + 1) * 12, "{reads} reads");
    assert!(reads * 3 < 200 * 30, "{reads} reads of {}", 200 * 30);
}
