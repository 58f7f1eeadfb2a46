//! The board of `plan`, and the same states in `scan`: users in every state of a rotation. What each state says is tested in
//! `rule/cli/src/findings/board/tests.rs`.

use crate::{cli::Cli, support::*, transcript::Transcript};
use chrono::{DateTime, Utc};
use local_aws::{Fault, FaultKind, KeyStatus};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const READ: &str = "GetParametersByPath";
const SECRET_TAG: &str = "access-key-rotation:secret";
const SECRET: &str = "arn:aws:secretsmanager:us-east-1:111122223333:secret:prod/mail-AbCdEf";
/// Actions that read or write a secret, or write anything.
const NOT_OURS: [&str; 5] = ["GetSecretValue", "DescribeSecret", "UpdateAccessKey", "DeleteAccessKey", "PutParameter"];

/// A user with keys of these ages, an owner and perhaps the tag of a secret. Gives the keys' ids.
fn user<const N: usize>(cli: &Cli, name: &str, ages: [i64; N], secret: bool) -> [String; N] {
    let mut world = cli.deployment.aws.world();
    let account = world.account(HUB);
    let keys = ages.map(|age| user_with_key(account, name, age));
    account.tag_user(name, "owner", if name.starts_with('m') { "mail|relay" } else { "payments" });
    if secret {
        account.tag_user(name, SECRET_TAG, "prod/mail");
    }
    keys
}

fn record(cli: &Cli, name: &str, state: &str, new_key: Option<&str>, at: DateTime<Utc>) {
    let mut world = cli.deployment.aws.world();
    let account = world.account(HUB);
    let id = account.user(name).unwrap().id.clone();
    let reason = (state == "blocked").then_some("the key policy of alias/mail must allow kms:Decrypt");
    let record = json!({
        "state": state, "since": "2020-01-01T00:00:00Z", "execution": "7a4c6d1f-0000-4000-8000-000000000000",
        "userName": name, "secret": SECRET, "newKey": new_key, "reason": reason,
    });
    account.set_parameter_at(at, &format!("/access-key-rotation/users/{id}"), &record.to_string());
}

fn deactivated(cli: &Cli, name: &str, key: &str, ago: i64) {
    let mut world = cli.deployment.aws.world();
    let account = world.account(HUB);
    account.set_key_status(name, key, KeyStatus::Inactive);
    let id = account.user(name).unwrap().id.clone();
    let record =
        json!({ "state": "deactivated", "since": format!("{}T12:00:00Z", day(-ago)), "execution": null, "userId": id });
    account.set_parameter(&format!("/access-key-rotation/keys/{key}"), &record.to_string());
}

/// Users in every state. The user's name says which.
pub(crate) async fn start() -> Cli {
    let cli = Cli::start().await;
    user(&cli, "young", [10], true);
    let [used] = user(&cli, "stale", [200], false);
    user(&cli, "due-soon", [80], false);
    user(&cli, "rotates", [80], true);
    let [_, new] = user(&cli, "rotating", [80, 1], true);
    record(&cli, "rotating", "created", Some(&new), midnight() - days(1));
    let [old, new] = user(&cli, "mail-settling", [79, 2], true);
    record(&cli, "mail-settling", "switched", Some(&new), midnight() - days(2));
    cli.deployment.aws.world().account(HUB).use_key(&used, midnight() - days(1), "eu-west-1", "s3");
    cli.deployment.aws.world().account(HUB).use_key(&old, midnight() - days(1), "eu-west-1", "ses");
    let [old, _] = user(&cli, "deactivated", [95, 20], true);
    deactivated(&cli, "deactivated", &old, 10);
    let [old, _] = user(&cli, "mail-deletable", [150, 60], true);
    deactivated(&cli, "mail-deletable", &old, 50);
    user(&cli, "blocked", [80], true);
    record(&cli, "blocked", "blocked", None, midnight() - days(2));
    user(&cli, "unknown", [20], false);
    record(&cli, "unknown", "forgotten", None, midnight());
    let [left] = user(&cli, "old-inactive", [300], false);
    cli.deployment.aws.world().account(HUB).set_key_status("old-inactive", &left, KeyStatus::Inactive);
    cli
}

/// The board of `plan --format json`: the state of each user's key that is on it.
async fn states(cli: &Cli, options: &[&str]) -> (Option<i32>, BTreeMap<String, Vec<String>>, Value) {
    let (status, out, _) = cli.run(&[&["plan", "--format", "json"], options].concat()).await;
    let plan: Value = serde_json::from_str(&out).unwrap();
    let mut states = BTreeMap::<_, Vec<_>>::new();
    for key in plan["keys"].as_array().unwrap() {
        let text = |name: &str| key[name].as_str().unwrap().to_owned();
        states.entry(text("userName")).or_default().push(text("state"));
    }
    (status, states, plan)
}

#[tokio::test]
async fn the_board_says_where_each_key_stands_in_every_format() {
    let cli = start().await;
    let mut transcript = Transcript::by_the_clock().naming("version", env!("CARGO_PKG_VERSION"));
    for format in ["table", "markdown"] {
        let (status, out, error) = cli.run(&["plan", "--format", format]).await;
        assert_eq!(status, Some(3));
        transcript.add(format!("plan --format {format}"), &out, &error);
    }
    let (_, out, error) = cli.scan(&[]).await;
    transcript.add("scan", &out, &error);
    insta::assert_snapshot!(transcript);

    let (status, states, plan) = states(&cli, &[]).await;
    assert_eq!(status, Some(3));
    let expected = [
        ("stale", vec!["stale"]),
        ("due-soon", vec!["dueSoon"]),
        ("rotates", vec!["dueSoon"]),
        ("rotating", vec!["rotating", "rotating"]),
        ("mail-settling", vec!["settling"]),
        ("deactivated", vec!["deactivated"]),
        ("mail-deletable", vec!["deletable"]),
        ("blocked", vec!["blocked"]),
        ("unknown", vec!["unknown"]),
        ("old-inactive", vec!["oldInactive"]),
    ];
    let expected = expected.map(|(user, states)| (user.to_owned(), states.into_iter().map(str::to_owned).collect()));
    assert_eq!(states, expected.into());
    let key = |user: &str| plan["keys"].as_array().unwrap().iter().find(|key| key["userName"] == user).unwrap().clone();
    assert_eq!(key("mail-settling")["owner"], "mail|relay");
    assert_eq!([&key("mail-settling")["from"], &key("blocked")["from"]], [&json!(day(6)), &json!(day(5))]);
    let users: Vec<_> = plan["users"].as_array().unwrap().iter().map(|user| &user["userName"]).collect();
    assert_eq!(users, ["stale", "due-soon"], "the others rotate, or are the runbooks'");
    assert_eq!(plan["users"][0]["optIn"].as_array().unwrap().len(), 2);
    let calls = cli.deployment.calls();
    assert!(NOT_OURS.iter().all(|action| !calls.contains_key(*action)), "{calls:?}");
}

#[tokio::test]
async fn a_plan_can_be_for_some_users_owners_and_accounts() {
    let cli = start().await;
    let (status, board, _) = states(&cli, &["--owner", "mail|relay"]).await;
    assert_eq!(
        (status, board.into_keys().collect::<Vec<_>>()),
        (Some(0), vec!["mail-deletable".into(), "mail-settling".into()])
    );
    let (status, board, _) = states(&cli, &["--user", "stale", "young"]).await;
    assert_eq!((status, board.into_keys().collect::<Vec<_>>()), (Some(3), vec!["stale".to_owned()]));
    let (status, board, _) = states(&cli, &["--account", MEMBER, "--role-name", EVALUATION_ROLE]).await;
    assert_eq!((status, board.len()), (Some(0), 0));
    let (status, _, error) = cli.run(&["plan", "--user", "stale", "nobody"]).await;
    assert_eq!((status, error.trim_end()), (Some(1), "access-key-rotation: --user nobody: no such user was evaluated"));
}

/// Denied, or not there: said once, without an effect on the exit status, and never taken for "no rotation".
#[tokio::test]
async fn what_cannot_be_read_is_unknown_and_said_once() {
    let cli = start().await;
    cli.deployment.aws.world().faults.add(Fault {
        account: Some(HUB.to_owned()),
        action: Some(READ.to_owned()),
        user: None,
        kind: FaultKind::AccessDenied,
    });
    for format in ["table", "markdown"] {
        let (status, out, error) = cli.run(&["plan", "--format", format]).await;
        assert_eq!((status, error.as_str()), (Some(3), ""));
        assert_eq!(out.matches("records of access keys and rotations are unknown").count(), 1, "{out}");
    }
    let (status, board, plan) = states(&cli, &[]).await;
    assert_eq!((status, plan["recordsUnknown"].as_array().unwrap().len()), (Some(3), 1));
    assert_eq!(board["rotates"], ["dueSoon"]);
    let key = plan["keys"].as_array().unwrap().iter().find(|key| key["userName"] == "rotates").unwrap();
    assert_eq!(key["next"], Value::Null);
    assert!(key["toDo"].as_str().unwrap().starts_with("Whether its rotation is under way is unknown"), "{key}");

    cli.deployment.aws.world().faults.clear();
    cli.deployment.fault(Some("GetUser"), Some("due-soon"), FaultKind::AccessDenied);
    cli.deployment.fault(Some("GetAccessKeyLastUsed"), None, FaultKind::AccessDenied);
    let (_, out, _) = cli.run(&["plan", "--format", "table", "--user", "due-soon", "mail-settling"]).await;
    assert!(
        out.contains("  ?      ") && out.contains("unless it rotates by itself: the user's tags could not be read."),
        "{out}"
    );
    assert!(out.contains("Its last use could not be read."), "{out}");
}
