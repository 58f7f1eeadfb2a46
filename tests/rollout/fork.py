"""Runs Python programs, each in a fork of this process: what takes them long, to import boto3 and the AWS CLI, is done
once.

fork.py SOCKET

A request is a line of JSON: arguments (the first is the program's path), environment and input, and the directory if it
is another one. So is the answer: status, output and error. It ends when its standard input does, and so with the tests
that started it.
"""

import json
import os
import runpy
import select
import socketserver
import sys
import tempfile
import traceback

import boto3.session
from awscli.clidriver import create_clidriver

# Loads what the clients and the commands need, beyond what the modules import at once.
boto3.session.Session(region_name="us-east-1").client("iam")
create_clidriver()
# The AWS CLI sets it when it is imported.
DATA_PATH = os.environ["AWS_DATA_PATH"]


def exit_status(program):
    try:
        runpy.run_path(program, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


class Run(socketserver.StreamRequestHandler):
    def handle(self):
        request = json.loads(self.rfile.readline())
        sys.argv = request["arguments"]
        os.chdir(request.get("directory", "."))
        os.environ.clear()
        os.environ.update(request["environment"], AWS_DATA_PATH=DATA_PATH)
        files = [tempfile.TemporaryFile() for _ in range(3)]
        files[0].write(request["input"].encode())
        files[0].seek(0)
        for descriptor, file in enumerate(files):
            os.dup2(file.fileno(), descriptor)
        status = exit_status(sys.argv[0])
        answer = {"status": status}
        for name, file, stream in zip(("output", "error"), files[1:], (sys.stdout, sys.stderr)):
            stream.flush()
            file.seek(0)
            answer[name] = file.read().decode()
        self.wfile.write(json.dumps(answer).encode())


class Server(socketserver.ForkingMixIn, socketserver.UnixStreamServer):
    request_queue_size = 100

    def service_actions(self):
        super().service_actions()
        if select.select([sys.stdin], [], [], 0)[0]:
            sys.exit()


server = Server(sys.argv[1], Run)
print("ready", flush=True)
server.serve_forever()
