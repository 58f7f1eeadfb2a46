"""Runbooks of access-key-rotation: deactivate, delete or reactivate access keys of IAM users.

Each runbook handles one user after the other: it reads everything about the user, decides, and only then writes. If a
read fails, it has changed nothing about that user.

This is what the three runbooks share.
"""

import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone

import boto3
from botocore.config import Config

EXEMPT = "access-key-rotation:exempt-"
# A tag on the user for each key that a runbook deactivated, with the time. While a run is under way, the tag says so
# instead. If that run does not finish, nobody can tell afterwards whether the run or somebody else switched the key
# off. So no later run takes over such a record, and deletion trusts only a plain time.
RECORD = "access-key-rotation:deactivated:"
DEACTIVATING, REACTIVATING = "deactivating ", "reactivating "
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

MOST_PAGES = 500
# Systems Manager's limits for the outputs of a step.
MOST_RESULTS, MOST_CHARACTERS = 50, 512
# How many failures an error names. It counts all.
MOST_NAMED, MOST_NAMED_CHARACTERS = 5, 400
# Systems Manager stops the script after 600.
MOST_SECONDS = 480
# How many threads read users to find those with records, and how many users a batch has.
THREADS, USERS_AT_A_TIME = 8, 16
# Between two looks at what IAM does not show at once.
PAUSE_SECONDS = 2
# The most notices in a call of PutEvents, the most calls for each, and the seconds for all after MOST_SECONDS.
NOTICES_AT_A_TIME, MOST_PUTS, NOTICE_SECONDS = 10, 3, 60

# Outcomes that change nothing. In the results they come after all others, in this order.
ASKED, GONE, KEPT = "left for you to decide", "gone meanwhile", "left as it is"
WITHOUT_CHANGE = [ASKED, GONE, KEPT]


class Gone(Exception):
    """The user was deleted or renamed after the listing."""


# Parameters, tags and times.


def read_options(event):
    """The parameters: text, and numbers of days. Every DryRun but "false" is a dry run."""
    options = {name: str(value) for name, value in event.items() if name not in ("ExecutionId", "OwnerTag")}
    for name in ("MaxAccessKeyAge", "MaxExemptionDays", "QuietDays", "GraceDays"):
        if name in options:
            options[name] = int(options[name])
    options["DryRun"] = options["DryRun"] != "false"
    return options


def unfinished(record):
    """What to do about an inactive key whose record is not the time of a deactivation."""
    return (
        f"inactive, but its record says {record[:40]!r}. Nobody can tell who switched it off, so the runbooks never "
        "delete it. Delete it by hand if nobody needs it; AccessKeyRotation-ReactivateKey makes it active again"
    )


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


# AWS. Keys are dicts of AccessKeyId, Status and CreateDate, as ListAccessKeys returns them.


class Account:
    """The IAM of the account. It keeps what it read, for the notices."""

    def __init__(self, event):
        retries = dict(mode="standard", max_attempts=6)
        self.iam = boto3.client("iam", config=Config(retries=retries, connect_timeout=5, read_timeout=20))
        self.deadline = time.monotonic() + MOST_SECONDS
        self.execution_id, self.owner_tag = event.get("ExecutionId"), event.get("OwnerTag", "")
        # Users by name, and of keys, by id, the creation, the last use, and what to tell: (user's name, kind, time).
        self.users_read, self.creations, self.last_uses, self.to_tell = {}, {}, {}, {}

    def pages(self, operation, **parameters):
        pages = self.iam.get_paginator(operation).paginate(PaginationConfig=dict(PageSize=1000), **parameters)
        for number, page in enumerate(pages):
            if number == MOST_PAGES:
                raise RuntimeError(f"{operation} does not end.")
            yield page

    def users(self, options):
        """Names and ids of the users, by name: the user with the id ResourceId, or all users after StartAfter."""
        resource_id = options["ResourceId"]
        pages = self.pages("list_users")
        users = sorted((user["UserName"], user["UserId"]) for page in pages for user in page["Users"])
        if resource_id == "ALL":
            return [user for user in users if user[0] > options["StartAfter"]]
        found = [user for user in users if user[1] == resource_id]
        if not found:
            raise ValueError(f"No IAM user of this account has the id {resource_id}.")
        return found

    def tags(self, user_name, user_id):
        try:
            user = self.iam.get_user(UserName=user_name)["User"]
        except self.iam.exceptions.NoSuchEntityException as error:
            raise Gone(str(error)) from error
        if user["UserId"] != user_id:
            raise Gone(f"The name {user_name} now belongs to another user, {user['UserId']}.")
        self.users_read[user_name] = user
        return {tag["Key"]: tag["Value"] for tag in user.get("Tags", [])}

    def is_gone(self, user):
        """Whether the user is gone, after a call about the user failed."""
        try:
            self.tags(*user)
        except Gone:
            return True
        except Exception:
            pass
        return False

    def keys(self, user_name):
        pages = self.pages("list_access_keys", UserName=user_name)
        keys = [key for page in pages for key in page["AccessKeyMetadata"]]
        self.creations.update((key["AccessKeyId"], key["CreateDate"]) for key in keys)
        return keys

    def status(self, user_name, key_id):
        """The key's status. None: there is no such key."""
        return {key["AccessKeyId"]: key["Status"] for key in self.keys(user_name)}.get(key_id)

    def last_used(self, user_name, key_id):
        """When the key was last used. None: IAM has no use on record."""
        answer = self.iam.get_access_key_last_used(AccessKeyId=key_id)
        if answer.get("UserName") != user_name:
            raise RuntimeError(f"IAM does not say that {key_id} is of {user_name}.")
        self.last_uses[key_id] = answer["AccessKeyLastUsed"]
        return self.last_uses[key_id].get("LastUsedDate")

    def look_and_update(self, user_name, key_id, status, expected):
        """Changes a key's status if, at a last look, it is the expected one. Returns the time."""
        seen = self.status(user_name, key_id)
        if seen != expected:
            raise RuntimeError(f"it was {expected}, and somebody else made it {seen or 'gone'} while this ran")
        self.iam.update_access_key(UserName=user_name, AccessKeyId=key_id, Status=status)
        done = text_now()
        self.to_tell[key_id] = user_name, "reactivated" if status == "Active" else "deactivated", done
        self.verify(user_name, key_id, status)
        return done

    def verify(self, user_name, key_id, status):
        """IAM is eventually consistent: waits until a listing shows the status. None: no such key."""
        for _ in attempts(15):
            seen = self.status(user_name, key_id)
            if seen == status:
                return
        raise RuntimeError(f"{key_id} of {user_name} is still {seen} after it was made {status or 'gone'}.")

    def record(self, user_name, key_id, value):
        self.iam.tag_user(UserName=user_name, Tags=[dict(Key=RECORD + key_id, Value=value)])

    def forget(self, user_name, key_id):
        self.iam.untag_user(UserName=user_name, TagKeys=[RECORD + key_id])


def leave(account, user_name, key_id):
    """Changes nothing."""


# What every runbook may decide for a key: what carries it out, and its outcome. Each runbook adds its own.
ACTIONS_OF_ALL = dict(forget=(Account.forget, "record removed"), ask=(leave, ASKED), keep=(leave, KEPT))


class Run:
    """What became of each key, and what failed.

    `decide` reads a user (account, name, id) and returns for each key (action, reason), of the `actions`.
    """

    def __init__(self, account, options, decide, actions):
        self.account, self.options, self.decide, self.actions = account, options, decide, actions
        self.results, self.failures = [], []

    def handle(self, user):
        """Decides on the keys of a user (name, id) and carries out the decisions. A failure affects no other user."""
        try:
            decisions = self.decide(self.account, *user)
        except Exception as error:
            self.add_failure(user, None, error)
            return
        for key_id, (action, reason) in decisions.items():
            try:
                self.add_result(user, key_id, self.carry_out(user, key_id, action), reason)
            except Exception as error:
                self.add_failure(user, key_id, error)

    def carry_out(self, user, key_id, action):
        """Carries out one decision, unless it is a dry run, and returns the outcome."""
        do, outcome = self.actions[action]
        if self.options["DryRun"]:
            return outcome if action in ("keep", "ask") else f"dry run: {outcome}"
        if action in ("delete", "forget"):
            # Nobody can undo this, so it decides once more: others may have changed the user since the first read.
            now = self.decide(self.account, *user).get(key_id, ("keep", "there is no record any more"))
            if now[0] != action:
                raise RuntimeError(f"it changed while this ran: {now[1]}")
        do(self.account, user[0], key_id)
        return outcome

    def add_result(self, user, key_id, outcome, reason):
        self.results.append(dict(UserName=user[0], AccessKeyId=key_id or "-", Outcome=outcome, Reason=reason))

    def add_failure(self, user, key_id, error):
        # With ALL, a user who is gone needs no run, and the next run finds a renamed user.
        if self.options["ResourceId"] == "ALL" and (isinstance(error, Gone) or self.account.is_gone(user)):
            self.add_result(user, key_id, GONE, f"the user was deleted or renamed while this ran: {error}")
        else:
            self.failures.append(f"{key_id} of {user[0]}: {error}" if key_id else f"{user[0]}: {error}")

    def outputs(self, unseen, total, go_on, lost_notices):
        """The outputs of the step. Raises if something failed, or if the time was too short for some users."""
        counts = self.counts()
        ranked = sorted(self.results, key=rank)
        if self.failures or unseen:
            done = [result for result in ranked if result["Outcome"] not in (KEPT, GONE)]
            lines = [f"{r['AccessKeyId']} of {r['UserName']} {r['Outcome']}: {r['Reason']}" for r in done]
            text = f"The time was up: {unseen} of {total} users remain. Go on with: {go_on} " if unseen else ""
            if self.failures:
                text += f"Failed: {first(self.failures)}. {len(self.failures)} failed. "
            raise RuntimeError(f"{text}Done: {first(lines) or 'nothing'}. In all: {counts}.{lost_notices}")
        if len(ranked) > MOST_RESULTS:
            counts += f". Results are the first {MOST_RESULTS} of {len(ranked)}"
        summary = f"Access keys: {counts}.{lost_notices}"
        return dict(Summary=summary, Results=[fitted(result) for result in ranked[:MOST_RESULTS]])

    def counts(self):
        outcomes = [result["Outcome"] for result in self.results]
        asked, gone, kept = [outcomes.count(outcome) for outcome in WITHOUT_CHANGE]
        parts = [f"{len(outcomes) - asked - gone - kept} {'to be changed' if self.options['DryRun'] else 'changed'}"]
        if asked:
            parts.append(f"{asked} left for you to decide")
        parts.append(f"{kept} left as they are")
        if gone:
            parts.append(f"{gone} gone meanwhile")
        return ", ".join(parts)


def rank(result):
    """Changes first, since the outputs have room for some results only."""
    return 1 + WITHOUT_CHANGE.index(result["Outcome"]) if result["Outcome"] in WITHOUT_CHANGE else 0


def first(lines):
    """The first lines, with long lines cut."""
    more = f"; the first {MOST_NAMED} of {len(lines)}" if len(lines) > MOST_NAMED else ""
    return "; ".join(line[:MOST_NAMED_CHARACTERS] for line in lines[:MOST_NAMED]) + more


def fitted(result):
    """A result with its reason cut to Systems Manager's limit."""
    excess = len(json.dumps(result)) - MOST_CHARACTERS
    return dict(result, Reason=result["Reason"][: -excess - 3] + "...") if excess > 0 else result


def run(account, options, users, decide, actions, has_work=None):
    """Goes through the users, and returns the step's outputs.

    `has_work` says whether there is anything to decide for a user. Threads call it in parallel.
    """
    work = Run(account, options, decide, actions)

    def time_is_up():
        return time.monotonic() >= account.deadline

    def look(user):
        try:
            return has_work(user)
        except Exception as error:
            return error

    seen = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(users), USERS_AT_A_TIME):
            batch = users[start : start + USERS_AT_A_TIME]
            if time_is_up():
                break
            answers = list(pool.map(look, batch)) if has_work else [True] * len(batch)
            for user, answer in zip(batch, answers):
                if time_is_up():
                    break
                seen += 1
                if isinstance(answer, Exception):
                    work.add_failure(user, None, answer)
                elif answer:
                    work.handle(user)
    go_on = "the same again"
    if options["ResourceId"] == "ALL":
        go_on = next_command(options, users[seen - 1][0] if seen else options["StartAfter"])
    return work.outputs(len(users) - seen, len(users), go_on, tell(account, options))


def next_command(options, user_name):
    """The command that continues the deletion after a user."""
    texts = dict(options, StartAfter=user_name, DryRun=str(options["DryRun"]).lower())
    parameters = json.dumps({name: [str(value)] for name, value in texts.items()})
    document = "AccessKeyRotation-DeleteDeactivatedKeys"
    return f"aws ssm start-automation-execution --document-name {document} --parameters '{parameters}'"


# Notices.


# What nobody can see, or what changes the direction of a text, as in rule/policy/src/text.rs.
UNSEEN = re.compile(
    r"[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ue000-\uf8ff\ufeff\ufff0-\ufffb"
    r"\U000e0000-\U0010ffff]"
)


def plain(text):
    """A tag's text, at most 256 characters, that an input transformer may put between quotation marks. None: blank."""
    text = UNSEEN.sub("?", re.sub(r"\s", " ", text)).strip(" ")[:256]
    return text.replace('"', "'").replace("\\", "/") or None


def owner(tags, name):
    """The owner that the tag of this name gives, whatever its case in ASCII, as the function reads it. None: none."""
    found = [tag for tag in sorted(tags) if tag.encode().lower() == name.encode().lower()]
    return plain(tags[found[0]]) if found else None


def notice(account, options, key_id):
    """An entry of PutEvents, as templates/notices/schema.json describes it."""
    user_name, kind, at = account.to_tell[key_id]
    user, created, use = account.users_read[user_name], account.creations[key_id], account.last_uses.get(key_id)
    number, tags = user["Arn"].split(":")[4], {tag["Key"]: tag["Value"] for tag in user.get("Tags", [])}
    names = dict(reactivated="ReactivateKey", deleted="DeleteDeactivatedKeys")
    runbook = "AccessKeyRotation-" + names.get(kind, "DeactivateStaleKeys")
    did = "left the key active, since it is in use: rotate it" if kind == "kept" else f"{kind} the key"
    detail = dict(
        id=f"{number}/{key_id}/{kind}/{at[:10]}",
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
        message=f"Access key {key_id} of user {user_name} in account {number}: {runbook} {did}.",
    )
    if "MaxAccessKeyAge" in options:
        detail["due"] = str((created + timedelta(days=options["MaxAccessKeyAge"])).date())
    if use is not None:
        used = use.get("LastUsedDate")
        where = dict(service=use.get("ServiceName"), region=use.get("Region")) if used else {}
        detail["lastUsed"] = dict(date=used and used.strftime(TIME_FORMAT), **where)
    return dict(
        Source="access-key-rotation",
        DetailType=f"Access Key {kind.capitalize()}",
        Resources=[user["Arn"]],
        Detail=json.dumps(detail),
    )


def tell(account, options):
    """Puts the notices, and returns what to say about lost ones. The keys are done: no failure fails the run."""
    lost, error = len(account.to_tell), None
    if not account.execution_id:
        return ""
    try:
        notices = [notice(account, options, key_id) for key_id in account.to_tell]
        retries = dict(mode="standard", max_attempts=2)
        events = boto3.client("events", config=Config(retries=retries, connect_timeout=3, read_timeout=5))
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
