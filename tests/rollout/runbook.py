"""Runs an SSM document with an endpoint and credentials from the environment, and with waits cut short.

runbook.py INPUTS [SECONDS] < DOCUMENT

INPUTS is a JSON object of the document's parameters. The scripts' clock is so many SECONDS ahead. Prints what the last
script returns, once the step could make its outputs of it; or, of a document that ends by starting another one, that
one's DocumentName and RuntimeParameters. A failure is a traceback and exit status 1.
"""

import json
import re
import sys
import time
import uuid
from datetime import timedelta

EXECUTION = "7a4c6d1f-0000-4000-8000-000000000000"
# The types of outputs, as Systems Manager takes them from what a script returns.
TYPES = {
    "String": lambda value: isinstance(value, str),
    "MapList": lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
}


def parameter_values(document, inputs, execution=EXECUTION):
    """The document's parameters, which Systems Manager checks before anything runs."""
    parameters = document["parameters"]
    if unknown := inputs.keys() - parameters.keys():
        sys.exit(f"no such parameters: {sorted(unknown)}")
    values = {name: inputs.get(name, parameter.get("default")) for name, parameter in parameters.items()}
    for name, value in values.items():
        if not re.search(parameters[name]["allowedPattern"], value):
            sys.exit(f"{name}: {value!r} does not match {parameters[name]['allowedPattern']}")
    return values | {"automation:EXECUTION_ID": execution}


def filled(texts, values):
    """Inputs of a step, with values in the place of their names between two braces."""
    return {name: values[text.strip("{} ")] if "{{" in text else text for name, text in texts.items()}


def outputs(step, answer):
    """The outputs of a step, of what its script returned."""
    found = {}
    for output in step["outputs"]:
        [name] = re.fullmatch(r"\$\.Payload\.(\w+)", output["Selector"]).groups()
        assert TYPES[output["Type"]](answer[name]), f"{name} is not of the type {output['Type']}"
        found[f"{step['name']}.{output['Name']}"] = answer[name]
    return found


def script(step):
    """The names that a step's script defines, and the handler's."""
    names = {}
    exec(compile(step["inputs"]["Script"], step["name"], "exec"), names)
    return names, step["inputs"]["Handler"]


def perform(document, inputs, call, start, execution=EXECUTION):
    """Goes through the steps, and returns the document's outputs. call(step, payload) runs a script, and start(name,
    inputs) another document."""
    values = parameter_values(document, inputs, execution)
    steps = {step["name"]: step for step in document["mainSteps"]}
    name, done = next(iter(steps)), []
    while name:
        assert name not in done, f"{name} would run again"
        done.append(name)
        step, following = steps[name], [*steps, None][[*steps].index(name) + 1]
        given = step["inputs"]
        match step["action"]:
            case "aws:executeScript":
                values |= outputs(step, call(step, filled(given["InputPayload"], values)))
            case "aws:executeAutomation":
                values[f"{name}.Output"] = start(given["DocumentName"], filled(given["RuntimeParameters"], values))
            case "aws:branch":
                chosen = [c for c in given["Choices"] if filled(c, values)["Variable"] == c["StringEquals"]]
                following = chosen[0]["NextStep"] if chosen else given["Default"]
        name = None if step.get("isEnd") else following
    return {name: values[name] for name in document["outputs"] if name.split(".")[0] in done}


def clock_ahead(datetime, by):
    """The class, whose `now` is so much ahead."""
    return type("Clock", (datetime,), {"now": classmethod(lambda cls, zone: datetime.now(zone) + by)})


def main():
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.01))
    last, ahead = {}, timedelta(seconds=int("".join(sys.argv[2:]) or 0))

    def call(step, payload):
        names, handler = script(step)
        names["datetime"] = clock_ahead(names["datetime"], ahead)
        last["answer"] = names[handler](payload, {})
        return last["answer"]

    def start(name, inputs):
        last["answer"] = {"DocumentName": name, "RuntimeParameters": inputs}
        return []

    perform(json.load(sys.stdin), json.loads(sys.argv[1]), call, start, str(uuid.uuid4()))
    print(json.dumps(last["answer"]))


if __name__ == "__main__":
    main()
