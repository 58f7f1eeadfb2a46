"""CloudTrail's events about access keys: who called what, and when."""

import json
import time
from datetime import timedelta

from common import MOST_PAGES, client, parse_time

# The Region of a partition in which CloudTrail has the events of IAM.
IAM_REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
# CloudTrail keeps 90 days of events, and shows an event within some 15 minutes.
MOST_TRAIL_AGE, DELIVERY = timedelta(days=89), timedelta(hours=1)
# CloudTrail allows two calls a second. The listing may take so many seconds.
TRAIL_SECONDS, MOST_TRAIL_SECONDS = 0.5, 120
ROTATION_ROLE = "access-key-rotation-rotation"
OUR_ROLES = ("access-key-rotation-remediation", ROTATION_ROLE)


def trail_events(partition, name, since, now):
    """(time, who, event) of each call of this name that was not refused. CloudTrail shows it an hour later at most."""
    if partition not in IAM_REGIONS:
        raise RuntimeError(f"CloudTrail's Region for IAM in {partition} is not known")
    cloudtrail = client("cloudtrail", 6, read_timeout=30, region_name=IAM_REGIONS[partition])
    pages = cloudtrail.get_paginator("lookup_events").paginate(
        LookupAttributes=[dict(AttributeKey="EventName", AttributeValue=name)], StartTime=since, EndTime=now
    )
    deadline = time.monotonic() + MOST_TRAIL_SECONDS
    for number, page in enumerate(pages):
        if number == MOST_PAGES or time.monotonic() > deadline:
            raise RuntimeError("CloudTrail has more events than a run can read")
        for text in page["Events"]:
            event = json.loads(text["CloudTrailEvent"])
            # A failed call has changed nothing.
            if not event.get("errorCode"):
                yield event_time(event), caller(event["userIdentity"]), event
        time.sleep(TRAIL_SECONDS)


def event_time(event):
    at = parse_time(event["eventTime"])
    if at is None:
        raise ValueError(f"an event of CloudTrail has the time {event['eventTime']!r}")
    return at


def caller(identity):
    """The name of a role of ours, or else who it was."""
    issuer = identity.get("sessionContext", {}).get("sessionIssuer", {})
    if identity.get("type") == "AssumedRole" and issuer.get("userName") in OUR_ROLES:
        return issuer["userName"]
    return identity.get("arn") or identity.get("type") or "somebody"


class MadeKeys:
    """The ids of the keys that a rotation made, from `since` until `until`."""

    def __init__(self, partition, now):
        self.since, self.until, self.ids = now - MOST_TRAIL_AGE, now - DELIVERY, set()
        for _, by, event in trail_events(partition, "CreateAccessKey", self.since, now):
            if by == ROTATION_ROLE:
                self.ids.add(event["responseElements"]["accessKey"]["accessKeyId"])
