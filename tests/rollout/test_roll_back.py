"""Deployments of one release after another, and back: Systems Manager refuses a content that a document had before."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deployed import HUB, REGION, create, documents, reduced, template
from versions import make_new_versions

PARTS = {"member.yaml": 5, "automation.yaml": 1}
# With all documents.
GIVEN = {"member.yaml": {"HubAccountId": HUB, "Rotation": "true"}, "automation.yaml": {"HubAccountId": HUB}}


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    make_new_versions(monkeypatch)
    with mock_aws():
        yield


def deploy(name, text, **parameters):
    boto3.client("cloudformation").update_stack(
        StackName=name.removesuffix(".yaml"),
        TemplateBody=json.dumps(reduced(text, parameters)),
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def with_timeout(name, seconds):
    """A release whose documents have another timeout."""
    return json.loads(json.dumps(template(name)).replace('"timeoutSeconds": 600', f'"timeoutSeconds": {seconds}'))


def timeouts():
    found = documents().values()
    return {step["timeoutSeconds"] for document in found for step in document["mainSteps"] if "timeoutSeconds" in step}


@pytest.mark.parametrize("name, number", PARTS.items())
def test_an_earlier_release_comes_back_and_goes_again(name, number):
    create(name, **GIVEN[name], Release="access-key-rotation/1/")
    old, new = template(name), with_timeout(name, 599)
    for deployment, text in enumerate([new, old, new, old], start=2):
        deploy(name, text, **GIVEN[name], Release=f"access-key-rotation/{deployment}/")
        assert len(documents()) == number
        for document in documents().values():
            assert document["description"].endswith(f" Release: access-key-rotation/{deployment}/")
        assert timeouts() <= {599 if text is new else 600}


def test_a_parameter_gets_its_earlier_value_again():
    create("member.yaml", **GIVEN["member.yaml"], Release="1")
    for deployment, days in enumerate(["60", "90", "60", "90"], start=2):
        more = {"MaxAccessKeyAge": days, "Release": str(deployment)}
        deploy("member.yaml", template("member.yaml"), **GIVEN["member.yaml"], **more)
        parameters = documents()["AccessKeyRotation-DeactivateStaleKeys"]["parameters"]
        assert parameters["MaxAccessKeyAge"]["default"] == days


@pytest.mark.parametrize("name", PARTS)
def test_without_a_release_of_its_own_a_deployment_fails(name):
    """So the tests above can fail."""
    create(name, **GIVEN[name], Release="1")
    deploy(name, template(name), **GIVEN[name], Release="2")
    with pytest.raises(ClientError, match="DuplicateDocumentContent"):
        deploy(name, template(name), **GIVEN[name], Release="1")


def test_a_deployment_of_the_organization_gives_its_prefix_as_the_release():
    members = template("organization.yaml")["Resources"]["Members"]["Properties"]["Parameters"]
    assert {"ParameterKey": "Release", "ParameterValue": {"Ref": "TemplatePrefix"}} in members
