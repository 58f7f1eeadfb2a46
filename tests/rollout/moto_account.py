"""The runbooks on moto's IAM, Secrets Manager, Parameter Store and EventBridge, in process, through boto3.

moto's GetCallerIdentity knows no users' keys, and its CloudTrail has no events: these two are stand-ins. Each call
takes a second of the calendar.
"""

import copy
import functools
import json
import traceback
import types
from datetime import datetime, timedelta

import boto3
import moto.core.errors
import moto.core.responses
import moto.iam.models
import moto.secretsmanager.models
import moto.ssm.models
from botocore import UNSIGNED
from botocore.config import Config
from moto.core import DEFAULT_ACCOUNT_ID as ACCOUNT

from deployed import REGION
from fake_aws import CloudTrail
from fake_iam import HANDLERS, MODULES, PARAMETERS, ROTATION_ROLE, InvalidClientTokenId

WRITES = (
    "CreateAccessKey",
    "UpdateAccessKey",
    "DeleteAccessKey",
    "PutSecretValue",
    "UpdateSecretVersionStage",
    "PutParameter",
    "DeleteParameter",
    "TagUser",
)


class Clients:
    """boto3's clients, which take long to make: made once for all accounts of a process."""

    def __init__(self):
        self.made, self.account = {}, None

    def of(self, service):
        if service not in self.made:
            # Without what takes botocore long and tells moto nothing.
            config = Config(signature_version=UNSIGNED, parameter_validation=False, user_agent="tests")
            made = boto3.client(service, region_name=REGION, config=config)
            made.meta.events.register("before-parameter-build", self.before)
            made.meta.events.register("after-call", self.after)
            self.made[service] = made
        return self.made[service]

    def before(self, params, model, **more):
        self.account._call(model.name, **params)

    def after(self, http_response, parsed, model, **more):
        if http_response.status_code == 200:
            self.account.after(model.name, parsed)


CLIENTS = Clients()


def remember(monkeypatch):
    """Has moto remember what it finds out anew for each call: a service's methods and errors."""
    for module, name in ((moto.core.responses, "method_names_from_class"), (moto.core.errors, "ErrorLookupFactory")):
        monkeypatch.setattr(module, name, functools.cache(getattr(module, name)))


def keep_labels(monkeypatch):
    """Has moto move AWSCURRENT as Secrets Manager documents it. By itself, moto goes on to take the version that lost
    the label as the current one: GetSecretValue without a label answers it, and PutSecretValue leaves AWSCURRENT on two
    versions. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html"""
    backend = moto.secretsmanager.models.SecretsManagerBackend
    update = backend.update_secret_version_stage

    def update_and_remember(self, secret_id, version_stage, remove_from_version_id, move_to_version_id):
        answer = update(self, secret_id, version_stage, remove_from_version_id, move_to_version_id)
        if version_stage == "AWSCURRENT":
            self.secrets[secret_id].set_default_version_id(move_to_version_id)
        return answer

    monkeypatch.setattr(backend, "update_secret_version_stage", update_and_remember)


class MotoAccount:
    """`before` is called before each call of a script, and may end the run. `check` is called after each change that a
    script made, with the operation."""

    def __init__(self, monkeypatch, now):
        self.now, self.calls, self.role, self.runs = now, [], None, 0
        self.before, self.check = (lambda: None), (lambda operation: None)
        self.fault, self.cloudtrail = None, CloudTrail(self)
        # Texts that scripts put out or pass to AWS, except to Secrets Manager, and the secrets of all keys so far.
        self.texts, self.key_secrets = [], set()
        remember(monkeypatch)
        keep_labels(monkeypatch)
        self.held = moto.iam.models.iam_backends[ACCOUNT]["aws"]
        self.secrets = moto.secretsmanager.models.secretsmanager_backends[ACCOUNT][REGION].secrets
        self.parameters = moto.ssm.models.ssm_backends[ACCOUNT][REGION]._parameters
        monkeypatch.setattr(
            moto.secretsmanager.models, "time", types.SimpleNamespace(time=lambda: self.now.timestamp())
        )
        for module in (moto.iam.models, moto.ssm.models):
            monkeypatch.setattr(module, "utcnow", lambda: self.now.replace(tzinfo=None))
        CLIENTS.account = self

    # What people do.

    def by_people(self, service):
        """A client whose calls nobody counts."""
        self.role = None
        return CLIENTS.of(service)

    def pass_time(self, **time):
        self.now += timedelta(**time)

    def use(self, key_id, service="s3"):
        self.held.access_keys[key_id].last_used = moto.iam.models.AccessKeyLastUsed(
            timestamp=self.now.replace(tzinfo=None), service=service, region=REGION
        )

    def meanwhile(self, act):
        """Lets somebody act between two calls of a script."""
        held = self.role, self.calls, self.before
        self.before = lambda: None
        act()
        self.role, self.calls, self.before = held

    # A script's calls.

    def _call(self, operation, **parameters):
        if self.role is None:
            return
        self.pass_time(seconds=1)
        self.before()
        self.calls.append(operation)
        if operation not in ("PutSecretValue", "GetCallerIdentity"):
            self.texts.append(repr(parameters))

    def after(self, operation, answer):
        if operation == "CreateAccessKey":
            self.key_secrets.add(answer["AccessKey"]["SecretAccessKey"])
        if self.role is None:
            return
        if operation == "CreateAccessKey":
            key = answer["AccessKey"]
            self.cloudtrail.add(key["UserName"], key["AccessKeyId"], None, self.role, self.now)
        if operation in WRITES:
            try:
                self.check(operation)
            except AssertionError as fault:
                # The script would catch it.
                self.fault = self.fault or fault

    def client(self, service, config=None, region_name=None, aws_access_key_id=None, aws_secret_access_key=None):
        if service == "cloudtrail":
            return self.cloudtrail
        if service == "sts":
            answer = lambda: self.caller(aws_access_key_id, aws_secret_access_key)
            return types.SimpleNamespace(get_caller_identity=answer)
        return CLIENTS.of(service)

    def caller(self, key_id, secret):
        self._call("GetCallerIdentity")
        key = self.held.access_keys.get(key_id)
        if key is None or key.status != "Active" or key.secret_access_key != secret:
            raise InvalidClientTokenId("InvalidClientTokenId: The security token included in the request is invalid.")
        self.use(key_id, "sts")
        return dict(UserId=self.held.users[key.user_name].id)

    def run(self, handler, user_id, **parameters):
        """A run of a runbook. Gives its results, or None if it failed or was ended."""
        clock = type("Clock", (datetime,), {"now": classmethod(lambda cls, zone=None: self.now)})
        for module in MODULES:
            module.boto3 = types.SimpleNamespace(client=self.client)
            module.datetime = clock
            module.time = types.SimpleNamespace(sleep=self.sleep, monotonic=lambda: 0)
        self.role, self.calls = ROTATION_ROLE, []
        self.runs += 1
        event = {**PARAMETERS[handler], "ResourceId": user_id, "ExecutionId": f"run-{self.runs}", "OwnerTag": "owner"}
        try:
            outputs = HANDLERS[handler](event | parameters, {})
            self.texts.append(json.dumps(outputs))
            return outputs["Results"]
        except Exception:
            self.texts.append(traceback.format_exc())
        finally:
            self.role = None
            if self.fault:
                raise self.fault

    def sleep(self, seconds):
        self.pass_time(seconds=seconds)

    # What the account holds, to go on from there again.

    def copy(self):
        iam = self.held.users, self.held.access_keys, self.held.tagger.tags
        state = copy.deepcopy((iam, dict(self.secrets), self.cloudtrail.events, self.key_secrets))
        parameters = {name: list(versions) for name, versions in self.parameters.items()}
        return state, parameters, self.now, self.runs

    def go_back(self, state):
        state, parameters, self.now, self.runs = state
        iam, secrets, self.cloudtrail.events, self.key_secrets = copy.deepcopy(state)
        self.held.users, self.held.access_keys, self.held.tagger.tags = iam
        for now, before in ((self.secrets, secrets), (self.parameters, parameters)):
            now.clear()
            now.update({name: list(held) if isinstance(held, list) else held for name, held in before.items()})
        self.texts, self.role, self.fault = [], None, None
