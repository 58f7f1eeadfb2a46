//! `exempt --apply` on many accounts, while others act, and when it fails or ends half way.

use crate::{
    cli::said,
    exempt_file::{Exemptions, entry, file, user},
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use local_aws::{Account, FaultKind, World};
use policy::exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// Two users without exemptions, and a file that exempts both.
async fn start() -> Exemptions {
    let exemptions = Exemptions::start().await;
    exemptions.cli.deployment.member(|account| ["anna", "berta"].map(|name| account.create_user(name, Utc::now())));
    exemptions.write(file(&["anna", "berta"].map(|name| entry(MEMBER, name, &day(20), ""))));
    exemptions
}

fn act(exemptions: &Exemptions, action: &'static str, calls: usize, act: impl FnOnce(&mut Account) + Send + 'static) {
    exemptions.cli.deployment.aws.world().after_calls_of(action, calls, move |world| act(world.account(MEMBER)));
}

#[tokio::test]
async fn what_somebody_else_writes_at_the_same_moment_is_seen_in_the_listing_that_confirms_and_in_a_read() {
    // With two changes, the users are listed once more; with one, its user is read.
    for (users, listings, reads) in [(2, 2, 2), (1, 1, 2)] {
        let exemptions = start().await;
        if users == 1 {
            exemptions.write(file(&[entry(MEMBER, "anna", &day(20), "")]));
        }
        let (confirms, calls) = if users == 2 { ("GetAccountAuthorizationDetails", 1) } else { ("GetUser", 0) };
        act(&exemptions, confirms, calls, |account| assert!(account.tag_user("anna", EXEMPT_OWNER, "somebody")));
        act(&exemptions, "GetUser", 1, |account| assert!(account.tag_user("anna", EXEMPT_OWNER, "finance")));
        let (status, out, error) = exemptions.apply(&[]).await;
        assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
        assert_eq!(exemptions.cli.deployment.calls_of("GetAccountAuthorizationDetails"), listings);
        assert_eq!(exemptions.cli.deployment.calls_of("GetUser"), reads, "until IAM holds what was written");
    }
}

#[tokio::test]
async fn a_user_who_is_renamed_deleted_or_made_anew_before_the_write_costs_no_other() {
    let renamed: fn(&mut Account) = |account| assert!(account.rename_user("anna", "anne"));
    let deleted: fn(&mut Account) = |account| assert!(account.delete_user("anna"));
    let anew: fn(&mut Account) = |account| {
        assert!(account.delete_user("anna"));
        account.create_user("anna", Utc::now());
    };
    let mut transcript = Transcript::by_the_clock();
    for (name, change) in [("renamed", renamed), ("deleted", deleted), ("made anew", anew)] {
        let exemptions = start().await;
        act(&exemptions, "TagUser", 0, change);
        let (status, out, error) = exemptions.apply(&[]).await;
        assert_eq!(status, Some(1), "{out}");
        assert_eq!(exemptions.tags(MEMBER, "berta")[EXEMPT_UNTIL], day(20));
        let other = exemptions.cli.deployment.member(|account| account.user("anna").map(|user| user.id.clone()));
        let error = other.map_or(error.clone(), |id| error.replace(&id, "[the other user's id]"));
        transcript.add(format!("exempt --apply, and anna is {name}"), &out, &error);
        if name == "renamed" {
            assert_eq!(exemptions.tags(MEMBER, "anne"), [].into(), "the entry does not name her");
        }
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn an_exemption_that_somebody_sets_in_the_meantime_is_not_pruned() {
    let exemptions = start().await;
    exemptions.cli.deployment.member(|account| {
        for name in ["stranger", "other"] {
            user(account, name, &[(EXEMPT_UNTIL, &day(-1)), (EXEMPT_OWNER, "somebody")]);
        }
    });
    act(&exemptions, "TagUser", 0, |account| assert!(account.tag_user("stranger", EXEMPT_UNTIL, &day(30))));
    let (status, out, error) = exemptions.apply(&["--prune"]).await;
    assert_eq!(status, Some(1), "{out}");
    let expected = format!("stranger in account {MEMBER} has changed since the listing, and keeps its tags.");
    assert!(error.contains(&expected), "{error}");
    assert_eq!(exemptions.tags(MEMBER, "stranger")[EXEMPT_UNTIL], day(30));
    assert_eq!(exemptions.tags(MEMBER, "other"), [].into());
}

#[tokio::test]
async fn half_done_an_exemption_covers_no_more_than_the_earlier_or_the_new_one() {
    let exemptions = start().await;
    let key = exemptions.cli.deployment.member(|account| {
        let key = account.create_key("anna", Utc::now()).unwrap();
        user(account, "anna", &[(EXEMPT_UNTIL, &day(10)), (EXEMPT_OWNER, "before"), (EXEMPT_KEY, &key)]);
        key
    });
    exemptions.cli.deployment.fault(Some("UntagUser"), None, FaultKind::AccessDenied);
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!(status, Some(1));
    let mut transcript = Transcript::by_the_clock().naming("key", &key);
    transcript.add("exempt --apply, and UntagUser is denied", &out, &error);
    let tags = exemptions.tags(MEMBER, "anna");
    assert_eq!((tags[EXEMPT_KEY].as_str(), tags[EXEMPT_UNTIL].as_str()), (key.as_str(), day(20).as_str()));
    exemptions.cli.deployment.aws.world().faults.clear();
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!(status, Some(0));
    transcript.add("exempt --apply once more", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_denial_in_one_account_costs_no_other_and_its_advice_is_said_once() {
    let exemptions = start().await;
    exemptions.cli.deployment.aws.world().account(OTHER_MEMBER).create_user("carla", Utc::now());
    let entries = [(MEMBER, "anna"), (MEMBER, "berta"), (OTHER_MEMBER, "carla")]
        .map(|(account, name)| entry(account, name, &day(20), ""));
    exemptions.write(file(&entries));
    for name in ["anna", "berta"] {
        exemptions.cli.deployment.fault(Some("TagUser"), Some(name), FaultKind::AccessDenied);
    }
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!(status, Some(1));
    let mut transcript = Transcript::by_the_clock();
    transcript.add("exempt --apply", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn an_interrupted_run_says_what_is_done_and_what_is_not() {
    let exemptions = start().await;
    exemptions.cli.deployment.aws.world().account(OTHER_MEMBER).create_user("carla", Utc::now());
    let entries = [(MEMBER, "anna"), (MEMBER, "berta"), (OTHER_MEMBER, "carla")]
        .map(|(account, name)| entry(account, name, &day(20), ""));
    exemptions.write(file(&entries));
    exemptions.cli.deployment.fault(Some("TagUser"), Some("berta"), FaultKind::Latency(Duration::from_secs(60)));
    let mut child = exemptions.spawn(&["--apply", "exemptions.yaml"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let done = lines.next_line().await.unwrap().unwrap();
    exemptions.cli.deployment.called("TagUser", 2).await;
    let interrupt = Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(interrupt.success());
    let (status, _, error) = said(child.wait_with_output().await.unwrap());
    assert_eq!(status, Some(130));
    let mut transcript = Transcript::by_the_clock();
    transcript.add("exempt --apply, and Ctrl-C", &(done + "\n"), &error);

    exemptions.cli.deployment.aws.world().faults.clear();
    exemptions.cli.deployment.clear_calls();
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!(status, Some(0));
    transcript.add("exempt --apply once more", &out, &error);
    assert_eq!(exemptions.writes(), ["TagUser"]);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn five_thousand_entries_in_five_hundred_accounts_take_at_most_two_calls_an_entry_and_one_listing_an_account() {
    const ACCOUNTS: usize = 500;
    const ENTRIES: usize = 5000;
    let mut world = World::live_clock();
    let (later, soon) = (day(100), day(10));
    let mut entries = Vec::new();
    for n in 0..ACCOUNTS {
        let id = format!("{:012}", 900_000_000_000_u64 + n as u64);
        let account = world.account(&id);
        account.add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/{FUNCTION_ROLE}"));
        for m in 0..ENTRIES / ACCOUNTS {
            let name = format!("user-{m}");
            let key = user_with_key(account, &name, 400);
            // In each account, four new exemptions, three others to replace, one of them with a tag to remove, and three that are there.
            let (until, reason) = if m < 3 { (&later, "") } else { (&soon, "no more") };
            let owner = if m < 6 { Some("finance") } else { None };
            if let Some(owner) = owner {
                user(account, &name, &[(EXEMPT_UNTIL, until), (EXEMPT_OWNER, owner)]);
            }
            if m == 3 {
                account.tag_user(&name, EXEMPT_REASON, reason);
            }
            let more = if m % 5 == 0 { format!(", Key: {key}") } else { String::new() };
            if m == 0 {
                account.tag_user(&name, EXEMPT_KEY, &key);
            }
            entries.push(entry(&id, &name, &later, &more));
        }
        for m in 0..5 {
            account.create_user(&format!("other-{m}"), Utc::now());
        }
    }
    let exemptions = Exemptions::start_in(world).await;
    exemptions.write(file(&entries));
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.ends_with("5000 entries. Written: 3500. Failed: 0. Unchanged: 1500\n"), "{out}");
    let calls = exemptions.cli.deployment.calls();
    let of = |action: &str| calls.get(action).copied().unwrap_or_default();
    assert_eq!((of("ListAccessKeys"), of("TagUser"), of("UntagUser"), of("GetUser")), (1000, 3500, 500, 0));
    assert_eq!(of("GetAccountAuthorizationDetails"), 2 * ACCOUNTS, "before and after");
    let iam: usize = calls
        .iter()
        .filter(|(action, _)| !["AssumeRole", "GetCallerIdentity"].contains(&action.as_str()))
        .map(|(_, number)| number)
        .sum();
    assert!(iam <= 2 * ENTRIES + ACCOUNTS, "{calls:?}");

    exemptions.cli.deployment.clear_calls();
    let (status, out, error) = exemptions.apply(&[]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    let calls = exemptions.cli.deployment.calls();
    let expected = [
        ("AssumeRole", ACCOUNTS),
        ("GetAccountAuthorizationDetails", ACCOUNTS),
        ("GetCallerIdentity", 1),
        ("ListAccessKeys", 1000),
    ];
    assert_eq!(calls, expected.map(|(action, number)| (action.to_owned(), number)).into());
}
