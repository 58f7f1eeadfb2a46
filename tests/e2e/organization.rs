//! The command line on a whole organization.

use crate::{
    cli::{Cli, command_line, said},
    deployed::python,
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use local_aws::{Account, FaultKind, LocalAws, REGION, World};
use serde_json::{Value, json};
use std::{fs, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::Command,
};

/// The organization of the hub and so many other accounts, each filled by its number.
async fn start(accounts: u64, fill: impl Fn(&mut Account, u64)) -> (Cli, Vec<String>) {
    start_with(accounts, |_| true, fill).await
}

/// Only the accounts with a number that is trusting have the role.
async fn start_with(
    accounts: u64,
    trusting: impl Fn(u64) -> bool,
    fill: impl Fn(&mut Account, u64),
) -> (Cli, Vec<String>) {
    let mut world = World::live_clock();
    let ids: Vec<_> = (0..accounts).map(|n| format!("{:012}", 200_000_000_000 + n)).collect();
    world.organization(HUB);
    for (n, id) in (0..).zip(&ids) {
        let name = format!("workload {n}");
        world.organization(HUB).add_account(id, &name, "ACTIVE");
        let account = world.account(id);
        let trusted = if trusting(n) { FUNCTION_ROLE } else { "another-role" };
        account.add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/{trusted}"));
        fill(account, n);
    }
    (Cli::start_in(world).await, ids)
}

#[tokio::test]
async fn an_organization_is_scanned_though_some_accounts_cannot_be_entered() {
    let fill = |account: &mut Account, n| {
        user_with_key(account, "old", 100 + n as i64);
        user_with_key(account, "young", 10);
    };
    let (cli, ids) = start_with(50, |n| !(20..23).contains(&n), fill).await;
    let (closed, suspended, not_trusting) = (&ids[3], &ids[4], &ids[20..23]);
    {
        let mut world = cli.deployment.aws.world();
        world.organization(HUB).add_account(closed, "closed", "CLOSED");
        world.organization(HUB).add_account(suspended, "suspended", "SUSPENDED");
        world.organization(HUB).add_account(&ids[5], "leaving", "PENDING_CLOSURE");
    }
    let (status, out, error) = cli.scan(&["--organization", "--format", "json"]).await;
    assert_eq!(status, Some(1), "{error}");
    let json: Value = serde_json::from_str(&out).unwrap();
    let accounts = json["accounts"].as_array().unwrap();
    assert_eq!(accounts.len(), 48, "the hub, and all but the closed, the suspended and the leaving one");
    assert_eq!(
        json["leftOut"],
        json!([
            { "account": ids[3], "name": "closed", "why": "closed" },
            { "account": ids[4], "name": "suspended", "why": "suspended" },
            { "account": ids[5], "name": "leaving", "why": "pending closure" },
        ])
    );
    for account in accounts {
        let id = account["account"].as_str().unwrap();
        let entered = !not_trusting.iter().any(|other| other == id);
        let users = if id == HUB || !entered { 0 } else { 2 };
        assert_eq!(account["usersEvaluated"], users, "{account}");
        assert_eq!(account["error"].is_null(), entered, "{account}");
    }
    assert_eq!(accounts.iter().find(|account| account["account"] == *ids[7]).unwrap()["name"], "workload 7");
    let violations = json["users"].as_array().unwrap().iter().filter(|user| user["compliance"] == "NON_COMPLIANT");
    assert_eq!(violations.count(), 44);
    let mut transcript = Transcript::default();
    transcript.add("scan with three accounts that cannot be entered", "", &error);

    let exclude =
        [&["--organization", "--exclude", closed], &not_trusting.iter().map(String::as_str).collect::<Vec<_>>()[..]];
    let (status, out, error) = cli.scan(&exclude.concat()).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    let rows: Vec<_> = out.lines().take_while(|line| !line.contains("evaluated")).collect();
    assert_eq!(rows.len(), 45);
    assert!(rows[1].contains("  149 d  ") && rows[44].contains("  100 d  "), "{out}");
    let line = out.lines().find(|line| line.contains("(workload 7)")).unwrap();
    transcript.add("the line of an account with a name", &format!("{line}\n"), "");
    let last = out.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev();
    let last: String = last.map(|line| format!("{line}\n")).collect();
    transcript.add("all accounts, those that are left out, and what to do next", &last, "");
    insta::assert_snapshot!(transcript);
}

/// The states of accounts, as AWS answers since it retired `Status`.
const STATES: [(&str, &str); 7] = [
    ("111122221111", "ACTIVE"),
    ("111122222222", "PENDING_ACTIVATION"),
    ("111122224444", "PENDING_ACTIVATION"),
    ("111122225555", "PENDING_CLOSURE"),
    ("111122226666", "SUSPENDED"),
    ("111122227777", "CLOSED"),
    ("111122228888", "STATE_OF_LATER"),
];

#[tokio::test]
async fn every_output_says_which_accounts_it_leaves_out_and_a_state_that_is_new_is_none_of_them() {
    let mut world = World::live_clock();
    for (id, state) in STATES {
        world.organization(HUB).add_account(id, &state.to_lowercase(), state);
        world.account(id).add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/{FUNCTION_ROLE}"));
    }
    let cli = Cli::start_in(world).await;
    let line = "5 accounts left out: 111122222222 (pending_activation) pending activation, 111122224444 (pending_activation) pending \
                activation, 111122225555 (pending_closure) pending closure, 111122226666 (suspended) suspended, 111122227777 (closed) closed";
    let in_output: [&[&str]; 4] =
        [&["scan"], &["scan", "--format", "html"], &["coverage"], &["doctor", "--role-name", EVALUATION_ROLE]];
    let on_standard_error: [&[&str]; 3] = [&["scan", "--format", "csv"], &["plan"], &["exempt", "--list"]];
    for (commands, in_output) in [(&in_output[..], true), (&on_standard_error[..], false)] {
        for command in commands {
            let (_, out, error) = cli.run(&[command, &["--organization"][..]].concat()).await;
            let named = if in_output { &out } else { &error };
            assert_eq!(named.matches(line).count(), 1, "{command:?}: {out}\n{error}");
        }
    }
    for command in ["scan", "coverage", "doctor"] {
        let (_, out, _) = cli.run(&[command, "--organization", "--format", "json"]).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        let ids = |list: &str| {
            json[list].as_array().unwrap().iter().map(|account| account["account"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(ids("accounts"), ["111122221111", "111122223333", "111122228888"], "{command}");
        assert_eq!(ids("leftOut").len(), 5, "{command}");
    }
}

#[tokio::test]
async fn an_organization_without_a_deployment_is_scanned_with_the_role_that_the_error_names() {
    let mut world = World::live_clock();
    let role = "OrganizationAccountAccessRole";
    world.account(HUB);
    world.organization(HUB);
    for (id, name) in [(MEMBER, "payments"), (OTHER_MEMBER, "invited")] {
        world.organization(HUB).add_account(id, name, "ACTIVE");
        user_with_key(world.account(id), "old", 100);
    }
    world.account(MEMBER).add_role(role, &format!("arn:aws:iam::{HUB}:root"));
    let aws = LocalAws::start(world).await.unwrap();
    let scan = async |arguments: &[&str]| {
        let mut command = Command::new(command_line());
        command
            .args([&["scan", "--organization"], arguments].concat())
            .env_clear()
            .env("AWS_ENDPOINT_URL", aws.endpoint())
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{HUB}"))
            .env("AWS_SECRET_ACCESS_KEY", "any");
        said(command.output().await.unwrap())
    };
    let mut transcript = Transcript::by_the_clock();
    for arguments in [&[][..], &["--role-name", role]] {
        let (status, out, error) = scan(arguments).await;
        assert_eq!(status, Some(1));
        transcript.add(format!("scan --organization {}", arguments.join(" ")), &out, &error);
    }
    let (status, out, error) = scan(&["--role-name", role, "--exclude", OTHER_MEMBER]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""), "{out}");
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn the_advice_on_a_denial_is_for_whoever_sees_it() {
    let cli = Cli::start().await;
    let mut transcript = Transcript::default();
    cli.deployment.fault(Some("AssumeRole"), None, FaultKind::AccessDenied);
    let (function, _) = cli.deployment.sweep_with(&[]).await;
    transcript.add("the function without the role", "", &function.unwrap_err().to_string());
    cli.deployment.aws.world().faults.clear();
    cli.deployment.fault(Some("ListUsers"), None, FaultKind::AccessDenied);
    let (function, _) = cli.deployment.sweep_with(&[]).await;
    transcript.add("the function without iam:ListUsers", "", &function.unwrap_err().to_string());
    for (what, arguments) in [("another account", &["--account", MEMBER][..]), ("the current account", &[])] {
        let (status, _, error) = cli.scan(arguments).await;
        assert_eq!(status, Some(1));
        transcript.add(format!("scan of {what} without iam:ListUsers"), "", &error);
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn an_organization_that_cannot_be_listed_is_no_organization_without_findings() {
    let (cli, ids) = start(45, |_, _| ()).await;
    let mut transcript = Transcript::default();
    let (status, out, error) = cli.scan(&["--organization", "--exclude", "123456789012"]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("scan --organization --exclude 123456789012", &out, &error);
    let all: Vec<_> = ids.iter().map(String::as_str).chain([HUB]).collect();
    let (status, out, error) = cli.scan(&[&["--organization", "--exclude"], &all[..]].concat()).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("scan --organization --exclude all of them", &out, &error);
    assert_eq!(cli.deployment.calls_of("AssumeRole"), 0);

    cli.deployment.fault(Some("ListAccounts"), None, FaultKind::Throttle { probability: 0.5 });
    let (status, out, _) = cli.scan(&["--organization"]).await;
    assert_eq!(status, Some(0));
    let expected = "46 other accounts: nobody in violation\nAll 46 accounts: 0 users evaluated, ";
    assert!(out.starts_with(expected) && out.lines().count() == 2, "{out}");

    cli.deployment.fault(Some("ListAccounts"), None, FaultKind::AccessDenied);
    let (status, out, error) = cli.scan(&["--organization"]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("scan --organization, and the accounts cannot be listed", &out, &error);

    cli.deployment.aws.world().faults.clear();
    cli.deployment.fault(Some("ListAccounts"), None, FaultKind::Intercepted("{}"));
    let (status, out, error) = cli.scan(&["--organization"]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("scan --organization, and the answer has no accounts", &out, &error);

    cli.deployment.aws.world().faults.clear();
    // A member may not list the accounts.
    let credentials = format!("AKIALOCAL{}", ids[0]);
    let mut command = cli.command(&["scan", "--organization"]);
    command.env("AWS_ACCESS_KEY_ID", credentials).env_remove("AWS_SESSION_TOKEN");
    let (status, out, error) = said(command.output().await.unwrap());
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("scan --organization as a member, who may not list the accounts", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn production_comes_first_then_keys_in_use_then_older_ones() {
    let (cli, _) = start(2, |account, n| {
        let used = |account: &mut Account, key: &str, ago| {
            account.use_key(key, Utc::now() - days(ago), REGION, "s3");
        };
        for (name, age, last_used, production) in [
            (&*format!("idle-{n}"), 300 + n as i64, None, false),
            (&*format!("used-{n}"), 200 + n as i64, Some(44), false),
            (&*format!("long-ago-{n}"), 290 + n as i64, Some(46), false),
            (&*format!("production-idle-{n}"), 100 + n as i64, None, true),
            (&*format!("production-used-{n}"), 95 + n as i64, Some(1), true),
            (&*format!("soon-{n}"), 80, None, true),
        ] {
            let key = user_with_key(account, name, age);
            if let Some(ago) = last_used {
                used(account, &key, ago);
            }
            if production {
                account.tag_user(name, "Environment", "Production");
            }
        }
    })
    .await;
    let order = async |arguments: &[&str]| {
        let (_, out, error) = cli.scan(&[&["--organization"], arguments].concat()).await;
        assert_eq!(error, "");
        let user = |line: &str| line.split_whitespace().next().unwrap().to_owned();
        out.lines().skip(1).take_while(|line| !line.contains("evaluated")).map(user).collect::<Vec<_>>()
    };
    let kinds = ["production-used", "production-idle", "used", "idle", "long-ago"];
    let expected: Vec<_> = kinds.iter().flat_map(|kind| [format!("{kind}-1"), format!("{kind}-0")]).collect();
    assert_eq!(order(&[]).await, expected);
    let without_production = ["used", "production-used", "idle", "long-ago", "production-idle"];
    let expected: Vec<_> =
        without_production.iter().flat_map(|kind| [format!("{kind}-1"), format!("{kind}-0")]).collect();
    assert_eq!(order(&["--production-tag", "stage=live"]).await, expected);
    let used_within_50_days = ["production-used", "production-idle", "long-ago", "used", "idle"];
    let expected: Vec<_> =
        used_within_50_days.iter().flat_map(|kind| [format!("{kind}-1"), format!("{kind}-0")]).collect();
    assert_eq!(order(&["--quiet-days", "50"]).await, expected);
}

/// The most memory that a scan had, in KiB, when half of its output was read: the rest, being longer than a pipe holds, was
/// still to be written.
async fn peak(accounts: u64) -> u64 {
    const USERS: i64 = 100;
    let (cli, _) = start(accounts, |account, n| {
        for user in 0..USERS {
            user_with_key(account, &format!("user-{n}-{user}"), 1 + user % 70);
        }
    })
    .await;
    let arguments = ["scan", "--organization", "--format", "json", "--calls-per-second", "1000"];
    let mut scan = cli.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(scan.stdout.take().unwrap()).lines();
    let mut users = 0;
    while users < accounts * USERS as u64 / 2 {
        users += u64::from(lines.next_line().await.unwrap().unwrap().contains("userName"));
    }
    let status = fs::read_to_string(format!("/proc/{}/status", scan.id().unwrap())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    while lines.next_line().await.unwrap().is_some() {}
    assert_eq!(scan.wait().await.unwrap().code(), Some(0));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// All findings are held until they are written, so this is what a large organization costs.
#[tokio::test]
async fn a_finding_takes_less_than_two_kilobytes_of_memory() {
    // So many that the most memory that eight accounts at a time can need has been needed in both.
    let (few, many) = (peak(50).await, peak(150).await);
    let bytes = many.saturating_sub(few) * 1024 / 10_000;
    assert!(bytes < 2000, "{bytes} bytes a finding: {few} KiB for 50 accounts, {many} KiB for 150");
}

#[tokio::test]
async fn an_interrupted_scan_ends_at_once_and_leaves_an_earlier_file_as_it_was_and_no_other() {
    let (cli, _) = start(4, |account, _| {
        (0..600).for_each(|n| {
            user_with_key(account, &format!("user-{n}"), 10);
        });
    })
    .await;
    let arguments = ["scan", "--organization", "--calls-per-second", "1000", "--format", "json"];
    let mut scan = cli.command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    // The rest is longer than a pipe holds.
    scan.stdout.as_mut().unwrap().read_exact(&mut [0]).await.unwrap();
    interrupt(&scan).await;
    assert_eq!(scan.wait().await.unwrap().code(), Some(130), "while it writes");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("report.json");
    fs::write(&file, "earlier").unwrap();
    cli.deployment.fault(Some("ListUsers"), None, FaultKind::Latency(Duration::from_secs(600)));
    cli.deployment.clear_calls();
    let mut scan = cli.command(&arguments).arg("--output").arg(&file).spawn().unwrap();
    cli.deployment.called("AssumeRole", 1).await;
    let files = || fs::read_dir(directory.path()).unwrap().count();
    assert_eq!(files(), 2, "the new file is there from the start");
    interrupt(&scan).await;
    assert_eq!(scan.wait().await.unwrap().code(), Some(130), "while it waits for AWS");
    assert_eq!((files(), &*fs::read_to_string(&file).unwrap()), (1, "earlier"));
}

async fn interrupt(process: &tokio::process::Child) {
    let pid = process.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
}

#[tokio::test]
async fn an_output_that_is_no_file_is_not_replaced_by_one() {
    let cli = Cli::start().await;
    let directory = tempfile::tempdir().unwrap();
    let mut transcript = Transcript::default().naming("directory", directory.path().to_str().unwrap());
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().await.unwrap().success());
    let (status, _, error) = cli.scan(&["--format", "table", "--output", fifo.to_str().unwrap()]).await;
    assert_eq!(status, Some(1));
    transcript.add("scan --output fifo", "", &error);
    cli.deployment.clear_calls();
    let (status, _, error) = cli.scan(&["--output", "/nowhere/report.json"]).await;
    assert_eq!((status, cli.deployment.calls().len()), (Some(1), 0), "not after a long scan");
    transcript.add("scan --output /nowhere/report.json", "", &error);
    let (file, link) = (directory.path().join("file"), directory.path().join("link"));
    fs::write(&file, "earlier").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let (status, _, _) = cli.scan(&["--format", "table", "--output", link.to_str().unwrap()]).await;
    assert_eq!(status, Some(0));
    let dangling = directory.path().join("dangling");
    std::os::unix::fs::symlink("missing", &dangling).unwrap();
    let (status, _, error) = cli.scan(&["--format", "table", "--output", dangling.to_str().unwrap()]).await;
    assert_eq!(status, Some(1));
    transcript.add("scan --output dangling", "", &error);
    insta::assert_snapshot!(transcript);
    assert!(link.is_symlink() && fs::read_to_string(&file).unwrap().contains("0 users evaluated"));
}

#[tokio::test]
async fn progress_is_shown_on_a_terminal_only() {
    let (cli, _) = start(3, |account, _| {
        user_with_key(account, "bot", 10);
    })
    .await;
    cli.deployment.fault(Some("ListUsers"), None, FaultKind::Latency(Duration::from_secs(1)));
    let (_, _, error) = cli.scan(&["--organization"]).await;
    assert_eq!(error, "");

    let command = cli.command(&[]);
    let mut on_terminal = Command::from(python());
    on_terminal.env_clear().envs(command.as_std().get_envs().filter_map(|(name, value)| Some((name, value?))));
    let spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]))";
    on_terminal.env("TERM", "xterm").args(["-c", spawn]).arg(command_line()).args(["scan", "--organization"]);
    let (_, out, _) = said(on_terminal.output().await.unwrap());
    assert!(out.contains(" 0 of 4 accounts, 0 users evaluated"), "{out:?}");
    let mut before_the_first = out.split('\r').filter(|shown| shown.contains(" 0 of 4 accounts"));
    assert!(before_the_first.all(|shown| !shown.contains(" left")), "{out:?}");
    let (_, last) = out.rsplit_once("\u{1b}[2K").unwrap();
    assert!(last.trim_start().starts_with("111122223333 (management): 0 users evaluated"), "{out:?}");
}

#[tokio::test]
async fn a_pipe_that_its_reader_closes_is_no_error() {
    let (cli, _) = start(3, |account, _| {
        (0..400).for_each(|n| {
            user_with_key(account, &format!("user-{n}"), 10);
        });
    })
    .await;
    let arguments = ["scan", "--organization", "--calls-per-second", "1000", "--format", "csv"];
    let mut scan = cli.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 7];
    scan.stdout.take().unwrap().read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"account");
    let (status, _, error) = said(scan.wait_with_output().await.unwrap());
    assert_eq!((status, error.as_str()), (Some(0), ""));
}
