"""Deletes the access keys that a runbook deactivated long ago."""

import csv
from datetime import datetime, timedelta

from common import (
    ACTIONS_OF_ALL,
    EXEMPT,
    RECORD,
    Account,
    attempts,
    parse_date,
    parse_time,
    read_options,
    run,
    text_now,
    time_now,
    unfinished,
)

# The oldest credential report that counts. IAM creates one every four hours at most.
MOST_REPORT_AGE = timedelta(hours=5)


def withheld(key_id, tags, today):
    """Whether the user has an exemption that has not expired, even one that is void to the rule. Then the key stays."""
    if not any(name.startswith(EXEMPT) for name in tags) or tags.get(EXEMPT + "key", "").strip() not in ("", key_id):
        return False
    until = parse_date(tags.get(EXEMPT + "until", "").strip())
    return until is None or today <= until


def decide_deletion(keys, last_used, tags, now, options, dates):
    """For each recorded key (action, reason). Only the record counts, never the key's age.

    For dates, see switched_on.
    """
    keys = {key["AccessKeyId"]: key for key in keys}
    grace = timedelta(days=options["GraceDays"])
    decisions = {}
    for name, record in sorted(tags.items()):
        if not name.startswith(RECORD):
            continue
        key_id = name[len(RECORD) :]
        status = keys[key_id]["Status"] if key_id in keys else None
        used = last_used.get(key_id)
        since = parse_time(record)
        if status is None:
            decision = "forget", "it is gone"
        elif status == "Active":
            decision = "forget", "it is active again"
        elif status != "Inactive":
            decision = "keep", f"it is {status.lower()}"
        elif since is None or not keys[key_id]["CreateDate"] <= since <= now:
            decision = "ask", unfinished(record)
        elif withheld(key_id, tags, now.date()):
            decision = "keep", "the user has exemption tags"
        elif used and used > since:
            reason = f"used on {used:%Y-%m-%d}, after it was deactivated on {since:%Y-%m-%d}"
            doubt = "somebody switched it on and off again. Delete it by hand if nobody needs it"
            decision = "ask", f"{reason}: {doubt}"
        elif now - since < grace:
            decision = "keep", f"deactivated on {since:%Y-%m-%d}; may be deleted from {since + grace:%Y-%m-%d}"
        else:
            doubt = switched_on(key_id, keys.values(), dates, since)
            decision = doubt or ("delete", f"deactivated on {since:%Y-%m-%d} and not used or switched on since")
        decisions[key_id] = decision
    return decisions


def switched_on(key_id, keys, dates, since):
    """The decision on a key that somebody may have switched on and off again since a time. None: nobody did.

    dates says when each key of the user was created or last switched on, in no order, from the credential report. The
    report does not say which date is which key's, but a date on which another key was created belongs to that key.
    """
    if len(dates) < len(keys):
        return "keep", (
            "IAM's credential report does not say yet when each key of the user was last switched on. IAM creates it "
            "every four hours at most. If this does not change, delete the key by hand"
        )
    later = [date for date in dates if date > since]
    for key in keys:
        if key["AccessKeyId"] != key_id and key["CreateDate"] in later:
            later.remove(key["CreateDate"])
    if not later:
        return None
    return "ask", (
        f"IAM's credential report says that somebody switched on a key of this user on {max(later):%Y-%m-%d}, after "
        f"the deactivation on {since:%Y-%m-%d}. It may be this key. Delete it by hand if nobody needs it"
    )


def switch_on_dates(account):
    """For each user, by name, when the keys were created or last switched on, from the credential report."""
    for _ in attempts(60):
        if account.iam.generate_credential_report()["State"] == "COMPLETE":
            break
    report = account.iam.get_credential_report()
    if time_now() - report["GeneratedTime"] > MOST_REPORT_AGE:
        raise RuntimeError(
            f"The credential report is too old: IAM created it at {report['GeneratedTime']:%Y-%m-%d %H:%M}."
        )
    dates = {}
    for row in csv.DictReader(report["Content"].decode().splitlines()):
        # Names may have commas, and AWS does not document whether IAM quotes them. A row that was split counts for no
        # user.
        if (row["arn"] or "").endswith("/" + row["user"]):
            texts = [row[f"access_key_{number}_last_rotated"] or "" for number in (1, 2)]
            dates[row["user"]] = [datetime.fromisoformat(text) for text in texts if text[:1].isdigit()]
    return dates


def delete_key(account, user_name, key_id):
    # The last look: the runbook never deletes an active key.
    if account.status(user_name, key_id) not in ("Inactive", None):
        raise RuntimeError("somebody switched it on while this ran")
    try:
        account.iam.delete_access_key(UserName=user_name, AccessKeyId=key_id)
        account.to_tell[key_id] = user_name, "deleted", text_now()
    except account.iam.exceptions.NoSuchEntityException:
        # Somebody deleted the key or its user in the meantime. The next look shows which.
        pass
    try:
        account.verify(user_name, key_id, None)
        account.forget(user_name, key_id)
    except Exception as error:
        raise RuntimeError(f"it was deleted, but then: {error}") from error


ACTIONS = dict(ACTIONS_OF_ALL, delete=(delete_key, "deleted"))


def recorded(tags):
    """The ids of the keys that have a record."""
    return [name[len(RECORD) :] for name in tags if name.startswith(RECORD)]


def delete(event, context):
    options, account = read_options(event), Account(event)
    users, dates = account.users(options), switch_on_dates(account)

    def decide(account, user_name, user_id):
        now = time_now()
        tags, keys = account.tags(user_name, user_id), account.keys(user_name)
        key_ids = [key["AccessKeyId"] for key in keys if key["AccessKeyId"] in recorded(tags)]
        last_used = {key_id: account.last_used(user_name, key_id) for key_id in key_ids}
        return decide_deletion(keys, last_used, tags, now, options, dates.get(user_name, []))

    def has_record(user):
        return recorded(account.tags(*user))

    # A listing has no tags, and an account may have 5,000 users.
    return run(account, options, users, decide, ACTIONS, has_record if options["ResourceId"] == "ALL" else None)
