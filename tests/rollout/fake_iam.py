"""IAM in memory, for the runbooks as they are: of one account, with the access keys of its users, in the place of
boto3. With it go Parameter Store, CloudTrail and EventBridge (fake_aws.py).

Each call takes a second of the calendar, and of the run's time what a test says. `before` is called before each call of
the script, and may change what IAM holds or end the run.
"""

import types
from datetime import datetime, timedelta, timezone

import account
import common
import optin
import proofs
import records
import rotate as rotate_script
import secret
import trail
import userrecords
from deactivate import deactivate
from delete import delete
from deployed import REGION
from fake_aws import CloudTrail, Events, ParameterStore
from fake_secrets import SecretsManager, Sts
from reactivate import reactivate
from rotate import rotate

TIME = "%Y-%m-%dT%H:%M:%SZ"
HANDLERS = {"deactivate": deactivate, "reactivate": reactivate, "delete": delete, "rotate": rotate}
PARAMETERS = {
    "deactivate": {
        "MaxAccessKeyAge": "90",
        "MaxExemptionDays": "365",
        "QuietDays": "45",
        "Again": "false",
        "DryRun": "false",
        "RotationPath": "/",
    },
    "delete": {"GraceDays": "30", "StartAfter": "", "DryRun": "false"},
    "reactivate": {"DryRun": "false"},
    "rotate": {
        "MaxAccessKeyAge": "90",
        "MaxExemptionDays": "365",
        "RotateAfterDays": "75",
        "SettleDays": "7",
        "GraceDays": "30",
        "DryRun": "false",
    },
}
MODULES = (common, account, records, trail, proofs, optin, secret, userrecords, rotate_script)
EXECUTION = "7a4c6d1f-0000-4000-8000-000000000000"
# A credential report is made every four hours at most.
REPORT = timedelta(hours=4)
# How CloudTrail names who calls.
OUR_ROLE, ROTATION_ROLE = "access-key-rotation-remediation", "access-key-rotation-rotation"


class ClientError(Exception):
    """What a call fails with. IAM has answered, so the call has changed nothing."""

    response = {"ResponseMetadata": {"HTTPStatusCode": 400}}


class NoSuchEntity(ClientError):
    pass


class LimitExceeded(ClientError):
    pass


class InvalidClientTokenId(ClientError):
    pass


class Ended(BaseException):
    """The run is ended from outside, as at 600 seconds: no handler of the script sees it."""


class Key:
    """An access key. `ours_since` is when a runbook switched it off, if nobody else has touched it since.
    `is_on_again`: somebody switched it on after a runbook had switched it off."""

    def __init__(self, created, status="Active"):
        self.created, self.status = created, status
        self.switched_on, self.last_used, self.ours_since, self.is_on_again = created, None, None, False
        self.service = "s3"

    def copy(self):
        other = Key.__new__(Key)
        other.__dict__.update(self.__dict__)
        return other


class User:
    def __init__(self, name, user_id):
        self.name, self.id, self.path = name, user_id, "/"
        self.keys, self.tags = {}, {}

    def copy(self):
        other = User(self.name, self.id)
        other.path = self.path
        other.keys = {key_id: key.copy() for key_id, key in self.keys.items()}
        other.tags = dict(self.tags)
        return other


class Clock(datetime):
    """The clock of the account that runs."""

    iam = None

    @classmethod
    def now(cls, zone=None):
        return cls.iam.now


class Iam:
    """The client, and what the tests look at."""

    exceptions = types.SimpleNamespace(NoSuchEntityException=NoSuchEntity)

    def __init__(self, now):
        self.now = now
        self.users = {}
        self.calls = []
        # What was switched on, or made, so long ago is not yet in the credential report.
        self.report_age = timedelta(0)
        # "on": the report's date is that of the last switch-on (Trusted Advisor's reference); "any": of any change
        # (IAM's guide); "no": it has none.
        self.report_dates = "on"
        self.before = lambda action, parameters: None
        self.seconds = self.latency = 0
        # What the script has seen last: a call later, IAM may hold something else, and no client can tell.
        self.seen_keys, self.seen_tags, self.seen_uses, self.listed = {}, {}, {}, {}
        self.is_again = False
        self.partition, self.regions = "aws", {}
        self.deletions = []
        # (key's id, kind) of each change that the script made to a key.
        self.changes = []
        # Of keys that somebody had switched on again, those that the script switched off by itself.
        self.again = []
        self.events, self.parameters, self.cloudtrail = Events(self), ParameterStore(self), CloudTrail(self)
        self.secretsmanager = SecretsManager(self)
        # Who calls; the secret of each key; the keys that the script proved; and those that it made.
        self.runs = 0
        self.role, self.secrets, self.proven, self.made = OUR_ROLE, {}, set(), []
        # What the script must never do, and did.
        self.violations = []

    def add(self, name, *keys):
        user = self.users[name] = User(name, f"AIDA{name.upper():A<17}")
        user.keys.update(keys)
        return user

    def forbid(self, happened, what):
        if happened:
            self.violations.append(what)

    def secret_of(self, key_id):
        return self.secrets.setdefault(key_id, f"secret/of+{key_id}/not+to+be+seen")

    def use(self, key_id, secret, service="s3"):
        """A call with a key. Raises if it is denied."""
        for user in self.users.values():
            key = user.keys.get(key_id)
            if key and key.status == "Active" and secret == self.secrets.get(key_id):
                key.last_used, key.service = self.now, service
                return user
        raise InvalidClientTokenId("InvalidClientTokenId: The security token included in the request is invalid.")

    # What happens to the script.

    def fail(self, action, error):
        """From now on, each call of the action fails."""

        def before(called, parameters):
            if called == action:
                raise error

        self.before = before

    def end_after(self, action):
        """Ends the next run after a call of the action."""

        def before(called, parameters):
            if self.calls and self.calls[-1] == action:
                raise Ended()

        self.before = before

    # What people do.

    def switch(self, user, key_id, status):
        key = self.users[user].keys[key_id]
        self.cloudtrail.add(user, key_id, status, "owner", self.now)
        self._switch(key_id, key, status)

    def _switch(self, key_id, key, status):
        if key.status != status:
            if status == "Active" and key.ours_since is not None and self.parameters.value(key_id) is not None:
                key.is_on_again = True
            key.status, key.ours_since = status, None
            if status == "Active" or self.report_dates == "any":
                key.switched_on = self.now

    def record(self, key_id, state="deactivated", since=None, **more):
        """Writes a key's record, as a runbook that changed the key then would have."""
        since = since or self.now
        [owner] = [user for user in self.users.values() if key_id in user.keys]
        self.parameters.record(key_id, state, since, EXECUTION, owner.id, since, **more)
        if state == "deactivated":
            self.cloudtrail.add(owner.name, key_id, "Inactive", OUR_ROLE, since)

    # The calls.

    def _call(self, action, **parameters):
        self.pass_time(seconds=1)
        self.seconds += self.latency
        self.before(action, parameters)
        self.calls.append(action)

    def pass_time(self, **time):
        self.now += timedelta(**time)

    def _user(self, name):
        if name not in self.users:
            raise NoSuchEntity(f"NoSuchEntity: the user {name}")
        return self.users[name]

    def _key(self, user, key_id):
        keys = self._user(user).keys
        if key_id not in keys:
            raise NoSuchEntity(f"NoSuchEntity: the access key {key_id}")
        return keys[key_id]

    def get_paginator(self, operation):
        listing = {"list_users": self._list_users, "list_access_keys": self._list_access_keys}[operation]
        return types.SimpleNamespace(paginate=lambda PaginationConfig, **parameters: listing(**parameters))

    def _list_users(self):
        self._call("ListUsers")
        yield {
            "Users": [
                {
                    "UserName": user.name,
                    "UserId": user.id,
                    "Arn": f"arn:{self.partition}:iam::111122223333:user/{user.name}",
                }
                for user in self.users.values()
            ]
        }

    def _list_access_keys(self, UserName):
        self._call("ListAccessKeys", UserName=UserName)
        keys = self._user(UserName).keys
        self.seen_keys.update((key_id, key.copy()) for key_id, key in keys.items())
        self.listed = {key_id: key.status for key_id, key in keys.items()}
        yield {
            "AccessKeyMetadata": [
                {"UserName": UserName, "AccessKeyId": key_id, "Status": key.status, "CreateDate": key.created}
                for key_id, key in keys.items()
            ]
        }

    def get_user(self, UserName):
        self._call("GetUser", UserName=UserName)
        user = self._user(UserName)
        self.seen_tags[UserName] = dict(user.tags)
        arn = f"arn:aws:iam::111122223333:user{user.path}{user.name}"
        return {"User": {"UserName": user.name, "UserId": user.id, "Arn": arn, "Tags": _tags(user.tags)}}

    def get_access_key_last_used(self, AccessKeyId):
        self._call("GetAccessKeyLastUsed", AccessKeyId=AccessKeyId)
        for user in self.users.values():
            if AccessKeyId in user.keys:
                used = self.seen_uses[AccessKeyId] = user.keys[AccessKeyId].last_used
                date = (
                    {"LastUsedDate": used, "ServiceName": user.keys[AccessKeyId].service, "Region": REGION}
                    if used
                    else {"ServiceName": "N/A", "Region": "N/A"}
                )
                return {"UserName": user.name, "AccessKeyLastUsed": date}
        raise NoSuchEntity(f"NoSuchEntity: the access key {AccessKeyId}")

    def update_access_key(self, UserName, AccessKeyId, Status):
        self._call("UpdateAccessKey", UserName=UserName, AccessKeyId=AccessKeyId)
        key = self._key(UserName, AccessKeyId)
        if Status == "Inactive" and key.is_on_again and not self.is_again:
            self.again.append(AccessKeyId)
        if self.role == ROTATION_ROLE and Status == "Inactive":
            self.check_deactivation(UserName, AccessKeyId)
        self.cloudtrail.add(UserName, AccessKeyId, Status, self.role, self.now)
        self._switch(AccessKeyId, key, Status)
        self.changes.append((AccessKeyId, "reactivated" if Status == "Active" else "deactivated"))
        if (self.seen_keys[AccessKeyId].status, Status) == ("Active", "Inactive"):
            key.ours_since = self.now

    def check_deactivation(self, user_name, key_id):
        """What a rotation switches off was replaced, and has settled; or nobody can have its secret."""
        current = self.secretsmanager.seen_current
        self.forbid(current == key_id, "the key in the secret is deactivated")
        secrets = [secret for secret in self.secretsmanager.held.values() if current in secret.handed_out]
        if key_id in self.made and not any(key_id in secret.handed_out for secret in self.secretsmanager.held.values()):
            is_used = self.seen_uses.get(key_id) and self.users[user_name].keys[key_id].service != "sts"
            self.forbid(is_used, "a new key that somebody uses is deactivated")
            return
        is_left = any(status == "Active" for other, status in self.listed.items() if other != key_id)
        self.forbid(not is_left, "both keys are inactive")
        self.forbid(current not in self.made, "an owner's key is deactivated without a rotation")
        if secrets:
            used = self.seen_uses.get(key_id) or self.now - timedelta(days=9999)
            quiet = self.now - max(used, secrets[0].handed_out[current])
            self.forbid(quiet < timedelta(days=7), "a key is deactivated that has not settled")

    def create_access_key(self, UserName):
        self._call("CreateAccessKey", UserName=UserName)
        user = self._user(UserName)
        if len(user.keys) >= 2:
            raise LimitExceeded("LimitExceeded: Cannot exceed quota for AccessKeysPerUser: 2")
        key_id = f"AKIAMADE{len(self.made):012}"
        self.made.append(key_id)
        user.keys[key_id] = Key(self.now)
        self.cloudtrail.add(UserName, key_id, None, self.role, self.now)
        return {"AccessKey": dict(UserName=UserName, AccessKeyId=key_id, SecretAccessKey=self.secret_of(key_id))}

    def tag_user(self, UserName, Tags):
        self._call("TagUser", UserName=UserName)
        self._user(UserName).tags.update((tag["Key"], tag["Value"]) for tag in Tags)

    def delete_access_key(self, UserName, AccessKeyId):
        self._call("DeleteAccessKey", UserName=UserName, AccessKeyId=AccessKeyId)
        self._key(UserName, AccessKeyId)
        if self.role == ROTATION_ROLE and AccessKeyId in self.made:
            handed_out = any(AccessKeyId in secret.handed_out for secret in self.secretsmanager.held.values())
            self.forbid(self.seen_keys[AccessKeyId].status != "Inactive", "an active key is deleted")
            since = self.seen_keys[AccessKeyId].ours_since
            self.forbid(since is None or since >= self.run_began, "a key is deleted at once")
            self.forbid(handed_out and self.deleter == "rotate", "a key that was handed out is deleted without grace")
        self.deletions.append((self.now, self.seen_keys[AccessKeyId], self.seen_tags[UserName]))
        del self.users[UserName].keys[AccessKeyId]
        self.changes.append((AccessKeyId, "deleted"))

    def generate_credential_report(self):
        self._call("GenerateCredentialReport")
        return {"State": "COMPLETE"}

    def get_credential_report(self):
        self._call("GetCredentialReport")
        at = self.now - self.report_age
        rows = [
            "user,arn,access_key_1_last_rotated,access_key_2_last_rotated",
            "<root_account>,arn:aws:iam::111122223333:root,N/A,N/A",
        ]
        for user in self.users.values():
            # A key that was switched on after the report still has its older date in it.
            dates = [
                min(key.switched_on, key.created) if key.switched_on > at else key.switched_on
                for key in user.keys.values()
            ]
            texts = [
                date.isoformat(timespec="seconds") if date <= at and self.report_dates != "no" else "N/A"
                for date in dates[:2]
            ]
            rows.append(
                ",".join([user.name, f"arn:aws:iam::111122223333:user/{user.name}", *(texts + ["N/A", "N/A"])[:2]])
            )
        return {"Content": "\n".join(rows).encode(), "GeneratedTime": at}

    def run(self, handler, user_id, **parameters):
        """A run of a runbook. Raises what it raises."""
        for module in MODULES:
            self.stand_in(vars(module))
        self.is_again = parameters.get("Again") == "true"
        # Old keys of a rotation are deleted with its role too.
        self.role = ROTATION_ROLE if handler == "rotate" or user_id == "ROTATED" else OUR_ROLE
        self.deleter, self.run_began = handler, self.now
        execution = EXECUTION[:-4] + f"{self.runs:04}"
        self.runs += 1
        event = {**PARAMETERS[handler], "ResourceId": user_id, "ExecutionId": execution, **parameters}
        return HANDLERS[handler](event, {})

    def stand_in(self, names):
        """Puts AWS and the clock of this account in the place of the real ones that a script has."""
        clients = {
            "iam": self,
            "events": self.events,
            "ssm": self.parameters,
            "cloudtrail": self.cloudtrail,
            "secretsmanager": self.secretsmanager,
        }

        def client(service, config=None, region_name=None, aws_access_key_id=None, aws_secret_access_key=None):
            self.regions[service] = region_name
            if service == "sts":
                return Sts(self, aws_access_key_id, aws_secret_access_key)
            assert aws_access_key_id is None
            return clients[service]

        names["boto3"] = types.SimpleNamespace(client=client)
        Clock.iam = self
        names["datetime"], names["Config"] = Clock, dict
        names["time"] = types.SimpleNamespace(sleep=self.sleep, monotonic=lambda: self.seconds)

    def sleep(self, seconds):
        self.pass_time(seconds=seconds)
        self.seconds += seconds


def at(text):
    return datetime.strptime(text, TIME).replace(tzinfo=timezone.utc)


def _tags(tags):
    return [{"Key": name, "Value": value} for name, value in tags.items()]
