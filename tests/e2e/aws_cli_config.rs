//! AWS Config of the local AWS, by the AWS CLI.

use crate::{
    aws_cli::{
        CONFIG_RESULTS, Cli, EVENTS, ORGANIZATION_PACKS, RECORDER, REMEDIATION, administrator, assert_error, each,
    },
    support::*,
};
use local_aws::{Failing, FaultKind, REGION, Recorder, World, events};
use serde_json::{Value, json};

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

    let of_one = format!(
        "configservice get-compliance-details-by-resource --resource-type AWS::IAM::User --resource-id AIDA{:017}",
        1
    );
    let found = cli.run(&of_one).await.unwrap()["EvaluationResults"].take();
    assert_eq!(found, json!([all[1]]), "of the one rule of 28 that has a result");
    let compliant = cli.run(&format!("{of_one} --compliance-types COMPLIANT")).await.unwrap();
    assert_eq!(compliant["EvaluationResults"], json!([]));

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

    let put = format!(
        "put-organization-conformance-pack --organization-conformance-pack-name rotation --excluded-accounts {HUB}"
    );
    let operation = "PutOrganizationConformancePack";
    assert_error(run(&put).await, "OrganizationConformancePackTemplateValidationException", operation);
    let function = "--conformance-pack-input-parameters ParameterName=FunctionArn,ParameterValue=arn:any";
    let put = format!("{put} --template-body TargetId:Missing-Runbook {function}");
    let arn = run(&put).await.unwrap()["OrganizationConformancePackArn"].to_string();
    assert!(arn.contains(":organization-conformance-pack/rotation-"), "{arn}");
    let failed = run(details).await.unwrap()["OrganizationConformancePackDetailedStatuses"].take();
    assert_eq!((each(&failed, "AccountId"), &failed[0]["Status"]), (vec![MEMBER], &json!("CREATE_FAILED")));
    let pack = run("describe-organization-conformance-packs").await.unwrap()["OrganizationConformancePacks"][0].take();
    assert_eq!([&pack["OrganizationConformancePackName"], &pack["ExcludedAccounts"][0]], ["rotation", HUB]);
    assert_eq!(pack["ConformancePackInputParameters"][0]["ParameterValue"], "arn:any");
    let missing = "describe-organization-conformance-packs --organization-conformance-pack-names other";
    let operation_of_others = "DescribeOrganizationConformancePacks";
    assert_error(run(missing).await, "NoSuchOrganizationConformancePackException", operation_of_others);
    assert_error(cli.run(&format!("configservice {put}")).await, "OrganizationAccessDeniedException", operation);
    cli.aws.world().refuse_region("af-south-1", "UnrecognizedClientException");
    let refused = run(&format!("{statuses} --region af-south-1")).await;
    assert_error(refused, "UnrecognizedClientException", "DescribeOrganizationConformancePackStatuses");
    cli.assert_drove(ORGANIZATION_PACKS);
}

#[tokio::test]
async fn remediation() {
    let mut world = World::new(today());
    let account = world.account(MEMBER);
    for n in 0..30 {
        account.set_rule_function(&format!("rule-{n:02}"), "arn:aws:lambda:us-east-1:111122223333:function:any");
        account.add_remediation_exception("rule-00", &format!("AIDA{n:02}"));
    }
    account.set_rule_evaluated("rule-00", today() - days(9), Some(today() - days(1)));
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
    let source = &rules["ConfigRules"][0]["Source"]["SourceDetails"][0];
    assert_eq!(source["MaximumExecutionFrequency"], "TwentyFour_Hours");

    let status = "configservice describe-config-rule-evaluation-status --config-rule-names";
    let statuses = cli.run(&format!("{status} rule-00 rule-01")).await.unwrap();
    let statuses = &statuses["ConfigRulesEvaluationStatus"];
    assert_eq!(each(statuses, "ConfigRuleName"), ["rule-00", "rule-01"]);
    assert_eq!(statuses[0]["LastSuccessfulEvaluationTime"].as_f64(), Some((today() - days(1)).timestamp() as f64));
    assert!(statuses[1]["FirstActivatedTime"].is_number() && statuses[1]["LastSuccessfulEvaluationTime"].is_null());
    let other = cli.run(&format!("{status} other")).await;
    assert_error(other, "NoSuchConfigRuleException", "DescribeConfigRuleEvaluationStatus");

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
async fn events_on_a_bus() {
    let mut world = World::new(today());
    world.account(MEMBER).add_event_bus("notices");
    let cli = Cli::start(world).await;
    let put = async |entries: Value| cli.run(&format!("events put-events --entries {entries}")).await;
    let bus = format!("arn:aws:events:{REGION}:{MEMBER}:event-bus/notices");
    let entry = |source: &str, detail: &str| json!({ "EventBusName": bus, "Source": source, "DetailType": "Notice", "Detail": detail, "Resources": ["arn:user"] });
    let answer =
        put(json!([entry("mine", "{}"), entry("aws.iam", "{}"), entry("mine", "[1]"), entry("", "{}")])).await.unwrap();
    let codes = ["NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument"];
    let entries = answer["Entries"].as_array().unwrap();
    assert_eq!(answer["FailedEntryCount"], 3);
    assert!(entries[0]["EventId"].is_string());
    assert_eq!(entries[1..].iter().map(|entry| entry["ErrorCode"].as_str().unwrap()).collect::<Vec<_>>(), codes);
    let events = cli.aws.world().account(MEMBER).events("notices").to_vec();
    assert_eq!((events.len(), &events[0]["detail-type"], &events[0]["account"]), (1, &json!("Notice"), &json!(MEMBER)));
    let too_many = put(Value::Array(vec![entry("mine", "{}"); 11])).await;
    assert!(too_many.unwrap_err().contains("entries"));
    cli.assert_drove(EVENTS);
}
