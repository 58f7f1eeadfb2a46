//! The manual documents every field of JSON and every column of CSV, and no other: `rule/cli/src/output/fields.rs` has what it says.

use crate::{cli::Cli, reference::fields::OBJECTS, support::*};
use chrono::Utc;
use deployment::function_arn;
use local_aws::{FaultKind, KeyUses};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// The names that the manual has for an output, in order.
fn documented(output: &str) -> Vec<&'static str> {
    let objects = OBJECTS.iter().filter(|object| object.output == output);
    objects.flat_map(|object| object.fields).map(|(name, ..)| *name).collect()
}

/// The names of all fields, at any depth.
fn names(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            names.insert(name.clone());
            self::names(value, names);
        }),
        Value::Array(items) => items.iter().for_each(|item| self::names(item, names)),
        _ => {}
    }
}

fn names_of(output: &str) -> BTreeSet<String> {
    documented(output).into_iter().map(str::to_owned).collect()
}

fn assert_documented(output: &str, json: &str) {
    let mut found = BTreeSet::new();
    names(&serde_json::from_str(json).unwrap(), &mut found);
    assert_eq!(found, names_of(output), "{output}");
}

#[tokio::test]
async fn every_field_and_column_has_a_row_in_the_manual() {
    let cli = Cli::start().await;
    {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        for user in ["old", "exempt"] {
            account.create_user(user, Utc::now() - days(1000));
            let key = account.create_key(user, Utc::now() - days(200)).unwrap();
            account.set_parameter(&format!("/access-key-rotation/keys/{key}"), "anything");
            let id = account.user(user).unwrap().id.clone();
            account.set_parameter(&format!("/access-key-rotation/users/{id}"), "anything");
        }
        account.create_service_specific_credential("old", "codecommit.amazonaws.com", Utc::now(), None).unwrap();
    }
    // By a call that CloudTrail has.
    assert_eq!(cli.run(&["exempt", "exempt", "--until", &day(100), "--owner", "payments"]).await.0, Some(0));
    let directory = tempfile::tempdir().unwrap();
    let earlier = directory.path().join("earlier.json");
    let earlier = earlier.to_str().unwrap();
    cli.scan(&["--format", "json", "--output", earlier]).await;
    cli.deployment.aws.world().account(HUB).set_rule_function(RULE, &function_arn(HUB));
    let filter = names_of("filter of --format json");
    let filtered = |output: &str| &names_of(output) | &filter;
    let assert_filtered = |output: &str, json: &str| {
        let mut found = BTreeSet::new();
        names(&serde_json::from_str(json).unwrap(), &mut found);
        assert_eq!(found, filtered(output), "{output}");
    };
    let (_, out, _) = cli.scan(&["--since", earlier, "--min-age", "1", "--format", "json"]).await;
    assert_filtered("scan --format json", &out);

    // The manual does not repeat what the auditor's document has of a scan.
    let population = directory.path().join("population.csv");
    let arguments = ["--since", earlier, "--format", "json", "--population", population.to_str().unwrap()];
    let (_, out, _) = cli.run(&[&["evidence"], &arguments[..]].concat()).await;
    let header = fs::read_to_string(population).unwrap();
    let header: Vec<_> = header.lines().next().unwrap().split(',').collect();
    assert_eq!(header, documented("population.csv"));
    let mut found = BTreeSet::new();
    names(&serde_json::from_str(&out).unwrap(), &mut found);
    let of_the_scan = &names_of("scan --format json") | &names_of("exempt --list --format json");
    let of_the_scan = &of_the_scan - &BTreeSet::from(["filter".to_owned()]);
    // Mentioned with the parameters.
    assert!(found.remove("maxExemptionDays"));
    assert_eq!(found, &names_of("evidence --format json") | &of_the_scan);

    let user = {
        let mut world = cli.deployment.aws.world();
        let now = world.now();
        let account = world.account(HUB);
        let user = account.user("old").unwrap().clone();
        account.use_key(&user.keys[0].id, now - days(1), "eu-west-1", "s3");
        account.add_key_uses(KeyUses::once(&user.keys[0].id, now - days(1)));
        world.refuse_region("eu-west-1", "AccessDeniedException");
        user.name
    };
    let (_, out, _) = cli.run(&["where", "--min-age", "1", "--format", "json"]).await;
    assert_filtered("where --format json", &out);
    let (_, out, _) = cli.run(&["where", "--user", &user, "--format", "csv"]).await;
    let header: Vec<_> = out.lines().next().unwrap().split(',').collect();
    assert_eq!(header, documented("where --format csv"));

    let (_, out, _) = cli.run(&["plan", "--where", "--min-age", "1", "--format", "json"]).await;
    let mut found = BTreeSet::new();
    names(&serde_json::from_str(&out).unwrap(), &mut found);
    assert_eq!(found, &filtered("plan --format json") | &names_of("where --format json"));

    let (_, out, _) = cli.scan(&["--format", "csv"]).await;
    let header: Vec<_> = out.lines().next().unwrap().split(',').collect();
    assert_eq!(header, documented("scan --format csv"));

    let (_, out, _) = cli.run(&["exempt", "--list", "--format", "json"]).await;
    assert_documented("exempt --list --format json", &out);

    // What could not be read has an error besides.
    let (_, out, _) = cli.run(&["coverage", "--format", "json"]).await;
    let mut documented = names_of("coverage --format json");
    assert!(documented.remove("error"));
    let mut found = BTreeSet::new();
    names(&serde_json::from_str(&out).unwrap(), &mut found);
    assert_eq!(found, documented);

    cli.deployment.fault(Some("GetUser"), None, FaultKind::AccessDenied);
    let (_, out, _) =
        cli.run(&["doctor", "--account", MEMBER, "--role-name", EVALUATION_ROLE, "--format", "json"]).await;
    assert_documented("doctor --format json", &out);
}
