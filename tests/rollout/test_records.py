"""Records of the runbooks and the proofs beside them: what a record is believed for, what CloudTrail and the credential
report add, and how AWS Config hears of a change."""

import json
from datetime import timedelta

import pytest

from fake_aws import PATH
from fake_iam import OUR_ROLE, ClientError, Iam, Key, at

KEY, OTHER = "AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"
START = at("2026-03-01T12:00:00Z")
LAST_CHANGE = "access-key-rotation:last-change"


def account(*ages):
    iam = Iam(START)
    iam.add("bot", *((key_id, Key(START - timedelta(days=age))) for key_id, age in zip((KEY, OTHER), ages)))
    return iam


def deactivated(days, **known):
    """An account with a key that a runbook deactivated so many days ago. Without a report, its dates are N/A."""
    iam = account(400)
    key = iam.users["bot"].keys[KEY]
    key.status, key.ours_since = "Inactive", START - timedelta(days=days)
    iam.report_dates = "on" if known.get("report") else "no"
    iam.record(KEY, since=key.ours_since)
    if not known.get("trail", True):
        iam.cloudtrail.refuses = ClientError("AccessDenied when calling LookupEvents")
    return iam


def result(iam, handler="delete", **parameters):
    user_id = "ALL" if handler == "delete" else iam.users["bot"].id
    [result] = iam.run(handler, user_id, **parameters)["Results"]
    return result["Outcome"], result["Reason"]


def test_one_proof_is_enough_and_without_one_a_key_stays():
    assert result(deactivated(31, report=True))[0] == "deleted"
    assert result(deactivated(31, report=True, trail=False))[0] == "deleted"
    assert result(deactivated(31, report=False))[0] == "deleted"
    outcome, reason = result(deactivated(31, report=False, trail=False))
    assert outcome == "left as it is"
    assert "IAM's credential report does not say" in reason and "LookupEvents" in reason


@pytest.mark.parametrize("report", [True, False])
def test_what_contradicts_a_record_keeps_the_key_whatever_else_proves(report):
    iam = deactivated(31, report=report)
    for status in ("Active", "Inactive"):
        iam.cloudtrail.add("bot", KEY, status, "owner", START - timedelta(days=3))
    outcome, reason = result(iam)
    assert outcome == "left for you to decide"
    assert "CloudTrail says that arn:aws:iam::111122223333:user/owner made it" in reason and "2026-02-26" in reason

    iam = deactivated(31, report=report)
    iam.cloudtrail.events.clear()
    outcome, reason = result(iam)
    assert outcome == "left for you to decide"
    assert "CloudTrail does not show that a runbook deactivated it on 2026-01-29" in reason

    iam = deactivated(31, report=True)
    iam.users["bot"].keys[KEY].switched_on = START - timedelta(days=3)
    outcome, reason = result(iam)
    assert outcome == "left for you to decide" and "IAM's credential report says" in reason


def test_a_call_that_failed_and_a_change_of_another_key_or_before_the_record_prove_nothing_wrong():
    iam = deactivated(31)
    iam.cloudtrail.add("bot", KEY, "Active", "owner", START - timedelta(days=3), error="AccessDenied")
    iam.cloudtrail.add("bot", OTHER, "Active", "owner", START - timedelta(days=3))
    iam.cloudtrail.add("bot", KEY, "Active", "owner", START - timedelta(days=40))
    assert result(iam)[0] == "deleted"


@pytest.mark.parametrize("by", ["owner", "another-role", f"{OUR_ROLE}-2"])
def test_only_the_remediation_roles_own_call_at_the_time_of_the_record_proves(by):
    iam = deactivated(31)
    iam.cloudtrail.events.clear()
    iam.cloudtrail.add("bot", KEY, "Inactive", by, START - timedelta(days=31))
    assert result(iam)[0] == "left for you to decide"
    iam = deactivated(31)
    iam.cloudtrail.events.clear()
    iam.cloudtrail.add("bot", KEY, "Inactive", OUR_ROLE, START - timedelta(days=31, minutes=3))
    assert result(iam)[0] == "left for you to decide"


def test_all_pages_of_cloudtrail_count_and_a_listing_without_end_is_given_up():
    iam = deactivated(31)
    for number in range(120):
        iam.cloudtrail.add("bot", f"AKIA{number:016}", "Inactive", "owner", START - timedelta(days=1))
    assert result(iam)[0] == "deleted" and iam.calls.count("LookupEvents") == 3

    iam = deactivated(31)
    for number in range(20_000):
        iam.cloudtrail.add("bot", f"AKIA{number:016}", "Inactive", "owner", START - timedelta(days=1))
    outcome, reason = result(iam)
    assert outcome == "left as it is" and "more events than a run can read" in reason
    assert iam.seconds < 200


def test_what_cannot_be_understood_in_cloudtrail_is_no_proof():
    for change in ({"requestParameters": None}, {"userIdentity": None}, {"eventTime": "yesterday"}):
        iam = deactivated(31)
        at, event = iam.cloudtrail.events[0]
        iam.cloudtrail.events.append((at, event | change))
        assert result(iam)[0] == "left as it is", change


def test_a_partition_whose_events_are_elsewhere_is_read_there_and_an_unknown_one_is_no_proof():
    regions = []
    for partition, expected in (("aws", "us-east-1"), ("aws-cn", "cn-north-1"), ("aws-us-gov", "us-gov-west-1")):
        iam = deactivated(31)
        iam.partition = partition
        assert result(iam)[0] == "deleted"
        regions.append((iam.regions["cloudtrail"], expected))
    assert all(region == expected for region, expected in regions)
    iam = deactivated(31)
    iam.partition = "aws-iso"
    assert result(iam)[0] == "left as it is"


def test_a_daily_deletion_proves_a_key_over_more_days_than_cloudtrail_keeps():
    iam = account(400)
    iam.report_dates = "no"
    iam.run("deactivate", iam.users["bot"].id)
    writes = 0
    for day in range(1, 120):
        iam.pass_time(days=1)
        iam.calls = []
        outcome, _ = result(iam, GraceDays="120")
        assert outcome == "left as it is"
        writes += iam.calls.count("PutParameter")
    assert writes == 16, "once a week or so"
    iam.pass_time(days=2)
    assert result(iam, GraceDays="120")[0] == "deleted"


def test_a_key_that_waits_for_its_exemption_to_end_is_proven_too():
    iam = account(400)
    iam.report_dates = "no"
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    user.tags |= {"access-key-rotation:exempt-until": "2026-08-01", "access-key-rotation:exempt-owner": "payments"}
    for _ in range(22):
        iam.pass_time(days=7)
        outcome, _ = result(iam)
        assert outcome == ("left as it is" if iam.now < at("2026-08-02T00:00:00Z") else "deleted")
    assert KEY not in user.keys


def test_a_gap_of_more_than_cloudtrail_keeps_keeps_the_key_and_names_it():
    iam = account(400)
    iam.report_dates = "no"
    iam.run("deactivate", iam.users["bot"].id)
    iam.pass_time(days=10)
    result(iam, GraceDays="120")
    iam.pass_time(days=111)
    outcome, reason = result(iam, GraceDays="120")
    assert outcome == "left as it is"
    assert "nobody checked CloudTrail, which keeps 90 days, between 2026-03-11 and 2026-04-" in reason
    # And the first check of a key that was deactivated longer ago is no proof.
    iam = account(400)
    iam.report_dates = "no"
    iam.run("deactivate", iam.users["bot"].id)
    iam.pass_time(days=91)
    outcome, reason = result(iam, GraceDays="90")
    assert outcome == "left as it is" and "does not go back to the deactivation" in reason


@pytest.mark.parametrize("proven", ["2026-02-28T12:00:00Z", "2026-03-01T12:00:00Z", "2999-01-01T00:00:00Z"])
@pytest.mark.parametrize("days", [31, 100])
def test_a_forged_time_of_a_proof_proves_nothing(days, proven):
    iam = deactivated(days, report=False)
    iam.cloudtrail.events.clear()
    iam.users["bot"].keys[KEY].ours_since = None
    iam.record(KEY, since=START - timedelta(days=days), provenUntil=proven)
    iam.cloudtrail.events.clear()
    if (days, proven) == (100, "2026-02-28T12:00:00Z"):
        # Older than CloudTrail goes back, so nothing tells: the manual says so.
        assert result(iam)[0] == "deleted"
    else:
        assert result(iam)[0] != "deleted" and KEY in iam.users["bot"].keys


def test_a_dry_run_writes_nothing():
    iam = deactivated(20)
    assert result(iam, DryRun="true")[0] == "left as it is" and "PutParameter" not in iam.calls
    assert result(iam)[0] == "left as it is" and iam.calls.count("PutParameter") == 1
    assert iam.parameters.value(KEY)["provenUntil"].startswith("2026-03-01T11:")


def test_a_record_that_was_written_later_than_it_says_by_systems_managers_own_time_deletes_nothing():
    iam = deactivated(31, report=True, trail=False)
    [(value, _)] = iam.parameters.held[PATH + KEY]
    iam.parameters.held[PATH + KEY] = [(value, START - timedelta(days=2))]
    outcome, reason = result(iam)
    assert outcome == "left for you to decide" and "somebody wrote it on 2026-02-27" in reason
    iam.pass_time(days=29)
    assert result(iam)[0] == "left for you to decide"


def test_of_two_runs_that_begin_at_once_one_writes_the_record_and_the_other_touches_nothing():
    iam = account(400)
    user = iam.users["bot"]

    def before(action, parameters):
        if action == "PutParameter":
            iam.before = lambda action, parameters: None
            iam.run("deactivate", user.id)

    iam.before = before
    with pytest.raises(RuntimeError, match="another run began with this key"):
        iam.run("deactivate", user.id)
    assert iam.parameters.state(KEY) == "deactivated" and user.keys[KEY].status == "Inactive"
    assert iam.calls.count("UpdateAccessKey") == 1


def test_a_late_run_does_not_write_over_what_another_has_recorded():
    """The key is deactivated, and switched on again by ReactivateKey before the first run writes its last record."""
    iam = account(400)
    user = iam.users["bot"]
    puts = 0

    def before(action, parameters):
        nonlocal puts
        puts += action == "PutParameter"
        if action == "GetParameter" and puts == 1 and "UpdateAccessKey" in iam.calls:
            iam.before = lambda action, parameters: None
            iam.run("reactivate", user.id, AccessKeyId=KEY)

    iam.before = before
    with pytest.raises(RuntimeError, match="somebody else changed its record"):
        iam.run("deactivate", user.id)
    assert iam.parameters.state(KEY) == "reactivated" and user.keys[KEY].status == "Active"


def test_a_throttled_change_is_tried_again_and_given_up_without_a_record():
    for throttled, expected in ((3, "deactivated"), (100, None)):
        iam = account(400)
        left = throttled

        def throttle(action, parameters):
            nonlocal left
            left -= action == "UpdateAccessKey"
            if action == "UpdateAccessKey" and left >= 0:
                error = ClientError("Rate exceeded")
                error.response = {"Error": {"Code": "Throttling"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
                raise error

        iam.before = throttle
        if expected:
            assert result(iam, "deactivate")[0] == expected
        else:
            with pytest.raises(RuntimeError, match="Rate exceeded"):
                iam.run("deactivate", iam.users["bot"].id)
            assert iam.parameters.held == {} and throttled - left == 6


@pytest.mark.parametrize("handler", ["deactivate", "reactivate", "delete"])
def test_a_run_beside_a_deactivation_never_takes_its_record_for_that_of_a_key_that_is_on_again(handler):
    """Whatever call the other run is between: its record says deactivated in the end, or the key is on."""
    for call in range(1, 20):
        iam, number = account(400), 0
        user = iam.users["bot"]
        iam.record(KEY, "reactivated")

        def before(action, parameters):
            nonlocal number
            number += 1
            if number == call:
                iam.before = lambda action, parameters: None
                iam.run("deactivate", user.id, Again="true")

        iam.before = before
        try:
            iam.run(handler, user.id, **({"AccessKeyId": KEY} if handler == "reactivate" else {}))
        except Exception:
            pass
        if user.keys[KEY].status == "Inactive":
            assert iam.parameters.state(KEY) == "deactivated", call
        if number < call:
            break
    assert call > 4


def test_a_refusal_leaves_no_record_and_the_next_run_tries_again():
    iam = account(400)
    user = iam.users["bot"]

    def refuse(action, parameters):
        if action == "UpdateAccessKey":
            raise ClientError("AccessDenied when calling UpdateAccessKey")

    iam.before = refuse
    with pytest.raises(RuntimeError, match="AccessDenied"):
        iam.run("deactivate", user.id)
    assert iam.parameters.held == {}
    iam.before = lambda action, parameters: None
    assert result(iam, "deactivate")[0] == "deactivated"


def test_a_last_look_that_fails_leaves_no_record_either():
    iam = account(400)

    def fail(action, parameters):
        if action == "ListAccessKeys" and "PutParameter" in iam.calls:
            raise ClientError("no answer when calling ListAccessKeys")

    iam.before = fail
    with pytest.raises(RuntimeError, match="no answer"):
        iam.run("deactivate", iam.users["bot"].id)
    assert iam.parameters.held == {} and "UpdateAccessKey" not in iam.calls
    iam.before = lambda action, parameters: None
    assert result(iam, "deactivate")[0] == "deactivated"


@pytest.mark.parametrize("response", [{}, {"HTTPStatusCode": 500}])
def test_an_answer_that_does_not_say_what_happened_leaves_the_record_and_a_person_decides(response):
    iam = account(400)
    user = iam.users["bot"]

    def fail(action, parameters):
        if action == "UpdateAccessKey":
            error = ClientError("no answer")
            error.response = {"ResponseMetadata": response}
            raise error

    iam.before = fail
    with pytest.raises(RuntimeError, match="no answer"):
        iam.run("deactivate", user.id)
    iam.before = lambda action, parameters: None
    outcome, reason = result(iam, "deactivate")
    assert outcome == "left as it is" and "an earlier run did not end" in reason and "Again=true" in reason
    assert result(iam, "deactivate", Again="true")[0] == "deactivated"
    assert iam.parameters.state(KEY) == "deactivated"


@pytest.mark.parametrize("by", ["an apply", "ReactivateKey"])
def test_a_key_that_is_on_again_stays_on_until_somebody_says_again(by):
    iam = account(400)
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    if by == "an apply":
        user.tags.clear()
        iam.switch("bot", KEY, "Active")
    else:
        iam.run("reactivate", user.id, AccessKeyId=KEY)
    for _ in range(3):
        iam.pass_time(days=1)
        outcome, reason = result(iam, "deactivate")
        assert outcome == "left as it is" and "somebody switched it on again" in reason and "Again=true" in reason
        assert iam.parameters.state(KEY) == "reactivated"
    # Whoever switches it off by hand keeps it, however long ago the runbook did.
    iam.switch("bot", KEY, "Inactive")
    iam.pass_time(days=60)
    assert result(iam)[0] == "left for you to decide"
    iam.switch("bot", KEY, "Active")
    assert result(iam, "deactivate", Again="true")[0] == "deactivated"
    iam.pass_time(days=31)
    assert result(iam)[0] == "deleted"


def test_an_apply_that_removes_every_tag_takes_neither_the_way_back_nor_the_deletion():
    iam = account(400)
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    user.tags.clear()
    assert result(iam, "reactivate", AccessKeyId=KEY)[0] == "reactivated"
    iam = account(400)
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    user.tags.clear()
    iam.pass_time(days=31)
    assert result(iam)[0] == "deleted"


def test_records_of_keys_and_users_who_are_gone_go_if_two_listings_agree():
    iam = deactivated(31)
    iam.add("other", (OTHER, Key(START - timedelta(days=400), "Inactive")))
    iam.record(OTHER)
    iam.users["bot"].keys.clear()
    other = iam.users.pop("other")
    outcomes = {r["AccessKeyId"]: (r["Outcome"], r["Reason"]) for r in iam.run("delete", "ALL")["Results"]}
    assert outcomes == {KEY: ("record removed", "it is gone"), OTHER: ("record removed", "its user is gone")}
    assert iam.parameters.held == {}

    iam = deactivated(31)
    iam.users["other"] = other
    iam.record(OTHER)
    del iam.users["other"]
    listings = 0

    def before(action, parameters):
        nonlocal listings
        listings += action == "ListUsers"
        if listings == 2:
            iam.users["other"] = other

    iam.before = before
    outcomes = {r["AccessKeyId"]: r["Outcome"] for r in iam.run("delete", "ALL")["Results"]}
    assert outcomes[OTHER] == "left as it is" and iam.parameters.value(OTHER)


def test_only_users_with_a_record_are_read():
    iam = deactivated(31)
    for number in range(50):
        iam.add(f"user-{number}", (f"AKIA{number:016}", Key(START)))
    iam.run("delete", "ALL", DryRun="true")
    assert iam.calls.count("GetUser") == 1 and iam.calls.count("ListAccessKeys") == 1


def test_a_change_of_compliance_is_tagged_once_and_nothing_else_is():
    iam = account(400, 400)
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    assert iam.calls.count("TagUser") == 1 and user.tags.keys() == {LAST_CHANGE}
    first = user.tags[LAST_CHANGE]
    iam.run("deactivate", user.id)
    assert user.tags == {LAST_CHANGE: first}, "nothing changed"
    iam.run("reactivate", user.id, AccessKeyId=KEY)
    assert first < user.tags[LAST_CHANGE] <= iam.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    tags = dict(user.tags)
    iam.pass_time(days=31)
    iam.run("delete", "ALL")
    assert user.tags == tags and "UntagUser" not in iam.calls


def test_a_tag_that_cannot_be_set_is_said_and_fails_no_run():
    iam = account(400)

    iam.fail("TagUser", ClientError("LimitExceeded when calling TagUser: 50 tags"))
    output = iam.run("deactivate", iam.users["bot"].id)
    assert iam.users["bot"].keys[KEY].status == "Inactive" and iam.parameters.state(KEY) == "deactivated"
    assert output["Summary"] == (
        "Access keys: 1 changed, 0 left as they are. A tag could not be set, so AWS Config evaluates these only at its "
        "next schedule: bot: LimitExceeded when calling TagUser: 50 tags."
    )


@pytest.mark.parametrize(
    "value",
    ["", "[]", "null", "{}", '"deactivated"', json.dumps({"state": "deactivated", "since": "2026-01-20T12:00:00Z"})]
    + [
        json.dumps({"state": "deactivated", "since": "2026-01-20T12:00:00Z", "userId": "AIDABOT"} | change)
        for change in ({"state": "gone"}, {"since": "today"}, {"since": 5}, {"userId": 7}, {"provenUntil": "soon"})
    ],
)
def test_any_other_text_is_no_record_and_keeps_the_key(value):
    iam = deactivated(31)
    iam.parameters.write(KEY, value, START - timedelta(days=31))
    outcome, reason = result(iam)
    assert outcome == "left for you to decide" and "cannot be read" in reason
    assert KEY in iam.users["bot"].keys
