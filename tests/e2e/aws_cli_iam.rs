//! IAM and STS of the local AWS, by the AWS CLI.

use crate::{
    aws_cli::{
        ACCESS_KEYS, ATTACHED_POLICIES, CREDENTIAL_REPORT, Cli, OTHER_CREDENTIALS, ROLES, USERS_AND_TAGS,
        administrator, assert_error, each,
    },
    support::*,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use local_aws::{AllUsers, Credentials, FaultKind, KeyStatus, REGION, World};
use serde_json::{Value, json};

#[tokio::test]
async fn users_and_tags() {
    let names: Vec<_> = (0..120).map(|n| format!("user-{n:03}")).collect();
    let mut world = World::new(today());
    for name in &names {
        world.account(MEMBER).create_user(name, today() - days(100));
    }
    let cli = Cli::start(world).await;

    let all = cli.run("iam list-users").await.unwrap();
    assert_eq!(cli.calls_of("ListUsers"), 2, "pages of 100 by default");
    assert_eq!(each(&all["Users"], "UserName"), names);
    assert_eq!(all["Users"][0]["CreateDate"], "2025-11-21T12:00:00Z");
    // The CLI cuts the second page of 30 and starts there again.
    let first = cli.run("iam list-users --page-size 30 --max-items 50").await.unwrap();
    assert_eq!(each(&first["Users"], "UserName"), names[..50]);
    let token = first["NextToken"].as_str().unwrap();
    let rest = cli.run(&format!("iam list-users --page-size 30 --starting-token {token}")).await.unwrap();
    assert_eq!(each(&rest["Users"], "UserName"), names[50..]);
    assert_eq!(cli.calls_of("ListUsers"), 2 + 2 + 3);
    assert_error(cli.run("iam list-users --page-size 1001").await, "ValidationError", "ListUsers");

    let create = "iam create-user --user-name deploy-bot --path /machines/ --tags Key=team,Value=payments";
    let mut created = cli.run(create).await.unwrap()["User"].take();
    assert_eq!(created["Arn"], format!("arn:aws:iam::{MEMBER}:user/machines/deploy-bot"));
    assert_eq!(created["CreateDate"], "2026-03-01T12:00:00Z");
    assert_eq!(created["Tags"], json!([{ "Key": "team", "Value": "payments" }]));
    assert!(created["UserId"].as_str().unwrap().starts_with("AIDA"));
    let machines = cli.run("iam list-users --path-prefix /machines/").await.unwrap();
    assert_eq!(each(&machines["Users"], "UserId"), [created["UserId"].as_str().unwrap()]);
    assert_eq!(machines["Users"][0].get("Tags"), None, "ListUsers has no tags");
    let details = "iam get-account-authorization-details";
    let users = cli.run(&format!("{details} --filter User --page-size 50")).await.unwrap()["UserDetailList"].take();
    assert_eq!(cli.calls_of("GetAccountAuthorizationDetails"), 3, "121 users");
    assert_eq!(users.as_array().unwrap().len(), 121);
    let tagged = users.as_array().unwrap().iter().find(|user| user["UserName"] == "deploy-bot").unwrap();
    assert_eq!((&tagged["Tags"], &tagged["UserId"]), (&created["Tags"], &created["UserId"]));
    assert_eq!(cli.run(&format!("{details} --filter Role")).await.unwrap()["UserDetailList"], json!([]));
    assert_error(cli.run(create).await, "EntityAlreadyExists", "CreateUser");

    let until = "access-key-rotation:exempt-until";
    let tag = format!("iam tag-user --user-name deploy-bot --tags Key={until},Value=2026-03-31 Key=Team,Value=Zürich");
    assert_eq!(cli.run(&tag).await, Ok(Value::Null));
    let tags = cli.run("iam list-user-tags --user-name deploy-bot --page-size 1").await.unwrap();
    assert_eq!(tags["Tags"], json!([{ "Key": "Team", "Value": "Zürich" }, { "Key": until, "Value": "2026-03-31" }]));
    assert_eq!(cli.calls_of("ListUserTags"), 2);
    let reserved = "iam tag-user --user-name deploy-bot --tags Key=aws:team,Value=x";
    assert_error(cli.run(reserved).await, "InvalidInput", "TagUser");
    let untag = format!("iam untag-user --user-name deploy-bot --tag-keys team {until}");
    assert_eq!(cli.run(&untag).await, Ok(Value::Null));
    created.as_object_mut().unwrap().remove("Tags");
    assert_eq!(cli.run("iam get-user --user-name deploy-bot").await, Ok(json!({ "User": created })));

    assert_eq!(cli.run("iam delete-user --user-name deploy-bot").await, Ok(Value::Null));
    let gone = cli.run("iam get-user --user-name deploy-bot").await.unwrap_err();
    let expected = "An error occurred (NoSuchEntity) when calling the GetUser operation: The user with name deploy-bot \
                    cannot be found.";
    assert!(gone.trim_end().ends_with(expected), "{gone}");
    cli.assert_drove(USERS_AND_TAGS);
}

#[tokio::test]
async fn access_keys() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    account.create_user("bot", today() - days(400));
    let old = account.create_key("bot", today() - days(134)).unwrap();
    let cli = Cli::start(world).await;

    let created = cli.run("iam create-access-key --user-name bot").await.unwrap()["AccessKey"].take();
    let new = created["AccessKeyId"].as_str().unwrap();
    assert_eq!([&created["UserName"], &created["Status"]], ["bot", "Active"]);
    let secret_access_key = created["SecretAccessKey"].as_str().unwrap().to_owned();
    let bot = Credentials { access_key_id: new.to_owned(), secret_access_key, session_token: None };
    assert_error(cli.run("iam create-access-key --user-name bot").await, "LimitExceeded", "CreateAccessKey");
    let keys = cli.run("iam list-access-keys --user-name bot --page-size 1").await.unwrap()["AccessKeyMetadata"].take();
    let key = |id, created| json!({ "UserName": "bot", "AccessKeyId": id, "Status": "Active", "CreateDate": created });
    assert_eq!(keys, json!([key(old.as_str(), "2025-10-18T12:00:00Z"), key(new, "2026-03-01T12:00:00Z")]));
    assert_eq!(cli.calls_of("ListAccessKeys"), 2);

    let identity = cli.run_as(&bot, "sts get-caller-identity").await.unwrap();
    assert_eq!(identity["Arn"], format!("arn:aws:iam::{MEMBER}:user/bot"));
    assert_error(cli.run_as(&bot, "iam list-users").await, "AccessDenied", "ListUsers");
    let other = Credentials { secret_access_key: "x".repeat(40), ..bot.clone() };
    assert_error(cli.run_as(&other, "sts get-caller-identity").await, "SignatureDoesNotMatch", "GetCallerIdentity");
    let unsigned = cli.run_as(&other, "ssm get-parameter --name x").await;
    assert_error(unsigned, "InvalidSignatureException", "GetParameter");
    let last_used = format!("iam get-access-key-last-used --access-key-id {old}");
    let never = json!({ "ServiceName": "N/A", "Region": "N/A" });
    assert_eq!(cli.run(&last_used).await, Ok(json!({ "UserName": "bot", "AccessKeyLastUsed": never })));
    let used = cli.run(&last_used.replace(&old, new)).await.unwrap()["AccessKeyLastUsed"].take();
    assert_eq!([&used["LastUsedDate"], &used["Region"]], ["2026-03-01T12:00:00Z", "us-east-1"]);

    let deactivate = format!("iam update-access-key --user-name bot --access-key-id {new} --status Inactive");
    assert_eq!(cli.run(&deactivate).await, Ok(Value::Null));
    assert_error(cli.run_as(&bot, "sts get-caller-identity").await, "InvalidClientTokenId", "GetCallerIdentity");

    let delete = format!("iam delete-access-key --user-name bot --access-key-id {new}");
    assert_eq!(cli.run(&delete).await, Ok(Value::Null));
    // A new key does not work yet.
    cli.aws.world().account(MEMBER).set_key_delay(TimeDelta::seconds(10));
    let created = cli.run("iam create-access-key --user-name bot").await.unwrap()["AccessKey"].take();
    let text = |field: &str| created[field].as_str().unwrap().to_owned();
    let (access_key_id, secret_access_key) = (text("AccessKeyId"), text("SecretAccessKey"));
    let early = Credentials { access_key_id, secret_access_key, session_token: None };
    cli.aws.world().advance(TimeDelta::seconds(9));
    assert_error(cli.run_as(&early, "sts get-caller-identity").await, "InvalidClientTokenId", "GetCallerIdentity");
    assert_eq!(cli.aws.world().account(MEMBER).user("bot").unwrap().keys[1].last_used, None);
    cli.aws.world().advance(TimeDelta::seconds(1));
    assert_eq!(cli.run_as(&early, "sts get-caller-identity").await.unwrap()["Arn"], identity["Arn"]);
    assert_error(cli.run(&delete).await, "NoSuchEntity", "DeleteAccessKey");
    assert_error(cli.run("iam delete-user --user-name bot").await, "DeleteConflict", "DeleteUser");
    cli.assert_drove(ACCESS_KEYS);
}

#[tokio::test]
async fn roles() {
    let mut world = World::new(today());
    world.account(HUB).create_user("only-in-the-hub", today());
    for (role, trusted) in [("reader", MEMBER), ("stranger", OTHER_MEMBER)] {
        world.account(HUB).add_role(role, &format!("arn:aws:iam::{trusted}:root"));
    }
    world.account(MEMBER);
    let cli = Cli::start(world).await;
    let assume = |role| format!("sts assume-role --role-session-name cli --role-arn arn:aws:iam::{HUB}:role/{role}");
    let (list_users, describe) = ("iam list-users", "configservice describe-compliance-by-config-rule");

    let identity = cli.run("sts get-caller-identity").await.unwrap();
    let arn = format!("arn:aws:iam::{MEMBER}:user/administrator");
    assert_eq!([&identity["Account"], &identity["Arn"]], [MEMBER, &arn]);
    let assumed = cli.run(&assume("reader")).await.unwrap();
    let arn = format!("arn:aws:sts::{HUB}:assumed-role/reader/cli");
    assert_eq!(assumed["AssumedRoleUser"]["Arn"], arn);
    assert_eq!(assumed["Credentials"]["Expiration"], "2026-03-01T13:00:00Z");
    let text = |field: &str| assumed["Credentials"][field].as_str().unwrap().to_owned();
    let session = Credentials {
        access_key_id: text("AccessKeyId"),
        secret_access_key: text("SecretAccessKey"),
        session_token: Some(text("SessionToken")),
    };
    let expected = json!({ "Account": HUB, "Arn": arn, "UserId": assumed["AssumedRoleUser"]["AssumedRoleId"] });
    assert_eq!(cli.run_as(&session, "sts get-caller-identity").await, Ok(expected));
    let users = cli.run_as(&session, list_users).await.unwrap();
    assert_eq!(each(&users["Users"], "UserName"), ["only-in-the-hub"]);

    let refused = cli.run(&assume("stranger")).await;
    let resource = format!("not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::{HUB}:role/stranger");
    assert!(refused.as_ref().unwrap_err().contains(&resource), "{refused:?}");
    assert_error(refused, "AccessDenied", "AssumeRole");

    cli.aws.world().advance(TimeDelta::hours(1));
    assert_error(cli.run_as(&session, list_users).await, "ExpiredToken", "ListUsers");
    assert_error(cli.run_as(&session, describe).await, "ExpiredTokenException", "DescribeComplianceByConfigRule");
    let nobody = administrator("999999999999");
    assert_error(cli.run_as(&nobody, describe).await, "UnrecognizedClientException", "DescribeComplianceByConfigRule");
    cli.fault(FaultKind::AccessDenied);
    assert_error(cli.run(describe).await, "AccessDeniedException", "DescribeComplianceByConfigRule");
    cli.assert_drove(ROLES);
}

#[tokio::test]
async fn attached_policies() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    let of_aws = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    let (quarantine, own) = (of_aws("AWSCompromisedKeyQuarantineV3"), format!("arn:aws:iam::{MEMBER}:policy/own"));
    let ids: Vec<_> = (0..5).map(|n| account.create_user(&format!("bot-{n}"), today())).collect();
    for n in 0..5 {
        account.attach_policies(&format!("bot-{n}"), &[&quarantine, &own]);
    }
    account.create_user("plain", today());
    let cli = Cli::start(world).await;
    let attached = cli.run("iam list-attached-user-policies --user-name bot-1 --page-size 1").await.unwrap();
    let names = each(&attached["AttachedPolicies"], "PolicyName");
    assert_eq!(names, ["AWSCompromisedKeyQuarantineV3", "own"]);
    assert_eq!(each(&attached["AttachedPolicies"], "PolicyArn"), [&quarantine, &own]);
    assert_eq!(cli.calls_of("ListAttachedUserPolicies"), 2);
    let plain = cli.run("iam list-attached-user-policies --user-name plain").await.unwrap();
    assert_eq!(plain["AttachedPolicies"], json!([]));
    let nobody = cli.run("iam list-attached-user-policies --user-name nobody").await;
    assert_error(nobody, "NoSuchEntity", "ListAttachedUserPolicies");

    let list = |arn: &str, more: &str| format!("iam list-entities-for-policy --policy-arn {arn} {more}");
    let users = cli.run(&list(&quarantine, "--entity-filter User --page-size 2")).await.unwrap();
    assert_eq!(each(&users["PolicyUsers"], "UserId"), ids);
    assert_eq!(cli.calls_of("ListEntitiesForPolicy"), 3);
    for more in ["--entity-filter Role", "--policy-usage-filter PermissionsBoundary"] {
        assert_eq!(cli.run(&list(&quarantine, more)).await.unwrap()["PolicyUsers"], json!([]), "{more}");
    }
    let nobody = cli.run(&list(&of_aws("AWSCompromisedKeyQuarantine"), "")).await.unwrap();
    assert_eq!(nobody["PolicyUsers"], json!([]));
    let unknown = cli.run(&list(&of_aws("AWSCompromisedKeyQuarantineV9"), "")).await;
    assert_error(unknown, "NoSuchEntity", "ListEntitiesForPolicy");
    cli.assert_drove(ATTACHED_POLICIES);
}

#[tokio::test]
async fn credential_report() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    account.create_user("bot", today() - days(400));
    let key = account.create_key("bot", today() - days(400)).unwrap();
    account.use_key(&key, today() - days(300), REGION, "s3");
    let cli = Cli::start(world).await;
    let (generate, get) = ("iam generate-credential-report", "iam get-credential-report");
    let row = async || {
        let report = cli.run(get).await.unwrap();
        let csv = STANDARD.decode(report["Content"].as_str().unwrap()).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        let lines: Vec<_> = csv.lines().map(|line| line.split(',').collect::<Vec<_>>()).collect();
        assert!(lines.len() == 3 && lines.iter().all(|line| line.len() == 22), "{csv}");
        assert_eq!(
            [lines[0][9], lines[0][14], lines[1][0]],
            ["access_key_1_last_rotated", "access_key_2_last_rotated", "<root_account>"]
        );
        lines[2].iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()
    };
    assert_error(cli.run(get).await, "ReportNotPresent", "GetCredentialReport");
    assert_eq!(cli.run(generate).await.unwrap()["State"], "STARTED");
    assert_eq!(cli.run(generate).await.unwrap()["State"], "COMPLETE");
    let made =
        ["bot", "true", "2025-01-25T12:00:00+00:00", "2025-05-05T12:00:00+00:00", "us-east-1", "s3", "false", "N/A"];
    let seen = row().await;
    assert_eq!([&seen[0], &seen[8], &seen[9], &seen[10], &seen[11], &seen[12], &seen[13], &seen[14]], made);

    // The date moves when a key is made active, and with the next report.
    for (hours, status, active, rotated) in [
        (0, KeyStatus::Inactive, "true", "2025-01-25T12:00:00+00:00"),
        (5, KeyStatus::Active, "false", "2025-01-25T12:00:00+00:00"),
        (5, KeyStatus::Active, "true", "2026-03-01T17:00:00+00:00"),
    ] {
        cli.aws.world().advance(TimeDelta::hours(hours));
        if hours > 0 {
            assert_error(cli.run(get).await, "ReportExpired", "GetCredentialReport");
        }
        cli.run(generate).await.unwrap();
        let seen = row().await;
        assert_eq!([&seen[8], &seen[9]], [active, rotated]);
        cli.aws.world().account(MEMBER).set_key_status("bot", &key, status);
    }
    cli.assert_drove(CREDENTIAL_REPORT);
}

#[tokio::test]
async fn other_credentials() {
    let (git, bedrock) = ("codecommit.amazonaws.com", "bedrock.amazonaws.com");
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    for user in ["bot", "other"] {
        account.create_user(user, today() - days(400));
        account.create_service_specific_credential(user, git, today() - days(300), None).unwrap();
    }
    let expires = Some(today() + days(30));
    let id = account.create_service_specific_credential("bot", bedrock, today() - days(60), expires).unwrap();
    account.set_service_specific_credential_status("bot", &id, KeyStatus::Inactive);
    let cli = Cli::start(world).await;

    let present =
        async || cli.run("iam get-account-summary").await.unwrap()["SummaryMap"]["AccountAccessKeysPresent"].take();
    assert_eq!(present().await, 0);
    cli.aws.world().account(MEMBER).create_root_access_key(today() - days(4000));
    assert_eq!(present().await, 1);

    let list = "iam list-service-specific-credentials";
    let listed = async |options: &str| {
        let answer = cli.run(&format!("{list} {options}")).await.unwrap();
        let each = each(&answer["ServiceSpecificCredentials"], "UserName").join(" ");
        (each, answer["Marker"].as_str().map(str::to_owned))
    };
    assert_eq!(listed("--all-users").await, ("bot bot other".to_owned(), None));
    let (first, marker) = listed("--all-users --max-items 2").await;
    assert_eq!(first, "bot bot");
    let rest = format!("--all-users --max-items 2 --marker {}", marker.unwrap());
    assert_eq!(listed(&rest).await, ("other".to_owned(), None));
    assert_eq!(listed(&format!("--user-name bot --service-name {git}")).await.0, "bot");
    assert_eq!(listed("--all-users --service-name logs.amazonaws.com").await.0, "");

    let credentials = cli.run(&format!("{list} --user-name bot")).await.unwrap()["ServiceSpecificCredentials"].take();
    let credential = |n: usize, field: &str| credentials[n].get(field).and_then(Value::as_str);
    assert_eq!(
        [credential(0, "ServiceUserName"), credential(0, "ExpirationDate")],
        [Some("bot-at-444455556666"), None]
    );
    let expected = json!({
        "UserName": "bot",
        "Status": "Inactive",
        "ServiceCredentialAlias": "bot-at-0001",
        "CreateDate": "2025-12-31T12:00:00Z",
        "ExpirationDate": "2026-03-31T12:00:00Z",
        "ServiceSpecificCredentialId": id,
        "ServiceName": bedrock,
    });
    assert_eq!(credentials[1], expected);

    let operation = "ListServiceSpecificCredentials";
    let both = format!("{list} --all-users --user-name bot");
    assert_error(cli.run(&both).await, "ValidationError", operation);
    assert_error(cli.run(&format!("{list} --user-name nobody")).await, "NoSuchEntity", operation);
    assert_error(
        cli.run(&format!("{list} --all-users --service-name s3.amazonaws.com")).await,
        "NotSupportedService",
        operation,
    );
    cli.aws.world().account(MEMBER).list_service_specific_credentials(AllUsers::OfOneService);
    assert_error(cli.run(&format!("{list} --all-users")).await, "ValidationError", operation);
    assert_eq!(listed(&format!("--all-users --service-name {git}")).await.0, "bot other");
    cli.assert_drove(OTHER_CREDENTIALS);
}
