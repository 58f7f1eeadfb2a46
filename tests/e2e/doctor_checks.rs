//! What single checks make of the forms that their subject has.

use crate::{
    aws_cli::{self, administrator},
    doctor::{ALL, Organization, PACK, PACK_RULE, check, problems},
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use deployment::{RUNBOOKS, function_arn};
use local_aws::{Credentials, FaultKind, Recorder};
use serde_json::{Value, json};

#[tokio::test]
async fn a_recorder_is_judged_by_every_form_of_its_recording_group() {
    let user = "AWS::IAM::User";
    let strategy = |name: &str| json!({ "useOnly": name });
    let (all, listed, but) =
        ("ALL_SUPPORTED_RESOURCE_TYPES", "INCLUSION_BY_RESOURCE_TYPES", "EXCLUSION_BY_RESOURCE_TYPES");
    let organization = Organization::start().await;
    for (group, status) in [
        (json!({ "allSupported": true, "includeGlobalResourceTypes": true }), "ok"),
        (json!({ "allSupported": true, "includeGlobalResourceTypes": false }), "failed"),
        (json!({ "allSupported": true, "includeGlobalResourceTypes": true, "recordingStrategy": strategy(all) }), "ok"),
        (json!({ "allSupported": true, "recordingStrategy": strategy(all) }), "failed"),
        (json!({ "allSupported": false, "resourceTypes": ["AWS::IAM::Role", user] }), "ok"),
        (json!({ "allSupported": false, "resourceTypes": ["AWS::IAM::Role"] }), "failed"),
        (json!({ "resourceTypes": [user], "recordingStrategy": strategy(listed) }), "ok"),
        (json!({ "resourceTypes": ["AWS::IAM::Role"], "recordingStrategy": strategy(listed) }), "failed"),
        (
            json!({ "exclusionByResourceTypes": { "resourceTypes": [user] }, "recordingStrategy": strategy(but) }),
            "failed",
        ),
        // The switch of the global types says nothing about this strategy.
        (
            json!({
                "exclusionByResourceTypes": { "resourceTypes": ["AWS::EC2::Subnet"] },
                "includeGlobalResourceTypes": false,
                "recordingStrategy": strategy(but),
            }),
            "ok",
        ),
        (json!({ "recordingStrategy": strategy("SOME_OTHER") }), "unknown"),
    ] {
        organization.aws.world().account(MEMBER).set_recorder(Some(Recorder::of(group.clone())));
        let (_, lines) = organization.examine(&["--account", MEMBER, "--before-rollout"]).await;
        let recorder = check(&lines, "444455556666 recorder ");
        assert!(recorder.starts_with(&format!("{MEMBER} recorder {status}: ")), "{group}: {recorder}");
    }
    let daily = json!({
        "recordingFrequency": "CONTINUOUS",
        "recordingModeOverrides": [{ "resourceTypes": [user], "recordingFrequency": "DAILY" }],
    });
    let recorder = Recorder { recording_mode: daily, ..Recorder::of_everything() };
    organization.aws.world().account(MEMBER).set_recorder(Some(recorder));
    let (status, lines) = organization.examine(&["--account", MEMBER, "--before-rollout"]).await;
    assert_eq!(status, Some(0));
    insta::assert_snapshot!(check(&lines, "444455556666 recorder "), @"444455556666 recorder ok: default records AWS::IAM::User, once a day");
}

#[tokio::test]
async fn a_recorder_that_leaves_out_the_compliance_history_is_advised_and_well() {
    let (user, history) = ("AWS::IAM::User", "AWS::Config::ResourceCompliance");
    let strategy = |name: &str| json!({ "useOnly": name });
    let (all, listed, but) =
        ("ALL_SUPPORTED_RESOURCE_TYPES", "INCLUSION_BY_RESOURCE_TYPES", "EXCLUSION_BY_RESOURCE_TYPES");
    let excluding = |types: &[&str]| {
        json!({
            "allSupported": false,
            "exclusionByResourceTypes": { "resourceTypes": types },
            "recordingStrategy": strategy(but),
        })
    };
    let organization = Organization::start().await;
    for (group, expected, exit) in [
        (json!({ "allSupported": true, "includeGlobalResourceTypes": true }), "ok", 0),
        (
            json!({ "allSupported": true, "includeGlobalResourceTypes": true, "recordingStrategy": strategy(all) }),
            "ok",
            0,
        ),
        // The switch of IAM's types is about those alone.
        (json!({ "allSupported": true, "includeGlobalResourceTypes": false }), "ok", 3),
        (json!({ "resourceTypes": [user, history] }), "ok", 0),
        (json!({ "resourceTypes": [user, history], "recordingStrategy": strategy(listed) }), "ok", 0),
        (json!({ "resourceTypes": [user] }), "advice", 0),
        (json!({ "resourceTypes": [user], "recordingStrategy": strategy(listed) }), "advice", 0),
        (excluding(&["AWS::EC2::Subnet"]), "ok", 0),
        (excluding(&["AWS::EC2::Subnet", history]), "advice", 0),
        (json!({ "recordingStrategy": strategy("SOME_OTHER") }), "unknown", 1),
    ] {
        organization.aws.world().account(MEMBER).set_recorder(Some(Recorder::of(group.clone())));
        let (status, lines) = organization.examine(&["--account", MEMBER, "--before-rollout"]).await;
        let line = check(&lines, "444455556666 history ");
        assert!(line.starts_with(&format!("{MEMBER} history {expected}: ")), "{group}: {line}");
        assert_eq!(status, Some(exit), "{group}: {lines:#?}");
    }
    {
        let mut world = organization.aws.world();
        world.account(MEMBER).set_recorder(Some(Recorder::of(excluding(&[history]))));
        world.account(OTHER_MEMBER).set_recorder(None);
        world.clear_calls();
    }
    let (status, out, error) = organization.run(&["--account", MEMBER, OTHER_MEMBER, "--before-rollout"]).await;
    assert_eq!(status, Some(3));
    let mut transcript = Transcript::default();
    transcript.add("doctor, and one recorder excludes the history, and one account has no recorder", &out, &error);
    insta::assert_snapshot!(transcript);
    let world = organization.aws.world();
    let reads = world.calls().iter().filter(|call| call.action.contains("Recorder"));
    assert_eq!(reads.count(), 3, "the recorder is read once for both checks");
}

#[tokio::test]
async fn remediation_exceptions_are_all_counted_and_only_those_of_the_rule() {
    let organization = Organization::start().await;
    {
        let mut world = organization.aws.world();
        let account = world.account(MEMBER);
        // As many rules as there are on three pages, of other functions, before and after the one.
        for n in 0..60 {
            let other = format!("{}-{n}", if n % 2 == 0 { "a-rule" } else { "z-rule" });
            account.set_rule_function(&other, &function_arn(HUB).replace("access-key-rotation", "other"));
            account.add_remediation_exception(&other, "AIDAOTHER");
        }
        account.set_rule_function(PACK_RULE, &function_arn(HUB));
        (0..230).for_each(|n| account.add_remediation_exception(PACK_RULE, &format!("AIDA{n:03}")));
    }
    let mut found = vec![];
    for faults in [&[][..], &[FaultKind::ShortPages(7), FaultKind::Throttle { probability: 0.2 }]] {
        organization.aws.world().faults.clear();
        for kind in faults {
            let kind = kind.clone();
            organization.fault(None, kind);
        }
        let (status, lines) = organization.examine(&["--account", MEMBER]).await;
        assert_eq!(status, Some(3));
        found.push(problems(&lines));
    }
    assert_eq!(found[0], found[1]);
    let mut transcript = Transcript::default();
    transcript.add("doctor, and a rule of ours has 230 exceptions", &found[0], "");

    organization.aws.world().faults.clear();
    let (status, lines) = organization.examine(&["--account", MEMBER, "--function-name", "nothing"]).await;
    assert_eq!(status, Some(1));
    transcript.add("doctor --function-name nothing", check(&lines, "444455556666 remediation "), "");
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_region_that_takes_no_credentials_is_passed_over_only_if_it_is_proven_not_to_be_enabled() {
    let opt_in = ["af-south-1", "ap-east-1", "ap-southeast-3", "eu-south-1", "me-south-1"];
    let refuse = |organization: &Organization, regions: &[&str], code| {
        regions.iter().for_each(|region| organization.aws.world().refuse_region(region, code));
    };
    let elsewhere = "pack other Regions ";
    let only_here = &["--account", HUB][..];
    let mut organization = Organization::start().await;
    refuse(&organization, &opt_in[1..], "UnrecognizedClientException");
    let (status, lines) = organization.examine(only_here).await;
    // af-south-1 takes the session, so that it is one which every enabled Region takes.
    assert_eq!(status, Some(0));
    let mut transcript = Transcript::default();
    transcript.add("four Regions refuse a session", check(&lines, elsewhere), "");

    refuse(&organization, &opt_in[..1], "UnrecognizedClientException");
    let (status, lines) = organization.examine(only_here).await;
    assert_eq!(status, Some(0));
    transcript.add("all five opt-in Regions refuse it", check(&lines, elsewhere), "");
    let access_key_id = format!("AKIALOCAL{HUB}");
    organization.credentials = Credentials { access_key_id, secret_access_key: "any".to_owned(), session_token: None };
    let (status, lines) = organization.examine(only_here).await;
    assert_eq!(status, Some(0));
    transcript.add("they refuse a user's access key", check(&lines, elsewhere), "");

    refuse(&organization, &["eu-west-1"], "AccessDeniedException");
    refuse(&organization, &["eu-west-2"], "UnrecognizedClientException");
    let (status, lines) = organization.examine(only_here).await;
    assert_eq!(status, Some(1));
    transcript.add("two Regions that are always enabled refuse it", check(&lines, elsewhere), "");
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn the_home_region_must_be_one_that_records_users() {
    let mut transcript = Transcript::default();
    for (region, expected) in [("ap-southeast-3", "ok"), ("eu-central-2", "failed"), ("mars-north-1", "unknown")] {
        let organization = Organization::start().await;
        let (_, out, error) = organization.run(&["--before-rollout", "--region", region, "--format", "json"]).await;
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        let check = &report["checks"][0];
        assert_eq!([&check["check"], &check["status"]], ["region", expected]);
        transcript.add(region, check["seen"].as_str().unwrap(), "");
    }
    insta::assert_snapshot!(transcript, @"
    $ ap-southeast-3
    AWS Config records AWS::IAM::User in ap-southeast-3

    $ eu-central-2
    AWS Config does not record AWS::IAM::User in eu-central-2, where it was not available before February 2022

    $ mars-north-1
    this version does not know whether AWS Config records AWS::IAM::User in mars-north-1
    ");
}

#[tokio::test]
async fn concurrency_is_reserved_or_advised_as_far_as_the_quota_goes() {
    let mut transcript = Transcript::default();
    // The reservation of the function and of another one, and the account's quota.
    for (reserved, elsewhere, quota, expected) in [
        (Some(20), None, 1_000, "ok"),
        (Some(1), None, 101, "ok"),
        (Some(0), None, 1_000, "failed"),
        (None, None, 1_000, "advice"),
        (None, None, 120, "advice"),
        (None, None, 119, "advice"),
        (None, None, 10, "advice"),
        (None, Some(890), 1_000, "advice"),
    ] {
        let organization = Organization::start().await;
        {
            let mut world = organization.aws.world();
            let hub = world.account(HUB);
            hub.add_function("other");
            hub.reserve_concurrency("other", elsewhere);
            hub.reserve_concurrency(RULE, reserved);
            hub.set_concurrent_executions(quota);
        }
        let (status, lines) = organization.examine(&["--account", MEMBER]).await;
        let line = check(&lines, "concurrency ");
        assert!(line.starts_with(&format!("concurrency {expected}: ")), "{reserved:?} of {quota}: {line}");
        assert_eq!(status, Some(if expected == "failed" { 3 } else { 0 }), "{lines:#?}");
        let reserved = [reserved, elsewhere].map(|number| number.map_or("nothing".to_owned(), |n| n.to_string()));
        transcript.add(format!("{} reserved, {} for another function, of {quota}", reserved[0], reserved[1]), line, "");
    }
    let organization = Organization::start().await;
    organization.aws.world().account(HUB).reserve_concurrency(RULE, None);
    let (status, out, error) = organization.run(&["--account", MEMBER]).await;
    assert_eq!(status, Some(0));
    transcript.add("the table, with advice", &out, &error);
    organization.fault(Some((HUB, "GetAccountSettings")), FaultKind::AccessDenied);
    let (status, lines) = organization.examine(&["--account", MEMBER]).await;
    assert_eq!(status, Some(1));
    transcript.add("nothing reserved, and the quota may not be read", check(&lines, "concurrency "), "");
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_policy_that_is_not_the_templates_own_is_not_judged() {
    let statement = |condition: Value| {
        json!({
            "Effect": "Allow",
            "Principal": { "Service": "config.amazonaws.com" },
            "Action": "lambda:InvokeFunction",
            "Resource": "*",
            "Condition": condition,
        })
    };
    let deny = json!({ "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": "lambda:*", "Resource": "*" });
    let by_list = statement(json!({ "StringEquals": { "aws:SourceAccount": [HUB, MEMBER] } }));
    let by_organization = statement(json!({ "StringEquals": { "aws:SourceOrgID": "o-exampleorgid" } }));
    let by_rule = statement(json!({ "ArnLike": { "AWS:SourceArn": "arn:aws:config:*:444455556666:*" } }));
    let two = statement(
        json!({ "StringEquals": { "AWS:SourceAccount": MEMBER }, "Bool": { "aws:SecureTransport": "true" } }),
    );
    let for_others = json!({
        "Effect": "Allow",
        "Principal": { "Service": "events.amazonaws.com" },
        "Action": "lambda:InvokeFunction",
        "Resource": "*",
    });
    for (statements, status) in [
        (vec![by_list.clone()], "ok"),
        (vec![by_organization.clone()], "skipped"),
        (vec![by_organization, statement(Value::Null)], "ok"),
        (vec![by_list.clone(), deny], "unknown"),
        (vec![by_rule], "unknown"),
        (vec![two], "unknown"),
        (vec![for_others], "failed"),
    ] {
        let organization = Organization::start().await;
        organization.aws.world().account(HUB).add_function(RULE);
        for statement in &statements {
            organization.aws.world().account(HUB).add_statement(RULE, statement.clone());
        }
        let (_, lines) = organization.examine(&["--account", MEMBER]).await;
        let line = check(&lines, "444455556666 invocable ");
        assert!(line.starts_with(&format!("{MEMBER} invocable {status}: ")), "{statements:?}: {line}");
    }
}

/// AWS Config deploys the pack to a new account before the StackSet has brought the runbook, and does not repeat it.
#[tokio::test]
async fn an_account_that_joins_before_its_runbooks_exist_is_named_until_the_pack_is_put_again() {
    let organization = Organization::start().await;
    let (joined, now) = ("888877776666", Utc::now());
    let coverage = "coverage ";
    {
        let mut world = organization.aws.world();
        world.account(joined);
        world.organization(HUB).add_account(joined, "joined", "ACTIVE");
        let error = Some(("ConformancePackTemplateValidationException", "The document does not exist."));
        world.organization(HUB).set_pack(PACK, joined, "CREATE_FAILED", error);
        // Now the StackSet.
        let account = world.account(joined);
        account.set_recorder(Some(Recorder::of_everything()));
        RUNBOOKS.iter().for_each(|name| account.add_document(name, "Active"));
        account.add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/security"));
    }
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!(status, Some(3));
    let of = |name: &str| check(&lines, &format!("{joined} {name}")).to_owned();
    assert!(
        of("pack ").contains(" failed: CREATE_FAILED, ") && of(coverage).contains(" failed: no rule "),
        "{lines:#?}"
    );
    assert!(of(coverage).ends_with(" | What to do is in templates/OPERATING.md, \"Coverage\"."), "{lines:#?}");

    let put = format!(
        "configservice put-organization-conformance-pack --organization-conformance-pack-name {RULE} --template-body \
         file://conformance-pack/access-key-rotation.yaml --conformance-pack-input-parameters \
         ParameterName=FunctionArn,ParameterValue={}",
        function_arn(HUB)
    );
    aws_cli::run(&organization.aws, &administrator(HUB), &put).await.unwrap();
    organization.aws.world().account(joined).set_rule_evaluated(RULE, now, Some(now));
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!(status, Some(0), "{lines:#?}");
    assert!(check(&lines, &format!("{joined} {coverage}")).contains(" ok: "), "{lines:#?}");
    assert!(check(&lines, &format!("{MEMBER} pack ")).ends_with(" ok: UPDATE_SUCCESSFUL"), "{lines:#?}");
}

#[tokio::test]
async fn a_pack_whose_status_stays_in_progress_goes_by_its_accounts() {
    let organization = Organization::start().await;
    organization.aws.world().organization(HUB).stick_pack_status();
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!(status, Some(0), "{lines:#?}");
    assert_eq!(
        check(&lines, "pack home Region "),
        "pack home Region ok: CREATE_IN_PROGRESS, but no account is in progress any more"
    );
    organization.aws.world().organization(HUB).set_pack(PACK, MEMBER, "UPDATE_IN_PROGRESS", None);
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!(status, Some(1));
    assert!(
        check(&lines, "pack home Region ").starts_with("pack home Region unknown: CREATE_IN_PROGRESS | "),
        "{lines:#?}"
    );
}
