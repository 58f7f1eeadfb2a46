"""The service control policies as documents: their statements, their length, their parameters."""

import json
import pathlib
import re

import pytest
from cfnlint.data import AdditionalSpecs
from cfnlint.helpers import load_resource

from deployed import template
from prevention import LONGEST, PERMISSION_SET, TARGETS, listed, policies, rendered, statements

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
FILES = {
    "Policy": "prevention-scp.json",
    "RotationPolicy": "prevention-rotation-scp.json",
    "DeploymentPolicy": "prevention-deployment-scp.json",
}


@pytest.mark.parametrize("parameters", [{}, {"ExemptionRoles": PERMISSION_SET}, LONGEST])
def test_every_statement_denies_named_actions_under_a_name_of_its_own(parameters):
    documents = policies(**parameters)
    assert {document["Version"] for document in documents} == {"2012-10-17"}
    found = [statement for document in documents for statement in document["Statement"]]
    assert len(statements(**parameters)) == len(found)
    for statement in found:
        assert statement["Effect"] == "Deny"
        assert re.fullmatch("[A-Za-z0-9]+", statement["Sid"])
        assert "NotAction" not in statement and ("Resource" in statement) != ("NotResource" in statement)
        for action in listed(statement["Action"]):
            assert re.fullmatch("(config|iam|secretsmanager|ssm):[A-Z][A-Za-z]+", action)


@pytest.mark.parametrize("parameters", [{}, {"ExemptionRoles": PERMISSION_SET}, LONGEST])
def test_each_policy_fits(parameters):
    """5,120 characters, AWS Organizations' limit before May 2026. Its console, unlike its API, does not count white
    space."""
    lengths = [len(json.dumps(document)) for document in policies(**parameters)]
    assert max(lengths) <= 5120
    # Why there are three: no two of them fit into one.
    assert (sum(lengths) - max(lengths) > 5120) == (parameters == LONGEST)


def test_the_longest_parameters_are_as_long_as_cloudformation_takes_them():
    rendered(**LONGEST)
    for name, value in LONGEST.items():
        longer = value.replace("/", "/0", 1) if value.startswith("/") else f"0{value}"
        with pytest.raises(ValueError, match=f"^{name}: "):
            rendered(**{name: longer})
        if "," in value:
            # Each item costs more characters than its own, so there are as many as there may be.
            more = ["/a/" if value.startswith("/") else "a"] * (value.count(",") + 2)
            rendered(**{name: ",".join(more[1:])})
            with pytest.raises(ValueError, match=f"^{name}: "):
                rendered(**{name: ",".join(more)})
    assert LONGEST.keys() == template("prevention.yaml")["Parameters"].keys() - {"TargetIds", "ProtectRecorder"}


@pytest.mark.parametrize("resource, file", FILES.items())
def test_the_policies_for_those_without_cloudformation_are_the_same(resource, file):
    text = (TEMPLATES / file).read_text()
    assert json.loads(text) == rendered()[resource]["Content"]
    assert len(text) <= 5120


def test_access_keys_are_restricted_only_where_paths_are_given():
    restricted = statements(AccessKeyPaths="/service-accounts/,/a/b/")
    assert set(restricted) - set(statements()) == {"NewAccessKeys", "MovedUsers"}
    paths = ["arn:*:iam::*:user/service-accounts/*", "arn:*:iam::*:user/a/b/*"]
    assert restricted["NewAccessKeys"]["NotResource"] == restricted["MovedUsers"]["Resource"] == paths


def test_the_recorder_is_left_to_aws_control_tower_if_told_so():
    assert set(statements()) - set(statements(ProtectRecorder="false")) == {"Recorder"}


def test_all_are_attached_to_all_targets():
    found = rendered(TargetIds=f"r-exam,{TARGETS},111122221111")
    assert found.keys() == FILES.keys()
    for properties in found.values():
        assert properties["Type"] == "SERVICE_CONTROL_POLICY"
        assert properties["TargetIds"] == ["r-exam", TARGETS, "111122221111"]


@pytest.mark.parametrize(
    "name, value",
    [
        ("TargetIds", ""),
        ("TargetIds", f"{TARGETS},somewhere"),
        ("ExemptionRoles", ""),
        ("ExemptionRoles", "*"),
        ("ExemptionRoles", "a*"),
        ("ExemptionRoles", "/security/administrator"),
        ("ExemptionRoles", "administrator, other"),
        ("ExemptionRoles", "administrator,"),
        ("ExemptionRoles", "aws-reserved/sso.amazonaws.com/*"),
        ("ExemptionRoles", "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_KeyAdministrator_*"),
        ("DeploymentRoles", ""),
        ("DeploymentRoles", "stacksets-exec-*,*"),
        ("DeploymentRoles", "arn:aws:iam::111122223333:role/deploy"),
        ("PermissionsBoundary", "*"),
        ("AccessKeyPaths", "/"),
        ("AccessKeyPaths", "service-accounts"),
        ("AccessKeyPaths", "/service-accounts"),
        ("AccessKeyPaths", "/service-accounts/,/*/"),
        ("AccessKeyPaths", "/service-accounts/, /a/"),
        ("ProtectRecorder", "no"),
    ],
)
def test_parameters_that_would_open_or_break_it_are_refused(name, value):
    with pytest.raises(ValueError, match=f"^{name}: "):
        rendered(**{name: value})


def test_the_actions_are_actions_of_aws_on_what_the_statements_name():
    services = load_resource(AdditionalSpecs, "Policies.json")
    kinds = {
        "ExemptionTags": {"user"},
        "Records": {"parameter"},
        "RotationTags": {"user", "Secret"},
        "NewAccessKeys": {"user"},
        "MovedUsers": {"user"},
        "PassEvaluationRole": {"role"},
        "PassRunbookRoles": {"role"},
        "Deployment": {"role", "policy", "document", "ConfigRule", "ConformancePack", "RemediationConfiguration"},
        # On all resources.
        "Recorder": {"ConfigurationRecorder", None},
    }
    found = statements(AccessKeyPaths="/service-accounts/")
    assert set(found) == set(kinds)
    for sid, expected in kinds.items():
        for action in listed(found[sid]["Action"]):
            service, name = action.split(":")
            known = services[service]["Actions"][name.lower()]
            assert expected & set(known.get("Resources", [None])), action


def test_every_action_that_changes_a_role_is_denied():
    actions = load_resource(AdditionalSpecs, "Policies.json")["iam"]["Actions"]
    on_roles = {name for name, action in actions.items() if "role" in action.get("Resources", [])}
    reads = {name for name in on_roles if name.startswith(("get", "list", "generate", "simulate"))}
    elsewhere = {"passrole", "createservicelinkedrole", "deleteservicelinkedrole"}
    denied = {action.removeprefix("iam:").lower() for action in statements()["Deployment"]["Action"]}
    assert denied & on_roles == on_roles - reads - elsewhere


def test_every_action_that_changes_a_parameter_is_denied():
    """But for the policy of a parameter that is shared, which lets others only read it."""
    actions = load_resource(AdditionalSpecs, "Policies.json")["ssm"]["Actions"]
    on_parameters = {name for name, action in actions.items() if "parameter" in action.get("Resources", [])}
    reads = {name for name in on_parameters if name.startswith(("get", "list", "describe"))}
    denied = {action.removeprefix("ssm:").lower() for action in statements()["Records"]["Action"]}
    assert on_parameters - reads - denied <= {"putresourcepolicy", "deleteresourcepolicy"}
    assert denied <= on_parameters
