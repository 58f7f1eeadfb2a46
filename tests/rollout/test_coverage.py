"""The coverage check of the hub: what it is, when it runs, and what it may do."""

import functools
import json
import os
import re
import unittest.mock

import boto3
import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from moto import mock_aws

from deployed import CODE, HUB, MEMBER, REGION, create, parameter_values, resolved, roles, template, upload_code

ORGANIZATION = "o-exampleorgid"
FUNCTION = ROLE = "access-key-rotation-coverage"
SCHEDULE_ROLE = "access-key-rotation-coverage-schedule"
ARN = f"arn:aws:lambda:{REGION}:{HUB}:function:{FUNCTION}"


def resources(**parameters):
    """The properties of the hub's resources of the check, by logical id, where their condition holds."""
    hub = template("hub.yaml")
    names = {
        "CoverageFunction": FUNCTION,
        "Function": "access-key-rotation",
        "CoverageLogGroup": "log",
        "AlarmTopic": "topic",
    }
    role_arn = lambda name: f"arn:aws:iam::{HUB}:role/{name}"
    arns = {
        "CoverageFunction.Arn": ARN,
        "CoverageRole.Arn": role_arn(ROLE),
        "CoverageScheduleRole.Arn": role_arn(SCHEDULE_ROLE),
    }
    values = parameter_values(hub, {**CODE, **names, **arns, **parameters})
    resolve = lambda node: resolved(node, values, hub["Conditions"])
    of_check = {
        name: part
        for name, part in hub["Resources"].items()
        if name.startswith("Coverage") or name == "NotCoveredAlarm"
    }
    return {
        name: resolve(part["Properties"])
        for name, part in of_check.items()
        if resolve({"Condition": part["Condition"]})
    }


@functools.cache
def deployed_roles():
    session = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "MOTO_ACCOUNT_ID": HUB,
    }
    with unittest.mock.patch.dict(os.environ, session), mock_aws():
        upload_code(boto3.client("s3"))
        create("hub.yaml", **CODE, OrganizationId=ORGANIZATION)
        return roles()


def test_only_an_organization_is_checked():
    assert resources() == {}
    found = resources(OrganizationId=ORGANIZATION)
    assert "NotCoveredAlarm" in found and len(found) == 7


def test_the_check_is_the_functions_code_with_another_handler():
    hub, found = (
        template("hub.yaml")["Resources"],
        resources(OrganizationId=ORGANIZATION, ExcludedAccounts=f"{MEMBER},210987654321"),
    )
    check, rule = found["CoverageFunction"], hub["Function"]["Properties"]
    assert check["FunctionName"] == FUNCTION
    assert (check["Runtime"], check["Handler"]) == ("provided.al2023", "coverage")
    assert hub["CoverageFunction"]["Properties"]["Code"] == rule["Code"]
    assert hub["CoverageFunction"]["Properties"]["Architectures"] == rule["Architectures"]
    # The deployment fails if it has other code.
    assert found["CoverageVersion"] == {"FunctionName": FUNCTION, "CodeSha256": CODE["CodeSha256"]}
    assert (check["MemorySize"], check["Timeout"]) == (512, 900)
    assert check["Environment"]["Variables"] == {
        "EVALUATION_ROLE_NAME": "/access-key-rotation-evaluation",
        "RULE_FUNCTION_NAME": "access-key-rotation",
        "EXCLUDED_ACCOUNTS": f"{MEMBER},210987654321",
        "SSL_CERT_FILE": "/etc/pki/tls/certs/ca-bundle.crt",
    }
    assert check["LoggingConfig"]["LogGroup"] == "log"
    assert found["CoverageLogGroup"]["LogGroupName"] == f"/aws/lambda/{FUNCTION}"


def test_as_many_accounts_can_be_excluded_as_the_templates_say():
    """Lambda takes 4 KB of environment variables, as JSON."""
    most = 250
    accounts = ",".join(str(111122220000 + n) for n in range(most))
    variables = resources(OrganizationId=ORGANIZATION, ExcludedAccounts=accounts)["CoverageFunction"]["Environment"][
        "Variables"
    ]
    assert len(json.dumps(variables)) <= 4096
    for name in ("hub.yaml", "organization.yaml"):
        assert f"up to {most}." in template(name)["Parameters"]["ExcludedAccounts"]["Description"]


def test_the_schedule_is_one_that_eventbridge_scheduler_takes():
    """As its API takes it: moto knows no schedules in templates."""
    schedule = resources(OrganizationId=ORGANIZATION)["CoverageTimer"]
    assert schedule["ScheduleExpression"] == "rate(12 hours)"
    assert schedule["Target"] == {"Arn": ARN, "RoleArn": f"arn:aws:iam::{HUB}:role/{SCHEDULE_ROLE}"}
    with mock_aws():
        scheduler = boto3.client("scheduler", REGION, aws_access_key_id="test", aws_secret_access_key="test")
        made = scheduler.create_schedule(**schedule)["ScheduleArn"]
        assert scheduler.get_schedule(Name=schedule["Name"])["State"] == "ENABLED"
    # The role trusts the schedule's group, which this schedule leaves to be the default one.
    assert made.split(":schedule/")[1].startswith("default/")


@pytest.mark.parametrize(
    "rate, allowed",
    [
        ("rate(1 hour)", True),
        ("rate(2 hours)", True),
        ("rate(12 hours)", True),
        # The alarm wants data each day, wherever its day begins.
        ("rate(13 hours)", False),
        ("rate(1 day)", False),
        ("rate(1 hours)", False),
        ("rate(0 hours)", False),
        ("", False),
    ],
)
def test_the_check_runs_twice_a_day_or_more(rate, allowed):
    pattern = template("hub.yaml")["Parameters"]["CoverageSchedule"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, rate)) == allowed


def test_the_scheduler_starts_the_check_and_nothing_else():
    role = deployed_roles()[SCHEDULE_ROLE]
    [trust] = role["trust"]["Statement"]
    assert (trust["Principal"], trust["Action"]) == ({"Service": "scheduler.amazonaws.com"}, "sts:AssumeRole")
    group = f"arn:aws:scheduler:{REGION}:{HUB}:schedule-group/default"
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": HUB, "aws:SourceArn": group}}
    [statement] = role["policy"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("lambda:InvokeFunction", ARN)


def is_allowed(role, action, resource):
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{HUB}:role/any",
        principal_type="AssumedRole",
        principal_account=HUB,
        action=action,
        resource_arn=resource,
        region=REGION,
        service_context={"aws:resourceorgid": ORGANIZATION},
    )
    return evaluate(context, [parse_policy_document(deployed_roles()[role]["policy"])]).decision == "Allow"


EVALUATION = f"arn:aws:iam::{MEMBER}:role/access-key-rotation-evaluation"
LOG = f"arn:aws:logs:{REGION}:{HUB}:log-group:/aws/lambda"


@pytest.mark.parametrize(
    "role, action, resource, allowed",
    [
        (ROLE, "organizations:ListAccounts", "*", True),
        (ROLE, "config:DescribeOrganizationConformancePacks", "*", True),
        (ROLE, "sts:AssumeRole", EVALUATION, True),
        (ROLE, "sts:AssumeRole", f"arn:aws:iam::{MEMBER}:role/administrator", False),
        (ROLE, "config:DescribeConfigRules", "*", True),
        (ROLE, "config:DescribeConfigRuleEvaluationStatus", "*", True),
        (ROLE, "logs:PutLogEvents", f"{LOG}/{FUNCTION}:log-stream:a", True),
        (ROLE, "logs:PutLogEvents", f"{LOG}/access-key-rotation:log-stream:a", False),
        (ROLE, "config:PutEvaluations", "*", False),
        (ROLE, "config:PutOrganizationConformancePack", "*", False),
        (ROLE, "config:GetComplianceDetailsByConfigRule", f"arn:aws:config:{REGION}:{HUB}:config-rule/one", False),
        (ROLE, "iam:ListUsers", "*", False),
        (ROLE, "iam:ListAccessKeys", f"arn:aws:iam::{HUB}:user/one", False),
        (ROLE, "organizations:DescribeOrganization", "*", False),
        (ROLE, "lambda:InvokeFunction", ARN, False),
        ("access-key-rotation-function", "organizations:ListAccounts", "*", False),
        ("access-key-rotation-function", "logs:PutLogEvents", f"{LOG}/{FUNCTION}:log-stream:a", False),
        ("access-key-rotation-function", "lambda:InvokeFunction", ARN, False),
    ],
)
def test_the_check_and_the_rule_may_only_do_their_own_work(role, action, resource, allowed):
    assert is_allowed(role, action, resource) == allowed


def test_the_check_assumes_roles_of_its_organization_only():
    statements = {statement["Sid"]: statement for statement in deployed_roles()[ROLE]["policy"]["Statement"]}
    assert statements["CheckOtherAccounts"]["Condition"] == {"StringEquals": {"aws:ResourceOrgID": ORGANIZATION}}
