"""The templates, as moto deploys them."""

import pathlib
import re

import boto3
import pytest
from moto import mock_aws

from deployed import (
    CODE,
    COMMAND_LINE,
    HUB,
    MEMBER,
    REGION,
    create,
    documents,
    hub_resource,
    roles,
    template,
    upload_code,
)

ROOT = pathlib.Path(__file__).parents[2]
ORGANIZATION = "o-exampleorgid"


@pytest.fixture
def account(monkeypatch):
    """A fresh AWS, in which the test chooses the account."""

    def choose(account_id):
        monkeypatch.setenv("MOTO_ACCOUNT_ID", account_id)

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield choose


def deploy_hub(account, **parameters):
    account(HUB)
    upload_code(boto3.client("s3"))
    create("hub.yaml", **CODE, **parameters)


def test_the_function(account):
    deploy_hub(account, OrganizationId=ORGANIZATION)
    function = boto3.client("lambda").get_function(FunctionName="access-key-rotation")
    settings = function["Configuration"]
    assert settings["Runtime"] == "provided.al2023"
    assert (settings["MemorySize"], settings["Timeout"]) == (128, 900)
    assert settings["Environment"]["Variables"] == {
        "EVALUATION_ROLE_NAME": "/access-key-rotation-evaluation",
        "KNOWN_SHIELDED_USERS": "",
        "SSL_CERT_FILE": "/etc/pki/tls/certs/ca-bundle.crt",
    }
    # A new account may have too little concurrency to reserve any.
    assert "Concurrency" not in function
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == {
        "/aws/lambda/access-key-rotation": 90,
        "/aws/lambda/access-key-rotation-coverage": 90,
    }


def test_the_function_has_the_concurrency_that_it_is_given(account):
    deploy_hub(account, ReservedConcurrency="20")
    concurrency = boto3.client("lambda").get_function_concurrency(FunctionName="access-key-rotation")
    assert concurrency["ReservedConcurrentExecutions"] == 20


@pytest.mark.parametrize(
    "reader, condition",
    [("", None), (COMMAND_LINE, {"ArnNotLike": {"aws:PrincipalArn": COMMAND_LINE}})],
)
def test_nobody_but_one_role_reads_failed_events(reader, condition):
    queue = f"arn:aws:sqs:{REGION}:{HUB}:access-key-rotation-failed-events"
    policy = hub_resource(
        "FailedEventsPolicy", FailedEventsReaderArn=reader, **{"FailedEvents.Arn": queue, "FailedEvents": "url"}
    )
    assert policy["Queues"] == ["url"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:ReceiveMessage")
    assert statement["Resource"] == queue
    assert statement.get("Condition") == condition


def test_without_an_organization_the_function_assumes_no_role(account):
    deploy_hub(account)
    function = boto3.client("lambda").get_function(FunctionName="access-key-rotation")
    assert "EVALUATION_ROLE_NAME" not in function["Configuration"]["Environment"]["Variables"]
    iam = boto3.client("iam")
    policy = iam.get_role_policy(RoleName="access-key-rotation-function", PolicyName="function")["PolicyDocument"]
    assert "sts:AssumeRole" not in str(policy)


@pytest.mark.parametrize("account_id, has_role", [(MEMBER, True), (HUB, False)])
def test_only_other_accounts_than_the_hub_have_the_evaluation_role(account, account_id, has_role):
    account(account_id)
    create("member.yaml", HubAccountId=HUB)
    roles = {role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]}
    assert ("access-key-rotation-evaluation" in roles) == has_role
    assert {"access-key-rotation-remediation", "access-key-rotation-deletion"} <= roles


def evaluation_role(account, **parameters):
    account(MEMBER)
    create("member.yaml", HubAccountId=HUB, **parameters)
    return roles()["access-key-rotation-evaluation"]


THE_FUNCTIONS = {
    "Effect": "Allow",
    # Not the role, which IAM would take only if it is there, and no longer if it is made anew.
    "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {
        "ArnEquals": {
            "aws:PrincipalArn": [
                f"arn:aws:iam::{HUB}:role/access-key-rotation-{name}" for name in ("function", "coverage")
            ]
        }
    },
}


SIDS = ["ReadUsers", "ReadAccessKeys", "ReadExposed", "ReadResults", "ReadAndDeliver", "ReadRules"]


def test_only_the_function_and_the_coverage_check_have_the_evaluation_role(account):
    role = evaluation_role(account)
    assert role["trust"]["Statement"] == [THE_FUNCTIONS]
    assert [statement["Sid"] for statement in role["policy"]["Statement"]] == SIDS
    assert set(role["policy"]["Statement"][-1]["Action"]) == {
        "config:DescribeConfigRules",
        "config:DescribeConfigRuleEvaluationStatus",
    }


def test_the_command_line_has_the_evaluation_role_if_its_own_is_given(account):
    role = evaluation_role(account, CommandLineRoleArn=COMMAND_LINE)
    people = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": COMMAND_LINE}},
    }
    assert role["trust"]["Statement"] == [THE_FUNCTIONS, people]
    statements = {statement["Sid"]: statement for statement in role["policy"]["Statement"]}
    assert [*statements] == [
        *SIDS,
        "ReadRecorder",
        "ReadRemediation",
        "ReadRunbooks",
        "ReadScriptLogging",
        "ReadOtherCredentials",
        "ReadRecords",
        "ReadEvents",
        "ReadRegions",
    ]
    runbooks = statements["ReadRunbooks"]["Resource"]
    assert sorted(runbooks) == sorted(f"arn:aws:ssm:{REGION}:{MEMBER}:document/{name}" for name in documents())


@pytest.mark.parametrize(
    "arn, allowed",
    [
        ("", True),
        (f"arn:aws:iam::{HUB}:role/security", True),
        (COMMAND_LINE, True),
        ("*", False),
        (f"arn:aws:iam::{HUB}:role/one,arn:aws:iam::{HUB}:role/other", False),
        (f"arn:aws:iam::{HUB}:role/security ", False),
        (f"arn:aws:iam::{HUB}:*", False),
        (f"arn:aws:iam::{HUB}:root", False),
        ("arn:aws:iam::*:role/security", False),
    ],
)
def test_the_command_lines_role_is_one_of_an_account(arn, allowed):
    """CloudFormation wants the whole value to match."""
    pattern = template("member.yaml")["Parameters"]["CommandLineRoleArn"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, arn)) == allowed


@pytest.mark.parametrize("path", sorted((ROOT / "templates").glob("*.yaml")), ids=lambda path: path.name)
def test_a_template_can_be_given_by_its_url(path):
    """The most that CreateStack and CreateStackSet take from S3. For what goes into a call, see test_manual.py."""
    assert len(path.read_bytes()) <= 1_000_000
