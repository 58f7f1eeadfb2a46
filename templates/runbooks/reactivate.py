"""Reactivates an access key that a runbook deactivated."""

from account import Account
from common import read_options
from records import PATH, REACTIVATED, REACTIVATING
from runs import ACTIONS_OF_ALL, run


def decide_reactivation(keys, records, key_id):
    """(action, reason) for the one key. Raises if no runbook deactivated it."""
    status = {key["AccessKeyId"]: key["Status"] for key in keys}.get(key_id)
    record = records.get(key_id)
    if status is None:
        raise ValueError(f"The user has no access key {key_id}.")
    if status == "Active":
        return ("keep" if record is None or record.state == REACTIVATED else "leave on"), "it is active already"
    if status != "Inactive" or record is None:
        raise ValueError(
            f"{key_id} is {status.lower()}, and not by these runbooks: there is no parameter {PATH}{key_id}."
        )
    if record.state == REACTIVATED:
        raise ValueError(
            f"{key_id} is inactive, and not by these runbooks: they reactivated it on {record.since:%Y-%m-%d}, and "
            "somebody else deactivated it since."
        )
    return "reactivate", f"its record says {record.state or record.text[:40]!r}"


def reactivate_key(account, user, key_id):
    account.records.advance(key_id, user[1], REACTIVATING)
    account.look_and_update(user[0], key_id, "Active", "Inactive")
    account.records.advance(key_id, user[1], REACTIVATED)


ACTIONS = dict(ACTIONS_OF_ALL, reactivate=(reactivate_key, "reactivated"))


def reactivate(event, context):
    options, account = read_options(event), Account(event, "ReactivateKey")
    key_id = options["AccessKeyId"]

    def decide(account, user_name, user_id):
        account.tags(user_name, user_id)
        keys = account.keys(user_name)
        return {key_id: decide_reactivation(keys, account.records.of_keys([key_id]), key_id)}

    return run(account, options, account.user(options["ResourceId"]), decide, ACTIONS)
