"""The rules for CloudFormation Guard: what they refuse and say, and what they do not."""

import datetime
import itertools
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).parents[2]
TEMPLATES = ROOT / "templates"
GUARD = ROOT / "target/tools/bin/cfn-guard"
FIXTURES = ROOT / "tests/fixtures/guard"
CREDENTIALS = "terraform-service-specific-credentials"


def guard(*arguments):
    return subprocess.run([GUARD, *arguments], cwd=FIXTURES, capture_output=True, text=True)


@pytest.mark.parametrize("name", ["access-keys", "terraform-access-keys", CREDENTIALS])
def test_unit_tests_of_the_guard_rules(name):
    cases = TEMPLATES / f"guard/{name}_tests.yaml"
    run = guard("test", "--rules-file", TEMPLATES / f"guard/{name}.guard", "--test-data", cases)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("PASS Rules:") == cases.read_text().count("- name: ")


def test_both_guard_rules_take_every_day_that_there_is_and_no_other():
    sources = [(TEMPLATES / f"guard/{name}.guard").read_text() for name in ("access-keys", "terraform-access-keys")]
    [pattern] = {re.search("^let date = /(.*)/$", source, re.MULTILINE)[1] for source in sources}
    for year, month, day in itertools.product(range(2001, 2100), range(14), range(33)):
        text = f"{year}-{month:02}-{day:02}"
        try:
            datetime.date(year, month, day)
        except ValueError:
            assert not re.search(pattern, text), text
        else:
            assert re.search(pattern, text), text


NO_KEYS = ["No access keys in templates", "Metadata.AccessKeyRotation says why: ExemptOwner, ExemptReason, ExemptUntil"]
NO_ENTRY = ["The file of exceptions (--input-params) needs an entry for this Address"]
NO_NEW_KEYS = ["No new access keys", "an entry for this address", "Address, ExemptOwner, ExemptReason, ExemptUntil"]
PLAN = "plan-new-access-key.json"


@pytest.mark.parametrize(
    "rule, data, exceptions, messages",
    [
        ("access-keys", "no-access-key.yaml", None, []),
        ("access-keys", "excepted-access-key.yaml", None, []),
        ("access-keys", "access-key.yaml", None, NO_KEYS),
        ("access-keys", "expired-access-key.yaml", None, ["The exception has expired"]),
        (
            "access-keys",
            "malformed-access-key.yaml",
            None,
            ["ExemptOwner must", "ExemptReason must", "ExemptUntil must"],
        ),
        ("access-keys", "access-key-of-the-file.yaml", "exceptions.yaml", []),
        ("access-keys", "access-key-of-the-file.yaml", None, NO_ENTRY),
        ("access-keys", "access-key-of-the-file.yaml", "exceptions-of-another-address.yaml", NO_ENTRY),
        (
            "access-keys",
            "access-key-of-the-file.yaml",
            "expired-exceptions-of-a-template.yaml",
            ["The exception in the file has expired"],
        ),
        ("access-keys", "access-key.yaml", "exceptions.yaml", NO_KEYS),
        ("terraform-access-keys", "plan-deleted-access-key.json", None, []),
        ("terraform-access-keys", PLAN, None, [*NO_NEW_KEYS, "gateway.aws_iam_access_key.bank"]),
        ("terraform-access-keys", PLAN, "exceptions.yaml", []),
        ("terraform-access-keys", PLAN, "exceptions-of-another-address.yaml", NO_NEW_KEYS),
        ("terraform-access-keys", PLAN, "malformed-exceptions.yaml", NO_NEW_KEYS),
        ("terraform-access-keys", PLAN, "expired-exceptions.yaml", ["The exception for this access key has expired"]),
        (CREDENTIALS, PLAN, None, []),
        (CREDENTIALS, "plan-ending-credential.json", None, []),
        (
            CREDENTIALS,
            "plan-endless-credential.json",
            None,
            ["set credential_age_days", "ai.aws_iam_service_specific_credential.bot"],
        ),
    ],
)
def test_what_guard_refuses_and_says(rule, data, exceptions, messages):
    given = ["--input-params", exceptions] if exceptions else []
    run = guard("validate", "--rules", TEMPLATES / f"guard/{rule}.guard", "--data", data, *given)
    assert run.returncode == (19 if messages else 0), f"{run.stdout}\n{run.stderr}"
    for message in messages:
        assert message in run.stdout


@pytest.mark.parametrize("form", ["single-line-summary", "json", "yaml", "junit", "sarif"])
@pytest.mark.parametrize(
    "rule, plan, message",
    [
        ("terraform-access-keys", PLAN, "No new access keys"),
        (CREDENTIALS, "plan-endless-credential.json", "without an end"),
    ],
)
def test_no_report_shows_the_rest_of_a_plan(rule, plan, message, form):
    structured = [] if form == "single-line-summary" else ["--structured", "--show-summary", "none"]
    rules = TEMPLATES / f"guard/{rule}.guard"
    run = guard("validate", "--rules", rules, "--data", plan, "--output-format", form, *structured)
    assert run.returncode == 19
    assert message in run.stdout
    assert "not-for-the-log" in (FIXTURES / plan).read_text()
    assert "not-for-the-log" not in run.stdout + run.stderr
