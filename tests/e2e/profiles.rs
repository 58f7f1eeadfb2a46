//! Whose credentials the command line takes: profiles, with keys, by a program, and of IAM Identity Center.

use crate::{
    cli::{command_line, said},
    support::*,
};
use axum::{
    Router,
    http::{HeaderMap, Uri},
    routing::get,
};
use local_aws::{LocalAws, World};
use serde_json::json;
use std::fs;
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

    async fn scan(&self, arguments: &[&str], env: &[(&str, &str)]) -> (Option<i32>, String, String) {
        let mut command = Command::new(command_line());
        command.arg("scan").args(arguments).env_clear();
        command
            .env("HOME", self.directory.path())
            .env("PATH", "/usr/bin:/bin")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(env.iter().copied());
        command.env("AWS_ENDPOINT_URL_STS", self.aws.endpoint()).env("AWS_ENDPOINT_URL_IAM", self.aws.endpoint());
        said(command.output().await.unwrap())
    }
}

fn scanned(account: &str) -> (Option<i32>, String, String) {
    (Some(0), format!("{account}: 0 users evaluated, 0 non-compliant, 0 exempt\n"), String::new())
}

const NO_CREDENTIALS: &str = "no AWS credentials (pass --profile NAME, or run aws sso login or aws configure): ";

#[tokio::test]
async fn profiles_have_credentials_and_region() {
    let home = Home::with(&format!(
        "[profile keys]\nregion = eu-central-1\naws_access_key_id = AKIALOCAL{HUB}\naws_secret_access_key = any\n\
         [profile program]\nregion = eu-central-1\ncredential_process = /bin/sh -c \"cat $HOME/credentials.json\"\n\
         [profile no-region]\naws_access_key_id = AKIALOCAL{HUB}\naws_secret_access_key = any\n"
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
        (&["--region", "us-east-1"], NO_CREDENTIALS),
        (&["--profile", "misspelt", "--region", "us-east-1"], NO_CREDENTIALS),
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
    assert!(error.contains(NO_CREDENTIALS), "{error}");
    // The file's name is the SHA-1 of the session's name.
    let token = json!({
        "startUrl": "https://example.awsapps.com/start", "region": "eu-central-1", "accessToken": "the-token",
        "expiresAt": "2099-01-01T00:00:00Z",
    });
    let name = "71b21161ffa1e6516bcc072aaf5ef38cbe85b511.json";
    fs::write(home.directory.path().join(".aws/sso/cache").join(name), token.to_string()).unwrap();
    assert_eq!(scan().await, scanned(HUB));
}
