"""The manual's commands, with the real AWS CLI: those in `sh` blocks are run against moto, in order; those shown in
`console` blocks are checked by the AWS CLI without a call."""

import json
import re
import subprocess
import tomllib

import pytest

from deployed import REGION, template
from manual import BUCKETS, NAMES, ORGANIZATION, ROOT, UPLOAD, blocks, shell_blocks
from pages import MANUAL


def function_code(aws):
    return aws.client("lambda").get_function_configuration(FunctionName="access-key-rotation")["CodeSha256"]


def organization_pack(aws):
    config = aws.client("config")
    found = config.describe_organization_conformance_packs(OrganizationConformancePackNames=["access-key-rotation"])
    [pack] = found["OrganizationConformancePacks"]
    return pack


def pack_parameters(aws):
    parameters = organization_pack(aws)["ConformancePackInputParameters"]
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in parameters}


def test_the_deployment_and_its_removal(aws):
    """The function's stack in the organization's, and the pack from S3; then nothing of it is left. moto knows no
    StackSets in templates: see test_organization.py."""
    assert '"Status": "CREATE_SUCCESSFUL"' in aws.shell(NAMES + shell_blocks(ORGANIZATION))
    stacks = aws.client("cloudformation")
    names = stack_names(stacks)
    assert {"access-key-rotation", "access-key-rotation-member"} < names and len(names) == 3
    assert pack_parameters(aws)["FunctionArn"].endswith(":function:access-key-rotation")

    aws.shell(NAMES + shell_blocks("Remove it"))
    assert stack_names(stacks) == set()
    with pytest.raises(aws.client("config").exceptions.NoSuchOrganizationConformancePackException):
        pack_parameters(aws)


def with_members(script, accounts):
    """Runs a block of the manual with this list of accounts, and with a command `aws` that prints its arguments."""
    stub = "aws() { printf '%s\\n' \"$@\"; }\n"
    names = "ROOT=r-exam BUCKET=b RELEASE=r/ SHA256=s ORGANIZATION=o-exampleorgid"
    return subprocess.run(
        ["bash", "-c", f"{stub}{names}\n{script}"], env={"MEMBERS": accounts}, capture_output=True, text=True
    )


DEPLOYMENTS = [
    ("README.md", ORGANIZATION, "OrganizationalUnitIds="),
    ("HARDENING.md", "Who may invoke the function, and how often", "MemberAccounts4"),
]


@pytest.mark.parametrize("page, title, word", DEPLOYMENTS)
def test_no_command_goes_on_with_an_empty_list_of_accounts(page, title, word):
    block = shell_blocks(title, word, page=page)
    refused = with_members(block, "")
    assert "cloudformation" not in refused.stdout and "MEMBERS: lists no account" in refused.stderr
    deployed = with_members(block, "111122223333,210987654321")
    assert "MemberAccounts=111122223333,210987654321\n" in deployed.stdout, deployed


@pytest.mark.parametrize("number", [1, 315, 316, 1260])
def test_a_long_list_of_accounts_is_split(number):
    accounts = [str(111122220000 + n) for n in range(number)]
    page, title, word = DEPLOYMENTS[1]
    block = shell_blocks(title, word, page=page)
    given = dict(
        line.split("=")
        for line in with_members(block, ",".join(accounts)).stdout.split("\n")
        if line.startswith("MemberAccounts")
    )
    lists = [given[f"MemberAccounts{part}"].split(",") for part in ("", "2", "3", "4")]
    assert [account for part in lists for account in part if account] == accounts
    assert all(len(part) <= 315 for part in lists)


def test_the_list_of_accounts_has_the_open_ones_of_all_pages(aws):
    """By `State`, and by `Status` only where there is no `State`."""
    organizations = aws.client("organizations")
    for n in range(25):
        organizations.create_account(Email=f"{n}@example.com", AccountName=f"account {n}")
    organizations.close_account(AccountId=aws.members[1])
    open_ones = {
        account["Id"]
        for page in organizations.get_paginator("list_accounts").paginate()
        for account in page["Accounts"]
    }
    out = aws.shell(shell_blocks(ORGANIZATION, "MEMBERS=$(") + 'echo "$MEMBERS"\n')
    assert set(out.strip().split(",")) == open_ones - {aws.members[1]}


def test_a_release_is_deployed_over_another_and_rolled_back_and_forth(aws):
    aws.shell(NAMES + shell_blocks(ORGANIZATION))
    old, [first] = function_code(aws), aws.releases()
    aws.write_code("another build")
    # Steps 3 and 4 again.
    again = shell_blocks(ORGANIZATION, "member.yaml", "put-organization-conformance-pack")
    aws.shell(NAMES + UPLOAD + shell_blocks("Update it") + again)
    new, [_, second] = function_code(aws), aws.releases()
    assert new != old

    back = shell_blocks("Roll it back") + shell_blocks(ORGANIZATION, "put-organization-conformance-pack")
    function = f"arn:aws:lambda:{REGION}:{aws.members[0]}:function:access-key-rotation"
    # The runbooks refuse a content that they had before: see versions.py.
    for release, code in [(first, old), (second, new), (first, old)]:
        aws.shell(NAMES + back, OLD=release)
        assert function_code(aws) == code
        assert (
            aws.client("ssm").get_document(Name="AccessKeyRotation-ReactivateKey")["Content"].count(aws.releases()[-1])
            == 1
        )
        assert pack_parameters(aws) == {"FunctionArn": function}
    assert len(aws.releases()) == 5


def test_an_updated_runbook_becomes_the_default_version_in_every_account(aws):
    documents = [resource["Properties"] for resource in template("member.yaml")["Resources"].values()]
    names = [document["Name"] for document in documents if "DocumentType" in document]
    assert len(names) == 5
    # Those of the member accounts, and the management account's.
    clients = [aws.client("ssm", account) for account in [*aws.members, None]]

    def versions():
        documents = [client.describe_document(Name=name)["Document"] for client in clients for name in names]
        return [(document["DefaultVersion"], document["LatestVersion"]) for document in documents]

    # As CloudFormation leaves it at times. moto cannot describe documents that it made of a template.
    for client in clients:
        for name in names:
            contents = [
                json.dumps({"schemaVersion": "0.3", "description": version, "mainSteps": []}) for version in "12"
            ]
            client.create_document(Name=name, Content=contents[0], DocumentType="Automation", DocumentFormat="JSON")
            client.update_document(Name=name, Content=contents[1], DocumentVersion="$LATEST", DocumentFormat="JSON")
    assert versions() == [("1", "2")] * 15
    update = shell_blocks("Old runbooks", "ROLE=", page="OPERATING.md")
    for _ in range(2):
        aws.shell(update)
        assert versions() == [("2", "2")] * 15


def test_an_old_runbook_becomes_the_default_version_again(aws):
    ssm = aws.client("ssm")
    name = "AccessKeyRotation-DeactivateStaleKeys"
    contents = [json.dumps({"schemaVersion": "0.3", "description": version, "mainSteps": []}) for version in "12"]
    ssm.create_document(Name=name, Content=contents[0], DocumentType="Automation", DocumentFormat="JSON")
    ssm.update_document(Name=name, Content=contents[1], DocumentVersion="$LATEST", DocumentFormat="JSON")
    ssm.update_document_default_version(Name=name, DocumentVersion="2")
    aws.shell(shell_blocks("Old runbooks", "--document-version 1", page="OPERATING.md"))
    assert ssm.describe_document(Name=name)["Document"]["DefaultVersion"] == "1"


def test_the_history_is_kept_for_the_longest_time(aws):
    [retention] = blocks(MANUAL["templates/AUDIT.md"], "sh")
    assert '"RetentionPeriodInDays": 2557' in aws.shell(retention)
    [kept] = aws.client("config").describe_retention_configurations()["RetentionConfigurations"]
    assert kept["RetentionPeriodInDays"] == 2557


def test_the_aggregator(aws):
    aws.shell(shell_blocks("All findings in one place", page="OPERATING.md"))
    assert stack_names(aws.client("cloudformation")) == {"access-key-rotation-aggregator"}


def test_a_single_account(aws):
    """Three stacks; moto knows no rules in templates."""
    aws.shell(NAMES + BUCKETS + UPLOAD + shell_blocks("A single account"))
    names = {f"access-key-rotation-{name}" for name in ("hub", "member", "rule")}
    assert stack_names(aws.client("cloudformation")) == names


def stack_names(stacks):
    live = [stack for stack in stacks.list_stacks()["StackSummaries"] if stack["StackStatus"] != "DELETE_COMPLETE"]
    assert {stack["StackStatus"] for stack in live} <= {"CREATE_COMPLETE"}
    return {stack["StackName"] for stack in live}


def test_commands_that_are_shown_are_commands_of_the_aws_cli(aws, tmp_path):
    """The AWS CLI checks names, options and values before it finds nobody at the endpoint."""
    shown = [command for text in MANUAL.values() for block in blocks(text, "console") for command in commands(block)]
    assert len(shown) > 30
    environment = {**aws.environment(), "AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    # Not in the repository: some write files.
    for name in ("templates", "conformance-pack"):
        (tmp_path / name).symlink_to(ROOT / name)
    # A command before it writes this one, see test_automation.py.
    (tmp_path / "batch.json").write_text(json.dumps([{"Accounts": ["111122223333"], "Regions": [REGION]}]))
    # What the command line writes, and its checksums.
    for name in ("evidence.json", "SHA256SUMS"):
        (tmp_path / name).write_text("{}")
    for command in shown:
        run = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert "Could not connect to the endpoint URL" in run.stderr, f"{command}\n{run.stderr}"


def commands(block):
    """The lines that begin with `$ aws`, with those that continue them."""
    return re.findall(r"^\$ (aws .*(?:(?<=\\)\n.*)*)", block, re.MULTILINE)


def test_a_template_that_a_command_passes_whole_is_short_enough():
    """51,200 bytes are the most that CloudFormation takes in a call. The AWS CLI needs a bucket for more."""
    given = [
        (command, name)
        for text in MANUAL.values()
        for command in re.findall(r"aws cloudformation .*(?:(?<=\\)\n.*)*", text)
        for name in re.findall(r"--template-(?:file |body file://)\S*/([a-z-]+\.yaml)", command)
    ]
    assert {"hub.yaml", "member.yaml", "organization.yaml", "automation.yaml"} < {name for _, name in given}
    for command, name in given:
        [path] = [path for room in ("templates", "conformance-pack") for path in (ROOT / room).glob(name)]
        assert "--s3-bucket" in command or path.stat().st_size <= 51_200, command


def test_the_command_line_is_installed_from_its_package():
    for page in ("README.md", "rule/cli/README.md"):
        [path] = re.findall(r"cargo install --locked --path (\S+)$", MANUAL[page], re.MULTILINE)
        package = tomllib.loads((ROOT / path / "Cargo.toml").read_text())
        assert [program["name"] for program in package["bin"]] == ["access-key-rotation"]
