"""Runs the script of an SSM document with an endpoint and credentials from the environment, and with waits cut short.

runbook.py INPUTS < DOCUMENT

INPUTS is a JSON object of the document's parameters. Prints what the script returns, once the step could make its
outputs of it. A failure is a traceback and exit status 1.
"""

import json
import re
import sys
import time

EXECUTION = "7a4c6d1f-0000-4000-8000-000000000000"
# The types of outputs, as Systems Manager takes them from what a script returns.
TYPES = {
    "String": lambda value: isinstance(value, str),
    "MapList": lambda value: isinstance(value, list) and all(isinstance(item, dict) for item in value),
}


def payload(document, inputs):
    """What the script gets for these parameters, which Systems Manager checks before anything runs."""
    parameters = document["parameters"]
    if unknown := inputs.keys() - parameters.keys():
        sys.exit(f"no such parameters: {sorted(unknown)}")
    values = {name: inputs.get(name, parameter.get("default")) for name, parameter in parameters.items()}
    for name, value in values.items():
        if not re.search(parameters[name]["allowedPattern"], value):
            sys.exit(f"{name}: {value!r} does not match {parameters[name]['allowedPattern']}")
    [step] = document["mainSteps"]
    values["automation:EXECUTION_ID"] = EXECUTION
    return {name: values.get(text.strip("{} "), text) for name, text in step["inputs"]["InputPayload"].items()}


def outputs(document, answer):
    """The document's outputs, of what its script returned."""
    [step] = document["mainSteps"]
    found = {}
    for output in step["outputs"]:
        [name] = re.fullmatch(r"\$\.Payload\.(\w+)", output["Selector"]).groups()
        assert TYPES[output["Type"]](answer[name]), f"{name} is not of the type {output['Type']}"
        found[f"{step['name']}.{output['Name']}"] = answer[name]
    return {name: found[name] for name in document["outputs"]}


def script(document):
    """The names that the script defines, and the handler's."""
    [step] = document["mainSteps"]
    names = {}
    exec(compile(step["inputs"]["Script"], step["name"], "exec"), names)
    return names, step["inputs"]["Handler"]


def main():
    document, inputs = json.load(sys.stdin), json.loads(sys.argv[1])
    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(seconds, 0.01))
    names, handler = script(document)
    answer = names[handler](payload(document, inputs), {})
    outputs(document, answer)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
