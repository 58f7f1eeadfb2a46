"""Notices: the schema and its examples, and who may put one on which bus."""

import json
import re

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, evaluate_resource_policy, parse_policy_document

from deployed import REGION, template
from notices import BUS, EXAMPLES, HUB, NOTICES, ORGANIZATION, OTHER, SCHEMA, SENDER, changed, faults, hub, member

# The schema and its examples.


def test_there_is_a_valid_example_of_each_notice():
    SCHEMA.check_schema(SCHEMA.schema)
    assert {f"Access Key {kind}" for kind in EXAMPLES} == set(SCHEMA.schema["properties"]["detail-type"]["enum"])
    for kind, event in EXAMPLES.items():
        assert faults(event) == []
        assert (NOTICES / f"{event['detail-type'].lower().replace(' ', '-')}.json").exists()
        runs = "runbook" in event["detail"]
        assert event["account"] == (SENDER if runs else HUB), kind
        assert event["resources"] == [f"arn:aws:iam::{event['detail']['account']}:user/{event['detail']['userName']}"]


def test_the_schema_describes_every_field_of_the_examples():
    described = set()
    for part in ("user", "key", "finding", "before", "after", "exposed", "outcome"):
        described |= SCHEMA.schema["$defs"][part]["properties"].keys()
    used = {name for event in EXAMPLES.values() for name in event["detail"]}
    assert used == described
    for event in EXAMPLES.values():
        assert event.keys() == SCHEMA.schema["properties"].keys()


@pytest.mark.parametrize(
    "kind, fields",
    [
        ("Due Soon", {"message": 'rotate "it"'}),
        ("Due Soon", {"message": "C:\\keys"}),
        ("Due Soon", {"message": "one\ntwo"}),
        ("Due Soon", {"message": "m" * 513}),
        ("Due Soon", {"owner": "a\u202eb"}),
        ("Due Soon", {"owner": ...}),
        ("Due Soon", {"id": f"{SENDER}/AKIA2EXAMPLE3EXAMPLE4/due-soon"}),
        ("Due Soon", {"daysLeft": ...}),
        ("Due Soon", {"daysLeft": "7"}),
        ("Due Soon", {"daysLeft": -1}),
        ("Due Soon", {"daysOverdue": 3}),
        ("Due Soon", {"milestone": ...}),
        ("Due Soon", {"lastUsed": {"service": "s3", "region": "us-east-1"}}),
        ("Due Soon", {"exemption": {"state": "expired", "until": None, "owner": None, "reason": None}}),
        ("Overdue", {"daysLeft": 0}),
        ("Overdue", {"daysOverdue": ...}),
        ("Overdue", {"compliance": "COMPLIANT"}),
        ("Overdue", {"exposed": ...}),
        ("Exposed", {"accessKeyId": "AKIA2EXAMPLE3EXAMPLE4"}),
        ("Exposed", {"exposed": False}),
        ("Exposed", {"accessKeys": ...}),
        ("Exposed", {"accessKeys": [{"accessKeyId": "AKIA2EXAMPLE3EXAMPLE4"}]}),
        ("Deactivated", {"runbook": "AWS-DeleteKeys"}),
        ("Deactivated", {"executionId": ...}),
        ("Deactivated", {"owner": ...}),
        ("Deactivated", {"owner": 'the "A" team'}),
        ("Deactivated", {"description": ...}),
        ("Deactivated", {"description": "one\ntwo"}),
        ("Rotated", {"runbook": "AccessKeyRotation-RemediateUser"}),
        ("Rotation Blocked", {"executionId": ...}),
        ("Rotation Blocked", {"message": "m" * 513}),
        ("Deleted", {"source": "aws.iam"}),
        ("Deleted", {"account": "root"}),
    ],
)
def test_the_schema_refuses_what_is_no_notice(kind, fields):
    assert faults(changed(kind, **fields)) != []


def test_the_examples_keep_to_the_limits_of_event_bridge():
    """Of an entry of PutEvents: 256 KB for each call, the older of the two limits that AWS documents, and ten
    entries."""
    for event in EXAMPLES.values():
        detail = dict(event["detail"], message="m" * 512, owner="o" * 256, userName="u" * 64)
        texts = [event["source"], event["detail-type"], json.dumps(detail), *event["resources"]]
        assert 10 * (14 + sum(len(text.encode()) for text in texts)) < 256 * 1024
        assert len(event["detail-type"]) <= 128 and len(event["resources"][0]) <= 2048
        assert not event["source"].startswith("aws.")


# Who may put a notice on which bus.


def context(principal, resource, **keys):
    account = principal.split(":")[4]
    service = {name.replace("_", ":", 1).lower(): value for name, value in keys.items()}
    return EvalContext(principal, "AssumedRole", account, "events:PutEvents", resource, REGION, service_context=service)


def role(account, name, path="/"):
    return f"arn:aws:iam::{account}:role{path}access-key-rotation-{name}"


def allowed_by(policies, resource, source="access-key-rotation"):
    keys = {"events_source": source} if source else {}
    documents = [parse_policy_document(policy) for policy in policies]
    return evaluate(context(role(SENDER, "any"), resource, **keys), documents).decision == "Allow"


DEFAULT = f"arn:aws:events:{REGION}:{SENDER}:event-bus/default"


@pytest.mark.parametrize("name", ["FunctionRole", "NoticePolicy", "ForwardingRole"])
def test_each_sender_may_put_notices_on_one_bus(name):
    sender = (hub() if name == "FunctionRole" else member())[name]
    policies = [policy["PolicyDocument"] for policy in sender.get("Policies", [sender])]
    own = DEFAULT if name == "NoticePolicy" else BUS
    assert allowed_by(policies, own)
    for other in {DEFAULT, BUS, BUS + "-too", BUS.replace(HUB, OTHER)} - {own}:
        assert not allowed_by(policies, other), other
    # EventBridge forwards what the rule takes. A condition on the source that it may not give would stop it.
    if name != "ForwardingRole":
        assert not allowed_by(policies, own, "mine") and not allowed_by(policies, own, None)


def test_only_the_runbooks_roles_put_notices_in_a_member():
    rotating = member(Rotation="true")["NoticePolicy"]
    assert rotating["Roles"] == ["RemediationRole", "DeletionRole", "RotationRole"]
    found = member()
    assert found["NoticePolicy"]["Roles"] == ["RemediationRole", "DeletionRole"]
    granted = [name for name, one in found.items() if "RoleName" in one and "events:PutEvents" in json.dumps(one)]
    assert granted == ["ForwardingRole"]
    [statement] = found["ForwardingRole"]["AssumeRolePolicyDocument"]["Statement"]
    assert (statement["Principal"], statement["Action"]) == ({"Service": "events.amazonaws.com"}, "sts:AssumeRole")
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": SENDER}}
    [target] = found["ForwardingRule"]["Targets"]
    assert target == {"Id": "hub", "Arn": BUS, "RoleArn": "arn:ForwardingRole"}


FORWARDER = role(SENDER, "notices")
GOOD = {"aws_PrincipalOrgID": ORGANIZATION, "events_source": "access-key-rotation"}


@pytest.mark.parametrize(
    "path, principal, keys, allowed",
    [
        ("/", FORWARDER, GOOD, True),
        ("/", role(OTHER, "notices"), GOOD, True),
        # AWS does not document that it gives the source of an event that a rule forwards.
        ("/", FORWARDER, {"aws_PrincipalOrgID": ORGANIZATION}, True),
        ("/security/", role(SENDER, "notices", "/security/"), GOOD, True),
        ("/security/", FORWARDER, GOOD, False),
        ("/", role(SENDER, "notices", "/mine/"), GOOD, False),
        ("/", FORWARDER, GOOD | {"events_source": "aws.ssm"}, True),
        ("/", FORWARDER, GOOD | {"events_source": "aws.iam"}, False),
        ("/", FORWARDER, GOOD | {"events_source": "mine"}, False),
        ("/", FORWARDER, GOOD | {"aws_PrincipalOrgID": "o-anotherorgan"}, False),
        ("/", FORWARDER, {"events_source": "access-key-rotation"}, False),
        ("/", role(SENDER, "remediation"), GOOD, False),
        ("/", role(SENDER, "notices-too"), GOOD, False),
        ("/", f"arn:aws:iam::{SENDER}:user/access-key-rotation-notices", GOOD, False),
    ],
)
def test_only_the_organizations_forwarding_roles_reach_the_hubs_bus(path, principal, keys, allowed):
    policy = hub(RolePath=path)["EventBusPolicy"]
    assert policy["EventBusName"] == "EventBus"
    document = {"Version": "2012-10-17", "Statement": [policy["Statement"]]}
    assert (evaluate_resource_policy(document, context(principal, BUS, **keys)).decision == "Allow") == allowed


def test_nothing_is_there_unless_it_is_asked_for():
    assert not [name for name in hub(Notices="false") if name.startswith(("EventBus", "Blocked"))]
    assert "FailedRunsRule" in member(Rotation="true") and "FailedRunsRule" not in member()
    assert "FailedRunsRule" not in member(Rotation="true", EventBusArn="")
    assert "events:" not in json.dumps(hub(Notices="false")["FunctionRole"])
    variables = lambda **parameters: hub(**parameters)["Function"]["Environment"]["Variables"].items()
    assert variables(OwnerTag="team") - variables(Notices="false") == {
        ("EVENT_BUS_NAME", "EventBus"),
        ("OWNER_TAG", "team"),
    }
    # The hub's own account needs no policy of the bus.
    assert {name for name in hub(OrganizationId="") if name.startswith("EventBus")} == {"EventBus"}
    quiet = member(EventBusArn="")
    assert not {"NoticePolicy", "ForwardingRule", "ForwardingRole"} & quiet.keys() and "events:" not in json.dumps(
        quiet["RemediationRole"]
    )


def test_the_runbooks_get_the_owners_tag_if_there_is_a_bus():
    run = {"ExecutionId": "{{ automation:EXECUTION_ID }}"}
    named = run | {"OwnerTag": "team"}
    for bus, expected in ((BUS, named), ("", run)):
        found = member(EventBusArn=bus, OwnerTag="team", Rotation="true").values()
        payloads = [
            step["inputs"]["InputPayload"]
            for one in found
            for step in one.get("Content", {}).get("mainSteps", [])
            if step["name"] in ("DeactivateStaleKeys", "ReactivateKey", "DeleteDeactivatedKeys", "RotateKey")
        ]
        assert len(payloads) == 4
        for payload in payloads:
            assert {name: value for name, value in payload.items() if name in named} == expected


@pytest.mark.parametrize(
    "tag, allowed",
    [
        ("owner", True),
        ("cost-center/team:name", True),
        ("Owner Team", True),
        ("", False),
        ('own"er', False),
        ("o" * 129, False),
    ],
)
def test_the_owners_tag_is_one_that_iam_takes(tag, allowed):
    for name in ("hub.yaml", "member.yaml", "organization.yaml"):
        assert bool(re.fullmatch(template(name)["Parameters"]["OwnerTag"]["AllowedPattern"], tag)) == allowed
