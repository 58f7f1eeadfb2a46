"""Who has switched a key since a runbook deactivated it: what IAM's credential report and CloudTrail say.

Each of them proves that nobody has, contradicts that, or leaves it unknown.
"""

import csv
from datetime import datetime, timedelta
from typing import NamedTuple

from common import attempts, time_now
from trail import DELIVERY, MOST_TRAIL_AGE, OUR_ROLES, trail_events

PROOF, UNKNOWN, CONTRADICTION = "proof", "unknown", "contradiction"

# The oldest credential report that counts. IAM creates one every four hours at most.
MOST_REPORT_AGE = timedelta(hours=5)

# How far the time of the record may be from that of CloudTrail's event.
SLACK = timedelta(minutes=2)


class Switch(NamedTuple):
    """A change of a key's status, as CloudTrail shows it."""

    time: datetime
    status: str
    by: str


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


def by_report(key_id, keys, dates, since):
    """Whether somebody has switched on a key since a time, by the credential report's dates for the user.

    dates says when each key of the user was created or last switched on, in no order. The report does not say which
    date is which key's, but a date on which another key was created belongs to that key. An error as dates says why
    there are none.
    """
    if isinstance(dates, Exception):
        return UNKNOWN, f"IAM's credential report could not be read ({str(dates)[:120]})"
    if len(dates) < len(keys):
        return UNKNOWN, "IAM's credential report does not say when each key of the user was last switched on"
    later = [date for date in dates if date > since]
    for key in keys:
        if key["AccessKeyId"] != key_id and key["CreateDate"] in later:
            later.remove(key["CreateDate"])
    if not later:
        return PROOF, None
    return CONTRADICTION, (
        f"IAM's credential report says that somebody switched on a key of this user on {max(later):%Y-%m-%d}, after "
        f"the deactivation on {since:%Y-%m-%d}. It may be this key"
    )


class Trail:
    """All changes of keys' status in the account, from `since` until `until`, by the key's id."""

    def __init__(self, partition, since, now):
        self.since, self.until, self.switches = max(since, now - MOST_TRAIL_AGE), now - DELIVERY, {}
        for at, by, event in trail_events(partition, "UpdateAccessKey", self.since, now):
            parameters = event["requestParameters"]
            self.switches.setdefault(parameters["accessKeyId"], []).append(Switch(at, parameters["status"], by))


def by_trail(key_id, record, trail):
    """Whether somebody has switched the key since the runbook did, by CloudTrail's events. An error as trail says why
    there are none."""
    if not isinstance(trail, Trail):
        return UNKNOWN, f"CloudTrail's events could not be read ({str(trail)[:120]})"
    if record.since > trail.until:
        return UNKNOWN, "CloudTrail shows an event an hour later at most"
    switches = trail.switches.get(key_id, [])
    if record.since - SLACK >= trail.since:
        # What a record says of later checks is not needed, and is not believed.
        ours = [
            switch
            for switch in switches
            if switch.by in OUR_ROLES and switch.status == "Inactive" and abs(switch.time - record.since) <= SLACK
        ]
        if not ours:
            return CONTRADICTION, f"CloudTrail does not show that a runbook deactivated it on {record.since:%Y-%m-%d}"
        start = max(switch.time for switch in ours)
        switches = [switch for switch in switches if switch not in ours]
    elif record.proven_until is None:
        return UNKNOWN, "CloudTrail, which keeps 90 days, does not go back to the deactivation"
    elif not trail.since <= record.proven_until <= trail.until:
        return UNKNOWN, (
            f"nobody checked CloudTrail, which keeps 90 days, between {record.proven_until:%Y-%m-%d} and "
            f"{trail.since:%Y-%m-%d}"
        )
    else:
        start = record.proven_until
    later = [switch for switch in switches if switch.time >= start]
    if later:
        last = max(later)
        return CONTRADICTION, f"CloudTrail says that {last.by} made it {last.status} on {last.time:%Y-%m-%d}"
    return PROOF, None
