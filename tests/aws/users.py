"""Questions about access keys, with users without permissions."""

import csv
import io
import json
from datetime import datetime

from questions import NotAsked, Question, Step, Thing, as_said, differs, is_denied, told
from things import TAG

DATES, TAGGED, PLAIN, ROLE = (
    Thing("user", "dates"),
    Thing("user", "tagged"),
    Thing("user", "plain"),
    Thing("role", "key-maker"),
)
# The report's dates have seconds.
GAP_SECONDS, MINUTES_OF_IAM = 30, 3
OPT_IN = "first-hour:opt-in"


def make_user(run, thing, tags=None):
    """The user's id."""
    given = {TAG: run.id} | (tags or {})
    tags = [dict(Key=key, Value=value) for key, value in given.items()]
    with run.made.making(thing) as name:
        return run.client("iam").create_user(UserName=name, Tags=tags)["User"]["UserId"]


def make_role(run, thing, trust, statements):
    """The role's ARN."""
    allow = dict(Effect="Allow", Action="sts:AssumeRole", **trust)
    iam = run.client("iam", thing.account)
    with run.made.making(thing) as name:
        role = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(dict(Version="2012-10-17", Statement=[allow])),
            Tags=[dict(Key=TAG, Value=run.id)],
        )["Role"]
        if statements:
            policy = json.dumps(dict(Version="2012-10-17", Statement=statements))
            iam.put_role_policy(RoleName=name, PolicyName="first-hour", PolicyDocument=policy)
    return role["Arn"]


def set_status(run, key_id, status):
    run.client("iam").update_access_key(UserName=run.name("dates"), AccessKeyId=key_id, Status=status)
    return run.now()


def begin(run):
    iam = run.client("iam")
    make_user(run, DATES)
    keys = [iam.create_access_key(UserName=run.name("dates"))["AccessKey"] for _ in range(2)]
    switched, off = (key["AccessKeyId"] for key in keys)
    times = dict(created=keys[0]["CreateDate"])
    run.sleep(GAP_SECONDS)
    times["deactivated"] = [set_status(run, key_id, "Inactive") for key_id in (switched, off)][0]
    run.sleep(GAP_SECONDS)
    times["activated"] = set_status(run, switched, "Active")
    run.sleep(GAP_SECONDS)
    run.state |= {"times": times, "a key": switched}


def row_of_report(run):
    """The row of the user with the dates, in a report that is younger than the user."""
    if "times" not in run.state:
        raise NotAsked("there is no user with the dates")
    if "row" in run.state:
        return run.state["row"]
    iam = run.client("iam")
    if not run.wait(lambda: iam.generate_credential_report()["State"] == "COMPLETE", pause=10):
        raise NotAsked("IAM made no credential report in time")
    report = iam.get_credential_report()
    rows = csv.DictReader(io.StringIO(report["Content"].decode()))
    [row] = [row for row in rows if row["user"] == run.name("dates")] or [None]
    if row is None:
        since = report["GeneratedTime"].strftime("%H:%M")
        raise NotAsked(f"IAM made its report at {since} UTC, before the user. It makes another one after four hours")
    run.state["row"] = row
    return row


def which(run, text):
    """Which of the three times a date of the report is."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    distances = {name: abs((at - time).total_seconds()) for name, time in run.state["times"].items()}
    name = min(distances, key=distances.get)
    if distances[name] > GAP_SECONDS / 2:
        raise NotAsked(f"the report has {text}, which is none of {run.state['times']}")
    return name


def keys_of_report(run):
    """(active, date) of the two keys, whose order the report does not tell."""
    row = row_of_report(run)
    return [(row[f"access_key_{n}_active"], row[f"access_key_{n}_last_rotated"]) for n in (1, 2)]


def date_of(run, is_active):
    dates = [date for active, date in keys_of_report(run) if active == is_active]
    if len(dates) != 1:
        raise NotAsked(f"the report has {len(dates)} keys of the user with the status {is_active}")
    return dates[0]


def date_of_inactive_key(run):
    date = date_of(run, "false")
    if date == "N/A":
        return as_said("N/A")
    name = which(run, date)
    return (differs if name == "deactivated" else as_said)(f"{date}: when it was {name}")


def date_of_activation(run):
    date = date_of(run, "true")
    if date == "N/A":
        return differs("N/A for an active key")
    name = which(run, date)
    return (as_said if name == "activated" else differs)(f"{date}: when it was {name}")


def tags_of_resource(run):
    """As the rotation's role in templates/member.yaml may make keys."""
    tagged, plain = (run.name(thing.suffix) for thing in (TAGGED, PLAIN))
    make_user(run, TAGGED, {OPT_IN: "yes"})
    make_user(run, PLAIN)
    statement = dict(
        Effect="Allow",
        Action="iam:CreateAccessKey",
        Resource=run.arn("iam", f"user/{run.name('')}*", region=""),
        Condition={"StringLike": {f"aws:ResourceTag/{OPT_IN}": "?*"}},
    )
    # The caller's policies decide: this account may.
    trust = dict(Principal={"AWS": run.arn("iam", "root", region="")})
    role = make_role(run, ROLE, trust, [statement])
    answers = {}

    def assumed():
        try:
            sts = run.client("sts")
            return sts.assume_role(RoleArn=role, RoleSessionName="first-hour", DurationSeconds=900)["Credentials"]
        except sts.exceptions.ClientError as error:
            answers["AssumeRole"] = told(error)

    # IAM shows a new role and its policy everywhere after some seconds.
    session = run.wait(assumed, MINUTES_OF_IAM, pause=10)
    if not session:
        raise NotAsked(answers["AssumeRole"])
    iam = run.client(
        "iam",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )

    def makes(user):
        try:
            iam.create_access_key(UserName=user)
            return True
        except iam.exceptions.ClientError as error:
            if not is_denied(error):
                raise
            answers[user] = told(error)

    if not run.wait(lambda: makes(tagged), MINUTES_OF_IAM, pause=10):
        return differs(f"denied for the user with the tag: {answers[tagged]}")
    if makes(plain):
        return differs("allowed for the user without the tag too")
    return as_said("allowed for the user with the tag, denied for the one without")


REPORT = "templates/RUNBOOKS.md"
STEP = Step(
    title="Users without permissions, and their access keys",
    makes=(DATES, TAGGED, PLAIN, ROLE),
    begin=begin,
    questions=(
        Question(
            "date-of-inactive-key",
            "Which date has an inactive key in the credential report?",
            REPORT,
            "For an inactive key, the report may say N/A.",
            date_of_inactive_key,
        ),
        Question(
            "date-of-activation",
            "Does the report's date move when somebody activates a key?",
            REPORT,
            '`access_key_N_last_rotated` is the time when a key was "created or most recently activated"',
            date_of_activation,
        ),
        Question(
            "tags-of-resource",
            "Does aws:ResourceTag hold for CreateAccessKey?",
            "SECURITY.md",
            "make, deactivate and delete keys of users with the tag `access-key-rotation:secret` under `RotationPath`",
            tags_of_resource,
        ),
    ),
)
