"""The waves of the manual, command by command: who has which rule after each deployment, update, roll back, removal.

moto's conformance packs are those of packs.py, its StackSets those of stack_sets.py."""

import json
import pathlib

import pytest

from deployed import REGION
from manual import NAMES, ORGANIZATION, blocks, shell_blocks
from pack_calls import make_packs
from packs import RUNBOOK
from pages import MANUAL
from stack_sets import make_stack_sets

ROOT = pathlib.Path(__file__).parents[2]
ONE, UNITS, EVERYBODY = "1. One account", "2. Organizational units", "3. Everybody"
BUCKET, STACK_SET = "example-access-key-rotation", "access-key-rotation-pack"
# What another release of the pack says of its rule.
OLD, NEW = "Checks that no IAM user", "Checks whether an IAM user"


def commands(title, *words):
    return shell_blocks(title, *words, page="WAVES.md")


WAVE_ONE, LEAVE_ONE = commands(ONE, "put-conformance-pack"), commands(ONE, "delete-conformance-pack")
WAVE_TWO, UPDATE_TWO = commands(UNITS, "create-stack-set"), commands(UNITS, "update-stack-set")
WAVE_THREE = commands(EVERYBODY, "put-organization-conformance-pack")
LEAVE_UNIT, LEAVE_UNITS = commands(EVERYBODY, "delete-stack-instances"), commands(EVERYBODY, "delete-stack-set ")
STEP_FOUR = shell_blocks(ORGANIZATION, "put-organization-conformance-pack")
REMOVE_PACK = shell_blocks("Remove it", "delete-organization-conformance-pack")


def test_all_commands_of_the_waves_are_here():
    mine = WAVE_ONE, LEAVE_ONE, WAVE_TWO, UPDATE_TWO, WAVE_THREE, LEAVE_UNIT, LEAVE_UNITS
    assert list(mine) == blocks(MANUAL["templates/WAVES.md"], "sh")


@pytest.fixture
def waves(aws, monkeypatch):
    make_stack_sets(monkeypatch)
    return Waves(aws, make_packs(monkeypatch))


class Waves:
    """The function in the security account, and the runbooks in all accounts, as after the steps 2 and 3."""

    def __init__(self, aws, packs):
        self.aws, self.packs = aws, packs
        self.security, self.member = aws.members
        self.management = aws.client("sts").get_caller_identity()["Account"]
        self.accounts = [self.management, self.security, self.member]
        self.sign_in()
        self.deploy_function()
        self.deploy_runbooks()
        s3 = aws.client("s3", self.security)
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        for release, text in (("1/", OLD), ("2/", NEW)):
            for file in (ROOT / "conformance-pack/access-key-rotation.yaml", ROOT / "templates/pack.yaml"):
                assert OLD in file.read_text()
                body = file.read_text().replace(OLD, text)
                s3.put_object(Bucket=BUCKET, Key=f"access-key-rotation/{release}{file.name}", Body=body)
                (aws.home / f"{release[0]}-{file.name}").write_text(body)

    def sign_in(self):
        """Each profile with the keys of its account."""
        sts = self.aws.client("sts")
        config = (self.aws.home / "config").read_text()
        for profile, account in (("security", self.security), ("member", self.member)):
            role = f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole"
            keys = sts.assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
            lines = {
                "aws_access_key_id": keys["AccessKeyId"],
                "aws_secret_access_key": keys["SecretAccessKey"],
                "aws_session_token": keys["SessionToken"],
            }
            section = "".join(f"{name}={value}\n" for name, value in lines.items())
            config = config.replace(
                f"[profile {profile}]\naws_access_key_id=test\naws_secret_access_key=test\n",
                f"[profile {profile}]\n{section}",
            )
        (self.aws.home / "config").write_text(config)

    def deploy_function(self):
        trust = json.dumps({"Version": "2012-10-17", "Statement": []})
        role = self.aws.client("iam", self.security).create_role(RoleName="function", AssumeRolePolicyDocument=trust)
        self.aws.client("lambda", self.security).create_function(
            FunctionName="access-key-rotation",
            Runtime="provided.al2023",
            Handler="bootstrap",
            Role=role["Role"]["Arn"],
            Code={"ZipFile": (self.aws.home / "bootstrap.zip").read_bytes()},
        )

    def deploy_runbooks(self):
        """One of the runbooks, in the place of the StackSet of organization.yaml, which moto skips."""
        content = {"schemaVersion": "0.3", "mainSteps": []}
        properties = {"Name": RUNBOOK, "DocumentType": "Automation", "DocumentFormat": "JSON", "Content": content}
        document = {"Type": "AWS::SSM::Document", "Properties": properties | {"UpdateMethod": "NewVersion"}}
        body = json.dumps({"Parameters": {}, "Resources": {"Document": document}})
        stacks, name = self.aws.client("cloudformation", self.security), "access-key-rotation-member"
        stacks.create_stack_set(
            StackSetName=name,
            TemplateBody=body,
            PermissionModel="SERVICE_MANAGED",
            AutoDeployment={"Enabled": True, "RetainStacksOnAccountRemoval": False},
        )
        units = {"OrganizationalUnitIds": [self.aws.unit]}
        stacks.create_stack_instances(StackSetName=name, DeploymentTargets=units, Regions=[REGION])
        self.aws.client("cloudformation").create_stack(StackName=name, TemplateBody=body)

    def run(self, script, release="1/", **names):
        """Runs commands with the names that the manual sets before."""
        before = f"RELEASE=access-key-rotation/{release}\nUNIT={self.aws.unit}\n"
        return self.aws.shell(NAMES + before + script, UNIT=self.aws.unit, **names)

    def join(self):
        """An account that joins the unit."""
        organizations = self.aws.client("organizations")
        status = organizations.create_account(Email="late@example.com", AccountName="late")["CreateAccountStatus"]
        root = organizations.list_roots()["Roots"][0]["Id"]
        self.move(status["AccountId"], root, self.aws.unit)
        return status["AccountId"]

    def move(self, account, source, destination):
        self.aws.client("organizations").move_account(
            AccountId=account, SourceParentId=source, DestinationParentId=destination
        )

    def rules(self, account):
        """What the rules of an account say first, and the runbooks of their remediations."""
        config = self.aws.client("config", account)
        rules = {rule["ConfigRuleName"]: rule["Description"] for rule in config.describe_config_rules()["ConfigRules"]}
        assert all(name.startswith("access-key-rotation-conformance-pack-") for name in rules)
        found = config.describe_remediation_configurations(ConfigRuleNames=list(rules))["RemediationConfigurations"]
        assert {given["ConfigRuleName"]: given["TargetId"] for given in found} == {name: RUNBOOK for name in rules}
        return [text for text in (OLD, NEW) for said in rules.values() if said.startswith(text)]

    def numbers(self, account):
        return self.packs.over_time[account]


def test_one_account(waves):
    out = waves.run(WAVE_ONE)
    assert "CREATE_IN_PROGRESS" in out and waves.rules(waves.member) == [OLD]
    [rule] = waves.aws.client("config", waves.member).describe_config_rules()["ConfigRules"]
    assert rule["Source"]["SourceIdentifier"].split(":")[4] == waves.security
    assert json.loads(rule["InputParameters"])["maxAccessKeyAge"] == "90"

    for text, file in ((NEW, "2-access-key-rotation.yaml"), (OLD, "1-access-key-rotation.yaml")):
        waves.run(WAVE_ONE, PACK=waves.aws.home / file)
        assert waves.rules(waves.member) == [text]
    assert "DELETE_IN_PROGRESS" in waves.run(LEAVE_ONE)
    assert waves.rules(waves.member) == []
    assert waves.numbers(waves.member) == [0, 1, 0]
    assert [waves.rules(account) for account in (waves.management, waves.security)] == [[], []]


def test_units(waves):
    waves.run(WAVE_TWO)
    late = waves.join()
    accounts = [waves.security, waves.member, late]
    for text, release in ((OLD, None), (NEW, "2/"), (OLD, "1/")):
        if release:
            waves.run(UPDATE_TWO, release)
        assert [waves.rules(account) for account in accounts] == [[text]] * 3
    later = waves.join()
    assert waves.rules(later) == [OLD]
    root = waves.aws.client("organizations").list_roots()["Roots"][0]["Id"]
    waves.move(later, waves.aws.unit, root)
    assert waves.rules(later) == []

    waves.run(LEAVE_UNIT)
    waves.run(LEAVE_UNITS)
    assert [waves.numbers(account) for account in [*accounts, later]] == [[0, 1, 0]] * 4
    assert waves.rules(waves.management) == []


def test_the_organization(waves):
    waves.run(STEP_FOUR)
    for text, release in ((OLD, None), (NEW, "2/"), (OLD, "1/")):
        if release:
            waves.run(STEP_FOUR, release)
        assert [waves.rules(account) for account in waves.accounts] == [[text]] * 3
    waves.run(REMOVE_PACK)
    assert [waves.numbers(account) for account in waves.accounts] == [[0, 1, 0]] * 3


def test_from_wave_to_wave_no_account_ever_has_two_rules(waves):
    waves.run(WAVE_ONE)
    waves.run(LEAVE_ONE)
    waves.run(WAVE_TWO)
    waves.run(WAVE_THREE)
    # A release in the middle of the wave.
    waves.run(UPDATE_TWO + WAVE_THREE, "2/")
    assert [waves.rules(account) for account in waves.accounts] == [[NEW]] * 3
    waves.run(LEAVE_UNIT, "2/")
    assert [waves.rules(account) for account in waves.accounts] == [[NEW], [], []], "the minutes between two packs"
    with pytest.raises(AssertionError, match="WITH_PACK: lists no account"):
        waves.run(WAVE_THREE, "2/")
    waves.run(STEP_FOUR + LEAVE_UNITS, "2/")
    assert [waves.rules(account) for account in waves.accounts] == [[NEW]] * 3
    waves.run(REMOVE_PACK)
    assert waves.numbers(waves.management) == [0, 1, 0]
    assert waves.numbers(waves.security) == [0, 1, 0, 1, 0]
    assert waves.numbers(waves.member) == [0, 1, 0, 1, 0, 1, 0]


def test_everything_is_removed_in_the_middle_of_the_waves(waves):
    waves.run(WAVE_TWO)
    waves.run(WAVE_THREE)
    waves.run(LEAVE_UNIT)
    waves.run(LEAVE_UNITS)
    waves.run(REMOVE_PACK)
    assert [waves.numbers(account) for account in waves.accounts] == [[0, 1, 0]] * 3
    assert waves.packs.held == {}


def test_an_account_that_joins_a_unit_between_the_waves_has_two_rules_until_the_commands_are_repeated(waves):
    waves.run(WAVE_TWO)
    waves.run(WAVE_THREE)
    late = waves.join()
    assert waves.rules(late) == [OLD, OLD]
    waves.run(WAVE_THREE)
    assert waves.rules(late) == [OLD]
    assert waves.numbers(late) == [0, 1, 2, 1]


def test_step_four_in_the_middle_of_the_waves_gives_a_second_rule(waves):
    """So the tests above can fail."""
    waves.run(WAVE_TWO)
    waves.run(STEP_FOUR)
    assert [waves.rules(account) for account in waves.accounts] == [[OLD], [OLD, OLD], [OLD, OLD]]


def test_a_pack_of_the_first_wave_that_is_still_there_fails_the_units(waves):
    waves.run(WAVE_ONE)
    with pytest.raises(AssertionError, match="The pack access-key-rotation exists already"):
        waves.run(WAVE_TWO)
    waves.run(LEAVE_ONE.splitlines()[0])
    assert waves.rules(waves.member) == [OLD], "its deletion has not ended"
