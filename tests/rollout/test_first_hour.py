"""tests/aws/first-hour on moto: what it sees, what it leaves, and what it never touches."""

import json
import os
import re
import signal
import sys
import time
from datetime import datetime

import boto3
import moto.iam.models
import pytest
from botocore.config import Config
from moto import mock_aws

import bus
import cloud_trail
import command
import common
import documents
import function
import into_secret
import organization
import pack
import reads
import records
import users
from fake_iam import MODULES
from first_hour import MANAGEMENT, ORGANIZATION, REGION, TOKEN, Fakes, everything, run_of, session_of
from pages import MANUAL, ROOT
from questions import AS_SAID, DIFFERS, NOT_ASKED, SKIPPED
from report import as_json, as_markdown, cleaner, report
from versions import make_new_versions

OWN, MEMBER, RUN = "123456789012", "210987654321", "0a1b2c3d4e"
QUESTIONS = [question for step in command.STEPS for question in step.questions]
# Steps that need each other.
GROUPS = {
    "reads": (reads.STEP,),
    "users": (users.STEP, cloud_trail.STEP),
    "documents": (documents.STEP,),
    "secret": (into_secret.STEP,),
    "function": (function.STEP,),
    "pack": (function.STEP, pack.STEP),
    "bus": (bus.STEP,),
    "organization": (organization.STEP,),
}
READS = ("Get", "List", "Describe", "Lookup", "Filter", "Generate", "AssumeRole")


@pytest.fixture
def fakes(monkeypatch):
    make_new_versions(monkeypatch)
    for name, value in dict(AWS_DEFAULT_REGION=REGION, AWS_ACCESS_KEY_ID="x", AWS_SECRET_ACCESS_KEY="x").items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    # Tests of the runbooks leave stand-ins in their modules.
    for module in MODULES:
        for name, real in dict(boto3=boto3, time=time, datetime=datetime, Config=Config).items():
            if hasattr(module, name):
                monkeypatch.setattr(module, name, real)
    # The runbook's pauses are for AWS.
    monkeypatch.setattr(common, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(records, "WRITE_SECONDS", 0)
    with mock_aws():
        made = Fakes(OWN, MEMBER, monkeypatch)
        for account, number in (("own", OWN), ("member", MEMBER)):
            made.attach(account, session_of(number))
        yield made


def go(fakes, steps=command.STEPS, agree=lambda question: True, run=None, say=lambda text: None):
    """What was seen, what is left, and whether somebody ended it."""
    return command.go(run or run_of(RUN, fakes), steps, agree, say)


def verdicts(seen):
    return {name: found.verdict for name, found in seen.items()}


def is_write(operation):
    return not operation.startswith(READS)


# What it sees.


def test_everything_is_asked_and_nothing_is_left(fakes):
    before = everything(fakes)
    seen, left, ended = go(fakes)
    assert [(name, found) for name, found in seen.items() if found.verdict != AS_SAID] == []
    assert (left, ended) == ([], False)
    assert everything(fakes) == before


@pytest.mark.parametrize(
    "group, name, attributes, words",
    [
        ("reads", "credentials-of-all-services", {"lists_together": False}, "0 credentials at once, 1 service by"),
        ("reads", "credentials-of-all-services", {"denied_without_service": True}, "ServiceName is required"),
        ("users", "date-of-activation", {"moves_date": False}, "when it was created"),
        ("users", "tags-of-resource", {"enforces": False}, "allowed for the user without the tag too"),
        ("users", "events-by-resource-name", {"finds_names": True}, "CreateAccessKey"),
        ("documents", "default-version", {"keeps_default": True}, "version 2 is the latest, 1 the default"),
        ("documents", "old-content", {"refuses_old": False}, "takes it, as a new version"),
        ("function", "resource-policy", {"takes_policy": False}, "InvalidParameterValueException"),
        ("function", "put-evaluations", {"fails_evaluations": True}, "[{"),
        ("function", "annotation", {"cuts_at": 255}, "recorded 'probe-1"),
        ("function", "equal-times", {"keeps": "first"}, "holds the first result"),
        ("function", "older-times", {"keeps": "last"}, "holds the older result"),
        ("function", "manual-remediation", {"remediation": "FAILED"}, "FAILED"),
        ("function", "script-log", {"script_status": "Success"}, "Success"),
        ("function", "source-organization", {"sends_organization": True}, "AWS Config sends aws:SourceOrgID"),
        ("function", "source-account", {"sends_account": False}, "InsufficientPermissionsException"),
        ("pack", "status-of-pack-rule", {"has_status": False}, "no status"),
        ("pack", "security-hub", {"has_findings": True}, "has findings of the pack's rule"),
        ("bus", "delivery-to-bus", {"sender": ""}, "no event arrived"),
        ("bus", "delivery-to-bus", {"sender": OWN}, f"Its account is {OWN}"),
        ("organization", "account-of-role", {"replaces_id": False}, f"iam::{MANAGEMENT}:role"),
    ],
)
def test_an_answer_that_the_manual_does_not_expect_differs(group, name, attributes, words, fakes):
    for attribute, value in attributes.items():
        assert hasattr(fakes, attribute)
        setattr(fakes, attribute, value)
    seen, left, _ = go(fakes, GROUPS[group])
    assert seen[name].verdict == DIFFERS and words in seen[name].words
    assert left == []


@pytest.mark.parametrize(
    "group, name, attributes, words",
    [
        # The account has nothing to look at.
        ("reads", "credentials-of-all-services", {"credentials": []}, "has no such credential"),
        ("users", "date-of-activation", {"reports_user": False}, "before the user"),
        ("function", "source-account", {"is_silent": True}, "did not invoke the function within 20 minutes"),
        ("pack", "security-hub", {"sends_findings": False}, "no finding of any rule"),
        ("organization", "account-of-role", {"accounts": [OWN, MANAGEMENT]}, "does not list both accounts"),
    ],
)
def test_what_nobody_could_see_is_no_answer(group, name, attributes, words, fakes):
    for attribute, value in attributes.items():
        assert hasattr(fakes, attribute)
        setattr(fakes, attribute, value)
    seen, left, _ = go(fakes, GROUPS[group])
    assert seen[name].verdict == NOT_ASKED and words in seen[name].words
    assert left == []


def test_a_policy_that_takes_effect_later_is_no_refusal(fakes):
    fakes.refusals = 3
    seen, _, _ = go(fakes, GROUPS["function"])
    assert seen["source-account"].verdict == AS_SAID


@pytest.mark.parametrize("group", [group for group in GROUPS if group != "function"])
def test_a_call_that_is_denied_gives_no_answer_and_leaves_nothing(group, fakes):
    """One operation is denied until the clean-up begins."""
    before, operations = everything(fakes), []
    fakes.before = lambda operation, params: operations.append(operation)
    expected = verdicts(go(fakes, GROUPS[group])[0])
    # The question is who may make keys.
    for denied in sorted(set(operations) - {"CreateAccessKey"}):
        fakes.forget()
        fakes.denied = denied
        seen, left, _ = go(fakes, GROUPS[group], run=clean_without_denial(fakes))
        fakes.denied = None
        for name, verdict in verdicts(seen).items():
            assert verdict in (expected[name], NOT_ASKED, SKIPPED), f"{denied}: {name}: {seen[name]}"
        assert left == [], denied
    assert everything(fakes) == before


def clean_without_denial(fakes):
    run = run_of(RUN, fakes, minutes=1)
    clean = run.made.clean

    def clean_later():
        fakes.denied = None
        return clean()

    run.made.clean = clean_later
    return run


# What it makes and leaves.


def test_only_the_member_gets_the_organizations_pack(fakes):
    fakes.accounts = [*fakes.accounts, "333333333333"]
    go(fakes, GROUPS["organization"])
    assert fakes.excluded == sorted([OWN, MANAGEMENT, "333333333333"])


def test_without_an_agreement_it_only_reads(fakes):
    operations, asked = [], []
    fakes.before = lambda operation, params: operations.append(operation)
    seen, left, _ = go(fakes, agree=lambda question: asked.append(question))
    assert operations and [operation for operation in operations if is_write(operation)] == []
    makers = [step for step in command.STEPS if step.makes]
    # A step that needs what another makes is not asked about.
    assert len(asked) == len(makers) - 1
    skipped = {question.name for step in makers for question in step.questions}
    assert {name for name, verdict in verdicts(seen).items() if verdict == SKIPPED} == skipped
    assert "an IAM user without permissions" in asked[0]


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in ("reads", "function")])
def test_an_interruption_after_any_write_leaves_nothing(group, fakes):
    """Ctrl-C arrives with the answer, which is lost; and once more after the first deletion."""
    before, writes, handler = everything(fakes), [], signal.getsignal(signal.SIGINT)
    run = run_of(RUN, fakes)
    clean = run.made.clean
    run.made.clean = lambda: [writes.append(None), clean()][1]
    fakes.after = lambda operation: is_write(operation) and writes.append(operation)
    go(fakes, GROUPS[group], run=run)
    total = writes.index(None)
    assert total > 0
    for number in range(total):
        fakes.forget()
        count, deletions = [], []

        def interrupt(operation):
            if not is_write(operation):
                return
            count.append(operation)  # noqa: B023
            is_deletion = operation.startswith("Delete")
            if len(count) == number + 1 or (is_deletion and not deletions):  # noqa: B023
                deletions.extend([operation] * is_deletion)  # noqa: B023
                os.kill(os.getpid(), signal.SIGINT)

        fakes.after = interrupt
        seen, left, ended = go(fakes, GROUPS[group])
        fakes.after = lambda operation: None
        assert ended and left == [], (number, count, left)
        assert everything(fakes) == before, (number, count)
    assert signal.getsignal(signal.SIGINT) is handler


def test_every_write_is_of_something_that_the_run_made(fakes):
    """Each names a thing with the run's id, or an id that AWS gave to such a thing."""
    writes, ids = [], set()

    def before(operation, params):
        if is_write(operation):
            writes.append((operation, json.dumps(params, default=str)))
        if operation == "DeleteParameter":
            held = moto.iam.models.iam_backends[OWN]["aws"].users.values()
            ids.update(user.id for user in held if RUN in user.name)
            ids.update(key.access_key_id for user in held if RUN in user.name for key in user.access_keys)

    fakes.before = before
    go(fakes)
    # AWS Config's own results token stands for the rule.
    exempt = ("PutEvaluations",)
    others = [write for write in writes if RUN not in write[1] and write[0] not in exempt]
    assert len(writes) > 50 and ids
    assert [write for write in others if not any(name in write[1] for name in ids)] == []


def test_what_was_there_before_is_not_touched(fakes):
    """Things of other runs; and things that have the names of this run's, but not its tag."""
    other = run_of("ffffffffff", fakes)
    for step in (users.STEP, into_secret.STEP, function.STEP, bus.STEP, documents.STEP):
        step.begin(other)
    for step in (users.STEP, into_secret.STEP, function.STEP, bus.STEP, documents.STEP):
        namesake = run_of(RUN, fakes)
        namesake.id = "1111111111"
        namesake.made.run_id = "1111111111"
        namesake.made.name = lambda suffix: f"first-hour-{RUN}-{suffix}"
        step.begin(namesake)
    before = everything(fakes)
    assert str(before).count(RUN) > 15
    seen, left, _ = go(fakes)
    assert left == [] and everything(fakes) == before
    refused = [name for name, found in seen.items() if "did not make it" in found.words]
    assert len(refused) > 10 and all(seen[name].verdict == NOT_ASKED for name in refused)
    # Nor if somebody asks to clean up after a run of this id.
    run = run_of(RUN, fakes)
    run.made.things = [thing for step in command.STEPS for thing in step.makes]
    assert run.made.clean() == [] and everything(fakes) == before


def test_what_cannot_be_deleted_is_named_and_deleted_later(fakes):
    before = everything(fakes)
    fakes.denied = "DeleteSecret"
    seen, left, _ = go(fakes, GROUPS["secret"])
    [(thing, why)] = left
    assert thing == f"secret first-hour-{RUN}-rotation in the own account" and "AccessDenied" in why
    assert everything(fakes) != before
    fakes.denied = None
    run = run_of(RUN, fakes)
    run.made.things = list(into_secret.STEP.makes)
    assert run.made.clean() == [] and everything(fakes) == before


# The report.


def found_report(fakes, redact, seen, left=()):
    run = run_of(RUN, fakes)
    fakes.secrets |= run.secrets
    return report({"account": OWN}, command.STEPS, seen, list(left), cleaner(fakes.secrets, redact))


def test_no_secret_and_no_token_is_in_the_report(fakes):
    """Also if AWS's words have one."""
    held, texts = moto.iam.models.iam_backends[OWN]["aws"].access_keys, []
    made = {}

    def after(operation):
        made.update({key.access_key_id: key.secret_access_key for key in held.values()})
        # The next errors quote a secret.
        fakes.said = " ".join(made.values())

    fakes.after, fakes.script_status, fakes.takes_policy = after, "Failed", False
    run = run_of(RUN, fakes)
    seen, left, _ = go(fakes, run=run, say=texts.append)
    found = report({}, command.STEPS, seen, [("a thing", fakes.said)], cleaner(run.secrets, False))
    written = as_markdown(found) + as_json(found)
    assert len(made) > 3 and any(secret in str(seen) for secret in made.values())
    session_tokens = [session.get_credentials().token for session in fakes.sessions.values()]
    for secret in [*made.values(), *session_tokens, TOKEN]:
        assert secret not in written
    assert "(secret)" in written


def test_a_redacted_report_has_no_id_of_an_account_or_a_key(fakes):
    fakes.sender, fakes.replaces_id = OWN, False
    fakes.said = f"arn:aws:iam::{MEMBER}:user/x in {ORGANIZATION}"
    seen, _, _ = go(fakes)
    whole, redacted = (
        as_markdown(found) + as_json(found)
        for found in (
            report({"account": OWN}, command.STEPS, seen, [], cleaner((), redact)) for redact in (False, True)
        )
    )
    ids = r"\d{12}|AKIA[A-Z0-9]{16}|AIDA[A-Z0-9]+|o-[a-z0-9]{10,}"
    assert len(set(re.findall(ids, whole))) > 4
    assert re.findall(ids, redacted) == []


def test_what_somebody_else_wrote_is_no_markup(fakes):
    said = "a|b `c` <img src=x> @everyone [d](https://x)\n# e\x1b[2J\u202e\u200b\x07"
    fakes.said, fakes.takes_policy = said, False
    seen, _, _ = go(fakes, GROUPS["function"])
    found = report({}, GROUPS["function"], seen, [], cleaner((), False))
    [line] = [line for line in as_markdown(found).splitlines() if "resource policy?" in line]
    shown = "a\\|b 'c' <img src=x> @everyone [d](https://x) # e\ufffd[2J\ufffd\ufffd\ufffd"
    assert f"| `PutResourcePolicy: InvalidParameterValueException: {shown}` |" in line
    assert "\x1b" not in as_json(found) and "\\u001b" not in as_json(found)


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_the_sentence_that_an_answer_would_change_is_in_the_manual(question):
    assert " ".join(question.sentence.split()) in " ".join(MANUAL[question.page].split())


def test_questions_have_names_of_their_own_and_a_place_in_the_page():
    names = [question.name for question in QUESTIONS]
    assert len(set(names)) == len(names)
    page = (ROOT / "tests/aws/README.md").read_text()
    for step in command.STEPS:
        assert f"**{step.title}.**" in page


# The command.


def main(fakes, monkeypatch, tmp_path, *given, sessions=None):
    sessions = sessions or fakes.sessions
    given_sessions = iter([sessions["own"], sessions["member"]])
    monkeypatch.setattr(boto3, "Session", lambda **profile: next(given_sessions))
    return command.main([*given, "--output", str(tmp_path / "found")], fakes.sleep, lambda: fakes.now)


def test_it_writes_the_report(fakes, monkeypatch, tmp_path, capsys):
    both = ("--account", OWN, "--member-account", MEMBER, "--member-profile", "m")
    assert main(fakes, monkeypatch, tmp_path, *both, "--yes", "--redact") == 0
    markdown, found = (tmp_path / "found.md").read_text(), json.loads((tmp_path / "found.json").read_text())
    assert "23 as the manual says" in capsys.readouterr().err
    assert {row["verdict"] for row in found["questions"]} == {AS_SAID, SKIPPED}
    assert found["account"] == "(account)" and OWN not in markdown
    assert markdown.count("| as the manual says |") == 23


@pytest.mark.parametrize(
    "given",
    [
        ["--account", MEMBER],
        ["--account", OWN, "--member-account", "333333333333", "--member-profile", "m"],
    ],
)
def test_an_account_that_aws_does_not_confirm_is_refused(given, fakes, monkeypatch, tmp_path, capsys):
    operations = []
    fakes.before = lambda operation, params: operations.append(operation)
    assert main(fakes, monkeypatch, tmp_path, *given, "--yes") == 2
    assert "of another account" in capsys.readouterr().err
    assert set(operations) == {"GetCallerIdentity"} and list(tmp_path.iterdir()) == []


def test_credentials_that_nobody_confirms_are_refused(fakes, monkeypatch, tmp_path, capsys):
    fakes.denied = "GetCallerIdentity"
    assert main(fakes, monkeypatch, tmp_path, "--account", OWN, "--yes") == 2
    assert "AWS does not confirm the own account" in capsys.readouterr().err


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["--account", "12345678901"],
        ["--account", OWN, "--member-account", MEMBER],
        ["--account", OWN, "--member-account", OWN, "--member-profile", "m"],
        ["--account", OWN, "--organization"],
        ["--account", OWN, "--clean-up", "../x"],
        ["--account", OWN, "--minutes", "0"],
    ],
)
def test_wrong_usage(given, capsys):
    with pytest.raises(SystemExit) as end:
        command.main(given)
    assert end.value.code == 2 and "usage: first-hour" in capsys.readouterr().err


def test_without_a_terminal_nobody_agrees(fakes, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(sys, "stdin", open(os.devnull))
    operations = []
    fakes.before = lambda operation, params: operations.append(operation)
    assert main(fakes, monkeypatch, tmp_path, "--account", OWN) == 0
    assert [operation for operation in operations if is_write(operation)] == []


def test_a_run_that_was_killed_is_cleaned_up_by_its_id(fakes, monkeypatch, tmp_path, capsys):
    before = everything(fakes)
    both = ("--account", OWN, "--member-account", MEMBER, "--member-profile", "m")
    with monkeypatch.context() as killed:
        killed.setattr(command.Made, "clean", lambda made: [])
        main(fakes, monkeypatch, tmp_path, *both, "--yes")
    assert str(everything(fakes)).count("first-hour-") > 20
    [run_id] = re.findall(r"--clean-up ([0-9a-f]{10})", capsys.readouterr().err)
    assert main(fakes, monkeypatch, tmp_path, *both, "--clean-up", run_id) == 0
    assert everything(fakes) == before
