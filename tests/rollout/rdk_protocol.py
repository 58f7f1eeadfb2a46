"""A rule's protocol as AWS's own tools for custom rules have it: rdk's samples in the events that rdklib makes for
tests, and a rule on rdklib, that of the measurements (tests/benches/peers/rule.py).

rdk_protocol.py events          prints the events, by name
rdk_protocol.py handle < EVENT  runs the rule, and prints on the last line what it returns
"""

import json
import sys
from importlib.resources import files

import rdklib.util.service
import yaml
from rdklibtest import create_test_configurationchange_event, create_test_scheduled_event

TEMPLATES = files("rdk") / "template"
TIME = "2026-02-01T06:00:00.250Z"


def item(resource_type, **fields):
    sample = TEMPLATES / "example_ci" / f"{resource_type.replace('::', '_')}.json"
    return json.loads(sample.read_text()) | fields


def change(configuration_item, **fields):
    message = {
        "configurationItem": configuration_item,
        "messageType": "ConfigurationItemChangeNotification",
        "notificationCreationTime": TIME,
        "recordVersion": "1.3",
    }
    return create_test_configurationchange_event(message) | fields


def user(**fields):
    return item("AWS::IAM::User", **fields)


def oversized():
    summary = {name: value for name, value in user().items() if not isinstance(value, (dict, list))}
    message = {
        "configurationItemSummary": summary,
        "messageType": "OversizedConfigurationItemChangeNotification",
        "notificationCreationTime": TIME,
        "recordVersion": "1.0",
    }
    return create_test_configurationchange_event(message)


def snapshot():
    message = {"messageType": "ConfigurationSnapshotDeliveryCompleted", "notificationCreationTime": TIME}
    return create_test_configurationchange_event(message)


def remote():
    """As `rdk test-remote` fills its template in."""
    event = yaml.safe_load((TEMPLATES / "test_event_template.yaml").read_text())
    message = json.loads(event["invokingEvent"]) | {"configurationItem": user(), "notificationCreationTime": TIME}
    return event | {"invokingEvent": json.dumps(message), "ruleParameters": "{}"}


def events():
    return {
        "OK": change(user()),
        "ResourceDiscovered": change(user(configurationItemStatus="ResourceDiscovered")),
        "ResourceDeleted": change(user(configurationItemStatus="ResourceDeleted")),
        "ResourceDeletedNotRecorded": change(user(configurationItemStatus="ResourceDeletedNotRecorded")),
        "ResourceNotRecorded": change(user(configurationItemStatus="ResourceNotRecorded")),
        "left scope": change(user(), eventLeftScope=True),
        "role": change(item("AWS::IAM::Role")),
        "oversized": oversized(),
        "scheduled": create_test_scheduled_event(),
        "snapshot": snapshot(),
        "remote": remote(),
    }


def history(_client, message):
    """What AWS Config's GetResourceConfigHistory would return. rdklib asks it for the whole of an oversized item."""
    summary = message["configurationItemSummary"]
    configuration = json.dumps(user()["configuration"] | {"userName": summary["resourceName"]})
    return {"configurationItems": [summary | {"configuration": configuration, "relationships": []}]}


def handle(event):
    from peers.rule import lambda_handler

    rdklib.util.service.get_resource_config_history = history
    return lambda_handler(event, None)


if __name__ == "__main__":
    if sys.argv[1:] == ["events"]:
        print(json.dumps(events()))
    else:
        sys.path.insert(0, "tests/benches")
        print(json.dumps(handle(json.load(sys.stdin))))
