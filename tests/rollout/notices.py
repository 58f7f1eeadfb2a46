"""The notices' schema and examples, and the templates with notices turned on, for the tests."""

import copy
import json
import pathlib

import jsonschema

from deployed import REGION, parameter_values, resolved, template

# The hub and a member of the examples, and another member.
HUB, SENDER, OTHER = "111122223333", "123456789012", "210987654321"
ORGANIZATION = "o-exampleorgid"
BUS = f"arn:aws:events:{REGION}:{HUB}:event-bus/access-key-rotation"
NOTICES = pathlib.Path(__file__).parents[2] / "templates/notices"
SCHEMA = jsonschema.Draft202012Validator(json.loads((NOTICES / "schema.json").read_text()))
EXAMPLES = {
    event["detail-type"].removeprefix("Access Key "): event
    for event in (json.loads(path.read_text()) for path in sorted(NOTICES.glob("access-key-*.json")))
}


def delivered(entry, account):
    """An entry of PutEvents as EventBridge delivers it, of the account that put it."""
    return {
        "version": "0",
        "id": "6f3b5c0e-0000-4000-8000-000000000000",
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": account,
        "time": "2026-03-01T12:00:00Z",
        "region": "eu-central-1",
        "resources": entry["Resources"],
        "detail": json.loads(entry["Detail"]),
    }


def faults(event):
    """What is wrong with an event by the schema, one text a fault."""
    return [f"{fault.json_path}: {fault.message}" for fault in SCHEMA.iter_errors(event)]


def changed(kind, **fields):
    """An example with other fields; None removes one. Those of the detail have no account of their own at the top."""
    event = copy.deepcopy(EXAMPLES[kind])
    for name, value in fields.items():
        place = event if name in ("account", "source", "detail-type") else event["detail"]
        name = name.removeprefix("detail_")
        if value is ...:
            del place[name]
        else:
            place[name] = value
    return event


def resources(name, account, **parameters):
    """The properties of a template's resources, with references as names, without those whose condition does not
    hold."""
    text = template(name)
    names = {logical_id: logical_id for logical_id in text["Resources"]}
    arns = {f"{logical_id}.Arn": f"arn:{logical_id}" for logical_id in text["Resources"]} | {"EventBus.Arn": BUS}
    values = parameter_values(text, {**names, **arns, "AWS::AccountId": account, **parameters})
    resolve = lambda node: resolved(node, values, text["Conditions"])
    found = text["Resources"].items()
    chosen = {name: one for name, one in found if "Condition" not in one or resolve({"Condition": one["Condition"]})}
    return {
        name: resolve(one["Properties"]) for name, one in chosen.items() if one["Type"] != "AWS::CloudWatch::Dashboard"
    }


def hub(**parameters):
    return resources("hub.yaml", HUB, **{"OrganizationId": ORGANIZATION, "Notices": "true", **parameters})


def member(**parameters):
    return resources("member.yaml", SENDER, **{"HubAccountId": HUB, "EventBusArn": BUS, **parameters})
