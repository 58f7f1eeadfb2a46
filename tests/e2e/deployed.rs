//! What the templates deploy: roles and runbooks.

use crate::cloudformation::Stack;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
    sync::LazyLock,
};

/// The role of the runbooks that deactivate and reactivate.
pub(crate) const REMEDIATION_ROLE: &str = "access-key-rotation-remediation";
/// The role of the runbook that deletes.
pub(crate) const DELETION_ROLE: &str = "access-key-rotation-deletion";

/// The role of the runbook that rotates into secrets.
pub(crate) const ROTATION_ROLE: &str = "access-key-rotation-rotation";

pub(crate) const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Python with what `tests/requirements.txt` names.
pub(crate) fn python() -> Command {
    let mut python = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin/python"));
    python.current_dir(REPOSITORY);
    python
}

/// The accounts, as in `tests/rollout/deployed.py`.
const HUB: &str = "111122220000";
const MEMBER: &str = "111122221111";

const HUB_TEMPLATE: &str = include_str!("../../templates/hub.yaml");
const MEMBER_TEMPLATE: &str = include_str!("../../templates/member.yaml");
const PACK: &str = include_str!("../../conformance-pack/access-key-rotation.yaml");

/// The policies of a stack's roles, by the role's name, and its SSM documents by name.
type Deployed = BTreeMap<String, Value>;

fn deploy(template: &str, account: &str, parameters: &Value) -> Deployed {
    let mut given = parameters.clone();
    given["AWS::AccountId"] = account.into();
    let mut deployed = Deployed::new();
    let stack = Stack::new(template, &given);
    for resource in stack.resources(|kind| kind.starts_with("AWS::IAM::") || kind == "AWS::SSM::Document").values() {
        let properties = &resource["Properties"];
        let text = |field: &str| properties[field].as_str().unwrap().to_owned();
        match resource["Type"].as_str().unwrap() {
            "AWS::SSM::Document" => deployed.insert(text("Name"), properties["Content"].clone()),
            "AWS::IAM::Role" => deployed.insert(text("RoleName"), policy_of(&properties["Policies"])),
            kind => panic!("what does {kind} add to the roles?"),
        };
    }
    deployed
}

/// All statements of a role's policies in one document.
fn policy_of(policies: &Value) -> Value {
    let policies = policies.as_array().unwrap().iter();
    let statements = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap());
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}

static DEPLOYED: LazyLock<Deployed> = LazyLock::new(|| {
    let mut all = deploy(HUB_TEMPLATE, HUB, &json!({ "OrganizationId": "o-exampleorgid" }));
    all.extend(deploy(MEMBER_TEMPLATE, MEMBER, &json!({ "HubAccountId": HUB })));
    // Only with Rotation=true.
    let mut rotation = deploy(MEMBER_TEMPLATE, MEMBER, &json!({ "HubAccountId": HUB, "Rotation": "true" }));
    all.extend([ROTATION_ROLE, "AccessKeyRotation-RotateKey"].map(|name| rotation.remove_entry(name).unwrap()));
    all
});

/// A member where `CommandLineRoleArn` is given.
static WITH_COMMAND_LINE: LazyLock<Deployed> = LazyLock::new(|| {
    let role = format!("arn:aws:iam::{HUB}:role/security");
    deploy(MEMBER_TEMPLATE, MEMBER, &json!({ "HubAccountId": HUB, "CommandLineRoleArn": role }))
});

/// The hub and a member where everything that is optional is turned on.
static WITH_EVERYTHING: LazyLock<Deployed> = LazyLock::new(|| {
    let key = format!("arn:aws:kms:eu-central-1:{HUB}:key/11111111-2222-3333-4444-555555555555");
    let hub = json!({ "OrganizationId": "o-exampleorgid", "Notices": "true", "KmsKeyArn": key });
    let mut all = deploy(HUB_TEMPLATE, HUB, &hub);
    all.insert("access-key-rotation-evaluation".to_owned(), command_line_policy().clone());
    all
});

/// An SSM document by name, such as `AccessKeyRotation-ReactivateKey`.
pub(crate) fn document(name: &str) -> &'static Value {
    &DEPLOYED[name]
}

/// The runbook that deactivates keys for a finding, and its parameters, but for the user's id: AWS Config gives those of the conformance
/// pack to `AccessKeyRotation-RemediateUser`, which hands them on.
pub(crate) fn remediation() -> (String, Vec<(String, String)>) {
    let resources = Stack::new(PACK, &json!({ "FunctionArn": "arn" }))
        .resources(|kind| kind == "AWS::Config::RemediationConfiguration");
    let remediation = &resources["Remediation"]["Properties"];
    let (parameters, first) = (&remediation["Parameters"], document(remediation["TargetId"].as_str().unwrap()));
    assert_eq!(parameters["ResourceId"]["ResourceValue"]["Value"], "RESOURCE_ID");
    for name in parameters.as_object().unwrap().keys() {
        assert!(first["parameters"].get(name).is_some(), "{name}");
    }
    let [step] = first["mainSteps"].as_array().unwrap().as_slice() else { panic!("{first}") };
    assert_eq!(step["action"], "aws:executeAutomation");
    let given = step["inputs"]["RuntimeParameters"].as_object().unwrap().iter().filter_map(|(name, value)| {
        let source = value.as_str().unwrap().trim_matches(['{', '}', ' ']);
        let default = &first["parameters"][source]["default"];
        let value = parameters[source]["StaticValue"]["Values"].get(0).unwrap_or(default);
        (source != "ResourceId").then(|| (name.clone(), value.as_str().unwrap().to_owned()))
    });
    (step["inputs"]["DocumentName"].as_str().unwrap().to_owned(), given.collect())
}

/// The policy of a role: all its statements in one document.
pub(crate) fn policy(role: &str) -> &'static Value {
    &DEPLOYED[role]
}

/// The policy of the evaluation role where `CommandLineRoleArn` is given.
pub(crate) fn command_line_policy() -> &'static Value {
    &WITH_COMMAND_LINE["access-key-rotation-evaluation"]
}

/// The actions that a role's policy allows.
pub(crate) fn actions(role: &str) -> BTreeSet<String> {
    actions_of(policy(role))
}

/// What Systems Manager does with a runbook's role, and no call of a script's: it writes the script's output to CloudWatch Logs if the
/// account's setting asks for it ("Logging Automation action output with CloudWatch Logs" in its user guide names these five).
pub(crate) const SCRIPT_LOG: [&str; 5] = [
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:PutLogEvents",
];

/// What Systems Manager does with the remediation role when `AccessKeyRotation-RemediateUser` starts another runbook, and no call of a
/// script's ("aws:executeAutomation" in its user guide).
const START_RUNBOOK: [&str; 3] = ["iam:PassRole", "ssm:GetAutomationExecution", "ssm:StartAutomationExecution"];

/// What Secrets Manager does with the role that reads and writes a secret, if a key of the customer's encrypts it.
const SECRETS_KEY: [&str; 2] = ["kms:Decrypt", "kms:GenerateDataKey"];

/// The actions of a runbook's role that the runbook's own calls need.
pub(crate) fn actions_of_script(role: &str) -> BTreeSet<String> {
    let mut actions = actions(role);
    let of_others = match role {
        REMEDIATION_ROLE => &START_RUNBOOK[..],
        ROTATION_ROLE => &SECRETS_KEY[..],
        _ => &[],
    };
    for &action in SCRIPT_LOG.iter().chain(of_others) {
        assert!(actions.remove(action), "{role}: {action}");
    }
    actions
}

/// The actions that a role's policy allows where everything that is optional is turned on.
pub(crate) fn most_actions(role: &str) -> BTreeSet<String> {
    actions_of(&WITH_EVERYTHING[role])
}

/// The actions that a policy allows.
pub(crate) fn actions_of(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}
