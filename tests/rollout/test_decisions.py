"""The runbooks decide the cases in tests/decisions.json, which the rule decides too
(rule/policy/src/decision/tests.rs)."""

import json
import pathlib
from datetime import datetime

import pytest

from deactivate import decide_deactivation, stale
from delete import decide_deletion
from reactivate import decide_reactivation
from records import parse_record

ROOT = pathlib.Path(__file__).parents[2]
SHARED = json.loads((ROOT / "tests/decisions.json").read_text())


def cases(name):
    return [pytest.param(case, id=case["name"]) for case in SHARED[name]]


def state(case):
    """Keys and last uses as boto3 gives them, tags, records, the time, and the parameters of the runbooks."""
    now = datetime.fromisoformat(SHARED["now"])
    keys = [
        {"AccessKeyId": key_id, "Status": status, "CreateDate": datetime.fromisoformat(created)}
        for key_id, status, created in case["keys"]
    ]
    used = {key["AccessKeyId"]: None for key in keys}
    used.update((key_id, datetime.fromisoformat(time)) for key_id, time in case.get("lastUsed", {}).items())
    parameters = {**SHARED["parameters"], **case.get("parameters", {})}
    options = {name[0].upper() + name[1:]: value for name, value in parameters.items()}
    return keys, used, case.get("tags", {}), records(case), now, options


def records(case):
    """A record is its state and time, or any text."""
    texts = case.get("records", {}).items()
    whole = {"execution": None, "userId": "AIDAAAAAAAAAAAAAAAAA1"}
    return {
        key_id: parse_record(record if isinstance(record, str) else json.dumps(record | whole))
        for key_id, record in texts
    }


@pytest.mark.parametrize("case", cases("verdicts"))
def test_the_rule_and_the_deactivation_agree(case):
    keys, used, tags, _, now, options = state(case)
    assert [key["AccessKeyId"] for key in stale(keys, tags, now, options)] == case["stale"]
    decisions = decide_deactivation(keys, used, tags, {}, now, options)
    assert decisions.keys() == {key["AccessKeyId"] for key in keys}
    deactivated = [key_id for key_id, (action, _) in decisions.items() if action == "deactivate"]
    assert deactivated == case.get("deactivate", case["stale"])
    assert {action for action, _ in decisions.values()} <= {"deactivate", "keep"}


@pytest.mark.parametrize("case", cases("records"))
def test_the_deactivation_of_a_key_that_has_a_record(case):
    decisions = decide_deactivation(*state(case))
    assert decisions["AKIAAAAAAAAAAAAAAAA1"][0] == case["decision"]


@pytest.mark.parametrize("case", cases("deletions"))
def test_deletion(case):
    # Unless a case says otherwise, the credential report has nothing but the days on which the keys were made.
    dates = [datetime.fromisoformat(date) for date in case.get("dates", [created for _, _, created in case["keys"]])]
    keys, used, tags, found, now, options = state(case)
    recorded_at = {key_id: record.since for key_id, record in found.items()}
    no_trail = RuntimeError("AccessDenied")
    decisions = decide_deletion(keys, used, tags, found, recorded_at, now, options, dates, no_trail)
    assert {key_id: action for key_id, (action, _) in decisions.items()} == case["decisions"]


@pytest.mark.parametrize("case", cases("reactivations"))
def test_reactivation(case):
    keys, _, _, found, _, _ = state(case)
    if case["decision"] == "refuse":
        with pytest.raises(ValueError):
            decide_reactivation(keys, found, "AKIAAAAAAAAAAAAAAAA1")
    else:
        assert decide_reactivation(keys, found, "AKIAAAAAAAAAAAAAAAA1")[0] == case["decision"]
