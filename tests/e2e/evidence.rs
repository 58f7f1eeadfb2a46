//! `evidence`: the auditor's document, as a page and as data.

use crate::{
    cli::Cli,
    deployed::REPOSITORY,
    html::{browse, shown, user},
    support::*,
    transcript::Transcript,
};
use chrono::TimeDelta;
use deployment::{function_arn, organize};
use local_aws::{FaultKind, KeyStatus, World};
use policy::exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, path::Path};
use tokio::process::Command;

pub(crate) const EXCLUDED: &str = "200000000001";
const CLOSED: &str = "200000000002";
pub(crate) const NO_ROLE: &str = "200000000003";

/// Three accounts of which one is not covered, and one each that is excluded and closed.
pub(crate) async fn organization() -> Cli {
    let mut world = World::live_clock();
    let accounts = [(HUB, "security"), (MEMBER, "payments"), (OTHER_MEMBER, "research"), (EXCLUDED, "sandbox")];
    let named = accounts.map(|(id, name)| (id, name.to_owned()));
    organize(&mut world, HUB, &named, &format!("arn:aws:iam::{HUB}:role/{FUNCTION_ROLE}"));
    world.organization(HUB).add_account(CLOSED, "old", "CLOSED");
    let cli = Cli::start_in(world).await;
    {
        let mut world = cli.deployment.aws.world();
        let now = world.now();
        for id in [HUB, MEMBER] {
            world.account(id).set_rule_evaluated(RULE, now - days(9), Some(now - TimeDelta::hours(1)));
        }
        world.account(OTHER_MEMBER).delete_rule(RULE);
    }
    cli
}

/// Violations, exemptions and a key due soon. Returns the id of the oldest key.
pub(crate) fn fill(cli: &Cli) -> String {
    let mut world = cli.deployment.aws.world();
    let hub = world.account(HUB);
    let payments =
        user(hub, "payments", 400, &[("environment", "production"), ("owner", "\u{5d0}\u{5d1} \u{202e}\u{7f}\"\\")]);
    hub.use_key(&payments, midnight() - days(3), "eu-west-1", "s3");
    let (near, far) = (day(5), day(200));
    user(hub, "reports", 300, &[(EXEMPT_UNTIL, &far), (EXEMPT_OWNER, "platform"), (EXEMPT_REASON, "vendor")]);
    user(hub, "expired", 200, &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "platform")]);
    let member = world.account(MEMBER);
    let spare = user(member, "zulu", 100, &[(EXEMPT_UNTIL, &near), (EXEMPT_OWNER, "web")]);
    member.tag_user("zulu", EXEMPT_KEY, &spare);
    // Its key is young: only the tags tell of the exemption.
    user(member, "alpha", 3, &[(EXEMPT_UNTIL, &day(90)), (EXEMPT_OWNER, "web")]);
    user(member, "mailer", 80, &[]);
    let off = user(member, "off", 500, &[]);
    member.set_key_status("off", &off, KeyStatus::Inactive);
    payments
}

pub(crate) fn parsed(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The hash of the data, by the command in the manual.
pub(crate) async fn recomputed(directory: &Path) -> String {
    let manual = include_str!("../../rule/cli/EVIDENCE.md");
    let command = manual.lines().find_map(|line| line.strip_prefix("$ jq -cS ")).unwrap();
    let output = Command::new("bash").arg("-c").arg(format!("jq -cS {command}")).current_dir(directory).output();
    let output = output.await.unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
}

impl Cli {
    pub(crate) async fn evidence(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        self.run(&[&["evidence", "--calls-per-second", "1000"], arguments].concat()).await
    }
}

#[tokio::test]
async fn the_page_and_the_data_answer_the_same_and_the_hash_can_be_recomputed() {
    let cli = organization().await;
    let payments = fill(&cli);
    let scratch = tempfile::tempdir().unwrap();
    let [page, data] = ["evidence.html", "evidence.json"].map(|name| scratch.path().join(name));
    let arguments = ["--organization", "--exclude", EXCLUDED, "--output", page.to_str().unwrap()];
    let (status, out, error) = cli.evidence(&[&arguments[..], &["--output", data.to_str().unwrap()]].concat()).await;
    assert_eq!((status, out.as_str(), error.as_str()), (Some(3), "", ""));

    let json = parsed(&data);
    let hash = recomputed(scratch.path()).await;
    assert_eq!((json["sha256"].as_str().unwrap(), hash.len()), (hash.as_str(), 64));
    assert!(fs::read_to_string(&page).unwrap().contains(&hash));
    // One character more is another hash.
    let text = fs::read_to_string(&data).unwrap();
    fs::write(&data, text.replacen("\"vendor\"", "\"vendors\"", 1)).unwrap();
    assert_ne!(recomputed(scratch.path()).await, hash);

    assert_eq!(
        (&json["organization"], &json["programVersion"], &json["region"]),
        (&json!(true), &json!(env!("CARGO_PKG_VERSION")), &json!(local_aws::REGION))
    );
    let reader = json["readBy"].as_str().unwrap();
    assert!(reader.starts_with(&format!("arn:aws:sts::{HUB}:assumed-role/{FUNCTION_ROLE}/")), "{reader}");
    assert_eq!(
        json["leftOut"],
        json!([
            { "account": EXCLUDED, "name": "sandbox", "why": "excluded" },
            { "account": CLOSED, "name": "old", "why": "closed" },
        ])
    );
    assert_eq!(
        json["totals"],
        json!({
            "usersEvaluated": 7, "usersNonCompliant": 2, "usersExempt": 2, "usersDueSoon": 1, "usersExposed": 0,
            "oldInactiveKeys": 1,
            "exemptionsValid": 3, "exemptionsVoid": 1, "accounts": 3, "accountsIncomplete": 0, "accountsNotCovered": 1,
        })
    );
    assert_eq!(
        json["parameters"],
        json!({ "maxAccessKeyAge": "90", "maxExemptionDays": "365", "warnBeforeDays": "14" })
    );
    let states = json["accounts"].as_array().unwrap().iter().map(|account| &account["coverage"]["state"]);
    assert_eq!(states.collect::<Vec<_>>(), ["evaluated", "evaluated", "noRule"]);
    let exemptions = json["exemptions"].as_array().unwrap();
    let names: Vec<_> = exemptions.iter().map(|user| user["userName"].as_str().unwrap()).collect();
    assert_eq!(names, ["zulu", "alpha", "reports", "expired"], "those that end soon first, and void ones last");
    let first = &json["users"][0];
    assert_eq!(
        (&first["violations"], &first["owner"]),
        (&json!([payments]), &json!("\u{5d0}\u{5d1} \u{202e}\u{7f}\"\\"))
    );
    assert_eq!(json["users"].as_array().unwrap().len(), 7, "compliant users too");

    let seen = browse(&page, &[]).await;
    let transcript = Transcript::by_the_clock();
    let transcript =
        transcript.naming("version", env!("CARGO_PKG_VERSION")).naming("hash", &hash).naming("reader", reader);
    let mut transcript = transcript.naming("a past day", "2026-02-28");
    transcript.add("evidence --organization", &shown(&seen), "");
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn an_account_that_cannot_be_read_is_named_and_costs_no_other() {
    let cli = organization().await;
    fill(&cli);
    cli.deployment.aws.world().organization(HUB).add_account(NO_ROLE, "new", "ACTIVE");
    // It has no stale key, so a scan does not need its tags.
    cli.deployment.fault(Some("GetUser"), Some("alpha"), FaultKind::AccessDenied);
    let (status, out, error) = cli.evidence(&["--organization", "--format", "json"]).await;
    assert_eq!(status, Some(1));
    assert!(error.contains(&format!("account {NO_ROLE}: ")), "{error}");
    let expected = format!("account {MEMBER}: The list of exemptions is incomplete: 1 of 4 users unknown: alpha (");
    assert!(error.contains(&expected), "{error}");
    let json: Value = serde_json::from_str(&out).unwrap();
    let totals = &json["totals"];
    assert_eq!((&totals["accountsIncomplete"], &totals["accountsNotCovered"]), (&json!(2), &json!(2)));
    let of = |id: &str| json["accounts"].as_array().unwrap().iter().find(|account| account["account"] == id).unwrap();
    assert!(of(NO_ROLE)["coverage"].is_null() && of(NO_ROLE)["error"].is_string());
    assert!(of(HUB)["error"].is_null() && of(HUB)["usersNonCompliant"] == 2);

    let (_, page, _) = cli.evidence(&["--organization"]).await;
    for said in ["Incomplete: 2 of 5 accounts", "They are unknown, not compliant.", "<small>at least</small> 3"] {
        assert!(page.contains(said), "{said}: {page}");
    }
}

#[tokio::test]
async fn the_document_shows_the_change_since_an_earlier_document_or_scan() {
    let cli = organization().await;
    let payments = fill(&cli);
    let scratch = tempfile::tempdir().unwrap();
    let [document, scan] = ["document.json", "scan.json"].map(|name| scratch.path().join(name));
    let [document, scan] = [&document, &scan].map(|path| path.to_str().unwrap());
    let (status, ..) = cli.evidence(&["--format", "json", "--output", document]).await;
    assert_eq!(status, Some(3));
    cli.scan(&["--format", "json", "--output", scan]).await;
    cli.deployment.aws.world().account(HUB).delete_key("payments", &payments);
    for earlier in [document, scan] {
        let (status, out, error) = cli.evidence(&["--since", earlier, "--format", "json"]).await;
        assert_eq!((status, error.as_str()), (Some(3), ""));
        let json: Value = serde_json::from_str(&out).unwrap();
        let fixed = json!([{ "account": HUB, "userName": "payments", "accessKeyId": payments }]);
        assert_eq!((&json["since"]["fixed"], &json["since"]["newAccounts"]), (&fixed, &json!([])));
        assert_eq!((&json["organization"], &json["leftOut"]), (&json!(false), &json!([])));
    }
    let (_, page, _) = cli.evidence(&["--since", document]).await;
    assert!(page.contains("Since the scan on ") && page.contains("only the accounts that the reader named"), "{page}");
}

#[tokio::test]
async fn another_limit_than_the_controls_is_said_and_wrong_usage_too() {
    let cli = organization().await;
    for (limit, said) in [("90", false), ("91", true)] {
        let (status, page, _) = cli.evidence(&["--max-access-key-age", limit]).await;
        assert_eq!(status, Some(0));
        assert_eq!(page.contains("The limit is 91 days, not 90"), said, "{page}");
    }
    cli.deployment.clear_calls();
    for (arguments, status, said) in [
        (&["--output", "same.json", "--population", "./same.json"][..], 1, "name the same file"),
        (&["--format", "csv"], 2, "html, json"),
        (&["--population", "."], 1, "not a file"),
    ] {
        let (code, out, error) = cli.evidence(arguments).await;
        assert_eq!((code, out.as_str()), (Some(status), ""));
        assert!(error.contains(said), "{error}");
    }
    assert!(cli.deployment.calls().is_empty(), "before anything is asked");
}

#[tokio::test]
async fn the_parameters_are_compared_with_the_rules_in_each_account() {
    let cli = organization().await;
    let arguments = ["--organization", "--exclude", EXCLUDED];
    {
        let mut world = cli.deployment.aws.world();
        let given = r#"{"maxAccessKeyAge":"120","warnBeforeDays":"14"}"#;
        world.account(MEMBER).set_rule_parameters(RULE, given);
        // A second rule of the same function.
        world.account(HUB).set_rule_function("another\u{202e}", &function_arn(HUB));
        world.account(HUB).set_rule_parameters("another\u{202e}", r#"{"maxExemptionDays":"30"}"#);
    }
    let (_, page, _) = cli.evidence(&arguments).await;
    for said in [
        "Same as the rule's parameters in AWS Config in 0 of 3 accounts.",
        "Unknown in 1 account, since there is no rule or it could not be read.",
        &format!("in {MEMBER}: <bdi>{RULE}: maxAccessKeyAge is 120, not 90</bdi>."),
        "another\u{fffd}: maxExemptionDays is 30, not 365",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let (_, out, _) =
        cli.evidence(&[&arguments[..], &["--format", "json", "--max-access-key-age", "120"]].concat()).await;
    let json: Value = serde_json::from_str(&out).unwrap();
    let of = |account: usize| json["accounts"][account]["parameterDifferences"].clone();
    let hub = ["another\u{202e}: maxAccessKeyAge is 90, not 120", "another\u{202e}: maxExemptionDays is 30, not 365"];
    assert_eq!(of(0), json!([format!("{RULE}: maxAccessKeyAge is 90, not 120"), hub[0], hub[1]]));
    assert_eq!((of(1), of(2)), (json!([]), Value::Null));
    // What could not be read is unknown.
    cli.deployment.fault(Some("DescribeConfigRules"), None, FaultKind::AccessDenied);
    let (_, page, _) = cli.evidence(&arguments).await;
    assert!(page.contains("in 0 of 3 accounts. Unknown in 3 accounts"), "{page}");
}

#[tokio::test]
async fn who_set_an_exemption_is_said_as_far_as_cloudtrail_knows() {
    let cli = organization().await;
    let until = day(100);
    {
        let mut world = cli.deployment.aws.world();
        let member = world.account(MEMBER);
        for name in ["known", "changed", "young", "denied"] {
            user(member, name, 200, &[]);
        }
        // Nobody called for it, as far as CloudTrail knows.
        user(member, "old", 200, &[(EXEMPT_UNTIL, &until), (EXEMPT_OWNER, "web")]);
    }
    for name in ["known", "changed", "young", "denied"] {
        let exempt = ["exempt", name, "--until", &until, "--owner", "web", "--account", MEMBER];
        let (status, out, error) = cli.run(&[&exempt[..], &["--role-name", EVALUATION_ROLE]].concat()).await;
        assert_eq!(status, Some(0), "{out}{error}");
    }
    {
        let mut world = cli.deployment.aws.world();
        let member = world.account(MEMBER);
        // Its last call is not there yet.
        member.tag_user("changed", EXEMPT_UNTIL, &day(50));
        // Another user of the same name, who had the tags from the beginning.
        assert!(member.delete_user("young"));
        member.create_user("young", midnight() - days(1));
        member.tag_user("young", EXEMPT_UNTIL, &until);
        for event in member.trail_mut() {
            match event.request["userName"].as_str() {
                Some("young") => event.at = midnight() - days(2),
                Some("denied") => event.error = Some("AccessDenied".to_owned()),
                _ => {}
            }
        }
    }
    let set_by = async || {
        let (_, out, _) = cli.evidence(&["--account", MEMBER, "--format", "json"]).await;
        let json: Value = serde_json::from_str(&out).unwrap();
        let of = |user: &Value| (user["userName"].as_str().unwrap().to_owned(), user["setBy"].clone());
        json["exemptions"].as_array().unwrap().iter().map(of).collect::<BTreeMap<_, _>>()
    };
    let found = set_by().await;
    assert_eq!(found.len(), 5);
    let known: Vec<_> = found.iter().filter(|(_, by)| !by.is_null()).map(|(name, _)| name.as_str()).collect();
    assert_eq!(known, ["known"]);
    let by = &found["known"];
    assert!(by["arn"].as_str().unwrap().contains(&format!(":assumed-role/{EVALUATION_ROLE}/")), "{by}");
    let (_, page, _) = cli.evidence(&["--account", MEMBER]).await;
    assert_eq!(page.matches("who set it is not known to CloudTrail").count(), 4, "{page}");
    // A record that nobody understands may be a later call.
    for event in cli.deployment.aws.world().account(MEMBER).trail_mut() {
        if event.request["userName"] == "changed" {
            event.request = Value::Null;
        }
    }
    assert!(set_by().await.values().all(Value::is_null));
    cli.deployment.fault(Some("LookupEvents"), None, FaultKind::AccessDenied);
    assert!(set_by().await.values().all(Value::is_null));
}

#[tokio::test]
async fn exemptions_of_the_whole_organization_are_listed_and_one_account_costs_no_other() {
    let cli = organization().await;
    fill(&cli);
    let list = ["exempt", "--list", "--organization", "--exclude", EXCLUDED];
    let (status, out, error) = cli.run(&list).await;
    assert_eq!(status, Some(0));
    let mut transcript = Transcript::by_the_clock().naming("a past day", "2026-02-28");
    transcript.add("exempt --list --organization", &out, &error);
    cli.deployment.aws.world().organization(HUB).add_account(NO_ROLE, "new", "ACTIVE");
    let (status, out, error) = cli.run(&list).await;
    assert_eq!(status, Some(1));
    assert!(error.contains(&format!("account {NO_ROLE}: ")), "{error}");
    assert!(out.ends_with("4 users with exemption tags, 3 valid\n"), "{out}");
    insta::assert_snapshot!(transcript);

    for arguments in
        [&["exempt", "payments", "--remove", "--organization"][..], &["exempt", "--list", "--exclude", HUB]]
    {
        assert_eq!(cli.run(arguments).await.0, Some(2));
    }
}

/// `cargo test --workspace --test e2e -- --ignored on_paper`, then look at `target/evidence.pdf`.
#[tokio::test]
#[ignore = "makes target/evidence.pdf"]
async fn on_paper() {
    let cli = organization().await;
    fill(&cli);
    for n in 0..60 {
        user(cli.deployment.aws.world().account(HUB), &format!("terraform-{n:03}"), 91 + n, &[("owner", "web")]);
    }
    let directory = Path::new(REPOSITORY).join("target");
    let page = directory.join("evidence.html");
    cli.evidence(&["--organization", "--exclude", EXCLUDED, "--output", page.to_str().unwrap()]).await;
    let pdf = directory.join("evidence.pdf");
    let picture = directory.join("evidence.png");
    browse(&page, &["--pdf", pdf.to_str().unwrap(), "--screenshot", picture.to_str().unwrap()]).await;
}
