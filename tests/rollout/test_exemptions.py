"""The file of exemptions: its schema, and the workflow to copy."""

import json
import pathlib
import re

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "templates/exemptions"
SCHEMA = json.loads((FOLDER / "exemptions.schema.json").read_text())
CASES = json.loads((ROOT / "tests/fixtures/exemptions/cases.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["is"])
def test_the_schema_takes_what_the_reader_takes(case):
    """The same cases as in rule/cli/src/commands/exempt/file/tests.rs."""
    assert VALIDATOR.is_valid({"AccessKeyRotation": [case["entry"]]}) == case["accepted"]


@pytest.mark.parametrize("document", [{}, [], {"AccessKeyRotation": None}, {"AccessKeyRotation": [], "Other": []}])
def test_the_schema_takes_no_other_file(document):
    assert not VALIDATOR.is_valid(document)


def test_the_schema_takes_the_files_of_guard():
    for path in (ROOT / "tests/fixtures/guard").glob("*exceptions*.yaml"):
        loaded = yaml.load(path.read_text(), yaml.BaseLoader)
        assert VALIDATOR.is_valid(loaded) == ("malformed" not in path.name), path


def test_the_workflow_pins_its_actions_and_has_no_permission_but_those_of_its_jobs():
    text = (FOLDER / "workflow.yml").read_text()
    used = re.findall(r"uses: (\S+)(.*)", text)
    assert used
    for action, comment in used:
        assert re.fullmatch(r"[\w/.-]+@[0-9a-f]{40}", action) and re.fullmatch(r" # v[\d.]+", comment), action
    workflow = yaml.load(text, yaml.BaseLoader)
    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"] == {"contents": "read", "id-token": "write"}


def test_the_schema_takes_the_manuals_file():
    page = (ROOT / "rule/cli/EXEMPTIONS.md").read_text()
    [text] = re.findall("^```yaml\n(AccessKeyRotation:.*?)```$", page, re.DOTALL | re.MULTILINE)
    assert VALIDATOR.is_valid(yaml.load(text, yaml.BaseLoader))
