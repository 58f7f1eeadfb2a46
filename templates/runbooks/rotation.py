"""What a rotation does next, from what AWS holds. It makes no call.

A rotation makes a new key, stores it in the secret as pending, proves it, and hands it out: the pending version becomes
the current one. The old key settles until nobody has used it for SettleDays. Then it is deactivated; to delete it later
is the deletion's work. A run goes as far as it can, and the next one goes on. No step rests on a record alone: the
secret says which keys it holds, and CloudTrail who made a key.
"""

from datetime import datetime, timedelta
from typing import Callable, NamedTuple, Optional

from deactivation import exemption
from records import DEACTIVATED, REACTIVATED, REACTIVATING, unfinished
from secret import Described, Held, with_key
from userrecords import BEFORE_SWITCH, BLOCKED, CREATED, CREATING, SWITCHED, SWITCHING, UserRecord

# Who made a key: this runbook, somebody else, or nobody can tell (yet).
OURS, OTHERS, NOT_YET, NOBODY_KNOWS = "ours", "others", "not yet", "nobody knows"

# Longer than any run. A record that another run wrote within this time is that run's.
RUN_TIME = timedelta(hours=1)
# From the first call of a run to its last change, and how far our clock may be from AWS's.
RUN_SLACK, MINUTE = timedelta(minutes=15), timedelta(minutes=1)
# How long a rotation waits after a secret that could not be written before it makes another key.
BLOCKED_TIME = timedelta(days=7)

# Steps that change nothing and end the work on a user.
NOT_DUE, WAIT, SETTLE, BLOCK = "not due", "waiting", "settling", "blocked"
FINAL = (NOT_DUE, WAIT, SETTLE, BLOCK)


class Seen(NamedTuple):
    """All that a step depends on."""

    now: datetime
    # When this run began, and its execution.
    began: datetime
    execution: str
    # Somebody started it for this user: what blocked an earlier rotation is tried again.
    is_asked: bool
    tags: dict
    keys: list
    secret: Described
    held: Held
    rotation: Optional[UserRecord]
    # What is read when a step asks for it. Of a key's id: its record, (who made it, why nobody can tell), and (last
    # use, service).
    record: Callable
    made: Callable
    use: Callable
    # The key of the secret's previous version.
    previous: Callable
    # Keys that this run made, with their secret; and those that it proved.
    fresh: dict
    proven: set

    def value(self, key_id):
        """The secret of a new key, which this run made or the pending version holds."""
        return self.fresh.get(key_id) or self.held.pending.fields["SecretAccessKey"]


def block(key_id, reason):
    return BLOCK, key_id, reason


def settling(key_id, reason):
    return SETTLE, key_id, reason


def next_step(seen, options):
    """(step, key id or None, reason). The reason of a final step says what happens next, and when."""
    keys = {key["AccessKeyId"]: key for key in seen.keys}
    current, rotation = seen.held.current, seen.rotation
    current_id = current.key_id if current else None
    if rotation and rotation.execution != seen.execution and rotation.state in (CREATING, CREATED, SWITCHING):
        if seen.now - rotation.at < RUN_TIME:
            return WAIT, current_id, f"another run is at work since {rotation.at:%H:%M}, or ended. Next: in an hour"
    if current_id is not None and current_id not in keys:
        return block(current_id, f"the secret holds {current_id}, which is no access key of this user. {PUT_RIGHT}")
    if current_id is not None and keys[current_id]["Status"] != "Active":
        record = seen.record(current_id)
        if record and record.state == DEACTIVATED and record.execution == seen.execution:
            return "undo", current_id, "somebody put it back into the secret while this run deactivated it"
        return block(current_id, f"the secret holds {current_id}, which is inactive. {PUT_RIGHT}")
    others = [key for key in seen.keys if key["AccessKeyId"] != current_id]
    others.sort(key=lambda key: (key["CreateDate"], key["AccessKeyId"]), reverse=True)
    return (
        rotate_on(seen, keys, current_id, others)
        or take_back(seen, others)
        or let_go(seen, options, keys, current_id, others)
        or begin(seen, options, keys, current_id, others)
    )


PUT_RIGHT = "Put a key of the user into it that is active, or remove the tags"
DECIDE = "Delete it by hand if nobody needs it"
FIND_OUT = "Find out who needs it, and delete it by hand then"


def rotate_on(seen, keys, current_id, others):
    """The next step with a new key whose secret this run or the pending version has. None: there is no such key."""
    rotation, held, pending = seen.rotation, seen.held, seen.held.pending
    new = next((key["AccessKeyId"] for key in others if key["AccessKeyId"] in seen.fresh), None)
    if pending and pending.key_id != new:
        refusal = refuse_pending(seen, current_id)
        if refusal:
            return refusal
        # If the owner deleted the new key, what the version holds is of no use any more.
        new = new or (pending.key_id if pending.key_id in keys else None)
    if new is None:
        return None
    if keys[new]["Status"] != "Active":
        return block(new, f"somebody deactivated the new key {new}. {DECIDE}")
    is_announced = rotation and (rotation.state, rotation.new_key) == (SWITCHING, new)
    if held.current is None:
        # The first version is current at once: nobody may get a key that was not proven.
        if new not in seen.fresh:
            return block(new, "the secret has lost its current version")
        if new not in seen.proven:
            return "prove", new, ""
        return ("store" if is_announced else "announce"), new, ""
    fields = with_key(held.current.fields, new, seen.value(new), seen.secret.smtp_region)
    if pending is None or pending.fields != fields or pending.created < seen.began - MINUTE:
        return "store", new, ""
    if new not in seen.proven:
        return "prove", new, ""
    return ("switch" if is_announced else "announce"), new, ""


def refuse_pending(seen, current_id):
    """Why the key of a pending version is not handed out. None: a rotation made it, and it was never handed out."""
    rotation, key_id = seen.rotation, seen.held.pending.key_id
    maker, why = seen.made(key_id) if key_id not in (None, current_id) else (OTHERS, None)
    if maker == NOT_YET:
        return WAIT, key_id, why
    if maker == NOBODY_KNOWS:
        return block(key_id, f"nobody can tell who made {key_id}, which the pending version holds: {why}")
    if maker == OTHERS:
        return block(current_id, "the secret has a pending version of somebody else. Remove its label AWSPENDING")
    if seen.previous() == key_id or (rotation and (rotation.state, rotation.new_key) == (SWITCHED, key_id)):
        return block(key_id, f"somebody took {key_id} out of the secret again. {DECIDE}")
    return None


def take_back(seen, others):
    """The next step with a new key whose secret nobody has. None: there is no such key."""
    rotation = seen.rotation
    if rotation is None or rotation.state not in (*BEFORE_SWITCH, SWITCHING):
        return None
    if rotation.new_key is None:
        # The answer of CreateAccessKey was lost. The youngest key comes first.
        since = rotation.at - RUN_SLACK
        found = [key for key in others[:1] if rotation.state == CREATING and key["CreateDate"] >= since]
    else:
        found = [key for key in others if key["AccessKeyId"] == rotation.new_key]
    if not found:
        return None
    [key], lost = found, found[0]["AccessKeyId"]
    if (rotation.state == SWITCHING and seen.held.current) or seen.previous() == lost:
        return block(lost, f"the secret has lost the new key {lost}, which somebody may have read. {DECIDE}")
    maker, why = seen.made(lost)
    if maker == OTHERS:
        return None
    if maker != OURS:
        return (WAIT if maker == NOT_YET else BLOCK), lost, f"the new key {lost} was not stored: {why}"
    used, service = seen.use(lost)
    if used and (service != "sts" or used - key["CreateDate"] > RUN_SLACK):
        return block(lost, f"the new key {lost} was not stored, but somebody used it on {used:%Y-%m-%d}. {DECIDE}")
    record = seen.record(lost)
    if key["Status"] == "Active" and record is None:
        return "take back", lost, "nobody has its secret"
    if key["Status"] == "Active" or record is None or record.state != DEACTIVATED:
        return block(lost, f"the new key {lost} was not stored, and somebody switched it since. {DECIDE}")
    if record.since >= seen.began - MINUTE:
        return block(lost, f"{rotation.reason or 'the new key was not stored'}. The next run deletes {lost}")
    return "delete lost", lost, "nobody ever had its secret"


def let_go(seen, options, keys, current_id, others):
    """The next step with the old key of a rotation. None: there is nothing left to do with it."""
    rotation = seen.rotation
    if rotation and rotation.new_key == current_id and rotation.state in (CREATED, SWITCHING):
        return "settle", current_id, ""
    for key in others:
        key_id = key["AccessKeyId"]
        if current_id is None or key["Status"] != "Active" or key["CreateDate"] >= keys[current_id]["CreateDate"]:
            continue
        maker, why = seen.made(current_id)
        if maker == OURS:
            return settle(seen, options, key_id, current_id)
        if maker != OTHERS:
            return (SETTLE if maker == NOT_YET else BLOCK), key_id, f"the old key {key_id} stays active: {why}"
    if rotation and rotation.state == SWITCHED:
        return "end", current_id, ""
    return None


def settle(seen, options, key_id, current_id):
    """What becomes of an old key that is active still."""
    now, current, record = seen.now, seen.held.current, seen.record(key_id)
    if record is not None and record.state in (DEACTIVATED, REACTIVATING, REACTIVATED):
        why = f"somebody switched the old key {key_id} on again. {FIND_OUT}"
        return ("leave on" if record.state == DEACTIVATED else BLOCK), key_id, why
    if record is not None:
        # Nobody can tell whether the run deactivated it and somebody switched it on since.
        return block(key_id, f"a run that was to deactivate the old key {key_id} did not end. {FIND_OUT}")
    is_exempt, until = exemption(seen.tags, now.date(), options["MaxExemptionDays"])
    if is_exempt(key_id):
        return settling(key_id, f"the old key {key_id} is exempt until {until}")
    # AWS does not say when a version became the current one, so each change of the secret begins the days anew.
    switched, (used, service) = max(seen.secret.changed, current.created), seen.use(key_id)
    last = max(switched, used) if used else switched
    quiet = last + timedelta(days=options["SettleDays"])
    if now < quiet:
        still = f"used on {used:%Y-%m-%d} by {service}" if used and used > switched else "not used since"
        handed_out = f"the secret holds {current_id}, unchanged since {switched:%Y-%m-%d}"
        then = f"Without use, it is deactivated on {quiet:%Y-%m-%d}"
        return settling(key_id, f"{handed_out}, and the old key {key_id} was {still}. {then}")
    if seen.previous() != key_id:
        # The secret may have been empty: nobody reads the new key yet. Our proof used it too.
        used, service = seen.use(current_id)
        if not used or (service == "sts" and used <= switched + RUN_SLACK):
            then = f"Point the consumer at the secret. Then the old key {key_id} is deactivated"
            return settling(key_id, f"nobody has used {current_id} yet. {then}")
    return "deactivate", key_id, f"replaced by {current_id}, and not used since {last:%Y-%m-%d}"


def begin(seen, options, keys, current_id, others):
    """Whether a rotation begins."""
    rotation, age, now = seen.rotation, timedelta(days=options["RotateAfterDays"]), seen.now
    due = keys[current_id]["CreateDate"] + age if current_id else now
    is_exempt, until = exemption(seen.tags, now.date(), options["MaxExemptionDays"])
    if now < due or (current_id and is_exempt(current_id)):
        if rotation:
            # A run ended before it made a key, or somebody deleted the key.
            return "end", current_id, ""
        when = f"rotates on {due:%Y-%m-%d}" if now < due else f"is exempt until {until}"
        old = [room(seen, options, key) for key in others if seen.record(key["AccessKeyId"])]
        return NOT_DUE, current_id, "; ".join([f"{current_id} {when}", *old])
    if len(keys) > 1:
        said = "; ".join(room(seen, options, key) for key in others)
        return block(current_id, f"there is no room for a new key: {said}")
    if rotation is None:
        return "begin", current_id, ""
    if rotation.state == BLOCKED and not seen.is_asked and now - rotation.at < BLOCKED_TIME:
        again = f"Next attempt: on {rotation.at + BLOCKED_TIME:%Y-%m-%d}"
        return block(current_id, f"{rotation.reason}. {again}")
    if seen.fresh:
        # Whatever became of the first new key, a run makes one only.
        return block(current_id, "somebody deleted the new key while this ran")
    if rotation.execution != seen.execution or rotation.state != CREATING:
        return "begin again", current_id, ""
    return "make", current_id, f"{(now - due + age).days} days old" if current_id else "the secret holds no key"


def room(seen, options, key):
    """Why a key takes the room of a new one."""
    key_id, record = key["AccessKeyId"], seen.record(key["AccessKeyId"])
    if key["Status"] == "Active":
        return f"{key_id} is active too. {FIND_OUT}"
    if record is None:
        return f"{key_id} is inactive, and not by a runbook. {DECIDE}"
    if record.state != DEACTIVATED:
        return f"{key_id} is {unfinished(record)}"
    until = record.since + timedelta(days=options["GraceDays"])
    return f"{key_id} is deactivated, and may be deleted from {until:%Y-%m-%d}"
