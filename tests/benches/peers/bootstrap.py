#!/usr/bin/env python3
"""Runs rule.py under Lambda's Runtime API, version 2018-06-01: the least that a Python function needs."""

import json
import os
import traceback
from http.client import HTTPConnection

from rule import lambda_handler

PATH = "/2018-06-01/runtime/invocation"


def request(method, path, body=None):
    connection = HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    connection.request(method, path, body)
    response = connection.getresponse()
    return response.headers, response.read()


while True:
    headers, event = request("GET", f"{PATH}/next")
    invocation = f"{PATH}/{headers['Lambda-Runtime-Aws-Request-Id']}"
    try:
        result = lambda_handler(json.loads(event), None)
    except Exception as error:
        traceback.print_exc()
        failure = {"errorType": type(error).__name__, "errorMessage": str(error)}
        request("POST", f"{invocation}/error", json.dumps(failure))
    else:
        request("POST", f"{invocation}/response", json.dumps(result))
