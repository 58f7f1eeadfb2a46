//! The actions that the README tells to allow are those that are called, and no others.

use crate::support::*;
use local_aws::events;
use std::collections::BTreeSet;

#[tokio::test]
async fn the_documented_permissions_are_the_ones_that_are_used() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 20, 10, 20));
    for parameters in [&[][..], &[("keySource", "report"), ("deliver", "changes")][..]] {
        deployment.sweep(parameters).await;
    }
    let event = events::change(&mut deployment.aws.world(), MEMBER, RULE, "user-0000", &[]).unwrap();
    deployment.send(&event).await.0.unwrap();
    let used: BTreeSet<_> =
        deployment.aws.world().calls().iter().map(|call| format!("{}:{}", call.service, call.action)).collect();

    let readme = include_str!("../../README.md");
    let (_, rest) = readme.split_once("### Permissions").unwrap();
    let (section, _) = rest.split_once("\n### ").unwrap();
    let is_action = |word: &&str| ["iam:", "config:", "sts:"].iter().any(|service| word.starts_with(service));
    let documented: BTreeSet<_> = section.split('`').filter(is_action).map(str::to_owned).collect();
    assert_eq!(used, documented);
}
