"""Chooses what the remediation of a user starts: the rotation of the key, or the deactivation of stale keys."""

from account import Account
from optin import is_opted_in


def remediate(event, context):
    """The next step of the document. Raises if nobody can tell whether the user's keys rotate."""
    account = Account(event)
    [user] = account.user(event["ResourceId"])
    account.tags(*user)
    rotates = is_opted_in(account.users_read[user[0]], event["RotationPath"])
    return dict(Next="Rotate" if rotates else "Deactivate")
