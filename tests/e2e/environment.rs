//! Options from the environment, and what a command says on standard error.

use crate::{
    cli::{Cli, command_line, said},
    shell::commands,
    support::*,
    transcript::Transcript,
};
use local_aws::{FaultKind, REGION, World};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::process::Command;

/// The hub and two members in an organization.
async fn start() -> Cli {
    let mut world = World::live_clock();
    for id in [MEMBER, OTHER_MEMBER] {
        world.organization(HUB).add_account(id, "member", "ACTIVE");
    }
    Cli::start_in(world).await
}

/// A run with these variables, without the prefix of their names.
async fn run(cli: &Cli, variables: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let variables = variables.iter().map(|(name, value)| (format!("ACCESS_KEY_ROTATION_{name}"), value));
    said(cli.command(arguments).envs(variables).output().await.unwrap())
}

fn accounts(json: &str) -> Vec<String> {
    let json: Value = serde_json::from_str(json).unwrap();
    let accounts = json["accounts"].as_array().unwrap();
    accounts.iter().map(|account| account["account"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_a_pipeline_sets_once_comes_from_the_environment_and_an_option_wins() {
    let cli = start().await;
    {
        let mut world = cli.deployment.aws.world();
        let key = user_with_key(world.account(MEMBER), "bot", 60);
        world.account(MEMBER).use_key(&key, midnight(), REGION, "s3");
    }
    let json = ["scan", "--format", "json"];
    let both = format!("{HUB},{MEMBER}");
    let variables = [("ACCOUNT", both.as_str()), ("MAX_ACCESS_KEY_AGE", "50"), ("ROLE_NAME", EVALUATION_ROLE)];
    let (status, out, error) = run(&cli, &variables, &json).await;
    assert_eq!(status, Some(3), "{error}");
    assert_eq!(accounts(&out), [HUB, MEMBER]);
    let (status, out, _) = run(&cli, &variables, &[&json[..], &["--account", HUB]].concat()).await;
    assert_eq!((status, accounts(&out)), (Some(0), vec![HUB.to_owned()]));
    let (status, ..) = run(&cli, &variables, &[&json[..], &["--max-access-key-age", "90"]].concat()).await;
    assert_eq!(status, Some(0));
    let (_, out, _) = run(&cli, &[("ORGANIZATION", "yes"), ("EXCLUDE", OTHER_MEMBER)], &json).await;
    assert_eq!(accounts(&out), [HUB, MEMBER]);
    // Pipelines set empty variables, and flags that are off.
    let unset = [("ORGANIZATION", "false"), ("REGION", ""), ("EXCLUDE", "")];
    let (status, out, error) = run(&cli, &unset, &[&json[..], &["--account", MEMBER]].concat()).await;
    assert_eq!((status, error.as_str(), accounts(&out)), (Some(0), "", vec![MEMBER.to_owned()]));
    let (_, out, _) =
        run(&cli, &[("COLOR", "always"), ("MAX_ACCESS_KEY_AGE", "50")], &["scan", "--account", MEMBER]).await;
    assert!(out.contains('\u{1b}'), "{out:?}");
}

#[tokio::test]
async fn a_conflict_with_the_environment_names_the_variable() {
    let cli = start().await;
    cli.deployment.clear_calls();
    let mut transcript = Transcript::default();
    for (variables, arguments) in [
        (&[("ORGANIZATION", "true")][..], &["scan", "--account", MEMBER][..]),
        (&[("ACCOUNT", MEMBER)], &["scan", "--organization"]),
        (&[("ACCOUNT", MEMBER), ("ORGANIZATION", "1")], &["scan"]),
        (&[("EXCLUDE", MEMBER)], &["scan", "--account", MEMBER]),
        (&[("ORGANIZATION", "perhaps")], &["scan"]),
        (&[("MAX_ACCESS_KEY_AGE", "old")], &["scan"]),
    ] {
        let (status, out, error) = run(&cli, variables, arguments).await;
        assert_eq!((status, out.as_str()), (Some(2), ""), "{variables:?} {arguments:?}: {error}");
        for (name, _) in variables {
            assert!(error.contains(&format!("ACCESS_KEY_ROTATION_{name}")), "{name}: {error}");
        }
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| format!("ACCESS_KEY_ROTATION_{name}={value}")).collect();
        transcript.add(format!("{} {}", variables.join(" "), arguments.join(" ")), &out, &error);
    }
    assert!(cli.deployment.calls().is_empty());
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn how_to_reach_aws_is_of_no_use_to_a_command_that_reads_files() {
    let cli = start().await;
    cli.deployment.clear_calls();
    let variables = [("REGION", "eu-west-1"), ("PROFILE", "security"), ("ORGANIZATION", "true"), ("OWNER_TAG", "team")];
    let missing = "/nonexistent/evidence.json";
    let (status, _, error) = run(&cli, &variables, &["evidence", "--verify", missing]).await;
    assert!(status == Some(1) && error.contains(missing), "{error}");
    let report = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/scan/credential-report.csv");
    let report = format!("--credential-report={report}");
    let (status, out, error) = run(&cli, &variables, &["scan", &report, "--as-of", "2026-03-01T12:00:00Z"]).await;
    assert!(status == Some(3) && out.contains("backup"), "{error}");
    assert!(cli.deployment.calls().is_empty());
}

#[tokio::test]
async fn nothing_that_writes_or_differs_from_run_to_run_comes_from_the_environment() {
    let mut taken = BTreeSet::new();
    for command in commands() {
        let mut help = Command::new(command_line());
        help.args([&command, "--help"])
            .env_clear()
            .env("COLUMNS", "1000")
            .env("ACCESS_KEY_ROTATION_REGION", "secret-1");
        let (_, help, _) = said(help.output().await.unwrap());
        assert!(!help.contains("secret-1"), "the help shows no values: {help}");
        let lines = help.lines().filter(|line| line.contains("[env: "));
        for line in lines {
            let (_, name) = line.split_once("[env: ").unwrap();
            taken.insert(format!("{command} {}", name.split(']').next().unwrap()));
        }
    }
    let of = |command: &str| taken.iter().filter(|taken| taken.starts_with(&format!("{command} "))).count();
    assert_eq!(["pack", "completions", "man"].map(of), [0; 3]);
    for option in
        ["OUTPUT", "FORMAT", "OWNER", "USER", "TOP", "PRUNE", "APPLY", "SINCE", "EXIT_ZERO", "UNTIL", "REMOVE"]
    {
        assert!(!taken.iter().any(|taken| taken.ends_with(&format!("ACCESS_KEY_ROTATION_{option}"))), "{option}");
    }
    // It writes to the accounts, so somebody names them.
    assert!(
        !taken.contains("exempt ACCESS_KEY_ROTATION_ACCOUNT") && taken.contains("exempt ACCESS_KEY_ROTATION_ROLE_NAME")
    );
    let expected: BTreeSet<_> = taken.iter().map(|taken| taken.split_once(' ').unwrap().1.to_owned()).collect();
    insta::assert_snapshot!(expected.into_iter().collect::<Vec<_>>().join("\n"));
}

#[tokio::test]
async fn quiet_says_errors_alone_and_verbose_says_each_call_and_no_secret() {
    let cli = start().await;
    user_with_key(cli.deployment.aws.world().account(MEMBER), "bot", 200);
    let csv = ["scan", "--organization", "--exclude", OTHER_MEMBER, "--format", "csv"];
    let (_, usual, error) = cli.run(&csv).await;
    assert!(error.contains("1 account left out"), "{error}");
    let (status, out, error) = cli.run(&[&csv[..], &["-q"]].concat()).await;
    assert_eq!((status, out.as_str(), error.as_str()), (Some(3), usual.as_str(), ""));
    let (status, _, error) = cli.run(&["scan", "--quiet", "--account", "123456789012"]).await;
    assert!(status == Some(1) && error.starts_with("access-key-rotation: account 123456789012: "), "{error}");
    let (status, ..) = cli.run(&["scan", "-q", "-v"]).await;
    assert_eq!(status, Some(2));

    cli.deployment.fault(Some("ListUsers"), None, FaultKind::Throttle { probability: 0.5 });
    let (status, out, error) = cli.run(&[&csv[..], &["-v"]].concat()).await;
    assert_eq!((status, out.as_str()), (Some(3), usual.as_str()));
    for line in [
        "the current account: sts:GetCallerIdentity: answered".to_owned(),
        format!("{HUB}: organizations:ListAccounts: answered"),
        format!("{MEMBER}: begins"),
        format!("{MEMBER}: sts:AssumeRole: answered"),
        format!("{MEMBER}: iam:ListUsers: answered"),
        format!("{MEMBER}: iam:ListAccessKeys: answered"),
        format!("{MEMBER}: ends, 1 user evaluated"),
    ] {
        assert!(error.lines().any(|said| said == format!("access-key-rotation: {line}")), "{line}: {error}");
    }
    let secrets = [&cli.credentials.secret_access_key, cli.credentials.session_token.as_ref().unwrap()];
    assert!(secrets.iter().all(|secret| !error.contains(secret.as_str())), "{error}");

    cli.deployment.fault(Some("ListUsers"), None, FaultKind::ServerError { probability: 1.0 });
    let (status, _, error) = cli.run(&["where", "--verbose", "--account", MEMBER]).await;
    assert_eq!(status, Some(1));
    assert!(error.contains(&format!("{MEMBER}: iam:ListUsers: ")) && error.contains(": again in "), "{error}");
}
