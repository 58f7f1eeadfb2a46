//! The runbooks' records in what the command line says. What a record may look like is tested in
//! `rule/cli/src/findings/record.rs`.

use crate::{
    cli::{Cli, csv_rows},
    support::*,
    transcript::Transcript,
};
use local_aws::{Fault, FaultKind, KeyStatus};
use serde_json::{Value, json};

const READ: &str = "GetParametersByPath";
const NAME: &str = "/access-key-rotation/keys/";
const EXECUTION: &str = "7a4c6d1f-0000-4000-8000-000000000000";

/// A user with a key of 400 days, in that status, and its record. Gives the key's id.
fn recorded(cli: &Cli, account: &str, user: &str, status: KeyStatus, state: &str) -> String {
    let mut world = cli.deployment.aws.world();
    let account = world.account(account);
    let key = user_with_key(account, user, 400);
    account.set_key_status(user, &key, status);
    let since = format!("{}T12:00:00Z", day(-10));
    let id = account.user(user).unwrap().id.clone();
    let record = json!({ "state": state, "since": since, "execution": EXECUTION, "userId": id });
    account.set_parameter(&format!("{NAME}{key}"), &record.to_string());
    key
}

async fn start() -> (Cli, [String; 3]) {
    let cli = Cli::start().await;
    let off = recorded(&cli, HUB, "off", KeyStatus::Inactive, "deactivated");
    let again = recorded(&cli, HUB, "again", KeyStatus::Active, "reactivated");
    let strange = recorded(&cli, HUB, "strange", KeyStatus::Active, "forgotten");
    // Nobody has this key any more.
    cli.deployment.aws.world().account(HUB).set_parameter(&format!("{NAME}AKIAGONE"), "{}");
    (cli, [off, again, strange])
}

#[tokio::test]
async fn each_record_is_shown_in_every_format() {
    let (cli, [off, again, strange]) = start().await;
    let mut transcript = Transcript::by_the_clock();
    let (status, out, error) = cli.scan(&["--grace-days", "20"]).await;
    assert_eq!(status, Some(3));
    transcript.add("scan --grace-days 20", &out, &error);
    let (status, plan, error) = cli.run(&["plan"]).await;
    assert_eq!(status, Some(3));
    transcript.add("plan", &plan, &error);
    insta::assert_snapshot!(transcript);

    let (_, out, error) = cli.scan(&["--format", "json"]).await;
    assert_eq!(error, "");
    let scan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!([&scan["graceDays"], &scan["accounts"][0]["recordsError"]], [&json!(30), &Value::Null]);
    let keys: Vec<_> =
        scan["users"].as_array().unwrap().iter().flat_map(|user| user["accessKeys"].as_array().unwrap()).collect();
    let record = |id: &str| &keys.iter().find(|key| key["accessKeyId"] == id).unwrap()["record"];
    let since = format!("{}T12:00:00Z", day(-10));
    let of = |state: &str, from: Value| json!({ "state": state, "since": since, "execution": EXECUTION, "deletableFrom": from });
    assert_eq!(*record(&off), of("deactivated", day(20).into()));
    assert_eq!(*record(&again), of("reactivated", Value::Null));
    let unreadable = json!({ "state": "unreadable", "since": null, "execution": null, "deletableFrom": null });
    assert_eq!(*record(&strange), unreadable);

    let (_, out, error) = cli.scan(&["--format", "csv"]).await;
    assert_eq!(error, "");
    let rows = csv_rows(&out);
    let record = |key: &str| {
        let row = rows.iter().find(|row| row["access_key_id"] == key).unwrap();
        (row["record"].as_str(), row["record_since"].as_str())
    };
    assert_eq!((record(&off), record(&strange)), (("deactivated", since.as_str()), ("unreadable", "")));

    let (_, page, _) = cli.scan(&["--format", "html"]).await;
    let (_, records) = page.split_once("<h2 id=\"records\">").unwrap();
    for said in [
        format!("may delete it from {}</td>", day(20)),
        format!("reactivated since {} (execution {EXECUTION}): somebody switched it on again", day(-10)),
        format!("look at the parameter {NAME}{strange}"),
    ] {
        assert!(records.contains(&said), "{said}: {records}");
    }
    assert!(!page.contains("AKIAGONE") && !page.contains("records-unknown"), "{page}");
}

#[tokio::test]
async fn records_come_in_pages_and_are_read_once_an_account_before_its_keys() {
    let cli = Cli::start().await;
    for n in 0..25 {
        recorded(&cli, MEMBER, &format!("user-{n:02}"), KeyStatus::Inactive, "deactivated");
    }
    let (status, out, _) = cli.scan(&["--account", MEMBER, "--role-name", EVALUATION_ROLE, "--format", "json"]).await;
    assert_eq!((status, out.matches("\"state\":\"deactivated\"").count()), (Some(0), 25));
    let world = cli.deployment.aws.world();
    let calls: Vec<_> = world.calls().iter().map(|call| call.action.as_str()).collect();
    let last = calls.iter().rposition(|action| *action == READ).unwrap();
    assert_eq!(calls.iter().filter(|action| **action == READ).count(), 4);
    assert!(last < calls.iter().position(|action| *action == "ListUsers").unwrap(), "{calls:?}");
}

/// Neither a denial, nor a listing that breaks off, nor an answer without a list means that there is no record. The verdicts do
/// not depend on records, so the exit status says what it says without them.
#[tokio::test]
async fn records_that_cannot_be_read_are_unknown_and_said_once() {
    let (cli, [off, ..]) = start().await;
    for n in 0..20 {
        cli.deployment.aws.world().account(HUB).set_parameter(&format!("{NAME}A{n}"), "{}");
    }
    for kind in [
        FaultKind::AccessDenied,
        FaultKind::BreakOffAfterPages(1),
        FaultKind::RepeatedMarker,
        FaultKind::Intercepted("{}"),
    ] {
        let what = format!("{kind:?}");
        cli.deployment.aws.world().faults.clear();
        cli.deployment.fault(Some(READ), None, kind);
        let sentence = format!("{HUB}: the runbooks' records of access keys");
        let (status, out, error) = cli.scan(&[]).await;
        assert_eq!((status, error.as_str(), out.matches(&sentence).count()), (Some(3), "", 1), "{what}: {out}");
        assert!(
            out.lines().any(|line| line.contains(&off) && line.ends_with("  delete"))
                && !out.contains("deactivated since"),
            "{what}: {out}"
        );
        let (status, out, _) = cli.scan(&["--format", "json"]).await;
        let scan: Value = serde_json::from_str(&out).unwrap();
        let said = scan["accounts"][0]["recordsError"].as_str().unwrap();
        assert!(said.contains("ssm:GetParametersByPath"), "{said}");
        assert_eq!((status, &scan["accounts"][0]["error"]), (Some(3), &Value::Null), "{what}");
        assert!(!out.contains("\"state\""), "{what}: {out}");
    }
    cli.deployment.aws.world().faults.clear();
    cli.deployment.aws.world().faults.add(Fault {
        account: Some(HUB.to_owned()),
        action: Some(READ.to_owned()),
        user: None,
        kind: FaultKind::AccessDenied,
    });
    let (status, out, error) = cli.scan(&["--format", "csv"]).await;
    assert_eq!((status, error.matches("are unknown").count(), csv_rows(&out).len()), (Some(3), 1, 3), "{error}");
    let (_, page, _) = cli.scan(&["--format", "html"]).await;
    assert!(page.contains("Records unknown: 1 account") && !page.contains("<h2 id=\"records\">"), "{page}");
    let (status, plan, error) = cli.run(&["plan"]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    assert_eq!(plan.matches("records of access keys and rotations are unknown").count(), 1, "{plan}");
    let (_, out, _) = cli.scan(&["--account", MEMBER, "--role-name", EVALUATION_ROLE]).await;
    assert!(!out.contains("unknown"), "{out}");
}
