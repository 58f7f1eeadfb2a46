//! A user whose key is in a secret, the runbooks that rotate it, and the days that pass for it.

use crate::{command_line::OTHERS, say};
use chrono::{DateTime, TimeDelta, Utc};
use local_aws::{LocalAws, REGION, SecretValue, World};
use serde_json::{Value, json};
use std::{
    io::{self, Write},
    process::{Command, Output, Stdio},
    thread,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) const USER: &str = "shop-mailer";
pub(crate) const SECRET: &str = "shop/mailer";
/// The most days at once, a number that nobody needs more than.
const MOST_DAYS: u16 = 365;

/// The modules of the runbooks' scripts, each after those that it needs.
macro_rules! modules {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../templates/runbooks/", $name, ".py")))),*]
    };
}
const MODULES: [(&str, &str); 13] = modules!(
    "common" "records" "userrecords" "account" "optin" "trail" "proofs" "secret" "runs" "deactivation" "delete" "rotation" "rotate"
);

/// Makes the user, whose key is due for rotation, and the secret. They name each other in tags, as owner and consumer agree.
pub(crate) fn seed(world: &mut World, account: &str, today: DateTime<Utc>) {
    let account = world.account(account);
    let created = today - TimeDelta::days(76);
    account.create_user(USER, today - TimeDelta::days(400));
    account.tag_user(USER, "access-key-rotation:secret", SECRET);
    account.tag_user(USER, "owner", "web");
    let Ok(key) = account.create_key(USER, created) else { return };
    account.use_key(&key, today - TimeDelta::hours(3), REGION, "s3");
    let value = json!({ "AccessKeyId": key, "SecretAccessKey": "any", "host": "mail.example.com" });
    account.create_secret(created, REGION, SECRET);
    account.put_secret_value(created, REGION, SECRET, &value.to_string());
    account.change_secret(created, REGION, SECRET, |secret| {
        secret.tags.insert("access-key-rotation:user".to_owned(), USER.to_owned())
    });
}

/// What runs the runbooks: they are programs in Python.
pub(crate) struct Runbooks {
    python: Option<&'static str>,
}

impl Runbooks {
    /// Looks for Python, as new as that of Systems Manager, with boto3.
    pub(crate) fn find() -> Runbooks {
        let works = |python: &&str| {
            let check = "import sys, boto3; sys.exit(sys.version_info < (3, 11))";
            let mut command = Command::new(python);
            command.args(["-c", check]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        Runbooks { python: ["python3", "python"].into_iter().find(works) }
    }
}

/// Lets days pass, on each of which a consumer reads the secret and uses the key, and runs the runbooks on the last one. Says
/// what comes of it.
pub(crate) async fn pass(aws: &LocalAws, account: &str, runbooks: &Runbooks, days: u16) -> io::Result<()> {
    let Some(python) = runbooks.python else {
        return say(
            "  The runbooks need Python 3.11 or newer with boto3 in PATH (pip install boto3), and this computer has none.",
        );
    };
    let mut command = Command::new(python);
    {
        let mut world = aws.world();
        for _ in 0..days {
            world.advance(TimeDelta::days(1));
            use_key(&mut world, account);
        }
        let credentials = world.credentials(account, "access-key-rotation-rotation");
        let ahead = (world.now() - now()).num_seconds().to_string();
        for name in OTHERS {
            command.env_remove(name);
        }
        command
            .args(["-", &ahead])
            .env("AWS_ENDPOINT_URL", aws.endpoint())
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .envs(credentials.session_token.map(|token| ("AWS_SESSION_TOKEN", token)));
    }
    let output = tokio::task::spawn_blocking(move || run(command)).await??;
    say(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)).trim_end())?;
    let state = state(&mut aws.world(), account);
    say(&state)
}

/// Runs Python on a program of its standard input, so that no file is left behind.
fn run(mut command: Command) -> io::Result<Output> {
    // JSON of lists and text is Python too.
    let program = format!("MODULES = {}\n{}", json!(MODULES), include_str!("rotate.py"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(program.as_bytes())?;
    }
    child.wait_with_output()
}

/// The key that the secret holds, and all keys of the user.
fn state(world: &mut World, account: &str) -> String {
    let today = world.now().date_naive();
    let held = held_key(world, account);
    let keys = world.account(account).user(USER).map_or(&[][..], |user| &user.keys);
    let keys: Vec<_> = keys.iter().map(|key| format!("{} ({:?})", key.id, key.status)).collect();
    format!(
        "  On {today}, the secret {SECRET} holds {}. Keys of {USER}: {}.",
        held.unwrap_or_default(),
        keys.join(", ")
    )
}

fn held_key(world: &mut World, account: &str) -> Option<String> {
    let secrets = world.account(account).secrets(REGION);
    let SecretValue::String(text) = &secrets.get(SECRET)?.staged("AWSCURRENT")?.value else { return None };
    let value: Value = serde_json::from_str(text).ok()?;
    value["AccessKeyId"].as_str().map(str::to_owned)
}

fn use_key(world: &mut World, account: &str) {
    let at = world.now() - TimeDelta::hours(1);
    if let Some(key) = held_key(world, account) {
        world.account(account).use_key(&key, at, REGION, "s3");
    }
}

/// Keeps the local AWS up until Ctrl-C, and lets the days pass that somebody types.
pub(crate) async fn serve(aws: &LocalAws, account: &str, runbooks: &Runbooks) -> io::Result<()> {
    if runbooks.python.is_some() {
        say(&format!(
            "\nThe old key of {USER} is still there. Type 8 here, and Enter: 8 days pass, nobody has used it for a week, and it is \
             deactivated.\nType 31: it is deleted. The command line goes by your computer's clock, for which that is the future."
        ))?;
    }
    let mut typed = typed();
    loop {
        tokio::select! {
            end = tokio::signal::ctrl_c() => return end,
            Some(days) = typed.recv() => match days {
                Some(days) => pass(aws, account, runbooks, days).await?,
                None => say("Type a number of days from 1 to 365, and Enter.")?,
            },
        }
    }
}

/// The numbers of days that somebody types. What is no such number is `None`.
fn typed() -> UnboundedReceiver<Option<u16>> {
    let (sender, receiver) = unbounded_channel();
    // A thread that ends with the process: tokio's own would wait for one more line.
    thread::spawn(move || {
        for line in io::stdin().lines().map_while(Result::ok) {
            let days = line.trim().parse().ok().filter(|days| (1..=MOST_DAYS).contains(days));
            if sender.send(days).is_err() {
                return;
            }
        }
    });
    receiver
}

#[expect(clippy::disallowed_methods, reason = "the runbooks go by the system's clock, and so much ahead")]
fn now() -> DateTime<Utc> {
    Utc::now()
}
