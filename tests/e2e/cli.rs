//! The command line on a local AWS.

use crate::{support::*, transcript::Transcript};
use local_aws::{Credentials, FaultKind, KeyStatus, World};
use policy::annotation::without_name;
use programs::build_command_line;
use serde_json::Value;
use std::{collections::BTreeMap, net::TcpListener, path::PathBuf, process::Output, sync::OnceLock};
use tokio::process::Command;

pub(crate) fn command_line() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build_command_line().unwrap()).clone()
}

/// The command line's binary on a local AWS.
pub(crate) struct Cli {
    pub(crate) deployment: Deployment,
    pub(crate) credentials: Credentials,
}

impl Cli {
    /// A hub and two members, by the system's clock, and a session of the role that the members trust.
    pub(crate) async fn start() -> Cli {
        Cli::start_in(World::live_clock()).await
    }

    pub(crate) async fn start_in(mut world: World) -> Cli {
        let credentials = deployment::deploy(&mut world, HUB, &[MEMBER, OTHER_MEMBER]);
        Cli { deployment: Deployment::serve_in(world).await, credentials }
    }

    /// The binary with the environment that leads it to the local AWS.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let mut command = Command::new(command_line());
        command
            .args(arguments)
            .env_clear()
            .env("AWS_ENDPOINT_URL", self.deployment.aws.endpoint())
            .env("AWS_REGION", local_aws::REGION)
            .env("AWS_ACCESS_KEY_ID", access_key_id)
            .env("AWS_SECRET_ACCESS_KEY", secret_access_key)
            .env("AWS_SESSION_TOKEN", session_token.as_deref().unwrap());
        command
    }

    /// Exit status, standard output and standard error.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        said(self.command(arguments).output().await.unwrap())
    }

    /// A scan that is paced by the local AWS alone.
    pub(crate) async fn scan(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.run(&[&["scan", "--calls-per-second", "1000"], arguments].concat()).await
    }
}

/// Exit status, standard output and standard error.
pub(crate) fn said(output: Output) -> (Option<i32>, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The rows of CSV, by the columns' names.
pub(crate) fn csv_rows(text: &str) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
}

#[tokio::test]
async fn the_table_has_the_violations_oldest_first() {
    let cli = Cli::start().await;
    {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        for (user, age) in [("anna", 91), ("billing-export", 400), ("young", 10)] {
            user_with_key(account, user, age);
        }
    }
    let mut transcript = Transcript::by_the_clock();
    for (arguments, expected) in [(&[][..], 3), (&["--wide"], 3), (&["--max-access-key-age", "500"], 0)] {
        let (status, out, error) = cli.scan(arguments).await;
        assert_eq!(status, Some(expected));
        transcript.add(format!("scan {}", arguments.join(" ")), &out, &error);
    }
    insta::assert_snapshot!(transcript, @"
    $ scan
    USER            ACCOUNT       KEY                     AGE  LAST USED  OWNER  DO
    billing-export  111122223333  AKIAO2DA2HPMHUCFOBXZ  400 d  no record  -      switch off
    anna            111122223333  AKIA46CTHXRGCAM2S73G   91 d  no record  -      switch off
    111122223333: 3 users evaluated, 2 non-compliant, 0 exempt
    Next: access-key-rotation plan says what to do about each key, access-key-rotation where says who uses it

    $ scan --wide
    Account       User            Priority            What to do
    111122223333  billing-export  idle                AKIAO2DA2HPMHUCFOBXZ is stale: created [today-400], due [today-310] (limit 90 days), no use on record. Deactivate it, then delete it.
    111122223333  anna            idle                AKIA46CTHXRGCAM2S73G is stale: created [today-91], due [today-1] (limit 90 days), no use on record. Deactivate it, then delete it.
    111122223333: 3 users evaluated, 2 non-compliant, 0 exempt

    $ scan --max-access-key-age 500
    111122223333: 3 users evaluated, 0 non-compliant, 0 exempt
    ");
}

#[tokio::test]
async fn an_old_key_that_is_not_active_is_named_with_its_command_and_a_description_is_shown() {
    let cli = Cli::start().await;
    let (off, described, violating) = {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        let (off, described) = (user_with_key(account, "-rf", 400), user_with_key(account, "described", 200));
        let violating = user_with_key(account, "described", 300);
        account.set_key_status("-rf", &off, KeyStatus::Inactive);
        account.set_key_status("described", &described, KeyStatus::Inactive);
        account.tag_user("described", &described, "=old_relay");
        account.tag_user("described", &violating, "mail \u{202e}relay");
        // Nobody reads the tags of a user without a stale key.
        account.tag_user("-rf", &off, "unread");
        user_with_key(account, "young", 10);
        (off, described, violating)
    };
    cli.deployment.clear_calls();
    let (_, out, error) = cli.scan(&["--wide"]).await;
    assert_eq!(error, "");
    let lines = [("-rf", &off, 400), ("described", &described, 200)].map(|(user, key, age)| {
        format!("{HUB}  inactive  {}  aws iam delete-access-key --user-name={user} --access-key-id {key}\n", day(-age))
    });
    assert!(lines.iter().all(|line| out.contains(line)), "{out}");
    assert!(out.ends_with(": 3 users evaluated, 1 non-compliant, 0 exempt, 2 old inactive keys\n"), "{out}");
    assert_eq!(cli.deployment.calls_of("GetUser"), 1, "for the violation alone");

    let (_, out, _) = cli.scan(&["--format", "json"]).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(json["accounts"][0]["oldInactiveKeys"], 2);
    let user = |name: &str| json["users"].as_array().unwrap().iter().find(|user| user["userName"] == name).unwrap();
    assert_eq!(user("described")["oldInactiveKeys"], Value::from(vec![described.as_str()]));
    let keys = user("described")["accessKeys"].as_array().unwrap();
    let description = |id: &String| &keys.iter().find(|key| key["accessKeyId"] == **id).unwrap()["description"];
    assert_eq!(
        (description(&described), description(&violating)),
        (&"=old_relay".into(), &"mail \u{202e}relay".into())
    );
    assert!(user("-rf")["accessKeys"][0]["description"].is_null());

    let (_, out, _) = cli.scan(&["--format", "csv"]).await;
    let rows = csv_rows(&out);
    let description = |key: &str| rows.iter().find(|row| row["access_key_id"] == key).unwrap()["description"].as_str();
    assert_eq!([&described, &violating].map(|key| description(key)), ["'=old_relay", "mail \u{fffd}relay"]);
    let (_, page, _) = cli.scan(&["--format", "html"]).await;
    assert!(page.contains("<bdi>mail \u{fffd}relay</bdi>") && page.contains("<bdi>=old_relay</bdi>"), "{page}");
}

#[tokio::test]
async fn the_verdicts_are_the_rules_in_every_format_though_aws_throttles() {
    let cli = Cli::start().await;
    cli.deployment.member(|account| populate(account, midnight(), 150, 10, 20));
    cli.deployment.sweep(&[]).await;
    let recorded: BTreeMap<_, _> =
        cli.deployment.recorded().into_keys().map(|user| (user.clone(), cli.deployment.result(&user))).collect();
    cli.deployment.fault(None, None, FaultKind::Throttle { probability: 0.3 });

    let (status, out, _) = cli.scan(&["--account", MEMBER, "--role-name", EVALUATION_ROLE, "--format", "json"]).await;
    assert_eq!(status, Some(3));
    let json: Value = serde_json::from_str(&out).unwrap();
    let users = json["users"].as_array().unwrap();
    assert_eq!((users.len(), recorded.len()), (150, 150));
    for user in users {
        let name = user["userName"].as_str().unwrap();
        let (compliance, annotation) = &recorded[name];
        assert_eq!(user["compliance"], compliance.to_string(), "{user}");
        let said = annotation.as_deref().map(|annotation| without_name(annotation, name));
        assert_eq!(user["annotation"].as_str(), said, "{user}");
    }
    assert_eq!(json["accounts"][0]["usersNonCompliant"], 15);
    let oldest = users[0]["accessKeys"][0]["ageDays"].as_i64().unwrap();
    assert!(users.iter().all(|user| {
        user["accessKeys"].as_array().into_iter().flatten().all(|key| key["ageDays"].as_i64() <= Some(oldest))
    }));

    let (status, out, _) = cli.scan(&["--account", MEMBER, "--role-name", EVALUATION_ROLE, "--format", "csv"]).await;
    assert_eq!(status, Some(3));
    let rows = csv_rows(&out);
    assert_eq!(rows.len(), 150);
    for row in rows {
        assert_eq!(row["compliance"], recorded[&row["user"]].0.to_string(), "{row:?}");
    }
}

#[tokio::test]
async fn the_evaluation_role_may_have_a_path() {
    let cli = Cli::start().await;
    cli.deployment.member(|account| account.add_role("security/reader", &format!("arn:aws:iam::{HUB}:root")));
    for role in ["security/reader", "/security/reader"] {
        let (status, _, error) = cli.scan(&["--account", MEMBER, "--role-name", role]).await;
        assert_eq!((status, error.as_str()), (Some(0), ""), "{role}");
    }
    let reader = format!("arn:aws:sts::{MEMBER}:assumed-role/reader/access-key-rotation");
    assert!(cli.deployment.aws.world().calls().iter().any(|call| call.principal == reader));
    for role in ["", "/", "security//reader", "a reader", "/security/", &"x".repeat(65), &"x/".repeat(256)] {
        let (status, _, error) = cli.scan(&["--account", MEMBER, "--role-name", role]).await;
        let expected = format!(
            "access-key-rotation: --role-name {role}: not the name of an IAM role, such as NAME or /PATH/NAME\n"
        );
        assert_eq!((status, error), (Some(1), expected));
    }
}

#[tokio::test]
async fn an_account_or_a_user_that_cannot_be_read_costs_no_other_and_says_so() {
    let cli = Cli::start().await;
    for id in [HUB, MEMBER] {
        populate(cli.deployment.aws.world().account(id), midnight(), 20, 10, 20);
    }
    let mut transcript = Transcript::by_the_clock();
    let unreachable = "123456789012";
    let (status, out, error) = cli.scan(&["--role-name", EVALUATION_ROLE, "--account", HUB, MEMBER, unreachable]).await;
    assert_eq!(status, Some(1));
    transcript.add("scan with an account that cannot be entered", &out, &error);

    cli.deployment.fault(Some("ListAccessKeys"), Some("user-0000"), FaultKind::ServerError { probability: 1.0 });
    let (status, out, error) = cli.scan(&[]).await;
    assert_eq!(status, Some(1));
    transcript.add("scan with a user who cannot be read", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn wrong_usage_and_wrong_credentials_say_what_is_allowed() {
    let mut cli = Cli::start().await;
    let mut transcript = Transcript::default();
    for arguments in [
        &["--max-access-key-age", "0"][..],
        &["--account", "12345"],
        &["--exclude", MEMBER],
        &["--format", "xml"],
        &["--key-source", "report"],
        &["--deliver", "all"],
        &["--production-tag", "production"],
    ] {
        let (status, out, error) = cli.run(&[&["scan"], arguments].concat()).await;
        assert_eq!((status, out.as_str()), (Some(2), ""));
        transcript.add(format!("scan {}", arguments.join(" ")), &out, &error);
    }
    cli.credentials.access_key_id = "ASIAUNKNOWN".to_owned();
    let (status, out, error) = cli.scan(&[]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("scan with credentials that AWS does not know", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_refused_connection_names_the_endpoint_and_the_variable_that_set_it() {
    let cli = Cli::start().await;
    // Nothing listens here any more.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let refused = format!("http://127.0.0.1:{port}");
    for (name, value, expected) in [
        (
            "AWS_ENDPOINT_URL",
            refused.clone(),
            "sts:GetCallerIdentity: no connection to [refused] (from AWS_ENDPOINT_URL)",
        ),
        (
            "AWS_ENDPOINT_URL_STS",
            format!("{refused}/"),
            "sts:GetCallerIdentity: no connection to [refused] (from AWS_ENDPOINT_URL_STS)",
        ),
        (
            "AWS_ENDPOINT_URL_IAM",
            format!("http://somebody:secret@127.0.0.1:{port}/path"),
            "account 111122223333: The list of users is incomplete: iam:ListUsers: no connection to [refused] (from AWS_ENDPOINT_URL_IAM)",
        ),
    ] {
        let (status, _, error) = said(cli.command(&["scan"]).env(name, value).output().await.unwrap());
        assert_eq!(status, Some(1));
        let error = error.replace(&refused, "[refused]");
        let expected = format!("access-key-rotation: {expected}: Connection refused (os error ");
        assert!(error.starts_with(&expected), "{error}");
        assert!(!error.contains("credentials") && !error.contains("secret"), "{error}");
    }
}
