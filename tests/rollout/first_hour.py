"""moto for tests/aws/first-hour: two accounts of an organization, and what moto lacks."""

import hashlib
import json
import re
from contextlib import redirect_stdout
from datetime import datetime, timedelta, timezone
from io import StringIO
from types import SimpleNamespace

import boto3
import moto.iam.models
import moto.ssm.models
from botocore.exceptions import ClientError

import probe
from command import Run

ORGANIZATION, MANAGEMENT = "o-exampleorgid", "111111111111"
REGION = "eu-central-1"
# Botocore has no name for these two.
TOKEN, GRANTED = "result-token-0123456789abcdef", "InsufficientPermissionsException"


def session_of(account):
    """A session of an account, which moto knows by its credentials."""
    role = f"arn:aws:iam::{account}:role/sandbox"
    given = boto3.client("sts", REGION).assume_role(RoleArn=role, RoleSessionName="tests")["Credentials"]
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], REGION)


class Refusal(Exception):
    """An error of AWS."""

    def __init__(self, code, message=""):
        self.answer = dict(Error=dict(Code=code, Message=message or f"{code}."))


class Fakes:
    """What moto lacks, for both accounts. The attributes say how this AWS answers.

    A method named SERVICE_OPERATION takes the call's parameters and gives the answer, or None: moto answers.
    """

    def __init__(self, own, member, monkeypatch):
        self.own, self.member = own, member
        # The runbook goes by the system's clock.
        self.now = datetime.now(timezone.utc).replace(microsecond=0)
        monkeypatch.setattr(moto.iam.models, "utcnow", lambda: self.now.replace(tzinfo=None))
        self.sends_organization, self.keeps, self.cuts_at = False, "newest", 256
        self.has_status, self.has_findings, self.replaces_id, self.takes_policy = True, False, True, True
        self.script_log, self.script_status, self.finds_names = "CloudWatch", "Failed", False
        self.moves_date, self.enforces = True, True
        self.refuses_old, self.keeps_default, self.is_updated = True, False, False
        self.sender = member
        self.accounts = [own, member, MANAGEMENT]
        # A template's content is no text for moto.
        hash_of = property(lambda document: hashlib.sha256(json.dumps(document.content).encode()).hexdigest())
        monkeypatch.setattr(moto.ssm.models.Document, "hash", hash_of)
        # What somebody writes: in answers, for the report.
        self.said, self.denied = "", None
        self.credentials, self.lists_together, self.denied_without_service = ["ACCA1"], True, False
        self.reports_user, self.is_silent, self.sends_findings, self.sends_account = True, False, True, True
        # So often is a new policy of the function not known yet.
        self.refusals = 0
        self.fails_evaluations, self.remediation = False, "SUCCEEDED"
        self.policy, self.lines, self.results, self.packs, self.remediations = None, [], {}, {}, {}
        self.before, self.after = (lambda operation, params: None), (lambda operation: None)
        self.params, self.sessions, self.switched, self.clients = {}, {}, {}, {}

    def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)

    def attach(self, account, session):
        self.sessions[account] = session
        events = session.events
        events.register("before-parameter-build", lambda params, model, **more: self.build(account, model, params))
        events.register("before-call", lambda model, request_signer, **more: self.call(account, model, request_signer))
        events.register("after-call", lambda model, **more: self.after(model.name))

    def build(self, account, model, params):
        self.params[account, model.name] = params
        self.before(model.name, params)

    def call(self, account, model, signer):
        service = model.service_model.service_id.hyphenize().replace("-", "_")
        fake = getattr(self, f"{service}_{model.name}", lambda *call: None)
        try:
            if model.name == self.denied:
                raise Refusal("AccessDeniedException", self.said)
            answer = fake(self.params[account, model.name], SimpleNamespace(account=account, signer=signer))
        except Refusal as refusal:
            return SimpleNamespace(status_code=400), refusal.answer | dict(ResponseMetadata={})
        return answer and (SimpleNamespace(status_code=200), dict(answer, ResponseMetadata={}))

    def forget(self):
        """What functions logged and sent of rules that are gone."""
        self.lines, self.results, self.policy = [], {}, None

    # IAM and STS.

    def key(self, signer):
        """The user's key that signed a call. None: a role's."""
        key = moto.iam.models.iam_backends[self.own]["aws"].access_keys.get(signer._credentials.access_key)
        return key if key and key.user_name else None

    def sts_GetCallerIdentity(self, params, by):
        key = self.key(by.signer)
        if key is None:
            return None
        user = moto.iam.models.iam_backends[self.own]["aws"].users[key.user_name]
        return dict(UserId=user.id, Account=self.own, Arn=user.arn)

    def iam_UpdateAccessKey(self, params, by):
        if params["Status"] == "Active":
            self.switched[params["AccessKeyId"]] = self.now
        return None

    def iam_CreateAccessKey(self, params, by):
        # Of the role in a session, moto asks no policy.
        is_role = by.signer._credentials.access_key != self.sessions["own"].get_credentials().access_key
        if is_role and self.enforces and params["UserName"].endswith("-plain"):
            raise Refusal("AccessDenied", f"User is not authorized. {self.said}")
        return None

    def iam_ListServiceSpecificCredentials(self, params, by):
        has_service = "ServiceName" in params
        if self.denied_without_service and not has_service:
            raise Refusal("ValidationError", "ServiceName is required")
        ids = self.credentials if has_service or self.lists_together else []
        return dict(ServiceSpecificCredentials=[dict(ServiceSpecificCredentialId=name) for name in ids])

    def iam_GetCredentialReport(self, params, by):
        """With the date of the activation."""
        users = moto.iam.models.iam_backends[self.own]["aws"].users.values()
        rows = ["user,access_key_1_active,access_key_1_last_rotated,access_key_2_active,access_key_2_last_rotated"]
        for user in users:
            cells = [user.name]
            for key in user.access_keys:
                moved = self.moves_date and self.switched.get(key.access_key_id)
                at = moved if moved and key.status == "Active" else key.create_date
                cells += [str(key.status == "Active").lower(), at.strftime("%Y-%m-%dT%H:%M:%S+00:00")]
            rows.append(",".join(cells))
        rows = rows if self.reports_user else rows[:1]
        return dict(Content="\n".join(rows).encode(), GeneratedTime=self.now)

    def cloudtrail_LookupEvents(self, params, by):
        [attribute] = params["LookupAttributes"]
        keys = moto.iam.models.iam_backends[self.own]["aws"].access_keys
        if attribute["AttributeKey"] == "ResourceName" and not self.finds_names:
            return dict(Events=[])
        texts = [json.dumps(dict(responseElements=dict(accessKey=dict(accessKeyId=key)))) for key in keys]
        return dict(Events=[dict(EventName="CreateAccessKey", CloudTrailEvent=text) for text in texts])

    # Lambda and AWS Config.

    def lambda_PutResourcePolicy(self, params, by):
        if not self.takes_policy:
            raise Refusal("InvalidParameterValueException", self.said)
        [statement] = json.loads(params["Policy"])["Statement"]
        [self.policy] = statement["Condition"]["StringEquals"]
        return dict(Policy=params["Policy"], RevisionId="1")

    def may_invoke(self):
        return self.sends_account if self.policy == "aws:SourceAccount" else self.sends_organization

    def config_service_DescribeConfigurationRecorders(self, params, by):
        return dict(ConfigurationRecorders=[dict(name="default")])

    def config_service_DescribeConfigurationRecorderStatus(self, params, by):
        return dict(ConfigurationRecordersStatus=[dict(name="default", recording=True)])

    def config_service_PutConfigRule(self, params, by):
        self.refusals -= 1
        is_refused = self.refusals >= 0 or not self.may_invoke()
        if params["ConfigRule"]["Source"]["Owner"] == "CUSTOM_LAMBDA" and is_refused:
            raise Refusal(GRANTED, f"The AWS Lambda function cannot be invoked. {self.said}")
        return None

    def config_service_StartConfigRulesEvaluation(self, params, by):
        [name] = params["ConfigRuleNames"]
        if self.is_silent:
            return {"evaluated": "no"}
        [rule] = self.client("config").describe_config_rules(ConfigRuleNames=[name])["ConfigRules"]
        now = self.now.isoformat().replace("+00:00", "Z")
        invoking = dict(messageType="ScheduledNotification", notificationCreationTime=now)
        event = dict(
            configRuleName=name,
            ruleParameters=rule.get("InputParameters", "{}"),
            invokingEvent=json.dumps(invoking),
            resultToken=TOKEN,
        )
        printed, self.evaluated, boto3.DEFAULT_SESSION = StringIO(), name, self.sessions["own"]
        with redirect_stdout(printed):
            probe.handler(event, None)
        self.lines.append(printed.getvalue())
        return {"evaluated": "yes"}

    def cloudwatch_logs_FilterLogEvents(self, params, by):
        noise = ["START RequestId: 1\n", "[]", "not json {"]
        return dict(events=[dict(message=line) for line in [*noise, *self.lines]])

    def config_service_PutEvaluations(self, params, by):
        assert params["ResultToken"] == TOKEN
        for given in params["Evaluations"]:
            key, at = (self.evaluated, given["ComplianceResourceId"]), given["OrderingTimestamp"]
            held = self.results.get(key)
            if held and (held["at"] > at and self.keeps != "last" or self.keeps == "first"):
                continue
            self.results[key] = dict(at=at, annotation=given["Annotation"][: self.cuts_at])
        return dict(FailedEvaluations=params["Evaluations"] if self.fails_evaluations else [])

    def config_service_GetComplianceDetailsByConfigRule(self, params, by):
        found = []
        for (rule, user), held in self.results.items():
            if rule == params["ConfigRuleName"]:
                qualifier = dict(ResourceId=user)
                identifier = dict(EvaluationResultQualifier=qualifier)
                found.append(dict(EvaluationResultIdentifier=identifier, Annotation=held["annotation"]))
        return dict(EvaluationResults=found)

    def config_service_DeleteRemediationConfiguration(self, params, by):
        if self.remediations.pop(params["ConfigRuleName"], None) is None:
            raise Refusal("NoSuchRemediationConfigurationException")
        return dict(done="yes")

    def config_service_PutRemediationConfigurations(self, params, by):
        [given] = params["RemediationConfigurations"]
        self.remediations[given["ConfigRuleName"]] = given
        return dict(FailedBatches=[])

    def config_service_StartRemediationExecution(self, params, by):
        return dict(FailedItems=[])

    def config_service_DescribeRemediationExecutionStatus(self, params, by):
        return dict(RemediationExecutionStatuses=[dict(State=self.remediation, StepDetails=[])])

    def config_service_DescribeConfigRuleEvaluationStatus(self, params, by):
        at = dict(LastSuccessfulEvaluationTime=self.now) if self.has_status else {}
        return dict(ConfigRulesEvaluationStatus=[at])

    # Packs.

    def rule_of_pack(self, name):
        return f"{name}-conformance-pack-abc"

    def client(self, service, account="own"):
        """Clients take long to make: all runs share them."""
        key = service, account, ()
        if key not in self.clients:
            self.clients[key] = self.sessions[account].client(service)
        return self.clients[key]

    def config_service_PutConformancePack(self, params, by):
        name = params["ConformancePackName"]
        [resource] = json.loads(params["TemplateBody"])["Resources"].values()
        given = resource["Properties"]
        rule = dict(given, ConfigRuleName=self.rule_of_pack(name), InputParameters=json.dumps(given["InputParameters"]))
        self.packs[name] = "own"
        self.unseen(lambda: self.client("config").put_config_rule(ConfigRule=rule))
        return dict(ConformancePackArn="arn")

    def config_service_DescribeConformancePacks(self, params, by):
        [name] = params["ConformancePackNames"]
        if name not in self.packs:
            raise Refusal("NoSuchConformancePackException")
        return dict(ConformancePackDetails=[dict(ConformancePackName=name)])

    def config_service_DescribeConformancePackStatus(self, params, by):
        return dict(ConformancePackStatusDetails=[dict(ConformancePackState="CREATE_COMPLETE")])

    def config_service_DeleteConformancePack(self, params, by):
        name = params["ConformancePackName"]
        del self.packs[name]
        rule = self.rule_of_pack(name)
        self.unseen(lambda: self.client("config").delete_config_rule(ConfigRuleName=rule))
        return dict(done="yes")

    def config_service_PutOrganizationConformancePack(self, params, by):
        name = params["OrganizationConformancePackName"]
        self.excluded, self.packs[name] = params["ExcludedAccounts"], "member"
        given = json.loads(params["TemplateBody"])["Resources"]["Remediation"]["Properties"]
        [role] = given["Parameters"]["AutomationAssumeRole"]["StaticValue"]["Values"]
        if self.replaces_id:
            given["Parameters"]["AutomationAssumeRole"]["StaticValue"]["Values"] = [
                re.sub(r"\d{12}", self.member, role)
            ]
        self.remediations[self.rule_of_pack(name)] = given
        source = dict(Owner="AWS", SourceIdentifier="IAM_ROOT_ACCESS_KEY_CHECK")
        rule = dict(ConfigRuleName=self.rule_of_pack(name), Source=source)
        self.unseen(lambda: self.client("config", "member").put_config_rule(ConfigRule=rule))
        return dict(OrganizationConformancePackArn="arn")

    def config_service_DescribeOrganizationConformancePacks(self, params, by):
        [name] = params["OrganizationConformancePackNames"]
        if name not in self.packs:
            raise Refusal("NoSuchOrganizationConformancePackException")
        return dict(OrganizationConformancePacks=[dict(OrganizationConformancePackName=name)])

    def config_service_DescribeRemediationConfigurations(self, params, by):
        found = [self.remediations[name] for name in params["ConfigRuleNames"] if name in self.remediations]
        return dict(RemediationConfigurations=found)

    def config_service_DeleteOrganizationConformancePack(self, params, by):
        name = params["OrganizationConformancePackName"]
        del self.packs[name]
        rule = self.rule_of_pack(name)
        del self.remediations[rule]
        self.unseen(lambda: self.client("config", "member").delete_config_rule(ConfigRuleName=rule))
        return dict(done="yes")

    def unseen(self, act):
        """What AWS does by itself is no call of the run's."""
        held, self.before, self.after = (self.before, self.after), (lambda *call: None), (lambda *call: None)
        try:
            act()
        finally:
            self.before, self.after = held

    # Organizations, Systems Manager and Security Hub.

    def organizations_DescribeOrganization(self, params, by):
        return dict(Organization=dict(Id=ORGANIZATION, MasterAccountId=MANAGEMENT))

    def organizations_ListAccounts(self, params, by):
        return dict(Accounts=[dict(Id=account) for account in self.accounts])

    def ssm_UpdateDocument(self, params, by):
        if self.refuses_old:
            raise Refusal("DuplicateDocumentContent", self.said)
        return dict(DocumentDescription={})

    def cloudformation_UpdateStack(self, params, by):
        self.is_updated = True

    def cloudformation_DeleteStack(self, params, by):
        self.is_updated = False

    def ssm_DescribeDocument(self, params, by):
        if self.keeps_default and self.is_updated:
            return dict(Document=dict(LatestVersion="2", DefaultVersion="1"))
        return None

    def ssm_GetServiceSetting(self, params, by):
        return dict(ServiceSetting=dict(SettingValue=self.script_log))

    def ssm_StartAutomationExecution(self, params, by):
        return dict(AutomationExecutionId="1" * 36)

    def ssm_GetAutomationExecution(self, params, by):
        found = dict(AutomationExecutionStatus=self.script_status, FailureMessage=self.said)
        return dict(AutomationExecution=found)

    def sqs_ReceiveMessage(self, params, by):
        """With the account of the sender, which moto replaces."""
        return dict(Messages=[dict(Body=json.dumps(dict(account=self.sender)))] if self.sender else [])

    def securityhub_DescribeHub(self, params, by):
        return dict(HubArn="arn")

    def securityhub_GetFindings(self, params, by):
        [title] = params["Filters"]["Title"]
        is_there = self.has_findings if "conformance-pack" in title["Value"] else self.sends_findings
        return dict(Findings=[dict(Id="1")] * is_there)


def run_of(run_id, fakes, minutes=20):
    """A run in the accounts of the fakes, which sleeps for no time."""
    sessions, ids = fakes.sessions, dict(own=fakes.own, member=fakes.member)
    run = Run(run_id, dict(sessions), ids, minutes, fakes.sleep, lambda: fakes.now)
    run.clients, run.with_organization_pack = fakes.clients, True
    return run


def everything(fakes):
    """All that the two accounts hold, of the kinds that a run makes."""
    found = {}
    for account in ("own", "member"):
        client = lambda service: fakes.client(service, account)  # noqa: B023
        users = client("iam").list_users()["Users"]
        keys = [client("iam").list_access_keys(UserName=user["UserName"])["AccessKeyMetadata"] for user in users]
        found[account] = dict(
            users=[user["UserName"] for user in users],
            keys=keys,
            roles=[role["RoleName"] for role in client("iam").list_roles()["Roles"]],
            secrets=[secret["Name"] for secret in client("secretsmanager").list_secrets()["SecretList"]],
            parameters=client("ssm").describe_parameters()["Parameters"],
            documents=[
                document["Name"]
                for document in client("ssm").list_documents(Filters=[dict(Key="Owner", Values=["Self"])])[
                    "DocumentIdentifiers"
                ]
            ],
            stacks=[stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]],
            functions=[function["FunctionName"] for function in client("lambda").list_functions()["Functions"]],
            groups=[group["logGroupName"] for group in client("logs").describe_log_groups()["logGroups"]],
            rules=[rule["ConfigRuleName"] for rule in client("config").describe_config_rules()["ConfigRules"]],
            buses=[bus["Name"] for bus in client("events").list_event_buses()["EventBuses"]],
            forwards=[rule["Name"] for rule in client("events").list_rules()["Rules"]],
            queues=client("sqs").list_queues().get("QueueUrls", []),
        )
    return found | dict(packs=dict(fakes.packs), remediations=dict(fakes.remediations))


__all__ = ["ClientError", "Fakes", "TOKEN", "everything", "run_of", "session_of"]
