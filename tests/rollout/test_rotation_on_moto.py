"""Rotations on moto's IAM, Secrets Manager and Parameter Store: runs that end before any call, somebody's act, and the
runs after it.

Each story comes from its seed. Whatever happens: AWSCURRENT holds an active key of the user, nobody ever has a third
key, one key is active at least, a key is switched off only when nobody needs it, the owner's other fields survive, and
no secret is in an output, an error, a notice, a tag or a parameter.
"""

import json
import os
import random
import unittest.mock
from datetime import timedelta

import pytest
from moto import mock_aws

from fake_iam import Ended, at
from moto_account import MotoAccount

START = at("2026-03-01T12:00:00Z")
USER, SECRET = "bot", "bots/deploy"
USER_TAG, SECRET_TAG = "access-key-rotation:user", "access-key-rotation:secret"
SETTLE = timedelta(days=7)
STORIES, PARTS = 200, 4


class Rotation:
    """A user of moto's, whose key is in a secret."""

    def __init__(self, monkeypatch):
        self.aws = aws = MotoAccount(monkeypatch, START)
        iam = aws.by_people("iam")
        tags = [{"Key": SECRET_TAG, "Value": SECRET}]
        self.user_id = iam.create_user(UserName=USER, Tags=tags)["User"]["UserId"]
        key = iam.create_access_key(UserName=USER)["AccessKey"]
        self.old, self.edits, self.handed_out = key["AccessKeyId"], 0, {key["AccessKeyId"]: START}
        self.deleted = set()
        fields = {"host": "edit 0", "AccessKeyId": self.old, "SecretAccessKey": key["SecretAccessKey"]}
        aws.by_people("secretsmanager").create_secret(
            Name=SECRET, SecretString=json.dumps(fields), Tags=[{"Key": USER_TAG, "Value": USER}]
        )
        aws.pass_time(days=75)
        aws.use(self.old)
        aws.check, self.is_broken = self.check, False

    def copy(self):
        return self.aws.copy(), self.edits, dict(self.handed_out)

    def go_back(self, state):
        aws, self.edits, self.handed_out = state[0], state[1], dict(state[2])
        self.aws.go_back(aws)
        self.is_broken = False

    def keys(self):
        return {key.access_key_id: key for key in self.aws.held.users[USER].access_keys}

    def current(self):
        [version] = [
            version
            for version in self.aws.secrets[SECRET].versions.values()
            if "AWSCURRENT" in version["version_stages"]
        ]
        return json.loads(version["secret_string"])

    def current_key(self):
        return self.current()["AccessKeyId"]

    def is_off(self, key_id):
        return key_id not in self.keys() or self.keys()[key_id].status == "Inactive"

    def is_done(self):
        return self.current_key() != self.old and self.is_off(self.old)

    def is_left(self):
        """Whether nobody can tell who switched the old key: a run ended between the record and the deed."""
        [*_, record] = self.aws.parameters[f"/access-key-rotation/keys/{self.old}"] or [None]
        return record is not None and json.loads(record.value)["state"] == "deactivating"

    def check(self, operation):
        """What must hold after each change of a script's."""
        keys, fields = self.keys(), self.current()
        key_id = fields["AccessKeyId"]
        # The owner deleted the new key just before a run handed it out.
        self.is_broken = self.is_broken or key_id in self.deleted
        if self.is_broken:
            return
        assert key_id in keys and keys[key_id].status == "Active", "AWSCURRENT holds a key that does not work"
        assert fields["SecretAccessKey"] == keys[key_id].secret_access_key
        assert fields["host"] == f"edit {self.edits}", "an edit of the owner's is lost"
        assert len(keys) <= 2
        if key_id not in self.handed_out or operation == "UpdateSecretVersionStage":
            self.handed_out.setdefault(key_id, self.aws.now)
        for other, key in keys.items():
            if operation == "UpdateAccessKey" and key.status == "Inactive" and other in self.handed_out:
                at = max(used for used in (self.last_used(key), self.handed_out[key_id]) if used)
                assert self.aws.now - at >= SETTLE, "a key is switched off that somebody may need"
        self.handed_out = {other: since for other, since in self.handed_out.items() if other in keys}

    def last_used(self, key):
        return key.last_used and key.last_used.timestamp.replace(tzinfo=START.tzinfo)

    def check_secrecy(self):
        parameters = [version.value for versions in self.aws.parameters.values() for version in versions]
        tags = repr(self.aws.held.tagger.tags)
        everything = "\n".join([*self.aws.texts, *parameters, tags])
        assert self.aws.texts and len(self.aws.key_secrets) >= 1
        for secret in self.aws.key_secrets:
            assert secret not in everything, "a secret is where everybody sees it"

    def run(self, before=lambda: None):
        self.aws.before = before
        try:
            return self.aws.run("rotate", self.user_id)
        except Ended:
            return None
        finally:
            self.aws.before = lambda: None

    def use_for(self, days):
        """A consumer reads the secret and uses the key, each day."""
        for _ in range(days):
            self.aws.pass_time(days=1)
            if self.current_key() in self.keys():
                self.aws.use(self.current_key())


def edit(rotation, rng):
    rotation.edits += 1
    text = json.dumps(rotation.current() | {"host": f"edit {rotation.edits}"})
    rotation.aws.by_people("secretsmanager").put_secret_value(SecretId=SECRET, SecretString=text)


def apply(rotation, rng):
    """Infrastructure as code that does not know the tag."""
    rotation.aws.by_people("iam").untag_user(UserName=USER, TagKeys=[SECRET_TAG])


def tag_again(rotation):
    rotation.aws.by_people("iam").tag_user(UserName=USER, Tags=[{"Key": SECRET_TAG, "Value": SECRET}])


def add_key(rotation, rng):
    if len(rotation.keys()) < 2:
        rotation.aws.by_people("iam").create_access_key(UserName=USER)


def delete_new_key(rotation, rng):
    for key_id in rotation.keys().keys() - {rotation.old, rotation.current_key()}:
        rotation.aws.by_people("iam").delete_access_key(UserName=USER, AccessKeyId=key_id)
        rotation.deleted.add(key_id)


def run_once_more(rotation, rng):
    """Another run, which may end early too."""
    last = rng.randrange(20, 150)

    def before():
        if len(rotation.aws.calls) == last:
            raise Ended

    rotation.run(before)


def let_months_pass(rotation, rng):
    rotation.use_for(rng.choice([20, 60, 100]))


# The acts, and whether a rotation surely comes to its end after them, without anybody's help.
ACTS = {
    "nothing": (lambda rotation, rng: None, True),
    "edit": (edit, True),
    "second run": (run_once_more, True),
    "apply": (apply, True),
    "owner's second key": (add_key, False),
    "owner deletes the new key": (delete_new_key, True),
    "months": (let_months_pass, False),
}


def main_line(rotation):
    """What AWS holds before each call of a rotation that nothing disturbs, and of the deactivation after it.

    And how many calls the rotation has.
    """
    states = []
    rotation.run(lambda: states.append(rotation.copy()))
    calls = len(states)
    assert rotation.current_key() != rotation.old, rotation.aws.texts[-1]
    rotation.use_for(8)
    rotation.run(lambda: states.append(rotation.copy()))
    assert rotation.is_done()
    return states, calls


def tell(rotation, states, calls, seed):
    rng = random.Random(seed)
    act, comes_to_its_end = ACTS[rng.choice(list(ACTS))]
    if seed % 2:
        # A run ended before any call, and somebody acts.
        last = None
        rotation.go_back(rng.choice(states))
        act(rotation, rng)
    else:
        # Somebody acts before any call of a run.
        last = rng.randrange(calls)
        rotation.go_back(states[0])

    def before():
        if len(rotation.aws.calls) == last:
            rotation.aws.meanwhile(lambda: act(rotation, rng))

    rotation.aws.pass_time(minutes=rng.choice([0, 30, 120, 24 * 60]))
    rotation.run(before)
    tag_again(rotation)
    for _ in range(6):
        if rotation.is_done() or rotation.is_broken:
            break
        rotation.use_for(8)
        rotation.run()
    rotation.check_secrecy()
    is_excused = not comes_to_its_end or rotation.is_left() or rotation.is_broken
    assert rotation.is_done() or is_excused, "the rotation does not come to its end"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_run_that_ends_before_any_call_and_an_act(part, monkeypatch):
    session = {"AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    with unittest.mock.patch.dict(os.environ, session), mock_aws():
        rotation = Rotation(monkeypatch)
        states, calls = main_line(rotation)
        for seed in range(part, STORIES, PARTS):
            try:
                tell(rotation, states, calls, seed)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}") from error
