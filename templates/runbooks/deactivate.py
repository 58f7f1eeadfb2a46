"""Deactivates the stale access keys of a user."""

from datetime import timedelta

from account import Account
from common import SECRET_TAG, TIME_FORMAT, read_options, time_now
from deactivation import deactivate_again, deactivate_key, exemption
from optin import is_opted_in
from records import DEACTIVATED, DEACTIVATING, REACTIVATED, REACTIVATING, unfinished
from runs import ACTIONS_OF_ALL, run


def stale(keys, tags, now, options):
    """The keys that make the rule report the user: active, older than the limit, and not exempt."""
    limit = timedelta(days=options["MaxAccessKeyAge"])
    is_exempt, _ = exemption(tags, now.date(), options["MaxExemptionDays"])
    return [
        key
        for key in keys
        if key["Status"] == "Active" and now - key["CreateDate"] > limit and not is_exempt(key["AccessKeyId"])
    ]


def decide_deactivation(keys, last_used, tags, records, now, options, rotates=False):
    """For each key (action, reason). last_used has the time for each stale key, or None if IAM has no use on record.

    rotates: the user's keys rotate into a secret, so all are left.
    """
    stale_ids = [key["AccessKeyId"] for key in stale(keys, tags, now, options)]
    _, until = exemption(tags, now.date(), options["MaxExemptionDays"])
    quiet = timedelta(days=options["QuietDays"])
    decisions = {}
    for key in keys:
        key_id, age = key["AccessKeyId"], (now - key["CreateDate"]).days
        record = records.get(key_id)
        if key["Status"] != "Active":
            if key["Status"] == "Inactive" and record is not None and record.state not in (DEACTIVATED, REACTIVATED):
                decisions[key_id] = "ask", unfinished(record)
            else:
                decisions[key_id] = "keep", f"it is {key['Status'].lower()} already"
            continue
        # Somebody switched it on. If somebody switches it off again, the old record must not count.
        leave = "leave on" if record is not None and record.state in (DEACTIVATED, REACTIVATING) else "keep"
        if key_id in stale_ids:
            used = last_used[key_id]
            if rotates:
                decision = (
                    leave,
                    f"{age} days old, but left to AccessKeyRotation-RotateKey: {SECRET_TAG} names a secret",
                )
            elif quiet and used and now - used <= quiet:
                decision = leave, f"{age} days old, but used on {used:%Y-%m-%d}, within {quiet.days} days: rotate it"
            elif record is not None and not options["Again"]:
                decision = leave, f"{age} days old, but {on_again(record)}"
            else:
                use = f"last used on {used:%Y-%m-%d}" if used else "no use on record"
                decision = "deactivate" if record is None else "deactivate again", f"{age} days old, {use}"
        elif now - key["CreateDate"] > timedelta(days=options["MaxAccessKeyAge"]):
            decision = leave, f"{age} days old, but exempt until {until}"
        else:
            decision = leave, f"{age} days old, not older than {options['MaxAccessKeyAge']}"
        decisions[key_id] = decision
    return decisions


def on_again(record):
    """Why a key stays on that has a record."""
    then = "Rotate it, exempt it, or pass Again=true. If Terraform or CloudFormation owns it, change its status there"
    if record.state in (DEACTIVATING, None):
        return (
            f"its record says {record.state or record.text[:40]!r}: an earlier run did not end, or is under way. {then}"
        )
    return f"somebody switched it on again after a runbook's deactivation. {then}"


ACTIONS = dict(ACTIONS_OF_ALL)
ACTIONS["deactivate"] = deactivate_key, "deactivated"
ACTIONS["deactivate again"] = deactivate_again, "deactivated"


def deactivate(event, context):
    options, account = read_options(event), Account(event, "DeactivateStaleKeys")

    def decide(account, user_name, user_id):
        now = time_now()
        tags, keys = account.tags(user_name, user_id), account.keys(user_name)
        records = account.records.of_keys([key["AccessKeyId"] for key in keys])
        stale_ids = [key["AccessKeyId"] for key in stale(keys, tags, now, options)]
        last_used = {key_id: account.last_used(user_name, key_id) for key_id in stale_ids}
        rotates = bool(stale_ids) and is_opted_in(account.users_read[user_name], options["RotationPath"])
        decisions = decide_deactivation(keys, last_used, tags, records, now, options, rotates)
        for key_id in stale_ids:
            action, why = decisions[key_id]
            if action in ("keep", "leave on") and not options["DryRun"]:
                account.to_tell[key_id] = user_name, "kept", now.strftime(TIME_FORMAT), why
        return decisions

    return run(account, options, account.user(options["ResourceId"]), decide, ACTIONS)
