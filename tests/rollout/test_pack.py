"""The conformance pack keeps to AWS Config's limits, and fits the rule and the runbook."""

import json
import pathlib
import re

import botocore.session
import pytest
from cfnlint.decode.cfn_yaml import loads

from deployed import HUB, parameter_values, resolved, template

ROOT = pathlib.Path(__file__).parents[2]
TEXT = (ROOT / "conformance-pack/access-key-rotation.yaml").read_text()
PACK = json.loads(json.dumps(loads(TEXT)))
EXAMPLE = json.loads((ROOT / "conformance-pack/parameters.example.json").read_text())
MODEL = botocore.session.get_session().get_service_model("config")
# What AWS Config puts behind the name of a rule of a pack: -conformance-pack- and nine characters.
SUFFIX = 27


def limit(shape):
    return MODEL.shape_for(shape).metadata["max"]


def resources(text=TEXT, **parameters):
    defaults = {name: parameter.get("Default") for name, parameter in PACK["Parameters"].items()}
    function = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation"
    return resolved(loads(text)["Resources"], {**defaults, "FunctionArn": function, **parameters}, PACK["Conditions"])


def test_size_parameters_and_resource_types():
    assert len(TEXT.encode()) <= limit("TemplateBody")
    assert len(PACK["Parameters"]) <= limit("ConformancePackInputParameters")
    assert {resource["Type"] for resource in PACK["Resources"].values()} == {
        "AWS::Config::ConfigRule",
        "AWS::Config::RemediationConfiguration",
    }
    for parameter in PACK["Parameters"].values():
        assert parameter["Type"] == "String" and parameter["Description"]


def test_the_example_gives_known_parameters():
    names = [parameter["ParameterName"] for parameter in EXAMPLE]
    assert set(names) <= PACK["Parameters"].keys()
    required = {name for name, parameter in PACK["Parameters"].items() if "Default" not in parameter}
    assert required <= set(names)
    assert all(len(parameter["ParameterValue"]) <= limit("ParameterValue") for parameter in EXAMPLE)


def test_the_rule():
    rule = resources()["Rule"]["Properties"]
    results_limit = MODEL.operation_model("GetComplianceDetailsByConfigRule").input_shape.members["ConfigRuleName"]
    assert len(rule["ConfigRuleName"]) + SUFFIX <= results_limit.metadata["max"]
    assert len(rule["Description"]) <= limit("EmptiableStringWithCharLimit256")
    longest = {name: "x" * 10 for name in PACK["Parameters"]}
    inputs = json.dumps(resources(**longest)["Rule"]["Properties"]["InputParameters"])
    assert len(inputs) <= limit("StringWithCharLimit1024")
    assert {detail["MessageType"] for detail in rule["Source"]["SourceDetails"]} == {
        "ScheduledNotification",
        "ConfigurationItemChangeNotification",
        "OversizedConfigurationItemChangeNotification",
    }
    assert rule["Scope"] == {"ComplianceResourceTypes": ["AWS::IAM::User"]}


# What the manual's sed makes of the pack.
AUTOMATIC = TEXT.replace("#automatic# ", "").replace("MANAGEMENT_ACCOUNT_ID", "123456789012")


@pytest.mark.parametrize("automatic, text", [("false", TEXT), ("true", AUTOMATIC)])
def test_the_remediation_fits_the_runbook(automatic, text):
    remediation = resources(text, AutomaticRemediation=automatic)["Remediation"]["Properties"]
    documents = template("member.yaml")["Resources"].values()
    [document] = [
        d["Properties"]["Content"] for d in documents if d["Properties"].get("Name") == remediation["TargetId"]
    ]
    parameters = remediation["Parameters"]
    assert parameters.pop("ResourceId") == {"ResourceValue": {"Value": "RESOURCE_ID"}}
    assert len(parameters) < limit("RemediationParameters")
    for name, value in parameters.items():
        [text] = value["StaticValue"]["Values"]
        pattern = resolved(document["parameters"][name]["allowedPattern"], {"RolePath": "/"}, {})
        assert re.search(pattern, text), f"{name}: {text}"
        default = str(template("member.yaml")["Parameters"].get(name, {}).get("Default"))
        assert name == "AutomationAssumeRole" or text == default, f"{name} has other defaults in pack and runbook"


def test_by_hand_the_remediation_names_no_account():
    remediation = resources()["Remediation"]["Properties"]
    assert remediation["Automatic"] is False
    assert not re.search(r"[0-9]{12}", TEXT) and "AutomationAssumeRole" not in remediation["Parameters"]


def test_the_automatic_remediation_is_wired_as_aws_config_requires():
    remediation = resources(AUTOMATIC, AutomaticRemediation="true")["Remediation"]["Properties"]
    assert remediation["Automatic"] is True
    attempts = MODEL.shape_for("RemediationConfiguration").members["MaximumAutomaticAttempts"].metadata
    assert attempts["min"] <= remediation["MaximumAutomaticAttempts"] <= attempts["max"]
    seconds = MODEL.shape_for("RemediationConfiguration").members["RetryAttemptSeconds"].metadata
    assert seconds["min"] <= remediation["RetryAttemptSeconds"] <= seconds["max"]
    controls = remediation["ExecutionControls"]["SsmControls"]
    assert controls.keys() == {"ConcurrentExecutionRatePercentage", "ErrorPercentage"}
    # A text without any function around it, in which AWS Config replaces the account's id.
    parameters = loads(AUTOMATIC)["Resources"]["Remediation"]["Properties"]["Parameters"]
    role = "arn:aws:iam::123456789012:role/access-key-rotation-remediation"
    assert parameters["AutomationAssumeRole"] == {"StaticValue": {"Values": [role]}}


def packed(**parameters):
    """The pack that a stack of pack.yaml makes in the account HUB, and its parameters."""
    stack = template("pack.yaml")
    function = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation"
    values = parameter_values(stack, {"FunctionArn": function, **parameters})
    [pack] = resolved(stack["Resources"], values, stack["Conditions"]).values()
    assert pack["Type"] == "AWS::Config::ConformancePack"
    properties = pack["Properties"]
    inputs = {given["ParameterName"]: given["ParameterValue"] for given in properties["ConformancePackInputParameters"]}
    assert len(properties["TemplateBody"].encode()) <= limit("TemplateBody")
    return properties["TemplateBody"], inputs


def test_a_units_pack_is_the_organizations():
    body, inputs = packed()
    assert loads(body) == loads(TEXT)
    defaults = {name: parameter["Default"] for name, parameter in PACK["Parameters"].items() if "Default" in parameter}
    assert inputs.pop("FunctionArn").endswith(":function:access-key-rotation")
    assert inputs == defaults
    assert packed(Frequency="One_Hour", QuietDays="9")[1] == {
        **packed()[1],
        "Frequency": "One_Hour",
        "QuietDays": "9",
    }


def test_a_units_pack_names_the_remediation_role_of_its_account():
    body, inputs = packed(AutomaticRemediation="true", RolePath="/security/")
    assert inputs["AutomaticRemediation"] == "true"
    parameters = json.loads(json.dumps(loads(body)))["Resources"]["Remediation"]["Properties"]["Parameters"]
    role = f"arn:aws:iam::{HUB}:role/security/access-key-rotation-remediation"
    assert parameters.pop("AutomationAssumeRole") == {"StaticValue": {"Values": [role]}}
    assert parameters == PACK["Resources"]["Remediation"]["Properties"]["Parameters"]
