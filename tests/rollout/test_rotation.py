"""A rotation into a secret: what becomes of a user's keys, the secret and the records, and of whatever does not fit."""

import json
from datetime import timedelta

from fake_iam import Iam, Key, at
from fake_secrets import CURRENT, PENDING, PREVIOUS

KEY, OTHER = "AKIAAAAAAAAAAAAAAAA1", "AKIAAAAAAAAAAAAAAAA2"
START = at("2026-03-01T12:00:00Z")
SECRET = "bots/deploy"


def account(*ages, text=None, **more):
    """A user with keys of so many days, of whom the first is in the secret. Both are tagged."""
    iam = Iam(START)
    user = iam.add("bot", *((key_id, Key(START - timedelta(days=age))) for key_id, age in zip((KEY, OTHER), ages)))
    user.tags["access-key-rotation:secret"] = SECRET
    for key_id in user.keys:
        iam.secret_of(key_id)
    if text is None:
        text = json.dumps(
            {"host": "smtp.example.com", "AccessKeyId": KEY, "SecretAccessKey": iam.secret_of(KEY), "port": 25}
        )
    tags = {"access-key-rotation:user": "bot"}
    iam.secretsmanager.add(SECRET, tags, text or None, **more)
    return iam


def rotate(iam, user_id="ALL", **parameters):
    outputs = iam.run("rotate", user_id, **parameters)
    return [(result["Outcome"], result["AccessKeyId"], result["Reason"]) for result in outputs["Results"]]


def held(iam, stage=CURRENT):
    return iam.secretsmanager.held[SECRET].fields(stage)


def outcomes(iam, **parameters):
    return [(outcome, key_id) for outcome, key_id, _ in rotate(iam, **parameters)]


def test_from_a_key_that_is_due_to_the_deleted_old_key():
    iam = account(74)
    [(outcome, key_id, reason)] = rotate(iam)
    assert (outcome, key_id) == ("not due", KEY) and "rotates on 2026-03-02" in reason
    iam.pass_time(days=1)
    new, old = "AKIAMADE000000000000", iam.users["bot"].keys[KEY]
    assert outcomes(iam) == [("rotated", new), ("settling", KEY)]
    assert held(iam) == {
        "host": "smtp.example.com",
        "AccessKeyId": new,
        "SecretAccessKey": iam.secrets[new],
        "port": 25,
    }
    assert held(iam, PREVIOUS)["AccessKeyId"] == KEY and PENDING not in iam.secretsmanager.held[SECRET].stages
    iam.pass_time(days=3)
    iam.use(KEY, iam.secrets[KEY])
    iam.pass_time(days=6)
    [(outcome, _, reason)] = rotate(iam)
    assert outcome == "settling" and "used on 2026-03-05 by s3" in reason and "on 2026-03-12" in reason
    iam.pass_time(days=2)
    assert outcomes(iam) == [("deactivated", KEY), ("not due", new)]
    assert old.status == "Inactive" and iam.parameters.state(KEY) == "deactivated"
    assert not any(name.startswith("/access-key-rotation/users/") for name in iam.parameters.held)
    iam.pass_time(days=31)
    [result] = iam.run("delete", "ROTATED")["Results"]
    assert result["Outcome"] == "deleted" and list(iam.users["bot"].keys) == [new]
