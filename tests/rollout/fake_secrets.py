"""Secrets Manager and the proof of a key in memory, beside the IAM of fake_iam.py.

Labels move as Secrets Manager's do: the first version of a secret is current at once; AWSPREVIOUS goes to the version
that AWSCURRENT leaves; a version can have several labels; one without a label is kept, but nothing finds it.
"""

import json
import types

from deployed import REGION

CURRENT, PENDING, PREVIOUS = "AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"
KEY_FIELDS = ("AccessKeyId", "SecretAccessKey", "SmtpUsername", "SmtpPassword")
ARN = f"arn:aws:secretsmanager:{REGION}:111122223333:secret:"


class ResourceNotFound(Exception):
    response = {"ResponseMetadata": {"HTTPStatusCode": 400}, "Error": {"Code": "ResourceNotFoundException"}}


class InvalidParameter(Exception):
    response = {"ResponseMetadata": {"HTTPStatusCode": 400}, "Error": {"Code": "InvalidParameterException"}}


class Secret:
    """`versions` are (id, text, time), and `stages` the version's id of each label. `handed_out` are the ids of keys
    that were current, with the last time when they became so; `more` is what else DescribeSecret answers."""

    def __init__(self, name, tags, **more):
        self.arn, self.tags, self.more = f"{ARN}{name}-AbCdEf", dict(tags), more
        self.versions, self.stages, self.handed_out, self.changed = {}, {}, {}, None

    def copy(self):
        other = Secret.__new__(Secret)
        other.arn, other.tags, other.more, other.changed = self.arn, dict(self.tags), self.more, self.changed
        other.versions, other.stages, other.handed_out = dict(self.versions), dict(self.stages), dict(self.handed_out)
        return other

    def text(self, stage=CURRENT):
        return self.versions[self.stages[stage]][0] if stage in self.stages else None

    def fields(self, stage=CURRENT):
        return fields_of(self.text(stage))

    def key_id(self, stage):
        return self.fields(stage).get("AccessKeyId")

    def put(self, text, at, stage=CURRENT):
        number = f"version-{len(self.versions) + 1:024}"
        self.versions[number] = text, at
        self.changed = at
        if CURRENT not in self.stages:
            self.move(CURRENT, number, at)
        if stage == CURRENT:
            self.move(CURRENT, number, at)
            if self.stages.get(PENDING) == self.stages.get(PREVIOUS):
                self.stages.pop(PENDING, None)
        else:
            self.stages[stage] = number
        return number

    def move(self, stage, number, at):
        before = self.stages.get(stage)
        self.stages[stage], self.changed = number, at
        if stage == CURRENT:
            if before and before != number:
                self.stages[PREVIOUS] = before
            key_id = self.fields().get("AccessKeyId")
            if before is None or fields_of(self.versions[before][0]).get("AccessKeyId") != key_id:
                self.handed_out[key_id] = at


class SecretsManager:
    """The client. `refuse` gives the error of a call (operation, secret), or None."""

    exceptions = types.SimpleNamespace(
        ResourceNotFoundException=ResourceNotFound, InvalidParameterException=InvalidParameter
    )
    meta = types.SimpleNamespace(region_name=REGION)

    def __init__(self, iam):
        self.iam, self.held = iam, {}
        self.refuse = lambda operation, secret: None
        # The id of the key that the script saw last in the current and in the pending version.
        self.seen_current = self.seen_pending = "nothing yet"

    def add(self, name, tags, text=None, **more):
        secret = self.held[name] = Secret(name, tags, **more)
        secret.changed = self.iam.now
        if text is not None:
            secret.put(text, self.iam.now)
        return secret

    def _secret(self, operation, SecretId):
        self.iam._call(operation, SecretId=SecretId)
        found = [secret for name, secret in self.held.items() if SecretId in (name, secret.arn)]
        if not found:
            raise ResourceNotFound("ResourceNotFoundException: Secrets Manager can't find the specified secret.")
        if error := self.refuse(operation, found[0]):
            raise error
        return found[0]

    def get_paginator(self, operation):
        assert operation == "list_secrets"
        return types.SimpleNamespace(paginate=self._list)

    def _list(self, Filters, IncludePlannedDeletion=False):
        [condition] = Filters
        assert IncludePlannedDeletion
        assert condition["Key"] == "tag-key"
        [prefix] = condition["Values"]
        found = [secret for secret in self.held.values() if any(tag.startswith(prefix) for tag in secret.tags)]
        for start in range(0, max(len(found), 1), 100):
            self.iam._call("ListSecrets")
            page = [dict(ARN=secret.arn, Tags=_tags(secret.tags)) for secret in found[start : start + 100]]
            yield {"SecretList": page}

    def describe_secret(self, SecretId):
        secret = self._secret("DescribeSecret", SecretId)
        stages = {}
        for stage, version in secret.stages.items():
            stages.setdefault(version, []).append(stage)
        about = dict(LastChangedDate=secret.changed, VersionIdsToStages=stages, **secret.more)
        return dict(ARN=secret.arn, Tags=_tags(secret.tags), **about)

    def get_secret_value(self, SecretId, VersionStage):
        secret = self._secret("GetSecretValue", SecretId)
        if VersionStage not in secret.stages:
            raise ResourceNotFound("ResourceNotFoundException: Secrets Manager can't find the specified secret value")
        version = secret.stages[VersionStage]
        text, at = secret.versions[version]
        seen = fields_of(text).get("AccessKeyId")
        if VersionStage == CURRENT:
            self.seen_current = seen
        elif VersionStage == PENDING:
            self.seen_pending = seen
        value = dict(SecretString=text) if isinstance(text, str) else dict(SecretBinary=text)
        return dict(VersionId=version, CreatedDate=at, **value)

    def put_secret_value(self, SecretId, SecretString, VersionStages):
        secret = self._secret("PutSecretValue", SecretId)
        assert VersionStages == [PENDING] and len(SecretString.encode()) <= 65536
        is_first = CURRENT not in secret.stages
        if is_first:
            self.check_hand_out(json.loads(SecretString))
        elif PENDING in secret.stages and secret.stages[PENDING] != secret.stages[CURRENT]:
            pending = secret.fields(PENDING).get("AccessKeyId")
            self.iam.forbid(pending not in self.iam.made and self.seen_pending == pending, "a pending version is lost")
        secret.put(SecretString, self.iam.now, PENDING)
        return {}

    def update_secret_version_stage(self, SecretId, VersionStage, RemoveFromVersionId, MoveToVersionId=None):
        secret = self._secret("UpdateSecretVersionStage", SecretId)
        if secret.stages.get(VersionStage) != RemoveFromVersionId:
            raise InvalidParameter("InvalidParameterException: the version has not this label")
        secret.changed = self.iam.now
        if MoveToVersionId is None:
            del secret.stages[VersionStage]
        else:
            before, after = secret.fields(), json.loads(secret.versions[MoveToVersionId][0])
            self.check_hand_out(after)
            kept, given = ({name: f[name] for name in f if name not in KEY_FIELDS} for f in (before, after))
            self.iam.forbid(VersionStage == CURRENT and kept != given, "an edit is lost")
            secret.move(VersionStage, MoveToVersionId, self.iam.now)
        return {}

    def check_hand_out(self, fields):
        """A key that is handed out works, by what was seen last."""
        key_id, iam = fields["AccessKeyId"], self.iam
        seen = iam.seen_keys.get(key_id)
        iam.forbid(fields["SecretAccessKey"] != iam.secrets.get(key_id), "a key is handed out with another's secret")
        iam.forbid(seen is None or seen.status != "Active", "a key that is not active is handed out")
        iam.forbid(key_id not in iam.proven, "a key that was not proven is handed out")
        iam.forbid(key_id not in iam.made, "a key that no rotation made is handed out")


class Sts:
    """The client with a key's credentials."""

    def __init__(self, iam, key_id, secret):
        self.iam, self.key_id, self.secret = iam, key_id, secret

    def get_caller_identity(self):
        self.iam._call("GetCallerIdentity")
        user = self.iam.use(self.key_id, self.secret, "sts")
        self.iam.proven.add(self.key_id)
        return dict(UserId=user.id, Arn=f"arn:aws:iam::111122223333:user/{user.name}", Account="111122223333")


def fields_of(text):
    try:
        fields = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _tags(tags):
    return [{"Key": name, "Value": value} for name, value in tags.items()]
