"""The service control policies, as CloudFormation makes them of the template, for the tests."""

import re

from deployed import resolved, template

TARGETS = "ou-exam-12345678"
PERMISSION_SET = "aws-reserved/sso.amazonaws.com/*AWSReservedSSO_KeyAdministrator_????????????????"


def filling(length, items, item="{}"):
    """As many items as a parameter takes, of as many characters as it takes."""
    each, rest = divmod(length + 1 - items * len(item.format(",")), items)
    return ",".join(item.format("n" * (each + (number < rest))) for number in range(items))


LONGEST = {
    "ExemptionRoles": filling(320, 5),
    "DeploymentRoles": filling(400, 10),
    "RolePath": f"/{'p' * 62}/",
    "PermissionsBoundary": "b" * 128,
    "AccessKeyPaths": filling(512, 10, "/{}/"),
}


def rendered(**parameters):
    """The properties of the policies, by resource, as CloudFormation makes them of the template."""
    prevention = template("prevention.yaml")
    values = {}
    for name, definition in prevention["Parameters"].items():
        text = {"TargetIds": TARGETS, **parameters}.get(name, definition.get("Default"))
        of_list = definition["Type"] == "CommaDelimitedList"
        values[name] = [part.strip() for part in text.split(",")] if of_list else text
        for value in listed(values[name]):
            allowed = definition.get("AllowedValues")
            fits = len(value) <= definition.get("MaxLength", 4096)
            if not (
                value in allowed if allowed else fits and re.fullmatch(definition["AllowedPattern"], value, re.ASCII)
            ):
                raise ValueError(f"{name}: {value!r} is not allowed")
    resources = prevention["Resources"].items()
    return {name: resolved(resource["Properties"], values, prevention["Conditions"]) for name, resource in resources}


def policies(**parameters):
    return [properties["Content"] for properties in rendered(**parameters).values()]


def statements(**parameters):
    return {statement["Sid"]: statement for document in policies(**parameters) for statement in document["Statement"]}


def listed(value):
    return value if isinstance(value, list) else [value]
