"""Whatever dies and whoever acts during a rotation: the secret holds a key that works, and nothing of others is lost.

Every history is tried, step by step, from one state to the next: each run whole, or ended before any of its calls; each
act of an owner, of an apply, of a forger and of a second run, between runs and before any call of a run; and time.
States that differ only in what nothing depends on are one. The fakes say what a run must never do.
"""

import json
from datetime import timedelta

import pytest

from fake_iam import Ended, Iam, Key, at
from fake_secrets import CURRENT, KEY_FIELDS, PENDING, PREVIOUS
from records import parse_record

KEY, OTHER = "AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"
START = at("2026-03-01T12:00:00Z")
SECRET, PASSWORD = "bots/deploy", "hunter2-of-the-owner"
RUNS = [("rotate", "ALL"), ("delete", "ROTATED")]


def secret(iam):
    return iam.secretsmanager.held[SECRET]


def edit(iam, user):
    """The owner stores another value of a field of the owner's."""
    if CURRENT in secret(iam).stages:
        fields = secret(iam).fields()
        secret(iam).put(json.dumps(fields | {"edits": fields.get("edits", 0) + 1}), iam.now)


def roll_back(iam, user):
    if PREVIOUS in secret(iam).stages:
        secret(iam).move(CURRENT, secret(iam).stages[PREVIOUS], iam.now)


def store_first_key(iam, user):
    """An apply that has the secret's text in its code."""
    secret(iam).put(json.dumps({"AccessKeyId": KEY, "SecretAccessKey": iam.secret_of(KEY)}), iam.now)


def store_second_key(iam, user):
    """The owner rotates by hand."""
    second_key(iam, user)
    if OTHER in user.keys:
        secret(iam).put(json.dumps({"AccessKeyId": OTHER, "SecretAccessKey": iam.secret_of(OTHER)}), iam.now)


def store_pending(iam, user):
    secret(iam).put(json.dumps({"mine": PASSWORD}), iam.now, PENDING)


def second_key(iam, user):
    if len(user.keys) < 2:
        user.keys[OTHER] = Key(iam.now)
        iam.secret_of(OTHER)
        iam.cloudtrail.add("bot", OTHER, None, "owner", iam.now)


def youngest(user):
    return max(user.keys, key=lambda key_id: user.keys[key_id].created, default=None)


def oldest(user):
    return min(user.keys, key=lambda key_id: user.keys[key_id].created, default=None)


def switch(which, status):
    def act(iam, user):
        if key_id := which(user):
            iam.switch("bot", key_id, status)

    return act


def delete(which):
    return lambda iam, user: user.keys.pop(which(user), None)


def use(which):
    def act(iam, user):
        key_id = which(user)
        if key_id and user.keys[key_id].status == "Active":
            iam.use(key_id, iam.secret_of(key_id))

    return act


def forge(state, which):
    """Somebody who may write parameters writes a record about a key, as of long ago."""

    def act(iam, user):
        fields = dict(state=state, since="2026-01-01T00:00:00Z", execution="forged", userName="bot", secret="")
        text = json.dumps(fields | dict(newKey=which(user), reason=None))
        iam.parameters.held.setdefault(f"/access-key-rotation/users/{user.id}", []).append((text, iam.now))

    return act


def forge_key_record(iam, user):
    if key_id := oldest(user):
        iam.parameters.record(key_id, "deactivated", at("2026-01-01T00:00:00Z"), None, user.id, iam.now)


def remove_records(iam, user):
    iam.parameters.held.clear()


def apply(iam, user):
    """Infrastructure as code that owns the user: it removes tags that it does not know, and switches the keys on."""
    user.tags.pop("access-key-rotation:last-change", None)
    for key_id in user.keys:
        iam.switch("bot", key_id, "Active")


ACTS = {
    "edit": edit,
    "roll back": roll_back,
    "store the first key": store_first_key,
    "store pending": store_pending,
    "rotate by hand": store_second_key,
    "second key": second_key,
    "oldest off": switch(oldest, "Inactive"),
    "youngest off": switch(youngest, "Inactive"),
    "youngest on": switch(youngest, "Active"),
    "delete the oldest": delete(oldest),
    "delete the youngest": delete(youngest),
    "use the oldest": use(oldest),
    "use the youngest": use(youngest),
    "forge switched": forge("switched", youngest),
    "forge created": forge("created", youngest),
    "forge creating": forge("creating", lambda user: None),
    "forge blocked": forge("blocked", oldest),
    "forge a key's record": forge_key_record,
    "remove the records": remove_records,
    "apply": apply,
    "untag the user": lambda iam, user: user.tags.pop("access-key-rotation:secret", None),
    "untag the secret": lambda iam, user: secret(iam).tags.clear(),
}


def beside(handler, user_id):
    """A whole run, while another is under way."""

    def act(iam, user):
        others = iam.before, iam.calls, dict(iam.seen_keys), dict(iam.seen_tags), dict(iam.seen_uses), iam.role
        listed, began, deleter = iam.listed, iam.run_began, iam.deleter
        seen = iam.secretsmanager.seen_current, iam.secretsmanager.seen_pending
        iam.before, iam.calls, iam.seen_keys = lambda action, parameters: None, [], {}
        try:
            iam.run(handler, user_id)
        except Exception:
            pass
        iam.before, iam.calls, iam.seen_keys, iam.seen_tags, iam.seen_uses, iam.role = others
        iam.secretsmanager.seen_current, iam.secretsmanager.seen_pending = seen
        iam.listed, iam.run_began, iam.deleter = listed, began, deleter

    return act


MEANWHILE = ACTS | {f"the whole {handler}": beside(handler, user_id) for handler, user_id in RUNS}
WRITES = (
    "CreateAccessKey",
    "DeleteAccessKey",
    "DeleteParameter",
    "GetCallerIdentity",
    "PutParameter",
    "PutSecretValue",
    "TagUser",
    "UpdateAccessKey",
    "UpdateSecretVersionStage",
)
TIMES = {"two hours": timedelta(hours=2), "eight days": timedelta(days=8), "a month": timedelta(days=31)}


class State:
    """What AWS holds of one user and one secret, and a way to it."""

    def __init__(self, iam, way=()):
        self.way, self.now, self.runs = way, iam.now, iam.runs
        self.users = {name: user.copy() for name, user in iam.users.items()}
        self.held = {name: held.copy() for name, held in iam.secretsmanager.held.items()}
        self.parameters = {name: list(versions) for name, versions in iam.parameters.held.items()}
        self.events = list(iam.cloudtrail.events)
        self.secrets, self.made, self.proven = dict(iam.secrets), list(iam.made), set(iam.proven)

    def open(self):
        iam = Iam(self.now)
        iam.users = {name: user.copy() for name, user in self.users.items()}
        iam.secretsmanager.held = {name: held.copy() for name, held in self.held.items()}
        iam.parameters.held = {name: list(versions) for name, versions in self.parameters.items()}
        iam.cloudtrail.events = list(self.events)
        iam.secrets, iam.made, iam.proven, iam.runs = dict(self.secrets), list(self.made), set(self.proven), self.runs
        return iam


def essence(iam):
    """What the next steps depend on: which key is where, the order of the times, and how long ago they are."""
    [user], [held] = iam.users.values(), iam.secretsmanager.held.values()
    keys = sorted(user.keys, key=lambda key_id: user.keys[key_id].created)
    names = {key_id: number for number, key_id in enumerate(keys)}
    name = lambda key_id: names.get(key_id, key_id and (key_id in iam.made and "made" or "gone"))
    facts, times = [len(user.tags), bool(held.tags)], [iam.now]
    for key_id in keys:
        key = user.keys[key_id]
        used = (key.last_used is None, key.service)
        facts.append((key.status, key_id in iam.made, key_id in held.handed_out, key.ours_since is None, used))
        times += [key.created, key.switched_on, key.ours_since or iam.now, key.last_used or iam.now]
    current = others_of(held, CURRENT)
    for stage in (CURRENT, PENDING, PREVIOUS):
        is_current = held.stages.get(stage) == held.stages.get(CURRENT)
        facts.append((stage in held.stages, is_current, name(held.key_id(stage)), others_of(held, stage) == current))
        if stage in held.stages:
            times.append(held.versions[held.stages[stage]][1])
    times.append(held.changed)
    for path, versions in sorted(iam.parameters.held.items()):
        text, written = versions[-1]
        if "/users/" in path:
            record = json.loads(text)
            facts.append((record["state"], name(record["newKey"])))
            times.append(written)
        else:
            record = parse_record(text)
            facts.append((name(path.rpartition("/")[2]), record.state))
            times += [written, record.since or iam.now]
    for _, event in iam.cloudtrail.events:
        parameters = event["requestParameters"]
        if parameters and parameters["accessKeyId"] in names:
            facts.append((name(parameters["accessKeyId"]), parameters["status"], event["userIdentity"]["type"]))
    days = tuple(min((iam.now - time).days, 90) for time in times)
    order = sorted(set(times))
    return tuple(facts), tuple(order.index(time) for time in times), days


def others_of(held, stage):
    return {field: value for field, value in held.fields(stage).items() if field not in KEY_FIELDS}


def search(iam, text, where):
    for value in [*iam.secrets.values(), PASSWORD]:
        iam.forbid(value in text, f"a secret is in {where}")


class Exploration:
    """All histories from a state, step by step."""

    def __init__(self):
        self.seen, self.found, self.taken = set(), [], 0

    def arrive(self, iam, way):
        """A step has led here. A state that is new is gone on from."""
        self.taken += 1
        if iam.violations:
            pytest.fail(f"{iam.violations[0]}: {' > '.join(way)}")
        here = essence(iam)
        if here not in self.seen:
            self.seen.add(here)
            self.found.append(State(iam, way))

    def run(self, state, handler, user_id, call=0, act=None, name=None, ended=False):
        """A run. Before a call, somebody else acts; ended: from then on, it is also ended before each call.

        Whoever ends a run leaves what AWS holds at that moment, so one run shows all of its ends. Returns its calls.
        """
        iam, number, changed = state.open(), 0, True
        user, began, way = iam.users["bot"], iam.now, f"{handler}, before call {call} {name}" if act else handler

        def before(action, parameters):
            nonlocal number, changed
            number += 1
            if number == call:
                act(iam, user)
                changed = True
            if ended and number >= call:
                if changed:
                    self.arrive(iam, (*state.way, f"{way}, ended before call {number}"))
                else:
                    # Since the last call that writes, nothing has changed.
                    self.taken += 1
            changed = action in WRITES
            if action in ("PutParameter", "TagUser"):
                search(iam, str(parameters), action)

        iam.before = before
        try:
            text = json.dumps(iam.run(handler, user_id, OwnerTag="team"))
        except Exception as error:
            text = repr(error)
        iam.before = lambda action, parameters: None
        search(iam, text + str(iam.events.taken) + str(iam.parameters.held) + str(user.tags), "an output")
        current = secret(iam).key_id(CURRENT)
        key = user.keys.get(current)
        if key and key.status == "Inactive" and key.ours_since and key.ours_since >= began:
            # Somebody put it back into the secret at the last moment. After the run's last look, nobody can know.
            iam.forbid(iam.secretsmanager.seen_current == current, "the key in the secret stays inactive")
        for now, key, _ in iam.deletions:
            is_lost = key.last_used is None or key.service == "sts"
            is_old = key.ours_since and now - key.ours_since >= timedelta(days=30)
            iam.forbid(key.status != "Inactive" or key.ours_since is None, "a key of others is deleted")
            iam.forbid(not is_old and not is_lost, "a key is deleted that has no grace")
        self.arrive(iam, (*state.way, way))
        return number

    def step(self, state, within):
        """All that may come next. within: also what somebody does while a run is under way, and ends of the run."""
        for name, act in ACTS.items():
            iam = state.open()
            iam.pass_time(seconds=1)
            act(iam, iam.users["bot"])
            self.arrive(iam, (*state.way, name))
        for name, time in TIMES.items():
            iam = state.open()
            iam.pass_time(seconds=time.total_seconds())
            self.arrive(iam, (*state.way, name))
        for handler, user_id in RUNS:
            calls = self.run(state, handler, user_id, ended=True)
            for call in range(1, calls + 1) if within else ():
                for name, act in MEANWHILE.items():
                    self.run(state, handler, user_id, call, act, name, ended=True)


def explore(start, *levels):
    """All histories of so many steps, with what each of them has `within`. How many steps were taken."""
    exploration, states = Exploration(), [State(start)]
    for within in levels:
        exploration.found = []
        for state in states:
            exploration.step(state, within)
        states = exploration.found
    return exploration.taken


def start(*ages, text=None):
    iam = Iam(START)
    user = iam.add("bot", *((key_id, Key(START - timedelta(days=age))) for key_id, age in zip((KEY, OTHER), ages)))
    user.tags["access-key-rotation:secret"] = SECRET
    for key_id in (KEY, OTHER):
        iam.secret_of(key_id)
    fields = {"password": PASSWORD, "AccessKeyId": KEY, "SecretAccessKey": iam.secret_of(KEY)}
    text = json.dumps(fields) if text is None else text or None
    iam.secretsmanager.add(SECRET, {"access-key-rotation:user": "bot"}, text)
    return iam


def after(*days, **known):
    """A user whose key was due, with a run before each of these pauses."""
    iam = start(80, **known)
    for pause in days:
        iam.run("rotate", "ALL")
        iam.pass_time(days=pause)
    return iam


def ended_after(last, **known):
    """A user whose first run was ended after this call, a day ago."""
    iam = start(80, **known)

    iam.end_after(last)
    with pytest.raises(Ended):
        iam.run("rotate", "ALL")
    iam.before = lambda action, parameters: None
    iam.pass_time(days=1)
    return iam


@pytest.mark.parametrize(
    "iam, levels",
    [
        pytest.param(start(80), ("acts", None), id="a key that is due"),
        pytest.param(start(80), (None, None, None), id="three steps"),
        pytest.param(start(80, text='{"host": "a"}'), ("acts", None), id="a secret without a key"),
        pytest.param(start(80, text=""), ("acts", None), id="an empty secret"),
        pytest.param(start(text=""), ("acts", None), id="an empty secret, and no key"),
        pytest.param(after(1), ("acts", None, None), id="the old key settles"),
        pytest.param(after(8.5), ("acts", None), id="the old key has settled"),
        pytest.param(after(8.5), (None, None, None), id="the old key has settled, and three steps"),
        pytest.param(after(8.5, 31), ("acts", None, None), id="the old key is deactivated"),
        pytest.param(after(8.5, text=""), ("acts", None), id="nobody uses the new key yet"),
        *[
            pytest.param(ended_after(call, **known), ("acts", None), id=f"{name}ended after {call}")
            for name, known in {"": {}, "an empty secret, ": {"text": ""}}.items()
            for call in ("CreateAccessKey", "PutSecretValue", "UpdateSecretVersionStage")
        ],
    ],
)
def test_the_secret_holds_a_key_that_works_and_nothing_of_others_is_lost(iam, levels):
    assert explore(iam, *levels) > 3_000
