"""What organizations may require of the templates: permissions boundary, path, key."""

import json
import pathlib
import re

import boto3
import pytest
from moto import mock_aws

from deployed import HUB, REGION, create, documents, parameter_values, resolved, template

ROOT = pathlib.Path(__file__).parents[2]
OTHER = "210987654321"
ORGANIZATION = {"OrganizationId": "o-exampleorgid"}
ROTATION = {"Rotation": "true", "RotationSchedule": "rate(1 day)"}
BUS = f"arn:aws:events:{REGION}:{OTHER}:event-bus/access-key-rotation"
KEY = f"arn:aws:kms:{REGION}:{HUB}:key/11111111-2222-3333-4444-555555555555"


def properties(name, **parameters):
    """The properties of a template's resources, by logical id, without those whose condition does not hold."""
    text = template(name)
    attributes = {
        "FailedEvents.Arn": "arn:queue",
        "FunctionRole.Arn": "arn:role",
        "CoverageFunction.Arn": "arn:function",
    }
    references = {logical_id: logical_id for logical_id in text["Resources"]}
    values = parameter_values(text, {**references, **attributes, **parameters})
    resolve = lambda node: resolved(node, values, text["Conditions"])
    found = {}
    for logical_id, resource in text["Resources"].items():
        if resource["Type"] not in ("AWS::IAM::Role", "AWS::SQS::Queue", "AWS::SNS::Topic", "AWS::Logs::LogGroup"):
            continue
        if "Condition" not in resource or resolve({"Condition": resource["Condition"]}):
            found[logical_id] = resolve(resource["Properties"])
    return found


ROLES = {
    "hub.yaml": {"function", "coverage", "coverage-schedule", "reminder"},
    "member.yaml": {"evaluation", "remediation", "deletion", "notices", "rotation", "rotation-schedule"},
    "automation.yaml": {"automation-administration", "automation-execution"},
}


@pytest.mark.parametrize(
    "name, parameters",
    [
        ("hub.yaml", ORGANIZATION),
        ("member.yaml", {"HubAccountId": OTHER, "EventBusArn": BUS, **ROTATION}),
        ("automation.yaml", {"HubAccountId": HUB}),
    ],
)
def test_every_role_has_the_boundary_and_the_path_that_are_given(name, parameters):
    roles_of = lambda **more: {
        role["RoleName"].removeprefix("access-key-rotation-"): role
        for role in properties(name, **parameters, **more).values()
        if "RoleName" in role
    }
    plain, given = roles_of(), roles_of(PermissionsBoundary="team/boundary", RolePath="/security/")
    assert set(plain) == ROLES[name]
    for role in plain:
        assert "PermissionsBoundary" not in plain[role]
        assert given[role]["PermissionsBoundary"] == f"arn:aws:iam::{HUB}:policy/team/boundary"
        # Systems Manager gets only the name of this one.
        paths = (None, None) if role == "automation-execution" else ("/", "/security/")
        assert (plain[role].get("Path"), given[role].get("Path")) == paths
    if name == "member.yaml":
        [statement] = given["evaluation"]["AssumeRolePolicyDocument"]["Statement"]
        hub = [f"arn:aws:iam::{OTHER}:role/security/access-key-rotation-{role}" for role in ("function", "coverage")]
        assert statement["Condition"] == {"ArnEquals": {"aws:PrincipalArn": hub}}
    if name == "hub.yaml":
        evaluation = "arn:aws:iam::*:role/security/access-key-rotation-evaluation"
        for role in ("function", "coverage"):
            policies = [policy["PolicyDocument"]["Statement"] for policy in given[role]["Policies"]]
            assumed = [s["Resource"] for statements in policies for s in statements if s["Action"] == "sts:AssumeRole"]
            assert assumed == [evaluation]


@mock_aws
def test_the_runbooks_take_their_role_under_its_path_only(monkeypatch):
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", REGION),
    ):
        monkeypatch.setenv(name, value)
    create("member.yaml", HubAccountId=OTHER, RolePath="/security/")
    arns = {role["Arn"] for role in boto3.client("iam").list_roles()["Roles"]}
    for document in documents().values():
        role = document["parameters"]["AutomationAssumeRole"]
        assert role["default"] in arns and "/security/" in role["default"]
        assert re.search(role["allowedPattern"], role["default"])
        assert not re.search(role["allowedPattern"], role["default"].replace("/security/", "/"))


@pytest.mark.parametrize(
    "path, allowed",
    [
        ("/", True),
        ("/security/", True),
        ("/a/b-c_d/", True),
        ("", False),
        ("security/", False),
        ("/security", False),
        ("/.*/", False),
    ],
)
def test_a_path_is_one_that_iam_takes_and_no_pattern(path, allowed):
    for name in ("hub.yaml", "member.yaml", "automation.yaml", "prevention.yaml"):
        pattern = template(name)["Parameters"]["RolePath"]["AllowedPattern"]
        assert bool(re.fullmatch(pattern, path)) == allowed, name


def test_the_key_encrypts_topic_queue_and_logs():
    plain, given = properties("hub.yaml", **ORGANIZATION), properties("hub.yaml", **ORGANIZATION, KmsKeyArn=KEY)
    names = {
        "AlarmTopic": "KmsMasterKeyId",
        "FailedEvents": "KmsMasterKeyId",
        "LogGroup": "KmsKeyId",
        "CoverageLogGroup": "KmsKeyId",
    }
    for logical_id, name in names.items():
        assert name not in plain[logical_id]
        assert given[logical_id][name] == KEY
    # SQS takes only one of the two.
    assert plain["FailedEvents"]["SqsManagedSseEnabled"] is True
    assert "SqsManagedSseEnabled" not in given["FailedEvents"]
    statements = lambda resources: {
        s["Sid"]: s for s in resources["FunctionRole"]["Policies"][0]["PolicyDocument"]["Statement"]
    }
    assert "EncryptFailedEvents" not in statements(plain)
    assert statements(given)["EncryptFailedEvents"] == {
        "Sid": "EncryptFailedEvents",
        "Effect": "Allow",
        "Action": ["kms:GenerateDataKey", "kms:Decrypt"],
        "Resource": KEY,
        "Condition": {"StringEquals": {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"}},
    }


def test_the_manuals_key_policy_lets_the_services_use_the_key():
    manual = (ROOT / "templates/HARDENING.md").read_text()
    [text] = re.findall(r"^```json\n(\[.*?)^```$", manual, re.MULTILINE | re.DOTALL)
    statements = {statement["Sid"]: statement for statement in json.loads(text)}
    assert statements["Alarms"]["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert set(statements["Alarms"]["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    logs = statements["Logs"]["Condition"]["ArnEquals"]["kms:EncryptionContext:aws:logs:arn"]
    groups = [
        group["LogGroupName"]
        for group in properties("hub.yaml", **ORGANIZATION, Notices="true", **{"EventBus.Arn": "arn:bus"}).values()
        if "LogGroupName" in group
    ]
    assert [log.split(":log-group:")[1] for log in logs] == groups
    assert statements["Logs"]["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    # For the topics and queues of notices.yaml.
    assert statements["Notices"]["Principal"] == {"Service": "events.amazonaws.com"}
    assert statements["Notices"]["Action"] == statements["Alarms"]["Action"]
