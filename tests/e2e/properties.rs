//! The sweep's two properties, over histories of accounts made by chance.
//!
//! `live` equals the definition for every account, and for every report that was true within the last day, whatever its
//! rotation dates say. `report` equals it where those dates are the keys' creation dates.

use crate::support::*;
use access_key_rotation::{
    parameters::{KeySource, Parameters},
    report::{Report, Screen, User as Listed},
    verdict::{self, AccessKey, Verdict, without_stale_keys},
};
use chrono::{DateTime, TimeDelta, Utc};
use local_aws::{Account, Failing, FaultKind, KeyStatus, User, World};
use proptest::{prelude::*, test_runner::Config};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Something that happens to a user. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Happening {
    CreateKey,
    SetStatus(usize, KeyStatus),
    DeleteKey(usize),
    /// Deleted and made again, with the same name.
    MakeAgain,
    Delete,
}

fn happening() -> impl Strategy<Value = Happening> {
    let status = prop_oneof![Just(KeyStatus::Active), Just(KeyStatus::Inactive), Just(KeyStatus::Expired)];
    prop_oneof![
        4 => Just(Happening::CreateKey),
        4 => (0usize..2, status).prop_map(|(key, status)| Happening::SetStatus(key, status)),
        2 => (0usize..2).prop_map(Happening::DeleteKey),
        1 => Just(Happening::MakeAgain),
        1 => Just(Happening::Delete),
    ]
}

/// A user's history: when made, and what happened so many seconds before now.
#[derive(Clone, Debug)]
struct History {
    /// Seconds of age, around the boundaries or anywhere.
    created: i64,
    happenings: Vec<(i64, Happening)>,
}

fn seconds_ago(limit: i64, warn: i64) -> impl Strategy<Value = i64> {
    let day = 86_400;
    prop_oneof![
        0i64..limit * day * 4 + day,
        // Around what is stale, what calls for a word, and the time of the report.
        (-2i64..3).prop_map(move |off| (limit * day + off).max(0)),
        (-2i64..3).prop_map(move |off| ((limit - warn) * day + off).max(0)),
        0i64..day * 2,
    ]
}

fn account_history() -> impl Strategy<Value = (i64, i64, i64, Vec<History>)> {
    (1i64..120, 0i64..30, 0i64..=86_400).prop_flat_map(|(limit, warn, report_age)| {
        let history =
            (seconds_ago(limit, warn), proptest::collection::vec((seconds_ago(limit, warn), happening()), 0..6))
                .prop_map(|(created, happenings)| History { created, happenings });
        (Just(limit), Just(warn), Just(report_age), proptest::collection::vec(history, 1..6))
    })
}

/// Lives through what happened after `from` and up to `to` seconds ago.
fn live_through(account: &mut Account, histories: &[History], now: DateTime<Utc>, from: i64, to: i64) {
    let mut due: Vec<(i64, usize, Option<&Happening>)> = Vec::new();
    for (n, history) in histories.iter().enumerate() {
        due.push((history.created, n, None));
        due.extend(
            history
                .happenings
                .iter()
                .filter(|(ago, _)| *ago <= history.created)
                .map(|(ago, what)| (*ago, n, Some(what))),
        );
    }
    due.retain(|(ago, ..)| *ago < from && *ago >= to);
    due.sort_by_key(|(ago, ..)| -ago);
    for (ago, n, what) in due {
        let (name, at) = (format!("user-{n}"), now - TimeDelta::seconds(ago));
        let keys: Vec<_> =
            account.user(&name).map(|user| user.keys.iter().map(|key| key.id.clone()).collect()).unwrap_or_default();
        match what {
            None => {
                account.create_user(&name, at);
            }
            Some(Happening::MakeAgain) => {
                account.delete_user(&name);
                account.create_user(&name, at);
            }
            Some(Happening::Delete) => {
                account.delete_user(&name);
            }
            // A third key is refused, and so is one for a user who is gone.
            Some(Happening::CreateKey) => drop(account.create_key(&name, at)),
            Some(Happening::SetStatus(key, status)) => {
                keys.get(*key).map(|key| account.set_key_status(&name, key, *status));
            }
            Some(Happening::DeleteKey(key)) => {
                keys.get(*key).map(|key| account.delete_key(&name, key));
            }
        }
    }
}

fn keys_of(user: &User) -> Vec<AccessKey> {
    let status = |status| match status {
        KeyStatus::Active => verdict::KeyStatus::Active,
        KeyStatus::Inactive => verdict::KeyStatus::Inactive,
        KeyStatus::Expired => verdict::KeyStatus::Expired,
    };
    let key =
        |key: &local_aws::AccessKey| AccessKey { id: key.id.clone(), status: status(key.status), created: key.created };
    user.keys.iter().map(key).collect()
}

/// The report with other rotation dates, as AWS's words for them allow: somewhere between creation and the report.
fn with_other_rotation_dates(csv: &str, date: &str) -> String {
    let rows = csv.lines().enumerate().map(|(n, line)| {
        let mut fields: Vec<_> = line.split(',').collect();
        for column in [9, 14] {
            if n > 0 && fields[column] != "N/A" {
                fields[column] = date;
            }
        }
        fields.join(",")
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn check(
    source: KeySource,
    (limit, warn, report_age, histories): &(i64, i64, i64, Vec<History>),
    cleared: &AtomicUsize,
) {
    let now = today();
    let mut world = World::new(now);
    let account = world.account(MEMBER);
    let generated = now - TimeDelta::seconds(*report_age);
    live_through(account, histories, now, i64::MAX, *report_age);
    let mut csv = account.report_csv(generated);
    live_through(account, histories, now, *report_age, i64::MIN);
    if source == KeySource::Live {
        csv = with_other_rotation_dates(&csv, &generated.format("%Y-%m-%dT%H:%M:%S+00:00").to_string());
    }
    let report = Report::parse(csv.as_bytes(), generated).unwrap();
    let parameters = Parameters {
        max_access_key_age: u16::try_from(*limit).unwrap(),
        warn_before_days: u16::try_from(*warn).unwrap(),
        key_source: source,
        ..Parameters::default()
    };
    let screen = Screen::new(Some(&report), &parameters, now);
    for user in account.users() {
        let listed =
            Listed { name: user.name.clone(), id: user.id.clone(), arn: user.arn.clone(), created: user.created };
        if screen.clears(&listed) {
            cleared.fetch_add(1, Relaxed);
            assert_eq!(definition(user, now, *limit), local_aws::ComplianceType::Compliant, "{user:?}");
            // Nor is a word on a key that falls due soon lost.
            assert_eq!(without_stale_keys(&keys_of(user), &parameters, now), Verdict::compliant(), "{user:?}");
        }
    }
}

fn holds(source: KeySource) {
    let cleared = AtomicUsize::new(0);
    let mut runner =
        proptest::test_runner::TestRunner::new(Config { cases: 4000, failure_persistence: None, ..Config::default() });
    runner
        .run(&account_history(), |history| {
            check(source, &history, &cleared);
            Ok(())
        })
        .unwrap();
    let cleared = cleared.into_inner();
    assert!(cleared > 1000, "only {cleared} users were cleared: the property says little");
}

#[test]
fn whom_live_clears_is_compliant_whatever_the_rotation_dates_say() {
    holds(KeySource::Live);
}

#[test]
fn whom_report_clears_is_compliant_where_rotation_dates_are_creation_dates() {
    holds(KeySource::Report);
}

/// The same, through every phase and over HTTP.
#[tokio::test]
async fn a_sweep_equals_the_definition() {
    for seed in 0..12u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut world = World::new(today());
        world.account(MEMBER).last_rotated_moves_on_status_change = seed % 2 == 0;
        let deployment = Deployment::start_in(world).await;
        let source = if seed % 2 == 0 { "live" } else { ["live", "report"][random.usize(0..2)] };
        let limit = random.i64(1..120);
        let report_age = random.i64(0..4 * 3600);
        let histories: Vec<_> = (0..60).map(|_| random_history(&mut random, limit)).collect();
        deployment.member(|account| {
            live_through(account, &histories, today(), i64::MAX, report_age);
            account.generate_report_now(today() - TimeDelta::seconds(report_age));
            live_through(account, &histories, today(), report_age, i64::MIN);
        });
        let limit_text = limit.to_string();
        deployment.sweep(&[("maxAccessKeyAge", &limit_text), ("keySource", source), ("warnBeforeDays", "7")]).await;
        deployment.assert_all_right(limit);
    }
}

/// Whatever the number of users, and whatever Config does not take at once.
#[tokio::test]
async fn every_result_is_delivered_once_in_batches_of_at_most_a_hundred() {
    for seed in 0..16u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let users = random.usize(0..420);
        let deployment = Deployment::start().await;
        deployment.member(|account| populate(account, today(), users, 2, 50));
        let times = random.u32(0..3);
        let which = Failing::First(random.usize(1..30));
        deployment.fault(None, None, FaultKind::FailedEvaluations { times, which });
        deployment.sweep(&[]).await;
        deployment.assert_all_right(90);
        let deliveries = deployment.member(|account| account.deliveries(RULE).to_vec());
        assert!(deliveries.iter().all(|delivery| delivery.evaluations <= 100), "{users} users: {deliveries:?}");
        let taken: usize = deliveries.iter().map(|delivery| delivery.evaluations - delivery.failed).sum();
        assert_eq!(taken, users, "{deliveries:?}");
        let most = users.div_ceil(100).max(1) + times as usize;
        assert!(deliveries.len() <= most, "{users} users: {deliveries:?}");
    }
}

fn random_history(random: &mut fastrand::Rng, limit: i64) -> History {
    let created = random.i64(0..limit * 3 * 86_400);
    let happenings = (0..random.usize(0..6)).map(|_| {
        let what = match random.u8(0..12) {
            0..6 => Happening::CreateKey,
            6 | 7 => Happening::SetStatus(random.usize(0..2), KeyStatus::Inactive),
            8 | 9 => Happening::SetStatus(random.usize(0..2), KeyStatus::Active),
            10 => Happening::DeleteKey(random.usize(0..2)),
            _ => Happening::MakeAgain,
        };
        (random.i64(0..=created), what)
    });
    History { created, happenings: happenings.collect() }
}
