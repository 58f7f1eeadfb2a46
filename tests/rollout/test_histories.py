"""Whatever people and cut-off runs do to a key: none is deleted that the runbook did not switch off at least GraceDays
ago.

Every history is tried, step by step, from one state of IAM to the next: each runbook, whole or ended before any of its
calls; each act of the key's owner, between runs and before any call of a run; each whole run before any call of
another; and time. States that differ only in what nothing depends on are one.

And each run that comes to its own end tells of what it did to keys, and of nothing else.
"""

from datetime import timedelta

import pytest

from fake_iam import RECORD, REPORT, TIME, Ended, Iam, Key, at

KEY, OTHER = "AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"
UNTIL, OWNER = "access-key-rotation:exempt-until", "access-key-rotation:exempt-owner"
EXECUTION = "7a4c6d1f-0000-4000-8000-000000000000"
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


def edit(value):
    def act(iam, user):
        if RECORD + KEY in user.tags:
            user.tags[RECORD + KEY] = value.replace("NOW", iam.now.strftime(TIME))

    return act


def exempt(iam, user):
    user.tags.update({UNTIL: (iam.now + timedelta(days=20)).strftime("%Y-%m-%d"), OWNER: "payments"})


# A time that somebody else writes is not among them: who may write records may have keys deleted, and the manual says
# so.
ACTS = {
    "on": switch("Active"),
    "off": switch("Inactive"),
    "off and on": switch("Inactive", "Active"),
    "on and off": switch("Active", "Inactive"),
    "use": use,
    "delete the key": lambda iam, user: user.keys.pop(KEY, None),
    "delete the user": lambda iam, user: iam.users.pop(user.name, None),
    "remove the record": lambda iam, user: user.tags.pop(RECORD + KEY, None),
    "edit it: pending": edit("pending"),
    "edit it: word": edit("soon"),
    "edit it: future": edit("2999-01-01T00:00:00Z"),
    "edit it: deactivating": edit("deactivating NOW"),
    "exempt": exempt,
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

    def open(self):
        iam = Iam(self.now)
        iam.users = {name: user.copy() for name, user in self.users.items()}
        iam.report_age, iam.report_dates = self.report
        return iam

    def essence(self):
        """What the next steps depend on: the order of the times, and how long ago they are."""
        facts, times = [], [self.now]
        for user in self.users.values():
            for key_id, key in user.keys.items():
                facts.append((key_id, key.status, key.ours_since is None, key.last_used is None))
                times += [key.switched_on, key.ours_since or self.now, key.last_used or self.now]
            for name, value in sorted(user.tags.items()):
                word, _, time = value.rpartition(" ")
                facts.append((name, word))
                if name == UNTIL:
                    facts.append(value < self.now.strftime("%Y-%m-%d"))
                elif time.startswith("2026"):
                    times.append(at(time))
                else:
                    facts.append(value)
        order = tuple(sorted(set(times)).index(time) for time in times)
        hours = tuple(min((self.now - time).total_seconds() // 3600, 800) // 5 for time in times)
        return tuple(facts), order, hours


def check(iam, way):
    """Of each deletion, that it was right by what the run could see a call before."""
    for now, key, tags in iam.deletions:
        wrong = None
        if key.status != "Inactive":
            wrong = "it is active"
        elif tags.get(UNTIL, "") >= now.strftime("%Y-%m-%d"):
            wrong = "the user is exempt"
        elif key.ours_since is None:
            # What is newer than the report, no run can know.
            wrong = "somebody else switched it off" if now - key.switched_on > iam.report_age else None
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
        iam.run(handler, user.id, **parameters, ExecutionId=EXECUTION)
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
    """(name, IAM after it) of all that may come next. within: also what somebody does while a run is under way."""
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
                yield from ends(state, handler, parameters, call, (call, act), f"{handler}, before call {call} {name}")


def ends(state, handler, parameters, first, other, name):
    """A run ended before each of its calls, and whole; how many calls that are."""
    for end in range(first, 100):
        iam = state.open()
        whole = run(iam, handler, parameters, end, other)
        yield name if whole else f"{name}, ended before call {end}", iam
        if whole:
            return len(iam.calls)
    pytest.fail(f"{name} does not end")


def explore(start, depth, within):
    """All histories of so many steps; in the first of them, somebody may act within a run. How many steps were
    taken."""
    seen, states, taken = set(), [start], 0
    for level in range(depth):
        found = []
        for state in states:
            for name, iam in steps(state, level < within):
                taken += 1
                check(iam, (*state.way, name))
                after = State(iam, (*state.way, name))
                if "bot" in after.users and after.essence() not in seen:
                    seen.add(after.essence())
                    found.append(after)
        states = found
    return taken


def start(*ages, report_age=timedelta(0), report_dates="on"):
    """A user with a key of each age in days."""
    iam = Iam(START)
    iam.report_age, iam.report_dates = report_age, report_dates
    iam.add("bot", *((key_id, Key(START - timedelta(days=age))) for key_id, age in zip((KEY, OTHER), ages)))
    return State(iam)


@pytest.mark.parametrize(
    "state, depth, within",
    [
        pytest.param(start(400), 4, 1, id="one key"),
        pytest.param(start(400), 2, 2, id="one key, and somebody else all the time"),
        pytest.param(start(400, 50), 4, 1, id="and a young key"),
        pytest.param(start(400, 400), 3, 1, id="two stale keys"),
        pytest.param(start(400, report_dates="any"), 4, 1, id="the report has the date of any change"),
        pytest.param(start(400, report_age=REPORT), 4, 1, id="the report is four hours old"),
    ],
)
def test_no_key_is_deleted_that_the_runbook_did_not_switch_off_long_ago(state, depth, within):
    assert explore(state, depth, within) > 5_000


@pytest.mark.parametrize("report_dates", ["on", "any"])
@pytest.mark.parametrize("report_age", [timedelta(0), REPORT])
@pytest.mark.parametrize("ages", [(400,), (400, 50), (400, 400)])
def test_a_key_that_is_left_alone_is_deleted_when_it_is_time(ages, report_age, report_dates):
    iam = start(*ages, report_age=report_age, report_dates=report_dates).open()
    assert run(iam, "deactivate", {})
    iam.pass_time(days=29)
    assert run(iam, "delete", {}) and len(iam.users["bot"].keys) == len(ages)
    # A date of any change may be that of the other key's deactivation: then the run after that key's deletion has the
    # rest.
    for _ in ages:
        iam.pass_time(days=1)
        assert run(iam, "delete", {})
    assert [key_id for key_id in iam.users["bot"].keys] == [OTHER] * (50 in ages)
    assert not [name for name in iam.users["bot"].tags if name.startswith(RECORD)]


def test_a_reactivation_that_is_cut_off_leaves_no_key_to_delete_that_its_owner_switches_off():
    iam = start(400).open()
    user = iam.users["bot"]
    iam.run("deactivate", user.id)
    iam.before = lambda action, _: (_ for _ in ()).throw(Ended()) if action == "UntagUser" else None
    with pytest.raises(Ended):
        iam.run("reactivate", user.id, AccessKeyId=KEY)
    iam.before = lambda action, _: None
    assert user.keys[KEY].status == "Active" and user.tags[RECORD + KEY].startswith("reactivating 2026-03-01T12:00:")
    iam.switch("bot", KEY, "Inactive")
    record = dict(user.tags)
    for handler in ("deactivate", "delete"):
        iam.pass_time(days=31)
        [result] = iam.run(handler, user.id)["Results"]
        assert result["Outcome"] == "left for you to decide" and "'reactivating 2026-03-01T12:00:" in result["Reason"]
    assert KEY in user.keys and user.tags == record


def test_the_outcome_of_a_record_of_an_earlier_version():
    iam = start(400).open()
    iam.switch("bot", KEY, "Inactive")
    iam.users["bot"].tags[RECORD + KEY] = "pending"
    for handler in ("deactivate", "delete"):
        [result] = iam.run(handler, iam.users["bot"].id)["Results"]
        assert result["Outcome"] == "left for you to decide"
        assert "'pending'" in result["Reason"] and "Delete it by hand" in result["Reason"]
    assert iam.users["bot"].tags == {RECORD + KEY: "pending"} and "TagUser" not in iam.calls
