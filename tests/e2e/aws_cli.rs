//! The AWS CLI against the local AWS: AWS's own client, with AWS's own models, finds what it expects. The rule and the local
//! AWS alone could agree on a mistake. IAM and STS are in `aws_cli_iam.rs`, AWS Config in `aws_cli_config.rs`, Parameter
//! Store and CloudTrail in `aws_cli_records.rs`, Secrets Manager in `aws_cli_secrets.rs`.

use crate::{python, support::*};
use local_aws::{Credentials, Fault, FaultKind, LocalAws, Outcome, REGION, World};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What each scenario drives to success: together, every action that the local AWS has.
pub(crate) const USERS_AND_TAGS: &[&str] = &[
    "ListUsers",
    "GetAccountAuthorizationDetails",
    "GetUser",
    "CreateUser",
    "DeleteUser",
    "ListUserTags",
    "TagUser",
    "UntagUser",
];
pub(crate) const ACCESS_KEYS: &[&str] =
    &["ListAccessKeys", "GetAccessKeyLastUsed", "CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"];
pub(crate) const ATTACHED_POLICIES: &[&str] = &["ListEntitiesForPolicy", "ListAttachedUserPolicies"];
pub(crate) const CREDENTIAL_REPORT: &[&str] = &["GenerateCredentialReport", "GetCredentialReport"];
pub(crate) const OTHER_CREDENTIALS: &[&str] = &["GetAccountSummary", "ListServiceSpecificCredentials"];
pub(crate) const REMEDIATION: &[&str] =
    &["DescribeConfigRuleEvaluationStatus", "DescribeConfigRules", "DescribeRemediationExceptions"];
pub(crate) const ROLES: &[&str] = &["AssumeRole", "GetCallerIdentity"];
pub(crate) const CONFIG_RESULTS: &[&str] = &[
    "PutEvaluations",
    "GetComplianceDetailsByConfigRule",
    "GetComplianceDetailsByResource",
    "DescribeComplianceByConfigRule",
];
pub(crate) const ORGANIZATION: &[&str] = &["ListAccounts", "DescribeOrganization"];
pub(crate) const RECORDER: &[&str] = &["DescribeConfigurationRecorders", "DescribeConfigurationRecorderStatus"];
pub(crate) const ORGANIZATION_PACKS: &[&str] = &[
    "DescribeOrganizationConformancePacks",
    "DescribeOrganizationConformancePackStatuses",
    "GetOrganizationConformancePackDetailedStatus",
    "PutOrganizationConformancePack",
];
pub(crate) const EVENTS: &[&str] = &["PutEvents"];
pub(crate) const DOCUMENTS_AND_FUNCTIONS: &[&str] = &[
    "DescribeDocument",
    "GetServiceSetting",
    "GetPolicy",
    "GetFunctionConfiguration",
    "GetFunctionConcurrency",
    "GetAccountSettings",
];
pub(crate) const PARAMETERS: &[&str] =
    &["PutParameter", "GetParameter", "GetParametersByPath", "GetParameterHistory", "DeleteParameter"];
pub(crate) const LOOKUPS: &[&str] = &["LookupEvents"];
pub(crate) const KEYS_AND_REGIONS: &[&str] = &["GetAccessKeyInfo", "ListRegions"];
pub(crate) const SECRETS: &[&str] =
    &["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage", "ListSecrets"];

const AWS: &str = "target/venv/bin/aws";

/// Runs a command of the AWS CLI, whose words must have no spaces in them.
pub(crate) async fn run(aws: &LocalAws, caller: &Credentials, command: &str) -> Result<Value, String> {
    execute(aws, caller, AWS, &command.split_whitespace().collect::<Vec<_>>()).await
}

async fn execute(aws: &LocalAws, caller: &Credentials, program: &str, arguments: &[&str]) -> Result<Value, String> {
    let endpoint = aws.endpoint();
    let mut environment = vec![
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
    environment.extend(caller.session_token.as_ref().map(|token| ("AWS_SESSION_TOKEN", token.as_str())));
    let printed = python::run(program, arguments, &environment, "").await?;
    Ok(if printed.is_empty() { Value::Null } else { serde_json::from_str(&printed).unwrap() })
}

pub(crate) struct Cli {
    pub(crate) aws: LocalAws,
}

impl Cli {
    pub(crate) async fn start(world: World) -> Cli {
        Cli { aws: LocalAws::start(world).await.unwrap() }
    }

    /// Runs a command, whose words must have no spaces in them, as the member's administrator.
    pub(crate) async fn run(&self, command: &str) -> Result<Value, String> {
        self.run_as(&administrator(MEMBER), command).await
    }

    pub(crate) async fn run_as(&self, caller: &Credentials, command: &str) -> Result<Value, String> {
        run(&self.aws, caller, command).await
    }

    pub(crate) async fn put_evaluations(
        &self,
        token: &str,
        evaluations: &[Value],
        test_mode: bool,
    ) -> Result<Value, String> {
        let input = json!({ "ResultToken": token, "Evaluations": evaluations, "TestMode": test_mode }).to_string();
        let arguments = ["configservice", "put-evaluations", "--cli-input-json", &input];
        self.execute(&administrator(MEMBER), AWS, &arguments).await
    }

    /// What a program prints, JSON or nothing, or the text of its error.
    async fn execute(&self, caller: &Credentials, program: &str, arguments: &[&str]) -> Result<Value, String> {
        execute(&self.aws, caller, program, arguments).await
    }

    pub(crate) fn assert_drove(&self, actions: &[&str]) {
        let world = self.aws.world();
        for action in actions {
            let succeeded = world.calls().iter().any(|call| call.action == *action && call.outcome == Outcome::Ok);
            assert!(succeeded, "{action}");
        }
    }

    pub(crate) fn fault(&self, kind: FaultKind) {
        self.aws.world().faults.add(Fault { account: None, action: None, user: None, kind });
    }

    pub(crate) fn calls_of(&self, action: &str) -> usize {
        self.aws.world().calls().iter().filter(|call| call.action == action).count()
    }
}

/// Fails unless the CLI reports that error of the service.
#[track_caller]
pub(crate) fn assert_error(answer: Result<Value, String>, code: &str, operation: &str) {
    let error = answer.unwrap_err();
    let expected = format!("An error occurred ({code}) when calling the {operation} operation: ");
    assert!(error.contains(&expected), "{error}");
}

/// The field of each item of a list.
pub(crate) fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap()).collect()
}

pub(crate) fn administrator(account: &str) -> Credentials {
    let access_key_id = format!("AKIALOCAL{account}");
    Credentials { access_key_id, secret_access_key: "any".to_owned(), session_token: None }
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

    let (destination, setting) = ("/ssm/automation/customer-script-log-destination", "GetServiceSetting");
    let get = async |id: &str| cli.run(&format!("ssm get-service-setting --setting-id {id}")).await;
    assert_eq!(get(destination).await.unwrap()["ServiceSetting"]["Status"], "Default");
    cli.aws.world().account(MEMBER).set_service_setting(destination, "CloudWatch");
    let arn = format!("arn:aws:ssm:{REGION}:{MEMBER}:servicesetting{destination}");
    for id in [destination, &arn] {
        let found = get(id).await.unwrap()["ServiceSetting"].take();
        let found =
            ["SettingId", "SettingValue", "Status", "ARN"].map(|field| found[field].as_str().unwrap().to_owned());
        assert_eq!(found, [destination, "CloudWatch", "Customized", &arn]);
    }
    assert_error(get("/ssm/other").await, "ServiceSettingNotFound", setting);

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

    let concurrency = "lambda get-function-concurrency --function-name rule";
    // The AWS CLI prints nothing for an empty answer.
    assert!(cli.run(concurrency).await.unwrap()["ReservedConcurrentExecutions"].is_null());
    cli.aws.world().account(MEMBER).reserve_concurrency("rule", Some(0));
    assert_eq!(cli.run(concurrency).await.unwrap()["ReservedConcurrentExecutions"], 0);
    cli.aws.world().account(MEMBER).reserve_concurrency("rule", Some(20));
    let missing = cli.run("lambda get-function-concurrency --function-name other").await;
    assert_error(missing, "ResourceNotFoundException", "GetFunctionConcurrency");
    let limits = async |options: &str| {
        let settings = cli.run(&format!("lambda get-account-settings{options}")).await.unwrap();
        ["ConcurrentExecutions", "UnreservedConcurrentExecutions"].map(|limit| settings["AccountLimit"][limit].as_u64())
    };
    assert_eq!(limits("").await, [Some(1_000), Some(980)]);
    assert_eq!(limits(" --region eu-central-1").await, [Some(1_000), Some(1_000)]);
    cli.aws.world().account(MEMBER).set_concurrent_executions(120);
    assert_eq!(limits("").await, [Some(120), Some(100)]);

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

    cli.execute(&administrator(MEMBER), "tests/rollout/every_operation.py", &[]).await.unwrap();
    let unknown = ["InvalidAction", "UnknownOperationException"].map(|code| Outcome::Error(code.to_owned()));
    let world = cli.aws.world();
    let known = world.calls().iter().filter(|call| !unknown.contains(&call.outcome)).map(|call| call.action.as_str());
    let driven = [
        &[USERS_AND_TAGS, ACCESS_KEYS, ATTACHED_POLICIES, CREDENTIAL_REPORT, ROLES, CONFIG_RESULTS, REMEDIATION][..],
        &[ORGANIZATION, RECORDER, ORGANIZATION_PACKS, EVENTS, DOCUMENTS_AND_FUNCTIONS, PARAMETERS, LOOKUPS],
        &[SECRETS, OTHER_CREDENTIALS, KEYS_AND_REGIONS],
    ];
    assert_eq!(known.collect::<BTreeSet<_>>(), driven.concat().concat().into_iter().collect());
}
