//! What the doctor says of accounts that the organization's conformance pack excludes.

use crate::{
    doctor::{ALL, Organization, PACK, check, problems},
    support::*,
};
use deployment::function_arn;
use local_aws::FaultKind;

/// Exit status, problems, and what is said of the member's pack and coverage.
async fn examined(organization: &Organization) -> (Option<i32>, String, [String; 2]) {
    let (status, lines) = organization.examine(ALL).await;
    let said = ["pack", "coverage"].map(|name| {
        let line = check(&lines, &format!("{MEMBER} {name} "));
        line.trim_start_matches(&format!("{MEMBER} {name} ")).to_owned()
    });
    (status, problems(&lines), said)
}

async fn with_an_exclusion() -> Organization {
    let organization = Organization::start().await;
    organization.aws.world().organization(HUB).exclude_from_pack(PACK, &function_arn(HUB), &[MEMBER]);
    organization
}

#[tokio::test]
async fn an_account_that_the_pack_excludes_needs_no_rule_and_may_have_one() {
    let organization = with_an_exclusion().await;
    let (status, problems, [pack, coverage]) = examined(&organization).await;
    assert_eq!((status, problems.as_str()), (Some(0), ""), "the rule is that of a unit's pack");
    assert_eq!(pack, format!("skipped: {RULE} excludes this account"));
    assert_eq!(coverage, "ok: AWS Config evaluated the rule in time");

    assert!(organization.aws.world().account(MEMBER).delete_rule(RULE));
    let (status, problems, [_, coverage]) = examined(&organization).await;
    assert_eq!((status, problems.as_str()), (Some(0), ""));
    assert!(coverage.starts_with("skipped: no rule ") && coverage.ends_with(", and the pack excludes the account"));
}

#[tokio::test]
async fn a_pack_that_is_leaving_an_account_is_waited_for() {
    for (deletion, expected, said) in [
        ("DELETE_IN_PROGRESS", 1, "unknown: DELETE_IN_PROGRESS | Run the doctor again in a few minutes."),
        ("DELETE_FAILED", 3, "failed: DELETE_FAILED | See "),
        ("DELETE_SUCCESSFUL", 0, "skipped: access-key-rotation excludes this account"),
    ] {
        let organization = with_an_exclusion().await;
        organization.aws.world().organization(HUB).set_pack(PACK, MEMBER, deletion, None);
        let (status, problems, [pack, _]) = examined(&organization).await;
        assert!(pack.starts_with(said), "{deletion}: {pack}");
        assert_eq!(status, Some(expected), "{deletion}: {problems}");
    }
}

#[tokio::test]
async fn an_account_without_pack_and_rule_is_neither_well_nor_wrong_if_the_exclusions_are_unknown() {
    let organization = with_an_exclusion().await;
    assert!(organization.aws.world().account(MEMBER).delete_rule(RULE));
    organization.fault(Some((HUB, "DescribeOrganizationConformancePacks")), FaultKind::AccessDenied);
    let (status, problems, said) = examined(&organization).await;
    assert_eq!(status, Some(1));
    assert!(problems.starts_with("pack exclusions unknown: ") && problems.lines().count() == 1, "{problems}");
    for said in said {
        assert!(said.starts_with("skipped: ") && said.ends_with(" the account is unknown"), "{said}");
    }
}
