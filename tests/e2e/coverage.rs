//! The check of coverage: which accounts AWS Config has not evaluated in time.

use crate::{cli::Cli, doctor::PACK_RULE, function::bootstrap, support::*};
use access_key_rotation::{
    aws::{account::Accounts, home::Home},
    coverage::check::{Check, Summary, check},
    error::Error,
};
use chrono::{DateTime, TimeDelta, Utc};
use deployment::{InProcess, function_arn, organize};
use local_aws::{
    Credentials, Fault, FaultKind, LocalAws, REGION, World, events,
    lambda::{Function, FunctionConfig},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

pub(crate) const COVERAGE_ROLE: &str = "access-key-rotation-coverage";

/// An organization of the hub and so many other accounts, evaluated an hour ago.
pub(crate) fn organization(world: &mut World, accounts: u64) -> (Credentials, Vec<String>) {
    let ids: Vec<_> = (0..accounts).map(|n| format!("{:012}", 200_000_000_000 + n)).collect();
    let named = std::iter::once(HUB).chain(ids.iter().map(String::as_str)).map(|id| (id, format!("name of {id}")));
    organize(world, HUB, &named.collect::<Vec<_>>(), &format!("arn:aws:iam::{HUB}:role/{COVERAGE_ROLE}"));
    let now = world.now();
    for id in ids.iter().map(String::as_str).chain([HUB]) {
        world.account(id).set_rule_evaluated(RULE, now - days(9), Some(now - TimeDelta::hours(1)));
    }
    (world.credentials(HUB, COVERAGE_ROLE), ids)
}

pub(crate) async fn accounts(aws: &LocalAws, credentials: &Credentials) -> Accounts {
    deployment::accounts(aws, credentials.clone()).await.unwrap()
}

pub(crate) fn check_of(aws: &LocalAws, excluded: &[&str]) -> Check {
    Check {
        home: Home::from_function_arn(&function_arn(HUB)).unwrap(),
        now: aws.world().now(),
        remaining: Duration::from_secs(300),
        rule_function_name: "access-key-rotation".to_owned(),
        excluded: excluded.iter().map(|id| (*id).to_owned()).collect(),
    }
}

#[tokio::test(start_paused = true)]
async fn each_open_account_is_evaluated_overdue_without_rule_or_unreachable() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 30);
    let now = world.now();
    // Overdue, and just in time.
    world.account(&ids[0]).set_rule_evaluated(
        RULE,
        now - days(9),
        Some(now - TimeDelta::hours(30) - TimeDelta::seconds(1)),
    );
    world.account(&ids[1]).set_rule_evaluated(RULE, now - days(9), Some(now - TimeDelta::hours(30)));
    // Never evaluated: for long, and since yesterday.
    world.account(&ids[2]).set_rule_evaluated(RULE, now - days(9), None);
    world.account(&ids[3]).set_rule_evaluated(RULE, now - days(1), None);
    world.account(&ids[4]).delete_rule(RULE);
    world.account(&ids[5]).set_rule_function(RULE, &function_arn(&ids[5]).replace("access-key-rotation", "another"));
    world.organization(HUB).add_account("300000000000", "no role", "ACTIVE");
    world.account(&ids[8]).delete_rule(RULE);
    world.organization(HUB).add_account(&ids[7], "closed", "CLOSED");
    let aws = LocalAws::in_memory(world);
    deny(&aws, Some(&ids[9]), "DescribeConfigRuleEvaluationStatus");
    let summary = check(&check_of(&aws, &[&ids[8]]), &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!(
        summary,
        Summary {
            expected: 30,
            excluded: 1,
            evaluated: 24,
            overdue: 2,
            unknown: 0,
            without_rule: 2,
            unreachable: 2,
            several_rules: 0
        }
    );
    assert_eq!(summary.not_covered(), 6);
}

pub(crate) fn deny(aws: &LocalAws, account: Option<&str>, action: &str) {
    aws.world().faults.add(Fault {
        account: account.map(str::to_owned),
        action: Some(action.to_owned()),
        user: None,
        kind: FaultKind::AccessDenied,
    });
}

#[tokio::test(start_paused = true)]
async fn an_empty_delivery_counts_as_an_evaluation() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 1);
    world.account(&ids[0]).set_rule_evaluated(RULE, today() - days(9), Some(today() - days(3)));
    let aws = LocalAws::in_memory(world);
    let accounts = accounts(&aws, &credentials).await;
    assert_eq!(check(&check_of(&aws, &[]), &accounts).await.unwrap().overdue, 1);
    let credentials = aws.world().credentials(HUB, FUNCTION_ROLE);
    let rule = InProcess::start(&aws, HUB, credentials).await.unwrap();
    aws.world().account(&ids[0]).add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{HUB}:role/{FUNCTION_ROLE}"));
    let event = events::scheduled(&mut aws.world(), &ids[0], RULE, &[]);
    rule.invoke(&event, today()).await.0.unwrap();
    assert_eq!(check(&check_of(&aws, &[]), &accounts).await.unwrap().overdue, 0);
}

#[tokio::test(start_paused = true)]
async fn accounts_without_any_status_are_unknown_and_no_alarm_is_always_on() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 2);
    for id in ids.iter().map(String::as_str).chain([HUB]) {
        world.account(id).hide_rule_status(RULE);
    }
    let aws = LocalAws::in_memory(world);
    let accounts = accounts(&aws, &credentials).await;
    let summary = check(&check_of(&aws, &[]), &accounts).await.unwrap();
    assert_eq!((summary.expected, summary.evaluated, summary.unknown, summary.not_covered()), (3, 0, 3, 0));
    // Where AWS Config gives the status of one account, it could give that of the others.
    aws.world().account(HUB).set_rule_evaluated(RULE, today() - days(9), Some(today()));
    let summary = check(&check_of(&aws, &[]), &accounts).await.unwrap();
    assert_eq!((summary.evaluated, summary.unknown, summary.not_covered()), (1, 2, 2));
}

#[tokio::test(start_paused = true)]
async fn the_check_says_nothing_of_coverage_without_the_list_of_accounts() {
    let mut world = World::new(today());
    let (credentials, _) = organization(&mut world, 3);
    let aws = LocalAws::in_memory(world);
    deny(&aws, None, "ListAccounts");
    let error = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap_err();
    assert!(matches!(&error, Error::AccessDenied(text) if text.contains("delegated administrators")), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_accounts_is_no_organization_without_accounts() {
    for (body, expected) in [
        ("{}", "no list of accounts"),
        (r#"{"Accounts":[]}"#, "a list without account 111122223333, which asks"),
        (r#"{"Accounts":[{"Id":"200000000000","State":"ACTIVE"}]}"#, "a list without account 111122223333, which asks"),
        (r#"{"Accounts":[{"State":"ACTIVE"}]}"#, "an account without id"),
        ("", "unexpected answer"),
    ] {
        let mut world = World::new(today());
        let (credentials, _) = organization(&mut world, 3);
        let aws = LocalAws::in_memory(world);
        let kind = FaultKind::Intercepted(body);
        aws.world().faults.add(Fault { account: None, action: Some("ListAccounts".to_owned()), user: None, kind });
        let error = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap_err();
        assert!(matches!(&error, Error::AwsError(text) if text.contains(expected)), "{body}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_check_says_nothing_of_coverage_if_no_account_is_left() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 1);
    let aws = LocalAws::in_memory(world);
    let error = check(&check_of(&aws, &[&ids[0], HUB]), &accounts(&aws, &credentials).await).await.unwrap_err();
    assert!(
        matches!(&error, Error::AwsError(text) if text.contains("all 2 accounts are excluded or not open")),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_account_is_left_out_only_if_its_state_says_so() {
    for has_status in [false, true] {
        let mut world = World::new(today());
        let (credentials, ids) = organization(&mut world, 6);
        let organization = world.organization(HUB);
        let states = ["PENDING_ACTIVATION", "PENDING_CLOSURE", "SUSPENDED", "CLOSED", "STATE_OF_LATER"];
        for (id, state) in ids.iter().zip(states) {
            organization.add_account(id, state, state);
        }
        if has_status {
            organization.answer_with_status();
        }
        let aws = LocalAws::in_memory(world);
        let summary = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap();
        // `Status` had no word for an account that is not activated yet.
        let expected = if has_status { 4 } else { 3 };
        assert_eq!((summary.expected, summary.evaluated), (expected, expected));
    }
}

#[tokio::test(start_paused = true)]
async fn a_function_of_the_same_name_in_another_account_or_region_is_not_the_rules() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 4);
    let ours = function_arn(HUB);
    world.account(&ids[0]).set_rule_function(RULE, &function_arn(&ids[0]));
    world.account(&ids[1]).set_rule_function(RULE, &ours.replace(REGION, "ap-south-1"));
    world.account(&ids[2]).set_rule_function(RULE, &ours.replace("arn:aws:", "arn:aws-cn:"));
    world.account(&ids[3]).set_rule_function(RULE, &format!("{ours}:live"));
    let aws = LocalAws::in_memory(world);
    let summary = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!((summary.expected, summary.evaluated, summary.without_rule), (5, 2, 3));
}

#[tokio::test(start_paused = true)]
async fn an_account_with_the_rules_of_two_packs_is_covered_and_counted() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 3);
    let now = world.now();
    world.account(&ids[0]).set_rule_function(PACK_RULE, &function_arn(HUB));
    // Neither was evaluated for long.
    world.account(&ids[1]).set_rule_function(PACK_RULE, &function_arn(HUB));
    for rule in [RULE, PACK_RULE] {
        world.account(&ids[1]).set_rule_evaluated(rule, now - days(9), Some(now - days(3)));
    }
    world.account(&ids[2]).set_rule_function("another", &format!("{}-other", function_arn(HUB)));
    let aws = LocalAws::in_memory(world);
    let summary = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!((summary.evaluated, summary.overdue, summary.several_rules, summary.not_covered()), (3, 1, 2, 1));
}

/// The accounts that a check reads if AWS Config stops to answer after sixteen of them, which are read at a time.
async fn reached(aws: &LocalAws, credentials: &Credentials, now: DateTime<Utc>) -> BTreeSet<String> {
    {
        let mut world = aws.world();
        world.clear_calls();
        world.faults.clear();
        let action = Some("DescribeConfigRules".to_owned());
        let kind = FaultKind::SilentAfterCalls(16);
        world.faults.add(Fault { account: None, action, user: None, kind });
    }
    let check_of = Check { now, remaining: Duration::from_secs(9), ..check_of(aws, &[]) };
    let summary = check(&check_of, &accounts(aws, credentials).await).await.unwrap();
    assert_eq!((summary.expected, summary.unreachable), (41, 25));
    let calls = aws.world().calls().to_vec();
    let read = calls.into_iter().filter(|call| call.action == "DescribeConfigRuleEvaluationStatus");
    read.map(|call| call.account).collect()
}

#[tokio::test(start_paused = true)]
async fn an_account_that_one_check_does_not_reach_is_read_first_by_the_next() {
    let mut world = World::new(today());
    let (credentials, _) = organization(&mut world, 40);
    let now = world.now();
    let aws = LocalAws::in_memory(world);
    let first = reached(&aws, &credentials, now).await;
    let next = reached(&aws, &credentials, now + TimeDelta::hours(12)).await;
    assert_eq!((first.len(), next.len()), (16, 16));
    assert_eq!(first.intersection(&next).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_account_takes_as_many_calls_as_its_rules_take_pages() {
    let mut world = World::new(today());
    let (credentials, ids) = organization(&mut world, 4);
    for id in ids.iter().map(String::as_str).chain([HUB]) {
        for n in 1..400 {
            world.account(id).set_rule_function(&format!("other-{n}"), &format!("{}-other", function_arn(HUB)));
        }
    }
    let aws = LocalAws::in_memory(world);
    let summary = check(&check_of(&aws, &[]), &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!(summary.evaluated, 5);
    // The accounts and the packs; a role for each other account; 400 rules on 16 pages and one status for each account.
    assert_eq!(aws.world().calls().len(), 2 + 4 + 5 * (16 + 1));
}

#[tokio::test(start_paused = true)]
async fn accounts_that_are_not_reached_in_time_are_not_covered() {
    let mut world = World::new(today());
    let (credentials, _) = organization(&mut world, 40);
    let aws = LocalAws::in_memory(world);
    let slow = FaultKind::Latency(Duration::from_secs(3));
    aws.world().faults.add(Fault {
        account: None,
        action: Some("DescribeConfigRules".to_owned()),
        user: None,
        kind: slow,
    });
    let check_of = Check { remaining: Duration::from_secs(6), ..check_of(&aws, &[]) };
    let summary = check(&check_of, &accounts(&aws, &credentials).await).await.unwrap();
    assert_eq!(summary.expected, 41);
    assert!(summary.unreachable > 0 && summary.evaluated + summary.unreachable == 41, "{summary:?}");
}

#[tokio::test]
async fn the_function_checks_a_thousand_accounts_in_its_memory_and_names_those_that_are_not_covered() {
    let mut world = World::live_clock();
    let (credentials, ids) = organization(&mut world, 1000);
    for id in &ids[..120] {
        world.account(id).delete_rule(RULE);
    }
    world.account(&ids[500]).set_rule_function(PACK_RULE, &function_arn(HUB));
    let aws = LocalAws::start(world).await.unwrap();
    let Credentials { access_key_id, secret_access_key, session_token } = credentials;
    let env = [
        ("AWS_ENDPOINT_URL", aws.endpoint()),
        ("AWS_ACCESS_KEY_ID", access_key_id),
        ("AWS_SECRET_ACCESS_KEY", secret_access_key),
        ("AWS_SESSION_TOKEN", session_token.unwrap_or_default()),
        ("EVALUATION_ROLE_NAME", EVALUATION_ROLE.to_owned()),
        ("RULE_FUNCTION_NAME", "access-key-rotation".to_owned()),
        ("EXCLUDED_ACCOUNTS", format!("{}, {}", ids[998], ids[999])),
        ("_HANDLER", "coverage".to_owned()),
    ];
    let config = FunctionConfig {
        binary: bootstrap(),
        arn: function_arn(HUB).replace("access-key-rotation", "access-key-rotation-coverage"),
        timeout: Duration::from_secs(300),
        env: env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    };
    let function = Function::start(config).await.unwrap();
    function.invoke(json!({}).to_string().as_bytes()).await.unwrap();
    let logs = function.logs();
    let lines: Vec<Value> = logs.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let metrics = lines.iter().find(|line| line["AccountsExpected"] == 999).unwrap_or_else(|| panic!("{logs}"));
    for (name, expected) in [
        ("Excluded", 2),
        ("Evaluated", 879),
        ("Overdue", 0),
        ("WithoutRule", 120),
        ("Unreachable", 0),
        ("NotCovered", 120),
        ("WithSeveralRules", 1),
    ] {
        assert_eq!(metrics[format!("Accounts{name}")], expected, "{metrics}");
    }
    assert_eq!(metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"], "AccessKeyRotation");
    let named: Vec<_> = lines.iter().filter(|line| line["message"] == "account not covered").collect();
    assert_eq!(named.len(), 100, "bounded");
    assert_eq!((&named[0]["account"], &named[0]["state"]), (&json!(ids[0]), &json!("NoRule")));
    assert!(lines.iter().any(|line| line["more"] == 20), "{logs}");
    let several = lines.iter().find(|line| line["message"] == "account with several rules").unwrap();
    let why = format!("2 rules invoke the function: {RULE}, {PACK_RULE}");
    assert_eq!((&several["account"], &several["why"]), (&json!(ids[500]), &json!(why)));
    // Half of what a function of 128 MB has.
    let memory = function.peak_resident_bytes().unwrap();
    assert!(memory < 64 * 1024 * 1024, "{memory} bytes");
}

#[tokio::test]
async fn the_command_line_shows_each_accounts_last_evaluation_and_users() {
    let mut world = World::live_clock();
    let (credentials, ids) = organization(&mut world, 4);
    let now = world.now();
    let (overdue, bare, unread) = (&ids[0], &ids[1], &ids[2]);
    world.account(&ids[3]).set_rule_function(PACK_RULE, &function_arn(HUB));
    world.account(overdue).set_rule_evaluated(RULE, now - days(40), Some(now - days(2)));
    world.account(bare).delete_rule(RULE);
    let account = world.account(HUB);
    for (user, age) in [("old", 200), ("exempt", 200), ("young", 10)] {
        account.create_user(user, now - days(1000));
        account.create_key(user, now - days(age)).unwrap();
    }
    account.tag_user("exempt", "access-key-rotation:exempt-until", &(now + days(9)).date_naive().to_string());
    account.tag_user("exempt", "access-key-rotation:exempt-owner", "payments");
    let cli = Cli { deployment: Deployment::serve_in(world).await, credentials };
    let event = events::scheduled(&mut cli.deployment.aws.world(), HUB, RULE, &[]);
    cli.deployment.send(&event).await.0.unwrap();
    cli.deployment.aws.world().account(HUB).create_user("new", now);

    let (status, out, error) = cli.run(&["coverage", "--organization", "--format", "json"]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    let report: Value = serde_json::from_str(&out).unwrap();
    let of = |id: &str| report["accounts"].as_array().unwrap().iter().find(|account| account["account"] == id).unwrap();
    let states = ids.iter().map(|id| of(id)["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["overdue", "noRule", "evaluated", "evaluated"]);
    let hub = of(HUB);
    let counts =
        ["users", "usersNonCompliant", "usersExempt", "usersUnknown"].map(|field| hub[field].as_u64().unwrap());
    assert_eq!((hub["state"].as_str(), counts), (Some("evaluated"), [4, 1, 1, 1]));
    assert_eq!(of(unread)["users"], 0, "an account without users is covered");
    assert!(of(overdue)["why"].as_str().unwrap().starts_with("last evaluated on "), "{report}");

    deny(&cli.deployment.aws, Some(unread), "DescribeConfigRules");
    let (status, out, error) = cli.run(&["coverage", "--organization"]).await;
    assert_eq!(status, Some(1));
    assert!(
        error.contains(&format!("account {unread}: The role ")) && error.contains("DescribeConfigRules"),
        "{error}"
    );
    let summary = "2 of 5 accounts covered\n1 account has several rules, so AWS Config reports everything twice\n";
    assert!(out.ends_with(summary), "{out}");
    assert!(out.contains(&format!("  2 rules invoke the function: {RULE}, {PACK_RULE}\n")), "{out}");
    let first = out.lines().nth(1).unwrap();
    let row = format!("{overdue}  name of {overdue}  overdue      ");
    assert!(first.starts_with(&row), "what needs attention comes first: {out}");
    let header = out.lines().next().unwrap();
    assert_eq!(header.find("State"), first.find("overdue"), "{out}");
    let (_, why) = first.split_at(header.find("Why").unwrap());
    assert!(why.starts_with("last evaluated on "), "{out}");

    // Without AWS Organizations, nobody knows names.
    let (status, out, _) = cli.run(&["coverage", "--account", HUB]).await;
    assert_eq!(status, Some(0), "{out}");
    assert!(out.starts_with("Account       State        Last evaluated  "), "{out}");

    // The auditor's document shows the same beside what it found. An account whose coverage cannot be read is incomplete.
    let evidence = ["evidence", "--organization", "--calls-per-second", "1000"];
    let (status, page, error) = cli.run(&evidence).await;
    assert_eq!(status, Some(1));
    assert!(error.contains(&format!("account {unread}: ")), "{error}");
    for said in [
        "Evaluated by AWS Config",
        "<span class=\"mark alert\">overdue</span>",
        "<span class=\"mark alert\">no rule</span>",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let (_, out, _) = cli.run(&["evidence", "--account", &ids[3], "--format", "json"]).await;
    let evidence: Value = serde_json::from_str(&out).unwrap();
    let coverage = &evidence["accounts"][0]["coverage"];
    assert_eq!((&coverage["state"], &coverage["rule"]), (&json!("evaluated"), &json!(RULE)));
    assert!(coverage["lastEvaluated"].is_string() && coverage["why"].is_null(), "{coverage}");
}
