"""Questions about the rule of a conformance pack, which invokes the function of the step before."""

import json

import function
from questions import NotAsked, Question, Step, Thing, as_said, code, differs
from things import pages

PACK = Thing("pack", "pack")


def can(run):
    if "policy" not in run.state:
        return "it needs the function of the step before, and its policy"
    return function.without_config(run)


def begin(run):
    properties = dict(
        ConfigRuleName=run.name("pack"),
        InputParameters=run.state["users"],
        Source=dict(
            Owner="CUSTOM_LAMBDA", SourceIdentifier=function.function_arn(run), SourceDetails=[function.SCHEDULED]
        ),
    )
    template = dict(Resources=dict(Rule=dict(Type="AWS::Config::ConfigRule", Properties=properties)))
    config = run.client("config")
    with run.made.making(PACK) as name:
        config.put_conformance_pack(ConformancePackName=name, TemplateBody=json.dumps(template))

    def status():
        [found] = config.describe_conformance_pack_status(ConformancePackNames=[name])["ConformancePackStatusDetails"]
        return found["ConformancePackState"] != "CREATE_IN_PROGRESS" and found

    found = run.wait(status)
    if not found or found["ConformancePackState"] != "CREATE_COMPLETE":
        raise NotAsked(f"the pack is not there: {found and found.get('ConformancePackStatusReason')}")
    rules = [rule for page in pages(config, "describe_config_rules") for rule in page["ConfigRules"]]
    [run.state["rule of the pack"]] = [
        rule["ConfigRuleName"] for rule in rules if rule["ConfigRuleName"].startswith(name)
    ]
    function.evaluate(run, run.state["rule of the pack"])
    said = run.wait(lambda: function.line_of(run, name))
    if not said or "answers" not in said:
        raise NotAsked(f"the function sent no results for the rule of the pack: {said}")


def status_of_rule(run):
    def status():
        answer = run.client("config").describe_config_rule_evaluation_status(
            ConfigRuleNames=[run.state["rule of the pack"]]
        )["ConfigRulesEvaluationStatus"]
        return answer and answer[0].get("LastSuccessfulEvaluationTime") and answer[0]

    found = run.wait(status, 10)
    if not found:
        return differs("no status with LastSuccessfulEvaluationTime ten minutes after the function's results")
    fields = ", ".join(sorted(name for name in found if name.startswith(("Last", "First"))))
    return as_said(f"it has {fields}")


def security_hub(run):
    hub = run.client("securityhub")
    try:
        hub.describe_hub()
    except hub.exceptions.ClientError as error:
        if code(error) in ("InvalidAccessException", "ResourceNotFoundException"):
            raise NotAsked("Security Hub is off in this Region: switch it on for this question")
        raise

    def findings(rule):
        title = [dict(Value=rule, Comparison="EQUALS")]
        return hub.get_findings(Filters=dict(Title=title))["Findings"]

    # The other rule has the same results, and is in no pack.
    if not run.wait(lambda: findings(run.name("rule"))):
        raise NotAsked(f"Security Hub got no finding of any rule within {run.minutes} minutes")
    if run.wait(lambda: findings(run.state["rule of the pack"]), 5):
        return differs("Security Hub has findings of the pack's rule")
    return as_said("Security Hub has findings of a rule in no pack, and five minutes later none of the pack's rule")


STEP = Step(
    title="A conformance pack in this account",
    makes=(PACK,),
    begin=begin,
    can=can,
    questions=(
        Question(
            "status-of-pack-rule",
            "Has a custom rule of a pack an evaluation status?",
            "templates/OPERATING.md",
            "Nobody has tried the check on AWS yet, and AWS's documents leave one question open.",
            status_of_rule,
        ),
        Question(
            "security-hub",
            "Does Security Hub get findings of a pack's rule?",
            "templates/AUDIT.md",
            "results of service-linked rules are excluded, and a conformance pack's rules are service-linked",
            security_hub,
        ),
    ),
)
