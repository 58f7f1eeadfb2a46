//! The AWS CLI against the local AWS: AWS's own client, with AWS's own models, finds what it expects. The rule and the local
//! AWS alone could agree on a mistake.

use crate::support::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use local_aws::{
    Credentials, Failing, Fault, FaultKind, KeyStatus, LocalAws, Outcome, REGION, Recorder, World, events,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::Path};
use tokio::process::Command;

/// What each scenario drives to success: together, every action that the local AWS has.
const USERS_AND_TAGS: &[&str] =
    &["ListUsers", "GetUser", "CreateUser", "DeleteUser", "ListUserTags", "TagUser", "UntagUser"];
const ACCESS_KEYS: &[&str] =
    &["ListAccessKeys", "GetAccessKeyLastUsed", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"];
const CREDENTIAL_REPORT: &[&str] = &["GenerateCredentialReport", "GetCredentialReport"];
const REMEDIATION: &[&str] = &["DescribeConfigRules", "DescribeRemediationExceptions"];
const ROLES: &[&str] = &["AssumeRole", "GetCallerIdentity"];
const CONFIG_RESULTS: &[&str] =
    &["PutEvaluations", "GetComplianceDetailsByConfigRule", "DescribeComplianceByConfigRule"];
const ORGANIZATION: &[&str] = &["ListAccounts", "DescribeOrganization"];
const RECORDER: &[&str] = &["DescribeConfigurationRecorders", "DescribeConfigurationRecorderStatus"];
const ORGANIZATION_PACKS: &[&str] =
    &["DescribeOrganizationConformancePackStatuses", "GetOrganizationConformancePackDetailedStatus"];
const DOCUMENTS_AND_FUNCTIONS: &[&str] = &["DescribeDocument", "GetPolicy", "GetFunctionConfiguration"];

/// Calls each operation of the services' models once, with no parameters but those that are in the path.
const EVERY_OPERATION: &str = r#"
from awscli.botocore.config import Config
from awscli.botocore.session import Session

for service in ("iam", "sts", "config", "organizations", "ssm", "lambda"):
    client = Session().create_client(service, config=Config(parameter_validation=False))
    for operation in client.meta.service_model.operation_names:
        shape = client.meta.service_model.operation_model(operation).input_shape
        members = shape.members.items() if shape else []
        path = {name: "x" for name, member in members if member.serialization.get("location") == "uri"}
        try:
            client._make_api_call(operation, path)
        except client.exceptions.ClientError:
            pass
"#;

struct Cli {
    aws: LocalAws,
}

impl Cli {
    async fn start(world: World) -> Cli {
        Cli { aws: LocalAws::start(world).await.unwrap() }
    }

    /// Runs a command, whose words must have no spaces in them, as the member's administrator.
    async fn run(&self, command: &str) -> Result<Value, String> {
        self.run_as(&administrator(MEMBER), command).await
    }

    async fn run_as(&self, caller: &Credentials, command: &str) -> Result<Value, String> {
        self.execute(caller, "aws", &command.split_whitespace().collect::<Vec<_>>()).await
    }

    async fn put_evaluations(&self, token: &str, evaluations: &[Value], test_mode: bool) -> Result<Value, String> {
        let input = json!({ "ResultToken": token, "Evaluations": evaluations, "TestMode": test_mode }).to_string();
        let arguments = ["configservice", "put-evaluations", "--cli-input-json", &input];
        self.execute(&administrator(MEMBER), "aws", &arguments).await
    }

    /// What a program of the CLI's virtual environment prints: JSON or nothing, or the text of its error.
    async fn execute(&self, caller: &Credentials, program: &str, arguments: &[&str]) -> Result<Value, String> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/venv/bin").join(program);
        assert!(program.exists(), "{} is missing: run tests/run, which installs the AWS CLI", program.display());
        let endpoint = self.aws.endpoint();
        let environment = [
            // Whoever runs the tests may have settings of their own at home.
            ("HOME", "/nonexistent"),
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_ACCESS_KEY_ID", &caller.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &caller.secret_access_key),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_REGION", REGION),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_PAGER", ""),
        ];
        let mut command = Command::new(program);
        command.args(arguments).env_clear().envs(environment);
        command.envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
        command.envs(caller.session_token.as_ref().map(|token| ("AWS_SESSION_TOKEN", token)));
        let output = command.kill_on_drop(true).output().await.unwrap();
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        Ok(if printed.is_empty() { Value::Null } else { serde_json::from_str(&printed).unwrap() })
    }

    fn assert_drove(&self, actions: &[&str]) {
        let world = self.aws.world();
        for action in actions {
            let succeeded = world.calls().iter().any(|call| call.action == *action && call.outcome == Outcome::Ok);
            assert!(succeeded, "{action}");
        }
    }

    fn fault(&self, kind: FaultKind) {
        self.aws.world().faults.add(Fault { account: None, action: None, user: None, kind });
    }

    fn calls_of(&self, action: &str) -> usize {
        self.aws.world().calls().iter().filter(|call| call.action == action).count()
    }
}

/// Fails unless the CLI reports that error of the service.
#[track_caller]
fn assert_error(answer: Result<Value, String>, code: &str, operation: &str) {
    let error = answer.unwrap_err();
    let expected = format!("An error occurred ({code}) when calling the {operation} operation: ");
    assert!(error.contains(&expected), "{error}");
}

/// The field of each item of a list.
fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

fn administrator(account: &str) -> Credentials {
    let access_key_id = format!("AKIALOCAL{account}");
    Credentials { access_key_id, secret_access_key: "any".to_owned(), session_token: None }
}

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
async fn config_results() {
    let mut world = World::new(today());
    for n in 0..27 {
        world.account(MEMBER).add_rule(&format!("rule-{n:02}"));
    }
    let event = events::scheduled(&mut world, MEMBER, RULE, &[]);
    let token = event["resultToken"].as_str().unwrap();
    let cli = Cli::start(world).await;
    let details = format!("configservice get-compliance-details-by-config-rule --config-rule-name {RULE}");
    let describe = "configservice describe-compliance-by-config-rule";
    let evaluation = |n: usize, compliance: &str, annotation: &str| {
        json!({
            "ComplianceResourceType": "AWS::IAM::User",
            "ComplianceResourceId": format!("AIDA{n:017}"),
            "ComplianceType": compliance,
            "Annotation": annotation,
            "OrderingTimestamp": "2026-03-01T11:59:59Z",
        })
    };
    let verdict = |n: usize| ["COMPLIANT", "NON_COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"][n % 4];
    let evaluations: Vec<_> = (0..100).map(|n| evaluation(n, verdict(n), "Älter als 90 Tage")).collect();

    let empty = json!({ "FailedEvaluations": [] });
    assert_eq!(cli.put_evaluations("TESTMODE", &evaluations, true).await, Ok(empty));
    let written = cli.run(&details).await.unwrap();
    assert_eq!(written["EvaluationResults"], json!([]), "a dry run writes nothing");
    let which = Failing::Ids(vec![format!("AIDA{:017}", 7)]);
    cli.fault(FaultKind::FailedEvaluations { times: 1, which });
    let answer = cli.put_evaluations(token, &evaluations, false).await.unwrap();
    assert_eq!(each(&answer["FailedEvaluations"], "ComplianceResourceId"), [format!("AIDA{:017}", 7)]);

    let one = evaluation(100, "COMPLIANT", "x");
    for (token, evaluations, code) in [
        (token, vec![evaluation(0, "COMPLIANT", &"x".repeat(257))], "ValidationException"),
        (token, vec![evaluation(0, "INSUFFICIENT_DATA", "x")], "InvalidParameterValueException"),
        (token, [evaluations, vec![one.clone()]].concat(), "ValidationException"),
        ("no-token", vec![one], "InvalidResultTokenException"),
    ] {
        assert_error(cli.put_evaluations(token, &evaluations, false).await, code, "PutEvaluations");
    }

    let before = cli.calls_of("GetComplianceDetailsByConfigRule");
    let all = cli.run(&format!("{details} --page-size 30")).await.unwrap()["EvaluationResults"].take();
    assert_eq!(cli.calls_of("GetComplianceDetailsByConfigRule") - before, 3);
    let ids = |list: &Value| -> Vec<String> {
        let qualifier = |item: &Value| item["EvaluationResultIdentifier"]["EvaluationResultQualifier"].clone();
        let id = |item: &Value| qualifier(item)["ResourceId"].as_str().unwrap().to_owned();
        list.as_array().unwrap().iter().map(id).collect()
    };
    let sent = |keep: fn(&str) -> bool| -> Vec<_> {
        (0..100).filter(|n| keep(verdict(*n))).map(|n| format!("AIDA{n:017}")).collect()
    };
    assert_eq!(ids(&all), sent(|verdict| verdict != "NOT_APPLICABLE"));
    assert_eq!([&all[1]["ComplianceType"], &all[1]["Annotation"]], ["NON_COMPLIANT", "Älter als 90 Tage"]);
    assert_eq!(all[1]["EvaluationResultIdentifier"]["OrderingTimestamp"], 1_772_366_399.0);
    assert_eq!([&all[1]["ResultRecordedTime"], &all[1]["ConfigRuleInvokedTime"]], [1_772_366_400.0; 2]);
    let details = format!("{details} --compliance-types NON_COMPLIANT --limit 40");
    let first = cli.run(&details).await.unwrap();
    let next = first["NextToken"].as_str().unwrap();
    let rest = cli.run(&format!("{details} --next-token {next}")).await.unwrap();
    let both = [ids(&first["EvaluationResults"]), ids(&rest["EvaluationResults"])];
    assert_eq!(both.each_ref().map(Vec::len), [40, 10]);
    assert_eq!(both.concat(), sent(|verdict| verdict == "NON_COMPLIANT"));
    let stray = cli.run(&format!("{details} --next-token stray")).await;
    assert_error(stray, "InvalidNextTokenException", "GetComplianceDetailsByConfigRule");

    let rules = cli.run(describe).await.unwrap()["ComplianceByConfigRules"].take();
    assert_eq!(rules.as_array().unwrap().len(), 28);
    assert_eq!(cli.calls_of("DescribeComplianceByConfigRule"), 2);
    let count = json!({ "CappedCount": 25, "CapExceeded": true });
    let compliance = json!({ "ComplianceType": "NON_COMPLIANT", "ComplianceContributorCount": count });
    assert_eq!(rules[0], json!({ "ConfigRuleName": RULE, "Compliance": compliance }));
    assert_eq!(rules[1]["Compliance"], json!({ "ComplianceType": "INSUFFICIENT_DATA" }));
    let elsewhere = cli.run(&format!("{describe} --config-rule-names {RULE} --region eu-central-1")).await;
    assert_error(elsewhere, "NoSuchConfigRuleException", "DescribeComplianceByConfigRule");
    cli.assert_drove(CONFIG_RESULTS);
}

#[tokio::test]
async fn organization() {
    let mut world = World::new(today());
    for id in [HUB, MEMBER, OTHER_MEMBER] {
        world.account(id);
    }
    let organization = world.organization(HUB);
    organization.delegate_to(MEMBER);
    organization.add_account(MEMBER, "security", "ACTIVE");
    organization.add_account("000000000001", "left", "CLOSED");
    for n in 0..42 {
        organization.add_account(&format!("{:012}", 555_500_000_000_u64 + n), &format!("team {n}"), "ACTIVE");
    }
    let cli = Cli::start(world).await;
    let list = "organizations list-accounts";

    for caller in [HUB, MEMBER] {
        cli.aws.world().clear_calls();
        let accounts = cli.run_as(&administrator(caller), list).await.unwrap()["Accounts"].take();
        assert_eq!(cli.calls_of("ListAccounts"), 3, "pages of 20");
        let ids = each(&accounts, "Id");
        assert_eq!((ids.len(), ids.is_sorted()), (45, true), "{ids:?}");
        let names = each(&accounts, "Name");
        assert_eq!(names[..3], ["left", "management", "security"]);
    }
    let left = json!({
        "Id": "000000000001",
        "Arn": format!("arn:aws:organizations::{HUB}:account/o-exampleorgid/000000000001"),
        "Email": "000000000001@example.com",
        "Name": "left",
        "Status": "SUSPENDED",
        "State": "CLOSED",
        "JoinedMethod": "CREATED",
        "JoinedTimestamp": 1_772_366_400.0,
    });
    assert_eq!(cli.run(&format!("{list} --max-items 1")).await.unwrap()["Accounts"], json!([left]));
    assert_error(cli.run(&format!("{list} --page-size 21")).await, "InvalidInputException", "ListAccounts");

    let ours = cli.run("organizations describe-organization").await.unwrap()["Organization"].take();
    assert_eq!([&ours["Id"], &ours["MasterAccountId"], &ours["FeatureSet"]], ["o-exampleorgid", HUB, "ALL"]);
    let stranger = administrator(OTHER_MEMBER);
    let not_in_use = "AWSOrganizationsNotInUseException";
    assert_error(cli.run_as(&stranger, list).await, not_in_use, "ListAccounts");
    cli.aws.world().organization(HUB).add_account(OTHER_MEMBER, "plain", "ACTIVE");
    assert_error(cli.run_as(&stranger, list).await, "AccessDeniedException", "ListAccounts");
    let ours = cli.run_as(&stranger, "organizations describe-organization").await.unwrap();
    assert_eq!(ours["Organization"]["MasterAccountId"], HUB);
    cli.fault(FaultKind::Throttle { probability: 1.0 });
    let throttled = cli.run(list).await.unwrap_err();
    assert!(throttled.contains("(TooManyRequestsException)"), "{throttled}");
    cli.assert_drove(ORGANIZATION);
}

#[tokio::test]
async fn recorder() {
    let mut world = World::new(today());
    world.account(OTHER_MEMBER);
    world.account(MEMBER).set_recorder(Some(Recorder::of_everything()));
    let cli = Cli::start(world).await;
    let (describe, status) = ("describe-configuration-recorders", "describe-configuration-recorder-status");
    let run = async |command: &str| cli.run(&format!("configservice {command}")).await;

    let recorder = run(describe).await.unwrap()["ConfigurationRecorders"][0].take();
    assert_eq!([&recorder["name"], &recorder["recordingMode"]["recordingFrequency"]], ["default", "CONTINUOUS"]);
    assert_eq!(recorder["recordingGroup"]["includeGlobalResourceTypes"], true);
    let running = run(status).await.unwrap()["ConfigurationRecordersStatus"][0].take();
    assert_eq!((&running["recording"], &running["lastStatus"]), (&json!(true), &json!("Success")));
    let named = run(&format!("{describe} --configuration-recorder-names other")).await;
    assert_error(named, "NoSuchConfigurationRecorderException", "DescribeConfigurationRecorders");
    let elsewhere = run(&format!("{describe} --region eu-central-1")).await.unwrap();
    assert_eq!(elsewhere["ConfigurationRecorders"], json!([]));
    let none = cli.run_as(&administrator(OTHER_MEMBER), &format!("configservice {status}")).await.unwrap();
    assert_eq!(none["ConfigurationRecordersStatus"], json!([]));

    let failing = Recorder { last_status: "Failure", recording: false, ..Recorder::of_everything() };
    cli.aws.world().account(MEMBER).set_recorder(Some(failing));
    let stopped = run(status).await.unwrap()["ConfigurationRecordersStatus"][0].take();
    assert_eq!((&stopped["recording"], &stopped["lastErrorCode"]), (&json!(false), &json!("AccessDenied")));
    cli.assert_drove(RECORDER);
}

#[tokio::test]
async fn organization_packs() {
    let mut world = World::new(today());
    let pack = (HUB, REGION, "rotation");
    for id in [HUB, MEMBER] {
        world.account(id);
        world.organization(HUB).add_account(id, "any", "ACTIVE");
    }
    for n in 0..5 {
        world.organization(HUB).set_pack(pack, &format!("{n:012}"), "CREATE_SUCCESSFUL", None);
    }
    let cli = Cli::start(world).await;
    let run = async |command: &str| cli.run_as(&administrator(HUB), &format!("configservice {command}")).await;
    let (statuses, name) = ("describe-organization-conformance-pack-statuses", "OrganizationConformancePackStatuses");
    let details = "get-organization-conformance-pack-detailed-status --organization-conformance-pack-name rotation";

    let status = run(statuses).await.unwrap()[name][0].take();
    let named = [&status["OrganizationConformancePackName"], &status["Status"]];
    assert_eq!(named, ["rotation", "CREATE_SUCCESSFUL"]);
    let missing = run(&format!("{statuses} --organization-conformance-pack-names other")).await;
    let operation = "DescribeOrganizationConformancePackStatuses";
    assert_error(missing, "NoSuchOrganizationConformancePackException", operation);
    let elsewhere = run(&format!("{statuses} --region eu-central-1")).await.unwrap();
    assert_eq!(elsewhere[name], json!([]));
    let stranger = cli.run(&format!("configservice {statuses}")).await;
    assert_error(stranger, "OrganizationAccessDeniedException", operation);

    let (code, message) = ("NoAvailableConfigurationRecorder", "no recorder here");
    cli.aws.world().organization(HUB).set_pack(pack, "000000000001", "CREATE_FAILED", Some((code, message)));
    let all = run(&format!("{details} --page-size 2")).await.unwrap();
    let all = &all["OrganizationConformancePackDetailedStatuses"];
    assert_eq!(each(all, "AccountId"), (0..5).map(|n| format!("{n:012}")).collect::<Vec<_>>());
    assert_eq!(cli.calls_of("GetOrganizationConformancePackDetailedStatus"), 3);
    assert_eq!([&all[1]["ErrorCode"], &all[1]["ErrorMessage"]], [code, message]);
    assert_eq!(run(statuses).await.unwrap()[name][0]["Status"], "CREATE_FAILED");
    let missing = run(&details.replace("rotation", "other")).await;
    let operation = "GetOrganizationConformancePackDetailedStatus";
    assert_error(missing, "NoSuchOrganizationConformancePackException", operation);
    assert!(cli.aws.world().organization(HUB).delete_pack(pack));
    assert_eq!(run(statuses).await.unwrap()[name], json!([]));
    cli.aws.world().refuse_region("af-south-1", "UnrecognizedClientException");
    let refused = run(&format!("{statuses} --region af-south-1")).await;
    assert_error(refused, "UnrecognizedClientException", "DescribeOrganizationConformancePackStatuses");
    cli.assert_drove(ORGANIZATION_PACKS);
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
async fn remediation() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    for n in 0..30 {
        account.set_rule_function(&format!("rule-{n:02}"), "arn:aws:lambda:us-east-1:111122223333:function:any");
        account.add_remediation_exception("rule-00", &format!("AIDA{n:02}"));
    }
    let cli = Cli::start(world).await;
    let rules = cli.run("configservice describe-config-rules").await.unwrap();
    assert_eq!(
        each(&rules["ConfigRules"], "ConfigRuleName"),
        (0..30).map(|n| format!("rule-{n:02}")).collect::<Vec<_>>()
    );
    assert_eq!(cli.calls_of("DescribeConfigRules"), 2);
    let source = &rules["ConfigRules"][0]["Source"]["SourceIdentifier"];
    assert_eq!(source, "arn:aws:lambda:us-east-1:111122223333:function:any");
    let other = cli.run("configservice describe-config-rules --config-rule-names other").await;
    assert_error(other, "NoSuchConfigRuleException", "DescribeConfigRules");

    let exceptions = "configservice describe-remediation-exceptions --config-rule-name";
    // The AWS CLI does not follow the pages of this one.
    let first = cli.run(&format!("{exceptions} rule-00")).await.unwrap();
    let rest = format!("{exceptions} rule-00 --limit 5 --next-token {}", first["NextToken"].as_str().unwrap());
    let rest = cli.run(&rest).await.unwrap();
    let pages = [&first, &rest].map(|page| each(&page["RemediationExceptions"], "ResourceId"));
    assert_eq!(pages.concat(), (0..30).map(|n| format!("AIDA{n:02}")).collect::<Vec<_>>());
    assert_eq!((pages[0].len(), rest.get("NextToken")), (25, None));
    assert_eq!(cli.run(&format!("{exceptions} rule-01")).await.unwrap()["RemediationExceptions"], json!([]));
    let wrong = cli.run(&format!("{exceptions} rule-01 --limit 101")).await;
    assert_error(wrong, "ValidationException", "DescribeRemediationExceptions");
    cli.assert_drove(REMEDIATION);
}

#[tokio::test]
async fn documents_and_functions() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    account.add_document("Runbook", "Active");
    account.add_function("rule");
    let cli = Cli::start(world).await;
    let describe = "ssm describe-document --name Runbook";
    let policy = "lambda get-policy --function-name rule";

    let document = cli.run(describe).await.unwrap()["Document"].take();
    assert_eq!(
        [&document["Name"], &document["Status"], &document["DocumentType"]],
        ["Runbook", "Active", "Automation"]
    );
    cli.aws.world().account(MEMBER).set_document_versions("Runbook", 1, 2);
    let document = cli.run(describe).await.unwrap()["Document"].take();
    assert_eq!([&document["DefaultVersion"], &document["LatestVersion"]], ["1", "2"]);
    assert_error(cli.run(&format!("{describe}s")).await, "InvalidDocument", "DescribeDocument");
    assert_error(cli.run(&format!("{describe} --region eu-central-1")).await, "InvalidDocument", "DescribeDocument");

    let function = cli.run("lambda get-function-configuration --function-name rule").await.unwrap();
    assert_eq!(function["FunctionArn"], format!("arn:aws:lambda:{REGION}:{MEMBER}:function:rule"));
    let missing = cli.run("lambda get-function-configuration --function-name other").await;
    assert_error(missing, "ResourceNotFoundException", "GetFunctionConfiguration");
    assert_error(cli.run(policy).await, "ResourceNotFoundException", "GetPolicy");
    cli.aws.world().account(MEMBER).let_config_invoke("rule", None);
    cli.aws.world().account(MEMBER).let_config_invoke("rule", Some(HUB));
    let answer = cli.run(policy).await.unwrap();
    let document: Value = serde_json::from_str(answer["Policy"].as_str().unwrap()).unwrap();
    assert_eq!(document["Statement"][0].get("Condition"), None);
    let condition = json!({ "StringEquals": { "AWS:SourceAccount": HUB } });
    assert_eq!(document["Statement"][1]["Condition"], condition);

    cli.fault(FaultKind::Throttle { probability: 1.0 });
    for (command, code) in [(describe, "(ThrottlingException)"), (policy, "(TooManyRequestsException)")] {
        let throttled = cli.run(command).await.unwrap_err();
        assert!(throttled.contains(code), "{throttled}");
    }
    cli.assert_drove(DOCUMENTS_AND_FUNCTIONS);
}

#[tokio::test]
async fn no_action_of_the_local_aws_is_left_out() {
    let mut world = World::new(today());
    world.account(MEMBER);
    let cli = Cli::start(world).await;
    assert_error(cli.run("iam list-roles").await, "InvalidAction", "ListRoles");
    let unknown = cli.run("configservice describe-delivery-channels").await;
    assert_error(unknown, "UnknownOperationException", "DescribeDeliveryChannels");

    cli.execute(&administrator(MEMBER), "python", &["-c", EVERY_OPERATION]).await.unwrap();
    let unknown = ["InvalidAction", "UnknownOperationException"].map(|code| Outcome::Error(code.to_owned()));
    let world = cli.aws.world();
    let known = world.calls().iter().filter(|call| !unknown.contains(&call.outcome)).map(|call| call.action.as_str());
    let driven = [
        &[USERS_AND_TAGS, ACCESS_KEYS, CREDENTIAL_REPORT, ROLES, CONFIG_RESULTS, REMEDIATION][..],
        &[ORGANIZATION, RECORDER, ORGANIZATION_PACKS, DOCUMENTS_AND_FUNCTIONS],
    ];
    assert_eq!(known.collect::<BTreeSet<_>>(), driven.concat().concat().into_iter().collect());
}
