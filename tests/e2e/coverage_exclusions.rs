//! Coverage and the accounts that the organization's conformance pack excludes.

use crate::{
    cli::Cli,
    coverage::{COVERAGE_ROLE, accounts, check_of, deny, organization},
    support::*,
};
use access_key_rotation::{
    coverage::check::{Summary, check},
    error::Error,
};
use chrono::TimeDelta;
use deployment::function_arn;
use local_aws::{Fault, FaultKind, LocalAws, REGION, World};
use serde_json::{Value, json};

const PACK: (&str, &str, &str) = (HUB, REGION, "the-teams-name");
const ACTION: &str = "DescribeOrganizationConformancePacks";

#[tokio::test(start_paused = true)]
async fn an_account_that_the_pack_excludes_is_left_out_unless_it_has_a_rule_or_cannot_be_read() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 6);
    let now = world.now();
    let [bare, of_a_unit, overdue, unread, forgotten, others] = &ids[..] else { panic!() };
    for id in [bare, forgotten, others] {
        world.account(id).delete_rule(RULE);
    }
    world.account(overdue).set_rule_evaluated(RULE, now - days(9), Some(now - TimeDelta::hours(31)));
    let excluded = [bare, of_a_unit, overdue, unread].map(String::as_str);
    world.organization(HUB).exclude_from_pack(PACK, &function_arn(HUB), &excluded);
    // Another pack of the organization, whose rule is not about access keys.
    let other = (HUB, REGION, "another");
    world.organization(HUB).exclude_from_pack(other, &function_arn(HUB).replace("access-key-rotation", "b"), &[others]);
    let aws = LocalAws::in_memory(world);
    deny(&aws, Some(unread), "DescribeConfigRules");
    let summary = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!(
        summary,
        Summary {
            expected: 6,
            excluded: 1,
            evaluated: 2,
            overdue: 1,
            unknown: 0,
            without_rule: 2,
            unreachable: 1,
            several_rules: 0
        }
    );
    // An account without a role, which nobody can read.
    let summary = check(&check_of(&aws, &[unread]), &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!((summary.expected, summary.excluded, summary.unreachable), (5, 2, 0));
}

#[tokio::test(start_paused = true)]
async fn the_check_says_nothing_of_coverage_without_the_exclusions() {
    for (kind, expected) in [
        (FaultKind::AccessDenied, "may not call config:DescribeOrganizationConformancePacks in account 111122223333"),
        (FaultKind::ServerError { probability: 1.0 }, "config:DescribeOrganizationConformancePacks: "),
        (FaultKind::RepeatedMarker, "the listing has no end"),
        (FaultKind::Intercepted("<html>"), "config:DescribeOrganizationConformancePacks: "),
    ] {
        let mut world = World::new(today());
        let (credentials, ids) = organization(&mut world, 3);
        for n in 0..101 {
            let pack = (HUB, REGION, &*format!("pack-{n:03}"));
            world.organization(HUB).exclude_from_pack(pack, &function_arn(HUB), &[&ids[0]]);
        }
        let aws = LocalAws::in_memory(world);
        let accounts = accounts(&aws, &credentials).await;
        assert_eq!(check(&check_of(&aws, &[]), &accounts).await.unwrap().expected, 4);
        aws.world().faults.add(Fault { account: None, action: Some(ACTION.to_owned()), user: None, kind });
        let error = check(&check_of(&aws, &[]), &accounts).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{expected}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_that_may_not_ask_for_the_packs_says_which_step_is_missing() {
    let mut world = World::new(today());
    let credentials = world.credentials(HUB, COVERAGE_ROLE);
    let aws = LocalAws::in_memory(world);
    let kind = FaultKind::Intercepted(r#"{"Accounts":[{"Id":"111122223333","State":"ACTIVE"}]}"#);
    aws.world().faults.add(Fault { account: None, action: Some("ListAccounts".to_owned()), user: None, kind });
    let error = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap_err();
    let expected = [ACTION, "OrganizationAccessDeniedException", "templates/README.md, step 1"];
    assert!(matches!(&error, Error::AccessDenied(text) if expected.iter().all(|part| text.contains(part))), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_organization_in_which_every_account_is_excluded_is_not_covered() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 1);
    let all = [HUB, &ids[0]];
    for id in all {
        world.account(id).delete_rule(RULE);
    }
    world.organization(HUB).exclude_from_pack(PACK, &function_arn(HUB), &all);
    let aws = LocalAws::in_memory(world);
    let error = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap_err();
    assert!(matches!(&error, Error::AwsError(text) if text.contains("all 2 accounts are excluded")), "{error}");
}

#[tokio::test]
async fn the_command_line_leaves_out_what_the_pack_excludes_unless_the_account_is_named() {
    let mut world = World::live_clock();
    let (credentials, ids) = organization(&mut world, 2);
    let [bare, of_a_unit] = &ids[..] else { panic!() };
    world.account(bare).delete_rule(RULE);
    world.organization(HUB).exclude_from_pack(PACK, &function_arn(HUB), &[bare, of_a_unit]);
    let cli = Cli { deployment: Deployment::serve_in(world).await, credentials };
    let (status, out, error) = cli.run(&["coverage", "--organization"]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
    let left_out = format!("2 of 2 accounts covered\n1 account left out: {bare} (name of {bare}) excluded\n");
    assert!(out.ends_with(&left_out), "{out}");
    let (status, out, _) = cli.run(&["coverage", "--account", bare]).await;
    assert!(status == Some(3) && out.contains("  no rule  "), "{out}");

    deny(&cli.deployment.aws, None, ACTION);
    let (status, out, error) = cli.run(&["coverage", "--organization", "--format", "json"]).await;
    assert_eq!(status, Some(1), "{error}");
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["leftOut"], json!([]));
    let of = |id: &str| report["accounts"].as_array().unwrap().iter().find(|account| account["account"] == id).unwrap();
    assert_eq!([&of(of_a_unit)["state"], &of(bare)["state"]], ["evaluated", "unknown"]);
    let why = of(bare)["why"].as_str().unwrap();
    assert!(why.contains("whether the pack excludes the account is unknown: ") && why.contains(ACTION), "{why}");
    assert!(error.contains(why), "{error}");
}
