//! The filters and the order of `scan`, `plan` and `where`.

use crate::{
    cli::{Cli, csv_rows},
    support::*,
    transcript::Transcript,
};
use local_aws::{FaultKind, KeyStatus, KeyUses};
use serde_json::Value;
use std::fs;

/// Users of two owners and of none in two accounts, and one whose only key is old and inactive.
async fn start() -> Cli {
    let cli = Cli::start().await;
    let mut world = cli.deployment.aws.world();
    for (account, user, age, owner, used) in [
        (HUB, "mailer", 200, Some("payments"), Some(1)),
        (HUB, "backup", 400, Some("platform"), None),
        (HUB, "nobodys", 300, None, Some(2)),
        (HUB, "young", 5, Some("payments"), None),
        (MEMBER, "exporter", 500, Some("Payments"), None),
        (MEMBER, "retired", 700, Some("payments"), None),
    ] {
        let account = world.account(account);
        let key = user_with_key(account, user, age);
        if let Some(owner) = owner {
            account.tag_user(user, "owner", owner);
        }
        if let Some(ago) = used {
            account.use_key(&key, midnight() - days(ago), "eu-west-1", "s3");
            account.add_key_uses(KeyUses::once(&key, midnight() - days(ago)));
        }
        if user == "retired" {
            account.set_key_status(user, &key, KeyStatus::Inactive);
        }
    }
    drop(world);
    cli
}

const BOTH: [&str; 3] = ["--account", HUB, MEMBER];

#[tokio::test]
async fn a_filter_says_that_it_is_one_and_of_how_many_it_shows_how_many() {
    let cli = start().await;
    let mut transcript = Transcript::by_the_clock();
    for (arguments, expected) in [
        (&["scan", "--owner", "payments"][..], 3),
        (&["scan", "--owner", "paymnts", "-"], 3),
        (&["scan", "--owner", "nobody-at-all"], 0),
        (&["scan", "--min-age", "350", "--sort", "age", "--top", "1"], 3),
        (&["scan", "--priority", "in-use", "--wide"], 3),
        (&["scan", "--sort", "owner"], 3),
        (&["scan", "--user", "young"], 0),
        (&["scan", "--user", "mailer", "mialer"], 1),
        (&["scan", "--owner", "platform", "--exit-zero"], 0),
        (&["plan", "--format", "table", "--owner", "payments"], 3),
        (&["plan", "--format", "table", "--priority", "idle", "--top", "1", "--exit-zero"], 0),
        (&["plan", "--owner", "nobody-at-all"], 0),
        (&["where", "--owner", "payments"], 0),
        (&["where", "--sort", "user"], 0),
    ] {
        let (status, out, error) = cli.run(&[arguments, &BOTH].concat()).await;
        assert_eq!(status, Some(expected), "{arguments:?}: {error}");
        transcript.add(arguments.join(" "), &out, &error);
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn every_format_says_that_users_are_left_out() {
    let cli = start().await;
    let sentence = "The filter --owner payments shows 3 of 6 users, and 2 of 4 in violation.";
    for command in ["scan", "plan"] {
        let formats = if command == "scan" { &["table", "csv", "html", "json"][..] } else { &["table", "markdown"] };
        for format in formats {
            let (_, out, error) =
                cli.run(&[&[command, "--owner", "payments", "--format", format], &BOTH[..]].concat()).await;
            assert!(format!("{out}{error}").replace('\\', "").contains(sentence), "{command} {format}: {out}{error}");
            assert!(!out.contains("backup") && !out.contains("nobodys"), "{command} {format}: {out}");
        }
    }
    // Nobody reads whose a key is that is not in use.
    let sentence = "The filter --owner payments shows 2 of 6 users, and 2 of 4 in violation.";
    for format in ["table", "markdown", "csv", "html"] {
        let (_, out, error) =
            cli.run(&[&["where", "--owner", "payments", "--format", format], &BOTH[..]].concat()).await;
        assert!(format!("{out}{error}").replace('\\', "").contains(sentence), "where {format}: {out}{error}");
        assert!(out.contains("mailer") && !out.contains("nobodys"), "where {format}: {out}");
    }
    for command in ["scan", "plan", "where"] {
        let arguments = ["--owner", "payments", "--min-age", "7", "--format", "json"];
        let (_, out, _) = cli.run(&[&[command], &arguments[..], &BOTH].concat()).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        let filter = &json["filter"];
        assert_eq!((&filter["owner"][0], &filter["minAgeDays"]), (&"payments".into(), &7.into()), "{command}");
        assert_eq!((&filter["usersEvaluated"], &filter["usersNonCompliant"]), (&6.into(), &4.into()), "{command}");
        let (_, out, _) = cli.run(&[&[command, "--format", "json", "--sort", "age"], &BOTH[..]].concat()).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        assert!(json.get("filter").is_none(), "an order leaves nobody out: {out}");
    }
    let (_, page, _) = cli.run(&[&["scan", "--owner", "nobody-at-all", "--format", "html"], &BOTH[..]].concat()).await;
    assert!(page.contains("The filter shows nobody.") && !page.contains("Nobody of"), "{page}");
}

#[tokio::test]
async fn owners_of_old_inactive_keys_are_read_only_if_the_filter_asks_for_owners() {
    let cli = start().await;
    cli.deployment.clear_calls();
    let (_, out, _) = cli.scan(&BOTH).await;
    assert!(out.lines().any(|line| line.starts_with("retired ") && line.contains("  ?  ")), "{out}");
    assert_eq!(cli.deployment.calls_of("GetUser"), 4, "the violations'");
    cli.deployment.clear_calls();
    let (_, out, _) = cli.scan(&[&["--owner", "payments"], &BOTH[..]].concat()).await;
    assert!(out.lines().any(|line| line.starts_with("retired ")), "{out}");
    assert_eq!(cli.deployment.calls_of("GetUser"), 5);

    // Whose owner could not be read may be one of them.
    cli.deployment.fault(Some("GetUser"), Some("retired"), FaultKind::AccessDenied);
    let (status, out, error) = cli.scan(&[&["--owner", "payments"], &BOTH[..]].concat()).await;
    assert!(!out.contains("retired"), "{out}");
    assert_eq!(status, Some(1), "{error}");
    assert!(error.contains("1 user is left out, since what the filter asks could not be read"), "{error}");
}

#[tokio::test]
async fn an_account_or_a_user_that_is_not_read_is_missing_whatever_the_filter_shows() {
    let cli = start().await;
    cli.deployment.fault(Some("ListAccessKeys"), Some("nobodys"), FaultKind::AccessDenied);
    for command in ["scan", "plan", "where"] {
        let accounts = ["--account", HUB, MEMBER, "123456789012"];
        let (status, _, error) =
            cli.run(&[&[command, "--owner", "payments", "--top", "1"], &accounts[..]].concat()).await;
        assert_eq!(status, Some(1), "{command}: {error}");
        for missing in ["account 123456789012: ", "1 of 4 users unknown"] {
            assert!(error.contains(missing), "{command}: {error}");
        }
    }
}

#[tokio::test]
async fn what_is_filtered_is_never_taken_for_the_whole() {
    let cli = start().await;
    let directory = tempfile::tempdir().unwrap();
    let [filtered, whole] = ["filtered.json", "whole.json"].map(|name| directory.path().join(name));
    let [filtered, whole] = [&filtered, &whole].map(|path| path.to_str().unwrap());
    let json = ["--format", "json", "--output"];
    cli.scan(&[&BOTH[..], &json, &[filtered, "--owner", "payments"]].concat()).await;
    cli.scan(&[&BOTH[..], &json, &[whole]].concat()).await;
    for command in ["scan", "evidence"] {
        cli.deployment.clear_calls();
        let (status, out, error) = cli.run(&[&[command, "--since", filtered], &BOTH[..]].concat()).await;
        assert_eq!((status, out.as_str()), (Some(1), ""), "{command}");
        let expected =
            "a filter left users out of it, who would look fixed. Pass a scan that you made without a filter";
        assert!(error.contains(expected), "{command}: {error}");
        assert_eq!(cli.deployment.calls_of("ListUsers"), 0);
    }
    // Both are whole: the filter chooses what is listed, not what is compared.
    cli.deployment.aws.world().account(HUB).delete_user("backup");
    let (_, out, _) =
        cli.scan(&[&BOTH[..], &["--since", whole, "--owner", "payments", "--format", "json"]].concat()).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    let number = |list: &str| json["since"][list].as_array().unwrap().len();
    assert_eq!(["fixed", "open", "new", "unknown"].map(number), [1, 3, 0, 0]);
    assert_eq!(json["since"]["fixed"][0]["userName"], "backup");

    // An auditor's document has no filter, and no filtered scan passes for one.
    let (status, _, error) = cli.run(&["evidence", "--owner", "payments"]).await;
    assert_eq!(status, Some(2), "{error}");
    let (status, out, error) = cli.run(&["evidence", "--verify", filtered]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""), "{error}");
    let page = directory.path().join("page.html");
    let page = page.to_str().unwrap();
    cli.scan(&[&BOTH[..], &["--owner", "payments", "--format", "html", "--output", page]].concat()).await;
    assert!(fs::read_to_string(page).unwrap().contains("<title>Filtered: "));
    let (status, out, error) = cli.run(&["evidence", "--verify", page]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""), "{error}");
}

#[tokio::test]
async fn wrong_filters_are_refused_before_aws_is_asked() {
    let cli = start().await;
    cli.deployment.clear_calls();
    let report = format!("{}/fixtures/scan/credential-report.csv", env!("CARGO_MANIFEST_DIR"));
    let mut transcript = Transcript::default().naming("report", &report);
    for (arguments, expected) in [
        (&["scan", "--sort", "size"][..], 2),
        (&["scan", "--priority", "high"], 2),
        (&["scan", "--top", "0"], 2),
        (&["where", "AKIAIOSFODNN7EXAMPLE", "--owner", "payments"], 2),
        (&["where", "--user", "mailer", "--sort", "age"], 2),
        (&["where", "--grace-days", "7"], 2),
        (&["scan", "--credential-report", &report, "--owner", "payments"], 2),
        (&["scan", "--credential-report", &report, "--priority", "production"], 1),
    ] {
        let (status, out, error) = cli.run(arguments).await;
        assert_eq!((status, out.as_str()), (Some(expected), ""), "{arguments:?}");
        transcript.add(arguments.join(" "), &out, &error);
    }
    assert_eq!(cli.deployment.calls().len(), 0);
    insta::assert_snapshot!(transcript);
    let (status, out, _) =
        cli.run(&["scan", "--credential-report", &report, "--priority", "idle", "--format", "csv"]).await;
    assert_eq!(status, Some(3));
    let rows = csv_rows(&out);
    assert!(!rows.is_empty() && rows.iter().all(|row| row["priority"] == "idle"), "{out}");
}
