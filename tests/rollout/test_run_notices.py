"""What runs of the runbooks tell: each change to a key, and each key that is kept because it is in use. And that
nothing else depends on it. See test_histories.py too."""

import json
import pathlib
import re
from datetime import timedelta

import pytest

from fake_iam import EXECUTION, ClientError, Iam, Key, at
from notices import delivered, faults

START = at("2026-03-01T12:00:00Z")
TEXTS = json.loads((pathlib.Path(__file__).parents[1] / "decisions.json").read_text())["texts"]
ACCOUNT = "111122223333"
RUNBOOK = "AccessKeyRotation-DeactivateStaleKeys"


def key_id(number):
    return f"AKIA{number:016}"


def due(users):
    """An account of users with a key that was deactivated a month ago."""
    iam = Iam(START)
    for number in range(users):
        key = Key(START - timedelta(days=400), "Inactive")
        iam.add(f"user-{number:04}", (key_id(number), key))
        iam.record(key_id(number), since=START - timedelta(days=31))
    return iam


def bot(*used, age=400):
    """A user with a stale key for each number of days since the last use; None: it was never used."""
    iam = Iam(START)
    user = iam.add("bot", *((key_id(number), Key(START - timedelta(days=age))) for number in range(len(used))))
    for key, days in zip(user.keys.values(), used):
        key.last_used = None if days is None else START - timedelta(days=days)
    return iam, user


def told(iam, handler, user_id, **parameters):
    """The details of the notices of a run."""
    iam.run(handler, user_id, OwnerTag="team", **parameters)
    events = [delivered(entry, ACCOUNT) for entry in iam.events.taken]
    iam.events.taken = []
    for event in events:
        assert faults(event) == []
        assert event["account"] == event["detail"]["account"] and event["resources"] == [
            "arn:aws:iam::111122223333:user/bot"
        ]
    return [event["detail"] | {"kind": event["detail-type"]} for event in events]


def test_each_outcome_is_told_with_what_the_run_knows():
    iam, user = bot(50, 1)
    user.keys[key_id(2)] = Key(START - timedelta(days=10))
    user.tags |= {"team": "payments", key_id(0): "CI of the web shop"}
    deactivated, kept = sorted(told(iam, "deactivate", user.id), key=lambda detail: detail["kind"])
    common = {"account": ACCOUNT, "userName": "bot", "userId": user.id, "owner": "payments", "executionId": EXECUTION}
    assert deactivated == common | {
        "kind": "Access Key Deactivated",
        "id": f"{ACCOUNT}/{key_id(0)}/deactivated/2026-03-01",
        "accessKeyId": key_id(0),
        "description": "CI of the web shop",
        "created": "2025-01-25T12:00:00Z",
        "due": "2025-04-25",
        "lastUsed": {"date": "2026-01-10T12:00:00Z", "service": "s3", "region": "eu-central-1"},
        "runbook": RUNBOOK,
        "message": f"Access key {key_id(0)} of user bot in account {ACCOUNT}: {RUNBOOK} deactivated the key.",
    }
    assert (kept["owner"], kept["description"]) == ("payments", None)
    assert (kept["kind"], kept["id"]) == ("Access Key Kept", f"{ACCOUNT}/{key_id(1)}/kept/2026-03-01")
    assert kept["message"].endswith(
        f"{RUNBOOK} left the key active. It is 400 days old, but used on 2026-02-28, within 45 days: rotate it."
    )

    [reactivated] = told(iam, "reactivate", user.id, AccessKeyId=key_id(0))
    assert (reactivated["kind"], reactivated["runbook"]) == (
        "Access Key Reactivated",
        "AccessKeyRotation-ReactivateKey",
    )
    assert (reactivated["owner"], reactivated["description"]) == ("payments", "CI of the web shop")
    assert "lastUsed" not in reactivated and "due" not in reactivated, "this runbook does not read them"

    iam, user = bot(None)
    [deactivated] = told(iam, "deactivate", user.id)
    iam.pass_time(days=31)
    user.tags["team"] = "billing"
    [deleted] = told(iam, "delete", user.id)
    assert (deactivated["owner"], deleted["owner"]) == (None, "billing"), "as the tags are"
    assert deactivated["lastUsed"] == {"date": None}
    assert (deleted["kind"], deleted["runbook"]) == ("Access Key Deleted", "AccessKeyRotation-DeleteDeactivatedKeys")
    assert deleted["lastUsed"] == {"date": None}


@pytest.mark.parametrize("case", TEXTS, ids=[case["name"] for case in TEXTS])
def test_the_texts_of_tags_are_told_as_the_function_tells_them(case):
    iam, user = bot(None)
    user.tags = {key_id(0) if name == "KEY" else name: value for name, value in case["tags"].items()}
    [deactivated] = told(iam, "deactivate", user.id)
    assert (deactivated["owner"], deactivated["description"]) == (case["owner"], case["description"])


def test_a_key_that_somebody_switched_on_again_is_kept_and_told():
    iam, user = bot(None)
    iam.record(key_id(0), since=START - timedelta(days=10))
    [kept] = told(iam, "deactivate", user.id)
    assert kept["kind"] == "Access Key Kept" and user.keys[key_id(0)].status == "Active"
    assert "left the key active. It is 400 days old, but somebody switched it on again" in kept["message"]


def test_neither_an_exempt_key_nor_one_that_is_left_alone_is_told():
    iam, user = bot(1, None)
    user.tags.update({"access-key-rotation:exempt-until": "2026-06-01", "access-key-rotation:exempt-owner": "payments"})
    assert told(iam, "deactivate", user.id) == []
    iam, user = bot(1, None, age=10)
    assert told(iam, "deactivate", user.id) == [] and "PutEvents" not in iam.calls


@pytest.mark.parametrize("parameters", [{"OwnerTag": "team", "DryRun": "true"}, {}], ids=["dry run", "no notices"])
def test_a_dry_run_tells_nothing_and_no_run_does_without_a_bus(parameters):
    iam, user = bot(1, 50)
    iam.run("deactivate", user.id, **parameters)
    assert "PutEvents" not in iam.calls
    iam = due(3)
    iam.run("delete", "ALL", **parameters)
    assert "PutEvents" not in iam.calls


@pytest.mark.parametrize(
    "action", ["UpdateAccessKey", "DeleteAccessKey", "ListAccessKeys", "TagUser", "PutParameter", "DeleteParameter"]
)
def test_what_a_run_did_before_it_failed_is_told(action):
    """Whatever call fails, and whenever."""
    for handler in ("deactivate", "delete"):
        for nth in range(1, 20):
            iam = due(3)
            user = iam.add("bot", *((key_id(90 + number), Key(START - timedelta(days=400))) for number in range(3)))
            calls = 0

            def before(called, parameters):
                nonlocal calls
                calls += called == action
                if called == action and calls >= nth:
                    raise ClientError(action)

            iam.before = before
            try:
                iam.run(handler, "ALL" if handler == "delete" else user.id, OwnerTag="team")
            except RuntimeError:
                pass
            assert iam.events.told() == iam.changes, (handler, nth)


def test_a_key_that_somebody_else_deletes_is_not_told():
    iam = due(2)

    def before(action, parameters):
        if action == "DeleteAccessKey" and parameters["UserName"] == "user-0000":
            iam.users["user-0000"].keys.clear()

    iam.before = before
    iam.run("delete", "ALL", OwnerTag="team")
    assert iam.events.told() == [(key_id(1), "deleted")]


def test_notices_come_last_and_in_batches():
    iam = due(25)
    iam.run("delete", "ALL", OwnerTag="team")
    assert iam.calls[-3:] == ["PutEvents"] * 3 and iam.calls.count("PutEvents") == 3
    assert iam.events.told() == [(key_id(number), "deleted") for number in range(25)]
    assert not any("EventBusName" in entry for entry in iam.events.taken), "the account's own bus"


def test_only_what_failed_is_put_again():
    iam, refused = due(25), []

    def refuse(entry):
        number = int(re.search("AKIA(\\d+)", entry["Detail"])[1])
        if number % 3 == 0 and refused.count(number) < 2:
            refused.append(number)
            return "ThrottlingException"

    iam.events.refuse = refuse
    assert iam.run("delete", "ALL", OwnerTag="team")["Summary"] == "Access keys: 25 changed, 0 left as they are."
    assert sorted(iam.events.told()) == [(key_id(number), "deleted") for number in range(25)], "each once"
    assert iam.calls.count("PutEvents") == 9


def failing(action, parameters):
    if action == "PutEvents":
        raise ClientError("AccessDenied when calling PutEvents " + "e" * 5000)


@pytest.mark.parametrize("failure, taken", [("call", 0), ("entries", 9), ("some entries", 9)])
def test_notices_that_fail_change_nothing_about_keys_and_are_counted(failure, taken):
    quiet, iam = due(25), due(25)
    expected = quiet.run("delete", "ALL")
    if failure == "call":
        iam.before = failing
    else:
        iam.events.refuse = lambda entry: (
            "InternalFailure" if failure == "entries" or "4 of user" in entry["Detail"] else None
        )
    output = iam.run("delete", "ALL", OwnerTag="team")
    lost = {"call": 25, "entries": 25, "some entries": 3}[failure]
    error = "AccessDenied when calling PutEvents e" if failure == "call" else "InternalFailure."
    summary = output.pop("Summary")
    assert (
        summary.startswith(f"{expected.pop('Summary')} {lost} of 25 notices were not put: {error}")
        and len(summary) <= 512
    )
    assert output == expected and len(iam.events.taken) == 25 - lost
    assert {name: user.keys for name, user in iam.users.items()} == {
        name: user.keys for name, user in quiet.users.items()
    }
    assert [call for call in iam.calls if call != "PutEvents"] == quiet.calls
    assert iam.calls.count("PutEvents") == taken, "three times at most, and not again after a call that fails"


def test_a_notice_that_cannot_be_made_fails_no_run(monkeypatch):
    iam = due(1)
    get_user = iam.get_user

    def without_arn(UserName):
        answer = get_user(UserName)
        del answer["User"]["Arn"]
        return answer

    iam.get_user = without_arn
    assert iam.run("delete", "ALL", OwnerTag="team")["Summary"].endswith("1 of 1 notices were not put: 'Arn'.")


def test_a_run_that_fails_says_so_of_its_notices_too():
    iam = due(3)

    def before(action, parameters):
        failing(action, parameters)
        if action == "DeleteAccessKey" and parameters["UserName"] == "user-0001":
            raise ClientError("AccessDenied when calling DeleteAccessKey")

    iam.before = before
    with pytest.raises(
        RuntimeError,
        match=r"^Failed: .*In all: 2 changed, 0 left as they are\. 2 of 2 notices were not put: AccessDenied",
    ):
        iam.run("delete", "ALL", OwnerTag="team")


@pytest.mark.parametrize("latency", [3, 20])
def test_the_time_is_enough_for_the_notices_and_has_a_bound(latency):
    """A call that is lost costs some 16 seconds: two attempts. Systems Manager stops the script after 600."""
    iam = due(200)
    iam.latency = 1

    def before(action, parameters):
        if action == "PutEvents":
            iam.seconds += latency
            if latency == 20:
                raise ClientError("Read timeout")

    iam.before = before
    with pytest.raises(RuntimeError) as error:
        iam.run("delete", "ALL", OwnerTag="team")
    text = str(error.value)
    assert text.startswith("The time was up: ") and iam.seconds < 600
    for name in ("ExecutionId", EXECUTION, "OwnerTag"):
        assert name not in text, "it is no parameter of the document"
    assert ("notices were not put: Read timeout." in text) == (latency == 20)
    assert len(iam.events.taken) == (len(iam.changes) if latency == 3 else 0)


def test_notices_that_take_too_long_are_given_up():
    iam = due(100)
    iam.before = lambda action, parameters: setattr(iam, "seconds", iam.seconds + 99 * (action == "PutEvents"))
    summary = iam.run("delete", "ALL", OwnerTag="team")["Summary"]
    assert summary.endswith(" 40 of 100 notices were not put: the time was up.") and iam.seconds <= 600
