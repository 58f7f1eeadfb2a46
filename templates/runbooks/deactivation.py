"""The deactivation of a key with a record, and the exemptions that stop it."""

from datetime import timedelta

from common import EXEMPT, Untouched, parse_date
from records import DEACTIVATED, DEACTIVATING


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


def deactivate_key(account, user, key_id, instead=None):
    """Deactivates a key, and records it. instead is a key that must be active then."""
    account.records.create(key_id, user[1], DEACTIVATING)
    try:
        switch_off(account, user, key_id, instead)
    except Untouched:
        account.records.forget(key_id)
        raise


def deactivate_again(account, user, key_id):
    account.records.advance(key_id, user[1], DEACTIVATING)
    switch_off(account, user, key_id)


def switch_off(account, user, key_id, instead=None):
    # The record has the time of the change: if somebody switches the key on later, the credential report and CloudTrail
    # have a later time.
    done = account.look_and_update(user[0], key_id, "Inactive", "Active", instead)
    account.records.advance(key_id, user[1], DEACTIVATED, done)
