"""Records: what the runbooks did to an access key, as a parameter of Systems Manager for each key.

Not as a tag of the user: infrastructure as code that owns the user would remove it.
"""

import json
import time
from datetime import datetime
from typing import NamedTuple, Optional

from common import TIME_FORMAT, client, parse_time, text_now

PATH = "/access-key-rotation/keys/"
# A run that ends before its time leaves a key in the first or third state. Nobody can tell afterwards whether the run
# or somebody else has switched the key since.
DEACTIVATING, DEACTIVATED = "deactivating", "deactivated"
REACTIVATING, REACTIVATED = "reactivating", "reactivated"
# Parameter Store takes some 3 writes and 40 reads a second from the whole account.
WRITE_SECONDS, READ_SECONDS = 0.35, 0.1
# For the 10,000 parameters that an account may have, ten a page.
MOST_RECORD_PAGES = 1100


class Record(NamedTuple):
    """What a parameter says. `state` is None if it says anything else than a record does."""

    text: str
    state: Optional[str] = None
    since: Optional[datetime] = None
    execution: Optional[str] = None
    user_id: Optional[str] = None
    # Until when CloudTrail proves that nobody has switched the key since.
    proven_until: Optional[datetime] = None
    # The parameter's own version.
    number: int = 0

    def fields(self):
        fields = dict(state=self.state, since=self.since, execution=self.execution, userId=self.user_id)
        if self.proven_until:
            fields["provenUntil"] = self.proven_until
        return fields


def parse_record(text, number=0):
    """The record of a parameter's value."""
    try:
        fields = json.loads(text)
        state, since, user_id = fields["state"], parse_time(fields["since"]), fields["userId"]
        proven = fields.get("provenUntil")
        proven_until = parse_time(proven) if proven is not None else None
        known = state in (DEACTIVATING, DEACTIVATED, REACTIVATING, REACTIVATED)
        if known and since and isinstance(user_id, str) and (proven is None or proven_until):
            return Record(text, state, since, fields.get("execution"), user_id, proven_until, number)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return Record(text, number=number)


class Records:
    """The records of the account. Remembers each as it was last seen or written here."""

    def __init__(self, execution_id):
        self.ssm = client("ssm", 8)
        self.execution_id, self.seen = execution_id, {}

    def of_keys(self, key_ids):
        """The record of each key that has one."""
        for key_id in key_ids:
            parameter = get(self.ssm, PATH + key_id)
            self.seen[key_id] = parameter and parse_record(parameter["Value"], parameter["Version"])
        return {key_id: self.seen[key_id] for key_id in key_ids if self.seen[key_id]}

    def all(self):
        """The records of all keys, by the key's id."""
        pages = self.ssm.get_paginator("get_parameters_by_path").paginate(Path=PATH)
        for number, page in enumerate(pages):
            if number == MOST_RECORD_PAGES:
                raise RuntimeError("The records do not end.")
            for parameter in page["Parameters"]:
                self.seen[parameter["Name"][len(PATH) :]] = parse_record(parameter["Value"], parameter["Version"])
            time.sleep(READ_SECONDS)
        return dict(self.seen)

    def create(self, key_id, user_id, state):
        """Writes the first record of a key. Of two runs, one can."""
        record = Record("", state, parse_time(text_now()), self.execution_id, user_id)
        try:
            self.put(key_id, record, False)
        except self.ssm.exceptions.ParameterAlreadyExists as error:
            raise RuntimeError("another run began with this key while this one read it") from error

    def advance(self, key_id, user_id, state, since=None):
        """Writes the next state of a key, unless somebody else has changed the record since it was seen here."""
        self.replace(key_id, Record("", state, parse_time(since or text_now()), self.execution_id, user_id))

    def prove(self, key_id, until):
        """Writes until when it is proven that nobody has switched the key."""
        self.replace(key_id, self.seen[key_id]._replace(proven_until=until))

    def replace(self, key_id, record):
        before = self.seen[key_id]
        now = self.of_keys([key_id]).get(key_id)
        if now != before:
            raise RuntimeError(f"somebody else changed its record while this ran: {excerpt(now)}")
        self.put(key_id, record._replace(number=now.number), True)

    def put(self, key_id, record, overwrite):
        text = json.dumps(record.fields(), default=lambda time: time.strftime(TIME_FORMAT))
        number = put(self.ssm, PATH + key_id, text, overwrite and record.number)
        self.seen[key_id] = parse_record(text, number)

    def forget(self, key_id):
        remove(self.ssm, PATH + key_id)
        self.seen[key_id] = None

    def recorded_at(self, key_id):
        """When Systems Manager was first told what the record says now: its own time, not the record's."""
        pages = self.ssm.get_paginator("get_parameter_history").paginate(Name=PATH + key_id)
        versions = [version for page in pages for version in page["Parameters"]]
        now, at = self.seen[key_id], None
        for version in sorted(versions, key=lambda version: -version["Version"]):
            record = parse_record(version["Value"])
            if (record.state, record.since) != (now.state, now.since):
                break
            at = version["LastModifiedDate"]
        return at


def get(ssm, name):
    """The parameter. None: there is none."""
    try:
        return ssm.get_parameter(Name=name)["Parameter"]
    except ssm.exceptions.ParameterNotFound:
        return None


def put(ssm, name, text, number):
    """Writes a parameter, with number: over this version of it. Returns the new version.

    Raises if another run wrote at the same moment: it fails too, or finds what this one wrote.
    """
    written = ssm.put_parameter(Name=name, Value=text, Type="String", Overwrite=bool(number))["Version"]
    time.sleep(WRITE_SECONDS)
    following = (number or 0) + 1
    # A repetition by the SDK may have written the same once more.
    if written != following and ssm.get_parameter(Name=f"{name}:{following}")["Parameter"]["Value"] != text:
        raise RuntimeError(f"somebody else wrote {name} at the same moment")
    return written


def remove(ssm, name):
    try:
        ssm.delete_parameter(Name=name)
    except ssm.exceptions.ParameterNotFound:
        pass


def excerpt(record):
    return repr(record.text[:100]) if record else "it is gone"


def unfinished(record):
    """Why the runbooks leave an inactive key with such a record to a person."""
    if record.state == REACTIVATED:
        says = f"that it was on again on {record.since:%Y-%m-%d}. Somebody else switched it off"
    else:
        says = f"{record.state or record.text[:40]!r}. Nobody can tell who switched it off"
    return (
        f"inactive, but its record says {says}, so the runbooks never delete it. Delete it by hand if nobody needs it; "
        "AccessKeyRotation-ReactivateKey makes it active again"
    )
