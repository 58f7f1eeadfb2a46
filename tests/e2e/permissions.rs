//! The actions that are called and those that the templates allow are the same.

use crate::{
    cli::Cli,
    cloudformation::yaml,
    coverage::{COVERAGE_ROLE, accounts, check_of},
    deployed::{self, DELETION_ROLE, REMEDIATION_ROLE, ROTATION_ROLE, python},
    doctor::Organization,
    notices::with_bus,
    support::*,
};
use access_key_rotation::coverage::check::check;
use deployment::function_arn;
use local_aws::{REGION, events};
use policy::exemption::EXEMPT_OWNER;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEDULE_ROLE: &str = "access-key-rotation-coverage-schedule";
const REMINDER_ROLE: &str = "access-key-rotation-reminder";
const ROLES: [&str; 8] = [
    FUNCTION_ROLE,
    COVERAGE_ROLE,
    SCHEDULE_ROLE,
    REMINDER_ROLE,
    EVALUATION_ROLE,
    REMEDIATION_ROLE,
    DELETION_ROLE,
    ROTATION_ROLE,
];

#[tokio::test(start_paused = true)]
async fn the_permissions_are_the_ones_that_are_used() {
    let deployment = with_bus().await;
    for id in [HUB, MEMBER] {
        populate(deployment.aws.world().account(id), today(), 20, 10, 20);
        let event = events::scheduled(&mut deployment.aws.world(), id, RULE, &[]);
        deployment.send(&event).await.0.unwrap();
        let event = events::change(&mut deployment.aws.world(), id, RULE, "user-0000", &[]).unwrap();
        deployment.send(&event).await.0.unwrap();
        let event = events::oversized_change(&mut deployment.aws.world(), id, RULE, "user-0000", &[]).unwrap();
        deployment.send(&event).await.0.unwrap();
    }
    {
        let mut world = deployment.aws.world();
        for id in [HUB, MEMBER] {
            world.organization(HUB).add_account(id, id, "ACTIVE");
            world.account(id).set_rule_function(RULE, &function_arn(HUB));
        }
        world.account(MEMBER).add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/{COVERAGE_ROLE}"));
    }
    let credentials = deployment.aws.world().credentials(HUB, COVERAGE_ROLE);
    let accounts = accounts(&deployment.aws, &credentials).await;
    assert_eq!(check(&check_of(&deployment.aws, &[]), &accounts).await.unwrap().evaluated, 2);

    let world = deployment.aws.world();
    let used = |role: &str| -> BTreeSet<_> {
        let role = format!(":assumed-role/{role}/");
        let calls = world.calls().iter().filter(|call| call.principal.contains(&role));
        calls.map(|call| format!("{}:{}", call.service, call.action)).collect()
    };
    assert_eq!(used(EVALUATION_ROLE), deployed::actions(EVALUATION_ROLE));

    let mut allowed = deployed::actions(COVERAGE_ROLE);
    for action in ["logs:CreateLogStream", "logs:PutLogEvents"] {
        assert!(allowed.remove(action), "{action}");
    }
    assert_eq!(used(COVERAGE_ROLE), allowed);

    let mut allowed = deployed::actions(FUNCTION_ROLE);
    // With the function's role, Lambda logs and keeps failed events.
    for action in ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"] {
        assert!(allowed.remove(action), "{action}");
    }
    // With Notices=true.
    allowed.insert("events:PutEvents".to_owned());
    assert_eq!(used(FUNCTION_ROLE), allowed);
}

#[tokio::test]
async fn the_doctor_uses_what_the_role_has_with_a_command_line_and_nothing_else() {
    let organization = Organization::start().await;
    assert_eq!(organization.examine(&["--organization"]).await.0, Some(0));
    let role = format!(":assumed-role/{EVALUATION_ROLE}/");
    let world = organization.aws.world();
    let calls = world.calls().iter().filter(|call| call.principal.contains(&role));
    let used: BTreeSet<_> = calls.clone().map(|call| format!("{}:{}", call.service, call.action)).collect();
    assert_eq!(used, deployed::actions_of(deployed::command_line_policy()));

    let records =
        calls.clone().filter(|call| call.action == "GetParametersByPath").filter_map(|call| call.subject.clone());
    let documents = calls.filter(|call| call.action == "DescribeDocument").filter_map(|call| call.subject.clone());
    let statements = deployed::command_line_policy()["Statement"].as_array().unwrap();
    let runbooks = statements.iter().find(|statement| statement["Sid"] == "ReadRunbooks").unwrap();
    let allowed = list(&runbooks["Resource"]).into_iter().map(|arn| arn.split_once(":document/").unwrap().1.to_owned());
    assert_eq!(documents.collect::<BTreeSet<_>>(), allowed.collect());
    // Systems Manager authorizes a listing on the path as it is passed, with or without a slash at the end.
    let listing = statements.iter().find(|statement| statement["Sid"] == "ReadRecords").unwrap();
    let allowed = list(&listing["Resource"]).into_iter().map(|arn| arn.split_once(":parameter").unwrap().1.to_owned());
    assert_eq!(records.collect::<BTreeSet<_>>(), allowed.collect());
    let recorder = statements.iter().find(|statement| statement["Sid"] == "ReadRecorder").unwrap();
    assert_eq!(recorder["Resource"], "*", "without a name no recorder is the resource of the call");
}

#[tokio::test]
async fn where_and_evidence_need_nothing_that_the_role_has_not_with_a_command_line() {
    let cli = Cli::start().await;
    let key = {
        let mut world = cli.deployment.aws.world();
        let account = world.account(MEMBER);
        let key = user_with_key(account, "mailer", 400);
        account.use_key(&key, midnight() - days(1), REGION, "s3");
        // Then somebody may ask who set it.
        account.tag_user("mailer", EXEMPT_OWNER, "web");
        key
    };
    let (status, out, error) = cli.run(&["evidence", "--account", MEMBER, "--format", "json"]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""), "{out}");
    assert_eq!(cli.deployment.calls_of("LookupEvents"), 1);
    for which in [&[][..], &[key.as_str()], &["--user", "mailer"]] {
        let (status, out, error) = cli.run(&[&["where"], which, &["--account", MEMBER]].concat()).await;
        assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
        assert!(out.starts_with(&key), "{out}");
    }
    let role = format!(":assumed-role/{EVALUATION_ROLE}/");
    let world = cli.deployment.aws.world();
    let calls = world.calls().iter().filter(|call| call.principal.contains(&role));
    let used: BTreeSet<_> = calls.map(|call| format!("{}:{}", call.service, call.action)).collect();
    assert!(used.contains("cloudtrail:LookupEvents") && used.contains("account:ListRegions"), "{used:?}");
    let allowed = deployed::actions_of(deployed::command_line_policy());
    assert!(used.is_subset(&allowed), "{:?}", used.difference(&allowed));
}

/// What an operator in the security account must be allowed, besides what step 3 of the manual grants and AWS grants everybody.
pub(crate) async fn calls_of_the_doctor_in_the_hub() -> BTreeSet<String> {
    let organization = Organization::start().await;
    // Only then does it read the account's quota.
    organization.aws.world().account(HUB).reserve_concurrency(RULE, None);
    assert_eq!(organization.examine(&["--organization"]).await.0, Some(0));
    let world = organization.aws.world();
    let calls = world.calls().iter().filter(|call| call.principal.contains(":assumed-role/security/"));
    let mut used: BTreeSet<_> = calls.map(|call| format!("{}:{}", call.service, call.action)).collect();
    for action in ["sts:AssumeRole", "sts:GetCallerIdentity"] {
        assert!(used.remove(action), "{action}");
    }
    used
}

#[test]
fn the_function_may_do_in_its_own_account_what_the_evaluation_role_may_elsewhere() {
    let without_account = |statement: &Value| {
        let text = statement.to_string();
        let is_account = |part: &str| part.len() == 12 && part.bytes().all(|byte| byte.is_ascii_digit());
        text.split(':').map(|part| if is_account(part) { "ACCOUNT" } else { part }).collect::<Vec<_>>().join(":")
    };
    let statements = |role| deployed::policy(role)["Statement"].as_array().unwrap();
    let elsewhere = statements(EVALUATION_ROLE);
    let is_there = |statement: &&Value| elsewhere.iter().any(|other| other["Sid"] == statement["Sid"]);
    let own = |role| statements(role).iter().filter(is_there).map(without_account).collect::<Vec<_>>();
    let all = [own(FUNCTION_ROLE), own(COVERAGE_ROLE)].concat();
    assert_eq!(all, elsewhere.iter().map(without_account).collect::<Vec<_>>());
    assert_eq!(own(COVERAGE_ROLE).len(), 1, "the check of coverage reads neither users nor results");
}

/// Systems Manager uses them, see `SCRIPT_LOG`. With all log groups, a runbook could write into any other log of the account.
#[test]
fn the_runbooks_roles_may_write_the_log_of_scripts_and_no_other() {
    for role in [REMEDIATION_ROLE, DELETION_ROLE, ROTATION_ROLE] {
        let statements = deployed::policy(role)["Statement"].as_array().unwrap();
        let resources = statements.iter().filter(|statement| statement["Action"].to_string().contains("logs:"));
        let resources: BTreeSet<_> = resources.flat_map(|statement| list(&statement["Resource"])).collect();
        let group = format!("arn:aws:logs:{REGION}:111122221111:log-group:/aws/ssm/automation/executeScript:*");
        assert_eq!(resources, BTreeSet::from(["*", &group]), "{role}");
        let everywhere = statements.iter().filter(|statement| statement["Resource"] == "*");
        let everywhere: Vec<_> = everywhere.flat_map(|statement| list(&statement["Action"])).collect();
        assert!(!everywhere.iter().any(|action| action.starts_with("logs:") && *action != "logs:DescribeLogGroups"));
    }
}

#[test]
fn the_function_assumes_no_role_but_the_evaluation_role_of_its_organization() {
    let statements = deployed::policy(FUNCTION_ROLE)["Statement"].as_array().unwrap();
    let assume: Vec<_> = statements.iter().filter(|statement| statement.to_string().contains("sts:")).collect();
    let expected = json!({
        "Sid": "EvaluateOtherAccounts",
        "Effect": "Allow",
        "Action": "sts:AssumeRole",
        "Resource": format!("arn:aws:iam::*:role/{EVALUATION_ROLE}"),
        "Condition": { "StringEquals": { "aws:ResourceOrgID": "o-exampleorgid" } },
    });
    assert_eq!(assume, [&expected]);
}

/// By IAM's service authorization reference, which cfn-lint brings along.
#[test]
fn every_resource_is_allowed_only_where_an_action_has_none() {
    let read = "import importlib.util, pathlib; cfnlint = pathlib.Path(importlib.util.find_spec('cfnlint').origin).parent; \
                print((cfnlint / 'data/AdditionalSpecs/Policies.json').read_text())";
    let reference: Value = serde_json::from_slice(&python().args(["-c", read]).output().unwrap().stdout).unwrap();
    let templates = [include_str!("../../templates/hub.yaml"), include_str!("../../templates/member.yaml")];
    // And the roles that forward notices and start the rotation, if there is a bus and a schedule: see tests/rollout/test_notices.py and
    // test_schedule.py.
    let roles = |template: &str| {
        let template = yaml(template);
        let resources = template["Resources"].as_object().unwrap();
        resources.values().filter(|resource| resource["Type"] == "AWS::IAM::Role").count()
    };
    assert_eq!(templates.map(roles).iter().sum::<usize>(), ROLES.len() + 2);
    for role in ROLES {
        for statement in deployed::policy(role)["Statement"].as_array().unwrap() {
            assert_eq!(statement["Effect"], "Allow");
            for action in list(&statement["Action"]) {
                let (service, name) = action.split_once(':').unwrap();
                let known = &reference[service]["Actions"][name.to_ascii_lowercase()];
                assert!(known.is_object(), "{role}: {action} is no action");
                let has_resources = known.get("Resources").is_some();
                assert_eq!(list(&statement["Resource"]) == ["*"], !has_resources, "{role}: {action}");
            }
            let resources = list(&statement["Resource"]);
            assert!(resources == ["*"] || resources.iter().all(|resource| resource.starts_with("arn:")), "{role}");
        }
    }
}

/// One text or several.
fn list(value: &Value) -> Vec<&str> {
    match value {
        Value::Array(texts) => texts.iter().map(|text| text.as_str().unwrap()).collect(),
        text => vec![text.as_str().unwrap()],
    }
}
