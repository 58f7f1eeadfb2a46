//! `plan` on a local AWS, and its commands in the real AWS CLI.

use crate::{
    cli::Cli,
    deployed::{REPOSITORY, document},
    support::*,
    transcript::Transcript,
};
use local_aws::{KeyStatus, REGION};
use std::{fs, process::Output};
use tokio::process::Command;

const WRITES: [&str; 3] = ["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"];

/// A user with a used key and an inactive one in the way, which is given too, and a user whose key nobody uses.
async fn start() -> (Cli, String) {
    let cli = Cli::start().await;
    let key = |user: &str, age| user_with_key(cli.deployment.aws.world().account(HUB), user, age);
    let (in_the_way, used) = (key("used", 500), key("used", 200));
    key("idle", 300);
    {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        account.set_key_status("used", &in_the_way, KeyStatus::Inactive);
        account.use_key(&used, midnight() - days(1), REGION, "s3");
        account.tag_user("used", "Team", "payments");
    }
    (cli, in_the_way)
}

#[tokio::test]
async fn the_checklist_is_for_owners_and_says_what_is_missing() {
    let (cli, _) = start().await;
    let file = tempfile::tempdir().unwrap();
    let file = file.path().join("plan.md");
    let accounts = ["--account", HUB, "123456789012", "--owner-tag", "team", "--output", file.to_str().unwrap()];
    let (status, out, error) = cli.run(&[&["plan"], &accounts[..]].concat()).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    let text = fs::read_to_string(&file).unwrap();
    let mut transcript = Transcript::by_the_clock();
    transcript.add("plan --owner-tag team, with an account that cannot be entered", &text, &error);
    insta::assert_snapshot!(transcript);
    let writes = ["create-access-key", "delete-access-key", "update-access-key"];
    let marked = text.lines().filter(|line| writes.iter().any(|write| line.contains(write)));
    assert!(marked.clone().count() == 7 && marked.clone().all(|line| line.contains(" *changes*<br>")), "{text}");
    assert!(cli.deployment.calls().keys().all(|action| !WRITES.contains(&action.as_str())));
}

/// Runs a command as the hub's administrator would.
async fn sh(cli: &Cli, command: &str) -> Output {
    let path = std::env::var("PATH").unwrap();
    Command::new("sh")
        .args(["-c", command])
        .env_clear()
        .env("PATH", format!("{REPOSITORY}/target/venv/bin:{path}"))
        .env("AWS_ENDPOINT_URL", cli.deployment.aws.endpoint())
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{HUB}"))
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn the_printed_commands_lead_to_no_old_key_whatever_the_user_is_called() {
    let cli = Cli::start().await;
    let (used, left) = {
        let mut world = cli.deployment.aws.world();
        let hub = world.account(HUB);
        let (used, left) = (user_with_key(hub, "-rf", 200), user_with_key(hub, "left", 400));
        hub.use_key(&used, midnight() - days(1), "eu-west-1", "ses-smtp");
        hub.tag_user("-rf", &used, "mail_relay");
        hub.set_key_status("left", &left, KeyStatus::Inactive);
        (used, left)
    };
    let (status, plan, error) = cli.run(&["plan"]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    assert!(plan.contains(&format!("\nDescription of {used}: mail\\_relay\n")), "{plan}");
    assert!(plan.contains("new secret access key for eu-west-1"), "{plan}");
    assert!(plan.contains("\nOld inactive keys: 1.\n"), "{plan}");
    assert!(plan.contains(&format!("`aws iam delete-access-key --user-name=left --access-key-id {left}`")), "{plan}");
    let commands: Vec<_> = plan.split('`').skip(1).step_by(2).collect();
    let (opt_in, commands): (Vec<_>, Vec<_>) = commands.into_iter().partition(|command| command.contains("SECRET"));
    let expected = [
        "aws iam tag-user --user-name=-rf --tags Key=access-key-rotation:secret,Value=SECRET",
        "aws secretsmanager tag-resource --secret-id SECRET --tags Key=access-key-rotation:user,Value=-rf",
    ];
    assert_eq!(opt_in, expected);
    let (by_hand, runbooks): (Vec<_>, Vec<_>) =
        commands.into_iter().partition(|command| command.starts_with("aws iam "));
    for command in runbooks {
        let words: Vec<_> = command.split(' ').collect();
        let ["aws", "ssm", "start-automation-execution", "--document-name", name, "--parameters", given] = words[..]
        else {
            panic!("{command}")
        };
        let parameters = document(name)["parameters"].as_object().unwrap();
        let names = given.split(',').map(|parameter| parameter.split_once('=').unwrap().0);
        assert!(names.into_iter().all(|name| parameters.contains_key(name)), "{command}");
    }
    assert_eq!(by_hand.len(), 5, "create, look, deactivate, delete, and delete what was left: {plan}");
    for command in by_hand {
        let output = sh(&cli, command).await;
        assert!(output.status.success(), "{command}: {output:?}");
    }
    let output = sh(&cli, opt_in[0]).await;
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        cli.deployment.aws.world().account(HUB).user("-rf").unwrap().tags["access-key-rotation:secret"],
        "SECRET"
    );
    let (status, plan, _) = cli.run(&["plan"]).await;
    assert_eq!(status, Some(0), "{plan}");
    assert!(plan.contains("\nOld inactive keys: 0.\n"), "{plan}");
    assert_eq!(WRITES.map(|action| cli.deployment.calls_of(action)), [1, 1, 2]);
}
