//! The runbook that deletes keys: by their records alone, never an active one, and as many as there are.

use crate::{runbooks::*, support::*};
use chrono::Utc;
use local_aws::{Account, FaultKind::Throttle, KeyStatus::*, REGION};
use std::collections::BTreeSet;

/// A user, what makes the key in question, and whether the key and its record are there afterwards.
type Deletion<'a> = (&'a str, &'a dyn Fn(&mut Account, &str) -> String, bool, bool);

#[tokio::test]
async fn keys_are_deleted_by_their_record_alone() {
    let exempt = |account: &mut Account, user: &str, until: i64, only: Option<&str>| {
        let key = deactivated(account, user, 31);
        account.tag_user(user, EXEMPT_UNTIL, &day(until));
        account.tag_user(user, EXEMPT_OWNER, "payments");
        only.map(|only| account.tag_user(user, EXEMPT_KEY, only));
        key
    };
    let with_record = |account: &mut Account, user: &str, value: &str| {
        let key = deactivated(account, user, 31);
        account.set_parameter(&record(&key), value);
        key
    };
    let with_status = |account: &mut Account, user: &str, status| {
        let key = deactivated(account, user, 31);
        account.set_key_status(user, &key, status);
        key
    };
    let used = |account: &mut Account, user: &str, ago| {
        let key = deactivated(account, user, 31);
        account.use_key(&key, Utc::now() - days(ago), REGION, "s3");
        key
    };
    let unrecorded = |account: &mut Account, user: &str| {
        let key = deactivated(account, user, 31);
        account.remove_parameter(&record(&key));
        key
    };
    let gone = |account: &mut Account, user: &str| {
        let key = deactivated(account, user, 31);
        account.delete_key(user, &key);
        key
    };
    let cases: &[Deletion<'_>] = &[
        ("due", &|account, user| deactivated(account, user, 31), false, false),
        ("within-grace", &|account, user| deactivated(account, user, 29), true, true),
        ("used-before", &|account, user| used(account, user, 33), false, false),
        ("used-since", &|account, user| used(account, user, 29), true, true),
        ("active-again", &|account, user| with_status(account, user, Active), true, true),
        ("expired", &|account, user| with_status(account, user, Expired), true, true),
        ("pending", &|account, user| with_record(account, user, "pending"), true, true),
        ("unreadable", &|account, user| with_record(account, user, "2024-02-30T00:00:00Z"), true, true),
        ("in-the-future", &|account, user| deactivated(account, user, -2), true, true),
        ("exempt", &|account, user| exempt(account, user, 10, None), true, true),
        ("exemption-expired", &|account, user| exempt(account, user, -1, None), false, false),
        ("exemption-of-another-key", &|account, user| exempt(account, user, 10, Some("AKIAOTHER")), false, false),
        ("gone", &gone, false, false),
        ("without-record", &unrecorded, true, false),
    ];
    let deployment = start().await;
    let keys: Vec<_> = deployment.member(|account| {
        let keys = cases.iter().map(|(user, seed, ..)| seed(account, user)).collect();
        // What is recorded on one user says nothing of another's key, and what happens to one key nothing of the other.
        let other = unrecorded(account, "owner");
        account.create_user("stranger", Utc::now());
        let stranger = account.user("stranger").unwrap().id.clone();
        account.set_parameter(&record(&other), &record_of(&stranger, Utc::now() - days(300)));
        user_with_key(account, "due", 400);
        keys
    });
    let before = state(&deployment);
    let trial = run(&deployment, DELETE, "ALL", &[]).await.unwrap();
    assert_eq!(state(&deployment), before, "a trial, unless told otherwise");
    assert!(writes(&deployment).is_empty());

    let output = run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
    for ((user, _, exists, has_record), key) in cases.iter().zip(&keys) {
        assert_eq!(status(&deployment, user, key).is_some(), *exists, "{user}");
        assert_eq!(recorded(&deployment, key).is_some(), *has_record, "{user}");
        let outcome = outcomes(&output).get(key.as_str()).copied();
        let expected = match user {
            &"without-record" => None,
            &"gone" => Some("record removed"),
            &"used-since" | &"pending" | &"unreadable" | &"in-the-future" => Some("left for you to decide"),
            _ => Some(if *exists { "left as it is" } else { "deleted" }),
        };
        assert_eq!(outcome, expected, "{user}");
        let tried = outcomes(&trial).get(key.as_str()).map(|outcome| outcome.trim_start_matches("dry run: "));
        assert_eq!(tried, expected, "{user}");
    }
    let (due, owner) = deployment.member(|account| (account.user("due").cloned(), account.user("owner").cloned()));
    assert_eq!(due.unwrap().keys.iter().map(|key| key.status).collect::<Vec<_>>(), [Active]);
    assert_eq!(owner.unwrap().keys.len(), 1);

    let (after, _) = (state(&deployment), deployment.clear_calls());
    run(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
    assert_eq!(state(&deployment), after);
    assert!(writes(&deployment).is_empty());
}

#[tokio::test]
async fn a_key_that_may_have_been_switched_on_since_by_the_credential_report_stays() {
    let deployment = start().await;
    let (due, other) =
        deployment.member(|account| (deactivated(account, "bot", 31), user_with_key(account, "bot", 10)));
    let trial = run(&deployment, DELETE, "bot", &[]).await.unwrap();
    assert_eq!(outcomes(&trial)[due.as_str()], "dry run: deleted", "the later date is that of the other key");
    deployment.member(|account| assert!(account.delete_key("bot", &other)));
    let output = run(&deployment, DELETE, "bot", FOR_REAL).await.unwrap();
    assert_eq!(outcomes(&output)[due.as_str()], "left for you to decide", "whose date it is, nobody knows");
    assert_eq!(status(&deployment, "bot", &due), Some(Inactive));
    assert!(writes(&deployment).is_empty());
}

#[tokio::test]
async fn one_user_of_many_or_all_of_them_though_aws_throttles() {
    let deployment = start().await;
    let keys: Vec<_> = deployment.member(|account| {
        populate(account, Utc::now(), 300, 10, 20);
        (0..150).map(|n| deactivated(account, &format!("off-{n:03}"), 2 + n)).collect()
    });
    let before = state(&deployment);
    run(&deployment, DELETE, "off-149", FOR_REAL).await.unwrap();
    assert_eq!(status(&deployment, "off-149", &keys[149]), None);
    assert_eq!(state(&deployment)[..149], before[..149]);
    deployment.clear_calls();

    deployment.fault(None, None, Throttle { probability: 0.05 });
    let output = run(&deployment, DELETE, "ALL", &[("DryRun", "false"), ("GraceDays", "100")]).await.unwrap();
    let left: BTreeSet<_> = deployment.member(|account| {
        let off = account.users().filter(|user| user.name.starts_with("off-"));
        off.flat_map(|user| user.keys.iter().map(|key| key.id.clone())).collect()
    });
    assert_eq!(left, keys[..98].iter().cloned().collect());
    assert_eq!(state(&deployment)[150..450], before[150..450]);
    // Those with a record to decide, and those to be deleted once more.
    assert!(deployment.calls_of("GetUser") > 149 + 51, "throttled");
    let summary = "Access keys: 51 changed, 98 left as they are. Results are the first 50 of 149.";
    assert_eq!(output["Summary"], summary);
    let outcomes = outcomes(&output);
    let deleted = outcomes.values().filter(|outcome| **outcome == "deleted").count();
    assert_eq!((outcomes.len(), deleted), (50, 50), "what is changed comes first, and SSM takes no endless output");
}
