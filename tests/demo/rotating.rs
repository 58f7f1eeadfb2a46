//! A user whose key is in a secret, and the days that pass for it.

use chrono::{TimeDelta, Utc};
use local_aws::{LocalAws, REGION, SecretValue, World};
use serde_json::{Value, json};
use std::{
    io,
    path::Path,
    process::{Command, Output},
    thread,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) const USER: &str = "shop-mailer";
pub(crate) const SECRET: &str = "shop/mailer";
/// The most days at once, a number that nobody needs more than.
const MOST_DAYS: u16 = 365;

/// Makes the user, whose key is due in a day, and the secret. Its owner has agreed already; the user has no tag yet.
pub(crate) fn seed(world: &mut World, account: &str) {
    let now = world.now();
    let account = world.account(account);
    account.create_user(USER, now - TimeDelta::days(400));
    let Ok(key) = account.create_key(USER, now - TimeDelta::days(74) - TimeDelta::hours(1)) else { return };
    account.use_key(&key, now - TimeDelta::hours(3), REGION, "s3");
    let value = json!({ "AccessKeyId": key, "SecretAccessKey": "any", "host": "mail.example.com" });
    account.create_secret(now - TimeDelta::days(74), REGION, SECRET);
    account.put_secret_value(now - TimeDelta::days(74), REGION, SECRET, &value.to_string());
    account.change_secret(now, REGION, SECRET, |secret| {
        secret.tags.insert("access-key-rotation:user".to_owned(), USER.to_owned())
    });
}

/// The numbers of days that somebody types. What is no such number is `None`.
pub(crate) fn typed() -> UnboundedReceiver<Option<u16>> {
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

/// Lets days pass, on each of which a consumer reads the secret and uses the key, and runs the runbooks on the last one.
/// Gives what they say, or their error.
pub(crate) async fn pass(aws: &LocalAws, account: &str, days: u16) -> io::Result<Output> {
    let mut command = Command::new(python());
    {
        let mut world = aws.world();
        for _ in 0..days {
            world.advance(TimeDelta::days(1));
            use_key(&mut world, account);
        }
        let credentials = world.credentials(account, "access-key-rotation-rotation");
        let ahead = (world.now() - now()).num_seconds().to_string();
        command
            .args([concat!(env!("CARGO_MANIFEST_DIR"), "/demo/rotate.py"), &ahead])
            .env("AWS_ENDPOINT_URL", aws.endpoint())
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
            .envs(credentials.session_token.map(|token| ("AWS_SESSION_TOKEN", token)));
    }
    tokio::task::spawn_blocking(move || command.output()).await?
}

/// Python with boto3: that of `tests/run`, or the system's.
fn python() -> &'static str {
    let installed = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin/python");
    if Path::new(installed).exists() { installed } else { "python3" }
}

fn use_key(world: &mut World, account: &str) {
    let now = world.now();
    let account = world.account(account);
    let current = account.secrets(REGION).get(SECRET).and_then(|secret| secret.staged("AWSCURRENT"));
    let Some(SecretValue::String(text)) = current.map(|version| version.value.clone()) else { return };
    let Ok(value) = serde_json::from_str::<Value>(&text) else { return };
    account.use_key(value["AccessKeyId"].as_str().unwrap_or_default(), now - TimeDelta::hours(1), REGION, "s3");
}

#[expect(clippy::disallowed_methods, reason = "the runbooks go by the system's clock, and so much ahead")]
fn now() -> chrono::DateTime<Utc> {
    Utc::now()
}
