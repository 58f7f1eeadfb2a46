"""What the remediation of a finding starts for a user, and that a deactivation leaves the users whose keys rotate."""

import json
from datetime import timedelta

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

import optin
from deployed import REGION
from fake_iam import ClientError, Iam, Key, at
from fake_secrets import ARN
from notices import SENDER, member
from test_documents import DEACTIVATE, DOCUMENTS, REMEDIATE, ROTATE, deployed, run, statuses

START = at("2026-03-01T12:00:00Z")
KEY, SECRET = "AKIAAAAAAAAAAAAAAAA1", "bots/deploy"
BOTH = {"access-key-rotation:secret": SECRET}, {"access-key-rotation:user": "bot"}


def account(user_tags, secret_tags, path="/"):
    """A user with a stale key that nobody uses, which a secret holds. Without tags, there is no secret."""
    iam = Iam(START)
    user = iam.add("bot", (KEY, Key(START - timedelta(days=400))))
    user.tags, user.path = dict(user_tags), path
    text = json.dumps({"AccessKeyId": KEY, "SecretAccessKey": iam.secret_of(KEY)})
    if secret_tags is not None:
        iam.secretsmanager.add(SECRET, secret_tags, text)
    return iam


def remediate(iam, documents=DOCUMENTS, **inputs):
    """The name of the document that does it, and the outcomes."""
    started = []
    [results] = run(iam, REMEDIATE, started, documents, ResourceId=iam.users["bot"].id, **inputs).values()
    [name] = [child.removeprefix("AccessKeyRotation-") for child in started]
    return name, [result["Outcome"] for result in results[f"{name}.Results"]]


CASES = [
    (BOTH, True),
    (({"access-key-rotation:secret": f" {ARN}{SECRET}-AbCdEf "}, BOTH[1]), True),
    ((BOTH[0], {**BOTH[1], "access-key-rotation:format": "ses-smtp:eu-west-1"}), True),
    # One side.
    (({}, BOTH[1]), False),
    (({"access-key-rotation:secret": " "}, BOTH[1]), False),
    ((BOTH[0], {}), False),
    ((BOTH[0], {"access-key-rotation:user": "other"}), False),
    ((BOTH[0], {"access-key-rotation:users": "bot"}), False),
    # A secret that is not there, or elsewhere, or nothing that could be one.
    ((BOTH[0], None), False),
    (({"access-key-rotation:secret": "bots/other"}, BOTH[1]), False),
    (({"access-key-rotation:secret": f"{ARN}{SECRET}-AbCdEf".replace("eu-central-1", "eu-west-1")}, BOTH[1]), False),
    (({"access-key-rotation:secret": "two words"}, BOTH[1]), False),
]


@pytest.mark.parametrize("tags, rotates", CASES)
def test_a_user_rotates_if_both_sides_say_so_and_for_any_other_idle_keys_are_switched_off(tags, rotates):
    iam = account(*tags)
    if rotates:
        assert remediate(iam) == (ROTATE, ["rotated", "settling"])
        assert len(iam.made) == 1
    else:
        assert remediate(iam) == (DEACTIVATE, ["deactivated"])
        assert iam.made == []
    assert statuses(iam)[KEY] == ("Active" if rotates else "Inactive")


@pytest.mark.parametrize("inputs", [{}, {"QuietDays": "0"}, {"Again": "true"}, {"QuietDays": "0", "Again": "true"}])
@pytest.mark.parametrize("tags, rotates", CASES)
def test_a_deactivation_leaves_a_user_whose_keys_rotate_and_says_so(tags, rotates, inputs):
    iam = account(*tags)
    [result] = run(iam, DEACTIVATE, ResourceId=iam.users["bot"].id, **inputs)["DeactivateStaleKeys.Results"]
    assert statuses(iam) == {KEY: "Active" if rotates else "Inactive"}
    assert (iam.changes == []) == rotates
    assert ("left to AccessKeyRotation-RotateKey" in result["Reason"]) == rotates
    assert result["Outcome"] == ("left as it is" if rotates else "deactivated")


@pytest.mark.parametrize("error", ["AccessDeniedException", "ThrottlingException", "InternalServiceError"])
@pytest.mark.parametrize("name", [REMEDIATE, DEACTIVATE])
def test_where_nobody_can_tell_it_fails_and_nothing_changes(name, error):
    iam = account(*BOTH)
    iam.secretsmanager.refuse = lambda operation, secret: ClientError(f"{error} when calling {operation}")
    started = []
    with pytest.raises(Exception, match=f"{error} when calling DescribeSecret"):
        run(iam, name, started, ResourceId=iam.users["bot"].id)
    assert (iam.changes, iam.made, started, iam.parameters.held) == ([], [], [], {})


def test_a_user_elsewhere_takes_no_part():
    documents = deployed(Rotation="true", RotationPath="/bots/")
    for path, name in (("/", DEACTIVATE), ("/bots-too/", DEACTIVATE), ("/bots/", ROTATE), ("/bots/ci/", ROTATE)):
        iam = account(*BOTH, path=path)
        assert remediate(iam, documents)[0] == name, path


def test_without_rotation_the_tags_mean_nothing():
    documents = deployed(RotationPath="/")
    assert ROTATE not in documents
    iam = account(*BOTH)
    assert remediate(iam, documents) == (DEACTIVATE, ["deactivated"])
    assert "DescribeSecret" not in iam.calls


def test_it_passes_on_what_it_is_given():
    assert remediate(account(*BOTH), DryRun="true") == (ROTATE, ["dry run: rotated"])
    assert remediate(account({}, None), DryRun="true") == (DEACTIVATE, ["dry run: deactivated"])
    assert remediate(account({}, None), MaxAccessKeyAge="500") == (DEACTIVATE, ["left as it is"])
    iam = account({}, None)
    iam.users["bot"].keys[KEY].last_used = START - timedelta(days=1)
    assert remediate(iam) == (DEACTIVATE, ["left as it is"])
    assert remediate(iam, QuietDays="0") == (DEACTIVATE, ["deactivated"])
    exempt = {"access-key-rotation:exempt-until": "2026-04-01", "access-key-rotation:exempt-owner": "payments"}
    assert remediate(account(exempt, None)) == (DEACTIVATE, ["left as it is"])
    assert remediate(account(exempt, None), MaxExemptionDays="9") == (DEACTIVATE, ["deactivated"])


def test_the_secret_is_asked_only_of_a_user_with_the_tag_and_a_stale_key():
    iam = account({}, BOTH[1])
    run(iam, DEACTIVATE, ResourceId=iam.users["bot"].id)
    assert "DescribeSecret" not in iam.calls
    iam = account(*BOTH)
    iam.users["bot"].keys[KEY].created = START - timedelta(days=10)
    run(iam, DEACTIVATE, ResourceId=iam.users["bot"].id)
    assert "DescribeSecret" not in iam.calls


def test_the_document_is_three_kinds_of_steps_and_says_what_it_started():
    with_rotation, without = DOCUMENTS[REMEDIATE], deployed()[REMEDIATE]
    actions = [step["action"] for step in with_rotation["mainSteps"]]
    assert actions == ["aws:executeScript", "aws:branch", "aws:executeAutomation", "aws:executeAutomation"]
    assert [step["name"] for step in without["mainSteps"]] == ["Deactivate"]
    assert with_rotation["outputs"] == ["Rotate.Output", "Deactivate.Output"]
    assert without["outputs"] == ["Deactivate.Output"]
    assert len(json.dumps(with_rotation)) < 64 * 1024, "Systems Manager's limit"
    assert with_rotation["assumeRole"] == "{{ AutomationAssumeRole }}", "Config insists on it"
    assert with_rotation["parameters"] == without["parameters"]
    for step in with_rotation["mainSteps"]:
        if step["action"] == "aws:executeAutomation":
            child = DOCUMENTS[step["inputs"]["DocumentName"].removeprefix("AccessKeyRotation-")]
            given = step["inputs"]["RuntimeParameters"]
            assert given.keys() <= child["parameters"].keys() & with_rotation["parameters"].keys()
            assert given == {name: f"{{{{ {name} }}}}" for name in given}
            assert (step["isEnd"], step["onFailure"]) == (True, "Abort")
            for name in given:
                of_both = [document["parameters"][name] for document in (with_rotation, child)]
                assert {parameter.get("default") for parameter in of_both} == {of_both[0].get("default")}


def test_an_answer_with_an_empty_path_is_no():
    user = {"UserName": "bot", "Arn": "arn:aws:iam::111122223333:user/bot", "Tags": []}
    user["Tags"].append({"Key": "access-key-rotation:secret", "Value": SECRET})
    assert optin.is_opted_in(user, "") is False


def ssm(resource):
    return f"arn:aws:ssm:{REGION}:{SENDER}:{resource}"


def role(name):
    return f"arn:aws:iam::{SENDER}:role/access-key-rotation-{name}"


SYSTEMS_MANAGER = {"iam:passedtoservice": "ssm.amazonaws.com"}


@pytest.mark.parametrize(
    "allowed, action, resource, keys",
    [
        ("always", "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-DeactivateStaleKeys"), {}),
        (
            "always",
            "ssm:StartAutomationExecution",
            ssm("automation-definition/AccessKeyRotation-DeactivateStaleKeys:1"),
            {},
        ),
        ("rotation", "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-RotateKey"), {}),
        ("rotation", "ssm:StartAutomationExecution", ssm("automation-definition/AccessKeyRotation-RotateKey:1"), {}),
        ("never", "ssm:StartAutomationExecution", ssm("document/AccessKeyRotation-DeleteDeactivatedKeys"), {}),
        ("never", "ssm:StartAutomationExecution", ssm("document/Mine"), {}),
        ("always", "ssm:GetAutomationExecution", ssm("automation-execution/6f3b5c0e-0000-4000-8000-000000000000"), {}),
        ("always", "iam:PassRole", role("remediation"), SYSTEMS_MANAGER),
        ("rotation", "iam:PassRole", role("rotation"), SYSTEMS_MANAGER),
        ("never", "iam:PassRole", role("rotation"), {"iam:passedtoservice": "lambda.amazonaws.com"}),
        ("never", "iam:PassRole", role("deletion"), SYSTEMS_MANAGER),
        ("rotation", "secretsmanager:DescribeSecret", f"arn:aws:secretsmanager:{REGION}:{SENDER}:secret:any", {}),
        ("never", "secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:{REGION}:{SENDER}:secret:any", {}),
        ("never", "iam:CreateAccessKey", f"arn:aws:iam::{SENDER}:user/bot", {}),
        ("never", "iam:DeleteAccessKey", f"arn:aws:iam::{SENDER}:user/bot", {}),
    ],
)
def test_the_role_starts_these_runbooks_and_reads_the_tags_of_secrets_but_no_value(allowed, action, resource, keys):
    for rotation in ("true", "false"):
        remediation = member(Rotation=rotation)["RemediationRole"]
        policies = [parse_policy_document(policy["PolicyDocument"]) for policy in remediation["Policies"]]
        context = EvalContext(
            role("remediation"), "AssumedRole", SENDER, action, resource, REGION, service_context=keys
        )
        expected = allowed == "always" or (allowed, rotation) == ("rotation", "true")
        assert (evaluate(context, policies).decision == "Allow") == expected, rotation
