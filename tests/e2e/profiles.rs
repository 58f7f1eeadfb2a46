//! Whose credentials the command line takes: profiles, with keys, by a program, and of IAM Identity Center.

use crate::{
    cli::{command_line, said},
    python,
    support::*,
};
use axum::{
    Router,
    http::{HeaderMap, Uri},
    routing::get,
};
use local_aws::{LocalAws, World};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};

/// A home directory with profiles, on a local AWS.
struct Home {
    aws: LocalAws,
    directory: TempDir,
}

impl Home {
    async fn with(config: &str) -> Home {
        let mut world = World::live_clock();
        for account in [HUB, MEMBER] {
            world.account(account);
        }
        let directory = TempDir::new().unwrap();
        fs::create_dir_all(directory.path().join(".aws/sso/cache")).unwrap();
        fs::write(directory.path().join(".aws/config"), config).unwrap();
        Home { aws: LocalAws::start(world).await.unwrap(), directory }
    }

    async fn run(&self, arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let mut command = Command::new(command_line());
        command.args(arguments).env_clear().envs(self.environment(env));
        said(command.output().await.unwrap())
    }

    async fn scan(&self, arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
        self.run(&[&["scan"], arguments].concat(), env).await
    }

    /// What the AWS CLI prints in the same environment, or the text of its error.
    async fn aws_cli(&self, arguments: &[&str], env: &[(&str, &str)]) -> Result<String, String> {
        let environment = self.environment(env);
        let environment: Vec<_> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        python::run("target/venv/bin/aws", arguments, &environment, "").await
    }

    fn environment(&self, env: &[(&str, &str)]) -> BTreeMap<String, String> {
        let (home, endpoint) = (self.directory.path().to_str().unwrap(), self.aws.endpoint());
        let base = [
            ("HOME", home),
            ("PATH", "/usr/bin:/bin"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_ENDPOINT_URL", &endpoint),
        ];
        base.iter().chain(env).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The account and the Region that a command works in.
    async fn identity(&self, arguments: &[&str], env: &[(&str, &str)]) -> Result<(String, String), String> {
        let (status, out, error) = self.run(&[&["evaluate", "--sample", "scheduled"], arguments].concat(), env).await;
        if status != Some(0) {
            return Err(error);
        }
        let event: Value = serde_json::from_str(&out).unwrap();
        let arn: Vec<_> = event["configRuleArn"].as_str().unwrap().split(':').collect();
        Ok((arn[4].to_owned(), arn[3].to_owned()))
    }

    /// The same, by the AWS CLI.
    async fn cli_identity(&self, arguments: &[&str], env: &[(&str, &str)]) -> Result<(String, String), String> {
        let caller = self.aws_cli(&[&["sts", "get-caller-identity"], arguments].concat(), env).await?;
        let caller: Value = serde_json::from_str(&caller).unwrap();
        let list = self.aws_cli(&[&["configure", "list"], arguments].concat(), env).await?;
        let mut region = list.lines().find(|line| line.trim().starts_with("region ")).unwrap().split_whitespace();
        Ok((caller["Account"].as_str().unwrap().to_owned(), region.nth(1).unwrap().to_owned()))
    }
}

fn scanned(account: &str) -> (Option<i32>, String, String) {
    (Some(0), format!("{account}: 0 users evaluated, 0 non-compliant, 0 exempt\n"), String::new())
}

/// Keys of an account in the environment.
fn keys_of(account: &str) -> [(&'static str, String); 2] {
    [("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{account}")), ("AWS_SECRET_ACCESS_KEY", "any".to_owned())]
}

#[tokio::test]
async fn profiles_have_credentials_and_region() {
    let home = Home::with(&format!(
        "[profile keys]\nregion = eu-central-1\naws_access_key_id = AKIALOCAL{HUB}\naws_secret_access_key = any\n\
         [profile program]\nregion = eu-central-1\ncredential_process = /bin/sh -c \"cat $HOME/credentials.json\"\n\
         [profile no-region]\naws_access_key_id = AKIALOCAL{HUB}\naws_secret_access_key = any\n\
         [profile no-keys]\nregion = eu-central-1\n"
    ))
    .await;
    let credentials = json!({ "Version": 1, "AccessKeyId": format!("AKIALOCAL{MEMBER}"), "SecretAccessKey": "any" });
    fs::write(home.directory.path().join("credentials.json"), credentials.to_string()).unwrap();
    assert_eq!(home.scan(&["--profile", "keys"], &[]).await, scanned(HUB));
    assert_eq!(home.scan(&["--profile", "program"], &[]).await, scanned(MEMBER));
    assert_eq!(home.scan(&[], &[("AWS_PROFILE", "keys")]).await, scanned(HUB));
    assert_eq!(home.scan(&["--profile", "no-region", "--region", "us-east-1"], &[]).await, scanned(HUB));
    for (arguments, expected) in [
        (&["--profile", "no-region"][..], "no Region. Pass --region, or set AWS_REGION or the profile's region"),
        (
            &["--region", "us-east-1"],
            "no AWS credentials (pass --profile NAME, or run aws sso login or aws configure): ",
        ),
        (
            &["--profile", "no-keys"],
            "--profile no-keys: no credentials (run aws sso login --profile no-keys or aws configure --profile no-keys): ",
        ),
    ] {
        // Also where the last resort is the metadata of an EC2 instance, which does not answer.
        let nobody =
            [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")];
        for env in [&[][..], &nobody] {
            let (status, out, error) = home.scan(arguments, env).await;
            assert_eq!((status, out.as_str()), (Some(1), ""), "{arguments:?}");
            assert!(error.starts_with(&format!("access-key-rotation: {expected}")), "{error}");
        }
    }
}

/// Two accounts: `default` is the hub's administrator, `payments` a session of a role of the member.
async fn two_accounts() -> Home {
    let home = Home::with("").await;
    let payments = home.aws.world().credentials(MEMBER, "operator");
    let config = format!(
        "[default]\nregion = eu-central-1\naws_access_key_id = AKIALOCAL{HUB}\naws_secret_access_key = any\n\
         [profile payments]\nregion = eu-west-1\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n\
         [profile reader]\nregion = eu-west-1\nrole_arn = arn:aws:iam::{MEMBER}:role/reader\nsource_profile = default\n\
         [profile from-environment]\nregion = eu-west-1\nrole_arn = arn:aws:iam::{MEMBER}:role/reader\n\
         credential_source = Environment\n",
        payments.access_key_id,
        payments.secret_access_key,
        payments.session_token.unwrap()
    );
    fs::write(home.directory.path().join(".aws/config"), config).unwrap();
    {
        let mut world = home.aws.world();
        let account = world.account(MEMBER);
        account.add_role("reader", &format!("arn:aws:iam::{HUB}:root"));
        for id in [HUB, MEMBER] {
            user_with_key(world.account(id), "billing-export", 400);
        }
        world.clear_calls();
    }
    home
}

#[tokio::test]
async fn a_named_profile_wins_over_whatever_the_environment_has_in_every_command() {
    let home = two_accounts().await;
    let [id, secret] = keys_of(HUB);
    let env = [
        (id.0, id.1.as_str()),
        (secret.0, &secret.1),
        ("AWS_SESSION_TOKEN", "of-another-session"),
        ("AWS_PROFILE", "no-such-profile"),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/web"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/no/such/file"),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/"),
    ];
    let expected = Ok((MEMBER.to_owned(), "eu-west-1".to_owned()));
    assert_eq!(home.cli_identity(&["--profile", "payments"], &env).await, expected);
    assert_eq!(home.identity(&["--profile", "payments"], &env).await, expected);
    let event = home.directory.path().join("event.json");
    let (_, sample, _) = home.run(&["evaluate", "--sample", "scheduled", "--profile", "payments"], &env).await;
    fs::write(&event, sample).unwrap();
    let until = day(30);
    for arguments in [
        &["scan"][..],
        &["plan"],
        &["coverage"],
        &["doctor", "--before-rollout"],
        &["evidence", "--format", "json"],
        &["evaluate", event.to_str().unwrap()],
        &["exempt", "--list"],
        &["exempt", "billing-export", "--until", &until, "--owner", "finance"],
    ] {
        home.aws.world().clear_calls();
        let (status, _, error) = home.run(&[arguments, &["--profile", "payments"]].concat(), &env).await;
        assert!(status.is_some_and(|status| status != 2) && !error.contains("credentials"), "{arguments:?}: {error}");
        let world = home.aws.world();
        assert!(world.calls().len() > 1, "{arguments:?}: {error}");
        let strangers: Vec<_> = world.calls().iter().filter(|call| call.account != MEMBER).collect();
        assert!(strangers.is_empty(), "{arguments:?}: {strangers:?}");
    }
    let mut world = home.aws.world();
    let mut is_exempt = |id: &str| !world.account(id).user("billing-export").unwrap().tags.is_empty();
    assert_eq!((is_exempt(HUB), is_exempt(MEMBER)), (false, true), "the exemption is in the profile's account");
}

#[tokio::test]
async fn account_and_region_are_those_of_the_aws_cli() {
    let home = two_accounts().await;
    let elsewhere = home.directory.path().join("elsewhere");
    let keys = format!("[moved]\naws_access_key_id = AKIALOCAL{MEMBER}\naws_secret_access_key = any\n");
    fs::write(&elsewhere, keys).unwrap();
    let elsewhere = elsewhere.to_str().unwrap();
    let [id, secret] = keys_of(HUB);
    let keys = [(id.0, id.1.as_str()), (secret.0, secret.1.as_str())];
    let payments = ("AWS_PROFILE", "payments");
    let misspelt = ("AWS_PROFILE", "misspelt");
    let region = ("AWS_DEFAULT_REGION", "us-east-2");
    let hub = |region: &str| Some((HUB.to_owned(), region.to_owned()));
    let member = |region: &str| Some((MEMBER.to_owned(), region.to_owned()));
    for (arguments, env, expected) in [
        (&[][..], vec![], hub("eu-central-1")),
        (&[], vec![payments], member("eu-west-1")),
        (&[], vec![("AWS_DEFAULT_PROFILE", "payments")], member("eu-west-1")),
        // Keys in the environment win over a profile there, but not its Region.
        (&[], [&keys[..], &[payments]].concat(), hub("eu-west-1")),
        (&[], [&keys[..], &[payments, region]].concat(), hub("us-east-2")),
        (&["--profile", "payments"], [&keys[..], &[region]].concat(), member("us-east-2")),
        (&["--profile", "default"], vec![payments], hub("eu-central-1")),
        (&["--profile", "moved"], vec![("AWS_SHARED_CREDENTIALS_FILE", elsewhere), region], member("us-east-2")),
        (&["--profile", "payments"], [&keys[..], &[("AWS_CONFIG_FILE", "/no/such/file")]].concat(), None),
        (&["--profile", "misspelt"], keys.to_vec(), None),
        (&[], vec![misspelt], None),
        (&[], [&keys[..], &[misspelt]].concat(), None),
    ] {
        let identities = [home.cli_identity(arguments, &env).await, home.identity(arguments, &env).await];
        for (identity, who) in identities.into_iter().zip(["the AWS CLI", "access-key-rotation"]) {
            assert_eq!(identity.as_ref().ok(), expected.as_ref(), "{who} {arguments:?} {env:?}: {identity:?}");
        }
    }
    // Not asked of the AWS CLI, which keeps the credentials of a role in a directory that it chose before the test gave it a home.
    for role in ["reader", "from-environment"] {
        assert_eq!(home.identity(&["--profile", role], &keys).await.ok(), member("eu-west-1"), "{role}");
        let env = [&keys[..], &[("AWS_PROFILE", role)]].concat();
        assert_eq!(home.identity(&[], &env).await.ok(), hub("eu-west-1"), "{role} in the environment");
    }
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_named_before_any_call() {
    let home = two_accounts().await;
    let known = "default, from-environment, payments, reader";
    let [id, secret] = keys_of(HUB);
    let keys = [(id.0, id.1.as_str()), (secret.0, secret.1.as_str())];
    for (arguments, variable, expected) in [
        (&["--profile", "paymnets"][..], None, format!("--profile \"paymnets\": no such profile ({known})")),
        (&["--profile", ""], None, format!("--profile \"\": no such profile ({known})")),
        (&[], Some(("AWS_PROFILE", "paymnets")), format!("AWS_PROFILE \"paymnets\": no such profile ({known})")),
        (&[], Some(("AWS_DEFAULT_PROFILE", "x")), format!("AWS_DEFAULT_PROFILE \"x\": no such profile ({known})")),
        (
            &["--profile", "payments"],
            Some(("AWS_CONFIG_FILE", "/no/such/file")),
            "--profile \"payments\": no such profile (there are none)".to_owned(),
        ),
    ] {
        let env: Vec<_> = keys.iter().copied().chain(variable).collect();
        let (status, out, error) = home.scan(arguments, &env).await;
        assert_eq!((status, out, error), (Some(1), String::new(), format!("access-key-rotation: {expected}\n")));
    }
    assert_eq!(home.aws.world().calls().len(), 0);
}

#[tokio::test]
async fn identity_center_gives_credentials_for_its_token() {
    // The portal's API: GET /federation/credentials, the token in a header, and a role's credentials for it.
    let credentials = async |headers: HeaderMap, uri: Uri| {
        assert_eq!(headers["x-amz-sso_bearer_token"], "the-token");
        let mut query: Vec<_> = uri.query().unwrap().split('&').collect();
        query.sort_unstable();
        assert_eq!(query, [format!("account_id={HUB}"), "role_name=Security".to_owned()]);
        let credentials = json!({
            "accessKeyId": format!("AKIALOCAL{HUB}"), "secretAccessKey": "any", "expiration": 4_102_444_800_000_u64,
        });
        json!({ "roleCredentials": credentials }).to_string()
    };
    let portal = Router::new().route("/federation/credentials", get(credentials));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(axum::serve(listener, portal).into_future());
    let home = Home::with(&format!(
        "[profile security]\nregion = eu-central-1\nsso_session = company\nsso_account_id = {HUB}\nsso_role_name = Security\n\
         [sso-session company]\nsso_region = eu-central-1\nsso_start_url = https://example.awsapps.com/start\n\
         sso_registration_scopes = sso:account:access\n"
    ))
    .await;
    let scan = async || home.scan(&["--profile", "security"], &[("AWS_ENDPOINT_URL_SSO", &address)]).await;
    let (status, _, error) = scan().await;
    assert_eq!(status, Some(1), "not logged in");
    assert!(error.contains("--profile security: no credentials (run aws sso login --profile security or "), "{error}");
    // The file's name is the SHA-1 of the session's name.
    let token = json!({
        "startUrl": "https://example.awsapps.com/start", "region": "eu-central-1", "accessToken": "the-token",
        "expiresAt": "2099-01-01T00:00:00Z",
    });
    let name = "71b21161ffa1e6516bcc072aaf5ef38cbe85b511.json";
    fs::write(home.directory.path().join(".aws/sso/cache").join(name), token.to_string()).unwrap();
    assert_eq!(scan().await, scanned(HUB));
}
