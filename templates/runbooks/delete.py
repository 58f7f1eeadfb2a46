"""Deletes the access keys that a runbook deactivated long ago."""

from datetime import timedelta

from account import Account, delete_key, with_id
from common import ALL, EXEMPT, MANY_USERS, ROTATED, SECRET_TAG, parse_date, read_options, time_now
from proofs import CONTRADICTION, PROOF, SLACK, Trail, by_report, by_trail, switch_on_dates
from records import DEACTIVATED, unfinished
from runs import ACTIONS_OF_ALL, run
from trail import DELIVERY

# How old `provenUntil` may get before it is written again. Parameter Store takes three writes a second.
PROVE_EVERY = timedelta(days=7)
# How long after a deactivation a runbook has written its record.
WRITTEN_WITHIN = timedelta(hours=1)


def withheld(key_id, tags, today):
    """Whether the user has an exemption that has not expired, even one that is void to the rule. Then the key stays."""
    if not any(name.startswith(EXEMPT) for name in tags) or tags.get(EXEMPT + "key", "").strip() not in ("", key_id):
        return False
    until = parse_date(tags.get(EXEMPT + "until", "").strip())
    return until is None or today <= until


def decide_deletion(keys, last_used, tags, records, recorded_at, now, options, dates, trail):
    """For each recorded key (action, reason). Only the record and the proofs count, never the key's age.

    recorded_at has the time by Systems Manager of each record that may be old enough. For dates and trail, see
    by_report and by_trail.
    """
    keys = {key["AccessKeyId"]: key for key in keys}
    grace = timedelta(days=options["GraceDays"])
    decisions = {}
    for key_id, record in sorted(records.items()):
        status = keys[key_id]["Status"] if key_id in keys else None
        used, since = last_used.get(key_id), record.since
        if status is None:
            decision = "forget", "it is gone"
        elif status == "Active":
            decision = "leave on" if record.state == DEACTIVATED else "keep", "it is active again"
        elif status != "Inactive":
            decision = "keep", f"it is {status.lower()}"
        elif record.state != DEACTIVATED or not keys[key_id]["CreateDate"] <= since <= now:
            decision = "ask", unfinished(record)
        elif withheld(key_id, tags, now.date()):
            decision = keeps(record, by_trail(key_id, record, trail), now), "the user has exemption tags"
        elif used and used > since:
            reason = f"used on {used:%Y-%m-%d}, after it was deactivated on {since:%Y-%m-%d}"
            doubt = "somebody switched it on and off again. Delete it by hand if nobody needs it"
            decision = "ask", f"{reason}: {doubt}"
        else:
            proofs = by_report(key_id, keys.values(), dates, since), by_trail(key_id, record, trail)
            decision = decide_by_proofs(record, proofs, recorded_at.get(key_id), now, grace)
        decisions[key_id] = decision
    return decisions


def decide_orphans(records, user_ids):
    """For each record of a user who was not listed, (action, reason), by a second listing."""
    decisions = {}
    for key_id, record in records.items():
        if record.user_id is None:
            decisions[key_id] = "ask", f"its record cannot be read: {record.text[:40]!r}. Delete the parameter by hand"
        elif record.user_id in user_ids:
            decisions[key_id] = "keep", "its user was not listed at first"
        else:
            decisions[key_id] = "forget", "its user is gone"
    return decisions


def keeps(record, by_cloudtrail, now):
    """The action for a key that waits: it is kept, and what CloudTrail proves is written down from time to time."""
    is_news = now - DELIVERY - (record.proven_until or record.since) >= PROVE_EVERY
    return "prove" if by_cloudtrail[0] == PROOF and is_news else "keep"


def decide_by_proofs(record, proofs, recorded_at, now, grace):
    """The decision on a key that is inactive since the record's time, as far as IAM shows now."""
    since, (by_iam, by_cloudtrail) = record.since, proofs
    is_due = now - since >= grace
    for verdict, reason in [by_cloudtrail, by_iam] if is_due else [by_cloudtrail]:
        if verdict == CONTRADICTION:
            return "ask", f"{reason}. Delete it by hand if nobody needs it"
    if not is_due:
        waits = f"deactivated on {since:%Y-%m-%d}; may be deleted from {since + grace:%Y-%m-%d}"
        return keeps(record, by_cloudtrail, now), waits
    if recorded_at is None:
        return "keep", "its record changed while this ran"
    if recorded_at - since > WRITTEN_WITHIN:
        return "ask", (
            f"its record says deactivated on {since:%Y-%m-%d}, but somebody wrote it on {recorded_at:%Y-%m-%d}. Delete "
            "it by hand if nobody needs it"
        )
    if PROOF in (by_iam[0], by_cloudtrail[0]):
        return "delete", f"deactivated on {since:%Y-%m-%d} and not used or switched on since"
    return "keep", (
        f"nobody can tell whether it was switched on meanwhile: {by_iam[1]}; {by_cloudtrail[1]}. If this stays so, "
        "delete it by hand"
    )


def prove_record(account, user, key_id):
    account.records.prove(key_id, account.trail.until)


ACTIONS = dict(ACTIONS_OF_ALL)
ACTIONS["delete"] = delete_key, "deleted"
ACTIONS["prove"] = prove_record, ACTIONS["keep"][1]


def read_trail(account, records):
    """CloudTrail's events since the first of the records, or the error why there are none."""
    times = [record.since - SLACK for record in records if record.state == DEACTIVATED]
    if not times:
        return RuntimeError("no key was deactivated when this run began")
    try:
        return Trail(account.partition, min(times), time_now())
    except Exception as error:
        return error


def read_dates(account):
    """The credential report's dates, or the error why there are none."""
    try:
        return switch_on_dates(account)
    except Exception as error:
        return error


def delete(event, context):
    options, account = read_options(event), Account(event, "DeleteDeactivatedKeys")
    listed, records = account.users(), account.records.all()
    ids = {user_id for _, user_id in listed}
    of_users = {}
    for key_id, record in records.items():
        of_users.setdefault(record.user_id, []).append(key_id)
    if options["ResourceId"] not in MANY_USERS:
        users = with_id(options["ResourceId"], listed)
    else:
        users = [user for user in listed if user[0] > options["StartAfter"] and user[1] in of_users]
        # Records of users who are gone, or that cannot be read.
        if options["ResourceId"] == ALL and not options["StartAfter"]:
            users = [(None, user_id) for user_id in of_users if user_id not in ids] + users
    account.trail = read_trail(account, [record for record in records.values() if record.user_id in ids])
    dates = read_dates(account)

    def dates_of(user_name):
        return dates if isinstance(dates, Exception) else dates.get(user_name, [])

    def decide(account, user_name, user_id):
        key_ids = of_users.get(user_id, [])
        if user_name is None:
            return decide_orphans(account.records.of_keys(key_ids), {user_id for _, user_id in account.users()})
        now, grace = time_now(), timedelta(days=options["GraceDays"])
        tags = account.tags(user_name, user_id)
        if options["ResourceId"] == ROTATED and SECRET_TAG not in tags:
            return {}
        keys, records = account.keys(user_name), account.records.of_keys(key_ids)
        held = [key["AccessKeyId"] for key in keys if key["AccessKeyId"] in records]
        last_used = {key_id: account.last_used(user_name, key_id) for key_id in held}
        is_due = {
            key_id: records[key_id].state == DEACTIVATED and now - records[key_id].since >= grace for key_id in held
        }
        recorded_at = {key_id: account.records.recorded_at(key_id) for key_id in held if is_due[key_id]}
        return decide_deletion(
            keys, last_used, tags, records, recorded_at, now, options, dates_of(user_name), account.trail
        )

    return run(account, options, users, decide, ACTIONS)
