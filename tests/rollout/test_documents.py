"""The runbooks as documents: what Systems Manager and AWS Config ask of them, and that they run the scripts of
templates/runbooks."""

import ast
import json
import os
import re
import subprocess
import sys
import unittest.mock
from datetime import timedelta

import pytest
from moto import mock_aws

import generate
import runbook
from deployed import HUB, MEMBER, REGION, ROOT, create, documents
from fake_iam import EXECUTION, ClientError, Iam, Key, at

DEACTIVATE, REACTIVATE, DELETE = "DeactivateStaleKeys", "ReactivateKey", "DeleteDeactivatedKeys"
ROTATE, REMEDIATE = "RotateKey", "RemediateUser"
PARAMETERS = {
    DEACTIVATE: {"ResourceId", "MaxAccessKeyAge", "QuietDays", "MaxExemptionDays", "Again", "DryRun"},
    REACTIVATE: {"ResourceId", "AccessKeyId", "DryRun"},
    DELETE: {"ResourceId", "GraceDays", "StartAfter", "DryRun"},
    ROTATE: {"ResourceId", "RotateAfterDays", "SettleDays", "DryRun"},
}
# What a document passes that nobody can set in a run.
FIXED = {
    DEACTIVATE: {"RotationPath": "/"},
    ROTATE: {"MaxAccessKeyAge": "90", "MaxExemptionDays": "365", "GraceDays": "30"},
}
HANDLERS = {DEACTIVATE: "deactivate", REACTIVATE: "reactivate", DELETE: "delete", ROTATE: "rotate"}
SHARED = ["common", "records", "account"]
FILES = {
    DEACTIVATE: [*SHARED, "optin", "runs", "deactivation", "deactivate"],
    REMEDIATE: [*SHARED, "optin", "remediate"],
    REACTIVATE: [*SHARED, "runs", "reactivate"],
    DELETE: [*SHARED, "trail", "proofs", "runs", "delete"],
    ROTATE: [
        "common",
        "records",
        "userrecords",
        "account",
        "optin",
        "trail",
        "secret",
        "deactivation",
        "rotation",
        "rotate",
    ],
}
START = at("2026-03-01T12:00:00Z")
GENERATE = ROOT / "templates/runbooks/generate.py"


def deployed(**parameters):
    """The documents of a member account."""
    session = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": REGION}
    with unittest.mock.patch.dict(os.environ, session | {"MOTO_ACCOUNT_ID": MEMBER}), mock_aws():
        create("member.yaml", HubAccountId=HUB, **parameters)
        return {name.removeprefix("AccessKeyRotation-"): document for name, document in documents().items()}


DOCUMENTS = deployed(Rotation="true")


def step(name):
    """The step of a document that runs a script."""
    [only] = [step for step in DOCUMENTS[name]["mainSteps"] if step["action"] == "aws:executeScript"]
    return only


# The scripts in the template.


def test_the_template_has_the_scripts_of_the_files():
    run = subprocess.run([sys.executable, GENERATE, "--check"], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_the_check_finds_a_template_with_another_script_or_pack(monkeypatch, tmp_path):
    for name, part, other in (
        ("TEMPLATE", "MOST_SECONDS = 480", "MOST_SECONDS = 9999"),
        ("PACK_TEMPLATE", "ConfigRuleName: access-key-rotation", "ConfigRuleName: another"),
    ):
        path = getattr(generate, name)
        stale = tmp_path / path.name
        stale.write_text(path.read_text().replace(part, other))
        assert stale.read_text() != path.read_text()
        monkeypatch.setattr(generate, name, stale)
        monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
        with pytest.raises(SystemExit, match=f"{path.name}.*run templates/runbooks/generate.py"):
            generate.main()
        monkeypatch.setattr(sys, "argv", ["generate.py"])
        generate.main()
        assert stale.read_text() == path.read_text()


def test_a_script_with_two_braces_in_a_row_is_refused(monkeypatch, tmp_path):
    (tmp_path / "delete.py").write_text('TEXT = "{{ global:DATE }}"\n')
    monkeypatch.setattr(generate, "RUNBOOKS", tmp_path)
    with pytest.raises(SystemExit, match="delete.py: .*between two braces"):
        generate.part("delete")


@pytest.mark.parametrize("name", FILES)
def test_a_script_is_the_files_that_it_needs(name):
    text = step(name)["inputs"]["Script"]
    assert text == "\n\n".join(generate.part(file) for file in FILES[name])
    assert not re.search(f"^from ({'|'.join(generate.FILES)}) ", text, re.MULTILINE)
    assert "{{" not in text and "}}" not in text, "Automation would replace what is between them"


@pytest.mark.parametrize("name", FILES)
def test_a_script_has_no_names_unknown_or_unused(name):
    # Each file imports what it needs, so some imports are there twice.
    check = [
        ROOT / "target/venv/bin/ruff",
        "check",
        "--select",
        "F",
        "--ignore",
        "F811",
        "--stdin-filename",
        "script.py",
        "-",
    ]
    run = subprocess.run(check, input=step(name)["inputs"]["Script"], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize("name", FILES)
def test_no_file_of_a_script_defines_what_another_one_has(name):
    defined = []
    for file in FILES[name]:
        for statement in ast.parse(generate.part(file)).body:
            if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
                defined.append(statement.name)
            elif isinstance(statement, ast.Assign):
                names = [word for target in statement.targets for word in ast.walk(target)]
                defined += [word.id for word in names if isinstance(word, ast.Name) and isinstance(word.ctx, ast.Store)]
    assert len(defined) > 40 and len(set(defined)) == len(defined)


# The documents.


@pytest.mark.parametrize("name", HANDLERS)
def test_a_document_is_as_systems_manager_and_config_need_it(name):
    document = DOCUMENTS[name]
    assert len(json.dumps(document)) < 64 * 1024, "Systems Manager's limit"
    assert document["schemaVersion"] == "0.3"
    assert document["assumeRole"] == "{{ AutomationAssumeRole }}", "Config insists on it for automatic remediation"
    assert document["parameters"].keys() == PARAMETERS[name] | {"AutomationAssumeRole"}
    for parameter in document["parameters"].values():
        assert parameter["type"] == "String", "Config passes text"
        assert parameter["description"]
        assert re.fullmatch(r"\^.*\$", parameter["allowedPattern"])
    inputs = step(name)["inputs"]
    assert (step(name)["action"], inputs["Runtime"]) == ("aws:executeScript", "python3.11")
    assert inputs["Handler"] == HANDLERS[name]
    given = {parameter: f"{{{{ {parameter} }}}}" for parameter in PARAMETERS[name]}
    assert inputs["InputPayload"] == given | FIXED.get(name, {}) | {"ExecutionId": "{{ automation:EXECUTION_ID }}"}
    assert document["outputs"] == [f"{name}.{output['Name']}" for output in step(name)["outputs"]]
    assert (step(name)["onFailure"], step(name)["isEnd"]) == ("Abort", True), "a failed script fails the document"
    assert step(name)["timeoutSeconds"] == 600, "the most that Systems Manager gives a script"


def test_a_document_puts_notices_if_there_is_a_bus():
    bus = f"arn:aws:events:{REGION}:{HUB}:event-bus/access-key-rotation"
    for name, document in deployed(EventBusArn=bus).items():
        if name == REMEDIATE:
            continue
        assert document["mainSteps"][0]["inputs"]["InputPayload"]["OwnerTag"] == "owner"


def test_each_document_has_the_role_that_may_do_its_work():
    roles = {name: default(name, "AutomationAssumeRole").rpartition("/")[2] for name in HANDLERS}
    assert roles == {
        DEACTIVATE: "access-key-rotation-remediation",
        REACTIVATE: "access-key-rotation-remediation",
        DELETE: "access-key-rotation-deletion",
        ROTATE: "access-key-rotation-rotation",
    }


# Their parameters.


def default(name, parameter):
    return DOCUMENTS[name]["parameters"][parameter].get("default")


def is_valid(name, parameter, text):
    return bool(re.search(DOCUMENTS[name]["parameters"][parameter]["allowedPattern"], text))


USER = "AIDAABCDEFGHIJKLMNOPQ"
NOT_USERS = ["", "bot", "AIDA", USER.lower(), "AROAABCDEFGHIJKLMNOPQ", "AIDAABCDEFGHIJKLM-OPQ", "all"]
ROLE = "arn:aws:iam::111122223333:role/access-key-rotation-remediation"
DELETION_ROLE = "arn:aws:iam::111122223333:role/access-key-rotation-deletion"
ROTATION_ROLE = "arn:aws:iam::111122223333:role/access-key-rotation-rotation"
NOT_ROLES = ["", ROLE.replace("111122223333", ""), f"{ROLE}-too", DELETION_ROLE]


@pytest.mark.parametrize(
    "names, parameter, valid, invalid",
    [
        ([DEACTIVATE, REACTIVATE, REMEDIATE], "ResourceId", [USER], [*NOT_USERS, "ALL"]),
        ([DELETE], "ResourceId", [USER, "ALL", "ROTATED"], [*NOT_USERS, f"ALL{USER}"]),
        ([ROTATE], "ResourceId", [USER, "ALL"], [*NOT_USERS, "ROTATED"]),
        ([ROTATE], "RotateAfterDays", ["1", "75", "3650"], ["", "0", "075", "3651", "75d"]),
        ([ROTATE], "SettleDays", ["1", "7", "365"], ["", "0", "07", "366", "-7"]),
        ([ROTATE], "AutomationAssumeRole", [ROTATION_ROLE], ["", ROLE, DELETION_ROLE]),
        ([REACTIVATE], "AccessKeyId", ["AKIAIOSFODNN7EXAMPLE"], ["", "AKIA", "ASIAIOSFODNN7EXAMPLE", USER]),
        ([*FILES], "DryRun", ["true", "false"], ["", "True", "no", "0", "falsetrue"]),
        ([DEACTIVATE], "Again", ["true", "false"], ["", "True", "no", "0", "falsetrue"]),
        (
            [DEACTIVATE, REACTIVATE, REMEDIATE],
            "AutomationAssumeRole",
            [ROLE, ROLE.replace("arn:aws:", "arn:aws-us-gov:")],
            NOT_ROLES,
        ),
        ([DELETE], "AutomationAssumeRole", [DELETION_ROLE, ROTATION_ROLE], ["", ROLE]),
        ([DELETE], "StartAfter", ["", "bot", "a,b=c@d+e.f-g_h", "x" * 64], ["a b", "a'b", "a/b", "x" * 65]),
    ],
)
def test_parameters_are_checked_before_anything_runs(names, parameter, valid, invalid):
    for name in names:
        assert [text for text in valid if not is_valid(name, parameter, text)] == []
        assert [text for text in invalid if is_valid(name, parameter, text)] == []


@pytest.mark.parametrize(
    "name, parameter, least",
    [
        (DEACTIVATE, "MaxAccessKeyAge", 1),
        (DEACTIVATE, "MaxExemptionDays", 1),
        (DEACTIVATE, "QuietDays", 0),
        (REMEDIATE, "MaxAccessKeyAge", 1),
        (REMEDIATE, "MaxExemptionDays", 1),
        (REMEDIATE, "QuietDays", 0),
        (DELETE, "GraceDays", 1),
    ],
)
def test_numbers_of_days_are_checked_before_anything_runs(name, parameter, least):
    allowed = [days for days in range(4100) if is_valid(name, parameter, str(days))]
    assert allowed == list(range(least, 3651))
    others = ["", "-1", "+1", "1.5", "01", " 90", "90 ", "90d", "1e3", "10000", "36500", "\u0669\u0660"]
    assert [text for text in others if is_valid(name, parameter, text)] == []


def test_every_default_is_valid():
    given = [(name, parameter) for name in FILES for parameter in DOCUMENTS[name]["parameters"]]
    defaults = [(*names, default(*names)) for names in given if default(*names) is not None]
    assert len(defaults) == 21
    assert [names for *names, text in defaults if not is_valid(*names, text)] == []


# Whole runs: the parameters of the document, its script, and its outputs.


def run(iam, name, started=None, documents=DOCUMENTS, **inputs):
    """The outputs. `started` gets the names of the documents that this one starts."""
    started = [] if started is None else started

    def call(step, payload):
        names, handler = runbook.script(step)
        iam.stand_in(names)
        return names[handler](payload, {})

    def start(child, given):
        started.append(child)
        return run(iam, child.removeprefix("AccessKeyRotation-"), started, documents, **given)

    return runbook.perform(documents[name], inputs, call, start)


def account():
    """A user with a stale key and a young one, and a user with a key that was deactivated a month ago."""
    iam = Iam(START)
    stale, young = Key(START - timedelta(days=91)), Key(START - timedelta(days=10))
    bot = iam.add("bot", ("AKIASTALEEXAMPLE0001", stale), ("AKIAYOUNGEXAMPLE0002", young))
    due = Key(START - timedelta(days=400), "Inactive")
    off = iam.add("off", ("AKIADUEEXAMPLE000003", due))
    iam.record("AKIADUEEXAMPLE000003", since=START - timedelta(days=31))
    return iam, bot, off


def statuses(iam):
    return {key_id: key.status for user in iam.users.values() for key_id, key in user.keys.items()}


def test_whole_documents_deactivate_reactivate_and_delete():
    iam, bot, off = account()
    found = run(iam, DEACTIVATE, ResourceId=bot.id)
    assert bot.keys["AKIASTALEEXAMPLE0001"].status == "Inactive"
    record = iam.parameters.value("AKIASTALEEXAMPLE0001")
    assert record["state"] == "deactivated" and record["since"].startswith("2026-03-01T12:00:")
    assert record["userId"] == bot.id and record["execution"] == EXECUTION
    assert bot.tags["access-key-rotation:last-change"].startswith("2026-03-01T12:00:")
    assert found["DeactivateStaleKeys.Summary"] == "Access keys: 1 changed, 1 left as they are."
    result = found["DeactivateStaleKeys.Results"][0]
    assert (result["UserName"], result["AccessKeyId"]) == ("bot", "AKIASTALEEXAMPLE0001")
    assert result["Outcome"] == "deactivated"

    found = run(iam, REACTIVATE, ResourceId=bot.id, AccessKeyId="AKIASTALEEXAMPLE0001")
    assert bot.keys["AKIASTALEEXAMPLE0001"].status == "Active"
    assert iam.parameters.state("AKIASTALEEXAMPLE0001") == "reactivated"
    assert len(found["ReactivateKey.Results"]) == 1

    before = statuses(iam), dict(iam.parameters.held)
    run(iam, DELETE, ResourceId="ALL")
    assert (statuses(iam), iam.parameters.held) == before, "a trial, unless told otherwise"
    found = run(iam, DELETE, ResourceId="ALL", DryRun="false")
    assert statuses(iam) == {"AKIASTALEEXAMPLE0001": "Active", "AKIAYOUNGEXAMPLE0002": "Active"}
    assert found["DeleteDeactivatedKeys.Summary"] == "Access keys: 1 changed, 1 left as they are."
    again = run(iam, DELETE, ResourceId="ALL", DryRun="false")["DeleteDeactivatedKeys.Results"]
    assert [(result["AccessKeyId"], result["Reason"]) for result in again] == [
        ("AKIASTALEEXAMPLE0001", "it is active again")
    ]


@pytest.mark.parametrize(
    "name, inputs",
    [
        (DEACTIVATE, {"QuietDays": "0"}),
        (REACTIVATE, {"AccessKeyId": "AKIADUEEXAMPLE000003"}),
        (DELETE, {"DryRun": "false"}),
    ],
)
def test_a_failed_read_fails_the_document(name, inputs):
    iam, _, off = account()

    iam.fail("ListAccessKeys", ClientError("AccessDenied when calling ListAccessKeys"))
    with pytest.raises(RuntimeError, match="AccessDenied"):
        run(iam, name, ResourceId=off.id, **inputs)
    assert iam.changes == [] and not {"TagUser", "PutParameter", "DeleteParameter"} & set(iam.calls)


def test_a_parameter_that_is_unknown_or_invalid_runs_nothing():
    for inputs in ({"ResourceId": "bot"}, {"ResourceId": USER, "Dryrun": "true"}):
        with pytest.raises(SystemExit):
            runbook.parameter_values(DOCUMENTS[DEACTIVATE], inputs)
