"""User records: that a rotation of a user is under way, as a parameter of Systems Manager for each user.

They keep two runs apart and say how far a rotation is. No key moves, and none is deleted, because of a user record
alone.
"""

import json
from datetime import datetime
from typing import NamedTuple, Optional

from common import text_now
from records import get, put, remove

USER_PATH = "/access-key-rotation/users/"
# Until SWITCHING, nobody can have got the new key from the secret.
CREATING, CREATED, SWITCHING, SWITCHED, BLOCKED = "creating", "created", "switching", "switched", "blocked"
BEFORE_SWITCH = (CREATING, CREATED, BLOCKED)
MOST_REASON = 400


class UserRecord(NamedTuple):
    """What a parameter says. `state` is None if it says anything else than a record does. `at` is Systems Manager's own
    time of the last change, `number` the parameter's version."""

    at: datetime
    number: int
    state: Optional[str] = None
    execution: Optional[str] = None
    new_key: Optional[str] = None
    reason: Optional[str] = None


def parse_user_record(text, at, number):
    try:
        fields = json.loads(text)
        texts = [fields[name] for name in ("execution", "newKey", "reason")]
        known = fields["state"] in (CREATING, CREATED, SWITCHING, SWITCHED, BLOCKED)
        if known and all(text is None or isinstance(text, str) for text in texts):
            return UserRecord(at, number, fields["state"], *texts)
    except (ValueError, KeyError, TypeError):
        pass
    return UserRecord(at, number)


class UserRecords:
    def __init__(self, ssm, execution_id):
        self.ssm, self.execution_id = ssm, execution_id

    def of_user(self, user_id):
        """The user's record. None: there is none."""
        parameter = get(self.ssm, USER_PATH + user_id)
        return parameter and parse_user_record(parameter["Value"], parameter["LastModifiedDate"], parameter["Version"])

    def write(self, user, secret_arn, state, before, new_key=None, reason=None):
        """Writes the next state of a rotation, for this run. Of two runs that write over the same state, one can.

        before is the record that was seen. None: there was none.
        """
        fields = dict(state=state, since=text_now(), execution=self.execution_id, userName=user[0], secret=secret_arn)
        fields |= dict(newKey=new_key, reason=reason and reason[:MOST_REASON])
        try:
            put(self.ssm, USER_PATH + user[1], json.dumps(fields), before and before.number)
        except self.ssm.exceptions.ParameterAlreadyExists as error:
            raise RuntimeError("another run began with this user at the same moment") from error

    def end(self, user_id):
        remove(self.ssm, USER_PATH + user_id)
