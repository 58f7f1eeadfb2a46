"""The rotation by itself: what EventBridge Scheduler starts in a member, and what its role may do."""

import json
import re

import boto3
import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

import runbook
from deployed import REGION, template
from notices import SENDER, resources
from test_documents import DOCUMENTS

TIMERS = {"RotationTimer": "RotateKey", "DeletionTimer": "DeleteDeactivatedKeys"}
ROTATION_ROLE = f"arn:aws:iam::{SENDER}:role/access-key-rotation-rotation"
GIVEN = {"Rotation": "true", "RotationSchedule": "rate(1 day)"}


def member(**parameters):
    names = {name: f"AccessKeyRotation-{name}" for name in TIMERS.values()}
    return resources("member.yaml", SENDER, **names, **{"RotationRole.Arn": ROTATION_ROLE}, **parameters)


@pytest.mark.parametrize("missing", [{"Rotation": "false"}, {"RotationSchedule": ""}])
def test_nothing_runs_by_itself_unless_it_is_asked_for(missing):
    asked = {*TIMERS, "RotationScheduleRole"}
    assert asked <= member(**GIVEN).keys()
    assert not asked & member(**GIVEN | missing).keys()


@pytest.mark.parametrize(
    "timer, parameters",
    [
        ("RotationTimer", {"ResourceId": "ALL"}),
        ("DeletionTimer", {"ResourceId": "ROTATED", "DryRun": "false", "AutomationAssumeRole": ROTATION_ROLE}),
    ],
)
def test_a_timer_starts_its_runbook_as_the_apis_take_it(timer, parameters):
    schedule = member(**GIVEN)[timer]
    assert schedule["ScheduleExpression"] == "rate(1 day)"
    assert schedule["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:ssm:startAutomationExecution"
    given = json.loads(schedule["Target"]["Input"])
    assert given.pop("DocumentName") == f"AccessKeyRotation-{TIMERS[timer]}"
    assert given == {"Parameters": {name: [value] for name, value in parameters.items()}}
    runbook.parameter_values(DOCUMENTS[TIMERS[timer]], parameters)
    # botocore checks what it is given before it calls.
    for service, operation, call in (
        ("scheduler", "CreateSchedule", schedule),
        ("ssm", "StartAutomationExecution", {**given, "DocumentName": "AccessKeyRotation-RotateKey"}),
    ):
        client = boto3.client(service, REGION, aws_access_key_id="test", aws_secret_access_key="test")
        shape = client.meta.service_model.operation_model(operation).input_shape
        client._serializer.serialize_to_request(call, client.meta.service_model.operation_model(operation))
        assert call.keys() <= shape.members.keys()


def test_the_rotation_needs_no_role_from_its_timer():
    """The rotation runs with the role that its document names."""
    default = DOCUMENTS["RotateKey"]["parameters"]["AutomationAssumeRole"]["default"]
    assert default.endswith(":role/access-key-rotation-rotation")


def ssm(resource):
    return f"arn:aws:ssm:{REGION}:{SENDER}:{resource}"


@pytest.mark.parametrize(
    "allowed, action, resource, service",
    [
        (True, "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-RotateKey"), None),
        (True, "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-DeleteDeactivatedKeys"), None),
        (True, "ssm:StartAutomationExecution", ssm("automation-definition/AccessKeyRotation-RotateKey:$DEFAULT"), None),
        (True, "ssm:StartAutomationExecution", ssm("automation-execution/6f3b5c0e-0000-4000-8000-000000000000"), None),
        (False, "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-DeactivateStaleKeys"), None),
        (False, "ssm:StartAutomationExecution", ssm("document/Mine"), None),
        (True, "iam:PassRole", ROTATION_ROLE, "ssm.amazonaws.com"),
        (False, "iam:PassRole", ROTATION_ROLE, "lambda.amazonaws.com"),
        (False, "iam:PassRole", ROTATION_ROLE.replace("-rotation-rotation", "-rotation-deletion"), "ssm.amazonaws.com"),
        (False, "iam:CreateAccessKey", f"arn:aws:iam::{SENDER}:user/bot", None),
        (False, "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{SENDER}:secret:any", None),
    ],
)
def test_the_role_starts_these_runbooks_with_the_rotation_role_and_nothing_else(allowed, action, resource, service):
    role = member(**GIVEN)["RotationScheduleRole"]
    [policy] = role["Policies"]
    keys = {"iam:passedtoservice": service} if service else {}
    principal = f"arn:aws:iam::{SENDER}:role/{role['RoleName']}"
    context = EvalContext(principal, "AssumedRole", SENDER, action, resource, REGION, service_context=keys)
    assert (evaluate(context, [parse_policy_document(policy["PolicyDocument"])]).decision == "Allow") == allowed


def test_only_event_bridge_scheduler_gets_the_role():
    trust = template("member.yaml")["Resources"]["RotationScheduleRole"]["Properties"]["AssumeRolePolicyDocument"]
    assert trust == template("hub.yaml")["Resources"]["ReminderRole"]["Properties"]["AssumeRolePolicyDocument"]


@pytest.mark.parametrize(
    "expression, allowed",
    [
        ("", True),
        ("rate(1 day)", True),
        ("cron(0 6 * * ? *)", True),
        ("cron(0 6 ? * MON-FRI *)", True),
        ("at(2026-03-01T12:00:00)", False),
        ("1 day", False),
        ('rate(1 day)"', False),
    ],
)
def test_the_schedule_is_one_that_recurs(expression, allowed):
    pattern = template("member.yaml")["Parameters"]["RotationSchedule"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, expression)) == allowed
