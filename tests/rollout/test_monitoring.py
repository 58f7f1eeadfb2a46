"""The dashboard and the alarms of hub.yaml."""

import json

import boto3
import pytest
from moto import mock_aws

import notices
from deployed import HUB, REGION, hub_resource, template

ORGANIZATION = "o-exampleorgid"


def test_the_dashboard_shows_users_and_accounts():
    shown = shown_metrics(OrganizationId=ORGANIZATION)
    assert {"UsersEvaluated", "UsersNonCompliant", "UsersUnknown", "OldestActiveKeyDays"} <= shown
    # Without an organization, nothing is checked.
    assert shown - shown_metrics() == {"AccountsExpected", "AccountsEvaluated", "AccountsNotCovered"}


def shown_metrics(**parameters):
    """The function's own metrics on the dashboard."""
    names = {"Function": "access-key-rotation", "FailedEvents.QueueName": "access-key-rotation-failed-events"}
    body = hub_resource("Dashboard", **parameters, **names)["DashboardBody"]
    shown = set()
    for widget in json.loads(body)["widgets"]:
        namespace = None
        for metric in widget["properties"]["metrics"]:
            namespace = metric[0] if metric[0] not in (".", "...") else namespace
            if namespace == "AccessKeyRotation":
                shown.add(metric[1])
    return shown


def test_every_alarm_watches_something_and_tells_the_topic():
    resources = template("hub.yaml")["Resources"]
    alarms = [resource["Properties"] for name, resource in resources.items() if name.endswith("Alarm")]
    assert len(alarms) == 8
    watched = {metric["MetricName"] for alarm in alarms for metric in metrics(alarm)}
    assert {
        "Errors",
        "RetriesExpected",
        "Throttles",
        "AsyncEventAge",
        "AsyncEventsDropped",
        "DestinationDeliveryFailures",
    } <= watched
    for alarm in alarms:
        assert alarm["AlarmActions"] == [{"Ref": "AlarmTopic"}]
        # No news is good news of the function, which runs when there is something to do. Of the coverage check, it is
        # bad news.
        missing = "breaching" if alarm.get("MetricName") == "AccountsNotCovered" else "notBreaching"
        assert alarm["TreatMissingData"] == missing
        for metric in metrics(alarm):
            # The function's own metrics have no dimensions.
            assert ("Dimensions" in metric) == (metric["Namespace"] != "AccessKeyRotation")
            # A count of what happened goes back to nothing; what lies in a queue stays.
            assert metric["Namespace"] != "AWS/SQS"


REMINDERS = {"UsersUnknownReminder": "UsersUnknownAlarm", "NotCoveredReminder": "NotCoveredAlarm"}


def test_an_alarm_on_a_level_tells_again_each_day():
    """Those that look back for a day: while they are on, CloudWatch does not tell of the next case."""
    resources = template("hub.yaml")["Resources"]
    levels = {name for name, resource in resources.items() if resource["Properties"].get("Period") == 86400}
    assert levels == set(REMINDERS.values())
    told = set()
    for reminder, alarm in REMINDERS.items():
        name = resources[alarm]["Properties"]["AlarmName"]
        schedule = hub_resource(reminder, **{alarm: name, "ReminderRole.Arn": "arn:role"})
        assert schedule["ScheduleExpression"] == "cron(0 6 * * ? *)"
        assert resources[reminder].get("Condition") == resources[alarm].get("Condition")
        assert schedule["Target"]["Arn"] == "arn:aws:scheduler:::aws-sdk:cloudwatch:setAlarmState"
        given = json.loads(schedule["Target"]["Input"])
        with mock_aws():
            cloudwatch = boto3.client("cloudwatch", REGION, aws_access_key_id="test", aws_secret_access_key="test")
            cloudwatch.put_metric_alarm(**hub_resource(alarm, AlarmTopic="arn:aws:sns:eu-central-1:111122220000:topic"))
            cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="test")
            cloudwatch.set_alarm_state(**given)
            [found] = cloudwatch.describe_alarms()["MetricAlarms"]
        # No action tells that it is OK, so only what is wrong is told.
        assert (found["StateValue"], found["OKActions"]) == ("OK", [])
        told.add(found["AlarmArn"].replace("123456789012", HUB))
    role = hub_resource("ReminderRole")
    [policy] = role["Policies"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "cloudwatch:SetAlarmState" and set(statement["Resource"]) == told
    # As the schedule of the coverage check: see test_coverage.py.
    other = template("hub.yaml")["Resources"]["CoverageScheduleRole"]["Properties"]
    trust = "AssumeRolePolicyDocument"
    assert template("hub.yaml")["Resources"]["ReminderRole"]["Properties"][trust] == other[trust]


def metrics(alarm):
    """What an alarm watches: one metric, or those of its expression."""
    return (
        [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
        if "Metrics" in alarm
        else [alarm]
    )


@pytest.mark.parametrize(
    "errors, retries, fires",
    [
        (None, None, False),
        (0, 0, False),
        (1, 1, False),
        (3, 2, True),
        (1, 0, True),
        # A function that ends before its line of metrics.
        (1, None, True),
        # The line came first.
        (None, 1, False),
    ],
)
def test_an_error_that_a_retry_heals_is_no_alarm(errors, retries, fires):
    """The expression by its two functions: FILL gives 0 where there is no data."""
    alarm = template("hub.yaml")["Resources"]["ErrorsAlarm"]["Properties"]
    [expression] = [query for query in alarm["Metrics"] if "Expression" in query]
    stats = {query["Id"]: query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query}
    assert [query["Id"] for query in alarm["Metrics"] if query["ReturnData"]] == [expression["Id"]]
    assert {(stat["Stat"], stat["Period"]) for stat in stats.values()} == {("Sum", 300)}
    named = {stats[name]["Metric"]["MetricName"]: name for name in stats}
    data = {named["Errors"]: errors, named["RetriesExpected"]: retries}
    fill = lambda value, other: other if value is None else value
    value = eval(expression["Expression"], {"FILL": fill, **data})
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", 0)
    assert (value > 0) == fires


def test_cloudwatch_takes_the_alarm_on_errors():
    """As its API takes it, with the expression's metrics."""
    alarm = hub_resource(
        "ErrorsAlarm", Function="access-key-rotation", AlarmTopic="arn:aws:sns:eu-central-1:111122220000:topic"
    )
    with mock_aws():
        cloudwatch = boto3.client("cloudwatch", REGION, aws_access_key_id="test", aws_secret_access_key="test")
        cloudwatch.put_metric_alarm(**alarm)
        [made] = cloudwatch.describe_alarms(AlarmNames=["access-key-rotation-errors"])["MetricAlarms"]
    assert [query["Id"] for query in made["Metrics"]] == ["unexpected", "errors", "retries"]


def test_the_alarm_on_blocked_rotations_watches_the_rule_on_the_hubs_bus():
    """EventBridge's guide: metrics with both dimensions are of a rule on a custom bus."""
    hub = notices.hub(BlockedLogGroup="/aws/events/access-key-rotation-blocked", EventBus="access-key-rotation")
    rule, alarm = hub["BlockedRule"], hub["BlockedAlarm"]
    watched = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    assert watched == {"EventBusName": rule["EventBusName"], "RuleName": rule["Name"]}
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Events", "MatchedEvents", "Sum")
    # The log that the alarm names is the rule's, and EventBridge may write to it.
    [target], [statement] = rule["Targets"], json.loads(hub["BlockedLogPolicy"]["PolicyDocument"])["Statement"]
    assert hub["BlockedLogGroup"]["LogGroupName"] in alarm["AlarmDescription"]
    assert target["Arn"] == f"arn:aws:logs:{REGION}:{notices.HUB}:log-group:{hub['BlockedLogGroup']['LogGroupName']}"
    assert statement["Resource"] == f"{target['Arn']}:*"
    assert set(statement["Action"]) == {"logs:CreateLogStream", "logs:PutLogEvents"}
    assert not [name for name in notices.hub(Notices="false") if name.startswith("Blocked")]
