"""The runbooks' script decides the cases in tests/decisions.json, which the rule decides too (rule/src/policy/decision/tests.rs)."""

import json
import pathlib
from datetime import datetime

import pyflakes.api
import pytest
from cfnlint.decode.cfn_yaml import loads

ROOT = pathlib.Path(__file__).parents[2]
SHARED = json.loads((ROOT / "tests/decisions.json").read_text())
SOURCE = loads((ROOT / "templates/member.yaml").read_text())["Mappings"]["Runbooks"]["Script"]["Python"]
SCRIPT = {}
exec(SOURCE, SCRIPT)


def test_the_script_has_no_names_unused_or_unknown():
    assert pyflakes.api.check(SOURCE, "script") == 0


def cases(name):
    return [pytest.param(case, id=case["name"]) for case in SHARED[name]]


def state(case):
    """Keys and last uses as boto3 gives them, tags, the time, and the parameters of the runbooks."""
    now = datetime.fromisoformat(SHARED["now"])
    keys = [
        {"AccessKeyId": key_id, "Status": status, "CreateDate": datetime.fromisoformat(created)}
        for key_id, status, created in case["keys"]
    ]
    used = {key["AccessKeyId"]: None for key in keys}
    used.update((key_id, datetime.fromisoformat(time)) for key_id, time in case.get("lastUsed", {}).items())
    parameters = {**SHARED["parameters"], **case.get("parameters", {})}
    options = {name[0].upper() + name[1:]: value for name, value in parameters.items()}
    return keys, used, case.get("tags", {}), now, options


@pytest.mark.parametrize("case", cases("verdicts"))
def test_the_rule_and_the_deactivation_agree(case):
    keys, used, tags, now, options = state(case)
    assert [key["AccessKeyId"] for key in SCRIPT["stale"](keys, tags, now, options)] == case["stale"]
    decisions = SCRIPT["decide_deactivation"](keys, used, tags, now, options)
    assert decisions.keys() == {key["AccessKeyId"] for key in keys}
    deactivated = [key_id for key_id, (action, _) in decisions.items() if action == "deactivate"]
    assert deactivated == case.get("deactivate", case["stale"])
    assert {action for action, _ in decisions.values()} <= {"deactivate", "keep"}


def test_a_deactivation_that_did_not_finish_is_recorded():
    keys, used, _, now, options = state({"keys": [["AKIAAAAAAAAAAAAAAAA1", "Inactive", "2025-11-01T00:00:00Z"]]})
    tags = {"access-key-rotation:deactivated:AKIAAAAAAAAAAAAAAAA1": "pending"}
    decisions = SCRIPT["decide_deactivation"](keys, used, tags, now, options)
    assert decisions["AKIAAAAAAAAAAAAAAAA1"][0] == "record"


@pytest.mark.parametrize("created, decision", [("2026-02-01T00:00:00Z", "forget"), ("2025-11-01T00:00:00Z", "deactivate")])
def test_an_old_record_of_a_key_that_is_active_again_goes(created, decision):
    keys, used, _, now, options = state({"keys": [["AKIAAAAAAAAAAAAAAAA1", "Active", created]]})
    tags = {"access-key-rotation:deactivated:AKIAAAAAAAAAAAAAAAA1": "2026-01-20T12:00:00Z"}
    decisions = SCRIPT["decide_deactivation"](keys, used, tags, now, options)
    assert decisions["AKIAAAAAAAAAAAAAAAA1"][0] == decision


@pytest.mark.parametrize("case", cases("deletions"))
def test_deletion(case):
    decisions = SCRIPT["decide_deletion"](*state(case))
    assert {key_id: action for key_id, (action, _) in decisions.items()} == case["decisions"]


@pytest.mark.parametrize("case", cases("reactivations"))
def test_reactivation(case):
    keys, _, tags, _, _ = state(case)
    if case["decision"] == "refuse":
        with pytest.raises(ValueError):
            SCRIPT["decide_reactivation"](keys, tags, "AKIAAAAAAAAAAAAAAAA1")
    else:
        assert SCRIPT["decide_reactivation"](keys, tags, "AKIAAAAAAAAAAAAAAAA1")[0] == case["decision"]
