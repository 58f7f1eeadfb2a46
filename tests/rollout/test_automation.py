"""Runs in many accounts: the template, what its roles may do, and the commands of the manual."""

import functools
import json
import os
import pathlib
import re
import subprocess
import unittest.mock

import boto3
import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document
from moto import mock_aws

from deployed import HUB, MEMBER, REGION, create, documents, roles

ROOT = pathlib.Path(__file__).parents[2]
MANUAL = (ROOT / "templates/AUTOMATION.md").read_text()
ADMINISTRATION = "access-key-rotation-automation-administration"
EXECUTION = "access-key-rotation-automation-execution"
STARTER = "AccessKeyRotation-RunInAccount"


@functools.cache
def deployed_in(account, path="/"):
    """The roles and documents of an account with both templates, and this path of the roles."""
    session = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "MOTO_ACCOUNT_ID": account,
    }
    with unittest.mock.patch.dict(os.environ, session), mock_aws():
        create("member.yaml", HubAccountId=HUB, RolePath=path)
        create("automation.yaml", HubAccountId=HUB, RolePath=path)
        return roles(), documents()


def is_allowed(role, action, resource, **keys):
    context = EvalContext(
        principal_arn=f"arn:aws:iam::{MEMBER}:role/any",
        principal_type="AssumedRole",
        principal_account=MEMBER,
        action=action,
        resource_arn=resource,
        region=REGION,
        service_context={key.replace("_", ":", 1).lower(): value for key, value in keys.items()},
    )
    return evaluate(context, [parse_policy_document(role["policy"])]).decision == "Allow"


def ssm(resource, account=MEMBER):
    return f"arn:aws:ssm:{REGION}:{account}:{resource}"


def role_arn(name, account=MEMBER):
    return f"arn:aws:iam::{account}:role/{name}"


def test_only_the_hub_has_the_administration_role():
    for account, expected in ((HUB, {ADMINISTRATION, EXECUTION}), (MEMBER, {EXECUTION})):
        found, runbooks = deployed_in(account)
        assert {name for name in found if name.startswith("access-key-rotation-automation-")} == expected
        assert STARTER in runbooks


def test_who_gets_the_roles():
    def systems_manager(account):
        return {
            "Effect": "Allow",
            "Principal": {"Service": "ssm.amazonaws.com"},
            "Action": "sts:AssumeRole",
            "Condition": {
                "StringEquals": {"aws:SourceAccount": account},
                "ArnLike": {"aws:SourceArn": ssm("automation-execution/*", account)},
            },
        }

    administration = deployed_in(HUB)[0][ADMINISTRATION]
    assert administration["trust"]["Statement"] == [systems_manager(HUB)]
    execution = deployed_in(MEMBER)[0][EXECUTION]
    hub = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnEquals": {"aws:PrincipalArn": role_arn(ADMINISTRATION, HUB)}},
    }
    assert execution["trust"]["Statement"] == [hub, systems_manager(MEMBER)]


@pytest.mark.parametrize(
    "allowed, action, resource, keys",
    [
        (True, "ssm:StartAutomationExecution", ssm(f"document/{STARTER}"), {}),
        (True, "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-DeactivateStaleKeys"), {}),
        (
            True,
            "ssm:StartAutomationExecution",
            ssm("automation-definition/AccessKeyRotation-DeleteDeactivatedKeys:$DEFAULT"),
            {},
        ),
        (True, "ssm:StartAutomationExecution", ssm("automation-execution/6f3b5c0e-0000-4000-8000-000000000000"), {}),
        (False, "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-ReactivateKey"), {}),
        (False, "ssm:StartAutomationExecution", ssm("document/Mine"), {}),
        (False, "ssm:StartAutomationExecution", ssm("automation-definition/AccessKeyRotation-RunInAccountToo:1"), {}),
        (False, "ssm:StartAutomationExecution", ssm(f"document/{STARTER}", HUB), {}),
        (True, "ssm:GetAutomationExecution", ssm("automation-execution/6f3b5c0e-0000-4000-8000-000000000000"), {}),
        (
            True,
            "iam:PassRole",
            role_arn("access-key-rotation-remediation"),
            {"iam_PassedToService": "ssm.amazonaws.com"},
        ),
        (True, "iam:PassRole", role_arn("access-key-rotation-deletion"), {"iam_PassedToService": "ssm.amazonaws.com"}),
        (True, "iam:PassRole", role_arn(EXECUTION), {"iam_PassedToService": "ssm.amazonaws.com"}),
        (
            False,
            "iam:PassRole",
            role_arn("access-key-rotation-deletion"),
            {"iam_PassedToService": "lambda.amazonaws.com"},
        ),
        (False, "iam:PassRole", role_arn("access-key-rotation-deletion"), {}),
        (False, "iam:PassRole", role_arn("administrator"), {"iam_PassedToService": "ssm.amazonaws.com"}),
        (False, "iam:UpdateAccessKey", f"arn:aws:iam::{MEMBER}:user/bot", {}),
        (False, "ssm:UpdateDocument", ssm(f"document/{STARTER}"), {}),
    ],
)
def test_the_execution_role_starts_the_runbooks_and_nothing_else(allowed, action, resource, keys):
    assert is_allowed(deployed_in(MEMBER)[0][EXECUTION], action, resource, **keys) == allowed


def test_the_administration_role_enters_accounts_of_the_organization_only_with_the_execution_role():
    role = deployed_in(HUB)[0][ADMINISTRATION]
    entering = [statement for statement in role["policy"]["Statement"] if statement["Action"] == "sts:AssumeRole"]
    [statement] = entering
    assert statement["Resource"] == f"arn:aws:iam::*:role/{EXECUTION}"
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}
    rest = [action for other in role["policy"]["Statement"] if other != statement for action in other["Action"]]
    assert rest and all(re.fullmatch("organizations:List[A-Za-z]+", action) for action in rest)
    assert not is_allowed(role, "ssm:StartAutomationExecution", ssm(f"document/{STARTER}", HUB))


def test_what_the_document_starts_and_with_which_role():
    found, runbooks = deployed_in(MEMBER)
    document = runbooks[STARTER]
    for name, parameter in document["parameters"].items():
        assert parameter["type"] == "String" and parameter["description"], name
        assert re.fullmatch(r"\^.*\$", parameter["allowedPattern"]), name
    [step] = document["mainSteps"]
    assert step["action"] == "aws:executeAutomation" and step["onFailure"] == "Abort"
    given = step["inputs"]["RuntimeParameters"]
    assert all(re.fullmatch(r"\{\{ (\w+) \}\}", value)[1] == name for name, value in given.items())
    assert step["inputs"]["DocumentName"] == "AccessKeyRotation-{{ Runbook }}"
    for name, runbook in runbooks.items():
        if name == STARTER:
            continue
        pattern = document["parameters"]["Runbook"]["allowedPattern"]
        starts = bool(re.search(pattern, name.removeprefix("AccessKeyRotation-")))
        # Reactivation needs the id of a key.
        assert starts == (
            set(runbook["parameters"]) >= {"ResourceId", "DryRun"} and "AccessKeyId" not in runbook["parameters"]
        )
        if starts:
            assert all("default" in parameter for key, parameter in runbook["parameters"].items() if key not in given)
            role = runbook["parameters"]["AutomationAssumeRole"]["default"]
            assert is_allowed(found[EXECUTION], "iam:PassRole", role, iam_PassedToService="ssm.amazonaws.com")
            assert is_allowed(found[EXECUTION], "ssm:StartAutomationExecution", ssm(f"document/{name}"))


def test_the_roles_work_under_a_path():
    found, runbooks = deployed_in(MEMBER, "/security/")
    [hub, _] = found[EXECUTION]["trust"]["Statement"]
    administration = role_arn(f"security/{ADMINISTRATION}", HUB)
    assert hub["Condition"] == {"ArnEquals": {"aws:PrincipalArn": administration}}
    assert role_arn(f"security/{ADMINISTRATION}", HUB) in {
        role["arn"] for role in deployed_in(HUB, "/security/")[0].values()
    }
    for name in ("DeactivateStaleKeys", "DeleteDeactivatedKeys"):
        role = runbooks[f"AccessKeyRotation-{name}"]["parameters"]["AutomationAssumeRole"]["default"]
        assert "/security/" in role
        assert is_allowed(found[EXECUTION], "iam:PassRole", role, iam_PassedToService="ssm.amazonaws.com")
        elsewhere = role.replace("/security/", "/")
        assert not is_allowed(found[EXECUTION], "iam:PassRole", elsewhere, iam_PassedToService="ssm.amazonaws.com")
    parameter = runbooks[STARTER]["parameters"]["AutomationAssumeRole"]
    # Systems Manager gets only the name of the execution role.
    assert parameter["default"] == found[EXECUTION]["arn"] == role_arn(EXECUTION)
    for role, valid in ((administration, True), (role_arn(EXECUTION), True), (role_arn(ADMINISTRATION, HUB), False)):
        assert bool(re.search(parameter["allowedPattern"], role)) == valid


@pytest.mark.parametrize(
    "parameter, value, valid",
    [
        ("Runbook", "DeleteDeactivatedKeys", True),
        ("Runbook", "ReactivateKey", False),
        ("Runbook", "DeleteDeactivatedKeys-2", False),
        ("ResourceId", "ALL", True),
        ("ResourceId", "AIDA2EXAMPLE3EXAMPLE4", True),
        ("ResourceId", "billing-export", False),
        ("AutomationAssumeRole", role_arn(ADMINISTRATION, HUB), True),
        ("AutomationAssumeRole", role_arn(EXECUTION).replace("arn:aws:", "arn:aws-us-gov:"), True),
        ("AutomationAssumeRole", role_arn("administrator"), False),
    ],
)
def test_the_documents_parameters_are_checked(parameter, value, valid):
    parameters = deployed_in(MEMBER)[1][STARTER]["parameters"]
    assert bool(re.search(parameters[parameter]["allowedPattern"], value)) == valid
    assert parameters["DryRun"]["default"] == "true"


# The manual's batch.


def user(account, number, compliance="NON_COMPLIANT", in_use=False):
    return {"account": account, "userId": f"AIDA{number:016}", "compliance": compliance, "inUse": in_use}


def batch(tmp_path, users):
    [command] = re.findall(r"^\$ (jq .*?> batch\.json)$", MANUAL, re.MULTILINE | re.DOTALL)
    (tmp_path / "keys.json").write_text(json.dumps({"users": users}))
    subprocess.run(["bash", "-euc", command], cwd=tmp_path, check=True)
    return json.loads((tmp_path / "batch.json").read_text())


def test_a_batch_has_the_idle_violations_of_each_account(tmp_path):
    users = [
        user("111122223333", 1),
        user("111122223333", 2, in_use=True),
        user("444455556666", 3),
        user("111122223333", 4),
        user("444455556666", 5, "COMPLIANT", None),
        # Nobody knows when it was last used.
        user("444455556666", 6, in_use=None),
        user("777788889999", 7, in_use=True),
    ]
    locations = batch(tmp_path, users)
    found = {location["Accounts"][0]: location["Targets"][0]["Values"] for location in locations}
    assert found == {
        "111122223333": [f"AIDA{1:016}", f"AIDA{4:016}"],
        "444455556666": [f"AIDA{3:016}"],
    }
    for location in locations:
        assert location["ExecutionRoleName"] == EXECUTION
        assert location["Targets"][0]["Key"] == "ParameterValues"


def test_a_batch_is_one_that_systems_manager_takes(tmp_path):
    shapes = boto3.client("ssm", region_name=REGION).meta.service_model
    most_locations = shapes.shape_for("TargetLocations").metadata["max"]
    most_values = shapes.shape_for("TargetValues").metadata["max"]
    users = [
        user(f"{account:012}", account * 100 + number)
        for account in range(most_locations + 1)
        for number in range(most_values + 1)
    ]
    locations = batch(tmp_path, users)
    assert len(locations) == most_locations
    assert {len(location["Targets"][0]["Values"]) for location in locations} == {most_values}
