"""The first key of a user, made by the runbook's own code and put into a secret."""

import json

import boto3

from questions import NotAsked, Question, Step, Thing, as_said, differs
from things import TAG
from users import make_user

USER, SECRET = Thing("user", "rotation"), Thing("secret", "rotation")
SECRET_TAG, USER_TAG = "access-key-rotation:secret", "access-key-rotation:user"
# The template's defaults.
OPTIONS = dict(MaxAccessKeyAge=90, MaxExemptionDays=365, RotateAfterDays=75, SettleDays=7, GraceDays=30)


def begin(run):
    run.state["rotating user"] = make_user(run, USER, {SECRET_TAG: run.name("rotation")})
    given = {TAG: run.id, USER_TAG: run.name("rotation")}
    with run.made.making(SECRET) as name:
        tags = [dict(Key=key, Value=value) for key, value in given.items()]
        run.client("secretsmanager").create_secret(Name=name, Tags=tags)


def first_key(run):
    # With the Region and the credentials of the account.
    from rotate import rotate

    boto3.DEFAULT_SESSION = run.sessions["own"]
    event = dict(OPTIONS, ResourceId=run.state["rotating user"], DryRun="false", ExecutionId=run.id)
    results = rotate(event, {})["Results"]
    words = "; ".join("{Outcome}: {Reason}".format(**result) for result in results)
    if "rotated" not in [result["Outcome"] for result in results]:
        return differs(words)
    text = run.client("secretsmanager").get_secret_value(SecretId=run.name("rotation"))["SecretString"]
    held = json.loads(text)["AccessKeyId"]
    pages = run.client("iam").list_access_keys(UserName=run.name("rotation"))["AccessKeyMetadata"]
    active = [key["AccessKeyId"] for key in pages if key["Status"] == "Active"]
    if active != [held]:
        return differs(f"{words}. The secret does not hold the user's only active key")
    run.state |= {"a key": held, "rotated": True}
    return as_said(words)


def key_of_secret(run):
    """Whether the key works, as its consumer would use it."""
    secrets = run.client("secretsmanager")
    if "rotated" not in run.state:
        raise NotAsked("there is no key in the secret")
    held = json.loads(secrets.get_secret_value(SecretId=run.name("rotation"))["SecretString"])
    given = dict(aws_access_key_id=held["AccessKeyId"], aws_secret_access_key=held["SecretAccessKey"])
    caller = run.client("sts", **given).get_caller_identity()
    is_theirs = caller["UserId"] == run.state["rotating user"]
    return (as_said if is_theirs else differs)(f"it answers as {'the user' if is_theirs else 'another user'}")


PAGE = "templates/ROTATION.md"
STEP = Step(
    title="A user whose key rotates into a secret",
    makes=(USER, SECRET),
    begin=begin,
    questions=(
        Question(
            "first-key",
            "Does a run put a new key into an empty secret?",
            PAGE,
            "make an empty one. The next run puts a new key into it",
            first_key,
        ),
        Question(
            "key-of-secret",
            "Does the key in the secret work?",
            PAGE,
            "the secret holds a new key, which `sts:GetCallerIdentity` has shown to work",
            key_of_secret,
        ),
    ),
)
