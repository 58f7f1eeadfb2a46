//! On a local AWS in memory, whose CloudTrail keeps to AWS's rate, and on paused time.

use super::*;
use crate::{
    args::connection,
    callers::{key_history::KeyHistory, lookup::MOST_EVENTS},
};
use access_key_rotation::aws::account::settings;
use aws_config::Region;
use aws_sdk_sts::config::Credentials;
use chrono::{DateTime, Utc};
use local_aws::{Fault, FaultKind, KeyUses, LocalAws, Outcome, World};
use std::time::Duration;
use tokio::time::Instant;

const HUB: &str = "111122223333";
const MEMBERS: [&str; 2] = ["444455556666", "777788889999"];
const REGIONS: usize = 17;

fn now() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// The hub's administrator, whom the members' evaluation roles trust.
async fn start() -> (LocalAws, Session) {
    let mut world = World::new(now());
    world.account(HUB);
    for id in MEMBERS {
        world.account(id).add_role("access-key-rotation-evaluation", &format!("arn:aws:iam::{HUB}:root"));
    }
    let aws = LocalAws::in_memory(world);
    let config = settings()
        .http_client(aws.http_client().unwrap())
        .endpoint_url(aws.endpoint())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new(format!("AKIALOCAL{HUB}"), "any", None, None, "local AWS"))
        .load()
        .await;
    let session = connection::session(config, now()).await;
    aws.world().clear_calls();
    (aws, session)
}

/// A key that is so many days old, of a user of its own, and was used a day ago.
fn key(aws: &LocalAws, account: &str, user: &str, age: i64) -> Wanted {
    let mut world = aws.world();
    let account = world.account(account);
    account.create_user(user, now() - TimeDelta::days(1000));
    let created = now() - TimeDelta::days(age);
    let id = account.create_key(user, created).unwrap();
    let date = now() - TimeDelta::days(1);
    account.use_key(&id, date, "eu-west-1", "s3");
    let last_used = Used { date: Some(date), region: "eu-west-1".to_owned(), service_name: "s3".to_owned() };
    Wanted {
        account: account.id().to_owned(),
        user_name: Some(user.to_owned()),
        access_key_id: id,
        created: Some(created),
        last_used: Some(last_used),
    }
}

fn uses(key: &Wanted, region: &str, count: usize) -> KeyUses {
    KeyUses { region: region.to_owned(), count, ..KeyUses::once(&key.access_key_id, now() - TimeDelta::days(1)) }
}

fn fault(aws: &LocalAws, action: &str, kind: FaultKind) {
    aws.world().faults.add(Fault { account: None, action: Some(action.to_owned()), user: None, kind });
}

fn calls(aws: &LocalAws, action: &str) -> usize {
    aws.world().calls().iter().filter(|call| call.action == action).count()
}

fn window() -> Window {
    Window::by_default(now())
}

async fn read_one(session: &Session, key: &Wanted) -> KeyHistory {
    let mut keys = read(session, vec![key.clone()], &window()).await.keys;
    assert_eq!(keys.len(), 1);
    keys.remove(0)
}

fn events(key: &KeyHistory) -> u64 {
    key.callers.iter().map(|caller| caller.events).sum()
}

#[tokio::test(start_paused = true)]
async fn two_hundred_keys_in_three_accounts_take_no_longer_than_the_limit_makes_them() {
    let (aws, session) = start().await;
    let accounts = [HUB, MEMBERS[0], MEMBERS[1]];
    let keys: Vec<_> = (0..200).map(|n| key(&aws, accounts[n % 3], &format!("user-{n}"), 400)).collect();
    for key in &keys {
        aws.world().account(&key.account).add_key_uses(uses(key, "eu-west-1", 120));
    }
    let started = Instant::now();
    let histories = read(&session, keys.clone(), &window()).await;
    let took = started.elapsed();

    assert!(histories.missing().is_empty(), "{:?}", histories.missing());
    let order: Vec<_> = histories.keys.iter().map(|key| &key.access_key_id).collect();
    assert_eq!(order, keys.iter().map(|key| &key.access_key_id).collect::<Vec<_>>());
    assert!(histories.keys.iter().all(|key| key.regions_read.len() == REGIONS && events(key) == 120));
    // 120 events have three pages.
    assert_eq!(calls(&aws, "LookupEvents"), 200 * (REGIONS - 1 + 3));
    assert!(aws.world().calls().iter().all(|call| call.outcome == Outcome::Ok), "nothing was throttled");
    // The account with the most keys, in the Region with the most pages: two calls a second.
    let limit = Duration::from_secs(67 * 3) / 2;
    assert!(took <= limit.mul_f64(1.1), "{took:?}, {limit:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_with_a_hundred_thousand_events_is_cut_and_costs_no_other_key_its_events() {
    let (aws, session) = start().await;
    let (busy, quiet) = (key(&aws, HUB, "busy", 400), key(&aws, HUB, "quiet", 400));
    {
        let mut world = aws.world();
        let account = world.account(HUB);
        account.add_key_uses(KeyUses { address: "198.51.100.{n}".to_owned(), ..uses(&busy, "us-east-1", 100_000) });
        account.add_key_uses(uses(&quiet, "us-east-1", 1));
        account.add_key_uses(uses(&quiet, "sa-east-1", MOST_EVENTS));
    }
    let keys = read(&session, vec![busy.clone(), quiet], &window()).await.keys;
    let pages = MOST_EVENTS / 50;
    assert_eq!(calls(&aws, "LookupEvents"), (pages + REGIONS - 1) + (1 + pages + REGIONS - 2));
    assert_eq!(
        keys[0].note.as_deref().unwrap(),
        "Only the latest 1000 events were read in us-east-1: there are earlier ones (--most-events). Not listed: at least 401 callers \
         with 900 events together."
    );
    assert_eq!((keys[0].callers.len(), events(&keys[0])), (100, 100));
    assert_eq!(
        (events(&keys[1]), &keys[1].note),
        (1001, &None),
        "all of exactly as many events as are read is not cut"
    );

    aws.world().clear_calls();
    let more = Window { most_events: 20_000, ..window() };
    let keys = read(&session, vec![busy], &more).await.keys;
    assert_eq!(calls(&aws, "LookupEvents"), 400 + REGIONS - 1);
    let note = keys[0].note.as_deref().unwrap();
    assert!(note.ends_with("Not listed: at least 401 callers with 19900 events together."), "{note}");
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_denied_is_named_and_asked_for_no_more_keys() {
    let (aws, session) = start().await;
    let keys: Vec<_> = (0..20).map(|n| key(&aws, MEMBERS[0], &format!("user-{n}"), 400)).collect();
    aws.world().refuse_region("eu-west-2", "AccessDeniedException");
    let histories = read(&session, keys, &window()).await;
    for key in &histories.keys {
        assert_eq!(key.regions_read.len(), REGIONS - 1);
        let [NotRead { region, why }] = &key.regions_not_read[..] else { panic!("{key:?}") };
        assert_eq!(region.as_deref(), Some("eu-west-2"));
        assert!(why.contains("may not call cloudtrail:LookupEvents in account 444455556666"), "{why}");
        let note = key.note.as_ref().unwrap();
        assert!(
            note.starts_with("Used on 2026-02-28 (s3 in eu-west-1), but CloudTrail's history has no such event"),
            "{note}"
        );
        assert!(note.ends_with("A Region that was not read may have it."), "{note}");
        assert_eq!(key.replacement, None);
    }
    let missing = histories.missing();
    assert!(missing.len() == 1 && missing[0].starts_with("account 444455556666: Not read: eu-west-2. "), "{missing:?}");
    let lookups = calls(&aws, "LookupEvents");
    assert!(lookups <= 20 * (REGIONS - 1) + KEYS_AT_A_TIME, "{lookups}");
}

#[tokio::test(start_paused = true)]
async fn without_the_list_of_regions_nobody_takes_some_for_all() {
    let (aws, session) = start().await;
    let wanted = key(&aws, MEMBERS[0], "mailer", 400);
    aws.world().account(MEMBERS[0]).add_key_uses(uses(&wanted, "eu-west-1", 3));
    for kind in [FaultKind::AccessDenied, FaultKind::Intercepted(""), FaultKind::BreakOffAfterCalls(0)] {
        aws.world().faults.clear();
        fault(&aws, "ListRegions", kind.clone());
        let key = read_one(&session, &wanted).await;
        let [NotRead { region: None, why }] = &key.regions_not_read[..] else { panic!("{kind:?} {key:?}") };
        assert!(why.contains("account:ListRegions"), "{why}");
        assert_eq!(key.regions_read, ["eu-central-1", "eu-west-1", "us-east-1"], "home, the last use, and IAM's");
        assert_eq!(events(&key), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_disabled_is_not_asked_and_one_that_is_opted_in_is() {
    let (aws, session) = start().await;
    let wanted = key(&aws, HUB, "mailer", 400);
    {
        let mut world = aws.world();
        let account = world.account(HUB);
        account.set_region_status("me-south-1", "ENABLED");
        account.set_region_status("sa-east-1", "DISABLED");
        account.add_key_uses(uses(&wanted, "me-south-1", 2));
    }
    fault(&aws, "ListRegions", FaultKind::ShortPages(4));
    let key = read_one(&session, &wanted).await;
    assert!(key.regions_read.contains(&"me-south-1".to_owned()) && !key.regions_read.contains(&"sa-east-1".to_owned()));
    assert_eq!((key.regions_read.len(), key.regions_not_read.len(), events(&key)), (REGIONS, 0, 2));
    assert!(calls(&aws, "ListRegions") > 4);
}

#[tokio::test(start_paused = true)]
async fn a_history_that_ends_early_is_not_read_and_is_never_no_use() {
    let (aws, session) = start().await;
    let wanted = key(&aws, HUB, "mailer", 400);
    aws.world().account(HUB).add_key_uses(uses(&wanted, "eu-west-1", 120));
    for kind in [
        FaultKind::BreakOffAfterPages(1),
        FaultKind::RepeatedMarker,
        FaultKind::Intercepted(""),
        FaultKind::Intercepted("{}"),
        FaultKind::CutBody(local_aws::Cut::Half),
        FaultKind::AccessDenied,
    ] {
        aws.world().faults.clear();
        fault(&aws, "LookupEvents", kind.clone());
        let key = read_one(&session, &wanted).await;
        let not_read: Vec<_> = key.regions_not_read.iter().filter_map(|region| region.region.as_deref()).collect();
        assert!(not_read.contains(&"eu-west-1"), "{kind:?} {key:?}");
        assert!(events(&key) < 120 && key.regions_read.len() + not_read.len() == REGIONS, "{kind:?}");
    }
    aws.world().faults.clear();
    fault(&aws, "LookupEvents", FaultKind::ShortPages(7));
    let key = read_one(&session, &wanted).await;
    assert_eq!((events(&key), key.regions_read.len()), (120, REGIONS), "short and empty pages are no end");
}

#[tokio::test(start_paused = true)]
async fn throttling_and_a_second_run_cost_time_and_no_event() {
    let (aws, session) = start().await;
    let keys: Vec<_> = (0..10).map(|n| key(&aws, HUB, &format!("user-{n}"), 400)).collect();
    for key in &keys {
        aws.world().account(HUB).add_key_uses(uses(key, "eu-west-1", 60));
    }
    fault(&aws, "LookupEvents", FaultKind::Throttle { probability: 0.3 });
    let window = window();
    let runs = [read(&session, keys.clone(), &window), read(&session, keys, &window)];
    for histories in join_all(runs).await {
        assert!(histories.missing().is_empty(), "{:?}", histories.missing());
        assert!(histories.keys.iter().all(|key| events(key) == 60));
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_entered_costs_no_other() {
    let (aws, session) = start().await;
    let (ours, theirs) = (key(&aws, HUB, "ours", 400), key(&aws, "999988887777", "theirs", 400));
    aws.world().account(HUB).add_key_uses(uses(&ours, "eu-west-1", 2));
    let histories = read(&session, vec![theirs, ours], &window()).await;
    assert_eq!((events(&histories.keys[1]), histories.keys[0].regions_read.len()), (2, 0));
    let [NotRead { region: None, why }] = &histories.keys[0].regions_not_read[..] else { panic!("{histories:?}") };
    assert!(why.starts_with("Cannot assume"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn the_creator_is_found_if_cloudtrail_still_knows_and_the_last_use_is_read_if_nobody_did() {
    let (aws, session) = start().await;
    let old = Wanted { last_used: None, ..key(&aws, HUB, "old", 400) };
    let keys = {
        aws.world().account(HUB).create_user("new", now() - TimeDelta::days(1000));
        let iam = aws_sdk_iam::Client::new(&session.config);
        let made = iam.create_access_key().user_name("new").send().await.unwrap().access_key.unwrap();
        let new = Wanted {
            access_key_id: made.access_key_id,
            user_name: Some("new".to_owned()),
            created: Some(now()),
            ..old.clone()
        };
        vec![old, new]
    };
    let read_keys = read(&session, keys.clone(), &window()).await.keys;
    assert_eq!(read_keys[0].created_by, None);
    assert_eq!(read_keys[1].created_by.as_deref(), Some("arn:aws:iam::111122223333:user/administrator"));
    assert_eq!(read_keys[0].last_used.as_ref().unwrap().service_name, "s3");
    assert_eq!(read_keys[1].note.as_deref(), Some("No event within 90 days, and IAM has no use on record."));
    // One search for all keys of the account, none if all are too old.
    assert_eq!(calls(&aws, "LookupEvents"), 2 * REGIONS + 1);
    aws.world().clear_calls();
    read(&session, keys[..1].to_vec(), &window()).await;
    assert_eq!(calls(&aws, "LookupEvents"), REGIONS);
}
