//! What the function is allowed to do, and what for. The templates allow it, and the manual says so.

/// Each action that the templates allow the function, the coverage check or the evaluation role, with its purpose. Tests compare it
/// with the templates, and the templates with the calls that are made.
pub const PURPOSES: [(&str, &str); 30] = [
    ("iam:ListUsers", "the users"),
    ("iam:ListAccessKeys", "keys and their age"),
    (
        "iam:GetUser",
        "the id and the exemption tags of a user with a stale key, or whom somebody changed; the tags of a user who gets a notice",
    ),
    ("iam:GetAccessKeyLastUsed", "the annotation of a violation"),
    ("iam:ListEntitiesForPolicy", "the users whom AWS has quarantined, since it found a key of theirs in public"),
    ("iam:ListAttachedUserPolicies", "the same after a change of a user, if AWS Config's event does not say"),
    ("config:PutEvaluations", "the results"),
    (
        "config:GetComplianceDetailsByConfigRule",
        "what earlier sweeps proved, results of deleted users, and `deliver=changes`",
    ),
    ("config:GetComplianceDetailsByResource", "after a change of a user who may get a notice: which notices were sent"),
    ("config:DescribeConfigRules", "coverage: the rules that invoke the function, and their frequency"),
    ("config:DescribeConfigRuleEvaluationStatus", "coverage: the time of the last successful evaluation"),
    ("sts:AssumeRole", "to get the evaluation role in the other accounts of the organization"),
    ("organizations:ListAccounts", "coverage: the accounts of the organization"),
    ("config:DescribeOrganizationConformancePacks", "coverage: the accounts that the pack excludes"),
    ("events:PutEvents", "[notices](../templates/NOTICES.md)"),
    ("logs:CreateLogStream", "Lambda's log"),
    ("logs:PutLogEvents", "Lambda's log"),
    ("sqs:SendMessage", "Lambda's queue of failed events"),
    ("kms:Decrypt", "the queue, if your key encrypts it"),
    ("kms:GenerateDataKey", "the queue, if your key encrypts it"),
    ("config:DescribeConfigurationRecorders", "the [doctor](cli/CHECKS.md#doctor)"),
    ("config:DescribeConfigurationRecorderStatus", "the doctor"),
    ("config:DescribeRemediationExceptions", "the doctor"),
    ("ssm:DescribeDocument", "the doctor"),
    (
        "ssm:GetParametersByPath",
        "`scan`, `plan`, `evidence` and the doctor: the runbooks' records of keys and of rotations",
    ),
    ("ssm:GetServiceSetting", "the doctor"),
    ("iam:GetAccountSummary", "`scan`, `evidence` and the doctor: whether the root user has access keys"),
    ("iam:ListServiceSpecificCredentials", "`scan`, `evidence` and the doctor: service-specific credentials"),
    (
        "cloudtrail:LookupEvents",
        "[`where`](cli/README.md#where), `plan --where` and the doctor: who uses a key; `evidence`: who set an exemption",
    ),
    ("account:ListRegions", "the same: the Regions in which somebody may have used it"),
];
