"""Questions about AWS Config, with a function that it invokes for a rule."""

import io
import json
import zipfile
from pathlib import Path

import probe
import scripts
from questions import NotAsked, Question, Step, Thing, as_said, code, differs, told
from things import TAG
from users import make_role, make_user

FUNCTION, GROUP, ROLE = Thing("function", "probe"), Thing("log group", "probe"), Thing("role", "probe")
USERS = tuple(Thing("user", suffix) for suffix in ("first", "equal", "older"))
RULE, RULE_OF_ORGANIZATION = Thing("rule", "rule"), Thing("rule", "organization")
SCHEDULED = dict(EventSource="aws.config", MessageType="ScheduledNotification", MaximumExecutionFrequency="One_Hour")
REFUSED = "InsufficientPermissionsException"
# A role is known everywhere after some seconds. What is not there after this time is taken for absent.
MINUTES_OF_IAM, MINUTES_OF_SILENCE = 3, 10


def without_config(run):
    """Why AWS Config cannot be asked. None: it records users."""
    if "recorder" not in run.state:
        recorders = run.client("config").describe_configuration_recorders()["ConfigurationRecorders"]
        statuses = run.client("config").describe_configuration_recorder_status()["ConfigurationRecordersStatus"]
        run.state["recorder"] = bool(recorders) and any(status.get("recording") for status in statuses)
    return None if run.state["recorder"] else "AWS Config does not record in this Region: switch its recorder on"


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        # The same bytes each time, which anybody may read.
        entry = zipfile.ZipInfo("probe.py")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, Path(probe.__file__).read_text())
    return file.getvalue()


def invocation_policy(run, sid, key, value):
    """As templates/hub.yaml has it."""
    allowed = dict(
        Sid=sid,
        Effect="Allow",
        Principal=dict(Service="config.amazonaws.com"),
        Action="lambda:InvokeFunction",
        Resource=function_arn(run),
        Condition=dict(StringEquals={key: value}),
    )
    return json.dumps(dict(Version="2012-10-17", Statement=[allowed]))


def function_arn(run):
    return run.arn("lambda", f"function:{run.name('probe')}")


def begin(run):
    run.state["users"] = {thing.suffix: make_user(run, thing) for thing in USERS}
    log = run.arn("logs", f"log-group:/aws/lambda/{run.name('probe')}:*")
    role = make_role(
        run,
        ROLE,
        dict(Principal=dict(Service="lambda.amazonaws.com")),
        [
            dict(Effect="Allow", Action="config:PutEvaluations", Resource="*"),
            # The group is there, and goes with the run.
            dict(Effect="Allow", Action=["logs:CreateLogStream", "logs:PutLogEvents"], Resource=log),
        ],
    )
    with run.made.making(GROUP) as name:
        run.client("logs").create_log_group(logGroupName=f"/aws/lambda/{name}", tags={TAG: run.id})
    with run.made.making(FUNCTION) as name:
        client = run.client("lambda")

        def make():
            try:
                return client.create_function(
                    FunctionName=name,
                    Runtime="python3.13",
                    Handler="probe.handler",
                    Role=role,
                    Timeout=60,
                    Code=dict(ZipFile=zipped()),
                    Tags={TAG: run.id},
                )
            except client.exceptions.InvalidParameterValueException as error:
                # Lambda cannot assume the role yet.
                run.state["why no function"] = told(error)

        if not run.wait(make, MINUTES_OF_IAM, pause=10):
            raise NotAsked(run.state["why no function"])
        run.wait(lambda: is_active(client, name), MINUTES_OF_IAM, pause=5)
    run.state["function"] = True


def is_active(client, name):
    return client.get_function(FunctionName=name)["Configuration"].get("State", "Active") == "Active"


def put_policy(run, *condition):
    policy = invocation_policy(run, *condition)
    return run.client("lambda").put_resource_policy(ResourceArn=function_arn(run), Policy=policy)


def resource_policy(run):
    try:
        put_policy(run, "ThisAccount", "aws:SourceAccount", run.ids["own"])
    except run.client("lambda").exceptions.ClientError as error:
        if code(error) not in ("InvalidParameterValueException", "ValidationException"):
            raise
        return differs(told(error))
    run.state["policy"] = True
    return as_said("PutResourcePolicy takes it")


def put_rule(run, thing, parameters):
    """Why AWS Config refuses the rule, also once the function's policy surely has effect. None: the rule is there."""
    config, answers = run.client("config"), {}
    with run.made.making(thing) as name:
        source = dict(Owner="CUSTOM_LAMBDA", SourceIdentifier=function_arn(run), SourceDetails=[SCHEDULED])
        rule = dict(ConfigRuleName=name, Source=source, InputParameters=json.dumps(parameters))

        def put():
            try:
                config.put_config_rule(ConfigRule=rule, Tags=[dict(Key=TAG, Value=run.id)])
                return True
            except config.exceptions.ClientError as error:
                if code(error) != REFUSED:
                    raise
                answers["refused"] = told(error)

        if not run.wait(put, MINUTES_OF_IAM, pause=20):
            return answers["refused"]
    evaluate(run, name)
    return None


def evaluate(run, rule_name):
    config = run.client("config")
    try:
        config.start_config_rules_evaluation(ConfigRuleNames=[rule_name])
    except config.exceptions.ClientError as error:
        # AWS Config evaluates a new rule by itself, and may be at it.
        if code(error) not in ("ResourceInUseException", "LimitExceededException"):
            raise


def line_of(run, rule_name):
    """What the function logged about a rule. None: nothing yet. Of a line, only the function's own fields count."""
    events = run.client("logs").filter_log_events(
        logGroupName=f"/aws/lambda/{run.name('probe')}", filterPattern='"invoked"'
    )["events"]
    for event in events:
        try:
            said = json.loads(event["message"])
        except ValueError:
            continue
        if isinstance(said, dict) and said.get("rule", "").startswith(rule_name):
            return said
    return None


def source_account(run):
    if "policy" not in run.state:
        raise NotAsked("the function has no resource policy")
    refused = put_rule(run, RULE, run.state["users"])
    if refused:
        return differs(refused)
    run.state["said"] = run.wait(lambda: line_of(run, run.name("rule")))
    if not run.state["said"]:
        raise NotAsked(f"AWS Config made the rule, and did not invoke the function within {run.minutes} minutes")
    # What was sent may not be seen at once, and not in its order.
    run.sleep(60)
    return as_said("AWS Config made the rule and invoked the function, which only aws:SourceAccount allows")


def answers(run):
    said = run.state.get("said")
    if not said:
        raise NotAsked("the function was not invoked")
    if "answers" not in said:
        raise NotAsked(f"PutEvaluations: {said.get('error')}")
    return said["answers"]


def put_evaluations(run):
    found = answers(run)
    is_empty = all(answer.get("FailedEvaluations") == [] for answer in found)
    return (as_said if is_empty else differs)(json.dumps(found))


def recorded(run, user):
    """AWS Config's result about a user."""
    answers(run)
    user_id, config = run.state["users"][user], run.client("config")

    def look():
        results = config.get_compliance_details_by_config_rule(ConfigRuleName=run.name("rule"))["EvaluationResults"]
        for found in results:
            if found["EvaluationResultIdentifier"]["EvaluationResultQualifier"]["ResourceId"] == user_id:
                return found

    found = run.wait(look, 5)
    if not found:
        raise NotAsked("AWS Config has no result for the user after five minutes")
    return found.get("Annotation", "")


def held(run, user, expected):
    """The second call of the function has a result about the user too."""
    found, failed = recorded(run, user), json.dumps(answers(run)[-1].get("FailedEvaluations"))
    words = f"AWS Config holds the {found} result. The second call answered FailedEvaluations: {failed}"
    return (as_said if found == expected else differs)(words)


def annotation(run):
    found = recorded(run, "first")
    if found == probe.ANNOTATION:
        return as_said(f"{len(found)} characters, as they were sent")
    return differs(f"sent {probe.ANNOTATION!r}, recorded {found!r}")


def equal_times(run):
    return held(run, "equal", "second")


def older_times(run):
    return held(run, "older", "newer")


def source_organization(run):
    if "policy" not in run.state:
        raise NotAsked("the function has no resource policy")
    organization = run.client("organizations").describe_organization()["Organization"]["Id"]
    put_policy(run, "Organization", "aws:SourceOrgID", organization)
    # Until the other policy has no effect any more.
    run.sleep(60)
    try:
        refused = put_rule(run, RULE_OF_ORGANIZATION, {})
        invoked = not refused and run.wait(lambda: line_of(run, run.name("organization")), MINUTES_OF_SILENCE)
    finally:
        put_policy(run, "ThisAccount", "aws:SourceAccount", run.ids["own"])
    if refused:
        return as_said(refused)
    if invoked:
        return differs("AWS Config sends aws:SourceOrgID: it made the rule and invoked the function")
    return as_said(f"AWS Config made the rule, and did not invoke the function within {MINUTES_OF_SILENCE} minutes")


HARDENING, RULE_PAGE, RUNBOOKS = "templates/HARDENING.md", "rule/README.md", "templates/RUNBOOKS.md"
STEP = Step(
    title="A function and rules of AWS Config",
    makes=(*USERS, ROLE, GROUP, FUNCTION, RULE, RULE_OF_ORGANIZATION, scripts.ROLE, scripts.DOCUMENT),
    begin=begin,
    can=without_config,
    note="The function and the rules cost a few cents.",
    questions=(
        Question(
            "resource-policy",
            "Does Lambda take the function's resource policy?",
            HARDENING,
            "AWS Config may invoke the function for the accounts in `MemberAccounts` only",
            resource_policy,
        ),
        Question(
            "source-account",
            "Does AWS Config send aws:SourceAccount?",
            "SECURITY.md",
            "AWS Config of an account in `MemberAccounts` may invoke the function",
            source_account,
        ),
        Question(
            "put-evaluations",
            "What does PutEvaluations answer when it takes everything?",
            RULE_PAGE,
            "The rule delivers the results of all other users",
            put_evaluations,
        ),
        Question(
            "annotation",
            "Does AWS Config keep an annotation word for word?",
            RULE_PAGE,
            "The rule trusts an annotation only if it wrote it itself",
            annotation,
        ),
        Question(
            "equal-times",
            "Which result stays, if two have the same OrderingTimestamp?",
            "rule/REFERENCE.md",
            "the next evaluation tells the notice: Lambda's retry, as a rule",
            equal_times,
        ),
        Question(
            "older-times",
            "Does a result with an older OrderingTimestamp leave a newer one alone?",
            "SECURITY.md",
            "What AWS Config holds is the only memory, and every result is right when it is delivered.",
            older_times,
        ),
        Question(
            "manual-remediation",
            "Does a manual remediation run without AutomationAssumeRole, with the document's own role?",
            RUNBOOKS,
            "An idle key takes one click: in the account's AWS Config console, choose the user and then *Remediate*.",
            scripts.remediation,
        ),
        Question(
            "script-log",
            "Does a script fail, if its output goes to CloudWatch Logs and its role may not write there?",
            HARDENING,
            "What a run does without the permission is untried.",
            scripts.script_log,
        ),
        Question(
            "source-organization",
            "Does AWS Config send aws:SourceOrgID?",
            HARDENING,
            "AWS does not document whether AWS Config sends this key",
            source_organization,
        ),
    ),
)
