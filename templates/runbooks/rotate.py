"""Rotates the access keys of users whose consumers read them from a secret."""

import time

from account import Account, delete_key, is_refused
from common import ALL, GONE, SECRET_TAG, Gone, Report, attempts, client, go_through, read_options, text_now, time_now
from deactivation import deactivate_key
from optin import USER_TAG, Misfit
from records import REACTIVATED, REACTIVATING
from rotation import BLOCK, FINAL, NOBODY_KNOWS, NOT_DUE, NOT_YET, OTHERS, OURS, SETTLE, WAIT, Seen, next_step
from secret import Secrets, with_key
from trail import MadeKeys
from userrecords import BLOCKED, CREATED, CREATING, SWITCHED, SWITCHING, UserRecords

# A rotation has 10 steps, and an edit of the secret costs some of them again.
MOST_ROTATION_STEPS = 40
# Before the end of the run's time no other user is begun, since one can take so many seconds.
ROTATION_SECONDS = 120
# A settling key is told of on the first day after SettleDays, and then once in so many days.
TELL_EVERY = 7


def check_days(options):
    """Raises if some key could become stale, or if a user could have two keys when the next one is due."""
    rotate, settle, grace, limit = (
        options[name] for name in ("RotateAfterDays", "SettleDays", "GraceDays", "MaxAccessKeyAge")
    )
    if rotate + settle >= limit:
        raise ValueError(
            f"RotateAfterDays ({rotate}) and SettleDays ({settle}) together must be less than MaxAccessKeyAge "
            f"({limit}), or keys become stale"
        )
    if settle + grace >= rotate:
        raise ValueError(
            f"SettleDays ({settle}) and GraceDays ({grace}) together must be less than RotateAfterDays ({rotate}), or "
            "the old key is still there when the next rotation is due"
        )


class Unchosen(Misfit):
    """The secret names a user who names another one."""


class Rotations(Report):
    unchanged = {BLOCK: "blocked", SETTLE: "settling", WAIT: "waiting", GONE: "gone meanwhile", NOT_DUE: "not due"}
    quiet = (NOT_DUE, GONE)

    def __init__(self, account, options):
        super().__init__(account, options)
        self.secrets, self.began = Secrets(), time_now()
        self.user_records = UserRecords(account.records.ssm, account.execution_id)
        # CloudTrail's events, which are read once, when a user first needs them.
        self.made_keys = None

    def handle(self, item):
        """Rotates for a user (name, id, secret's ARN). A failure affects no other user."""
        user, arn = item[:2], item[2]
        if user[1] is None:
            self.add_result(user, None, BLOCK, f"{arn} has the tag {USER_TAG}, but there is no such user")
            return
        work = OneRotation(self, user, arn)
        try:
            step, key_id, reason = work.go()
            self.add_result(user, key_id, step, reason)
        except Unchosen as unchosen:
            # The user's own secret is rotated, or blocked, in its turn.
            self.add_result(user, None, BLOCK, str(unchosen))
            return
        except Misfit as misfit:
            step, key_id, reason = BLOCK, None, str(misfit)
            self.add_result(user, key_id, step, reason)
        except Exception as error:
            reason = self.secrets.hide(str(error))
            step, key_id = BLOCK, None
            self.add_failure(user, None, (Gone if isinstance(error, Gone) else RuntimeError)(reason))
        self.tell_end(work, step, key_id, reason)
        if work.is_changed:
            self.mark_changed(user)

    def tell_end(self, work, step, key_id, reason):
        """A notice of what holds a rotation up, if there is a key to name."""
        account, name = self.account, work.user[0]
        # A key has one notice in a run. If what was done with it is told, another key of the user says what is wrong.
        others = [key["AccessKeyId"] for key in work.keys if key["Status"] == "Active"] if step == BLOCK else []
        key_id = next((key_id for key_id in [key_id, *others] if key_id and key_id not in account.to_tell), None)
        if self.options["DryRun"] or key_id is None:
            return
        if step == BLOCK or (step == SETTLE and work.settles_long()):
            kind = "rotation blocked" if step == BLOCK else "settling"
            account.to_tell[key_id] = name, kind, text_now(), reason

    def made(self, keys):
        """A function that says who made a key of a user, and why nobody can tell."""
        created = {key["AccessKeyId"]: key["CreateDate"] for key in keys}

        def who(key_id):
            if self.made_keys is None:
                try:
                    self.made_keys = MadeKeys(self.account.partition, time_now())
                except Exception as error:
                    self.made_keys = error
            made, at = self.made_keys, created.get(key_id)
            if isinstance(made, Exception):
                return NOBODY_KNOWS, f"CloudTrail's events could not be read ({str(made)[:120]})"
            if key_id in made.ids:
                return OURS, None
            if at and at > made.until:
                return NOT_YET, "CloudTrail shows an hour later at most who made it. Next: in an hour"
            if at and at < made.since:
                return NOBODY_KNOWS, "CloudTrail keeps 90 days, and does not go back to when it was made"
            return OTHERS, None

        return who


class OneRotation:
    """The rotation of one user. It looks at everything before each step."""

    def __init__(self, all_of_them, user, arn):
        self.all, self.user, self.arn = all_of_them, user, arn
        self.account, self.options, self.secrets = all_of_them.account, all_of_them.options, all_of_them.secrets
        # The secrets of keys that this run made, by id, and the keys that it proved.
        self.fresh, self.proven, self.made_here = {}, set(), set()
        self.keys, self.seen, self.is_changed = [], None, False

    def look(self):
        account, (name, user_id) = self.account, self.user
        now, tags = time_now(), account.tags(name, user_id)
        self.keys = account.keys(name)
        target = tags.get(SECRET_TAG, "").strip()
        if not target:
            raise Misfit(f"the user has no tag {SECRET_TAG}" + (f". Set it to {self.arn}" if self.arn else ""))
        secret = self.secrets.describe(target, account.users_read[name]["Arn"])
        if self.arn not in (None, secret.arn):
            raise Unchosen(f"{self.arn} names the user, but the user's tag {SECRET_TAG} names {secret.arn}")
        if secret.user_name != name:
            raise Misfit(f"{secret.arn} must have the tag {USER_TAG} with the value {name}")
        made = self.all.made(self.keys)
        self.seen = Seen(
            now=now,
            began=self.all.began,
            execution=account.execution_id,
            is_asked=self.options["ResourceId"] != ALL,
            tags=tags,
            keys=self.keys,
            secret=secret,
            held=self.secrets.read(secret),
            rotation=self.all.user_records.of_user(user_id),
            record=lambda key_id: account.records.of_keys([key_id]).get(key_id),
            made=lambda key_id: (OURS, None) if key_id in self.made_here else made(key_id),
            use=self.use,
            previous=lambda: self.secrets.previous(secret),
            fresh=self.fresh,
            proven=self.proven,
        )
        return self.seen

    def use(self, key_id):
        at = self.account.last_used(self.user[0], key_id)
        return at, self.account.last_uses[key_id].get("ServiceName")

    def go(self):
        """Goes on until nothing can be done now, and returns the last step."""
        for _ in range(MOST_ROTATION_STEPS):
            step, key_id, reason = next_step(self.look(), self.options)
            if step in FINAL:
                return step, key_id, reason
            if self.options["DryRun"]:
                outcome = OUTCOMES.get(step, "record removed" if step == "end" else "rotated")
                return f"dry run: {outcome}", key_id, reason or "a run goes on from here"
            if time.monotonic() >= self.account.deadline + ROTATION_SECONDS:
                return WAIT, key_id, "the time was up. The next run goes on"
            STEPS[step](self, key_id)
            self.explain(key_id, reason)
            if step in OUTCOMES:
                self.all.add_result(self.user, key_id, OUTCOMES[step], reason or "the secret holds it now")
        raise RuntimeError("somebody changes the secret or the user all the time")

    def settles_long(self):
        days = (self.seen.now - self.seen.secret.changed).days - self.options["SettleDays"]
        return days >= 0 and days % TELL_EVERY == 0

    # The steps.

    def record(self, state, new_key=None, reason=None):
        self.all.user_records.write(self.user, self.seen.secret.arn, state, self.seen.rotation, new_key, reason)

    def begin(self, key_id):
        self.record(CREATING)

    def make(self, key_id):
        name = self.user[0]
        try:
            # Without the SDK's repetitions: each could make another key.
            key = self.account.iam_once.create_access_key(UserName=name)["AccessKey"]
        except Exception as error:
            if is_refused(error):
                self.end(key_id)
            raise
        new = key["AccessKeyId"]
        self.secrets.values.add(key["SecretAccessKey"])
        self.fresh[new] = key["SecretAccessKey"]
        self.made_here.add(new)
        self.record(CREATED, new)
        self.account.verify(name, new, "Active")

    def announce(self, key_id):
        self.record(SWITCHING, key_id)

    def store(self, key_id):
        secret, held = self.seen.secret, self.seen.held
        fields = with_key(
            held.current.fields if held.current else {}, key_id, self.seen.value(key_id), secret.smtp_region
        )
        try:
            self.secrets.store(secret, fields)
        except Misfit as misfit:
            if key_id in self.fresh:
                # Nobody has the new key's secret, and from here on not even this run.
                self.record(BLOCKED, key_id, str(misfit))
                del self.fresh[key_id]
                return
            raise
        for _ in attempts(5):
            held = self.secrets.read(self.secrets.describe(secret.arn, self.account.users_read[self.user[0]]["Arn"]))
            if held.holds(key_id):
                return
        raise RuntimeError("Secrets Manager does not show what was stored")

    def prove(self, key_id):
        """Shows that the new key works, and whose it is: a key that was just made may need some seconds."""
        sts = client("sts", 2, aws_access_key_id=key_id, aws_secret_access_key=self.seen.value(key_id))
        answer, error = None, None
        for _ in attempts(30):
            try:
                answer = sts.get_caller_identity()
                break
            except Exception as failure:
                error = failure
        if answer is None:
            raise RuntimeError(f"the new key {key_id} does not work: {error}")
        if answer["UserId"] != self.user[1]:
            raise RuntimeError(f"the new key {key_id} in the pending version is not a key of this user")
        self.proven.add(key_id)

    def switch(self, key_id):
        self.secrets.switch(self.seen.secret, self.seen.held.current, self.seen.held.pending)

    def settle(self, key_id):
        # Or the label would say that the version is still to come, if somebody moved the secret back.
        self.secrets.unlabel(self.seen.secret, self.seen.held.current)
        self.record(SWITCHED, key_id)
        self.account.to_tell[key_id] = self.user[0], "rotated", text_now(), f"{self.seen.secret.arn} holds it now"

    def end(self, key_id):
        self.all.user_records.end(self.user[1])

    def deactivate(self, key_id):
        self.look_at_secret(key_id)
        current = self.seen.held.current
        deactivate_key(self.account, self.user, key_id, current and current.key_id)
        self.is_changed = True

    def undo(self, key_id):
        self.account.records.advance(key_id, self.user[1], REACTIVATING)
        self.account.look_and_update(self.user[0], key_id, "Active", "Inactive")
        self.account.records.advance(key_id, self.user[1], REACTIVATED)

    def leave_on(self, key_id):
        self.account.records.advance(key_id, self.user[1], REACTIVATED)

    def delete(self, key_id):
        self.look_at_secret(key_id)
        delete_key(self.account, self.user, key_id)

    def look_at_secret(self, key_id):
        """The last look before a key is switched off or deleted: no consumer may get it from the secret."""
        if self.secrets.read(self.seen.secret).holds(key_id):
            raise RuntimeError(f"somebody put {key_id} into the secret while this ran")

    def explain(self, key_id, reason):
        """Adds the reason to the notice of a step that has none of its own."""
        user_name, kind, at, why = self.account.to_tell.get(key_id, (None, None, None, ""))
        if why is None:
            self.account.to_tell[key_id] = user_name, kind, at, reason


STEPS = {
    "begin": OneRotation.begin,
    "begin again": OneRotation.begin,
    "make": OneRotation.make,
    "store": OneRotation.store,
    "prove": OneRotation.prove,
    "announce": OneRotation.announce,
    "switch": OneRotation.switch,
    "settle": OneRotation.settle,
    "deactivate": OneRotation.deactivate,
    "undo": OneRotation.undo,
    "leave on": OneRotation.leave_on,
    "take back": OneRotation.deactivate,
    "delete lost": OneRotation.delete,
    "end": OneRotation.end,
}
# Steps that people see in the results.
OUTCOMES = {
    "settle": "rotated",
    "deactivate": "deactivated",
    "take back": "deactivated",
    "undo": "reactivated",
    "leave on": "left on",
    "delete lost": "deleted",
}


def rotate(event, context):
    options, account = read_options(event), Account(event, "RotateKey")
    check_days(options)
    account.deadline -= ROTATION_SECONDS
    work = Rotations(account, options)
    if options["ResourceId"] == ALL:
        users = dict(account.users())
        items = [(name, users.get(name), arn) for arn, name in work.secrets.tagged()]
    else:
        items = [(*user, None) for user in account.user(options["ResourceId"])]
    return go_through(work, items)
