"""Runbooks of access-key-rotation: deactivate, delete or reactivate access keys of IAM users.

Each runbook handles one user after the other: it reads everything about the user, decides, and only then writes. If a
read fails, it has changed nothing about that user.

This is what the runbooks share: parameters, the decisions that all of them may take, a run, and its notices.
"""

import json
import re
import time
from datetime import date, datetime, timedelta, timezone

import boto3
from botocore.config import Config

EXEMPT = "access-key-rotation:exempt-"
# A tag on the user, with the name or ARN of the secret into which the user's keys rotate.
SECRET_TAG = "access-key-rotation:secret"
# A tag on the user, with the time of the last change by a runbook. Nothing rests on it, but AWS Config evaluates the
# user when it changes.
LAST_CHANGE = "access-key-rotation:last-change"
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

MOST_PAGES = 500
# Systems Manager's limits for the outputs of a step.
MOST_RESULTS, MOST_CHARACTERS = 50, 512
# How many failures an error names. It counts all.
MOST_NAMED, MOST_NAMED_CHARACTERS = 5, 400
# Systems Manager stops the script after 600.
MOST_SECONDS = 480
# Between two looks at what IAM does not show at once.
PAUSE_SECONDS = 2
# The most notices in a call of PutEvents, the most calls for each, and the seconds for all after MOST_SECONDS.
NOTICES_AT_A_TIME, MOST_PUTS, NOTICE_SECONDS = 10, 3, 60
# The most characters of a notice's message, and of the reason in it.
MOST_MESSAGE, MOST_WHY = 512, 270

# Outcomes that change nothing.
ASKED, GONE, KEPT = "left for you to decide", "gone meanwhile", "left as it is"


# What ResourceId may say instead of a user's id: all users, or those with the tag of a secret.
ALL, ROTATED = "ALL", "ROTATED"
MANY_USERS = (ALL, ROTATED)


class Gone(Exception):
    """The user was deleted or renamed after the listing."""


class Untouched(RuntimeError):
    """A key that was to be changed is surely as it was."""


# Parameters, tags and times.


def read_options(event):
    """The parameters: text, and numbers of days. Every DryRun but "false" is a dry run, and only "true" is Again."""
    options = {name: str(value) for name, value in event.items() if name not in ("ExecutionId", "OwnerTag")}
    for name in ("MaxAccessKeyAge", "MaxExemptionDays", "QuietDays", "GraceDays", "RotateAfterDays", "SettleDays"):
        if name in options:
            options[name] = int(options[name])
    options["DryRun"] = options["DryRun"] != "false"
    if "Again" in options:
        options["Again"] = options["Again"] == "true"
    return options


def parse_date(text):
    try:
        return date.fromisoformat(text) if re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


def parse_time(text):
    try:
        return datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc)
    except ValueError:
        return None


def time_now():
    return datetime.now(timezone.utc)


def text_now():
    return time_now().strftime(TIME_FORMAT)


def attempts(most):
    """Counts the attempts of a loop, with a pause after each that does not end the loop."""
    for number in range(most):
        yield number
        time.sleep(PAUSE_SECONDS)


def client(service, retries, connect_timeout=5, read_timeout=20, **where):
    """A client of an AWS service that repeats a call so often at most."""
    retries = dict(mode="standard", max_attempts=retries)
    config = Config(retries=retries, connect_timeout=connect_timeout, read_timeout=read_timeout)
    return boto3.client(service, config=config, **where)


class Report:
    """What became of each key, and what failed. `unchanged` are the outcomes that change nothing, and how they are
    counted: after all others, in this order. `quiet` are those that a failure does not name."""

    unchanged = {ASKED: "left for you to decide", GONE: "gone meanwhile", KEPT: "left as they are"}
    quiet = (KEPT, GONE)

    def __init__(self, account, options):
        self.account, self.options = account, options
        self.results, self.failures, self.unmarked = [], [], []

    def go_on(self, last):
        """How to go on after this user, the last one that a run had time for."""
        return "the same again"

    def mark_changed(self, user):
        """Makes AWS Config evaluate a user whose compliance changed. If that fails, it does at its next schedule."""
        try:
            self.account.mark_changed(user[0])
        except Exception as error:
            self.unmarked.append(f"{user[0]}: {error}")

    def add_result(self, user, key_id, outcome, reason):
        self.results.append(dict(UserName=user[0] or "-", AccessKeyId=key_id or "-", Outcome=outcome, Reason=reason))

    def add_failure(self, user, key_id, error):
        # With ALL, a user who is gone needs no run, and the next run finds a renamed user.
        if self.options["ResourceId"] in MANY_USERS and (isinstance(error, Gone) or self.account.is_gone(user)):
            self.add_result(user, key_id, GONE, f"the user was deleted or renamed while this ran: {error}")
        else:
            self.failures.append(f"{key_id} of {user[0] or '-'}: {error}" if key_id else f"{user[0] or '-'}: {error}")

    def outputs(self, unseen, total, go_on, notes):
        """The outputs of the step. Raises if something failed, or if the time was too short for some users."""
        counts = self.counts()
        if self.unmarked:
            users = first(self.unmarked)
            notes += f" A tag could not be set, so AWS Config evaluates these only at its next schedule: {users}."
        ranked = sorted(self.results, key=self.rank)
        if self.failures or unseen:
            done = [result for result in ranked if result["Outcome"] not in self.quiet]
            lines = [f"{r['AccessKeyId']} of {r['UserName']} {r['Outcome']}: {r['Reason']}" for r in done]
            text = f"The time was up: {unseen} of {total} users remain. Go on with: {go_on} " if unseen else ""
            if self.failures:
                text += f"Failed: {first(self.failures)}. {len(self.failures)} failed. "
            raise RuntimeError(f"{text}Done: {first(lines) or 'nothing'}. In all: {counts}.{notes}")
        if len(ranked) > MOST_RESULTS:
            counts += f". Results are the first {MOST_RESULTS} of {len(ranked)}"
        summary = f"Access keys: {counts}.{notes}"
        return dict(Summary=summary, Results=[fitted(result) for result in ranked[:MOST_RESULTS]])

    def rank(self, result):
        """Changes first, since the outputs have room for some results only."""
        outcomes = [None, *self.unchanged]
        return outcomes.index(result["Outcome"]) if result["Outcome"] in outcomes else 0

    def counts(self):
        outcomes = [result["Outcome"] for result in self.results]
        counted = {outcome: outcomes.count(outcome) for outcome in self.unchanged}
        changed = len(outcomes) - sum(counted.values())
        parts = [f"{changed} {'to be changed' if self.options['DryRun'] else 'changed'}"]
        return ", ".join(
            parts + [f"{number} {self.unchanged[o]}" for o, number in counted.items() if number or o == KEPT]
        )


def first(lines):
    """The first lines, with long lines cut."""
    more = f"; the first {MOST_NAMED} of {len(lines)}" if len(lines) > MOST_NAMED else ""
    return "; ".join(line[:MOST_NAMED_CHARACTERS] for line in lines[:MOST_NAMED]) + more


def fitted(result):
    """A result with its reason cut to Systems Manager's limit."""
    excess = len(json.dumps(result)) - MOST_CHARACTERS
    return dict(result, Reason=result["Reason"][: -excess - 3] + "...") if excess > 0 else result


def go_through(work, users):
    """Goes through the users as long as there is time, and returns the step's outputs."""
    account, options, seen = work.account, work.options, 0
    for user in users:
        if time.monotonic() >= account.deadline:
            break
        seen += 1
        work.handle(user)
    go_on = work.go_on(users[seen - 1] if seen else None)
    return work.outputs(len(users) - seen, len(users), go_on, tell(account, options))


# Notices.


# What nobody can see, or what changes the direction of a text, as in rule/policy/src/text.rs.
UNSEEN = re.compile(
    r"[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ue000-\uf8ff\ufeff\ufff0-\ufffb"
    r"\U000e0000-\U0010ffff]"
)


def plain(text, most=256):
    """A text, cut to so many characters, that an input transformer may put between quotation marks. None: blank."""
    text = UNSEEN.sub("?", re.sub(r"\s", " ", text)).strip(" ")[:most]
    return text.replace('"', "'").replace("\\", "/") or None


def owner(tags, name):
    """The owner that the tag of this name gives, whatever its case in ASCII, as the function reads it. None: none."""
    found = [tag for tag in sorted(tags) if tag.encode().lower() == name.encode().lower()]
    return plain(tags[found[0]]) if found else None


def told(kind, why):
    """What a runbook did with a key, and for a person, what to do. `why` may be None."""
    why = (plain(why or "", MOST_WHY) or "").rstrip(".")
    texts = dict(kept=f"left the key active. It is {why}", rotated=f"handed out the key: {why}")
    texts["settling"] = f"waits to deactivate the key: {why}. Have whoever uses it read the secret instead"
    texts["rotation blocked"] = f"cannot rotate the key: {why}. What to do is in templates/ROTATION.md"
    return texts.get(kind) or f"{kind} the key" + (f": {why}" if why else "")


def notice(account, options, key_id):
    """An entry of PutEvents, as templates/notices/schema.json describes it."""
    user_name, kind, at, why = account.to_tell[key_id]
    user, created, use = account.users_read[user_name], account.creations[key_id], account.last_uses.get(key_id)
    number, tags = user["Arn"].split(":")[4], {tag["Key"]: tag["Value"] for tag in user.get("Tags", [])}
    runbook = f"AccessKeyRotation-{account.runbook}"
    message = f"Access key {key_id} of user {user_name} in account {number}: {runbook} {told(kind, why)}."
    detail = dict(
        id=f"{number}/{key_id}/{kind.replace(' ', '-')}/{at[:10]}",
        account=number,
        userName=user_name,
        userId=user["UserId"],
        owner=owner(tags, account.owner_tag),
        accessKeyId=key_id,
        # IAM's console keeps it in a tag whose name is the key's id.
        description=plain(tags.get(key_id, "")),
        created=created.strftime(TIME_FORMAT),
        runbook=runbook,
        executionId=account.execution_id,
        message=plain(message, MOST_MESSAGE),
    )
    if "MaxAccessKeyAge" in options:
        detail["due"] = str((created + timedelta(days=options["MaxAccessKeyAge"])).date())
    if use is not None:
        used = use.get("LastUsedDate")
        where = dict(service=use.get("ServiceName"), region=use.get("Region")) if used else {}
        detail["lastUsed"] = dict(date=used and used.strftime(TIME_FORMAT), **where)
    return dict(
        Source="access-key-rotation",
        DetailType=f"Access Key {kind.title()}",
        Resources=[user["Arn"]],
        Detail=json.dumps(detail),
    )


def tell(account, options):
    """Puts the notices, and returns what to say about lost ones. The keys are done: no failure fails the run."""
    lost, error = len(account.to_tell), None
    if account.owner_tag is None:
        return ""
    try:
        notices = [notice(account, options, key_id) for key_id in account.to_tell]
        events = client("events", 2, connect_timeout=3, read_timeout=5)
        for start in range(0, len(notices), NOTICES_AT_A_TIME):
            batch = notices[start : start + NOTICES_AT_A_TIME]
            for attempt in range(MOST_PUTS):
                if time.monotonic() >= account.deadline + NOTICE_SECONDS:
                    raise RuntimeError("the time was up")
                answers = events.put_events(Entries=batch)["Entries"]
                pairs = zip(batch, answers)
                failed = [(entry, answer["ErrorCode"]) for entry, answer in pairs if "ErrorCode" in answer]
                lost -= len(batch) - len(failed)
                if not failed:
                    break
                batch, error = [entry for entry, _ in failed], failed[0][1]
                time.sleep(2**attempt)
    except Exception as failure:
        error = failure
    return f" {lost} of {len(account.to_tell)} notices were not put: {str(error)[:200]}." if lost else ""
