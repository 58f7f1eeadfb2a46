"""moto as a server for the manual's commands, with what CloudFormation does beyond it."""

import subprocess
import sys
import urllib.request

import pytest
from moto.cloudformation import models, parsing, responses
from moto.server import ThreadedMotoServer

from deployed import reduced
from manual import AWS, ROOT, Aws
from versions import make_new_versions


def extended(parse):
    def parse_extended(stack):
        parse(stack)
        stack.template_dict = reduced(stack.template_dict, {})

    return parse_extended


def with_texts(load):
    def load_texts(resources):
        given = resources.input_parameters.items()
        resources.input_parameters = {
            name: ",".join(value) if isinstance(value, list) else value for name, value in given
        }
        load(resources)

    return load_texts


def from_server(read, endpoint):
    return lambda url, **where: read(url.replace(endpoint, "https://s3.amazonaws.com"), **where)


def of_what_is_there(update):
    def update_what_is_there(name, definition, resources, **where):
        return None if resources[name] is None else update(name, definition, resources, **where)

    return update_what_is_there


# The AWS CLI takes most of its time to start: fork.py does it once.
COMMAND = """#!{python} -IS
import json, os, socket, sys

connection = socket.socket(socket.AF_UNIX)
connection.connect({path!r})
request = dict(arguments=[{aws!r}, *sys.argv[1:]], environment=dict(os.environ), input="", directory=os.getcwd())
connection.sendall(json.dumps(request).encode() + b"\\n")
answer = json.load(connection.makefile())
sys.stdout.write(answer["output"])
sys.stderr.write(answer["error"])
sys.exit(answer["status"])
"""


@pytest.fixture(scope="session")
def commands(tmp_path_factory):
    """A folder with the AWS CLI as the command `aws`."""
    folder = tmp_path_factory.mktemp("bin")
    path, command = str(folder / "socket"), folder / "aws"
    command.write_text(COMMAND.format(python=sys.executable, path=path, aws=str(AWS)))
    command.chmod(0o755)
    program = [sys.executable, "-B", ROOT / "tests/rollout/fork.py", path]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "ready\n"
        yield folder
        server.stdin.close()


@pytest.fixture
def aws(commands, tmp_path, monkeypatch):
    """moto as a server, which leaves out of lists what CloudFormation does, takes the previous value of a list, updates
    no resource whose condition does not hold, and reads templates from its own buckets; a shell for the manual."""
    monkeypatch.setattr(parsing, "parse_and_update_resource", of_what_is_there(parsing.parse_and_update_resource))
    monkeypatch.setattr(parsing.ResourceMap, "load_parameters", with_texts(parsing.ResourceMap.load_parameters))
    for kind in (models.Stack, models.ChangeSet):
        monkeypatch.setattr(kind, "_parse_template", extended(kind._parse_template))
    make_new_versions(monkeypatch)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    monkeypatch.setattr(responses, "get_stack_from_s3_url", from_server(responses.get_stack_from_s3_url, endpoint))
    urllib.request.urlopen(endpoint + "/moto-api/reset", data=b"").close()
    yield Aws(endpoint, tmp_path, commands)
    server.stop()
