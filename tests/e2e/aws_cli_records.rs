//! What the runbooks keep and ask about access keys besides IAM, by the AWS CLI: Parameter Store and CloudTrail of the local AWS.

use crate::{
    aws_cli::{Cli, KEYS_AND_REGIONS, LOOKUPS, PARAMETERS, administrator, assert_error, each},
    support::*,
};
use chrono::{DateTime, Utc};
use local_aws::{FaultKind, KeyStatus::*, KeyUses, REGION, World};
use serde_json::{Value, json};

#[tokio::test]
async fn parameters() {
    let mut world = World::new(today());
    world.account(OTHER_MEMBER);
    world.account(MEMBER).set_parameter("/records/other/c", "by somebody else");
    let cli = Cli::start(world).await;
    let put = "ssm put-parameter --name /records/keys/a --value";

    assert_error(cli.run(&format!("{put} 1")).await, "ValidationException", "PutParameter");
    let created = cli.run(&format!("{put} 1 --type String")).await;
    assert_eq!(created, Ok(json!({ "Version": 1, "Tier": "Standard" })));
    assert_error(cli.run(&format!("{put} 2 --type String")).await, "ParameterAlreadyExists", "PutParameter");
    assert_eq!(cli.run(&format!("{put} 2 --overwrite")).await.unwrap()["Version"], 2);
    let longest = cli.run(&format!("{put} {} --overwrite", "x".repeat(4096))).await;
    assert_eq!(longest.unwrap()["Version"], 3);
    let too_long = cli.run(&format!("{put} {} --overwrite", "x".repeat(4097))).await;
    assert_error(too_long, "ValidationException", "PutParameter");
    assert_error(cli.run(&format!("{put} {{{{x}}}} --overwrite")).await, "ValidationException", "PutParameter");
    assert_error(
        cli.run(&format!("{} 1", put.replace("/records", "records"))).await,
        "ValidationException",
        "PutParameter",
    );
    let deep = format!("ssm put-parameter --type String --value 1 --name {}", "/x".repeat(16));
    assert_error(cli.run(&deep).await, "HierarchyLevelLimitExceededException", "PutParameter");

    cli.aws.world().account(MEMBER).set_parameter("/records/keys/a", "2");
    let got = cli.run("ssm get-parameter --name /records/keys/a").await.unwrap();
    let expected = json!({
        "Name": "/records/keys/a",
        "Type": "String",
        "Value": "2",
        "Version": 4,
        "LastModifiedDate": today().timestamp() as f64,
        "ARN": format!("arn:aws:ssm:{REGION}:{MEMBER}:parameter/records/keys/a"),
        "DataType": "text",
    });
    assert_eq!(got, json!({ "Parameter": expected }));
    let unknown = cli.run("ssm get-parameter --name /records/keys/b").await;
    assert_error(unknown, "ParameterNotFound", "GetParameter");
    let history = cli.run("ssm get-parameter-history --name /records/keys/a").await.unwrap();
    let versions: Vec<_> =
        history["Parameters"].as_array().unwrap().iter().map(|one| one["Version"].as_u64()).collect();
    assert_eq!(versions, [1, 2, 3, 4].map(Some));
    let unknown = cli.run("ssm get-parameter-history --name /records/keys/b").await;
    assert_error(unknown, "ParameterNotFound", "GetParameterHistory");
    let by_path = "ssm get-parameters-by-path --path /records";
    assert_eq!(cli.run(by_path).await.unwrap()["Parameters"], json!([]), "only what is directly there");
    for n in 0..12 {
        cli.aws.world().account(MEMBER).set_parameter(&format!("/records/keys/k{n:02}"), "x");
    }
    let before = cli.calls_of("GetParametersByPath");
    let keys = cli.run(&format!("{by_path}/keys/")).await.unwrap();
    assert_eq!((each(&keys["Parameters"], "Name").len(), cli.calls_of("GetParametersByPath") - before), (13, 2));
    let all = cli.run(&format!("{by_path} --recursive")).await.unwrap();
    assert_eq!(each(&all["Parameters"], "Name").last(), Some(&"/records/other/c"));
    let page = format!("{by_path}/keys --max-results 11 --no-paginate");
    assert_error(cli.run(&page).await, "ValidationException", "GetParametersByPath");
    assert_error(
        cli.run(&format!("{by_path} --no-paginate --next-token x")).await,
        "InvalidNextToken",
        "GetParametersByPath",
    );
    // Each Region and each account has its own.
    for elsewhere in [
        cli.run(&format!("{by_path} --recursive --region eu-central-1")).await,
        cli.run_as(&administrator(OTHER_MEMBER), &format!("{by_path} --recursive")).await,
    ] {
        assert_eq!(elsewhere.unwrap()["Parameters"], json!([]));
    }

    let delete = "ssm delete-parameter --name /records/keys/a";
    cli.run(delete).await.unwrap();
    assert_error(cli.run(delete).await, "ParameterNotFound", "DeleteParameter");
    {
        let mut world = cli.aws.world();
        let account = world.account(MEMBER);
        assert!(account.remove_parameter("/records/other/c") && !account.remove_parameter("/records/other/c"));
        assert_eq!(account.parameters().len(), 12);
    }
    cli.fault(FaultKind::AccessDenied);
    assert_error(cli.run(by_path).await, "AccessDeniedException", "GetParametersByPath");
    cli.assert_drove(PARAMETERS);
}

#[tokio::test]
async fn events_of_access_keys() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    account.create_user("bot", today() - days(400));
    let key = account.create_key("bot", today() - days(400)).unwrap();
    for (ago, role, status) in [(91, "gone", Inactive), (90, "apply", Active), (10, "runbook", Inactive)] {
        assert!(account.set_key_status_by(role, today() - days(ago), "bot", &key, status));
    }
    account.set_trail_delay(chrono::TimeDelta::minutes(5));
    // How fast the AWS CLI starts is no part of this test.
    account.set_lookups_per_second(1000.0);
    let session = world.credentials(MEMBER, "pipelines/ci");
    let cli = Cli::start(world).await;
    let lookup = "cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=UpdateAccessKey";
    let of = async |command: &str| {
        let answer = cli.run(command).await.unwrap();
        let events = answer["Events"].as_array().unwrap().clone();
        events.iter().map(|event| serde_json::from_str(event["CloudTrailEvent"].as_str().unwrap()).unwrap()).collect()
    };
    let who = |events: &[Value]| -> Vec<_> {
        let issuer = |event: &Value| event["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"].clone();
        events.iter().map(issuer).collect()
    };

    let update = format!("iam update-access-key --user-name bot --access-key-id {key} --status Active");
    cli.run_as(&session, &update).await.unwrap();
    let events: Vec<Value> = of(lookup).await;
    assert_eq!(who(&events), ["runbook", "apply"], "not yet delivered, and 90 days");
    cli.aws.world().advance(chrono::TimeDelta::minutes(5));
    let events: Vec<Value> = of(lookup).await;
    assert_eq!(who(&events), ["ci", "runbook"]);
    let event = &events[0];
    assert_eq!(event["requestParameters"], json!({ "userName": "bot", "accessKeyId": key, "status": "Active" }));
    assert_eq!(
        [&event["eventName"], &event["eventSource"], &event["eventTime"], &event["recipientAccountId"]],
        ["UpdateAccessKey", "iam.amazonaws.com", "2026-03-01T12:00:00Z", MEMBER]
    );
    let identity = &event["userIdentity"];
    assert_eq!(
        [&identity["type"], &identity["arn"], &identity["sessionContext"]["sessionIssuer"]["arn"]],
        [
            "AssumedRole",
            format!("arn:aws:sts::{MEMBER}:assumed-role/ci/local").as_str(),
            format!("arn:aws:iam::{MEMBER}:role/pipelines/ci").as_str()
        ]
    );
    assert_eq!(event.get("errorCode"), None);

    // A call that fails is an event as well.
    let unknown = update.replace(&key, "AKIAUNKNOWNUNKNOWN00");
    assert_error(cli.run(&unknown).await, "NoSuchEntity", "UpdateAccessKey");
    cli.fault(FaultKind::AccessDenied);
    assert_error(cli.run(&update).await, "AccessDenied", "UpdateAccessKey");
    assert_error(cli.run(lookup).await, "AccessDeniedException", "LookupEvents");
    cli.aws.world().faults.clear();
    let created = cli.run("iam create-access-key --user-name bot").await.unwrap()["AccessKey"]["AccessKeyId"].take();
    cli.aws.world().account(MEMBER).set_key_status("bot", &key, Inactive);
    cli.aws.world().advance(chrono::TimeDelta::minutes(5));
    cli.aws.world().clear_calls();
    let events: Vec<Value> = of(&format!("{lookup} --page-size 2")).await;
    assert_eq!((events.len(), cli.calls_of("LookupEvents")), (5, 3));
    let errors: Vec<_> = events.iter().map(|event| event["errorCode"].as_str()).collect();
    assert_eq!(errors, [None, Some("AccessDenied"), Some("NoSuchEntityException"), None, None]);
    assert_eq!(events[0]["requestParameters"]["status"], "Inactive");
    let events: Vec<Value> = of(&lookup.replace("Update", "Create")).await;
    assert_eq!(events[0]["responseElements"]["accessKey"]["accessKeyId"], created);
    let by_caller = format!("AttributeKey=AccessKeyId,AttributeValue={}", session.access_key_id);
    let events: Vec<Value> = of(&format!("cloudtrail lookup-events --lookup-attributes {by_caller}")).await;
    assert_eq!(who(&events), ["ci"], "the key that signed the call, not the one in question");

    let time = |time: DateTime<Utc>| time.timestamp();
    let between = format!("{lookup} --start-time {} --end-time {}", time(today() - days(11)), time(today() - days(10)));
    let events: Vec<Value> = of(&between).await;
    assert_eq!(who(&events), ["runbook"]);
    let elsewhere: Vec<Value> = of(&format!("{lookup} --region eu-central-1")).await;
    assert_eq!(elsewhere, Vec::<Value>::new());
    for (command, code) in [
        (
            between.replace("start", "x").replace("end", "start").replace("x-time", "end-time"),
            "InvalidTimeRangeException",
        ),
        (format!("{lookup} --max-results 51 --no-paginate"), "InvalidMaxResultsException"),
        (format!("{lookup} --next-token x --no-paginate"), "InvalidNextTokenException"),
        (format!("{lookup} {by_caller}"), "InvalidLookupAttributesException"),
    ] {
        assert_error(cli.run(&command).await, code, "LookupEvents");
    }
    cli.assert_drove(LOOKUPS);
}

#[tokio::test]
async fn calls_with_a_key_in_each_region() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    account.create_user("bot", today() - days(400));
    let key = account.create_key("bot", today() - days(400)).unwrap();
    account.add_key_uses(KeyUses { count: 120, region: "eu-west-1".to_owned(), ..KeyUses::once(&key, today()) });
    account.set_region_status("me-south-1", "ENABLED");
    let cli = Cli::start(world).await;
    let owner = cli.run(&format!("sts get-access-key-info --access-key-id {key}")).await.unwrap();
    assert_eq!(owner["Account"], MEMBER);
    let enabled = "account list-regions --page-size 5 --region-opt-status-contains ENABLED ENABLED_BY_DEFAULT";
    let regions = cli.run(enabled).await.unwrap()["Regions"].take();
    let names: Vec<_> =
        regions.as_array().unwrap().iter().map(|region| region["RegionName"].as_str().unwrap()).collect();
    assert!(names.len() == 18 && names.contains(&"me-south-1") && names.is_sorted(), "{names:?}");
    assert_error(
        cli.run("account list-regions --max-results 51 --no-paginate").await,
        "ValidationException",
        "ListRegions",
    );

    let lookup = format!(
        "cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key} --no-paginate"
    );
    let page = cli.run(&format!("{lookup} --region eu-west-1")).await.unwrap();
    let events = page["Events"].as_array().unwrap();
    assert!(events.len() == 50 && page["NextToken"].is_string());
    let event: Value = serde_json::from_str(events[49]["CloudTrailEvent"].as_str().unwrap()).unwrap();
    assert_eq!([&event["eventTime"], &event["awsRegion"]], ["2026-03-01T11:59:11Z", "eu-west-1"]);
    assert_eq!(cli.run(&lookup).await.unwrap()["Events"], json!([]));
    assert_error(
        cli.run(&format!("{lookup} --region af-south-1")).await,
        "UnrecognizedClientException",
        "LookupEvents",
    );
    cli.aws.world().account(MEMBER).set_lookups_per_second(0.001);
    let error = cli.run(&format!("{lookup} --region us-west-2")).await.unwrap_err();
    assert!(error.contains("(ThrottlingException) when calling the LookupEvents operation"), "{error}");
    cli.assert_drove(LOOKUPS);
    cli.assert_drove(KEYS_AND_REGIONS);
}
