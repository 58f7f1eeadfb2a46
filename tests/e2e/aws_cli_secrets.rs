//! Secrets Manager of the local AWS, by the AWS CLI.

use crate::{
    aws_cli::{Cli, SECRETS, administrator, assert_error, each},
    support::*,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use local_aws::{FaultKind, REGION, SecretValue, World};
use serde_json::{Value, json};

const DESCRIBE: &str = "secretsmanager describe-secret --secret-id";
const GET: &str = "secretsmanager get-secret-value --secret-id";
const PUT: &str = "secretsmanager put-secret-value --secret-id";
const MOVE: &str = "secretsmanager update-secret-version-stage --version-stage";
const PENDING: &str = "--version-stages AWSPENDING";
const LIST: &str = "secretsmanager list-secrets";

const GET_VALUE: &str = "GetSecretValue";
const PUT_VALUE: &str = "PutSecretValue";
const UPDATE_STAGE: &str = "UpdateSecretVersionStage";

/// A version's id.
fn version(n: u32) -> String {
    format!("00000000-0000-4000-8000-{n:012}")
}

/// Stores `value` as that version of the secret `app/bot`.
fn put(n: u32, value: &str) -> String {
    format!("{PUT} app/bot --client-request-token {} --secret-string {value}", version(n))
}

async fn start() -> Cli {
    let mut world = World::new(today());
    world.account(OTHER_MEMBER);
    world.account(MEMBER).create_secret(today() - days(30), REGION, "app/bot");
    Cli::start(world).await
}

/// The labels of each version.
async fn stages(cli: &Cli) -> Value {
    cli.run(&format!("{DESCRIBE} app/bot")).await.unwrap()["VersionIdsToStages"].take()
}

#[tokio::test]
async fn versions_and_labels() {
    let cli = start().await;
    let empty = cli.run(&format!("{DESCRIBE} app/bot")).await.unwrap();
    let arn = empty["ARN"].as_str().unwrap().to_owned();
    let created = (today() - days(30)).timestamp() as f64;
    let expected = json!({ "ARN": arn, "Name": "app/bot", "CreatedDate": created, "LastChangedDate": created });
    assert_eq!(empty, expected);
    let prefix = format!("arn:aws:secretsmanager:{REGION}:{MEMBER}:secret:app/bot-");
    assert!(arn.strip_prefix(&prefix).is_some_and(|end| end.len() == 6), "{arn}");
    let none = cli.run(&format!("{GET} app/bot")).await;
    assert!(none.as_ref().unwrap_err().contains("specified secret value for staging label: AWSCURRENT"), "{none:?}");
    assert_error(none, "ResourceNotFoundException", GET_VALUE);

    // The first version is current, whatever the labels.
    let first = cli.run(&format!("{} {PENDING}", put(1, "one"))).await.unwrap();
    let both = json!(["AWSCURRENT", "AWSPENDING"]);
    assert_eq!(first, json!({ "ARN": arn, "Name": "app/bot", "VersionId": version(1), "VersionStages": both }));
    let second = cli.run(&format!("{} {PENDING}", put(2, "two"))).await.unwrap();
    assert_eq!(second["VersionStages"], json!(["AWSPENDING"]));
    assert_eq!(stages(&cli).await, json!({ version(1): ["AWSCURRENT"], version(2): ["AWSPENDING"] }));
    // The same again is the same; another value is not.
    assert_eq!(cli.run(&format!("{} {PENDING}", put(2, "two"))).await.unwrap(), second);
    assert_error(cli.run(&put(2, "other")).await, "ResourceExistsException", PUT_VALUE);
    let third = cli.run(&format!("{} {PENDING}", put(3, "three"))).await.unwrap();
    assert_eq!(third["VersionStages"], json!(["AWSPENDING"]));
    assert_eq!(stages(&cli).await, json!({ version(1): ["AWSCURRENT"], version(3): ["AWSPENDING"] }));
    assert_eq!(cli.run(&put(2, "two")).await.unwrap().get("VersionStages"), None, "it has lost its label");

    let got = async |options: &str| {
        let found = cli.run(&format!("{GET} {arn} {options}")).await?;
        Ok::<_, String>(found["SecretString"].as_str().unwrap().to_owned())
    };
    assert_eq!(got("").await.unwrap(), "one");
    assert_eq!(got("--version-stage AWSPENDING").await.unwrap(), "three");
    assert_eq!(got(&format!("--version-id {}", version(2))).await.unwrap(), "two");
    let mismatch = format!("{GET} app/bot --version-id {} --version-stage AWSCURRENT", version(2));
    assert_error(cli.run(&mismatch).await, "InvalidRequestException", GET_VALUE);
    let unknown = cli.run(&format!("{GET} app/bot --version-id {}", version(9))).await;
    assert_error(unknown, "ResourceNotFoundException", GET_VALUE);
    let full = cli.run(&format!("{GET} {}", &arn[..arn.len() - 7])).await.unwrap();
    let now = today().timestamp() as f64;
    let expected = json!({
        "ARN": arn, "Name": "app/bot", "VersionId": version(1), "VersionStages": ["AWSCURRENT"], "SecretString": "one",
        "CreatedDate": now,
    });
    assert_eq!(full, expected);

    // A label moves only from the version that has it.
    let promote = format!("{MOVE} AWSCURRENT --secret-id app/bot --move-to-version-id {}", version(3));
    let unnamed = cli.run(&promote).await;
    let text = format!("Staging label AWSCURRENT is currently attached to version {}", version(1));
    assert!(unnamed.as_ref().unwrap_err().contains(&text), "{unnamed:?}");
    assert_error(unnamed, "InvalidParameterException", UPDATE_STAGE);
    let from = |n| format!("{promote} --remove-from-version-id {}", version(n));
    assert_error(cli.run(&from(2)).await, "InvalidParameterException", UPDATE_STAGE);
    let unknown = from(1).replace(&version(3), &version(9));
    assert_error(cli.run(&unknown).await, "ResourceNotFoundException", UPDATE_STAGE);
    let removed = format!("{MOVE} AWSCURRENT --secret-id app/bot --remove-from-version-id {}", version(1));
    assert_error(cli.run(&removed).await, "InvalidParameterException", UPDATE_STAGE);
    assert_eq!(stages(&cli).await, json!({ version(1): ["AWSCURRENT"], version(3): ["AWSPENDING"] }));
    assert_eq!(cli.run(&from(1)).await.unwrap(), json!({ "ARN": arn, "Name": "app/bot" }));
    assert_eq!(stages(&cli).await, json!({ version(1): ["AWSPREVIOUS"], version(3): both }));
    assert_eq!(cli.run(&promote).await.unwrap()["Name"], "app/bot", "it is there already");
    // Back, and forth.
    let back = format!("{MOVE} AWSCURRENT --secret-id app/bot --move-to-version-id {}", version(1));
    cli.run(&format!("{back} --remove-from-version-id {}", version(3))).await.unwrap();
    assert_eq!(stages(&cli).await, json!({ version(1): ["AWSCURRENT"], version(3): ["AWSPENDING", "AWSPREVIOUS"] }));
    cli.run(&from(1)).await.unwrap();

    // What AWS does to the labels when the owner stores a value.
    assert_eq!(cli.run(&put(4, "four")).await.unwrap()["VersionStages"], json!(["AWSCURRENT"]));
    assert_eq!(stages(&cli).await, json!({ version(3): ["AWSPREVIOUS"], version(4): ["AWSCURRENT"] }));
    cli.run(&format!("{} {PENDING}", put(5, "five"))).await.unwrap();
    cli.run(&put(6, "six")).await.unwrap();
    let expected = json!({ version(4): ["AWSPREVIOUS"], version(5): ["AWSPENDING"], version(6): ["AWSCURRENT"] });
    assert_eq!(stages(&cli).await, expected);
    let drop = format!("{MOVE} AWSPENDING --secret-id app/bot --remove-from-version-id {}", version(5));
    cli.run(&drop).await.unwrap();
    assert_eq!(stages(&cli).await, json!({ version(4): ["AWSPREVIOUS"], version(6): ["AWSCURRENT"] }));
    assert_error(cli.run(&drop).await, "InvalidParameterException", UPDATE_STAGE);
    cli.run(LIST).await.unwrap();
    cli.assert_drove(SECRETS);
}

#[tokio::test]
async fn values_that_are_binary_too_long_or_too_many() {
    let cli = start().await;
    // The AWS CLI takes bytes, and prints their Base64.
    cli.run(&put(1, "ä").replace("secret-string", "secret-binary")).await.unwrap();
    assert_eq!(cli.run(&format!("{GET} app/bot")).await.unwrap()["SecretBinary"], STANDARD.encode("ä"));
    let held = cli.aws.world().account(MEMBER).secrets(REGION)["app/bot"].staged("AWSCURRENT").unwrap().value.clone();
    assert_eq!(held, SecretValue::Binary("ä".into()));
    // 65,536 bytes, of which two are one character each.
    cli.run(&put(2, &"ä".repeat(32_768))).await.unwrap();
    let too_long = cli.run(&put(3, &format!("{}x", "ä".repeat(32_768)))).await;
    assert!(!too_long.as_ref().unwrap_err().contains("ää"), "an error shows no value");
    assert_error(too_long, "ValidationException", PUT_VALUE);
    let neither = format!("{PUT} app/bot --client-request-token {}", version(4));
    assert_error(cli.run(&neither).await, "InvalidRequestException", PUT_VALUE);
    assert_error(cli.run(&put(3, "x").replace("app/bot", "app*bot")).await, "ValidationException", PUT_VALUE);

    // Secrets Manager keeps the versions of a day, and then the last hundred.
    for n in 3..=100 {
        cli.aws.world().account(MEMBER).put_secret_value(today(), REGION, "app/bot", &n.to_string()).unwrap();
    }
    assert_error(cli.run(&put(101, "x")).await, "LimitExceededException", PUT_VALUE);
    cli.aws.world().advance(TimeDelta::days(1) + TimeDelta::seconds(1));
    cli.run(&put(101, "x")).await.unwrap();
    let gone = cli.run(&format!("{GET} app/bot --version-id {}", version(1))).await;
    assert_error(gone, "ResourceNotFoundException", GET_VALUE);
    assert_eq!(cli.aws.world().account(MEMBER).secrets(REGION)["app/bot"].versions.len(), 100);
}

#[tokio::test]
async fn secrets_that_are_not_to_be_changed() {
    let cli = start().await;
    cli.run(&put(1, "one")).await.unwrap();
    let edit = |change: fn(&mut local_aws::Secret)| {
        cli.aws.world().account(MEMBER).change_secret(today(), REGION, "app/bot", change).unwrap();
    };
    let shown = async |field: &str| cli.run(&format!("{DESCRIBE} app/bot")).await.unwrap()[field].take();
    let moving = format!("{MOVE} X --secret-id app/bot --move-to-version-id {}", version(1));

    edit(|secret| secret.rotation_enabled = Some(true));
    assert_eq!(shown("RotationEnabled").await, true);
    edit(|secret| secret.owning_service = Some("rds".to_owned()));
    assert_eq!(shown("OwningService").await, "rds");
    assert_error(cli.run(&put(2, "two")).await, "InvalidRequestException", PUT_VALUE);
    assert_error(cli.run(&moving).await, "InvalidRequestException", UPDATE_STAGE);
    edit(|secret| secret.owning_service = None);
    edit(|secret| secret.primary_region = Some("eu-central-1".to_owned()));
    assert_eq!(shown("PrimaryRegion").await, "eu-central-1");
    let replica = cli.run(&put(2, "two")).await;
    assert!(replica.as_ref().unwrap_err().contains("Operation not permitted on a replica secret"), "{replica:?}");
    assert_error(replica, "InvalidParameterException", PUT_VALUE);
    edit(|secret| secret.primary_region = Some(REGION.to_owned()));
    cli.run(&put(2, "two")).await.unwrap();
    edit(|secret| secret.deleted = Some(today()));
    assert_eq!(shown("DeletedDate").await, today().timestamp() as f64);
    assert_error(cli.run(&put(3, "three")).await, "InvalidRequestException", PUT_VALUE);
    assert_error(cli.run(&moving).await, "InvalidRequestException", UPDATE_STAGE);
    assert_error(cli.run(&format!("{GET} app/bot")).await, "InvalidRequestException", GET_VALUE);
    edit(|secret| secret.deleted = None);

    // Denied by the secret's policy.
    edit(|secret| secret.denied.extend(["PutSecretValue", "DescribeSecret"].map(str::to_owned)));
    let denied = cli.run(&put(3, "three")).await;
    assert!(denied.as_ref().unwrap_err().contains("with an explicit deny in a resource-based policy"), "{denied:?}");
    assert_error(denied, "AccessDeniedException", PUT_VALUE);
    assert_error(cli.run(&format!("{DESCRIBE} app/bot")).await, "AccessDeniedException", "DescribeSecret");
    cli.run(&moving).await.unwrap();
    edit(|secret| secret.denied.extend(["UpdateSecretVersionStage".to_owned()]));
    assert_error(cli.run(&moving).await, "AccessDeniedException", UPDATE_STAGE);
    edit(|secret| secret.denied.clear());

    // Denied by the key's policy: only where there is such a key, and the values only.
    cli.fault(FaultKind::KmsAccessDenied);
    cli.run(&put(3, "three")).await.unwrap();
    edit(|secret| secret.kms_key_id = Some("alias/secrets".to_owned()));
    assert_eq!(shown("KmsKeyId").await, "alias/secrets");
    let denied = cli.run(&format!("{GET} app/bot")).await;
    assert!(denied.as_ref().unwrap_err().contains("Access to KMS is not allowed"), "{denied:?}");
    assert_error(denied, "AccessDeniedException", GET_VALUE);
    assert_error(cli.run(&put(4, "four")).await, "AccessDeniedException", PUT_VALUE);
    cli.aws.world().faults.clear();
    cli.fault(FaultKind::AccessDenied);
    let denied = cli.run(&format!("{GET} app/bot")).await.unwrap_err();
    assert!(
        denied.contains("is not authorized to perform: secretsmanager:GetSecretValue on resource: app/bot"),
        "{denied}"
    );
    cli.aws.world().faults.clear();
    cli.fault(FaultKind::Throttle { probability: 1.0 });
    let throttled = cli.run(&format!("{GET} app/bot")).await.unwrap_err();
    assert!(throttled.contains("(ThrottlingException)"), "{throttled}");
    cli.aws.world().faults.clear();

    let unknown = format!("{DESCRIBE} app/other");
    let other_region = format!("{DESCRIBE} app/bot --region eu-central-1");
    for missing in [cli.run(&unknown).await, cli.run(&other_region).await] {
        assert_error(missing, "ResourceNotFoundException", "DescribeSecret");
    }
    let elsewhere = cli.run_as(&administrator(OTHER_MEMBER), &format!("{DESCRIBE} app/bot")).await;
    assert_error(elsewhere, "ResourceNotFoundException", "DescribeSecret");
    assert!(cli.aws.world().account(MEMBER).delete_secret(today(), REGION, "app/bot"));
    assert_error(cli.run(&format!("{GET} app/bot")).await, "ResourceNotFoundException", GET_VALUE);
}

#[tokio::test]
async fn listings() {
    let cli = start().await;
    for n in 0..120 {
        let name = format!("bot-{n:03}");
        let mut world = cli.aws.world();
        let account = world.account(MEMBER);
        account.create_secret(today(), REGION, &name);
        account
            .change_secret(today(), REGION, &name, |secret| secret.tags.insert("rotate:user".to_owned(), name.clone()));
    }
    let change = |change: fn(&mut local_aws::Secret)| {
        cli.aws.world().account(MEMBER).change_secret(today(), REGION, "app/bot", change).unwrap();
    };
    change(|secret| drop(secret.tags.insert("rotate:user-too".to_owned(), "x".to_owned())));
    cli.run(&put(1, "one")).await.unwrap();
    let names = async |options: &str| {
        let found = cli.run(&format!("{LIST} {options}")).await.unwrap();
        each(&found["SecretList"], "Name").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };

    cli.aws.world().clear_calls();
    // The filter matches the beginning of a tag's key.
    assert_eq!(names("--filters Key=tag-key,Values=rotate:user").await.len(), 121);
    assert_eq!(cli.calls_of("ListSecrets"), 2, "pages of 100");
    assert_eq!(names("--filters Key=tag-key,Values=rotate:user-").await, ["app/bot"]);
    assert_eq!(names("--filters Key=tag-key,Values=rotate:user Key=name,Values=app,bot-01").await.len(), 11);
    assert_eq!(names("--filters Key=name,Values=!bot-").await, ["app/bot"]);
    assert_eq!(names("--filters Key=tag-value,Values=bot-119").await, ["bot-119"]);
    assert_eq!(names("--page-size 50").await.len(), 121);
    assert_error(cli.run(&format!("{LIST} --page-size 101")).await, "ValidationException", "ListSecrets");
    let token = format!("{LIST} --no-paginate --next-token x");
    assert_error(cli.run(&token).await, "InvalidNextTokenException", "ListSecrets");
    assert_eq!(names("--region eu-central-1").await, Vec::<String>::new());
    let found = cli.run(&format!("{LIST} --filters Key=name,Values=app/")).await.unwrap()["SecretList"][0].take();
    assert_eq!(found["SecretVersionsToStages"], json!({ version(1): ["AWSCURRENT"] }));
    assert_eq!(found["Tags"], json!([{ "Key": "rotate:user-too", "Value": "x" }]));
    change(|secret| secret.deleted = Some(today()));
    assert_eq!(names("--filters Key=name,Values=app/").await, Vec::<String>::new());
    assert_eq!(names("--filters Key=name,Values=app/ --include-planned-deletion").await, ["app/bot"]);
    change(|secret| secret.deleted = None);

    // A listing may show what was. DescribeSecret never does.
    cli.aws.world().account(MEMBER).set_secret_listing_delay(TimeDelta::minutes(5));
    change(|secret| secret.tags.clear());
    cli.aws.world().account(MEMBER).create_secret(today(), REGION, "app/new");
    cli.aws.world().account(MEMBER).delete_secret(today(), REGION, "bot-000");
    cli.aws.world().advance(TimeDelta::seconds(299));
    assert_eq!(names("--filters Key=tag-key,Values=rotate:user-").await, ["app/bot"]);
    assert_eq!(names("--filters Key=name,Values=app/,bot-000").await, ["app/bot", "bot-000"]);
    assert_eq!(cli.run(&format!("{DESCRIBE} app/bot")).await.unwrap().get("Tags"), None);
    assert_eq!(cli.run(&format!("{DESCRIBE} app/new")).await.unwrap()["Name"], "app/new");
    cli.aws.world().advance(TimeDelta::seconds(1));
    assert_eq!(names("--filters Key=tag-key,Values=rotate:user-").await, Vec::<String>::new());
    assert_eq!(names("--filters Key=name,Values=app/,bot-000").await, ["app/bot", "app/new"]);
}
