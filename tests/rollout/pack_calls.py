"""AWS Config's calls for conformance packs, and CloudFormation's resource, on moto: see packs.py."""

import json

from moto.cloudformation import parsing
from moto.config.models import ConfigBackend, Source
from moto.config.responses import ConfigResponse
from moto.core.exceptions import JsonRESTError
from moto.organizations.models import OrganizationsBackend

from packs import Packs, text_of
from stack_sets import organization


def as_dict(inputs):
    return {given["ParameterName"]: given["ParameterValue"] for given in inputs or []}


def make_packs(monkeypatch):
    """Has moto know conformance packs. Gives them all.

    Nothing ends before somebody has looked at it with DescribeConformancePackStatus. CloudFormation and the
    organization's packs wait by themselves."""
    packs = Packs()
    monkeypatch.setattr(Source, "__init__", of_any_account(Source.__init__))
    add_account_calls(monkeypatch, packs)
    add_resource(monkeypatch, packs)
    add_organization_calls(monkeypatch, packs)
    return packs


def of_any_account(init):
    """Has moto look for a rule's function in the account that its ARN names, and not in the rule's."""
    return lambda source, account, region, owner, source_identifier, **more: init(
        source, source_identifier.split(":")[4], region, owner, source_identifier, **more
    )


def add_account_calls(monkeypatch, packs):
    def of(response):
        names = response._get_param("ConformancePackNames")
        found = packs.of(response.current_account, response.region)
        return [pack for pack in found if not names or pack.name in names], names

    def put_conformance_pack(self):
        given = self._get_param
        body = text_of(self.current_account, given("TemplateBody"), given("TemplateS3Uri"))
        inputs = as_dict(given("ConformancePackInputParameters"))
        pack = packs.put(self.current_account, self.region, given("ConformancePackName"), body, inputs)
        return json.dumps({"ConformancePackArn": pack.arn()})

    def describe_conformance_packs(self):
        found, names = of(self)
        if names and len(found) < len(names):
            raise JsonRESTError("NoSuchConformancePackException", f"Not all of {names} exist.")
        return json.dumps({"ConformancePackDetails": [pack.detail() for pack in found]})

    def describe_conformance_pack_status(self):
        found, _ = of(self)
        answer = json.dumps({"ConformancePackStatusDetails": [pack.status() for pack in found]})
        for pack in found:
            packs.end(pack)
        return answer

    def delete_conformance_pack(self):
        packs.delete(self.current_account, self.region, self._get_param("ConformancePackName"))
        return ""

    def describe_remediation_configurations(self):
        names = self._get_param("ConfigRuleNames")
        found = [pack.remediations for pack in packs.of(self.current_account, self.region)]
        known = [given for remediations in found for name, given in remediations.items() if name in names]
        return json.dumps({"RemediationConfigurations": known})

    for call in (
        put_conformance_pack,
        describe_conformance_packs,
        describe_conformance_pack_status,
        delete_conformance_pack,
        describe_remediation_configurations,
    ):
        monkeypatch.setattr(ConfigResponse, call.__name__, call, raising=False)


def add_resource(monkeypatch, packs):
    class ConformancePack:
        """AWS::Config::ConformancePack, which another name replaces."""

        def __init__(self, account, region, properties, update=False):
            self.physical_resource_id = name = properties["ConformancePackName"]
            if packs.find(account, region, name) and not update:
                raise JsonRESTError("AlreadyExists", f"The pack {name} exists already.")
            body = text_of(account, properties.get("TemplateBody"), properties.get("TemplateS3Uri"))
            inputs = as_dict(properties.get("ConformancePackInputParameters"))
            pack = packs.put(account, region, name, body, inputs)
            packs.end(pack)
            if pack.reason:
                raise JsonRESTError("NotStabilized", pack.reason)

        @classmethod
        def create_from_cloudformation_json(cls, name, definition, account_id, region_name, **more):
            return cls(account_id, region_name, definition["Properties"])

        @classmethod
        def update_from_cloudformation_json(
            cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name
        ):
            assert original_resource.physical_resource_id == cloudformation_json["Properties"]["ConformancePackName"]
            return cls(account_id, region_name, cloudformation_json["Properties"], update=True)

        def delete(self, account_id, region_name):
            packs.end(packs.delete(account_id, region_name, self.physical_resource_id))

        def is_created(self):
            return True

    def with_pack(find):
        return lambda kind: ConformancePack if kind == "AWS::Config::ConformancePack" else find(kind)

    def with_changed_texts(build):
        """moto does not see what changes through Fn::FindInMap."""

        def build_with_packs(resources, template, parameters=None):
            found = build(resources, template, parameters)
            kept = template["Resources"].keys() & resources._resource_json_map.keys() - set(found["Modify"])
            changed = [name for name in kept if template["Resources"][name]["Type"] == "AWS::Config::ConformancePack"]
            return found | {"Modify": found["Modify"] + changed}

        return build_with_packs

    monkeypatch.setattr(parsing, "resource_class_from_type", with_pack(parsing.resource_class_from_type))
    build = with_changed_texts(parsing.ResourceMap.build_resource_diff)
    monkeypatch.setattr(parsing.ResourceMap, "build_resource_diff", build)


def add_organization_calls(monkeypatch, packs):
    """The organization's packs reach each open account that they do not exclude, the management account too, now and
    when an account joins. An account that is excluded later loses its pack."""
    put, delete, move = (
        ConfigBackend.put_organization_conformance_pack,
        ConfigBackend.delete_organization_conformance_pack,
        OrganizationsBackend.move_account,
    )
    # For each organization's pack: the account and Region that it was put from, and its text.
    texts = {}

    def place(backend, name, account):
        unique = backend.organization_conformance_packs[name]._unique_pack_name
        return account, backend.region_name, f"OrgConformsPack-{unique}"

    def deploy(backend, name, accounts):
        given = backend.organization_conformance_packs[name]
        for account in accounts:
            where = place(backend, name, account)
            if account in (given.excluded_accounts or []):
                if packs.find(*where):
                    packs.end(packs.delete(*where))
            else:
                inputs = as_dict(given.conformance_pack_input_parameters)
                packs.end(packs.put(*where, texts[backend, name], inputs))

    def put_everywhere(self, name, template_s3_uri, template_body, **more):
        text = text_of(self.account_id, template_body, template_s3_uri)
        answer = put(self, name, template_s3_uri, template_body, **more)
        texts[self, name] = text
        backend = organization(self.account_id)
        deploy(self, name, [account.id for account in backend.accounts if account.status == "ACTIVE"])
        return answer

    def delete_everywhere(self, name):
        places = [place(self, name, account.id) for account in organization(self.account_id).accounts]
        delete(self, name)
        for where in places:
            if packs.find(*where):
                packs.end(packs.delete(*where))

    def describe(self, names):
        names = names or list(self.organization_conformance_packs)
        return describe_named(self, names)

    def detailed_status(self, name):
        found = [packs.find(*place(self, name, account.id)) for account in organization(self.account_id).accounts]
        words = {"CREATE_COMPLETE": "CREATE_SUCCESSFUL"}
        statuses = [
            {
                "AccountId": pack.account,
                "ConformancePackName": pack.name,
                "Status": words.get(pack.state, pack.state),
                "ErrorMessage": pack.reason,
            }
            for pack in found
            if pack
        ]
        return {"OrganizationConformancePackDetailedStatuses": statuses}

    def join(self, **given):
        move(self, **given)
        for backend, name in texts:
            if name in backend.organization_conformance_packs:
                deploy(backend, name, [given["AccountId"]])

    describe_named = ConfigBackend.describe_organization_conformance_packs
    monkeypatch.setattr(ConfigBackend, "put_organization_conformance_pack", put_everywhere)
    monkeypatch.setattr(ConfigBackend, "delete_organization_conformance_pack", delete_everywhere)
    monkeypatch.setattr(ConfigBackend, "describe_organization_conformance_packs", describe)
    monkeypatch.setattr(ConfigBackend, "get_organization_conformance_pack_detailed_status", detailed_status)
    monkeypatch.setattr(OrganizationsBackend, "move_account", join)
