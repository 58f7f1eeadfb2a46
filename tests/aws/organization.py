"""The account's id in the role of a remediation, if a delegated administrator deploys the pack."""

import json

from questions import NotAsked, Question, Skipped, Step, Thing, as_said, differs
from things import pages

PACK = Thing("organization pack", "members")
# What AWS Config excludes at most.
MOST_EXCLUDED = 1000
DOCUMENT = "AWS-PublishSNSNotification"


def can(run):
    if not run.with_organization_pack:
        return "it deploys a pack by the organization, to the member only: pass --organization"
    if "member" not in run.ids:
        return "it needs a second account"
    return None


def others(run):
    """All accounts of the organization but the member. Raises if the list is not sure to be whole."""
    listed = pages(run.client("organizations"), "list_accounts")
    accounts = [account["Id"] for page in listed for account in page["Accounts"]]
    if run.ids["member"] not in accounts or run.ids["own"] not in accounts:
        raise NotAsked("the organization does not list both accounts")
    # The management account may deploy a pack, and never gets it.
    excluded = sorted(set(accounts) - {run.ids["member"]})
    if len(excluded) > MOST_EXCLUDED:
        raise NotAsked(f"the organization has more than {MOST_EXCLUDED} other accounts, which cannot all be left out")
    return excluded


def begin(run):
    management = run.client("organizations").describe_organization()["Organization"]["MasterAccountId"]
    if management == run.ids["own"]:
        raise Skipped("this is the management account: the question is about a delegated administrator")
    excluded = others(run)
    rule = dict(
        ConfigRuleName=run.name("members"),
        Source=dict(Owner="AWS", SourceIdentifier="IAM_ROOT_ACCESS_KEY_CHECK"),
    )
    # It never starts anything: manual, and for a document whose role is not there.
    remediation = dict(
        ConfigRuleName=run.name("members"),
        TargetType="SSM_DOCUMENT",
        TargetId=DOCUMENT,
        Automatic=False,
        Parameters=dict(
            AutomationAssumeRole=dict(
                StaticValue=dict(Values=[f"arn:{run.partition}:iam::{management}:role/{run.name('nobody')}"])
            ),
            Message=dict(ResourceValue=dict(Value="RESOURCE_ID")),
            TopicArn=dict(StaticValue=dict(Values=[f"arn:{run.partition}:sns:{run.region}:{management}:nobody"])),
        ),
    )
    template = dict(
        Resources=dict(
            Rule=dict(Type="AWS::Config::ConfigRule", Properties=rule),
            Remediation=dict(Type="AWS::Config::RemediationConfiguration", DependsOn="Rule", Properties=remediation),
        )
    )
    with run.made.making(PACK) as name:
        run.client("config").put_organization_conformance_pack(
            OrganizationConformancePackName=name, TemplateBody=json.dumps(template), ExcludedAccounts=excluded
        )
    run.state["management"] = management


def account_of_role(run):
    config = run.client("config", "member")

    def rule():
        rules = [rule for page in pages(config, "describe_config_rules") for rule in page["ConfigRules"]]
        names = [rule["ConfigRuleName"] for rule in rules if rule["ConfigRuleName"].startswith(run.name("members"))]
        found = names and config.describe_remediation_configurations(ConfigRuleNames=names)
        return found and found["RemediationConfigurations"]

    found = run.wait(rule)
    if not found:
        statuses = run.client("config").get_organization_conformance_pack_detailed_status(
            OrganizationConformancePackName=run.name("members")
        )["OrganizationConformancePackDetailedStatuses"]
        raise NotAsked(f"the member has no remediation in time: {[status.get('ErrorMessage') for status in statuses]}")
    [role] = found[0]["Parameters"]["AutomationAssumeRole"]["StaticValue"]["Values"]
    account = role.split(":")[4]
    if account == run.ids["member"]:
        return as_said("AWS Config put the member's id in the place of the management account's")
    return differs(f"the role is {role}; the management account is {run.state['management']}")


STEP = Step(
    title="A conformance pack of the organization, for the member only",
    makes=(PACK,),
    begin=begin,
    can=can,
    note="An account that joins the organization meanwhile gets the pack too. It remediates nothing.",
    questions=(
        Question(
            "account-of-role",
            "Does AWS Config replace the account's id, if a delegated administrator deploys the pack?",
            "templates/AUTOMATION.md",
            "AWS does not document whether AWS Config also replaces the id if a delegated administrator deploys",
            account_of_role,
        ),
    ),
)
