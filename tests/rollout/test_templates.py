"""The templates, as moto deploys them."""

import json
import pathlib
import re

import boto3
import pytest
from moto import mock_aws

from deployed import (
    CODE,
    COMMAND_LINE,
    HUB,
    MEMBER,
    REGION,
    create,
    documents,
    parameter_values,
    resolved,
    roles,
    template,
    upload_code,
)

ROOT = pathlib.Path(__file__).parents[2]
ORGANIZATION = "o-exampleorgid"


@pytest.fixture
def account(monkeypatch):
    """A fresh AWS, in which the test chooses the account."""

    def choose(account_id):
        monkeypatch.setenv("MOTO_ACCOUNT_ID", account_id)

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    with mock_aws():
        yield choose


def deploy_hub(account, **parameters):
    account(HUB)
    upload_code(boto3.client("s3"))
    create("hub.yaml", **CODE, **parameters)


FUNCTION = f"arn:aws:lambda:{REGION}:{HUB}:function:access-key-rotation"


def hub_resource(name, **parameters):
    """The properties of a resource that moto does not know."""
    hub = template("hub.yaml")
    return resolved(hub["Resources"][name]["Properties"], parameter_values(hub, parameters), hub["Conditions"])


def who_may_invoke(**parameters):
    """The conditions of the policy's statements. None: AWS Config of any account."""
    policy = hub_resource("InvocationPolicy", **parameters, **{"Function.Arn": FUNCTION})
    assert policy["ResourceArn"] == FUNCTION
    assert len(json.dumps(policy["PolicyDocument"], separators=(",", ":"))) <= 20_480
    statements = policy["PolicyDocument"]["Statement"]
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert statement["Principal"] == {"Service": "config.amazonaws.com"}
        assert statement["Action"] == "lambda:InvokeFunction"
        assert statement["Resource"] == FUNCTION
    sids = [statement["Sid"] for statement in statements]
    assert len(set(sids)) == len(sids)
    return [statement.get("Condition") for statement in statements]


def equals(key, value):
    return {"StringEquals": {key: value}}


OTHER = "210987654321"
THIS_ACCOUNT = equals("aws:SourceAccount", HUB)
ACCOUNTS = equals("aws:SourceAccount", [MEMBER, OTHER])


@pytest.mark.parametrize(
    "parameters, allowed",
    [
        ({}, []),
        ({"MemberAccounts": MEMBER, "OrganizationMayInvoke": "true"}, []),
        # An empty list is nobody: see test_no_empty_list_is_deployed.
        ({"OrganizationId": ORGANIZATION}, []),
        ({"OrganizationId": ORGANIZATION, "AnyAccountMayInvoke": "true"}, [None]),
        ({"OrganizationId": ORGANIZATION, "AnyAccountMayInvoke": "true", "MemberAccounts": MEMBER}, [None]),
        ({"AnyAccountMayInvoke": "true"}, []),
        ({"OrganizationId": ORGANIZATION, "MemberAccounts": f"{MEMBER},{OTHER}"}, [ACCOUNTS]),
        ({"OrganizationId": ORGANIZATION, "MemberAccounts3": f"{MEMBER},{OTHER}"}, [ACCOUNTS]),
        ({"OrganizationId": ORGANIZATION, "OrganizationMayInvoke": "true"}, [equals("aws:SourceOrgID", ORGANIZATION)]),
        (
            {"OrganizationId": ORGANIZATION, "OrganizationMayInvoke": "true", "MemberAccounts": f"{MEMBER},{OTHER}"},
            [equals("aws:SourceOrgID", ORGANIZATION)],
        ),
    ],
)
def test_who_may_invoke_the_function(parameters, allowed):
    assert who_may_invoke(**parameters) == [THIS_ACCOUNT, *allowed]


@pytest.mark.parametrize(
    "given, is_deployed",
    [
        ({}, False),
        ({"MemberAccounts": MEMBER}, True),
        ({"MemberAccounts4": MEMBER}, True),
        ({"OrganizationMayInvoke": "true"}, True),
        ({"AnyAccountMayInvoke": "true"}, True),
    ],
)
@pytest.mark.parametrize("name", ["hub.yaml", "organization.yaml"])
def test_no_empty_list_is_deployed(name, given, is_deployed):
    """CloudFormation checks the rules of a template before it touches a resource. No emulator does."""
    text = template(name)
    values = parameter_values(text, {"OrganizationId": ORGANIZATION, **given})
    [rule] = text["Rules"].values()
    [assertion] = rule["Assertions"]
    assert resolved(rule.get("RuleCondition", {"Fn::Equals": ["", ""]}), values, {})
    assert resolved(assertion["Assert"], values, {}) == is_deployed
    assert "MemberAccounts is empty" in assertion["AssertDescription"]


def test_without_an_organization_there_is_no_list():
    [rule] = template("hub.yaml")["Rules"].values()
    assert not resolved(rule["RuleCondition"], parameter_values(template("hub.yaml"), {}), {})


@pytest.mark.parametrize(
    "accounts, allowed",
    [
        ("", True),
        (MEMBER, True),
        (f"{MEMBER},{OTHER}", True),
        (f"{MEMBER}, {OTHER}", False),
        (f"{MEMBER},", False),
        ("None", False),
        (",", False),
    ],
)
def test_a_list_of_accounts_has_accounts_only(accounts, allowed):
    for name in ("hub.yaml", "organization.yaml"):
        for number in ("", "2", "3", "4"):
            pattern = template(name)["Parameters"][f"MemberAccounts{number}"]["AllowedPattern"]
            assert bool(re.fullmatch(pattern, accounts)) == allowed


def test_the_lists_and_the_policy_have_room_for_1260_accounts():
    account = 111122220000
    most = ",".join(str(account + n) for n in range(315))
    assert len(most.encode()) <= 4096 < len(most) + 13
    lists = [name for name in template("hub.yaml")["Parameters"] if name.startswith("MemberAccounts")]
    conditions = who_may_invoke(OrganizationId=ORGANIZATION, **{name: most for name in lists})
    assert len(lists) == 4 and len(conditions) == 5


@pytest.mark.parametrize(
    "region, organization, anyone, permissions",
    [
        (REGION, ORGANIZATION, "true", []),
        ("us-gov-west-1", ORGANIZATION, "true", [HUB, None]),
        ("us-gov-west-1", ORGANIZATION, "false", [HUB]),
        ("us-gov-west-1", "", "true", [HUB]),
        ("cn-north-1", ORGANIZATION, "true", [HUB, None]),
        ("cn-north-1", ORGANIZATION, "false", [HUB]),
    ],
)
def test_where_cloudformation_has_no_policy_for_functions_there_are_permissions(
    region, organization, anyone, permissions
):
    hub = template("hub.yaml")
    given = {"OrganizationId": organization, "AnyAccountMayInvoke": anyone, "MemberAccounts": MEMBER}
    values = parameter_values(hub, {**given, "AWS::Region": region, "Function": "access-key-rotation"})
    holds = lambda resource: resolved({"Condition": resource["Condition"]}, values, hub["Conditions"])
    of_type = lambda kind: [r for r in hub["Resources"].values() if r["Type"] == f"AWS::Lambda::{kind}" and holds(r)]
    found = [resolved(permission["Properties"], values, hub["Conditions"]) for permission in of_type("Permission")]
    assert [permission.get("SourceAccount") for permission in found] == permissions
    # Either would overwrite the other.
    assert len(of_type("ResourcePolicy")) == (not permissions)


def test_the_function(account):
    deploy_hub(account, OrganizationId=ORGANIZATION)
    function = boto3.client("lambda").get_function(FunctionName="access-key-rotation")
    settings = function["Configuration"]
    assert settings["Runtime"] == "provided.al2023"
    assert (settings["MemorySize"], settings["Timeout"]) == (128, 900)
    assert settings["Environment"]["Variables"] == {
        "EVALUATION_ROLE_NAME": "/access-key-rotation-evaluation",
        "SSL_CERT_FILE": "/etc/pki/tls/certs/ca-bundle.crt",
    }
    # A new account may have too little concurrency to reserve any.
    assert "Concurrency" not in function
    groups = boto3.client("logs").describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
    assert {group["logGroupName"]: group["retentionInDays"] for group in groups} == {
        "/aws/lambda/access-key-rotation": 90,
        "/aws/lambda/access-key-rotation-coverage": 90,
    }


def test_the_function_has_the_concurrency_that_it_is_given(account):
    deploy_hub(account, ReservedConcurrency="20")
    concurrency = boto3.client("lambda").get_function_concurrency(FunctionName="access-key-rotation")
    assert concurrency["ReservedConcurrentExecutions"] == 20


@pytest.mark.parametrize(
    "reader, condition",
    [("", None), (COMMAND_LINE, {"ArnNotLike": {"aws:PrincipalArn": COMMAND_LINE}})],
)
def test_nobody_but_one_role_reads_failed_events(reader, condition):
    queue = f"arn:aws:sqs:{REGION}:{HUB}:access-key-rotation-failed-events"
    policy = hub_resource(
        "FailedEventsPolicy", FailedEventsReaderArn=reader, **{"FailedEvents.Arn": queue, "FailedEvents": "url"}
    )
    assert policy["Queues"] == ["url"]
    [statement] = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "sqs:ReceiveMessage")
    assert statement["Resource"] == queue
    assert statement.get("Condition") == condition


def test_without_an_organization_the_function_assumes_no_role(account):
    deploy_hub(account)
    function = boto3.client("lambda").get_function(FunctionName="access-key-rotation")
    assert "EVALUATION_ROLE_NAME" not in function["Configuration"]["Environment"]["Variables"]
    iam = boto3.client("iam")
    policy = iam.get_role_policy(RoleName="access-key-rotation-function", PolicyName="function")["PolicyDocument"]
    assert "sts:AssumeRole" not in str(policy)


@pytest.mark.parametrize("account_id, has_role", [(MEMBER, True), (HUB, False)])
def test_only_other_accounts_than_the_hub_have_the_evaluation_role(account, account_id, has_role):
    account(account_id)
    create("member.yaml", HubAccountId=HUB)
    roles = {role["RoleName"] for role in boto3.client("iam").list_roles()["Roles"]}
    assert ("access-key-rotation-evaluation" in roles) == has_role
    assert {"access-key-rotation-remediation", "access-key-rotation-deletion"} <= roles


def evaluation_role(account, **parameters):
    account(MEMBER)
    create("member.yaml", HubAccountId=HUB, **parameters)
    return roles()["access-key-rotation-evaluation"]


THE_FUNCTIONS = {
    "Effect": "Allow",
    # Not the role, which IAM would take only if it is there, and no longer if it is made anew.
    "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"},
    "Action": "sts:AssumeRole",
    "Condition": {
        "ArnEquals": {
            "aws:PrincipalArn": [
                f"arn:aws:iam::{HUB}:role/access-key-rotation-{name}" for name in ("function", "coverage")
            ]
        }
    },
}


SIDS = ["ReadUsers", "ReadAccessKeys", "ReadResults", "ReadAndDeliver", "ReadRules"]


def test_only_the_function_and_the_coverage_check_have_the_evaluation_role(account):
    role = evaluation_role(account)
    assert role["trust"]["Statement"] == [THE_FUNCTIONS]
    assert [statement["Sid"] for statement in role["policy"]["Statement"]] == SIDS
    assert set(role["policy"]["Statement"][-1]["Action"]) == {
        "config:DescribeConfigRules",
        "config:DescribeConfigRuleEvaluationStatus",
    }


def test_the_command_line_has_the_evaluation_role_if_its_own_is_given(account):
    role = evaluation_role(account, CommandLineRoleArn=COMMAND_LINE)
    people = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{HUB}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": COMMAND_LINE}},
    }
    assert role["trust"]["Statement"] == [THE_FUNCTIONS, people]
    sids = [statement["Sid"] for statement in role["policy"]["Statement"]]
    assert sids == [*SIDS, "ReadRecorder", "ReadRemediation", "ReadRunbooks"]
    runbooks = role["policy"]["Statement"][-1]["Resource"]
    assert sorted(runbooks) == sorted(f"arn:aws:ssm:{REGION}:{MEMBER}:document/{name}" for name in documents())


@pytest.mark.parametrize(
    "arn, allowed",
    [
        ("", True),
        (f"arn:aws:iam::{HUB}:role/security", True),
        (COMMAND_LINE, True),
        ("*", False),
        (f"arn:aws:iam::{HUB}:role/one,arn:aws:iam::{HUB}:role/other", False),
        (f"arn:aws:iam::{HUB}:role/security ", False),
        (f"arn:aws:iam::{HUB}:*", False),
        (f"arn:aws:iam::{HUB}:root", False),
        ("arn:aws:iam::*:role/security", False),
    ],
)
def test_the_command_lines_role_is_one_of_an_account(arn, allowed):
    """CloudFormation wants the whole value to match."""
    pattern = template("member.yaml")["Parameters"]["CommandLineRoleArn"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, arn)) == allowed


@pytest.mark.parametrize("path", sorted((ROOT / "templates").glob("*.yaml")), ids=lambda path: path.name)
def test_a_template_can_be_given_by_its_url(path):
    """The most that CreateStack and CreateStackSet take from S3. For what goes into a call, see test_manual.py."""
    assert len(path.read_bytes()) <= 1_000_000


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
    assert len(alarms) == 7
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


def test_cloudwatch_takes_the_alarm_on_errors(account):
    """As its API takes it, with the expression's metrics."""
    account(HUB)
    alarm = hub_resource(
        "ErrorsAlarm", Function="access-key-rotation", AlarmTopic="arn:aws:sns:eu-central-1:111122220000:topic"
    )
    cloudwatch = boto3.client("cloudwatch")
    cloudwatch.put_metric_alarm(**alarm)
    [made] = cloudwatch.describe_alarms(AlarmNames=["access-key-rotation-errors"])["MetricAlarms"]
    assert [query["Id"] for query in made["Metrics"]] == ["unexpected", "errors", "retries"]
