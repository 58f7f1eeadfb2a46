"""Runs a runbook's script with an endpoint and credentials from the environment, and with waits cut short.

runbook.py INPUTS < DOCUMENT

INPUTS is a JSON object of the document's parameters. Prints what the step puts out; a failure is a traceback and exit
status 1. `simulate.mjs` takes the same and runs the whole document, step by step, but takes seconds.
"""

import json
import re
import sys
import time

document, inputs = json.load(sys.stdin), json.loads(sys.argv[1])
parameters = document["parameters"]
if unknown := inputs.keys() - parameters.keys():
    sys.exit(f"no such parameters: {sorted(unknown)}")
values = {name: inputs.get(name, parameter.get("default")) for name, parameter in parameters.items()}
for name, value in values.items():
    if not re.search(parameters[name]["allowedPattern"], value):
        sys.exit(f"{name}: {value!r} does not match {parameters[name]['allowedPattern']}")

[step] = document["mainSteps"]
payload = {name: values[text.strip("{} ")] for name, text in step["inputs"]["InputPayload"].items()}
sleep = time.sleep
time.sleep = lambda seconds: sleep(min(seconds, 0.01))
script = {}
exec(compile(step["inputs"]["Script"], step["name"], "exec"), script)
print(json.dumps(script[step["inputs"]["Handler"]](payload, {})))
