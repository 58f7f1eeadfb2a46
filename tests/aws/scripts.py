"""Questions about a runbook with a script: a manual remediation, and the script's log."""

import json

from questions import NotAsked, Skipped, Thing, as_said, differs
from things import TAG
from users import make_role

DOCUMENT, ROLE = Thing("document", "script"), Thing("role", "script")


def make_document(run):
    """A runbook that prints a word, and runs with a role of its own, which may do nothing."""
    if "document" in run.state:
        return
    role = make_role(run, ROLE, dict(Principal=dict(Service="ssm.amazonaws.com")), [])
    script = dict(Runtime="python3.11", Handler="run", Script="def run(event, context):\n    print('first hour')\n")
    content = dict(
        schemaVersion="0.3",
        assumeRole="{{ AutomationAssumeRole }}",
        parameters=dict(
            ResourceId=dict(type="String", default="none"), AutomationAssumeRole=dict(type="String", default=role)
        ),
        mainSteps=[dict(name="run", action="aws:executeScript", inputs=script)],
    )
    with run.made.making(DOCUMENT) as name:
        run.client("ssm").create_document(
            Name=name,
            DocumentType="Automation",
            DocumentFormat="JSON",
            Content=json.dumps(content),
            Tags=[dict(Key=TAG, Value=run.id)],
        )
    # Systems Manager cannot assume a new role at once.
    run.sleep(60)
    run.state["document"] = True


def remediation(run):
    """For a result that the function of `function.STEP` sent."""
    if "answers" not in (run.state.get("said") or {}):
        raise NotAsked("there is no result of the rule")
    make_document(run)
    config, rule = run.client("config"), run.name("rule")
    configuration = dict(
        ConfigRuleName=rule,
        TargetType="SSM_DOCUMENT",
        TargetId=run.name("script"),
        ResourceType="AWS::IAM::User",
        Automatic=False,
        Parameters=dict(ResourceId=dict(ResourceValue=dict(Value="RESOURCE_ID"))),
    )
    refused = config.put_remediation_configurations(RemediationConfigurations=[configuration])["FailedBatches"]
    if refused:
        return differs(refused[0].get("FailureMessage", "PutRemediationConfigurations fails"))
    keys = [dict(resourceType="AWS::IAM::User", resourceId=run.state["users"]["first"])]
    started = config.start_remediation_execution(ConfigRuleName=rule, ResourceKeys=keys)
    if started.get("FailedItems"):
        return differs(started.get("FailureMessage", "StartRemediationExecution fails"))

    def state():
        statuses = config.describe_remediation_execution_status(ConfigRuleName=rule, ResourceKeys=keys)
        ends = [
            entry for entry in statuses["RemediationExecutionStatuses"] if entry["State"] in ("SUCCEEDED", "FAILED")
        ]
        return ends and ends[0]

    found = run.wait(state)
    if not found:
        raise NotAsked("the remediation did not end in time")
    errors = [step["ErrorMessage"] for step in found.get("StepDetails", []) if step.get("ErrorMessage")]
    return (as_said if found["State"] == "SUCCEEDED" else differs)(" ".join([found["State"], *errors]))


def script_log(run):
    """The account's setting stays as it is."""
    ssm = run.client("ssm")
    setting = ssm.get_service_setting(SettingId="/ssm/automation/customer-script-log-destination")["ServiceSetting"]
    if setting["SettingValue"] != "CloudWatch":
        raise Skipped(
            "the account's setting does not send the output of scripts to CloudWatch Logs: set it, and repeat"
        )
    make_document(run)
    started = ssm.start_automation_execution(DocumentName=run.name("script"))["AutomationExecutionId"]

    def ended():
        found = ssm.get_automation_execution(AutomationExecutionId=started)["AutomationExecution"]
        return found["AutomationExecutionStatus"] in ("Success", "Failed", "TimedOut", "Cancelled") and found

    found = run.wait(ended)
    if not found:
        raise NotAsked("the run did not end in time")
    status, why = found["AutomationExecutionStatus"], found.get("FailureMessage", "")
    return (differs if status == "Success" else as_said)(f"without the permission: {status} {why}")
