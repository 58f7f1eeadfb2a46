"""Questions about the policy of the bus that notices of other accounts reach."""

import json

from questions import NotAsked, Question, Step, Thing, as_said, code, differs, told
from things import TAG
from users import make_role

BUS, RULE, QUEUE = Thing("bus", "bus"), Thing("rule of the bus", "bus"), Thing("queue", "bus")
ROLE, FORWARD = Thing("role", "notices", "member"), Thing("rule of the default bus", "notices", "member")
# A role is known everywhere after some seconds.
MINUTES_OF_IAM = 3


def can(run):
    return None if "member" in run.ids else "it needs a second account: pass --member-account and --member-profile"


def tags(run):
    return [dict(Key=TAG, Value=run.id)]


def begin(run):
    """The bus's policy is as templates/hub.yaml has it."""
    events, sqs = run.client("events"), run.client("sqs")
    organization = run.client("organizations").describe_organization()["Organization"]["Id"]
    with run.made.making(BUS) as name:
        run.state["bus"] = events.create_event_bus(Name=name, Tags=tags(run))["EventBusArn"]
    role = run.arn("iam", f"role/{run.name('notices')}", "member", "").replace(run.ids["member"], "*")
    statement = dict(
        Sid="ForwardedNotices",
        Effect="Allow",
        Principal="*",
        Action="events:PutEvents",
        Resource=run.state["bus"],
        Condition={
            "StringEquals": {"aws:PrincipalOrgID": organization},
            "StringEqualsIfExists": {"events:source": [run.name("notices")]},
            "ArnLike": {"aws:PrincipalArn": role},
        },
    )
    policy = json.dumps(dict(Version="2012-10-17", Statement=[statement]))
    events.put_permission(EventBusName=name, Policy=policy)
    with run.made.making(QUEUE) as queue:
        url = sqs.create_queue(QueueName=queue, tags={TAG: run.id})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = dict(
        Effect="Allow",
        Principal=dict(Service="events.amazonaws.com"),
        Action="sqs:SendMessage",
        Resource=arn,
        Condition=dict(StringEquals={"aws:SourceAccount": run.ids["own"]}),
    )
    policy = json.dumps(dict(Version="2012-10-17", Statement=[allowed]))
    sqs.set_queue_attributes(QueueUrl=url, Attributes=dict(Policy=policy))
    pattern = json.dumps(dict(source=[run.name("notices")]))
    with run.made.making(RULE) as rule:
        events.put_rule(Name=rule, EventBusName=name, EventPattern=pattern, Tags=tags(run))
    events.put_targets(Rule=rule, EventBusName=name, Targets=[dict(Id="queue", Arn=arn)])
    run.state["queue"] = url
    trust = dict(
        Principal=dict(Service="events.amazonaws.com"),
        Condition=dict(StringEquals={"aws:SourceAccount": run.ids["member"]}),
    )
    forward = dict(Effect="Allow", Action="events:PutEvents", Resource=run.state["bus"])
    run.state["forwarding role"] = make_role(run, ROLE, trust, [forward])
    with run.made.making(FORWARD) as rule:
        member = run.client("events", "member")
        member.put_rule(Name=rule, EventPattern=pattern, Tags=tags(run))


def policy_of_bus(run):
    member, answers = run.client("events", "member"), {}
    target = dict(Id="bus", Arn=run.state["bus"], RoleArn=run.state["forwarding role"])

    def put():
        try:
            failed = member.put_targets(Rule=run.name("notices"), Targets=[target])["FailedEntries"]
        except member.exceptions.ClientError as error:
            if code(error) not in ("AccessDeniedException", "ValidationException"):
                raise
            answers["why"] = told(error)
            return False
        answers["why"] = failed and failed[0].get("ErrorMessage")
        return not failed

    if not run.wait(put, MINUTES_OF_IAM, pause=10):
        return differs(answers["why"])
    run.state["target"] = True
    return as_said("PutTargets takes the bus of the other account")


def delivery(run):
    if "target" not in run.state:
        raise NotAsked("the rule in the member has no target")
    entry = dict(Source=run.name("notices"), DetailType="First Hour", Detail=json.dumps(dict(run=run.id)))
    sqs = run.client("sqs")

    def arrived():
        # Once more each time: EventBridge may not know the rule or the role yet.
        failed = run.client("events", "member").put_events(Entries=[entry])["FailedEntryCount"]
        if failed:
            raise NotAsked("PutEvents fails in the member")
        return sqs.receive_message(QueueUrl=run.state["queue"], WaitTimeSeconds=5).get("Messages")

    found = run.wait(arrived, 5)
    if not found:
        return differs("no event arrived within five minutes")
    account = json.loads(found[0]["Body"])["account"]
    words = f"an event arrived. Its account is {account}, of the member {run.ids['member']}"
    return (as_said if account == run.ids["member"] else differs)(words)


PAGE = "templates/NOTICES.md"
STEP = Step(
    title="A bus in this account, and a rule in the member that forwards to it",
    makes=(BUS, QUEUE, RULE, ROLE, FORWARD),
    begin=begin,
    can=can,
    questions=(
        Question(
            "policy-of-bus",
            "Does the bus's policy let a member's rule have the bus as its target?",
            PAGE,
            "AWS documents the role, but not that both keys are there when EventBridge checks a new target.",
            policy_of_bus,
        ),
        Question(
            "delivery-to-bus",
            "Does an event of the member arrive, with the member's account?",
            PAGE,
            "EventBridge sets `account` at the top of an event to the account that put it.",
            delivery,
        ),
    ),
)
