"""Runs of the runbooks over many users: who is gone or fails costs nobody else, time and outputs have bounds, no count
is lost."""

import json
import re
import shlex
from datetime import timedelta

import pytest

from deployed import template
from fake_iam import ClientError, Iam, Key, at

START = at("2026-03-01T12:00:00Z")
REMEDIATION = template("../conformance-pack/access-key-rotation.yaml")["Resources"]["Remediation"]["Properties"]


def key_id(number):
    return f"AKIA{number:016}"


def deactivated(iam, name, number, days=31):
    """A user with a key that was switched off by the runbook so many days ago."""
    since = iam.now - timedelta(days=days)
    key = Key(iam.now - timedelta(days=400), "Inactive")
    key.ours_since = since
    iam.add(name, (key_id(number), key))
    iam.record(key_id(number), since=since)


def account(users):
    iam = Iam(START)
    for number in range(users):
        deactivated(iam, f"user-{number:04}", number)
    return iam


def left(iam):
    return [name for name, user in iam.users.items() if user.keys]


@pytest.mark.parametrize("change", ["deleted", "renamed", "replaced"])
def test_a_user_who_is_gone_at_any_call_costs_no_other_and_no_failure(change):
    for call in range(2, 100):
        iam, number = account(3), 0

        def before(action, parameters):
            nonlocal number
            number += 1
            if number != call:
                return
            user = iam.users.pop("user-0001")
            if change == "renamed":
                user.name = "zoe"
                iam.users["zoe"] = user
            elif change == "replaced":
                iam.add("user-0001").id = "AIDAANOTHER"

        iam.before = before
        output = iam.run("delete", "ALL")
        assert set(left(iam)) <= {"zoe"}, call
        outcomes = {result["UserName"]: result["Outcome"] for result in output["Results"]}
        assert outcomes["user-0000"] == outcomes["user-0002"] == "deleted", call
        assert outcomes.get("user-0001", "gone meanwhile") in ("gone meanwhile", "deleted"), call
        iam.before = lambda action, parameters: None
        iam.run("delete", "ALL")
        assert left(iam) == [], "the next run has who was renamed"
        if number < call:
            break
    assert call > 20


def test_a_key_that_its_owner_deletes_meanwhile_is_no_failure():
    iam = account(2)

    def before(action, parameters):
        if action == "DeleteAccessKey":
            iam.users[parameters["UserName"]].keys.clear()

    iam.before = before
    assert iam.run("delete", "ALL")["Summary"] == "Access keys: 2 changed, 0 left as they are."
    assert not iam.parameters.held


@pytest.mark.parametrize(
    "action", ["GetUser", "ListAccessKeys", "GetAccessKeyLastUsed", "DeleteAccessKey", "DeleteParameter"]
)
def test_one_users_failure_costs_no_other_and_fails_the_run(action):
    iam = account(30)

    def before(called, parameters):
        if called == action and "0007" in str(parameters):
            raise ClientError(f"AccessDenied when calling {action}")

    iam.before = before
    with pytest.raises(RuntimeError) as failure:
        iam.run("delete", "ALL")
    assert left(iam) == ([] if action == "DeleteParameter" else ["user-0007"])
    text = str(failure.value)
    assert (
        text.startswith("Failed: ")
        and "user-0007: " in text
        and f"AccessDenied when calling {action}. 1 failed." in text
    )
    assert "; the first 5 of 29. In all: 29 changed, 0 left as they are." in text


@pytest.mark.parametrize("action", ["ListUsers", "GetParametersByPath"])
def test_what_is_read_for_all_must_be_there(action):
    iam = account(3)

    def before(called, parameters):
        if called == action:
            raise ClientError(f"AccessDenied when calling {action}")

    iam.before = before
    with pytest.raises(ClientError):
        iam.run("delete", "ALL")
    assert len(left(iam)) == 3 and not {"DeleteAccessKey", "DeleteParameter"} & set(iam.calls)


def test_a_report_that_is_old_or_never_made_or_cut_off_is_not_believed():
    iam = account(3)
    iam.cloudtrail.refuses = ClientError("AccessDenied when calling LookupEvents")
    iam.report_age = timedelta(hours=6)
    assert kept(iam, "The credential report is too old")

    def no_report():
        raise ClientError("ReportInProgress")

    iam.generate_credential_report, iam.get_credential_report = lambda: {"State": "INPROGRESS"}, no_report
    assert kept(iam, "ReportInProgress")
    assert iam.seconds >= 120, "it had its time"

    iam.generate_credential_report = lambda: {"State": "COMPLETE"}
    columns = "user,arn,access_key_1_last_rotated,access_key_2_last_rotated"
    arn = "arn:aws:iam::111122223333:user/user-0000"
    for content in (
        "",
        columns,
        f"{columns}\nuser-0000",
        f"{columns}\nuser-0000,{arn}",
        f"{columns}\nuser-0000,{arn},202",
    ):
        iam.get_credential_report = lambda: {"Content": content.encode(), "GeneratedTime": iam.now}
        assert kept(iam, "credential report")
    assert len(left(iam)) == 3


def kept(iam, why):
    """Whether a run keeps all keys, for this reason and since CloudTrail shows nothing of them."""
    results = iam.run("delete", "ALL")["Results"]
    return {result["Outcome"] for result in results} == {"left as it is"} and all(
        why in result["Reason"] and "CloudTrail's events could not be read (AccessDenied" in result["Reason"]
        for result in results
    )


def test_a_name_with_a_comma_is_not_taken_for_another_users_row():
    iam = Iam(START)
    deactivated(iam, "a", 1)
    deactivated(iam, "a,b", 2)
    iam.cloudtrail.refuses = ClientError("AccessDenied when calling LookupEvents")
    iam.users["a"].keys[key_id(1)].switched_on = START - timedelta(days=1)
    outcomes = {result["UserName"]: result["Outcome"] for result in iam.run("delete", "ALL")["Results"]}
    assert outcomes == {"a": "left for you to decide", "a,b": "left as it is"}


@pytest.mark.parametrize("dry_run", ["false", "true"])
def test_a_run_stops_in_time_and_says_how_to_go_on(dry_run):
    iam = account(99)
    deactivated(iam, "user-0050=c@d+e.f-g", 99)
    iam.latency = 3
    looked_at, parameters = [], {"DryRun": dry_run}
    for _ in range(20):
        began, before = iam.seconds, len(left(iam))
        try:
            output = iam.run("delete", "ALL", **parameters)
            looked_at += [before - len(left(iam)) if dry_run == "false" else len(output["Results"])]
            break
        except RuntimeError as error:
            text = str(error)
        assert 480 <= iam.seconds - began < 560
        remain, total, command = re.match(
            r"The time was up: (\d+) of (\d+) users remain\. Go on with: (aws ssm .*?\}') Done: ", text
        ).groups()
        *words, given = shlex.split(command)
        assert " ".join(words[:3]) == "aws ssm start-automation-execution"
        parameters = {name: value for name, [value] in json.loads(given).items()}
        assert parameters.pop("ResourceId") == "ALL"
        assert parameters["DryRun"] == dry_run and parameters["GraceDays"] == "30"
        changed = int(re.search(r"In all: (\d+) ", text)[1])
        assert changed == int(total) - int(remain)
        looked_at.append(changed)
    assert sum(looked_at) == 100 and len(looked_at) >= 3, looked_at
    assert len(left(iam)) == (100 if dry_run == "true" else 0)


def test_the_go_on_command_keeps_to_the_documents_parameters():
    documents = template("member.yaml")["Resources"]
    declared = documents["DeleteDeactivatedKeys"]["Properties"]["Content"]["parameters"]
    iam = account(1)
    iam.latency = 500
    with pytest.raises(RuntimeError) as error:
        iam.run("delete", "ALL", GraceDays="45")
    given = json.loads(re.search(r"--parameters '(.*)'", str(error.value))[1])
    assert given == {"ResourceId": ["ALL"], "GraceDays": ["45"], "DryRun": ["false"], "StartAfter": [""]}
    for name, [value] in given.items():
        assert re.search(declared[name]["allowedPattern"], value)


def test_outputs_are_within_the_limits_and_counts_are_whole():
    iam = Iam(START)
    for number in range(120):
        # The longest name; two for whom somebody must decide, whose record is as long as can be.
        deactivated(iam, f"{number:03}" + "x" * 61, number, days=31 if number % 2 else 10)
    for number in (40, 80):
        iam.parameters.write(key_id(number), '"' * 256, START)
    iam.add("nobody")
    output = iam.run("delete", "ALL")
    assert output["Summary"] == (
        "Access keys: 60 changed, 2 left for you to decide, 58 left as they are. Results are the first 50 of 120."
    )
    assert len(output["Results"]) == 50 and {result["Outcome"] for result in output["Results"]} == {"deleted"}
    assert len(output["Summary"]) <= 512 and all(len(json.dumps(result)) <= 512 for result in output["Results"])
    output = iam.run("delete", "ALL")
    assert [result["Outcome"] for result in output["Results"][:3]] == ["left for you to decide"] * 2 + ["left as it is"]
    assert all(len(json.dumps(result)) <= 512 for result in output["Results"])
    assert output["Summary"].endswith("Results are the first 50 of 60.")


def test_an_errors_text_has_a_bound_and_counts_are_whole():
    iam = account(300)

    def before(action, parameters):
        if action == "DeleteAccessKey" and int(parameters["AccessKeyId"][4:]) % 2:
            raise ClientError("e" * 5000)

    iam.before = before
    with pytest.raises(RuntimeError) as error:
        iam.run("delete", "ALL")
    text = str(error.value)
    assert len(text) < 5000
    assert "; the first 5 of 150. 150 failed." in text and "; the first 5 of 150. In all: 150 changed, 0 left" in text


def test_users_of_digits_and_a_trial_of_all():
    iam = Iam(START)
    deactivated(iam, "123", 1)
    output = iam.run("delete", "ALL", DryRun="true", StartAfter="122")
    assert [result["Outcome"] for result in output["Results"]] == ["dry run: deleted"]
    assert iam.run("delete", "ALL", StartAfter="123")["Results"] == [] and left(iam) == ["123"]


# Of a user with so many keys, all stale, some in use, and what always fails.
LOOPS = [(1, 0, None), (2, 0, None), (2, 1, None), (8, 0, None), (8, 1, None)] + [
    (keys, 0, action) for keys in (2, 8) for action in ("UpdateAccessKey", "TagUser", "PutParameter", "ListAccessKeys")
]


@pytest.mark.parametrize("keys, in_use, fails", LOOPS)
def test_the_products_own_changes_cause_no_remediation_exception(keys, in_use, fails):
    """Though AWS Config starts a remediation for each of them, and for the evaluation that began it."""
    iam = Iam(START)
    user = iam.add("bot", *((key_id(number), Key(START - timedelta(days=400))) for number in range(keys)))
    for key in list(user.keys.values())[:in_use]:
        key.last_used = START
    attempts, due = 0, 1

    iam.fail(fails, ClientError(fails))
    record = iam.tag_user

    def tag_user(UserName, Tags):
        nonlocal due
        held = dict(user.tags)
        record(UserName, Tags)
        due += user.tags != held

    iam.tag_user = tag_user
    while due:
        attempts, due = attempts + 1, due - 1
        assert attempts < REMEDIATION["MaximumAutomaticAttempts"]["Fn::If"][1]
        try:
            iam.run("deactivate", user.id)
        except RuntimeError:
            pass
    if not fails:
        assert [key.status for key in user.keys.values()] == ["Active"] * in_use + ["Inactive"] * (keys - in_use)
        assert attempts == 2, "one tag for all keys of a run"
