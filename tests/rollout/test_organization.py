"""The one stack for an organization, and the aggregator: what they make of their parts."""

import pathlib
import re

import boto3
import pytest
from moto import mock_aws

from deployed import HUB, REGION, parameter_values, resolved, template
from pages import MANUAL

ROOT = pathlib.Path(__file__).parents[2]
UNIT = "ou-exam-12345678"
GIVEN = {
    "TemplateBucket": "code",
    "TemplatePrefix": "access-key-rotation/0123456789abcdef/",
    "CodeSha256": "A" * 43 + "=",
    "OrganizationId": "o-exampleorgid",
    "OrganizationalUnitIds": f"{UNIT},r-exam",
}
PREFIX = "https://code.s3.eu-central-1.amazonaws.com/access-key-rotation/0123456789abcdef/"


def resource(name, logical_id, **parameters):
    text = template(name)
    return resolved(
        text["Resources"][logical_id]["Properties"], parameter_values(text, parameters), text.get("Conditions")
    )


def given_in_the_manual(option):
    """What the manual gives as this option for the pack's StackSet, but for what that depends on."""
    [given] = set(re.findall(rf"--{option} (\S+)", MANUAL["templates/WAVES.md"]))
    shorthand = given.removesuffix(",DependsOn=$MEMBER_STACK_SET")
    return dict(pair.split("=") for pair in shorthand.split(","))


def test_the_functions_stack_is_the_hubs():
    hub, stack = template("hub.yaml")["Parameters"], resource("organization.yaml", "Hub", **GIVEN)
    assert stack["TemplateURL"] == PREFIX + "hub.yaml"
    assert set(stack["Parameters"]) == set(hub)
    assert stack["Parameters"]["CodeBucket"] == "code"
    assert stack["Parameters"]["CodeKey"] == GIVEN["TemplatePrefix"] + "bootstrap.zip"


def test_the_stack_set_is_the_one_of_the_parts():
    """Its properties, as the API and moto take them, and the same as those of the manual's commands."""
    properties = resource("organization.yaml", "Members", **GIVEN)
    assert properties.pop("TemplateURL") == PREFIX + "member.yaml"
    assert properties["CallAs"] == "DELEGATED_ADMIN"
    given = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in properties["Parameters"]}
    assert given["HubAccountId"] == HUB
    assert set(given) == set(template("member.yaml")["Parameters"])
    [group] = properties.pop("StackInstancesGroup")
    assert group == {"DeploymentTargets": {"OrganizationalUnitIds": [UNIT, "r-exam"]}, "Regions": [REGION]}
    preferences = properties.pop("OperationPreferences")
    properties["TemplateBody"] = (ROOT / "templates/member.yaml").read_text()
    with mock_aws():
        stacks = boto3.client("cloudformation", REGION, aws_access_key_id="test", aws_secret_access_key="test")
        boto3.client(
            "organizations", REGION, aws_access_key_id="test", aws_secret_access_key="test"
        ).create_organization()
        stacks.create_stack_set(**properties)
        [summary] = stacks.list_stack_sets()["Summaries"]
    assert (summary["StackSetName"], summary["Status"]) == ("access-key-rotation-member", "ACTIVE")

    assert properties["AutoDeployment"] == {"Enabled": True, "RetainStacksOnAccountRemoval": False}
    as_text = lambda properties: {name: str(value).lower() for name, value in properties.items()}
    assert as_text(properties["AutoDeployment"]) == given_in_the_manual("auto-deployment")
    assert as_text(preferences) == given_in_the_manual("operation-preferences")
    # Less would take the function back when one account fails.
    assert preferences["FailureTolerancePercentage"] == 100


@pytest.mark.parametrize("part", ["hub.yaml", "member.yaml"])
def test_every_parameter_of_the_parts_is_one_of_the_organizations(part):
    """And reaches them. Only the organization's id is required here."""
    mine = template("organization.yaml")["Parameters"]
    others = ("Description", "Type")
    # EventBusArn is the hub's: see test_the_members_forward_notices_to_the_hubs_bus_if_there_is_one.
    # Release is the prefix.
    without = ("CodeBucket", "CodeKey", "HubAccountId", "OrganizationId", "EventBusArn", "Release")
    for name, parameter in template(part)["Parameters"].items():
        if name in without:
            continue
        rules = lambda definition: {key: value for key, value in definition.items() if key not in others}
        assert rules(mine[name]) == rules(parameter), name
        value = "no default"
        if part == "hub.yaml":
            given = resource("organization.yaml", "Hub", **GIVEN | {name: value})["Parameters"][name]
        else:
            pairs = resource("organization.yaml", "Members", **GIVEN | {name: value})["Parameters"]
            [given] = [pair["ParameterValue"] for pair in pairs if pair["ParameterKey"] == name]
        assert given == value, name


@pytest.mark.parametrize("notices, expected", [("false", ""), ("true", "arn:bus")])
def test_the_members_forward_notices_to_the_hubs_bus_if_there_is_one(notices, expected):
    """And so the bus and its policy are there first."""
    members = resource(
        "organization.yaml", "Members", **GIVEN, Notices=notices, **{"Hub.Outputs.EventBusArn": "arn:bus"}
    )
    assert {p["ParameterKey"]: p["ParameterValue"] for p in members["Parameters"]}["EventBusArn"] == expected
    assert "EventBusArn" in template("hub.yaml")["Outputs"]


@pytest.mark.parametrize("ids, allowed", [("r-exam", True), (UNIT, True), ("111122220000", False), ("", False)])
def test_stack_sets_take_roots_and_units(ids, allowed):
    pattern = template("organization.yaml")["Parameters"]["OrganizationalUnitIds"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, ids)) == allowed


def test_the_aggregator_reads_the_organization_in_the_home_region():
    """As AWS Config's API takes it: moto knows no aggregators in templates."""
    aggregator = resource(
        "aggregator.yaml", "Aggregator", **{"Role.Arn": f"arn:aws:iam::{HUB}:role/access-key-rotation-aggregator"}
    )
    with mock_aws():
        config = boto3.client("config", REGION, aws_access_key_id="test", aws_secret_access_key="test")
        made = config.put_configuration_aggregator(**aggregator)["ConfigurationAggregator"]
    assert made["OrganizationAggregationSource"]["AwsRegions"] == [REGION]
    assert (
        f"--configuration-aggregator-name {made['ConfigurationAggregatorName']} "
        in (ROOT / "templates/OPERATING.md").read_text()
    )
    role = resource("aggregator.yaml", "Role", PermissionsBoundary="boundary", RolePath="/security/")
    assert role["PermissionsBoundary"] == f"arn:aws:iam::{HUB}:policy/boundary" and role["Path"] == "/security/"
    assert role["ManagedPolicyArns"] == ["arn:aws:iam::aws:policy/service-role/AWSConfigRoleForOrganizations"]
