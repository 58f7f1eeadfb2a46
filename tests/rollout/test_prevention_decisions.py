"""Who may do what under the service control policies, as AWS evaluates them on top of FullAWSAccess and of an
administrator's permissions."""

import json
import re

import pytest
from ministack.core.iam_evaluator import EvalContext, evaluate, parse_policy_document

from deployed import template
from prevention import PERMISSION_SET, policies, statements

EVERYTHING = {"Version": "2012-10-17", "Statement": {"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"}}
PATHS = {"AccessKeyPaths": "/service-accounts/"}
SSO = {"AdministrationRoleName": PERMISSION_SET}

# aws:PrincipalArn of a role's session is the role's ARN, with its path.
DEVELOPER = "role/developer"
ADMINISTRATION = "role/access-key-rotation-administration"
ADMINISTRATION_WITH_PATH = "role/security/access-key-rotation-administration"
LOOKALIKE = "role/my-access-key-rotation-administration"
REMEDIATION = "role/access-key-rotation-remediation"
DELETION = "role/access-key-rotation-deletion"
STACKSETS = "role/stacksets-exec-0123456789abcdef0123456789abcdef"
SSO_ADMINISTRATION = "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_KeyAdministrator_0123456789abcdef"
SSO_OTHER = "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_KeyAdministrator_Readers_0123456789abcdef"

UNTIL, OWNER = "access-key-rotation:exempt-until", "access-key-rotation:exempt-owner"
RECORD = "access-key-rotation:deactivated:AKIA2EXAMPLE3EXAMPLE"
USER = "user/bank"
EVALUATION = "role/access-key-rotation-evaluation"
RUNBOOK = "document/AccessKeyRotation-DeactivateStaleKeys"

RECORDER = "configuration-recorder/default/0123456789abcdef"
# As AWS Config names what it makes for an organization's pack.
PACK_RULE = "config-rule/aws-service-rule/config-conforms.amazonaws.com/config-rule-j5yvzl"
PACK_REMEDIATION = (
    "remediation-configuration/aws-service-remediation-configuration/config-conforms.amazonaws.com/abcdef"
)
PACK = "conformance-pack/OrgConformsPack-access-key-rotation-abcdefgh/conformance-pack-abcdefghi"
# What an action has as its resource if it takes none.
ANY = "*"


def denied_by(principal, action, resource, tags=(), partition="aws", passed_to=None, **parameters):
    """The Sid of the statement that denies it; None: none does."""
    service, account = action.split(":")[0], "111122221111"
    region = "" if service == "iam" else "eu-central-1"
    context = EvalContext(
        principal_arn=f"arn:{partition}:iam::{account}:{principal}",
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource if resource == ANY else f"arn:{partition}:{service}:{region}:{account}:{resource}",
        region="eu-central-1",
        tag_keys=list(tags),
        service_context={"iam:passedtoservice": passed_to} if passed_to else {},
    )
    everything = parse_policy_document(EVERYTHING)
    scps = [parse_policy_document(document) for document in policies(**parameters)]
    result = evaluate(context, [everything], [everything, *scps])
    return result.matched_sid if result.decision == "Deny" else None


@pytest.mark.parametrize(
    "denied, principal, action, resource, tags",
    [
        # Exemptions.
        ("ExemptionTags", DEVELOPER, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", DEVELOPER, "iam:TagUser", USER, ["team", OWNER]),
        ("ExemptionTags", DEVELOPER, "iam:TagUser", USER, ["Access-Key-Rotation:Exempt-Until"]),
        ("ExemptionTags", DEVELOPER, "iam:UntagUser", USER, [UNTIL]),
        ("ExemptionTags", DEVELOPER, "iam:CreateUser", USER, [UNTIL, OWNER]),
        ("ExemptionTags", "user/bank", "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", "root", "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", STACKSETS, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", REMEDIATION, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", REMEDIATION, "iam:TagUser", USER, [RECORD, UNTIL]),
        ("ExemptionTags", LOOKALIKE, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", "user/access-key-rotation-administration", "iam:TagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:TagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:UntagUser", USER, [UNTIL]),
        (None, ADMINISTRATION_WITH_PATH, "iam:CreateUser", USER, [UNTIL]),
        # Other tags, and none.
        (None, DEVELOPER, "iam:TagUser", USER, ["team"]),
        (None, DEVELOPER, "iam:TagUser", USER, ["sample-app-frontend:owner"]),
        (None, DEVELOPER, "iam:UntagUser", USER, ["team"]),
        (None, DEVELOPER, "iam:CreateUser", USER, []),
        (None, DEVELOPER, "iam:TagRole", "role/app", [UNTIL]),
        # Records.
        ("RecordTags", DEVELOPER, "iam:TagUser", USER, [RECORD]),
        ("RecordTags", DEVELOPER, "iam:TagUser", USER, [RECORD.upper()]),
        ("RecordTags", DEVELOPER, "iam:TagUser", USER, ["access-key-rotation:anything"]),
        ("RecordTags", DEVELOPER, "iam:UntagUser", USER, ["team", RECORD]),
        ("RecordTags", DEVELOPER, "iam:CreateUser", USER, [RECORD]),
        ("RecordTags", "role/elsewhere/access-key-rotation-remediation", "iam:TagUser", USER, [RECORD]),
        ("RecordTags", LOOKALIKE, "iam:TagUser", USER, [RECORD]),
        (None, REMEDIATION, "iam:TagUser", USER, [RECORD]),
        (None, REMEDIATION, "iam:UntagUser", USER, [RECORD]),
        (None, DELETION, "iam:UntagUser", USER, [RECORD]),
        (None, ADMINISTRATION, "iam:UntagUser", USER, [RECORD]),
        (None, ADMINISTRATION_WITH_PATH, "iam:UntagUser", USER, [RECORD]),
        # Roles: the product's, and those that are excepted.
        ("Roles", DEVELOPER, "iam:DeleteRole", EVALUATION, []),
        ("Roles", DEVELOPER, "iam:UpdateAssumeRolePolicy", REMEDIATION, []),
        ("Roles", DEVELOPER, "iam:AttachRolePolicy", "role/access-key-rotation-function", []),
        ("Roles", DEVELOPER, "iam:PutRolePermissionsBoundary", EVALUATION, []),
        ("Roles", DEVELOPER, "iam:CreateRole", ADMINISTRATION, []),
        ("Roles", DEVELOPER, "iam:CreateRole", ADMINISTRATION_WITH_PATH, []),
        ("Roles", DEVELOPER, "iam:CreateRole", "role/stacksets-exec-mine", []),
        ("Roles", DEVELOPER, "iam:UpdateAssumeRolePolicy", STACKSETS, []),
        ("Roles", REMEDIATION, "iam:PutRolePolicy", REMEDIATION, []),
        ("Roles", LOOKALIKE, "iam:DeleteRole", EVALUATION, []),
        (None, STACKSETS, "iam:CreateRole", EVALUATION, []),
        (None, ADMINISTRATION, "iam:DeleteRole", EVALUATION, []),
        (None, ADMINISTRATION_WITH_PATH, "iam:DeleteRole", EVALUATION, []),
        (None, DEVELOPER, "iam:GetRole", EVALUATION, []),
        (None, DEVELOPER, "iam:DeleteRole", "role/app", []),
        (None, DEVELOPER, "iam:CreateRole", LOOKALIKE, []),
        # Runbooks.
        ("Runbooks", DEVELOPER, "ssm:UpdateDocument", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:DeleteDocument", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:CreateDocument", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:UpdateDocumentDefaultVersion", RUNBOOK, []),
        ("Runbooks", DEVELOPER, "ssm:ModifyDocumentPermission", RUNBOOK, []),
        ("Runbooks", LOOKALIKE, "ssm:UpdateDocument", RUNBOOK, []),
        (None, STACKSETS, "ssm:UpdateDocument", RUNBOOK, []),
        (None, ADMINISTRATION, "ssm:DeleteDocument", RUNBOOK, []),
        (None, ADMINISTRATION_WITH_PATH, "ssm:DeleteDocument", RUNBOOK, []),
        (None, DEVELOPER, "ssm:StartAutomationExecution", RUNBOOK, []),
        (None, DEVELOPER, "ssm:UpdateDocument", "document/Patch", []),
        # Access keys, without AccessKeyPaths.
        (None, DEVELOPER, "iam:CreateAccessKey", USER, []),
        # The pack and its rule.
        ("Rule", DEVELOPER, "config:DeleteConfigRule", PACK_RULE, []),
        ("Rule", DEVELOPER, "config:PutConfigRule", PACK_RULE, []),
        ("Rule", DEVELOPER, "config:DeleteEvaluationResults", PACK_RULE, []),
        ("Rule", DEVELOPER, "config:DeleteConformancePack", PACK, []),
        ("Rule", DEVELOPER, "config:PutConformancePack", PACK, []),
        ("Rule", DEVELOPER, "config:DeleteRemediationConfiguration", PACK_REMEDIATION, []),
        ("Rule", DEVELOPER, "config:PutRemediationConfigurations", PACK_REMEDIATION, []),
        ("Rule", "root", "config:DeleteConfigRule", PACK_RULE, []),
        ("Rule", STACKSETS, "config:DeleteConfigRule", PACK_RULE, []),
        ("Rule", LOOKALIKE, "config:DeleteConformancePack", PACK, []),
        (None, ADMINISTRATION, "config:DeleteConfigRule", PACK_RULE, []),
        (None, ADMINISTRATION_WITH_PATH, "config:DeleteConformancePack", PACK, []),
        (None, DEVELOPER, "config:DeleteConfigRule", "config-rule/config-rule-abcdef", []),
        (None, DEVELOPER, "config:DeleteConformancePack", "conformance-pack/baseline/conformance-pack-abcdefghi", []),
        (None, DEVELOPER, "config:StartConfigRulesEvaluation", PACK_RULE, []),
        (None, DEVELOPER, "config:StartRemediationExecution", ANY, []),
        (None, EVALUATION, "config:PutEvaluations", ANY, []),
        # The recorder.
        ("Recorder", DEVELOPER, "config:StopConfigurationRecorder", RECORDER, []),
        ("Recorder", DEVELOPER, "config:DeleteConfigurationRecorder", RECORDER, []),
        ("Recorder", DEVELOPER, "config:PutConfigurationRecorder", RECORDER, []),
        ("Recorder", DEVELOPER, "config:DisassociateResourceTypes", RECORDER, []),
        ("Recorder", DEVELOPER, "config:DeleteDeliveryChannel", ANY, []),
        ("Recorder", DEVELOPER, "config:PutDeliveryChannel", ANY, []),
        ("Recorder", "root", "config:StopConfigurationRecorder", RECORDER, []),
        ("Recorder", LOOKALIKE, "config:StopConfigurationRecorder", RECORDER, []),
        (None, ADMINISTRATION, "config:StopConfigurationRecorder", RECORDER, []),
        (None, ADMINISTRATION_WITH_PATH, "config:PutDeliveryChannel", ANY, []),
        (None, STACKSETS, "config:PutConfigurationRecorder", RECORDER, []),
        (None, DEVELOPER, "config:StartConfigurationRecorder", RECORDER, []),
        (None, DEVELOPER, "config:DescribeConfigurationRecorders", RECORDER, []),
    ],
)
def test_who_may_do_what(denied, principal, action, resource, tags):
    assert denied_by(principal, action, resource, tags) == denied


@pytest.mark.parametrize(
    "denied, principal, action, resource, parameters",
    [
        ("NewAccessKeys", DEVELOPER, "iam:CreateAccessKey", "user/bank", PATHS),
        ("NewAccessKeys", DEVELOPER, "iam:CreateAccessKey", "user/team/service-accounts/bank", PATHS),
        ("NewAccessKeys", DEVELOPER, "iam:CreateAccessKey", "user/service-accounts", PATHS),
        ("NewAccessKeys", ADMINISTRATION, "iam:CreateAccessKey", "user/bank", PATHS),
        (None, DEVELOPER, "iam:CreateAccessKey", "user/service-accounts/bank", PATHS),
        (None, DEVELOPER, "iam:CreateAccessKey", "user/service-accounts/payments/bank", PATHS),
        (None, DEVELOPER, "iam:UpdateAccessKey", "user/bank", PATHS),
        (None, DEVELOPER, "iam:DeleteAccessKey", "user/bank", PATHS),
        (None, DEVELOPER, "config:StopConfigurationRecorder", RECORDER, {"ProtectRecorder": "false"}),
        ("Rule", DEVELOPER, "config:DeleteConfigRule", PACK_RULE, {"ProtectRecorder": "false"}),
        ("Recorder", ADMINISTRATION, "config:StopConfigurationRecorder", RECORDER, SSO),
        (None, SSO_ADMINISTRATION, "config:StopConfigurationRecorder", RECORDER, SSO),
        (None, SSO_ADMINISTRATION, "config:DeleteConfigRule", PACK_RULE, SSO),
        (None, SSO_ADMINISTRATION, "iam:DeleteRole", EVALUATION, SSO),
        ("Roles", SSO_OTHER, "iam:DeleteRole", EVALUATION, SSO),
        ("Roles", ADMINISTRATION, "iam:DeleteRole", EVALUATION, SSO),
        ("Roles", DEVELOPER, "iam:CreateRole", "role/AWSReservedSSO_KeyAdministrator_0123456789abcdef", SSO),
    ],
)
def test_who_may_do_what_with_parameters(denied, principal, action, resource, parameters):
    assert denied_by(principal, action, resource, **parameters) == denied


@pytest.mark.parametrize("principal", [DEVELOPER, ADMINISTRATION, STACKSETS])
@pytest.mark.parametrize(
    "denied, role, passed_to",
    [
        ("PassRunbookRoles", REMEDIATION, "lambda.amazonaws.com"),
        ("PassRunbookRoles", DELETION, "ec2.amazonaws.com"),
        ("PassRunbookRoles", DELETION, None),
        (None, REMEDIATION, "ssm.amazonaws.com"),
        (None, DELETION, "ssm.amazonaws.com"),
        ("PassRunbookRoles", "role/access-key-rotation-automation-administration", "lambda.amazonaws.com"),
        (None, "role/access-key-rotation-automation-execution", "ssm.amazonaws.com"),
        ("PassEvaluationRole", EVALUATION, "lambda.amazonaws.com"),
        ("PassEvaluationRole", EVALUATION, "ssm.amazonaws.com"),
        (None, "role/access-key-rotation-function", "lambda.amazonaws.com"),
        (None, "role/app", "lambda.amazonaws.com"),
    ],
)
def test_roles_are_passed_only_to_what_uses_them(principal, denied, role, passed_to):
    assert denied_by(principal, "iam:PassRole", role, passed_to=passed_to) == denied


@pytest.mark.parametrize("partition", ["aws-cn", "aws-us-gov"])
def test_it_holds_in_other_partitions(partition):
    assert denied_by(DEVELOPER, "iam:DeleteRole", EVALUATION, partition=partition) == "Roles"
    assert denied_by(DEVELOPER, "ssm:DeleteDocument", RUNBOOK, partition=partition) == "Runbooks"
    assert denied_by(DEVELOPER, "config:DeleteConfigRule", PACK_RULE, partition=partition) == "Rule"
    assert denied_by(DEVELOPER, "config:StopConfigurationRecorder", RECORDER, partition=partition) == "Recorder"
    assert denied_by(DEVELOPER, "iam:PassRole", EVALUATION, partition=partition) == "PassEvaluationRole"
    assert (
        denied_by(DEVELOPER, "iam:PassRole", DELETION, passed_to="ec2.amazonaws.com", partition=partition)
        == "PassRunbookRoles"
    )
    assert denied_by(DEVELOPER, "iam:PassRole", DELETION, passed_to="ssm.amazonaws.com", partition=partition) is None
    assert denied_by(ADMINISTRATION, "config:StopConfigurationRecorder", RECORDER, partition=partition) is None
    assert denied_by(ADMINISTRATION, "iam:TagUser", USER, [UNTIL], partition=partition) is None
    assert denied_by(DEVELOPER, "iam:CreateAccessKey", USER, partition=partition, **PATHS) == "NewAccessKeys"
    assert (
        denied_by(DEVELOPER, "iam:CreateAccessKey", "user/service-accounts/bank", partition=partition, **PATHS) is None
    )


# The policies and what they protect.


def test_they_protect_what_the_templates_make_and_lets_the_runbooks_keep_records():
    resources = {}
    for name in ("hub.yaml", "member.yaml", "automation.yaml"):
        resources.update(template(name)["Resources"])
    roles = [r["Properties"] for r in resources.values() if isinstance(r, dict) and r["Type"] == "AWS::IAM::Role"]
    runbooks = [
        r["Properties"] for r in resources.values() if isinstance(r, dict) and r["Type"] == "AWS::SSM::Document"
    ]
    assert len(roles) == 9 and len(runbooks) == 4
    for role in roles:
        arn = f"role/{role['RoleName']}"
        assert denied_by(DEVELOPER, "iam:DeleteRole", arn) == "Roles"
        allowed = re.findall("iam:(?:Tag|Untag)User", json.dumps(role["Policies"]))
        assert {denied_by(arn, action, USER, [RECORD]) for action in allowed} <= {None}
        assert {denied_by(arn, action, USER, [UNTIL]) for action in allowed} <= {"ExemptionTags"}
        assert bool(allowed) == (denied_by(arn, "iam:TagUser", USER, [RECORD]) is None)
        # A role that a service gets can be passed to this service, and a role that none gets cannot be passed.
        [service] = re.findall(r'"Service": "([a-z.]+)"', json.dumps(role["AssumeRolePolicyDocument"])) or [None]
        assert denied_by(DEVELOPER, "iam:PassRole", arn, passed_to=service) == (
            None if service else "PassEvaluationRole"
        )
    for runbook in runbooks:
        assert denied_by(DEVELOPER, "ssm:UpdateDocument", f"document/{runbook['Name']}") == "Runbooks"


def test_it_follows_the_roles_to_their_path():
    found, plain = statements(RolePath="/security/"), statements()
    assert "arn:*:iam::*:role/security/access-key-rotation-*" in found["Roles"]["Resource"]
    assert (
        denied_by(DEVELOPER, "iam:PassRole", "role/security/access-key-rotation-evaluation", RolePath="/security/")
        == "PassEvaluationRole"
    )
    assert set(plain["Roles"]["Resource"]) <= set(found["Roles"]["Resource"])
    for role in ("remediation", "deletion"):
        arn = f"arn:*:iam::*:role/security/access-key-rotation-{role}"
        assert arn in found["RecordTags"]["Condition"]["ArnNotLike"]["aws:PrincipalArn"]
        assert arn in found["PassRunbookRoles"]["Resource"]
    under_path = "role/security/access-key-rotation-automation-administration"
    for role in (under_path, "role/access-key-rotation-automation-execution"):
        assert (
            denied_by(DEVELOPER, "iam:PassRole", role, passed_to="lambda.amazonaws.com", RolePath="/security/")
            == "PassRunbookRoles"
        )
        assert denied_by(DEVELOPER, "iam:PassRole", role, passed_to="ssm.amazonaws.com", RolePath="/security/") is None
    assert denied_by(DEVELOPER, "iam:DeleteRole", under_path, RolePath="/security/") == "Roles"
