"""moto, with the conformance packs of accounts.

By itself, moto keeps the organization's packs and makes nothing of them, has no PutConformancePack, and skips
`AWS::Config::ConformancePack` in templates. What is here is as AWS documents it:

- limits, states and errors: botocore's model of AWS Config;
- what a pack does in its account:
  https://docs.aws.amazon.com/config/latest/APIReference/API_PutConformancePack.html and API_DeleteConformancePack.html;
- the resource: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-config-conformancepack.html.

The end of a rule's name is as the rules of packs have it in the console. A pack is for one account: the organization's
is a pack `OrgConformsPack-...` in each one."""

import hashlib
import json
import re
from collections import defaultdict
from dataclasses import dataclass, field

import botocore.session
from cfnlint.decode.cfn_yaml import loads
from moto.config.models import config_backends
from moto.core.exceptions import JsonRESTError
from moto.s3.models import s3_backends
from moto.ssm.models import ssm_backends

from deployed import parameter_values, resolved, template

# The runbook that the pack of these templates starts.
RUNBOOK = template("pack.yaml")["Mappings"]["ConformancePack"]["Template"]["Body"].split("TargetId: ")[1].split()[0]
MODEL = botocore.session.get_session().get_service_model("config")
RULE, REMEDIATION = "AWS::Config::ConfigRule", "AWS::Config::RemediationConfiguration"
INLINE_LIMIT, S3_LIMIT = MODEL.shape_for("TemplateBody").metadata["max"], 300 * 1024


def invalid_template(message):
    return JsonRESTError("ConformancePackTemplateValidationException", message)


@dataclass
class Pack:
    """`rules` are the names in the account, `remediations` the configurations by that name."""

    name: str
    account: str
    region: str
    inputs: dict = field(default_factory=dict)
    state: str = "CREATE_IN_PROGRESS"
    reason: str = ""
    rules: set = field(default_factory=set)
    remediations: dict = field(default_factory=dict)

    def arn(self):
        return f"arn:aws:config:{self.region}:{self.account}:conformance-pack/{self.name}/{self.id()}"

    def id(self):
        return "conformance-pack-" + hashlib.sha256(f"{self.account} {self.name}".encode()).hexdigest()[:9]

    def detail(self):
        inputs = [{"ParameterName": name, "ParameterValue": value} for name, value in self.inputs.items()]
        return self.identity() | {"ConformancePackInputParameters": inputs}

    def status(self):
        status = {"ConformancePackState": self.state, "StackArn": f"arn:aws:cloudformation:::stack/{self.id()}"}
        reason = {"ConformancePackStatusReason": self.reason} if self.reason else {}
        return self.identity() | status | reason | {"LastUpdateRequestedTime": 0}

    def identity(self):
        return {"ConformancePackName": self.name, "ConformancePackArn": self.arn(), "ConformancePackId": self.id()}


def read_template(body, inputs):
    """The template's resources, and the values of its parameters."""
    try:
        template = json.loads(json.dumps(loads(body)))
        parameters, resources = template.get("Parameters", {}), template["Resources"]
    except Exception as error:
        raise invalid_template(f"not a template: {error}") from error
    kinds = {resource["Type"] for resource in resources.values()}
    if not kinds <= {RULE, REMEDIATION}:
        raise invalid_template(f"A pack may have rules and remediations, and not {sorted(kinds)}.")
    if unknown := inputs.keys() - parameters.keys():
        raise invalid_template(f"The template has no parameters {sorted(unknown)}.")
    required = {name for name, parameter in parameters.items() if "Default" not in parameter}
    if missing := required - inputs.keys():
        raise invalid_template(f"The parameters {sorted(missing)} have no value.")
    template["Parameters"] = parameters
    return template, parameter_values(template, inputs)


def check(name, inputs):
    """As the model's constraints are."""
    shape = MODEL.shape_for("ConformancePackName").metadata
    longest = MODEL.shape_for("ParameterValue").metadata["max"]
    if not re.fullmatch(shape["pattern"], name) or len(name) > shape["max"]:
        raise JsonRESTError("ValidationException", f"{name} is no name of a pack.")
    if len(inputs) > MODEL.shape_for("ConformancePackInputParameters").metadata["max"]:
        raise JsonRESTError("ValidationException", "The pack has too many parameters.")
    if any(len(value) > longest for value in inputs.values()):
        raise JsonRESTError("ValidationException", "A parameter's value is too long.")


def text_of(account, body, uri):
    """A pack's template, given inline or in S3."""
    if bool(body) == bool(uri):
        raise JsonRESTError("InvalidParameterValueException", "Give either TemplateBody or TemplateS3Uri.")
    if body:
        if len(body.encode()) > INLINE_LIMIT:
            raise JsonRESTError("ValidationException", f"TemplateBody has more than {INLINE_LIMIT} bytes.")
        return body
    bucket, key = re.fullmatch("s3://([^/]+)/(.+)", uri).groups()
    try:
        text = s3_backends[account]["aws"].get_object(bucket, key).value
    except Exception as error:
        raise invalid_template(f"{uri} cannot be read: {error}") from error
    if len(text) > S3_LIMIT:
        raise invalid_template(f"{uri} has more than {S3_LIMIT} bytes.")
    return text.decode()


class Packs:
    """The packs of all accounts. The rules of a pack are there from its creation until its deletion has ended.

    `over_time` tells the number of rules of an account after each change."""

    def __init__(self):
        self.held, self.over_time = {}, defaultdict(lambda: [0])

    def find(self, account, region, name):
        return self.held.get((account, region, name))

    def of(self, account, region):
        return [pack for place, pack in self.held.items() if place[:2] == (account, region)]

    def put(self, account, region, name, body, inputs):
        """Creates or updates a pack, whose state tells that this has not ended yet."""
        check(name, inputs)
        template, values = read_template(body, inputs)
        pack = self.find(account, region, name) or Pack(name, account, region)
        if (account, region, name) in self.held and pack.state.endswith("_IN_PROGRESS"):
            raise JsonRESTError("ResourceInUseException", f"The pack {name} is {pack.state}.")
        found = resolved(template["Resources"], values | {"AWS::AccountId": account}, template.get("Conditions", {}))
        kinds = [[r["Properties"] for r in found.values() if r["Type"] == kind] for kind in (RULE, REMEDIATION)]
        self.held[account, region, name] = pack
        pack.inputs, pack.state, pack.reason = inputs, "CREATE_IN_PROGRESS", ""
        try:
            self.make(pack, *kinds)
        except JsonRESTError as error:
            pack.reason = error.message
        return pack

    def make(self, pack, rules, remediations):
        named = lambda properties: f"{properties['ConfigRuleName']}-{pack.id()}"
        backend, documents = config_backends[pack.account][pack.region], ssm_backends[pack.account][pack.region]
        names = {named(rule) for rule in rules}
        for remediation in remediations:
            if named(remediation) not in names:
                raise invalid_template("A remediation is for a rule of the same pack.")
            if not documents._documents.get(remediation["TargetId"]):
                raise invalid_template(f"The target (SSM document) {remediation['TargetId']} must exist.")
        for rule in rules:
            inputs = json.dumps(rule.get("InputParameters", {}))
            backend.put_config_rule(rule | {"ConfigRuleName": named(rule), "InputParameters": inputs})
        for name in pack.rules - names:
            backend.delete_config_rule(name)
        pack.rules = names
        pack.remediations = {named(given): given | {"ConfigRuleName": named(given)} for given in remediations}
        self.count(pack)

    def delete(self, account, region, name):
        """Begins to delete a pack."""
        pack = self.find(account, region, name)
        if pack is None:
            raise JsonRESTError("NoSuchConformancePackException", f"There is no pack {name}.")
        if pack.state.endswith("_IN_PROGRESS"):
            raise JsonRESTError("ResourceInUseException", f"The pack {name} is {pack.state}.")
        pack.state = "DELETE_IN_PROGRESS"
        return pack

    def end(self, pack):
        """What was in progress ends."""
        if pack.state == "CREATE_IN_PROGRESS":
            pack.state = "CREATE_FAILED" if pack.reason else "CREATE_COMPLETE"
        elif pack.state == "DELETE_IN_PROGRESS":
            del self.held[pack.account, pack.region, pack.name]
            for name in pack.rules:
                config_backends[pack.account][pack.region].delete_config_rule(name)
            self.count(pack)

    def count(self, pack):
        number = len(config_backends[pack.account][pack.region].config_rules)
        if self.over_time[pack.account][-1] != number:
            self.over_time[pack.account].append(number)
