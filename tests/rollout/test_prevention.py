"""The service control policy and the rules for CloudFormation Guard: what they refuse, and what they do not."""

import datetime
import itertools
import json
import pathlib
import re
import subprocess

import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from deployed import resolved, template

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
GUARD = ROOT / "target/tools/bin/cfn-guard"
FIXTURES = ROOT / "tests/fixtures/guard"

TARGETS = "ou-exam-12345678"
PERMISSION_SET = "AWSReservedSSO_KeyAdministrator_????????????????"
LONGEST = {
    "AdministrationRoleName": "r" * 64,
    "RolePath": f"/{'p' * 62}/",
    "AccessKeyPaths": ",".join(f"/{number:02}{'p' * 57}/" for number in range(20)),
}


def rendered(**parameters):
    """The policy's properties as CloudFormation makes them of the template."""
    prevention = template("prevention.yaml")
    values = {}
    for name, definition in prevention["Parameters"].items():
        text = {"TargetIds": TARGETS, **parameters}.get(name, definition.get("Default"))
        of_list = definition["Type"] == "CommaDelimitedList"
        values[name] = [part.strip() for part in text.split(",")] if of_list else text
        for value in listed(values[name]):
            if not re.fullmatch(definition["AllowedPattern"], value):
                raise ValueError(f"{name}: {value!r} is not allowed")
    return resolved(prevention["Resources"]["Policy"]["Properties"], values, prevention["Conditions"])


def policy(**parameters):
    return rendered(**parameters)["Content"]


def statements(**parameters):
    return {statement["Sid"]: statement for statement in policy(**parameters)["Statement"]}


def listed(value):
    return value if isinstance(value, list) else [value]


# The policy as a document.


@pytest.mark.parametrize("parameters", [{}, {"AdministrationRoleName": PERMISSION_SET}, LONGEST])
def test_every_statement_denies_named_actions_under_a_name_of_its_own(parameters):
    document = policy(**parameters)
    assert document["Version"] == "2012-10-17"
    assert len(statements(**parameters)) == len(document["Statement"])
    for statement in document["Statement"]:
        assert statement["Effect"] == "Deny"
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert "NotAction" not in statement and ("Resource" in statement) != ("NotResource" in statement)
        for action in listed(statement["Action"]):
            assert re.fullmatch("(iam|ssm):[A-Z][A-Za-z]+", action)


@pytest.mark.parametrize("parameters", [{}, {"AdministrationRoleName": PERMISSION_SET}, LONGEST])
def test_the_policy_fits(parameters):
    """AWS Organizations takes 5,120 characters, and its console, unlike its API, does not count white space."""
    assert len(json.dumps(policy(**parameters))) <= 5120


def test_the_policy_for_those_without_cloudformation_is_the_same():
    text = (TEMPLATES / "prevention-scp.json").read_text()
    assert json.loads(text) == policy()
    assert len(text) <= 5120


def test_access_keys_are_restricted_only_where_paths_are_given():
    assert "NewAccessKeys" not in statements()
    restricted = statements(AccessKeyPaths="/service-accounts/, /a/b/")
    assert set(restricted) - set(statements()) == {"NewAccessKeys"}
    assert restricted["NewAccessKeys"]["NotResource"] == [
        "arn:*:iam::*:user/service-accounts/*",
        "arn:*:iam::*:user/a/b/*",
    ]


def test_it_is_attached_to_all_targets():
    properties = rendered(TargetIds=f"r-exam,{TARGETS},111122221111")
    assert properties["Type"] == "SERVICE_CONTROL_POLICY"
    assert properties["TargetIds"] == ["r-exam", TARGETS, "111122221111"]


@pytest.mark.parametrize(
    "name, value",
    [
        ("TargetIds", ""),
        ("TargetIds", f"{TARGETS},somewhere"),
        ("AdministrationRoleName", ""),
        ("AdministrationRoleName", "*"),
        ("AdministrationRoleName", "security/administrator"),
        ("AdministrationRoleName", "AWSReservedSSO_KeyAdministrator_*"),
        ("AccessKeyPaths", "/"),
        ("AccessKeyPaths", "service-accounts"),
        ("AccessKeyPaths", "/service-accounts"),
        ("AccessKeyPaths", "/service-accounts/,/*/"),
    ],
)
def test_parameters_that_would_open_or_break_it_are_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        rendered(**{name: value})


def test_the_actions_are_actions_of_aws_on_what_the_statements_name():
    services = load_resource(AdditionalSpecs, "Policies.json")
    kinds = {"ExemptionTags": "user", "RecordTags": "user", "Roles": "role", "Runbooks": "document", "NewAccessKeys": "user"}
    found = statements(AccessKeyPaths="/service-accounts/")
    assert set(found) == set(kinds)
    for sid, kind in kinds.items():
        for action in listed(found[sid]["Action"]):
            service, name = action.split(":")
            assert kind in services[service]["Actions"][name.lower()]["Resources"], action


def test_every_action_that_changes_a_role_is_denied():
    actions = load_resource(AdditionalSpecs, "Policies.json")["iam"]["Actions"]
    on_roles = {name for name, action in actions.items() if "role" in action.get("Resources", [])}
    reads = {name for name in on_roles if name.startswith(("get", "list", "generate", "simulate"))}
    elsewhere = {"passrole", "createservicelinkedrole", "deleteservicelinkedrole"}
    denied = {action.removeprefix("iam:").lower() for action in statements()["Roles"]["Action"]}
    assert denied == on_roles - reads - elsewhere


# The policy as AWS evaluates it, on top of FullAWSAccess and of an administrator's permissions.

EVERYTHING = {"Version": "2012-10-17", "Statement": {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}}
PATHS = {"AccessKeyPaths": "/service-accounts/"}
SSO = {"AdministrationRoleName": PERMISSION_SET}

# aws:PrincipalArn of a role's session is the role's ARN, with its path.
DEVELOPER = "role/developer"
ADMINISTRATION = "role/access-key-rotation-administration"
ADMINISTRATION_WITH_PATH = "role/security/access-key-rotation-administration"
LOOKALIKE = "role/my-access-key-rotation-administration"
REMEDIATION = "role/access-key-rotation-remediation"
DELETION = "role/access-key-rotation-deletion"
STACKSETS = "role/stacksets-exec-0123456789abcdef0123456789abcdef"
SSO_ADMINISTRATION = "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_KeyAdministrator_0123456789abcdef"
SSO_OTHER = "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_KeyAdministrator_Readers_0123456789abcdef"

UNTIL, OWNER = "access-key-rotation:exempt-until", "access-key-rotation:exempt-owner"
RECORD = "access-key-rotation:deactivated:AKIA2EXAMPLE3EXAMPLE"
USER = "user/bank"
EVALUATION = "role/access-key-rotation-evaluation"
RUNBOOK = "document/AccessKeyRotation-DeactivateStaleKeys"


def denied_by(principal, action, resource, tags=(), partition="aws", **parameters):
    """The Sid of the statement that denies it; None: none does."""
    service, account = action.split(":")[0], "111122221111"
    context = EvalContext(
        principal_arn=f"arn:{partition}:iam::{account}:{principal}",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=f"arn:{partition}:{service}:{'' if service == 'iam' else 'eu-central-1'}:{account}:{resource}",
        region="eu-central-1",
        tag_keys=list(tags),
    )
    everything, scp = parse_policy_document(EVERYTHING), parse_policy_document(policy(**parameters))
    result = evaluate(context, [everything], [everything, scp])
    return result.matched_sid if result.decision == "Deny" else None


@pytest.mark.parametrize(
    "denied, principal, action, resource, tags",
    [
        # Exemptions.
        ("ExemptionTags", DEVELOPER, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", DEVELOPER, "iam:TagUser", USER, ["team", OWNER]),
        ("ExemptionTags", DEVELOPER, "iam:TagUser", USER, ["Access-Key-Rotation:Exempt-Until"]),
        ("ExemptionTags", DEVELOPER, "iam:UntagUser", USER, [UNTIL]),
        ("ExemptionTags", DEVELOPER, "iam:CreateUser", USER, [UNTIL, OWNER]),
        ("ExemptionTags", "user/bank", "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", "root", "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", STACKSETS, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", REMEDIATION, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", REMEDIATION, "iam:TagUser", USER, [RECORD, UNTIL]),
        ("ExemptionTags", LOOKALIKE, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", "user/access-key-rotation-administration", "iam:TagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:TagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:UntagUser", USER, [UNTIL]),
        (None, ADMINISTRATION_WITH_PATH, "iam:CreateUser", USER, [UNTIL]),
        # Other tags, and none.
        (None, DEVELOPER, "iam:TagUser", USER, ["team"]),
        (None, DEVELOPER, "iam:TagUser", USER, ["sample-app-frontend:owner"]),
        (None, DEVELOPER, "iam:UntagUser", USER, ["team"]),
        (None, DEVELOPER, "iam:CreateUser", USER, []),
        (None, DEVELOPER, "iam:TagRole", "role/app", [UNTIL]),
        # Records.
        ("RecordTags", DEVELOPER, "iam:TagUser", USER, [RECORD]),
        ("RecordTags", DEVELOPER, "iam:TagUser", USER, [RECORD.upper()]),
        ("RecordTags", DEVELOPER, "iam:TagUser", USER, ["access-key-rotation:anything"]),
        ("RecordTags", DEVELOPER, "iam:UntagUser", USER, ["team", RECORD]),
        ("RecordTags", DEVELOPER, "iam:CreateUser", USER, [RECORD]),
        ("RecordTags", "role/elsewhere/access-key-rotation-remediation", "iam:TagUser", USER, [RECORD]),
        ("RecordTags", LOOKALIKE, "iam:TagUser", USER, [RECORD]),
        (None, REMEDIATION, "iam:TagUser", USER, [RECORD]),
        (None, REMEDIATION, "iam:UntagUser", USER, [RECORD]),
        (None, DELETION, "iam:UntagUser", USER, [RECORD]),
        (None, ADMINISTRATION, "iam:UntagUser", USER, [RECORD]),
        (None, ADMINISTRATION_WITH_PATH, "iam:UntagUser", USER, [RECORD]),
        # Roles: the product's, and those that are excepted.
        ("Roles", DEVELOPER, "iam:DeleteRole", EVALUATION, []),
        ("Roles", DEVELOPER, "iam:UpdateAssumeRolePolicy", REMEDIATION, []),
        ("Roles", DEVELOPER, "iam:AttachRolePolicy", "role/access-key-rotation-function", []),
        ("Roles", DEVELOPER, "iam:PutRolePermissionsBoundary", EVALUATION, []),
        ("Roles", DEVELOPER, "iam:CreateRole", ADMINISTRATION, []),
        ("Roles", DEVELOPER, "iam:CreateRole", ADMINISTRATION_WITH_PATH, []),
        ("Roles", DEVELOPER, "iam:CreateRole", "role/stacksets-exec-mine", []),
        ("Roles", DEVELOPER, "iam:UpdateAssumeRolePolicy", STACKSETS, []),
        ("Roles", REMEDIATION, "iam:PutRolePolicy", REMEDIATION, []),
        ("Roles", LOOKALIKE, "iam:DeleteRole", EVALUATION, []),
        (None, STACKSETS, "iam:CreateRole", EVALUATION, []),
        (None, ADMINISTRATION, "iam:DeleteRole", EVALUATION, []),
        (None, ADMINISTRATION_WITH_PATH, "iam:DeleteRole", EVALUATION, []),
        (None, DEVELOPER, "iam:GetRole", EVALUATION, []),
        (None, DEVELOPER, "iam:DeleteRole", "role/app", []),
        (None, DEVELOPER, "iam:CreateRole", LOOKALIKE, []),
        # Runbooks.
        ("Runbooks", DEVELOPER, "ssm:UpdateDocument", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:DeleteDocument", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:CreateDocument", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:UpdateDocumentDefaultVersion", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:ModifyDocumentPermission", RUNBOOK, []),
        ("Runbooks", LOOKALIKE, "ssm:UpdateDocument", RUNBOOK, []),
        (None, STACKSETS, "ssm:UpdateDocument", RUNBOOK, []),
        (None, ADMINISTRATION, "ssm:DeleteDocument", RUNBOOK, []),
        (None, ADMINISTRATION_WITH_PATH, "ssm:DeleteDocument", RUNBOOK, []),
        (None, DEVELOPER, "ssm:StartAutomationExecution", RUNBOOK, []),
        (None, DEVELOPER, "ssm:UpdateDocument", "document/Patch", []),
        # Access keys, without AccessKeyPaths.
        (None, DEVELOPER, "iam:CreateAccessKey", USER, []),
    ],
)
def test_who_may_do_what(denied, principal, action, resource, tags):
    assert denied_by(principal, action, resource, tags) == denied


@pytest.mark.parametrize(
    "denied, principal, action, resource, parameters",
    [
        ("NewAccessKeys", DEVELOPER, "iam:CreateAccessKey", "user/bank", PATHS),
        ("NewAccessKeys", DEVELOPER, "iam:CreateAccessKey", "user/team/service-accounts/bank", PATHS),
        ("NewAccessKeys", DEVELOPER, "iam:CreateAccessKey", "user/service-accounts", PATHS),
        ("NewAccessKeys", ADMINISTRATION, "iam:CreateAccessKey", "user/bank", PATHS),
        (None, DEVELOPER, "iam:CreateAccessKey", "user/service-accounts/bank", PATHS),
        (None, DEVELOPER, "iam:CreateAccessKey", "user/service-accounts/payments/bank", PATHS),
        (None, DEVELOPER, "iam:UpdateAccessKey", "user/bank", PATHS),
        (None, DEVELOPER, "iam:DeleteAccessKey", "user/bank", PATHS),
        (None, SSO_ADMINISTRATION, "iam:DeleteRole", EVALUATION, SSO),
        ("Roles", SSO_OTHER, "iam:DeleteRole", EVALUATION, SSO),
        ("Roles", ADMINISTRATION, "iam:DeleteRole", EVALUATION, SSO),
        ("Roles", DEVELOPER, "iam:CreateRole", "role/AWSReservedSSO_KeyAdministrator_0123456789abcdef", SSO),
    ],
)
def test_who_may_do_what_with_parameters(denied, principal, action, resource, parameters):
    assert denied_by(principal, action, resource, **parameters) == denied


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_it_holds_in_other_partitions(partition):
    assert denied_by(DEVELOPER, "iam:DeleteRole", EVALUATION, partition=partition) == "Roles"
    assert denied_by(DEVELOPER, "ssm:DeleteDocument", RUNBOOK, partition=partition) == "Runbooks"
    assert denied_by(ADMINISTRATION, "iam:TagUser", USER, [UNTIL], partition=partition) is None
    assert denied_by(DEVELOPER, "iam:CreateAccessKey", USER, partition=partition, **PATHS) == "NewAccessKeys"
    assert denied_by(DEVELOPER, "iam:CreateAccessKey", "user/service-accounts/bank", partition=partition, **PATHS) is None


# The policy and what it protects.


def test_the_exemption_tags_are_the_ones_that_the_rule_knows():
    source = (ROOT / "rule/src/policy/exemption.rs").read_text()
    known = re.findall(r'^pub const EXEMPT_\w+: &str = "(.*)";$', source, re.MULTILINE)
    condition = statements()["ExemptionTags"]["Condition"]["ForAnyValue:StringEqualsIgnoreCase"]
    assert sorted(condition["aws:TagKeys"]) == sorted(known)
    assert len(known) == 4


def test_it_protects_what_the_templates_make_and_lets_the_runbooks_keep_records():
    resources = {}
    for name in ("hub.yaml", "member.yaml"):
        resources.update(template(name)["Resources"])
    roles = [r["Properties"] for r in resources.values() if isinstance(r, dict) and r["Type"] == "AWS::IAM::Role"]
    runbooks = [r["Properties"] for r in resources.values() if isinstance(r, dict) and r["Type"] == "AWS::SSM::Document"]
    assert len(roles) == 4 and len(runbooks) == 3
    for role in roles:
        arn = f"role/{role['RoleName']}"
        assert denied_by(DEVELOPER, "iam:DeleteRole", arn) == "Roles"
        allowed = re.findall("iam:(?:Tag|Untag)User", json.dumps(role["Policies"]))
        assert {denied_by(arn, action, USER, [RECORD]) for action in allowed} <= {None}
        assert {denied_by(arn, action, USER, [UNTIL]) for action in allowed} <= {"ExemptionTags"}
        assert bool(allowed) == (denied_by(arn, "iam:TagUser", USER, [RECORD]) is None)
    for runbook in runbooks:
        assert denied_by(DEVELOPER, "ssm:UpdateDocument", f"document/{runbook['Name']}") == "Runbooks"


def test_it_follows_the_roles_to_their_path():
    found, plain = statements(RolePath="/security/"), statements()
    assert "arn:*:iam::*:role/security/access-key-rotation-*" in found["Roles"]["Resource"]
    # The evaluation role has no path.
    assert set(plain["Roles"]["Resource"]) <= set(found["Roles"]["Resource"])
    for role in ("remediation", "deletion"):
        arn = f"arn:*:iam::*:role/security/access-key-rotation-{role}"
        assert arn in found["RecordTags"]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]


# The rules for CloudFormation Guard.


def guard(*arguments):
    return subprocess.run([GUARD, *arguments], cwd=FIXTURES, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["access-keys", "terraform-access-keys"])
def test_unit_tests_of_the_guard_rules(name):
    cases = TEMPLATES / f"guard/{name}_tests.yaml"
    run = guard("test", "--rules-file", TEMPLATES / f"guard/{name}.guard", "--test-data", cases)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("PASS Rules:") == cases.read_text().count("- name: ")


def test_both_guard_rules_take_every_day_that_there_is_and_no_other():
    sources = [(TEMPLATES / f"guard/{name}.guard").read_text() for name in ("access-keys", "terraform-access-keys")]
    [pattern] = {re.search("^let date = /(.*)/$", source, re.MULTILINE)[1] for source in sources}
    for year, month, day in itertools.product(range(2001, 2100), range(14), range(33)):
        text = f"{year}-{month:02}-{day:02}"
        try:
            datetime.date(year, month, day)
        except ValueError:
            assert not re.search(pattern, text), text
        else:
            assert re.search(pattern, text), text


NO_KEYS = ["No access keys in templates", "Metadata.AccessKeyRotation says why: ExemptOwner, ExemptReason, ExemptUntil"]
NO_NEW_KEYS = ["No new access keys", "an entry for this address", "Address, ExemptOwner, ExemptReason, ExemptUntil"]
PLAN = "plan-new-access-key.json"


@pytest.mark.parametrize(
    "rule, data, exceptions, messages",
    [
        ("access-keys", "no-access-key.yaml", None, []),
        ("access-keys", "excepted-access-key.yaml", None, []),
        ("access-keys", "access-key.yaml", None, NO_KEYS),
        ("access-keys", "expired-access-key.yaml", None, ["The exception has expired"]),
        ("access-keys", "malformed-access-key.yaml", None, ["ExemptOwner must", "ExemptReason must", "ExemptUntil must"]),
        ("terraform-access-keys", "plan-deleted-access-key.json", None, []),
        ("terraform-access-keys", PLAN, None, [*NO_NEW_KEYS, "gateway.aws_iam_access_key.bank"]),
        ("terraform-access-keys", PLAN, "exceptions.yaml", []),
        ("terraform-access-keys", PLAN, "exceptions-of-another-address.yaml", NO_NEW_KEYS),
        ("terraform-access-keys", PLAN, "malformed-exceptions.yaml", NO_NEW_KEYS),
        ("terraform-access-keys", PLAN, "expired-exceptions.yaml", ["The exception for this access key has expired"]),
    ],
)
def test_what_guard_refuses_and_says(rule, data, exceptions, messages):
    given = ["--input-params", exceptions] if exceptions else []
    run = guard("validate", "--rules", TEMPLATES / f"guard/{rule}.guard", "--data", data, *given)
    assert run.returncode == (19 if messages else 0), f"{run.stdout}\n{run.stderr}"
    for message in messages:
        assert message in run.stdout


@pytest.mark.parametrize("form", ["single-line-summary", "json", "yaml", "junit", "sarif"])
def test_no_report_shows_the_rest_of_a_plan(form):
    structured = [] if form == "single-line-summary" else ["--structured", "--show-summary", "none"]
    rules = TEMPLATES / "guard/terraform-access-keys.guard"
    run = guard("validate", "--rules", rules, "--data", PLAN, "--output-format", form, *structured)
    assert run.returncode == 19
    assert "No new access keys" in run.stdout
    assert "not-for-the-log" in (FIXTURES / PLAN).read_text()
    assert "not-for-the-log" not in run.stdout + run.stderr
