"""The conformance packs of packs.py: what AWS Config refuses, and what it makes of pack.yaml in an account."""

import json
import pathlib
from unittest.mock import ANY

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from deployed import REGION, reduced, template
from pack_calls import make_packs
from packs import RUNBOOK

ROOT = pathlib.Path(__file__).parents[2]
PACK = (ROOT / "conformance-pack/access-key-rotation.yaml").read_text()
NAME = "access-key-rotation"
ACCOUNT = "123456789012"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}"


@pytest.fixture(autouse=True)
def aws(monkeypatch):
    for name, value in {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}.items():
        monkeypatch.setenv(name, value)
    make_packs(monkeypatch)
    with mock_aws():
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = boto3.client("iam").create_role(RoleName="function", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        boto3.client("lambda").create_function(
            FunctionName=NAME, Runtime="provided.al2023", Handler="x", Role=role, Code={"ZipFile": b""}
        )
        yield


def add_runbook():
    content = json.dumps({"schemaVersion": "0.3", "mainSteps": []})
    boto3.client("ssm").create_document(Name=RUNBOOK, Content=content, DocumentType="Automation", DocumentFormat="JSON")


def put(text=PACK, name=NAME, **inputs):
    given = {"FunctionArn": FUNCTION} | inputs
    boto3.client("config").put_conformance_pack(
        ConformancePackName=name,
        TemplateBody=text,
        ConformancePackInputParameters=[
            {"ParameterName": name, "ParameterValue": value} for name, value in given.items()
        ],
    )


def state():
    [status] = boto3.client("config").describe_conformance_pack_status()["ConformancePackStatusDetails"]
    return status["ConformancePackState"], status.get("ConformancePackStatusReason", "")


def rules():
    return boto3.client("config").describe_config_rules()["ConfigRules"]


def remediations():
    names = [rule["ConfigRuleName"] for rule in rules()]
    found = boto3.client("config").describe_remediation_configurations(ConfigRuleNames=names)
    return found["RemediationConfigurations"]


@pytest.mark.parametrize(
    "text, inputs, error",
    [
        (PACK + "#" * 51_200, {}, "ValidationException.* 51200 bytes"),
        (PACK, {"QuietDay": "45"}, "ConformancePackTemplateValidationException.*no parameters .*QuietDay"),
        (PACK, {"QuietDays": "x" * 4097}, "ValidationException.*too long"),
        (PACK, {f"P{n}": "" for n in range(60)}, "ValidationException.*too many"),
        (PACK.replace("FunctionArn:", "Function:", 1), {}, "no parameters .*FunctionArn"),
        (PACK.replace('    Default: "45"\n', ""), {}, "parameters .*QuietDays.* have no value"),
        (PACK.replace("AWS::Config::ConfigRule", "AWS::IAM::Role"), {}, "and not .*AWS::IAM::Role"),
        ("Resources: [", {}, "not a template"),
    ],
)
def test_a_pack_that_is_refused_makes_no_rule(text, inputs, error):
    add_runbook()
    with pytest.raises(ClientError, match=error):
        put(text, **inputs)
    assert rules() == []


def test_a_pack_without_its_runbook_or_function_fails():
    for function, word in ((FUNCTION, RUNBOOK), (FUNCTION + "2", FUNCTION + "2")):
        put(FunctionArn=function)
        assert state() == ("CREATE_IN_PROGRESS", ANY)
        [failed, reason] = state()
        assert failed == "CREATE_FAILED" and word in reason
        assert rules() == []
        if word == RUNBOOK:
            add_runbook()
    put()
    state()
    assert state() == ("CREATE_COMPLETE", "") and len(rules()) == 1


def test_what_is_in_progress_cannot_change():
    add_runbook()
    config = boto3.client("config")
    put()
    for change in (put, lambda: config.delete_conformance_pack(ConformancePackName=NAME)):
        with pytest.raises(ClientError, match="ResourceInUseException"):
            change()
    assert (state()[0], state()[0]) == ("CREATE_IN_PROGRESS", "CREATE_COMPLETE")
    config.delete_conformance_pack(ConformancePackName=NAME)
    with pytest.raises(ClientError, match="ResourceInUseException"):
        put()
    assert (state()[0], rules()) == ("DELETE_IN_PROGRESS", [])
    assert config.describe_conformance_packs()["ConformancePackDetails"] == []


def test_two_packs_are_two_rules():
    add_runbook()
    put()
    put(name="another")
    names = {rule["ConfigRuleName"] for rule in rules()}
    assert len(names) == 2 and all(name.startswith(f"{NAME}-conformance-pack-") for name in names)


def deploy(create=True, **parameters):
    text = template("pack.yaml")
    stacks = boto3.client("cloudformation")
    given = {"FunctionArn": FUNCTION} | parameters
    (stacks.create_stack if create else stacks.update_stack)(
        StackName="pack",
        TemplateBody=json.dumps(reduced(text, given)),
        Parameters=[{"ParameterKey": name, "ParameterValue": value} for name, value in given.items()],
    )


def test_a_stack_of_a_units_template_makes_the_pack_with_its_parameters():
    add_runbook()
    deploy(QuietDays="9", AutomaticRemediation="true", RolePath="/security/")
    [rule], [remediation] = rules(), remediations()
    assert rule["ConfigRuleName"] == remediation["ConfigRuleName"]
    parameters = remediation["Parameters"]
    role = f"arn:aws:iam::{ACCOUNT}:role/security/access-key-rotation-remediation"
    assert parameters["AutomationAssumeRole"]["StaticValue"]["Values"] == [role]
    assert parameters["QuietDays"]["StaticValue"]["Values"] == ["9"]
    assert (remediation["Automatic"], remediation["MaximumAutomaticAttempts"]) == (True, 25)

    deploy(create=False, MaxAccessKeyAge="60")
    [updated], [remediation] = rules(), remediations()
    assert updated["ConfigRuleName"] == rule["ConfigRuleName"]
    assert json.loads(updated["InputParameters"])["maxAccessKeyAge"] == "60"
    assert remediation["Automatic"] is False and "AutomationAssumeRole" not in remediation["Parameters"]
    boto3.client("cloudformation").delete_stack(StackName="pack")
    assert rules() == []
