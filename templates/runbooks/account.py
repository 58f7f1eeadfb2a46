"""The account that a runbook works on: its users, access keys and records.

Keys are dicts of AccessKeyId, Status and CreateDate, as ListAccessKeys returns them. A user is a name and an id.
"""

import time

from common import (
    LAST_CHANGE,
    MOST_PAGES,
    MOST_SECONDS,
    Gone,
    Untouched,
    attempts,
    client,
    text_now,
    time_now,
)
from records import Records

THROTTLED, MOST_UPDATES = ("Throttling", "ThrottlingException", "RequestLimitExceeded"), 6


class Account:
    """The IAM of the account, and its records. It keeps what it read, for the notices."""

    def __init__(self, event, runbook=None):
        self.iam = client("iam", 6)
        # For a change whose own answer must tell whether it was made. After a repetition, no answer does.
        self.iam_once = client("iam", 0)
        self.deadline = time.monotonic() + MOST_SECONDS
        # The tag that names a user's owner. None: the run puts no notices, which name the runbook.
        self.owner_tag, self.runbook = event.get("OwnerTag"), runbook
        self.execution_id = event.get("ExecutionId")
        self.records = Records(self.execution_id)
        self.partition = None
        # Users by name, and of keys, by id, the creation, the last use, and what to tell: (user's name, kind, time,
        # why).
        self.users_read, self.creations, self.last_uses, self.to_tell = {}, {}, {}, {}

    def pages(self, operation, **parameters):
        pages = self.iam.get_paginator(operation).paginate(PaginationConfig=dict(PageSize=1000), **parameters)
        for number, page in enumerate(pages):
            if number == MOST_PAGES:
                raise RuntimeError(f"{operation} does not end.")
            yield page

    def users(self):
        """Names and ids of all users, by name."""
        users = [user for page in self.pages("list_users") for user in page["Users"]]
        self.partition = users[0]["Arn"].split(":")[1] if users else None
        return sorted((user["UserName"], user["UserId"]) for user in users)

    def user(self, user_id):
        """Name and id of a user, in a list."""
        return with_id(user_id, self.users())

    def tags(self, user_name, user_id):
        try:
            user = self.iam.get_user(UserName=user_name)["User"]
        except self.iam.exceptions.NoSuchEntityException as error:
            raise Gone(str(error)) from error
        if user["UserId"] != user_id:
            raise Gone(f"The name {user_name} now belongs to another user, {user['UserId']}.")
        self.users_read[user_name] = user
        return {tag["Key"]: tag["Value"] for tag in user.get("Tags", [])}

    def is_gone(self, user):
        """Whether the user is gone, after a call about the user failed."""
        try:
            self.tags(*user)
        except Gone:
            return True
        except Exception:
            pass
        return False

    def keys(self, user_name):
        pages = self.pages("list_access_keys", UserName=user_name)
        keys = [key for page in pages for key in page["AccessKeyMetadata"]]
        self.creations.update((key["AccessKeyId"], key["CreateDate"]) for key in keys)
        return keys

    def statuses(self, user_name):
        return {key["AccessKeyId"]: key["Status"] for key in self.keys(user_name)}

    def status(self, user_name, key_id):
        """The key's status. None: there is no such key."""
        return self.statuses(user_name).get(key_id)

    def last_used(self, user_name, key_id):
        """When the key was last used. None: IAM has no use on record."""
        answer = self.iam.get_access_key_last_used(AccessKeyId=key_id)
        if answer.get("UserName") != user_name:
            raise RuntimeError(f"IAM does not say that {key_id} is of {user_name}.")
        self.last_uses[key_id] = answer["AccessKeyLastUsed"]
        return self.last_uses[key_id].get("LastUsedDate")

    def look_and_update(self, user_name, key_id, status, expected, instead=None):
        """Changes a key's status if, at a last look, it is the expected one. Returns the time.

        instead is the key that must be active then. Raises Untouched if the key is surely as it was.
        """
        try:
            statuses = self.statuses(user_name)
        except Exception as error:
            raise Untouched(str(error)) from error
        seen = statuses.get(key_id)
        if instead and statuses.get(instead) != "Active":
            raise Untouched(f"somebody else made {instead} {statuses.get(instead) or 'gone'} while this ran")
        if seen != expected:
            raise Untouched(f"it was {expected}, and somebody else made it {seen or 'gone'} while this ran")
        self.update(user_name, key_id, status)
        done = text_now()
        self.to_tell[key_id] = user_name, "reactivated" if status == "Active" else "deactivated", done, None
        self.verify(user_name, key_id, status)
        return done

    def update(self, user_name, key_id, status):
        for number in range(MOST_UPDATES):
            try:
                return self.iam_once.update_access_key(UserName=user_name, AccessKeyId=key_id, Status=status)
            except Exception as error:
                if not is_refused(error):
                    raise
                if error_code(error) not in THROTTLED or number == MOST_UPDATES - 1:
                    raise Untouched(str(error)) from error
            time.sleep(2**number)

    def verify(self, user_name, key_id, status):
        """IAM is eventually consistent: waits until a listing shows the status. None: no such key."""
        for _ in attempts(15):
            seen = self.status(user_name, key_id)
            if seen == status:
                return
        raise RuntimeError(f"{key_id} of {user_name} is still {seen} after it was made {status or 'gone'}.")

    def mark_changed(self, user_name):
        """Makes AWS Config evaluate the user, by a value that no tag had before."""
        self.iam.tag_user(UserName=user_name, Tags=[dict(Key=LAST_CHANGE, Value=f"{time_now():%Y-%m-%dT%H:%M:%S.%fZ}")])


def is_refused(error):
    """Whether AWS answered that it did nothing. Without an answer, nobody knows."""
    status = getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return 400 <= status < 500


def error_code(error):
    return getattr(error, "response", {}).get("Error", {}).get("Code")


def with_id(user_id, users):
    found = [user for user in users if user[1] == user_id]
    if not found:
        raise ValueError(f"No IAM user of this account has the id {user_id}.")
    return found


def delete_key(account, user, key_id):
    # The last look: the runbook never deletes an active key.
    if account.status(user[0], key_id) not in ("Inactive", None):
        raise RuntimeError("somebody switched it on while this ran")
    try:
        account.iam.delete_access_key(UserName=user[0], AccessKeyId=key_id)
        account.to_tell[key_id] = user[0], "deleted", text_now(), None
    except account.iam.exceptions.NoSuchEntityException:
        # Somebody deleted the key or its user in the meantime. The next look shows which.
        pass
    try:
        account.verify(user[0], key_id, None)
        account.records.forget(key_id)
    except Exception as error:
        raise RuntimeError(f"it was deleted, but then: {error}") from error
