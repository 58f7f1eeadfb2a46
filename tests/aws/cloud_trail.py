"""What CloudTrail shows of a key that a step made some minutes ago, or of another key of the account."""

import json
from datetime import timedelta

from questions import NotAsked, Question, Step, as_said, differs

# The Region of a partition in which CloudTrail has the events of IAM, as in templates/runbooks/trail.py.
REGIONS = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
MOST_PAGES = 20


def key_of(event):
    """The key of an event of CreateAccessKey. None: it has none."""
    answer = json.loads(event["CloudTrailEvent"]).get("responseElements") or {}
    return (answer.get("accessKey") or {}).get("accessKeyId")


def events(run, cloudtrail, name, value):
    since = run.now() - timedelta(days=89)
    attribute = [dict(AttributeKey=name, AttributeValue=value)]
    for number, page in enumerate(
        cloudtrail.get_paginator("lookup_events").paginate(LookupAttributes=attribute, StartTime=since)
    ):
        if number == MOST_PAGES:
            return
        yield from page["Events"]


def known_key(run, cloudtrail):
    """A key whose creation CloudTrail shows by the event's name."""
    own = run.state.get("a key")

    def look():
        found = [key for key in map(key_of, events(run, cloudtrail, "EventName", "CreateAccessKey")) if key]
        return own if own in found else None if own else next(iter(found), None)

    # Two calls a second are allowed, and each page is one.
    return run.wait(look, pause=60) if own else look()


def by_resource_name(run):
    if run.partition not in REGIONS:
        raise NotAsked(f"CloudTrail's Region for IAM in {run.partition} is not known")
    cloudtrail = run.client("cloudtrail", region_name=REGIONS[run.partition])
    key = known_key(run, cloudtrail)
    if not key:
        raise NotAsked(
            "CloudTrail shows no key that somebody made: agree to the step that makes users, and wait longer"
        )
    found = {event["EventName"] for event in events(run, cloudtrail, "ResourceName", key)}
    if found:
        return differs(f"ResourceName finds the key's events: {', '.join(sorted(found))}")
    return as_said("ResourceName finds no event of a key, and EventName finds it")


STEP = Step(
    title="CloudTrail, some minutes later",
    questions=(
        Question(
            "events-by-resource-name",
            "Does LookupEvents find the events of a key by ResourceName?",
            "templates/RUNBOOKS.md",
            "CloudTrail shows an event within some 15 minutes",
            by_resource_name,
        ),
    ),
)
