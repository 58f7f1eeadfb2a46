"""Reactivates an access key that a runbook deactivated."""

from common import ACTIONS_OF_ALL, REACTIVATING, RECORD, Account, read_options, run, text_now


def decide_reactivation(keys, tags, key_id):
    """(action, reason) for the one key. Raises if no runbook deactivated it."""
    status = {key["AccessKeyId"]: key["Status"] for key in keys}.get(key_id)
    record = tags.get(RECORD + key_id)
    if status is None:
        raise ValueError(f"The user has no access key {key_id}.")
    if status == "Active":
        return ("keep" if record is None else "forget"), "it is active already"
    if status != "Inactive" or record is None:
        raise ValueError(f"{key_id} is {status.lower()}, and not by these runbooks: there is no tag {RECORD}{key_id}.")
    return "reactivate", f"its record said: {record[:40]}"


def reactivate_key(account, user_name, key_id):
    account.record(user_name, key_id, REACTIVATING + text_now())
    account.look_and_update(user_name, key_id, "Active", "Inactive")
    account.forget(user_name, key_id)


ACTIONS = dict(ACTIONS_OF_ALL, reactivate=(reactivate_key, "reactivated"))


def reactivate(event, context):
    options, account = read_options(event), Account(event)
    key_id = options["AccessKeyId"]

    def decide(account, user_name, user_id):
        tags, keys = account.tags(user_name, user_id), account.keys(user_name)
        return {key_id: decide_reactivation(keys, tags, key_id)}

    return run(account, options, account.users(options), decide, ACTIONS)
