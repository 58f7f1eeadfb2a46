"""moto, with documents that get new versions as CloudFormation makes them."""

from moto.cloudformation.parsing import ResourceMap
from moto.ssm.exceptions import DuplicateDocumentContent
from moto.ssm.models import Document, ssm_backends


def make_new_versions(monkeypatch):
    """Has moto update a document as CloudFormation does with the UpdateMethod NewVersion: if the content changes, the
    document gets a new version, unless it had this content before. By itself, moto makes another document, and does not
    see what changes through Fn::Sub. Its UpdateDocument cannot describe a document that it made of a template."""

    def update(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        given = cloudformation_json["Properties"]
        assert given["UpdateMethod"] == "NewVersion"
        name, content, kind, form = (given[key] for key in ("Name", "Content", "DocumentType", "DocumentFormat"))
        versions = ssm_backends[account_id][region_name]._get_documents(name)
        if versions.get_latest_version().content == content:
            return versions.get_default_version()
        if any(version.content == content for version in versions.versions.values()):
            raise DuplicateDocumentContent(f"{name} had this content before.")
        number = str(int(versions.latest_version) + 1)
        versions.add_new_version(Document(account_id, name, None, content, kind, form, None, None, None, number))
        return versions.update_default_version(number)

    def with_documents(build):
        def build_with_documents(resources, template, parameters=None):
            found = build(resources, template, parameters)
            kept = template["Resources"].keys() & resources._resource_json_map.keys() - set(found["Modify"])
            documents = [name for name in kept if template["Resources"][name]["Type"] == "AWS::SSM::Document"]
            return found | {"Modify": found["Modify"] + sorted(documents)}

        return build_with_documents

    monkeypatch.setattr(Document, "update_from_cloudformation_json", classmethod(update))
    monkeypatch.setattr(ResourceMap, "build_resource_diff", with_documents(ResourceMap.build_resource_diff))
