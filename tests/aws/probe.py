"""The function of the step "A function and a rule of AWS Config", which AWS Config invokes.

It sends results about three users, and logs AWS's answer: one line of JSON. It never logs the event, which has a
result token.
"""

import json
from datetime import datetime, timedelta

import boto3

# All that a rule's annotations have, and as long as AWS Config allows.
ANNOTATION = "probe-1+=,.@-_: AKIA2EXAMPLE3EXAMPLE4 is stale: created 2025-04-14, due 2025-07-13 (limit 90 days), "
ANNOTATION = (
    ANNOTATION + "no use on record. Deactivate it; 'then' delete it / switch? Exempt (owner: \"x & <y>\")! "
).ljust(256, "~")[:256]


def result(user_id, verdict, annotation, at):
    return dict(
        ComplianceResourceType="AWS::IAM::User",
        ComplianceResourceId=user_id,
        ComplianceType=verdict,
        Annotation=annotation,
        OrderingTimestamp=at,
    )


def results(first, equal, older, now):
    """Each list is one call, in this order."""
    before = now - timedelta(hours=1)
    return [
        [
            result(first, "NON_COMPLIANT", ANNOTATION, now),
            result(equal, "NON_COMPLIANT", "first", now),
            result(older, "NON_COMPLIANT", "newer", now),
        ],
        [result(equal, "COMPLIANT", "second", now), result(older, "COMPLIANT", "older", before)],
    ]


def handler(event, context):
    said = dict(probe="invoked", rule=event["configRuleName"])
    try:
        invoking = json.loads(event["invokingEvent"])
        parameters = json.loads(event.get("ruleParameters") or "{}")
        said["messageType"] = invoking["messageType"]
        if "first" in parameters:
            users = [parameters[name] for name in ("first", "equal", "older")]
            now = datetime.fromisoformat(invoking["notificationCreationTime"].replace("Z", "+00:00"))
            said["answers"] = []
            for evaluations in results(*users, now):
                answer = boto3.client("config").put_evaluations(
                    Evaluations=evaluations, ResultToken=event["resultToken"]
                )
                said["answers"].append({name: answer[name] for name in answer if name != "ResponseMetadata"})
    except Exception as error:
        # Never its words: they may quote the token.
        said["error"] = getattr(error, "response", {}).get("Error", {}).get("Code") or type(error).__name__
    # The times in an answer are no JSON.
    print(json.dumps(said, default=str))
