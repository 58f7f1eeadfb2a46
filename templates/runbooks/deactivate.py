"""Deactivates the stale access keys of a user."""

from datetime import timedelta

from common import (
    ACTIONS_OF_ALL,
    DEACTIVATING,
    EXEMPT,
    RECORD,
    TIME_FORMAT,
    Account,
    parse_date,
    parse_time,
    read_options,
    run,
    text_now,
    time_now,
    unfinished,
)


def exemption(tags, today, most_days):
    """A function that says whether an access key is exempt, and the last day of the exemption.

    If the exemption is void, no key is exempt.
    """

    def value(name):
        return tags.get(EXEMPT + name, "").strip()

    void = (lambda key_id: False), None
    only = value("key")
    if not value("owner"):
        return void
    if not only and EXEMPT + "key" in tags:
        return void
    until = parse_date(value("until"))
    if until is None or not today <= until <= today + timedelta(days=most_days):
        return void
    return (lambda key_id: only in ("", key_id)), until


def stale(keys, tags, now, options):
    """The keys that make the rule report the user: active, older than the limit, and not exempt."""
    limit = timedelta(days=options["MaxAccessKeyAge"])
    is_exempt, _ = exemption(tags, now.date(), options["MaxExemptionDays"])
    return [
        key
        for key in keys
        if key["Status"] == "Active" and now - key["CreateDate"] > limit and not is_exempt(key["AccessKeyId"])
    ]


def decide_deactivation(keys, last_used, tags, now, options):
    """For each key (action, reason). last_used has the time for each stale key, or None if IAM has no use on record."""
    stale_ids = [key["AccessKeyId"] for key in stale(keys, tags, now, options)]
    _, until = exemption(tags, now.date(), options["MaxExemptionDays"])
    quiet = timedelta(days=options["QuietDays"])
    decisions = {}
    for key in keys:
        key_id, age = key["AccessKeyId"], (now - key["CreateDate"]).days
        record = tags.get(RECORD + key_id)
        if key["Status"] != "Active":
            if key["Status"] == "Inactive" and record is not None and parse_time(record) is None:
                decision = "ask", unfinished(record)
            else:
                decision = "keep", f"it is {key['Status'].lower()} already"
        elif key_id in stale_ids:
            used = last_used[key_id]
            if quiet and used and now - used <= quiet:
                decision = "keep", f"{age} days old, but used on {used:%Y-%m-%d}, within {quiet.days} days: rotate it"
            else:
                use = f"last used on {used:%Y-%m-%d}" if used else "no use on record"
                # If the record already says the same, it stays as it is: each change of a tag makes AWS Config evaluate
                # the user again, and a run that always fails would start the next one forever.
                action = "resume" if record and record.startswith(DEACTIVATING) else "deactivate"
                decision = action, f"{age} days old, {use}"
        elif now - key["CreateDate"] > timedelta(days=options["MaxAccessKeyAge"]):
            decision = "keep", f"{age} days old, but exempt until {until}"
        else:
            decision = "keep", f"{age} days old, not older than {options['MaxAccessKeyAge']}"
        if key["Status"] == "Active" and decision[0] == "keep" and record is not None:
            # Somebody switched it on by hand. If somebody switches it off by hand again, the old time must not count.
            decision = "forget", decision[1]
        decisions[key_id] = decision
    return decisions


def deactivate_key(account, user_name, key_id):
    account.record(user_name, key_id, DEACTIVATING + text_now())
    switch_off(account, user_name, key_id)


def switch_off(account, user_name, key_id):
    # The record has the time of the change: if somebody switches the key on later, the credential report has a later
    # time.
    done = account.look_and_update(user_name, key_id, "Inactive", "Active")
    account.record(user_name, key_id, done)


ACTIONS = dict(ACTIONS_OF_ALL, deactivate=(deactivate_key, "deactivated"), resume=(switch_off, "deactivated"))


def deactivate(event, context):
    options, account = read_options(event), Account(event)

    def decide(account, user_name, user_id):
        now = time_now()
        tags, keys = account.tags(user_name, user_id), account.keys(user_name)
        stale_ids = [key["AccessKeyId"] for key in stale(keys, tags, now, options)]
        last_used = {key_id: account.last_used(user_name, key_id) for key_id in stale_ids}
        decisions = decide_deactivation(keys, last_used, tags, now, options)
        for key_id in stale_ids:
            if decisions[key_id][0] in ("keep", "forget") and not options["DryRun"]:
                account.to_tell[key_id] = user_name, "kept", now.strftime(TIME_FORMAT)
        return decisions

    return run(account, options, account.users(options), decide, ACTIONS)
