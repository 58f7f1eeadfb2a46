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
SSO = {"ExemptionRoles": PERMISSION_SET, "DeploymentRoles": f"{PERMISSION_SET},stacksets-exec-*"}
BOTH = {"ExemptionRoles": "ci/deploy", "DeploymentRoles": "ci/deploy"}
AFT = {"DeploymentRoles": "stacksets-exec-*,AWSAFTExecution,AWSAFTService"}
BOUNDARY = {"PermissionsBoundary": "security/limits"}

# aws:PrincipalArn of a role's session is the role's ARN, with its path.
DEVELOPER = "role/developer"
ADMINISTRATION = "role/access-key-rotation-administration"
ELSEWHERE = "role/security/access-key-rotation-administration"
PIPELINE = "role/access-key-rotation-deployment"
LOOKALIKE = "role/my-access-key-rotation-administration"
REMEDIATION = "role/access-key-rotation-remediation"
DELETION = "role/access-key-rotation-deletion"
ROTATION = "role/access-key-rotation-rotation"
STACKSETS = "role/stacksets-exec-0123456789abcdef0123456789abcdef"
SELF_MANAGED = "role/AWSCloudFormationStackSetExecutionRole"
CONTROL_TOWER = "role/AWSControlTowerExecution"
PIPELINES = (PIPELINE, STACKSETS, SELF_MANAGED, CONTROL_TOWER)
SSO_ADMINISTRATION = "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_KeyAdministrator_0123456789abcdef"
SSO_OTHER = "role/aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_KeyAdministrator_Readers_0123456789abcdef"

UNTIL, OWNER = "access-key-rotation:exempt-until", "access-key-rotation:exempt-owner"
LAST_CHANGE = "access-key-rotation:last-change"
SECRET_TAG, USER_TAG, FORMAT = (f"access-key-rotation:{name}" for name in ("secret", "user", "format"))
SECRET = "secret:bots/deploy-AbCdEf"
USER_RECORD = "parameter/access-key-rotation/users/AIDA2EXAMPLE3EXAMPLE4"
RECORD = "parameter/access-key-rotation/keys/AKIA2EXAMPLE3EXAMPLE"
LIMITS = "policy/security/limits"
USER = "user/bank"
EVALUATION = "role/access-key-rotation-evaluation"
RUNBOOK = "document/AccessKeyRotation-DeactivateStaleKeys"

RECORDER = "configuration-recorder/default/0123456789abcdef"
# As AWS Config names what it makes for an organization's pack.
PACK_RULE = "config-rule/aws-service-rule/config-conforms.amazonaws.com/config-rule-j5yvzl"
PACK_REMEDIATION = (
    "remediation-configuration/aws-service-remediation-configuration/config-conforms.amazonaws.com/abcdef"
)
ACCOUNT_PACK = "conformance-pack/access-key-rotation/conformance-pack-abcdefghi"
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
        ("ExemptionTags", REMEDIATION, "iam:TagUser", USER, [LAST_CHANGE, UNTIL]),
        ("ExemptionTags", PIPELINE, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", ELSEWHERE, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", LOOKALIKE, "iam:TagUser", USER, [UNTIL]),
        ("ExemptionTags", "user/access-key-rotation-administration", "iam:TagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:TagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:UntagUser", USER, [UNTIL]),
        (None, ADMINISTRATION, "iam:CreateUser", USER, [UNTIL]),
        # Rotation: the user's tag, and the secret's.
        *(
            ("RotationTags", principal, action, resource, [tag])
            for principal in (DEVELOPER, "root", "user/bank", LOOKALIKE, ELSEWHERE, REMEDIATION, ROTATION)
            for action, resource, tag in (
                ("iam:TagUser", USER, SECRET_TAG),
                ("iam:UntagUser", USER, SECRET_TAG),
                ("iam:CreateUser", USER, SECRET_TAG),
                ("secretsmanager:TagResource", SECRET, USER_TAG),
                ("secretsmanager:UntagResource", SECRET, USER_TAG),
                ("secretsmanager:CreateSecret", SECRET, USER_TAG),
                ("secretsmanager:TagResource", SECRET, FORMAT),
            )
        ),
        *(
            (None, principal, action, resource, [tag])
            for principal in (ADMINISTRATION, *PIPELINES)
            for action, resource, tag in (
                ("iam:TagUser", USER, SECRET_TAG),
                ("iam:CreateUser", USER, SECRET_TAG),
                ("secretsmanager:TagResource", SECRET, USER_TAG),
                ("secretsmanager:CreateSecret", SECRET, FORMAT),
            )
        ),
        ("RotationTags", DEVELOPER, "iam:TagUser", USER, ["team", "Access-Key-Rotation:Secret"]),
        ("RotationTags", ROTATION, "iam:TagUser", USER, [LAST_CHANGE, SECRET_TAG]),
        ("ExemptionTags", PIPELINE, "iam:TagUser", USER, [SECRET_TAG, UNTIL]),
        (None, ROTATION, "iam:TagUser", USER, [LAST_CHANGE]),
        (None, DEVELOPER, "secretsmanager:CreateSecret", SECRET, []),
        (None, DEVELOPER, "secretsmanager:TagResource", SECRET, ["team", "user"]),
        (None, DEVELOPER, "secretsmanager:UntagResource", SECRET, ["team"]),
        (None, DEVELOPER, "secretsmanager:PutSecretValue", SECRET, []),
        # Other tags, and none.
        (None, DEVELOPER, "iam:TagUser", USER, ["team"]),
        (None, DEVELOPER, "iam:TagUser", USER, ["sample-app-frontend:owner"]),
        (None, DEVELOPER, "iam:UntagUser", USER, ["team"]),
        (None, DEVELOPER, "iam:CreateUser", USER, []),
        (None, DEVELOPER, "iam:TagRole", "role/app", [UNTIL]),
        (None, DEVELOPER, "iam:TagUser", USER, [LAST_CHANGE]),
        (None, REMEDIATION, "iam:TagUser", USER, [LAST_CHANGE]),
        # Records.
        *(
            ("Records", DEVELOPER, f"ssm:{action}", RECORD, [])
            for action in ("PutParameter", "DeleteParameter", "DeleteParameters", "AddTagsToResource")
        ),
        *(
            ("Records", DEVELOPER, f"ssm:{action}", RECORD, [])
            for action in ("LabelParameterVersion", "UnlabelParameterVersion", "RemoveTagsFromResource")
        ),
        ("Records", DEVELOPER, "ssm:PutParameter", "parameter/access-key-rotation/users/AIDA2EXAMPLE3EXAMPLE", []),
        ("Records", PIPELINE, "ssm:PutParameter", RECORD, []),
        ("Records", STACKSETS, "ssm:DeleteParameter", RECORD, []),
        ("Records", "root", "ssm:DeleteParameter", RECORD, []),
        ("Records", "role/elsewhere/access-key-rotation-remediation", "ssm:PutParameter", RECORD, []),
        ("Records", LOOKALIKE, "ssm:PutParameter", RECORD, []),
        (None, REMEDIATION, "ssm:PutParameter", RECORD, []),
        (None, DELETION, "ssm:DeleteParameter", RECORD, []),
        (None, ADMINISTRATION, "ssm:DeleteParameter", RECORD, []),
        (None, DEVELOPER, "ssm:GetParameter", RECORD, []),
        (None, DEVELOPER, "ssm:PutParameter", "parameter/app/access-key-rotation", []),
        *(
            ("Records", principal, f"ssm:{action}", USER_RECORD, [])
            for principal in (DEVELOPER, PIPELINE, "root")
            for action in ("PutParameter", "DeleteParameter")
        ),
        (None, ROTATION, "ssm:PutParameter", USER_RECORD, []),
        (None, ROTATION, "ssm:DeleteParameter", RECORD, []),
        # Roles: the product's, and those of both lists.
        ("Deployment", DEVELOPER, "iam:UpdateAssumeRolePolicy", ROTATION, []),
        ("Deployment", ROTATION, "iam:PutRolePolicy", ROTATION, []),
        ("Deployment", DEVELOPER, "iam:PutRolePolicy", "role/access-key-rotation-rotation-schedule", []),
        ("Deployment", DEVELOPER, "iam:DeleteRole", EVALUATION, []),
        ("Deployment", DEVELOPER, "iam:UpdateAssumeRolePolicy", REMEDIATION, []),
        ("Deployment", DEVELOPER, "iam:AttachRolePolicy", "role/access-key-rotation-function", []),
        ("Deployment", DEVELOPER, "iam:PutRolePermissionsBoundary", EVALUATION, []),
        ("Deployment", DEVELOPER, "iam:CreateRole", ADMINISTRATION, []),
        ("Deployment", DEVELOPER, "iam:CreateRole", PIPELINE, []),
        ("Deployment", DEVELOPER, "iam:CreateRole", CONTROL_TOWER, []),
        ("Deployment", DEVELOPER, "iam:CreateRole", "role/stacksets-exec-mine", []),
        ("Deployment", DEVELOPER, "iam:UpdateAssumeRolePolicy", STACKSETS, []),
        ("Deployment", DEVELOPER, "iam:UpdateAssumeRolePolicy", SELF_MANAGED, []),
        ("Deployment", REMEDIATION, "iam:PutRolePolicy", REMEDIATION, []),
        ("Deployment", LOOKALIKE, "iam:DeleteRole", EVALUATION, []),
        # People who exempt are no pipeline, not even for themselves.
        ("Deployment", ADMINISTRATION, "iam:DeleteRole", EVALUATION, []),
        ("Deployment", ADMINISTRATION, "iam:PutRolePolicy", ADMINISTRATION, []),
        ("Deployment", ADMINISTRATION, "ssm:UpdateDocument", RUNBOOK, []),
        ("Deployment", ADMINISTRATION, "config:DeleteConfigRule", PACK_RULE, []),
        *((None, role, "iam:CreateRole", EVALUATION, []) for role in PIPELINES),
        (None, PIPELINE, "iam:CreateRole", ADMINISTRATION, []),
        (None, DEVELOPER, "iam:GetRole", EVALUATION, []),
        (None, DEVELOPER, "iam:DeleteRole", "role/app", []),
        (None, DEVELOPER, "iam:CreateRole", LOOKALIKE, []),
        (None, DEVELOPER, "iam:CreateRole", ELSEWHERE, []),
        (None, DEVELOPER, "iam:DeletePolicy", LIMITS, []),
        # Runbooks.
        ("Deployment", DEVELOPER, "ssm:UpdateDocument", RUNBOOK, []),
        ("Deployment", DEVELOPER, "ssm:DeleteDocument", RUNBOOK, []),
        ("Deployment", DEVELOPER, "ssm:CreateDocument", RUNBOOK, []),
        ("Deployment", DEVELOPER, "ssm:UpdateDocumentDefaultVersion", RUNBOOK, []),
        ("Deployment", DEVELOPER, "ssm:ModifyDocumentPermission", RUNBOOK, []),
        ("Deployment", LOOKALIKE, "ssm:UpdateDocument", RUNBOOK, []),
        *((None, role, "ssm:UpdateDocument", RUNBOOK, []) for role in PIPELINES),
        (None, DEVELOPER, "ssm:StartAutomationExecution", RUNBOOK, []),
        (None, DEVELOPER, "ssm:UpdateDocument", "document/Patch", []),
        # Access keys, without AccessKeyPaths.
        (None, DEVELOPER, "iam:CreateAccessKey", USER, []),
        # The pack and its rule.
        ("Deployment", DEVELOPER, "config:DeleteConfigRule", PACK_RULE, []),
        ("Deployment", DEVELOPER, "config:PutConfigRule", PACK_RULE, []),
        ("Deployment", DEVELOPER, "config:DeleteEvaluationResults", PACK_RULE, []),
        ("Deployment", DEVELOPER, "config:DeleteConformancePack", PACK, []),
        ("Deployment", DEVELOPER, "config:PutConformancePack", PACK, []),
        ("Deployment", DEVELOPER, "config:DeleteRemediationConfiguration", PACK_REMEDIATION, []),
        ("Deployment", DEVELOPER, "config:PutRemediationConfigurations", PACK_REMEDIATION, []),
        ("Deployment", "root", "config:DeleteConfigRule", PACK_RULE, []),
        ("Deployment", DEVELOPER, "config:PutConformancePack", ACCOUNT_PACK, []),
        ("Deployment", LOOKALIKE, "config:DeleteConformancePack", PACK, []),
        *((None, role, "config:PutConformancePack", ACCOUNT_PACK, []) for role in PIPELINES),
        *((None, role, "config:DeleteConformancePack", PACK, []) for role in PIPELINES),
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
        ("Recorder", ADMINISTRATION, "config:StopConfigurationRecorder", RECORDER, []),
        *((None, role, "config:PutConfigurationRecorder", RECORDER, []) for role in PIPELINES),
        *((None, role, "config:PutDeliveryChannel", ANY, []) for role in PIPELINES),
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
        ("Deployment", DEVELOPER, "config:DeleteConfigRule", PACK_RULE, {"ProtectRecorder": "false"}),
        # IAM asks twice about a user who gets another path: as it is, and as it will be.
        ("MovedUsers", DEVELOPER, "iam:UpdateUser", "user/service-accounts/bank", PATHS),
        ("MovedUsers", PIPELINE, "iam:UpdateUser", "user/service-accounts/bank", PATHS),
        (None, ADMINISTRATION, "iam:UpdateUser", "user/service-accounts/bank", PATHS),
        (None, DEVELOPER, "iam:UpdateUser", "user/bank", PATHS),
        (None, DEVELOPER, "iam:UpdateUser", "user/service-accounts/bank", {}),
        *(
            ("Deployment", DEVELOPER, f"iam:{action}", LIMITS, BOUNDARY)
            for action in ("CreatePolicyVersion", "SetDefaultPolicyVersion", "DeletePolicy", "DeletePolicyVersion")
        ),
        ("Deployment", ADMINISTRATION, "iam:CreatePolicyVersion", LIMITS, BOUNDARY),
        *((None, role, "iam:CreatePolicyVersion", LIMITS, BOUNDARY) for role in PIPELINES),
        (None, DEVELOPER, "iam:CreatePolicyVersion", "policy/limits", BOUNDARY),
        (None, DEVELOPER, "iam:CreatePolicyVersion", "policy/security/limits-of-others", BOUNDARY),
        ("Recorder", PIPELINE, "config:StopConfigurationRecorder", RECORDER, SSO),
        (None, SSO_ADMINISTRATION, "config:StopConfigurationRecorder", RECORDER, SSO),
        (None, SSO_ADMINISTRATION, "config:DeleteConfigRule", PACK_RULE, SSO),
        (None, SSO_ADMINISTRATION, "iam:DeleteRole", EVALUATION, SSO),
        (None, SSO_ADMINISTRATION, "ssm:DeleteParameter", RECORD, SSO),
        ("Records", SSO_OTHER, "ssm:DeleteParameter", RECORD, SSO),
        ("Deployment", SSO_OTHER, "iam:DeleteRole", EVALUATION, SSO),
        ("Deployment", ADMINISTRATION, "iam:DeleteRole", EVALUATION, SSO),
        # A role of two lists may do what both may.
        (None, "role/ci/deploy", "iam:DeleteRole", EVALUATION, BOTH),
        ("Deployment", "role/deploy", "iam:DeleteRole", EVALUATION, BOTH),
        ("Deployment", "role/ci/deploy-other", "iam:DeleteRole", EVALUATION, BOTH),
        (None, "role/ci/deploy", "ssm:PutParameter", RECORD, BOTH),
        ("Records", ADMINISTRATION, "ssm:PutParameter", RECORD, BOTH),
        (None, "role/AWSAFTExecution", "iam:CreateRole", EVALUATION, AFT),
        (None, "role/AWSAFTService", "config:PutConfigurationRecorder", RECORDER, AFT),
    ],
)
def test_who_may_do_what_with_parameters(denied, principal, action, resource, parameters):
    assert denied_by(principal, action, resource, **parameters) == denied


def test_an_apply_of_infrastructure_as_code_works_on_a_user_that_a_runbook_changed():
    """What Terraform and CloudFormation call: the tag of the runbooks is not in their code, so they remove it."""
    for principal in (DEVELOPER, PIPELINE):
        assert denied_by(principal, "iam:UntagUser", USER, [LAST_CHANGE]) is None
        assert denied_by(principal, "iam:TagUser", USER, ["team", "owner"]) is None
        assert denied_by(principal, "iam:UpdateUser", USER) is None
        assert denied_by(principal, "iam:UpdateAccessKey", USER) is None
        # Nor does a pipeline that may deploy fail over the tags of rotation in its code.
        expected = None if principal == PIPELINE else "RotationTags"
        assert denied_by(principal, "iam:TagUser", USER, ["team", SECRET_TAG]) == expected
        # A tag of an exemption that is not in their code stays.
        assert denied_by(principal, "iam:UntagUser", USER, [LAST_CHANGE, UNTIL]) == "ExemptionTags"


@pytest.mark.parametrize("principal", [DEVELOPER, ADMINISTRATION, STACKSETS])
@pytest.mark.parametrize(
    "denied, role, passed_to",
    [
        ("PassRunbookRoles", REMEDIATION, "lambda.amazonaws.com"),
        ("PassRunbookRoles", DELETION, "ec2.amazonaws.com"),
        ("PassRunbookRoles", DELETION, None),
        (None, REMEDIATION, "ssm.amazonaws.com"),
        (None, DELETION, "ssm.amazonaws.com"),
        ("PassRunbookRoles", ROTATION, "lambda.amazonaws.com"),
        (None, ROTATION, "ssm.amazonaws.com"),
        (None, "role/access-key-rotation-rotation-schedule", "scheduler.amazonaws.com"),
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
    assert denied_by(DEVELOPER, "iam:DeleteRole", EVALUATION, partition=partition) == "Deployment"
    assert denied_by(DEVELOPER, "ssm:DeleteDocument", RUNBOOK, partition=partition) == "Deployment"
    assert denied_by(DEVELOPER, "config:DeleteConfigRule", PACK_RULE, partition=partition) == "Deployment"
    assert denied_by(DEVELOPER, "config:StopConfigurationRecorder", RECORDER, partition=partition) == "Recorder"
    assert denied_by(DEVELOPER, "iam:PassRole", EVALUATION, partition=partition) == "PassEvaluationRole"
    assert (
        denied_by(DEVELOPER, "iam:PassRole", DELETION, passed_to="ec2.amazonaws.com", partition=partition)
        == "PassRunbookRoles"
    )
    assert denied_by(DEVELOPER, "iam:PassRole", DELETION, passed_to="ssm.amazonaws.com", partition=partition) is None
    assert denied_by(PIPELINE, "config:StopConfigurationRecorder", RECORDER, partition=partition) is None
    assert denied_by(DEVELOPER, "ssm:PutParameter", RECORD, partition=partition) == "Records"
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
    assert len(roles) == 12 and len(runbooks) == 6
    for role in roles:
        arn = f"role/{role['RoleName']}"
        assert denied_by(DEVELOPER, "iam:DeleteRole", arn) == "Deployment"
        allowed = re.findall("iam:(?:Tag|Untag)User|ssm:(?:Put|Delete)Parameter", json.dumps(role["Policies"]))
        assert {denied_by(arn, action, USER, [LAST_CHANGE]) for action in allowed if "User" in action} <= {None}
        assert {denied_by(arn, action, USER, [UNTIL]) for action in allowed if "User" in action} <= {"ExemptionTags"}
        assert {denied_by(arn, action, USER, [SECRET_TAG]) for action in allowed if "User" in action} <= {
            "RotationTags"
        }
        assert bool(allowed) == (denied_by(arn, "ssm:PutParameter", RECORD) is None)
        # A role that a service gets can be passed to this service, and a role that none gets cannot be passed.
        [service] = re.findall(r'"Service": "([a-z.]+)"', json.dumps(role["AssumeRolePolicyDocument"])) or [None]
        assert denied_by(DEVELOPER, "iam:PassRole", arn, passed_to=service) == (
            None if service else "PassEvaluationRole"
        )
    for runbook in runbooks:
        assert denied_by(DEVELOPER, "ssm:UpdateDocument", f"document/{runbook['Name']}") == "Deployment"


def test_it_follows_the_roles_to_their_path():
    there = {"RolePath": "/security/"}
    assert (
        denied_by(DEVELOPER, "iam:PassRole", "role/security/access-key-rotation-evaluation", **there)
        == "PassEvaluationRole"
    )
    # What the policy protects without a path, it protects with one too.
    assert set(statements()["Deployment"]["Resource"]) <= set(statements(**there)["Deployment"]["Resource"])
    for role in ("remediation", "deletion", "rotation"):
        arn = f"role/security/access-key-rotation-{role}"
        assert denied_by(arn, "ssm:PutParameter", RECORD, **there) is None
        assert denied_by(arn, "ssm:PutParameter", RECORD) == "Records"
        passed = {"passed_to": "lambda.amazonaws.com", **there}
        assert denied_by(DEVELOPER, "iam:PassRole", arn, **passed) == "PassRunbookRoles"
    under_path = "role/security/access-key-rotation-automation-administration"
    for role in (under_path, "role/access-key-rotation-automation-execution"):
        assert (
            denied_by(DEVELOPER, "iam:PassRole", role, passed_to="lambda.amazonaws.com", **there) == "PassRunbookRoles"
        )
        assert denied_by(DEVELOPER, "iam:PassRole", role, passed_to="ssm.amazonaws.com", **there) is None
        assert denied_by(DEVELOPER, "iam:DeleteRole", role, **there) == "Deployment"
