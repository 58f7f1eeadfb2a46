//! `where` on a local AWS: which keys it looks up, and what it prints.

use crate::{
    cli::{Cli, csv_rows},
    support::*,
    transcript::Transcript,
};
use chrono::{DateTime, SubsecRound, Utc};
use local_aws::{Fault, FaultKind, KeyStatus, KeyUses};
use serde_json::Value;

/// What acts on a terminal, a page, Markdown or a spreadsheet.
const HOSTILE: &str =
    "=cmd|' /C calc'!A0 \u{1b}[2J\u{202e}<script>alert(1)</script> [x](javascript:1) | **b** `c`\r\n# d";

/// Yesterday, when a test's key was used last.
fn yesterday() -> DateTime<Utc> {
    (midnight() - days(1)).trunc_subsecs(0)
}

/// A user with a key that is so many days old and was used yesterday.
fn used(cli: &Cli, account: &str, user: &str, age: i64) -> String {
    let mut world = cli.deployment.aws.world();
    let account = world.account(account);
    let key = user_with_key(account, user, age);
    account.use_key(&key, yesterday(), "eu-west-1", "s3");
    key
}

fn uses(key: &str) -> KeyUses {
    KeyUses { region: "eu-west-1".to_owned(), ..KeyUses::once(key, yesterday()) }
}

#[tokio::test]
async fn every_stale_key_in_use_has_its_callers_and_what_replaces_it() {
    let cli = Cli::start().await;
    let mailer = used(&cli, HUB, "mailer", 400);
    used(&cli, HUB, "no-event", 300);
    used(&cli, HUB, "young", 10);
    let exempt = used(&cli, HUB, "exempt", 200);
    {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        user_with_key(account, "never-used", 500);
        account.tag_user("exempt", "access-key-rotation:exempt-until", &day(30));
        account.tag_user("exempt", "access-key-rotation:exempt-owner", "payments");
        account.add_key_uses(KeyUses { count: 7, every: days(1), ..uses(&mailer) });
        account.add_key_uses(KeyUses { error: Some("AccessDenied".to_owned()), ..uses(&mailer) });
        account.add_key_uses(KeyUses {
            address: "10.1.2.3".to_owned(),
            vpc_endpoint: Some("vpce-0123456789abcdef0".to_owned()),
            agent: "Boto3/1.35.10 md/Botocore#1.35.10 exec-env/AWS_ECS_FARGATE".to_owned(),
            count: 3,
            ..uses(&mailer)
        });
        account.add_key_uses(KeyUses { agent: "curlew/7 (\"x\")".to_owned(), ..uses(&exempt) });
        account.add_key_uses(KeyUses {
            region: "us-west-2".to_owned(),
            source: "cloudformation.amazonaws.com".to_owned(),
            address: "cloudformation.amazonaws.com".to_owned(),
            agent: "cloudformation.amazonaws.com".to_owned(),
            ..uses(&exempt)
        });
    }
    let mut transcript = Transcript::by_the_clock();
    for arguments in [&["where"][..], &["where", "--format", "markdown"], &["plan", "--where", "--format", "table"]] {
        let (status, out, error) = cli.run(arguments).await;
        assert_eq!((status, error.as_str()), (Some(if arguments[0] == "plan" { 3 } else { 0 }), ""), "{out}");
        transcript.add(arguments.join(" "), &out, &error);
    }
    insta::assert_snapshot!(transcript);

    let (_, out, _) = cli.run(&["where", "--format", "json"]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    let users: Vec<_> = json["keys"].as_array().unwrap().iter().map(|key| key["userName"].as_str().unwrap()).collect();
    assert_eq!(users, ["mailer", "no-event", "exempt"], "the most urgent first");
    let (_, plan, _) = cli.run(&["plan", "--where", "--format", "json"]).await;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["where"]["keys"][0], json["keys"][0]);
    let (_, plan, _) = cli.run(&["plan", "--where", "--user", "no-event", "--format", "json"]).await;
    let plan: Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(
        (plan["where"]["keys"].as_array().unwrap().len(), &plan["where"]["keys"][0]["userName"]),
        (1, &"no-event".into())
    );
    let (_, plan, _) = cli.run(&["plan", "--where"]).await;
    assert!(plan.contains("\n## Who uses the stale keys\n") && plan.contains("| 10.1.2.3 | vpc-endpoint |"), "{plan}");
}

#[tokio::test]
async fn what_a_caller_says_of_itself_reaches_no_terminal_page_or_spreadsheet_as_it_is() {
    let cli = Cli::start().await;
    let key = used(&cli, HUB, "mailer", 400);
    for (n, agent) in [HOSTILE, "=1+1", "@SUM(A1)", "\t=1"].into_iter().enumerate() {
        cli.deployment.aws.world().account(HUB).add_key_uses(KeyUses {
            agent: agent.to_owned(),
            address: format!("{n}{HOSTILE}"),
            ..uses(&key)
        });
    }
    for format in ["table", "markdown", "csv", "html"] {
        let (status, out, _) = cli.run(&["where", &key, "--format", format]).await;
        assert_eq!(status, Some(0), "{out}");
        assert!(!out.contains(['\u{1b}', '\u{202e}', '\r', '\t']), "{format}: {out}");
        assert!(format == "html" || !out.lines().any(|line| line.starts_with("# d")), "{format}: {out}");
        match format {
            "html" => assert!(!out.contains("<script>alert") && out.contains("&lt;script&gt;alert(1)"), "{out}"),
            "markdown" => {
                assert!(!out.contains("[x](") && !out.contains("<script>") && !out.contains("**b**"), "{out}");
                let rows = out.lines().filter(|line| line.starts_with("| "));
                let columns = |line: &str| line.replace("\\|", "").matches('|').count();
                assert!(rows.clone().count() == 5 && rows.map(columns).all(|columns| columns == 10), "{out}");
            }
            "csv" => {
                let rows = csv_rows(&out);
                let agents: Vec<_> = rows.iter().map(|row| row["user_agent"].as_str()).collect();
                assert!(
                    agents.contains(&"'=1+1") && agents.contains(&"'@SUM(A1)") && agents.contains(&"' =1"),
                    "{agents:?}"
                );
                let is_formula = |cell: &String| cell.trim_start().starts_with(['=', '+', '-', '@']);
                assert!(!rows.iter().any(|row| row.values().any(is_formula)), "{out}");
            }
            _ => assert!(out.contains("unknown: \"=cmd|"), "{out}"),
        }
    }
    let (_, out, _) = cli.run(&["where", &key, "--format", "json"]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    let agents: Vec<_> = json["keys"][0]["callers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|caller| caller["userAgent"].as_str().unwrap())
        .collect();
    assert!(agents.contains(&HOSTILE), "JSON has it as it is: {agents:?}");
}

#[tokio::test]
async fn keys_are_found_by_id_and_by_user_and_what_is_wrong_with_one_costs_no_other() {
    let cli = Cli::start().await;
    let (ours, theirs) = (used(&cli, HUB, "ours", 400), used(&cli, MEMBER, "theirs", 10));
    let off = {
        let mut world = cli.deployment.aws.world();
        let off = user_with_key(world.account(HUB), "ours", 300);
        world.account(HUB).set_key_status("ours", &off, KeyStatus::Inactive);
        world.account(MEMBER).add_key_uses(uses(&theirs));
        off
    };
    let keys = |out: &str| -> Vec<String> {
        let json: Value = serde_json::from_str(out).unwrap();
        json["keys"].as_array().unwrap().iter().map(|key| key["accessKeyId"].as_str().unwrap().to_owned()).collect()
    };
    let both = ["--account", HUB, MEMBER, "--format", "json"];
    let (status, out, error) = cli.run(&[&["where", &theirs, &ours, &theirs], &both[..]].concat()).await;
    assert_eq!((status, error.as_str(), keys(&out)), (Some(0), "", vec![theirs.clone(), ours.clone()]));
    let (_, out, _) = cli.run(&[&["where", "--user", "ours", "theirs"], &both[..]].concat()).await;
    assert_eq!(keys(&out), [ours.clone(), off, theirs.clone()]);

    const NONE: &str = "AKIAIOSFODNN7EXAMPLE";
    let mut transcript = Transcript::by_the_clock();
    let mut add = |title: &str, (status, out, error): (Option<i32>, String, String)| {
        transcript.add(
            title,
            &format!("{out}exit status {status:?}\n").replace(&theirs, "THEIRS").replace(&ours, "OURS"),
            &error.replace(&theirs, "THEIRS"),
        );
    };
    add("where THEIRS", cli.run(&["where", &theirs]).await);
    add("where THEIRS --organization, without it", {
        cli.deployment.aws.world().organization(HUB).add_account(HUB, "security", "ACTIVE");
        cli.run(&["where", &theirs, "--organization"]).await
    });
    add("where of no key", cli.run(&["where", NONE, "--account", HUB, MEMBER]).await);
    add("where --user", cli.run(&["where", "--user", "nobody", "--account", HUB, MEMBER]).await);
    add("where in an account that cannot be entered", cli.run(&["where", NONE, "--account", "123456789012"]).await);
    {
        let fault = |action: &str| Fault {
            account: None,
            action: Some(action.to_owned()),
            user: None,
            kind: FaultKind::AccessDenied,
        };
        cli.deployment.aws.world().faults.add(fault("GetAccessKeyInfo"));
    }
    add("where THEIRS, if STS does not tell", cli.run(&["where", &theirs]).await);
    for wrong in ["AKIA", "ASIAIOSFODNN7EXAMPLE", "AKIA IOSFODNN7EXAMPLE"] {
        add(&format!("where {wrong:?}"), cli.run(&["where", wrong]).await);
    }
    add("where KEY --user", cli.run(&["where", NONE, "--user", "x"]).await);
    add("where --days 91", cli.run(&["where", "--days", "91"]).await);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn what_is_not_read_is_said_in_every_format_and_the_exit_status() {
    let cli = Cli::start().await;
    let key = used(&cli, MEMBER, "mailer", 400);
    {
        let mut world = cli.deployment.aws.world();
        world.account(MEMBER).add_key_uses(uses(&key));
        world.refuse_region("ap-south-1", "AccessDeniedException");
        world.refuse_region("us-east-2", "AccessDeniedException");
    }
    for format in ["table", "markdown", "json", "csv", "html"] {
        let (status, out, error) = cli.run(&["where", &key, "--account", MEMBER, "--format", format]).await;
        assert_eq!(status, Some(1), "{out}");
        assert!(
            out.contains("198.51.100.7") && out.contains("ap-south-1") && out.contains("us-east-2"),
            "{format}: {out}"
        );
        assert!(
            error.starts_with(&format!("access-key-rotation: account {MEMBER}: Not read: ap-south-1, us-east-2. ")),
            "{error}"
        );
    }
}
