//! What may not be read, and what is said of it.

use crate::{
    doctor::{Organization, problems},
    support::*,
    transcript::Transcript,
};
use local_aws::{Fault, FaultKind};

#[tokio::test]
async fn each_permission_that_the_role_lacks_is_named_and_what_depends_on_it_is_skipped() {
    let mut transcript = Transcript::default();
    for (action, skipped) in [
        ("iam:ListUsers", 4),
        ("iam:ListAccessKeys", 1),
        ("iam:GetUser", 0),
        ("iam:GetAccessKeyLastUsed", 0),
        ("iam:GetAccountSummary", 0),
        ("iam:ListServiceSpecificCredentials", 0),
        ("iam:ListEntitiesForPolicy", 0),
        ("iam:ListAttachedUserPolicies", 0),
        ("config:GetComplianceDetailsByConfigRule", 0),
        ("config:PutEvaluations", 0),
    ] {
        let organization = Organization::start().await;
        organization.fault(Some((MEMBER, action.split_once(':').unwrap().1)), FaultKind::AccessDenied);
        let (status, lines) = organization.examine(&["--account", MEMBER]).await;
        transcript.add(action, &problems(&lines), "");
        assert_eq!(lines.iter().filter(|line| line.contains(" skipped: ")).count(), skipped, "{lines:#?}");
        assert_eq!(status, Some(3));
    }
    insta::assert_snapshot!(transcript);
    // A policy that shields one user is not about the role.
    let organization = Organization::start().await;
    for action in ["ListAccessKeys", "GetUser", "ListAttachedUserPolicies"] {
        let (action, user) = (Some(action.to_owned()), Some("user-0000".to_owned()));
        organization.aws.world().faults.add(Fault { account: None, action, user, kind: FaultKind::AccessDenied });
    }
    assert_eq!(organization.examine(&["--account", MEMBER]).await.0, Some(0));
    {
        let mut world = organization.aws.world();
        let account = world.account(MEMBER);
        let names: Vec<_> = account.users().map(|user| user.name.clone()).collect();
        names.iter().for_each(|name| assert!(account.delete_user(name)));
    }
    let (status, lines) = organization.examine(&["--account", MEMBER]).await;
    assert_eq!(
        (status, lines.iter().filter(|line| line.contains(" skipped: no user to test it on")).count()),
        (Some(0), 4)
    );
}

#[tokio::test]
async fn a_check_that_the_doctor_may_not_make_is_unknown_and_says_what_to_allow() {
    let mut transcript = Transcript::default();
    for (account, action) in [
        (MEMBER, "config:DescribeConfigurationRecorders"),
        (MEMBER, "config:DescribeConfigurationRecorderStatus"),
        (MEMBER, "config:DescribeConfigRules"),
        (MEMBER, "config:DescribeConfigRuleEvaluationStatus"),
        (MEMBER, "config:DescribeRemediationExceptions"),
        (MEMBER, "ssm:DescribeDocument"),
        (MEMBER, "ssm:GetServiceSetting"),
        (HUB, "lambda:GetFunctionConfiguration"),
        (HUB, "lambda:GetPolicy"),
        (HUB, "lambda:GetFunctionConcurrency"),
        (HUB, "config:DescribeOrganizationConformancePackStatuses"),
        (HUB, "config:GetOrganizationConformancePackDetailedStatus"),
        (HUB, "config:DescribeOrganizationConformancePacks"),
    ] {
        let organization = Organization::start().await;
        organization.fault(Some((account, action.split_once(':').unwrap().1)), FaultKind::AccessDenied);
        let (status, lines) = organization.examine(&["--account", MEMBER]).await;
        assert_eq!(status, Some(1), "{action}");
        transcript.add(format!("{action} in {account}"), &problems(&lines), "");
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn a_role_that_cannot_be_assumed_costs_no_other_account_its_checks() {
    let organization = Organization::start().await;
    let stranger = "123456789012";
    organization.aws.world().account(stranger).add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/other"));
    let missing = "210987654321";
    let accounts = ["--account", MEMBER, stranger, missing];
    let (status, lines) = organization.examine(&[&accounts[..], &["--before-rollout"]].concat()).await;
    let mut transcript = Transcript::default();
    transcript.add("doctor --before-rollout, and two of three roles cannot be assumed", &problems(&lines), "");
    assert_eq!(status, Some(3));
    assert!(lines.iter().any(|line| line.starts_with(&format!("{MEMBER} recorder ok"))), "{lines:?}");
    assert!(
        lines
            .iter()
            .all(|line| !["runbooks", "permissions", "invocable", "pack"].iter().any(|word| line.contains(word)))
    );

    let (_, lines) = organization.examine(&["--account", missing]).await;
    transcript.add("doctor, and the role cannot be assumed", &problems(&lines), "");
    organization.fault(Some((HUB, "AssumeRole")), FaultKind::ServerError { probability: 1.0 });
    let (status, lines) = organization.examine(&["--account", MEMBER, "--before-rollout"]).await;
    assert_eq!(status, Some(1));
    transcript.add("doctor --before-rollout, and STS answers with an error", &problems(&lines), "");
    insta::assert_snapshot!(transcript);
}
