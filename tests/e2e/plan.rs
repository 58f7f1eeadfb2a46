//! `plan` on a local AWS: what its script does when the real AWS CLI runs it.

use crate::{
    cli::{Cli, said},
    deployed::REPOSITORY,
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use local_aws::{KeyStatus, REGION};
use std::{collections::BTreeSet, fs, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, Command},
};

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

/// Ages and statuses of a user's keys.
fn keys(cli: &Cli, user: &str) -> BTreeSet<(i64, String)> {
    let mut world = cli.deployment.aws.world();
    let user = world.account(HUB).user(user).unwrap();
    user.keys.iter().map(|key| ((Utc::now() - key.created).num_days(), key.status.to_string())).collect()
}

/// Bash with the script, as the administrator of an account.
fn bash(cli: &Cli, script: &str, account: &str) -> Child {
    let path = std::env::var("PATH").unwrap();
    Command::new("bash")
        .args(["-c", script])
        .env_clear()
        .env("PATH", format!("{REPOSITORY}/target/venv/bin:{path}"))
        .env("AWS_ENDPOINT_URL", cli.deployment.aws.endpoint())
        .env("AWS_DEFAULT_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{account}"))
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Gives these answers, and no more.
async fn answer(mut bash: Child, answers: &str) -> (Option<i32>, String, String) {
    // A script that stops early does not read all answers.
    let _ = bash.stdin.take().unwrap().write_all(answers.as_bytes()).await;
    said(bash.wait_with_output().await.unwrap())
}

async fn run(cli: &Cli, script: &str, account: &str, answers: &str) -> (Option<i32>, String, String) {
    answer(bash(cli, script, account), answers).await
}

#[tokio::test]
async fn the_script_rotates_what_it_is_told_to_and_deletes_nothing_that_is_active() {
    let (cli, in_the_way) = start().await;
    let (status, script, error) = cli.run(&["plan", "--format", "script"]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    let before = keys(&cli, "used");
    let mut told = Transcript::by_the_clock();
    told.add("plan --format script", &script, &error);

    // Nobody answers; no; another account: nothing is changed.
    cli.deployment.clear_calls();
    let (status, out, error) = run(&cli, &script, HUB, "").await;
    assert_eq!(status, Some(1), "{out}{error}");
    told.add("bash, and nobody answers", &out, &error);
    let (status, out, error) = run(&cli, &script, HUB, &"n\n".repeat(10)).await;
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    told.add("bash, and every answer is no", &out, &error);
    let (status, out, error) = run(&cli, &script, MEMBER, &"y\n".repeat(10)).await;
    assert_eq!(status, Some(0));
    told.add("bash with another account's credentials, and every answer is yes", &out, &error);
    insta::assert_snapshot!(told);
    assert_eq!(WRITES.map(|action| cli.deployment.calls_of(action)), [0; 3]);
    assert_eq!(keys(&cli, "used"), before);

    // The script shows how to delete, and never does: the key in the way may be in use again by now.
    let deletions: Vec<_> = script.lines().filter(|line| line.contains("delete-access-key")).collect();
    assert!(deletions.len() == 3 && deletions.iter().all(|line| line.starts_with("    later '")), "{script}");
    let mut bash = bash(&cli, &script, HUB);
    let mut out = BufReader::new(bash.stdout.take().unwrap()).lines();
    while !out.next_line().await.unwrap().unwrap().starts_with("Continue only after ") {}
    cli.deployment.aws.world().account(HUB).delete_key("used", &in_the_way);
    bash.stdout = Some(out.into_inner().into_inner());
    let (status, out, error) = answer(bash, "\ny\n\ny\ny\n").await;
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    let expected = |keys: &[(i64, &str)]| keys.iter().map(|(age, status)| (*age, (*status).to_owned())).collect();
    assert_eq!(keys(&cli, "used"), expected(&[(0, "Active"), (200, "Inactive")]));
    assert_eq!(keys(&cli, "idle"), expected(&[(300, "Inactive")]));
    assert_eq!(WRITES.map(|action| cli.deployment.calls_of(action)), [1, 2, 0]);
    let (status, _, _) = cli.run(&["plan"]).await;
    assert_eq!(status, Some(0), "nothing is in violation any more");
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
    let mut told = Transcript::by_the_clock();
    told.add("plan --owner-tag team, with an account that cannot be entered", &text, &error);
    insta::assert_snapshot!(told);
    let writes = ["create-access-key", "delete-access-key", "update-access-key"];
    let marked = text.lines().filter(|line| writes.iter().any(|write| line.contains(write)));
    assert!(marked.clone().count() == 6 && marked.clone().all(|line| line.contains(" *changes*<br>")), "{text}");
    assert!(cli.deployment.calls().keys().all(|action| !WRITES.contains(&action.as_str())));
}
