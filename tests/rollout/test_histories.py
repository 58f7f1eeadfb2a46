"""Whatever people and cut-off runs do to a key: none is deleted that the runbook did not switch off at least GraceDays
ago.

Every history is tried, step by step, from one state of IAM to the next: each runbook, whole or ended before any of its
calls; each act of the key's owner, between runs and before any call of a run; each whole run before any call of
another; and time. States that differ only in what nothing depends on are one.

And each run that comes to its own end tells of what it did to keys, and of nothing else.
"""

from datetime import timedelta

import pytest

from fake_iam import REPORT, ClientError, Ended, Iam, Key, at
from proofs import DELIVERY, SLACK
from records import parse_record

KEY, OTHER = "AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"
UNTIL, OWNER = "access-key-rotation:exempt-until", "access-key-rotation:exempt-owner"
START = at("2026-03-01T12:00:00Z")
GRACE = timedelta(days=30)
RUNS = [("deactivate", {}), ("reactivate", {"AccessKeyId": KEY}), ("delete", {})]


def switch(*statuses):
    def act(iam, user):
        for status in statuses:
            iam.pass_time(seconds=1)
            if KEY in user.keys:
                iam.switch(user.name, KEY, status)

    return act


def use(iam, user):
    if KEY in user.keys and user.keys[KEY].status == "Active":
        user.keys[KEY].last_used = iam.now


def edit(state, since=None, where=lambda iam: True):
    """Somebody writes over a record. Then the runbooks cannot know that somebody switched the key on again."""

    def act(iam, user):
        if iam.parameters.value(KEY) and KEY in user.keys and where(iam):
            if state:
                iam.parameters.record(KEY, state, since or iam.now, None, user.id, iam.now)
            else:
                iam.parameters.write(KEY, "soon", iam.now)
            user.keys[KEY].is_on_again = False

    return act


def remove_record(iam, user):
    iam.parameters.remove(KEY)
    if KEY in user.keys:
        user.keys[KEY].is_on_again = False


def apply(iam, user):
    """Infrastructure as code that owns the user: it removes the tags that it does not know, and switches the key on."""
    user.tags.clear()
    switch("Active")(iam, user)


def exempt(iam, user):
    user.tags.update({UNTIL: (iam.now + timedelta(days=20)).strftime("%Y-%m-%d"), OWNER: "payments"})


ACTS = {
    "on": switch("Active"),
    "off": switch("Inactive"),
    "off and on": switch("Inactive", "Active"),
    "on and off": switch("Active", "Inactive"),
    "use": use,
    "delete the key": lambda iam, user: user.keys.pop(KEY, None),
    "delete the user": lambda iam, user: iam.users.pop(user.name, None),
    "remove the record": remove_record,
    "edit it: a word": edit(None),
    "edit it: future": edit("deactivated", at("2999-01-01T00:00:00Z")),
    # The credential report alone cannot tell: whoever may write records may have keys deleted, a month later.
    "edit it: long ago": edit("deactivated", at("2026-02-01T00:00:00Z"), lambda iam: not iam.cloudtrail.refuses),
    "edit it: deactivating": edit("deactivating"),
    "exempt": exempt,
    "apply": apply,
}


def beside(handler, parameters):
    """A whole run, while another is under way."""

    def act(iam, user):
        others = iam.before, iam.calls, dict(iam.seen_keys), dict(iam.seen_tags), iam.changes
        iam.before, iam.calls, iam.changes = lambda action, parameters: None, [], []
        try:
            iam.run(handler, user.id, **parameters)
        except Exception:
            pass
        iam.before, iam.calls, iam.seen_keys, iam.seen_tags, iam.changes = others

    return act


MEANWHILE = ACTS | {f"the whole {handler}": beside(handler, parameters) for handler, parameters in RUNS}
TIMES = {"five hours": timedelta(hours=5), "a month": timedelta(days=31)}


class State:
    """What IAM holds of one user, and a way to it."""

    def __init__(self, iam, way=()):
        self.users = {name: user.copy() for name, user in iam.users.items()}
        self.now, self.way = iam.now, way
        self.report = iam.report_age, iam.report_dates
        self.records = {name: list(versions) for name, versions in iam.parameters.held.items()}
        self.events, self.refuses = list(iam.cloudtrail.events), iam.cloudtrail.refuses

    def open(self):
        iam = Iam(self.now)
        iam.users = {name: user.copy() for name, user in self.users.items()}
        iam.report_age, iam.report_dates = self.report
        iam.parameters.held = {name: list(versions) for name, versions in self.records.items()}
        iam.cloudtrail.events, iam.cloudtrail.refuses = list(self.events), self.refuses
        return iam

    def essence(self):
        """What the next steps depend on: the order of the times, and how long ago they are."""
        facts, times = [], [self.now]
        for name, versions in sorted(self.records.items()):
            record, written = parse_record(versions[-1][0]), versions[-1][1]
            facts.append((name, record.state, record.since is not None and record.since > self.now))
            times += [written, record.since or self.now, record.proven_until or self.now]
            if self.refuses is None and record.since:
                # What CloudTrail shows of the key since.
                start = record.proven_until or record.since - SLACK
                switches = [
                    (event["requestParameters"]["status"], event["userIdentity"]["type"], at <= record.since + SLACK)
                    for at, event in self.events
                    if name.endswith(event["requestParameters"]["accessKeyId"]) and at >= start
                ]
                facts.append(frozenset(switches))
        for user in self.users.values():
            for key_id, key in user.keys.items():
                facts.append((key_id, key.status, key.ours_since is None, key.last_used is None, key.is_on_again))
                times += [key.switched_on, key.ours_since or self.now, key.last_used or self.now]
            if UNTIL in user.tags:
                facts.append(("exempt", user.tags[UNTIL] < self.now.strftime("%Y-%m-%d")))
        order = tuple(sorted(set(times)).index(time) for time in times)
        hours = tuple(min((self.now - time).total_seconds() // 3600, 800) // 5 for time in times)
        return tuple(facts), order, hours


def check(iam, way):
    """Of each deletion, that it was right by what the run could see a call before. And that no key was deactivated
    again by itself."""
    if iam.again:
        pytest.fail(f"deactivated, though somebody had switched it on again: {' > '.join(way)}")
    for now, key, tags in iam.deletions:
        wrong = None
        if key.status != "Inactive":
            wrong = "it is active"
        elif tags.get(UNTIL, "") >= now.strftime("%Y-%m-%d"):
            wrong = "the user is exempt"
        elif key.ours_since is None:
            # What is newer than the report, or than CloudTrail shows, no run can know.
            newest = max(iam.report_age, DELIVERY)
            wrong = "somebody else switched it off" if now - key.switched_on > newest else None
        elif now - key.ours_since < GRACE:
            wrong = "not long ago"
        if wrong:
            pytest.fail(f"deleted, though {wrong}: {' > '.join(way)}")


def run(iam, handler, parameters, end=0, other=(0, None)):
    """A run that is ended before a call; before another, somebody else acts. Whether it came to its own end."""
    user, number = iam.users["bot"], 0

    def before(action, _):
        nonlocal number
        number += 1
        if action in ("UpdateAccessKey", "DeleteAccessKey") and iam.calls[-1] != "ListAccessKeys":
            pytest.fail(f"{action} without a look")
        if number == other[0]:
            other[1](iam, user)
        if number == end:
            raise Ended()

    iam.before = before
    try:
        iam.run(handler, user.id, **parameters, OwnerTag="team")
    except Ended:
        return False
    except Exception:
        # The run says what is wrong, and fails.
        pass
    finally:
        iam.before = lambda action, parameters: None
    told = [(key_id, kind) for key_id, kind in iam.events.told() if kind != "kept"]
    assert told == iam.changes, handler
    iam.events.taken, iam.changes = [], []
    return True


def steps(state, within):
    """(name, IAM after it) of all that may come next.

    within: also what somebody does while a run is under way; "ended": and the run is ended after that.
    """
    for name, act in ACTS.items():
        iam = state.open()
        act(iam, iam.users["bot"])
        yield name, iam
    for name, time in TIMES.items():
        iam = state.open()
        iam.pass_time(seconds=time.total_seconds())
        yield name, iam
    for handler, parameters in RUNS:
        length = yield from ends(state, handler, parameters, 1, (0, None), handler)
        for call in range(2, length + 1) if within else ():
            for name, act in MEANWHILE.items():
                first = call if within == "ended" else 100
                yield from ends(state, handler, parameters, first, (call, act), f"{handler}, before call {call} {name}")


def ends(state, handler, parameters, first, other, name):
    """A run ended before each of its calls, and whole; how many calls that are."""
    for end in range(first, 101):
        iam = state.open()
        whole = run(iam, handler, parameters, end, other)
        yield name if whole else f"{name}, ended before call {end}", iam
        if whole:
            return len(iam.calls)
    pytest.fail(f"{name} does not end")


def explore(start, *levels):
    """All histories of so many steps, with what each of them has `within`. How many steps were taken."""
    seen, states, taken = set(), [start], 0
    for within in levels:
        found = []
        for state in states:
            for name, iam in steps(state, within):
                taken += 1
                check(iam, (*state.way, name))
                after = State(iam, (*state.way, name))
                if "bot" in after.users and after.essence() not in seen:
                    seen.add(after.essence())
                    found.append(after)
        states = found
    return taken


def start(*ages, report_age=timedelta(0), report_dates="on", trail=False, is_deactivated=False):
    """A user with a key of each age in days. Without a trail, CloudTrail refuses to answer."""
    iam = Iam(START)
    iam.report_age, iam.report_dates = report_age, report_dates
    iam.cloudtrail.refuses = None if trail else ClientError("AccessDenied")
    iam.add("bot", *((key_id, Key(START - timedelta(days=age))) for key_id, age in zip((KEY, OTHER), ages)))
    if is_deactivated:
        assert run(iam, "deactivate", {})
    return State(iam)


@pytest.mark.parametrize(
    "state, levels",
    [
        pytest.param(start(400), ("ended", None, None), id="one key"),
        pytest.param(start(400, trail=True), ("acts", "acts"), id="one key, and somebody else all the time"),
        pytest.param(start(400, 50), ("ended", None), id="and a young key"),
        pytest.param(start(400, 400), ("acts", None), id="two stale keys"),
        pytest.param(start(400, report_age=REPORT), ("ended", None), id="the report is four hours old"),
        pytest.param(start(400, trail=True), ("ended", None), id="CloudTrail too"),
        *[
            pytest.param(start(400, is_deactivated=True, **known), ("acts", None, None), id=f"deactivated; {name}")
            for name, known in {
                "the report alone": {},
                "the report has the date of any change": {"report_dates": "any"},
                "CloudTrail alone": {"report_dates": "no", "trail": True},
                "both": {"trail": True},
            }.items()
        ],
    ],
)
def test_no_key_is_deleted_that_the_runbook_did_not_switch_off_long_ago(state, levels):
    assert explore(state, *levels) > 2_000


@pytest.mark.parametrize("trail", [False, True])
@pytest.mark.parametrize("report_dates", ["on", "any", "no"])
@pytest.mark.parametrize("report_age", [timedelta(0), REPORT])
@pytest.mark.parametrize("ages", [(400,), (400, 50), (400, 400)])
def test_a_key_that_is_left_alone_is_deleted_when_it_is_time(ages, report_age, report_dates, trail):
    iam = start(*ages, report_age=report_age, report_dates=report_dates, trail=trail).open()
    assert run(iam, "deactivate", {})
    iam.pass_time(days=29)
    assert run(iam, "delete", {}) and len(iam.users["bot"].keys) == len(ages)
    # A date of any change may be that of the other key's deactivation: then the run after that key's deletion has the
    # rest.
    for _ in ages:
        iam.pass_time(days=1)
        assert run(iam, "delete", {})
    if report_dates == "no" and not trail:
        assert len(iam.users["bot"].keys) == len(ages), "nothing proves that nobody has switched it on meanwhile"
        return
    assert [key_id for key_id in iam.users["bot"].keys] == [OTHER] * (50 in ages)
    assert iam.parameters.held == {}


@pytest.mark.parametrize("ended_before", ["UpdateAccessKey", "the last PutParameter"])
def test_a_reactivation_that_is_cut_off_leaves_no_key_to_delete_that_its_owner_switches_off(ended_before):
    iam = start(400, trail=True).open()
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    iam.calls = []

    def before(action, _):
        if action == ended_before or (action == "PutParameter" and "UpdateAccessKey" in iam.calls):
            raise Ended()

    iam.before = before
    with pytest.raises(Ended):
        iam.run("reactivate", user.id, AccessKeyId=KEY)
    iam.before = lambda action, _: None
    assert iam.parameters.state(KEY) == "reactivating"
    iam.switch("bot", KEY, "Inactive")
    record = iam.parameters.value(KEY)
    for handler in ("deactivate", "delete"):
        iam.pass_time(days=31)
        [result] = iam.run(handler, user.id)["Results"]
        assert result["Outcome"] == "left for you to decide" and "'reactivating'" in result["Reason"]
    assert KEY in user.keys and iam.parameters.value(KEY) == record


def test_a_record_that_cannot_be_read_is_named_and_left():
    iam = start(400, trail=True).open()
    iam.switch("bot", KEY, "Inactive")
    iam.parameters.write(KEY, "pending", iam.now)
    for handler, user_id in (("deactivate", iam.users["bot"].id), ("delete", "ALL")):
        [result] = iam.run(handler, user_id)["Results"]
        assert (result["Outcome"], result["AccessKeyId"]) == ("left for you to decide", KEY)
        assert "'pending'" in result["Reason"] and "by hand" in result["Reason"]
    assert iam.parameters.value(KEY) == "pending" and "TagUser" not in iam.calls
