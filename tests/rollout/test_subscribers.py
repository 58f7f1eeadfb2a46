"""Which rule takes which notice, and what subscribers get. ministack has EventBridge's rules and transformers, in one
account: no emulator delivers from one account to another."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading

import boto3
import moto
import pytest

from deployed import REGION, template
from notices import BUS, EXAMPLES, HUB, OTHER, SENDER, changed, faults, hub, member, resources

ROOT = pathlib.Path(__file__).parents[2]
MANUAL = (ROOT / "templates/NOTICES.md").read_text()
SUBSCRIBED = {"NoticeEmail": "security@example.com", "Chat": "true", "TicketQueue": "true", "OwnerTopic": "true"}


# Which rule takes which notice.


def patterns():
    """Name and pattern of each rule of the templates, and of the manual in its order."""
    found = {
        name: rule["EventPattern"]
        for name, rule in resources("notices.yaml", HUB, **SUBSCRIBED).items()
        if "EventPattern" in rule
    }
    for name in ("ForwardingRule", "FailedRunsRule"):
        found[name] = member(Rotation="true")[name]["EventPattern"]
    found["BlockedRule"] = hub()["BlockedRule"]["EventPattern"]
    blocks = re.findall(r"^```json\n(.*?)^```$", MANUAL, re.MULTILINE | re.DOTALL)
    return found | {f"manual {number}": json.loads(block) for number, block in enumerate(blocks, 1)}


DUE, OVERDUE, TICKETS, OUTCOMES, FORWARDED = "DueRule", "OverdueRule", "TicketsRule", "OutcomesRule", "ForwardingRule"
EXPOSED = "ExposedRule"
OWNERS, FAILED_RUNS, BLOCKED = "OwnersRule", "FailedRunsRule", "BlockedRule"


def ended(definition, status, account=SENDER, **other):
    """Systems Manager's event about a run that ended, as its guide shows it."""
    execution = f"arn:aws:ssm:{REGION}:{account}:automation-execution/333ba70b-2333-48db-b17e-a5e69c6f4d1c"
    detail = {"ExecutionId": execution.split("/")[1], "Definition": definition, "DefinitionVersion": 1.0}
    return {
        "version": "0",
        "id": "d290ece9-1088-4383-9df6-cd5b4ac42b99",
        "detail-type": "EC2 Automation Execution Status-change Notification",
        "source": "aws.ssm",
        "account": account,
        "time": "2026-03-01T12:00:00Z",
        "region": REGION,
        "resources": [execution],
        "detail": {**detail, "Status": status},
        **other,
    }


MILESTONES, WEEKLY, OWNER, SENDERS = "manual 1", "manual 2", "manual 3", "manual 4"
TAKEN = [
    # The examples.
    (changed("Due Soon"), {DUE, TICKETS, OWNERS, MILESTONES, OWNER}),
    (changed("Overdue"), {OVERDUE, TICKETS, OWNERS, OWNER}),
    (changed("Exposed"), {EXPOSED, TICKETS, OWNERS, OWNER}),
    (changed("Exposed", account=SENDER), set()),
    (changed("Exemption Ending"), {DUE, TICKETS, OWNERS, MILESTONES}),
    (changed("Deactivated"), {OUTCOMES, TICKETS, OWNERS, FORWARDED, SENDERS}),
    (changed("Kept"), {TICKETS, OWNERS, FORWARDED}),
    (changed("Reactivated"), {OUTCOMES, TICKETS, OWNERS, FORWARDED}),
    (changed("Deleted"), {OUTCOMES, TICKETS, OWNERS, FORWARDED, SENDERS}),
    (changed("Rotated"), {OUTCOMES, TICKETS, OWNERS, FORWARDED}),
    (changed("Settling"), {OUTCOMES, TICKETS, OWNERS, FORWARDED}),
    (changed("Rotation Blocked"), {OUTCOMES, TICKETS, OWNERS, FORWARDED, BLOCKED}),
    (changed("Rotation Blocked", source="mine"), set()),
    # Runs that failed as a whole.
    (ended("AccessKeyRotation-RotateKey", "Failed"), {FAILED_RUNS, BLOCKED}),
    (ended("AccessKeyRotation-RotateKey", "TimedOut"), {FAILED_RUNS, BLOCKED}),
    (ended("AccessKeyRotation-DeleteDeactivatedKeys", "Failed"), {FAILED_RUNS, BLOCKED}),
    (ended("AccessKeyRotation-RotateKey", "Success"), set()),
    (ended("AccessKeyRotation-DeactivateStaleKeys", "Failed"), set()),
    (ended("AWS-RestartEC2Instance", "Failed"), set()),
    (ended("AccessKeyRotation-RotateKey", "Failed", source="mine"), set()),
    # Milestones. One of a longer warning is not among those of the mail.
    *(
        (changed("Due Soon", milestone=days, daysLeft=days), {DUE, TICKETS, OWNERS, MILESTONES, OWNER})
        for days in (14, 7, 3, 1, 0)
    ),
    (changed("Due Soon", milestone=30, daysLeft=30), {TICKETS, OWNERS, OWNER}),
    # Told late: the days are not the milestone.
    (changed("Due Soon", milestone=7, daysLeft=5), {DUE, TICKETS, OWNERS, MILESTONES, OWNER}),
    (changed("Overdue", daysOverdue=0, milestone=0), {OVERDUE, TICKETS, OWNERS, WEEKLY, OWNER}),
    (changed("Overdue", daysOverdue=21, milestone=21), {OVERDUE, TICKETS, OWNERS, WEEKLY, OWNER}),
    (changed("Overdue", daysOverdue=22, milestone=22, owner="billing"), {OVERDUE, TICKETS, OWNERS}),
    # A member's word for the function's: on no bus of the hub, and if it were, no subscriber takes it.
    (changed("Overdue", account=SENDER, detail_account=OTHER), set()),
    (changed("Due Soon", account=SENDER), set()),
    (changed("Exemption Ending", account=SENDER, detail_account=HUB), set()),
    # A member's word about another account: the account at the top says whose it is.
    (changed("Deactivated", account=SENDER, detail_account=OTHER), {OUTCOMES, TICKETS, OWNERS, FORWARDED, SENDERS}),
    (changed("Deactivated", account=OTHER), {OUTCOMES, TICKETS, OWNERS}),
    (changed("Deleted", account=OTHER), {OUTCOMES, TICKETS, OWNERS}),
    # Anything else.
    (changed("Deactivated", source="mine"), set()),
    (changed("Deactivated", **{"detail-type": "Access Key Created"}), set()),
    (changed("Overdue", source="mine"), set()),
]


def test_each_rule_takes_the_notices_that_it_should_and_no_others(aws):
    found = patterns()
    assert found.keys() == {
        *(DUE, OVERDUE, OUTCOMES, TICKETS, OWNERS, FORWARDED, MILESTONES, WEEKLY, OWNER, SENDERS),
        EXPOSED,
        FAILED_RUNS,
        BLOCKED,
    }
    events = aws("events")
    for event, expected in TAKEN:
        asks = {
            name: dict(EventPattern=json.dumps(pattern), Event=json.dumps(event)) for name, pattern in found.items()
        }
        assert {name for name, ask in asks.items() if events.test_event_pattern(**ask)["Result"]} == expected, event
    assert set().union(*(expected for _, expected in TAKEN)) == found.keys(), "each has its notices"


def test_patterns_keep_to_event_bridges_limit():
    assert all(len(json.dumps(pattern)) <= 2048 for pattern in patterns().values())


# What subscribers get, as ministack delivers it in the hub.

OWNERS_SUBSCRIBED = ("payments", "Billing", "pay", "Finanzplattform K\u00f6ln, the 'A' team", "null", "None")


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    """A way to make clients of the hub's account in a new ministack."""
    directory, listener = tmp_path_factory.mktemp("ministack"), socket.socket()
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    listener.close()
    settings = {
        "BIND_HOST": "127.0.0.1",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
    }
    paths = {
        "STATE_DIR": str(directory),
        "TMPDIR": str(directory),
        "PATH": os.environ["PATH"],
        "GATEWAY_PORT": str(port),
    }
    endpoint = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"],
        env=settings | paths,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        before = []
        for line in process.stderr:
            before.append(line)
            if "Running on http://" in line:
                break
        else:
            raise OSError("".join(before))
        # Until it ends, or it would wait for somebody to read the rest.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        keys = {"aws_access_key_id": HUB, "aws_secret_access_key": "test"}
        yield lambda service: boto3.client(service, REGION, endpoint_url=endpoint, **keys)
    finally:
        process.kill()
        process.wait()


def owner_attributes(owner):
    """The subscription's attributes in the manual's command, for this owner."""
    [text] = re.findall(r"sns subscribe .*?--attributes \\\n *'(.*?)'", MANUAL, re.DOTALL)
    attributes = json.loads(text)
    policy = attributes["FilterPolicy"]
    assert policy.count("payments") == 1
    return attributes | {"FilterPolicy": policy.replace("payments", json.dumps(owner)[1:-1])}


def deploy(aws, name, body, **parameters):
    stacks = aws("cloudformation")
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    stacks.create_stack(StackName=name, TemplateBody=body, Parameters=given, Capabilities=["CAPABILITY_NAMED_IAM"])
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1})


@pytest.fixture(scope="module")
def subscribers(aws):
    """The queues that see what each subscriber gets."""
    aws("events").create_event_bus(Name="access-key-rotation")
    deploy(aws, "notices", (ROOT / "templates/notices.yaml").read_text(), **SUBSCRIBED)
    # ministack's CloudFormation has no AWS::SSM::Document.
    text = template("member.yaml")
    del text["Mappings"]
    for name in [name for name, one in text["Resources"].items() if one["Type"] == "AWS::SSM::Document"]:
        del text["Resources"][name]
    deploy(aws, "member", json.dumps(text), HubAccountId=HUB, EventBusArn=BUS)
    sqs, sns = aws("sqs"), aws("sns")
    queues = {"tickets": sqs.get_queue_url(QueueName="access-key-rotation-tickets")["QueueUrl"]}
    subscribed = {"mail": ("mail", {}), "chat": ("chat", {})}
    subscribed |= {owner: ("owners", owner_attributes(owner)) for owner in OWNERS_SUBSCRIBED}
    for number, (name, (topic, attributes)) in enumerate(subscribed.items()):
        queues[name] = sqs.create_queue(QueueName=f"subscriber-{number}")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queues[name], AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = f"arn:aws:sns:{REGION}:{HUB}:access-key-rotation-{topic}"
        attributes = {"RawMessageDelivery": "true", **attributes}
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn, Attributes=attributes)
    return queues


def received(aws, queues, event, bus):
    """What each subscriber gets of a notice that is put on a bus. A notice that nobody wants comes after it, to the
    tickets."""
    put = lambda event, bus: aws("events").put_events(
        Entries=[
            {
                "Source": event["source"],
                "DetailType": event["detail-type"],
                "Detail": json.dumps(event["detail"]),
                "Resources": event["resources"],
                "EventBusName": bus,
            }
        ]
    )["FailedEntryCount"]
    last = changed("Kept", executionId="00000000-0000-4000-8000-000000000000", owner=None)
    assert put(event, bus) == put(last, "access-key-rotation") == 0
    sqs, found = aws("sqs"), {name: [] for name in queues}

    def receive(name, seconds):
        """How many messages there were, after waiting for one for so long."""
        messages = sqs.receive_message(QueueUrl=queues[name], MaxNumberOfMessages=10, WaitTimeSeconds=seconds)
        messages = messages.get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=queues[name], ReceiptHandle=message["ReceiptHandle"])
            found[name].append(message["Body"])
        return len(messages)

    while not any(last["detail"]["executionId"] in body for body in found["tickets"]):
        assert receive("tickets", 20), found
    for name in queues:
        receive(name, 0)
    found["tickets"] = [body for body in found["tickets"] if last["detail"]["executionId"] not in body]
    return found


@pytest.mark.parametrize("kind", EXAMPLES)
def test_mail_chat_and_tickets_get_each_notice_as_they_need_it(aws, subscribers, kind):
    event = EXAMPLES[kind]
    found = received(aws, subscribers, event, "access-key-rotation")
    [ticket] = map(json.loads, found["tickets"])
    assert faults(ticket) == [] and ticket["detail"] == event["detail"]
    owners = {name: [json.loads(body) for body in found[name]] for name in OWNERS_SUBSCRIBED if found[name]}
    owner = event["detail"]["owner"]
    assert owners == ({owner: [ticket]} if owner else {}), "the owner gets the whole event too"
    if kind == "Kept":
        assert found["mail"] == found["chat"] == []
        return
    [mail], [chat] = found["mail"], map(json.loads, found["chat"])
    lines = mail.strip().split("\n")
    # EventBridge wants each line in quotation marks, and they stay.
    assert all(re.fullmatch('"[^"<>]+"', line) for line in lines), mail
    for word in (event["detail"]["message"], "deploy-bot", event["detail"]["accessKeyId"] or "AKIA2EXAMPLE3EXAMPLE4"):
        assert word in mail
    assert (chat["version"], chat["source"]) == ("1.0", "custom")
    assert chat["content"]["description"] == event["detail"]["message"] and chat["content"]["title"].startswith(
        event["detail-type"]
    )
    assert chat["id"] == event["detail"]["id"]
    if "runbook" in event["detail"]:
        # Put here by the hub, whatever the detail says.
        assert lines[0] == f'"Access Key {kind}, says account {HUB}"' and chat["content"]["title"].endswith(
            f"says account {HUB}"
        )
    else:
        assert f'"Account: {SENDER}"' in lines


@pytest.mark.parametrize("kind", ["Overdue", "Deactivated"])
@pytest.mark.parametrize(
    "owner, expected",
    [
        ("payments", ["payments"]),
        ("PAYMENTS", ["payments"]),
        ("billing", ["Billing"]),
        ("Finanzplattform K\u00f6ln, the 'A' team", ["Finanzplattform K\u00f6ln, the 'A' team"]),
        ("null", ["null"]),
        # Nobody's.
        (None, []),
        ("paym", []),
        ("payments, billing", []),
    ],
)
def test_an_owner_gets_the_notices_of_the_own_keys_and_no_others(aws, subscribers, kind, owner, expected):
    """By the filter in the manual's command: of the function's notices, and of the runbooks'."""
    found = received(aws, subscribers, changed(kind, owner=owner), "access-key-rotation")
    assert len(found["tickets"]) == 1
    assert [name for name in OWNERS_SUBSCRIBED if found[name]] == expected
    for name in expected:
        assert [json.loads(body)["detail"] for body in found[name]] == [EXAMPLES[kind]["detail"] | {"owner": owner}]


def test_the_owners_filter_is_one_that_sns_takes():
    """By SNS's limits: five keys, 150 combinations, 256 KB."""
    with moto.mock_aws():
        sns = boto3.client("sns", REGION, aws_access_key_id=HUB, aws_secret_access_key="test")
        topic = sns.create_topic(Name="access-key-rotation-owners")["TopicArn"]
        for owner in OWNERS_SUBSCRIBED:
            attributes = owner_attributes(owner)
            sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="payments@example.com", Attributes=attributes)
            assert attributes["FilterPolicyScope"] == "MessageBody"
            assert json.loads(attributes["FilterPolicy"]) == {"detail": {"owner": [{"equals-ignore-case": owner}]}}


@pytest.mark.parametrize(
    "kind, forwarded",
    [("Deactivated", True), ("Kept", True), ("Rotation Blocked", True), ("Overdue", False), ("Due Soon", False)],
)
def test_the_accounts_own_bus_forwards_what_runbooks_tell_and_nothing_else(aws, subscribers, kind, forwarded):
    found = received(aws, subscribers, EXAMPLES[kind], "default")
    assert [json.loads(body)["detail-type"] for body in found["tickets"]] == [f"Access Key {kind}"] * forwarded


def test_the_subscribers_topics_and_queues_take_only_what_event_bridge_sends():
    found = resources("notices.yaml", HUB, **SUBSCRIBED)
    policies = {name: one["PolicyDocument"]["Statement"] for name, one in found.items() if name.endswith("Policy")}
    assert len(policies) == 5
    for name, [statement] in policies.items():
        assert (statement["Effect"], statement["Principal"]) == ("Allow", {"Service": "events.amazonaws.com"})
        assert statement["Action"] == ("sns:Publish" if "Topic" in name else "sqs:SendMessage")
        assert statement["Resource"].removeprefix("arn:") == name.removesuffix("Policy")
        # EventBridge's guide forbids conditions for topics.
        assert ("Condition" in statement) == ("Topic" not in name)
    for rule in (one for one in found.values() if "EventPattern" in one):
        assert rule["EventBusName"] == "access-key-rotation" and len(rule["Targets"]) <= 5
        assert all(target["DeadLetterConfig"] == {"Arn": "arn:UndeliveredNotices"} for target in rule["Targets"])


@pytest.mark.parametrize(
    "parameters, expected",
    [
        ({}, set()),
        ({"TicketQueue": "true"}, {TICKETS, "Tickets", "TicketsPolicy"}),
        ({"OwnerTopic": "true"}, {OWNERS, "OwnersTopic", "OwnersTopicPolicy"}),
        (
            {"Chat": "true", "AlarmTopicArn": f"arn:aws:sns:{REGION}:{HUB}:access-key-rotation-alarms"},
            {"UndeliveredNoticesAlarm", "ChatTopic", "ChatTopicPolicy", DUE, OVERDUE, EXPOSED, OUTCOMES},
        ),
    ],
)
def test_subscribers_are_there_if_they_are_asked_for(parameters, expected):
    found = resources("notices.yaml", HUB, **parameters, **{"UndeliveredNotices.QueueName": "undelivered"})
    assert found.keys() == expected | {"UndeliveredNotices", "UndeliveredNoticesPolicy"}
    targets = {target["Id"] for rule in found.values() for target in rule.get("Targets", [])}
    asked = {"TicketQueue": {"tickets"}, "OwnerTopic": {"owners"}, "Chat": {"chat"}}
    assert targets == asked.get(next(iter(parameters), ""), set())


def test_the_alarm_on_undelivered_notices_counts_what_comes_in():
    topic = f"arn:aws:sns:{REGION}:{HUB}:access-key-rotation-alarms"
    found = resources("notices.yaml", HUB, AlarmTopicArn=topic, **{"UndeliveredNotices.QueueName": "undelivered"})
    alarm = found["UndeliveredNoticesAlarm"]
    assert alarm["AlarmActions"] == [topic] and alarm["TreatMissingData"] == "notBreaching"
    assert alarm["MetricName"] == "NumberOfMessagesSent", "what comes in, not what is there"


def test_the_key_encrypts_topics_and_queues():
    key = f"arn:aws:kms:{REGION}:{HUB}:key/11111111-2222-3333-4444-555555555555"
    plain, given = (resources("notices.yaml", HUB, **SUBSCRIBED, **more) for more in ({}, {"KmsKeyArn": key}))
    for name in ("MailTopic", "ChatTopic", "OwnersTopic", "Tickets", "UndeliveredNotices"):
        assert "KmsMasterKeyId" not in plain[name] and given[name]["KmsMasterKeyId"] == key
        assert plain[name].get("SqsManagedSseEnabled", True) is True and "SqsManagedSseEnabled" not in given[name]
