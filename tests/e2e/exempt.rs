//! `exempt`: exemptions set, removed and listed by the command line.

use crate::{
    cli::{Cli, said},
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use local_aws::{ComplianceType, FaultKind, KeyStatus};
use policy::{
    annotation::without_name,
    exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL},
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Stdio, time::Duration};
use tokio::process::Command;

const USER: &str = "billing-export";

/// The member with a user who has two old keys; the command line's options for it; the keys.
async fn start() -> (Cli, [String; 2]) {
    let cli = Cli::start().await;
    let keys = cli.deployment.member(|account| [400, 300].map(|age| user_with_key(account, USER, age)));
    (cli, keys)
}

impl Cli {
    async fn exempt(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let account = ["--account", MEMBER, "--role-name", EVALUATION_ROLE];
        self.run(&[&["exempt"], arguments, &account].concat()).await
    }

    fn tag(&self, user: &str, tags: &[(&str, &str)]) {
        for (name, value) in tags {
            assert!(self.deployment.member(|account| account.tag_user(user, name, value)));
        }
    }

    fn tags(&self) -> BTreeMap<String, String> {
        self.deployment.member(|account| account.user(USER).unwrap().tags.clone())
    }

    /// The calls that write, in order.
    fn writes(&self) -> Vec<String> {
        let world = self.deployment.aws.world();
        let writes = world.calls().iter().filter(|call| ["TagUser", "UntagUser"].contains(&call.action.as_str()));
        writes.map(|call| call.action.clone()).collect()
    }
}

fn tags(tags: &[(&str, &str)]) -> BTreeMap<String, String> {
    tags.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn an_exemption_is_set_as_the_rule_will_see_it_and_removed() {
    let (cli, _) = start().await;
    cli.tag(USER, &[("team", "finance")]);
    let until = day(200);
    let mut transcript = Transcript::by_the_clock();
    let arguments =
        [USER, "--until", &until, "--owner", " Finanzplattform Köln ", "--reason", "vendor supports keys only"];
    let (status, out, error) = cli.exempt(&arguments).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let expected = tags(&[
        (EXEMPT_UNTIL, &until),
        (EXEMPT_OWNER, "Finanzplattform Köln"),
        (EXEMPT_REASON, "vendor supports keys only"),
        ("team", "finance"),
    ]);
    assert_eq!((cli.tags(), cli.writes()), (expected, vec!["TagUser".to_owned()]));
    cli.deployment.sweep(&[]).await;
    let (compliance, annotation) = cli.deployment.result(USER);
    assert_eq!(compliance, ComplianceType::Compliant);
    let said = |annotation: Option<String>| without_name(&annotation.unwrap(), USER).to_owned();
    assert!(out.contains(&format!(": COMPLIANT: {}\n", said(annotation))), "{out}");
    transcript.add("exempt", &out, &error);

    let (status, out, error) = cli.exempt(&[USER, "--remove"]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert_eq!((cli.tags(), cli.writes().len()), (tags(&[("team", "finance")]), 2));
    cli.deployment.sweep(&[]).await;
    let (compliance, annotation) = cli.deployment.result(USER);
    assert_eq!(compliance, ComplianceType::NonCompliant);
    assert!(out.contains(&format!(": NON_COMPLIANT: {}\n", said(annotation))), "{out}");
    transcript.add("exempt --remove", &out, &error);

    let (status, out, error) = cli.exempt(&[USER, "--remove"]).await;
    assert_eq!((status, out.as_str(), cli.writes().len()), (Some(1), "", 2));
    transcript.add("exempt --remove once more", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_new_exemption_replaces_the_earlier_one_and_half_done_it_is_narrower() {
    let (cli, [first, second]) = start().await;
    cli.tag(
        USER,
        &[(EXEMPT_UNTIL, &day(10)), (EXEMPT_OWNER, "before"), (EXEMPT_REASON, "another one"), (EXEMPT_KEY, &first)],
    );
    let until = day(20);
    let replacement = [USER, "--until", &until, "--owner", "after"];
    cli.deployment.fault(Some("UntagUser"), None, FaultKind::AccessDenied);
    let mut transcript = Transcript::by_the_clock();
    let (status, out, error) = cli.exempt(&replacement).await;
    assert_eq!(status, Some(1));
    transcript.add("exempt, and UntagUser is denied", &out, &error);
    assert_eq!(cli.tags()[EXEMPT_KEY], first, "the new exemption must not cover more than the earlier one's key yet");
    assert_eq!(cli.tags()[EXEMPT_UNTIL], until);

    cli.deployment.aws.world().faults.clear();
    let (status, out, error) = cli.exempt(&replacement).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    transcript.add("exempt once more", &out, &error);
    assert_eq!(cli.tags(), tags(&[(EXEMPT_UNTIL, &until), (EXEMPT_OWNER, "after")]));
    assert_eq!(cli.writes(), ["TagUser", "UntagUser", "TagUser", "UntagUser"]);

    let (status, out, error) = cli.exempt(&[&replacement[..], &["--key", &second]].concat()).await;
    assert_eq!(status, Some(0));
    transcript.add(format!("exempt --key {second}"), &out, &error);
    insta::assert_snapshot!(transcript);
    assert_eq!(cli.tags()[EXEMPT_KEY], second);
}

#[tokio::test]
async fn an_exemption_that_the_rule_or_iam_would_not_take_is_refused_before_anything_is_written() {
    let (cli, _) = start().await;
    let until = day(20);
    let (past, far, later) = (day(-1), day(400), day(40));
    let (most, more) = ("ä".repeat(256), "ä".repeat(257));
    let owner = ["--owner", "finance"];
    let mut transcript = Transcript::by_the_clock().naming("257 letters", &more).naming("256 letters", &most);
    for (arguments, expected) in [
        (&[&[USER, "--until", &past][..], &owner].concat()[..], 1),
        (&[&[USER, "--until", &far][..], &owner].concat(), 1),
        (&[&[USER, "--until", &later, "--max-exemption-days", "30"][..], &owner].concat(), 1),
        (&[&[USER, "--until", "2027-1-31"][..], &owner].concat(), 2),
        (&[&[USER, "--until", "2027-02-29"][..], &owner].concat(), 2),
        (&[&[USER, "--until", " "][..], &owner].concat(), 2),
        (&[&[USER, "--until", &until, "--key", "AKIAOFSOMEBODYELSE00"][..], &owner].concat(), 1),
        (&["nobody", "--until", &until, "--owner", &most], 1),
        (&[USER, "--until", &until, "--owner", &more], 2),
        (&[&[USER, "--until", &until, "--reason", "keys!"][..], &owner].concat(), 2),
        (&[&[USER, "--until", &until, "--reason", " "][..], &owner].concat(), 2),
        (&[USER, "--until", &until], 2),
        (&[&[USER, "--until", &until, "--list"][..], &owner].concat(), 2),
        (&[&[USER, "--until", &until, "--remove"][..], &owner].concat(), 2),
    ] {
        let (status, out, error) = cli.exempt(arguments).await;
        assert_eq!((status, out.as_str()), (Some(expected), ""), "{error}");
        transcript.add(format!("exempt {}", arguments.join(" ")), &out, &error);
    }
    insta::assert_snapshot!(transcript);
    assert!(cli.writes().is_empty());
    let (status, ..) = cli.exempt(&[USER, "--until", &until, "--owner", &most]).await;
    assert_eq!(status, Some(0), "just what IAM takes");
}

#[tokio::test]
async fn a_tag_in_another_spelling_is_found_before_anything_is_written() {
    let (cli, _) = start().await;
    let spelling = "Access-Key-Rotation:Exempt-Until";
    cli.tag(USER, &[(spelling, &day(10))]);
    let until = day(20);
    let set = [USER, "--until", &until, "--owner", "finance"];
    let mut transcript = Transcript::by_the_clock();
    let (status, out, error) = cli.exempt(&set).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("exempt", &out, &error);
    assert!(cli.writes().is_empty());
    let (_, list, error) = cli.exempt(&["--list"]).await;
    transcript.add("exempt --list", &list, &error);
    insta::assert_snapshot!(transcript);

    assert_eq!(cli.exempt(&[USER, "--remove"]).await.0, Some(0));
    assert_eq!(cli.tags(), tags(&[]));
    assert_eq!(cli.exempt(&set).await.0, Some(0));
}

#[tokio::test]
async fn a_denial_says_who_may() {
    let (cli, _) = start().await;
    cli.deployment.fault(Some("TagUser"), None, FaultKind::AccessDenied);
    cli.deployment.fault(Some("UntagUser"), None, FaultKind::AccessDenied);
    let (status, out, error) = cli.exempt(&[USER, "--until", &day(20), "--owner", "finance"]).await;
    assert_eq!(status, Some(1));
    let mut transcript = Transcript::by_the_clock();
    transcript.add("exempt", &out, &error);
    cli.tag(USER, &[(EXEMPT_UNTIL, "soon")]);
    let (status, out, error) = cli.exempt(&[USER, "--remove"]).await;
    assert_eq!(status, Some(1));
    transcript.add("exempt --remove", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn an_exemption_is_read_back_until_iam_holds_just_that() {
    let (cli, _) = start().await;
    let until = day(20);
    let arguments = [USER, "--until", &until, "--owner", "finance"];
    {
        // One read before the write, and two after it: the first of these finds something else.
        let mut world = cli.deployment.aws.world();
        world.after_calls_of("GetUser", 1, |world| {
            world.account(MEMBER).tag_user(USER, EXEMPT_KEY, "AKIAOFSOMEBODYELSE00");
        });
        world.after_calls_of("GetUser", 2, |world| {
            world.account(MEMBER).untag_user(USER, EXEMPT_KEY);
        });
    }
    let (status, out, error) = cli.exempt(&arguments).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let mut transcript = Transcript::by_the_clock();
    transcript.add("exempt", &out, &error);
    assert_eq!(cli.deployment.calls_of("GetUser"), 3);

    cli.deployment.fault(Some("GetUser"), None, FaultKind::BreakOffAfterCalls(1));
    let (status, out, error) = cli.exempt(&[USER, "--remove"]).await;
    assert_eq!(status, Some(1));
    transcript.add("exempt --remove, and IAM does not answer after the write", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn an_interrupted_run_says_so() {
    let (cli, [key, _]) = start().await;
    cli.tag(USER, &[(EXEMPT_UNTIL, &day(10)), (EXEMPT_OWNER, "before"), (EXEMPT_KEY, &key)]);
    cli.deployment.fault(Some("UntagUser"), None, FaultKind::Latency(Duration::from_secs(60)));
    let until = day(20);
    let account = ["--account", MEMBER, "--role-name", EVALUATION_ROLE];
    let arguments = [&["exempt", USER, "--until", &until, "--owner", "after"], &account[..]].concat();
    let child = cli.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    cli.deployment.called("TagUser", 1).await;
    let interrupt = Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status().await.unwrap();
    assert!(interrupt.success());
    let (status, out, error) = said(child.wait_with_output().await.unwrap());
    assert_eq!(status, Some(130));
    let mut transcript = Transcript::by_the_clock();
    transcript.add("exempt, and Ctrl-C between its two writes", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_name_that_has_passed_to_another_user_is_an_error_that_says_so() {
    let (cli, keys) = start().await;
    cli.deployment.aws.world().after_calls_of("TagUser", 0, move |world| {
        let account = world.account(MEMBER);
        keys.iter().for_each(|key| assert!(account.delete_key(USER, key)));
        account.delete_user(USER);
        account.create_user(USER, Utc::now());
    });
    let (status, out, error) = cli.exempt(&[USER, "--until", &day(20), "--owner", "finance"]).await;
    assert_eq!(status, Some(1));
    let other = cli.deployment.member(|account| account.user(USER).unwrap().id.clone());
    let mut transcript = Transcript::by_the_clock().naming("the other user's id", &other);
    transcript.add("exempt", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn the_list_has_every_exemption_and_says_what_is_wrong_with_it() {
    let (cli, [key, _]) = start().await;
    let until = day(20);
    let valid =
        [(EXEMPT_UNTIL, until.as_str()), (EXEMPT_OWNER, "finance"), (EXEMPT_REASON, "bank"), (EXEMPT_KEY, &key)];
    cli.tag(USER, &valid);
    for (user, tags) in [
        ("anna", &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "anna")][..]),
        ("berta", &[(EXEMPT_UNTIL, "soon")]),
        ("nobody-special", &[("team", "finance")]),
    ] {
        cli.deployment.member(|account| account.create_user(user, Utc::now()));
        cli.tag(user, tags);
    }
    let (status, out, error) = cli.exempt(&["--list"]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let mut transcript = Transcript::by_the_clock().naming("a past day", "2026-02-28");
    transcript.add("exempt --list", &out, &error);
    let (status, out, _) = cli.exempt(&["--list", "--format", "json", "--max-exemption-days", "15"]).await;
    assert_eq!(status, Some(0));
    let list: Value = serde_json::from_str(&out).unwrap();
    let id = cli.deployment.member(|account| account.user(USER).unwrap().id.clone());
    let expected = json!({
        "account": MEMBER, "userName": USER, "userId": id, "until": until, "owner": "finance", "reason": "bank", "key": key,
        "valid": false, "state": format!("Exemption void: {until} is more than 15 days ahead"),
    });
    assert_eq!((list.as_array().unwrap().len(), &list[2]), (3, &expected));

    cli.deployment.fault(Some("GetUser"), Some("berta"), FaultKind::AccessDenied);
    let (status, out, error) = cli.exempt(&["--list"]).await;
    assert_eq!(status, Some(1));
    transcript.add("exempt --list, and berta cannot be read", &out, &error);
    insta::assert_snapshot!(transcript);
    assert!(cli.writes().is_empty());
}

#[tokio::test]
async fn a_list_says_how_many_users_are_unknown_and_any_number_of_them_costs_no_other() {
    let (cli, _) = start().await;
    cli.deployment.member(|account| {
        populate(account, Utc::now(), 60, 0, 100);
        account.tag_user("user-0059", "access-key-rotation:exempt-owner", "payments");
    });
    for user in 0..50 {
        cli.deployment.fault(Some("GetUser"), Some(&format!("user-{user:04}")), FaultKind::AccessDenied);
    }
    let (status, out, error) = cli.exempt(&["--list"]).await;
    assert_eq!(status, Some(1));
    let mut transcript = Transcript::by_the_clock();
    // They are named in the order in which AWS answers.
    let (summary, named) = error.split_once("unknown: ").unwrap();
    transcript.add("exempt --list, and fifty users cannot be read", &out, summary);
    assert_eq!(named.matches(" (iam:GetUser: AccessDenied)").count(), 10, "{named}");
    insta::assert_snapshot!(transcript, @"
    $ exempt --list, and fifty users cannot be read
    Account       User       Until  Owner     Key  State                                                Reason
    444455556666  user-0059  -      payments  -    Exemption void: no access-key-rotation:exempt-until  -
    1 user with exemption tags, 0 valid
    ! access-key-rotation: account 444455556666: The list of exemptions is incomplete: 50 of 61 users
    ");
}

#[tokio::test]
async fn a_user_without_keys_is_said_to_have_none() {
    let (cli, [first, second]) = start().await;
    cli.deployment.member(|account| {
        for key in [&first, &second] {
            account.delete_key(USER, key);
        }
        account.create_user("young", Utc::now());
        account.create_key("young", Utc::now()).unwrap();
    });
    let (_, out, _) = cli.exempt(&["young", "--until", &day(1), "--owner", "finance"]).await;
    assert_eq!(out.lines().count(), 2, "{out}");
    let mut transcript = Transcript::by_the_clock();
    let (status, out, error) = cli.exempt(&[USER, "--until", &day(1), "--owner", "finance"]).await;
    assert_eq!(status, Some(0), "{error}");
    transcript.add("exempt", &out, &error);
    insta::assert_snapshot!(transcript, @"
    $ exempt
    Verdict for billing-export in account 444455556666 with the exemption: COMPLIANT: The user had no access key on [today+0]. None becomes stale before [today+89] (limit 90 days).
    billing-export has no access key: the exemption covers nothing until somebody creates or activates one.
    Set: IAM holds it.
    ");
}

#[tokio::test]
async fn a_key_that_is_off_can_be_exempted_before_it_is_switched_on() {
    let (cli, [first, second]) = start().await;
    cli.deployment.member(|account| {
        account.set_key_status(USER, &first, KeyStatus::Inactive);
        account.delete_key(USER, &second)
    });
    let (status, out, error) = cli.exempt(&[USER, "--until", &day(1), "--owner", "finance", "--key", &first]).await;
    assert_eq!(status, Some(0));
    let mut transcript = Transcript::by_the_clock();
    transcript.add(format!("exempt --key {first}"), &out, &error);
    insta::assert_snapshot!(transcript, @"
    $ exempt --key AKIAMVOTA5VCXDFD2M75
    Verdict for billing-export in account 444455556666 with the exemption: COMPLIANT: Delete AKIAMVOTA5VCXDFD2M75 (inactive, created [today-400]) once nothing needs it. It is older than 90 days.
    billing-export has no active access key: the exemption covers nothing until somebody creates or activates one.
    Set: IAM holds it.
    ");
}
