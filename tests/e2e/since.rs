//! `scan --since`: what became of an earlier scan's violations.

use crate::{cli::Cli, support::*, transcript::Transcript};
use chrono::Utc;
use local_aws::{FaultKind, KeyStatus};
use policy::exemption::{EXEMPT_OWNER, EXEMPT_UNTIL};
use serde_json::{Value, json};
use std::fs;

const IDS: [&str; 4] = ["--account", HUB, MEMBER, OTHER_MEMBER];

#[tokio::test]
async fn a_comparison_says_what_is_fixed_exempt_new_open_and_unknown() {
    let cli = Cli::start().await;
    let key = |account, user: &str, age| user_with_key(cli.deployment.aws.world().account(account), user, age);
    let users = ["rotated", "deactivated", "gone", "renamed", "exempt", "open", "partly", "unreadable"];
    let keys = users.map(|user| key(HUB, user, 200));
    let [rotated, deactivated, gone, renamed, exempt, open, partly, unreadable] = &keys;
    key(HUB, "young", 10);
    let elsewhere = key(MEMBER, "elsewhere", 200);
    let unscanned = key(OTHER_MEMBER, "unscanned", 200);
    let directory = tempfile::tempdir().unwrap();
    let earlier = directory.path().join("earlier.json");
    let earlier = earlier.to_str().unwrap();
    // Of the member's users not all are known, and the other member is not scanned.
    cli.deployment.fault(Some("ListAccessKeys"), Some("broken"), FaultKind::AccessDenied);
    key(MEMBER, "broken", 200);
    let (status, _, error) = cli.scan(&[&IDS[..], &["--format", "json", "--output", earlier]].concat()).await;
    assert_eq!(status, Some(1), "{error}");
    let mut transcript = Transcript::by_the_clock();
    let (status, out, error) = cli.scan(&[&IDS[..], &["--since", earlier]].concat()).await;
    assert_eq!(status, Some(1));
    transcript.add("scan --since, and nothing has changed", &out, &error);

    let (new_of_partly, new) = (key(HUB, "partly", 100), key(HUB, "new", 100));
    key(MEMBER, "elsewhere-too", 100);
    {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        account.delete_key("rotated", rotated);
        account.create_key("rotated", Utc::now()).unwrap();
        account.set_key_status("deactivated", deactivated, KeyStatus::Inactive);
        account.delete_key("gone", gone);
        account.delete_user("gone");
        account.rename_user("renamed", "another-name");
        account.tag_user("exempt", EXEMPT_UNTIL, &day(9));
        account.tag_user("exempt", EXEMPT_OWNER, "payments");
    }
    cli.deployment.fault(Some("ListAccessKeys"), Some("unreadable"), FaultKind::AccessDenied);
    let scan = ["--account", HUB, MEMBER, "--since", earlier];
    let (status, out, _) = cli.scan(&[&scan[..], &["--format", "json"]].concat()).await;
    assert_eq!(status, Some(1));
    let json: Value = serde_json::from_str(&out).unwrap();
    let since = &json["since"];
    let violation =
        |account: &str, user: &str, key: &str| json!({ "account": account, "userName": user, "accessKeyId": key });
    // "gone" could only be told from an unreadable user if all of the account's users were known.
    let expected = [violation(HUB, "deactivated", deactivated), violation(HUB, "rotated", rotated)];
    assert_eq!(since["fixed"], json!(expected));
    assert_eq!(since["exempt"], json!([violation(HUB, "exempt", exempt)]));
    let elsewhere_too = &since["new"][2]["accessKeyId"];
    let expected = [
        violation(HUB, "new", &new),
        violation(HUB, "partly", &new_of_partly),
        violation(MEMBER, "elsewhere-too", elsewhere_too.as_str().unwrap()),
    ];
    assert_eq!(since["new"], json!(expected));
    let expected = [
        violation(HUB, "open", open),
        violation(HUB, "partly", partly),
        violation(HUB, "renamed", renamed),
        violation(MEMBER, "elsewhere", &elsewhere),
    ];
    assert_eq!(since["open"], json!(expected));
    let expected = [
        violation(HUB, "gone", gone),
        violation(HUB, "unreadable", unreadable),
        violation(OTHER_MEMBER, "unscanned", &unscanned),
    ];
    assert_eq!(since["unknown"], json!(expected));
    assert_eq!(since["newAccounts"], json!([MEMBER]));
    let marks = |user: &str| {
        let users = json["users"].as_array().unwrap();
        users.iter().find(|other| other["userName"] == user).unwrap()["since"].clone()
    };
    assert_eq!(["new", "partly", "open", "another-name"].map(marks), ["new", "new", "open", "open"].map(Value::from));
    assert!(marks("rotated").is_null() && marks("young").is_null());

    let (_, out, error) = cli.scan(&scan).await;
    transcript.add("scan --since, and much has changed", &out, &error);
    let (_, out, _) = cli.scan(&[&scan[..], &["--format", "csv"]].concat()).await;
    assert!(out.lines().any(|line| line.starts_with(&format!("{HUB},,new,")) && line.contains(",new,")), "{out}");

    // Once everyone can be read, whoever is not there is gone.
    cli.deployment.aws.world().faults = Default::default();
    let (_, out, error) = cli.scan(&scan).await;
    transcript.add("scan --since, and everyone can be read", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn another_document_or_another_limit_is_refused_before_anything_is_asked() {
    let cli = Cli::start().await;
    let directory = tempfile::tempdir().unwrap();
    let earlier = directory.path().join("earlier.json");
    let terms = json!({
        "scannedAt": "2026-03-01T12:00:00Z", "maxAccessKeyAge": 90, "warnBeforeDays": 14, "quietDays": 45,
        "credentialReport": false, "accounts": [], "users": [],
    });
    let with = |name: &str, value: Value| {
        let mut terms = terms.clone();
        terms[name] = value;
        terms.to_string()
    };
    let mut transcript = Transcript::by_the_clock().naming("directory", directory.path().to_str().unwrap());
    let user_without_account = json!([{ "userName": "anna" }]);
    let other_violation = json!([{ "account": HUB, "userName": "anna", "userId": null, "violations": ["AKIA"] }]);
    let user = |name: &str, status: &str| {
        let key =
            json!({ "accessKeyId": "AKIA", "status": status, "createDate": "2025-03-01T12:00:00Z", "ageDays": 365 });
        json!({ "account": HUB, "userName": name, "userId": null, "violations": ["AKIA"], "accessKeys": [key] })
    };
    for (what, content) in [
        ("nothing", String::new()),
        ("a list", "[]".to_owned()),
        ("cut off", terms.to_string()[..60].to_owned()),
        ("a user without an account", with("users", user_without_account)),
        ("users that are no list", with("users", json!("none"))),
        ("a violation that is no access key", with("users", other_violation)),
        ("a status with an escape sequence", with("users", json!([user("anna", "\u{1b}[2J")]))),
        ("a name with an escape sequence", with("users", json!([user("\u{1b}[2J", "Active")]))),
        ("another limit", with("maxAccessKeyAge", json!(60))),
        ("the future", with("scannedAt", json!("2999-03-01T12:00:00Z"))),
        ("a scan of a credential report", with("credentialReport", json!(true))),
    ] {
        fs::write(&earlier, &content).unwrap();
        cli.deployment.clear_calls();
        let (status, out, error) = cli.scan(&["--since", earlier.to_str().unwrap()]).await;
        assert_eq!((status, out.as_str()), (Some(1), ""), "{what}");
        assert!(!error.trim_end().contains(char::is_control), "{what}: {error:?}");
        transcript.add(what, &out, &error);
        assert_eq!(cli.deployment.calls_of("ListUsers"), 0);
    }
    let (status, out, error) = cli.scan(&["--since", "missing.json"]).await;
    assert_eq!(status, Some(1));
    transcript.add("scan --since missing.json", &out, &error);
    insta::assert_snapshot!(transcript);
}
