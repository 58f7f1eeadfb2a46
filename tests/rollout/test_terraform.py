"""The Terraform configuration: what it passes to the templates and the pack, where, and in which order.

It is parsed, not run: Terraform needs the provider's program for that, and no registry that the tests use has it."""

import re
import subprocess

import hcl2
import pytest

from deployed import ROOT, TEMPLATES, template
from manual import NAMES, ORGANIZATION, blocks, section, shell_blocks
from pages import MANUAL

FOLDER = TEMPLATES / "terraform"
PAGE, TITLE = "INFRASTRUCTURE-AS-CODE.md", "Deploy it with Terraform"
PACK = "conformance-pack/access-key-rotation.yaml"
STACK = "aws_cloudformation_stack"
VERSION = "6.62"
# What the provider takes since this version, in which it also knows when a delegated administrator's pack is deployed:
# https://registry.terraform.io/providers/hashicorp/aws/6.62.0/docs/resources/cloudformation_stack and
# https://registry.terraform.io/providers/hashicorp/aws/6.62.0/docs/resources/config_organization_conformance_pack.
ARGUMENTS = {
    STACK: {
        *("region", "name", "template_body", "template_url", "capabilities", "disable_rollback", "notification_arns"),
        *("on_failure", "parameters", "policy_body", "policy_url", "tags", "iam_role_arn", "timeout_in_minutes"),
    },
    "aws_config_organization_conformance_pack": {
        *("region", "name", "delivery_s3_bucket", "delivery_s3_key_prefix", "excluded_accounts", "input_parameter"),
        *("template_body", "template_s3_uri"),
    },
}
META = {"provider", "count", "depends_on", "timeouts"}
# The variables that are no parameters of a template.
OWN = {
    *("region", "management_bucket", "management_profile", "security_profile"),
    *("organization_pack", "excluded_accounts", "tags"),
}


def plain(node):
    """A parsed node without the parser's own marks: expressions as they are written, texts without quotation marks."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if isinstance(node, dict):
        return {name.strip('"'): plain(value) for name, value in node.items() if not name.startswith("__")}
    if isinstance(node, str):
        return re.sub(r'^(?:\$\{(.*)\}|"(.*)")$', r"\1\2", node)
    return node


def parsed(text):
    return plain(hcl2.loads(text))


MAIN, DECLARED = ((FOLDER / name).read_text() for name in ("main.tf", "variables.tf"))
VARIABLES = {name: body for block in parsed(DECLARED)["variable"] for name, body in block.items()}
RESOURCES = {
    name: (kind, body)
    for block in parsed(MAIN)["resource"]
    for kind, named in block.items()
    for name, body in named.items()
}
[LOCALS] = parsed(MAIN)["locals"]
PROVIDERS = {body["alias"]: body for block in parsed(MAIN)["provider"] for body in block.values()}


def entries(node):
    """The expressions of a map by key, be it written out or the merge of local maps and one that is written out."""
    if isinstance(node, dict):
        return node
    locals_, written = re.fullmatch(r"merge\(((?:local\.\w+, )+)\{(.*)\}\)", node).groups()
    found = dict(pair.split(" = ", 1) for pair in written.split(", "))
    for name in re.findall(r"local\.(\w+)", locals_):
        assert not found.keys() & LOCALS[name].keys()
        found |= LOCALS[name]
    return found


def passed(name):
    """What a stack's template or the pack gets."""
    kind, body = RESOURCES[name]
    if kind == STACK:
        return entries(body["parameters"])
    [dynamic] = body["dynamic"]
    assert dynamic["input_parameter"]["content"] == [
        {"parameter_name": "input_parameter.key", "parameter_value": "input_parameter.value"}
    ]
    return entries(dynamic["input_parameter"]["for_each"])


TEMPLATE_OF = {
    "organization": "organization.yaml",
    "member": "member.yaml",
    "pack": f"../{PACK}",
    "notices": "notices.yaml",
    "prevention": "prevention.yaml",
}
# All others come from the variable of their name.
DERIVED = {
    ("member", "Release"): "var.TemplatePrefix",
    ("member", "EventBusArn"): 'tobool(var.Notices) ? local.event_bus : ""',
    ("pack", "FunctionArn"): "local.function",
    ("notices", "AlarmTopicArn"): f'{STACK}.organization.outputs["AlarmTopicArn"]',
}


@pytest.mark.parametrize("name", RESOURCES)
def test_every_parameter_of_a_template_comes_from_the_variable_of_its_name(name):
    parameters = template(TEMPLATE_OF[name])["Parameters"]
    assert passed(name) == {key: DERIVED.get((name, key), f"var.{key}") for key in parameters}
    for key, parameter in parameters.items():
        if (name, key) in DERIVED:
            continue
        # Without TargetIds, there is no stack of prevention.yaml.
        default = parameter.get("Default", "" if key == "TargetIds" else None)
        declared = VARIABLES[key].get("default")
        assert (declared is None) == (default is None), key
        assert str(declared) == str(default), key


def test_every_resource_has_its_template():
    assert RESOURCES.keys() == TEMPLATE_OF.keys()
    parameters = {key for name in TEMPLATE_OF.values() for key in template(name)["Parameters"]}
    assert VARIABLES.keys() - parameters == OWN
    assert len((MAIN + DECLARED).splitlines()) <= 200


def test_what_the_configuration_names_is_there_and_used():
    named = lambda kind: set(re.findall(rf"\b{kind}\.(\w+)", MAIN))
    assert named("var") == VARIABLES.keys()
    assert named("local") == LOCALS.keys()
    assert named(STACK) <= RESOURCES.keys()
    assert named("aws") == PROVIDERS.keys()
    outputs = set(re.findall(r'outputs\["(\w+)"\]', MAIN))
    assert outputs == {"FunctionArn", "AlarmTopicArn"} <= template("organization.yaml")["Outputs"].keys()


@pytest.mark.parametrize("name", RESOURCES)
def test_the_provider_takes_the_arguments(name):
    kind, body = RESOURCES[name]
    assert "name" in body
    assert parsed(MAIN)["terraform"][0]["required_providers"][0]["aws"]["version"] == f">= {VERSION}"
    given = (body.keys() - {"dynamic"}) | {name for dynamic in body.get("dynamic", []) for name in dynamic}
    assert given <= ARGUMENTS[kind] | META
    [timeouts] = body.get("timeouts", [{}])
    assert timeouts.keys() <= {"create", "update", "delete"}


def test_the_stacks_are_those_of_the_guide():
    """So that either can take over from the other, and the manual's commands find them."""
    given = re.findall(r"--stack-name (\S+) (?:\\\n *)?--template-file templates/(\S+)\.yaml", "".join(MANUAL.values()))
    stacks = {name: body["name"] for name, (kind, body) in RESOURCES.items() if kind == STACK}
    assert stacks.keys() == {"organization", "member", "notices", "prevention"}
    for name, stack in stacks.items():
        assert (stack, name) in given
        # notices.yaml and prevention.yaml have no roles.
        roles = any(
            resource["Type"] == "AWS::IAM::Role" for resource in template(TEMPLATE_OF[name])["Resources"].values()
        )
        nested = name == "organization"
        assert RESOURCES[name][1].get("capabilities", []) == ["CAPABILITY_NAMED_IAM"] * (roles or nested)
    name, uri = (RESOURCES["pack"][1][argument] for argument in ("name", "template_s3_uri"))
    given = uri.replace("${var.TemplateBucket}", "$BUCKET").replace("${var.TemplatePrefix}", "${RELEASE}")
    guide = shell_blocks(ORGANIZATION, "put-organization-conformance-pack")
    assert f"--organization-conformance-pack-name {name} " in guide and f"--template-s3-uri {given} " in guide


def test_each_step_is_in_its_account_and_no_other():
    accounts = {name: body["provider"] for name, (_, body) in RESOURCES.items()}
    assert {name for name, account in accounts.items() if account == "aws.management"} == {"member", "prevention"}
    assert set(accounts.values()) == {"aws.management", "aws.security"}
    assert PROVIDERS["security"]["allowed_account_ids"] == ["var.HubAccountId"]
    assert PROVIDERS["management"]["forbidden_account_ids"] == ["var.HubAccountId"]
    for name, (kind, body) in RESOURCES.items():
        if kind == STACK:
            room = accounts[name].removeprefix("aws.")
            assert body["template_url"] == f"${{local.{room}}}{TEMPLATE_OF[name]}"
    assert LOCALS["security"] == "https://${var.TemplateBucket}.${local.release}"
    assert LOCALS["management"] == "https://${var.management_bucket}.${local.release}"


def test_what_nobody_asked_for_is_not_deployed():
    assert {name: body["count"] for name, (_, body) in RESOURCES.items() if "count" in body} == {
        "pack": "var.organization_pack ? 1 : 0",
        "notices": 'var.NoticeEmail != "" || anytrue([var.Chat, var.TicketQueue, var.OwnerTopic]) ? 1 : 0',
        "prevention": 'var.TargetIds == "" ? 0 : 1',
    }


def needed_by(name):
    """The resources that Terraform makes before this one, and removes after it."""
    text = str(RESOURCES[name][1])
    for _ in LOCALS:
        text = re.sub(r"\blocal\.(\w+)", lambda found: str(LOCALS[found[1]]), text)
    direct = {found for found in re.findall(r"\baws_(?:\w+)\.(\w+)", text)} & RESOURCES.keys()
    return direct.union(*map(needed_by, direct))


def test_the_order_is_that_of_the_guide_and_its_removal():
    """The pack needs the runbooks, the subscribers need the bus, and the policies must go before what they protect."""
    assert needed_by("organization") == set()
    assert needed_by("member") == {"organization"}
    assert needed_by("pack") == {"organization", "member"}
    assert needed_by("notices") == {"organization"}
    assert needed_by("prevention") == RESOURCES.keys() - {"prevention"}


def test_the_bus_is_the_one_of_the_functions_account():
    inner, outer = re.fullmatch(
        r'replace\(replace\(local\.function, ("[^"]+", "[^"]+")\), ("[^"]+", "[^"]+")\)', LOCALS["event_bus"]
    ).groups()
    arn = "arn:aws:lambda:eu-central-1:111122223333:function:access-key-rotation"
    for pair in (inner, outer):
        arn = arn.replace(*re.findall('"([^"]+)"', pair))
    assert f"EventBusArn={arn} " in MANUAL["templates/NOTICES.md"]


def written(folder, members):
    """The manual's commands, in an empty folder, with a command `aws` that prints its arguments."""
    (folder / "templates/terraform").mkdir(parents=True)
    given = f'aws() {{ echo "$@"; }}\nRELEASE=r/ SHA256=s MEMBERS={members}\n'
    script = given + NAMES + shell_blocks(TITLE, page=PAGE)
    run = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True)
    return run, folder / "templates/terraform/release.auto.tfvars"


def test_the_manual_writes_what_has_no_default_and_uploads_what_the_stacks_need(tmp_path):
    run, file = written(tmp_path, "111122223333,210987654321")
    values = parsed(file.read_text())
    required = {name for name, body in VARIABLES.items() if "default" not in body}
    assert required <= values.keys() <= VARIABLES.keys()
    assert values["MemberAccounts"] == "111122223333,210987654321"
    assert values["TemplatePrefix"] == "r/" and values["HubAccountId"] == "111122223333"
    uploaded = {f"s3 cp --profile management templates/{name} s3://example-management/r/" for name in MANAGEMENT}
    assert set(run.stdout.splitlines()) == uploaded


MANAGEMENT = [TEMPLATE_OF[name] for name, (_, body) in RESOURCES.items() if body["provider"] == "aws.management"]


def test_the_manual_writes_nothing_with_an_empty_list_of_accounts(tmp_path):
    run, file = written(tmp_path, "")
    assert run.returncode != 0 and "MEMBERS: lists no account" in run.stderr
    assert not file.exists()


def test_the_manuals_terraform_can_be_parsed():
    found = [block for text in MANUAL.values() for block in blocks(text, "hcl")]
    assert len(found) >= 6
    for block in found:
        assert parsed(block)


def test_the_manuals_commands_name_what_there_is():
    text = section(TITLE, PAGE)
    assert set(re.findall(r"terraform -chdir=(\S+)", text)) == {str(FOLDER.relative_to(ROOT))}
    assert set(re.findall(r"-var (\w+)=", text)) <= VARIABLES.keys()
    for kind, name in re.findall(r"\b(aws_\w+)\.(\w+)", text):
        assert RESOURCES[name][0] == kind
