//! The command line's doctor on a local AWS, as a whole. Defects are in `doctor_defects.rs`, what may not be read in
//! `doctor_denials.rs`, single checks in `doctor_checks.rs`.

use crate::{
    cli::{command_line, said},
    support::*,
    transcript::Transcript,
};
use chrono::Utc;
use deployment::organize;
use local_aws::{Credentials, Fault, FaultKind, LocalAws, Outcome, REGION, World};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::process::Command;

pub(crate) const PACK: (&str, &str, &str) = (HUB, REGION, RULE);
/// A rule as AWS Config names one of a conformance pack.
pub(crate) const PACK_RULE: &str = "access-key-rotation-conformance-pack-abcdefghi";

/// An organization of the hub and two members, with everything that the rule needs, and a session of a role of the hub that
/// the members trust.
pub(crate) struct Organization {
    pub(crate) aws: LocalAws,
    pub(crate) credentials: Credentials,
}

impl Organization {
    pub(crate) async fn start() -> Organization {
        let mut world = World::live_clock();
        let accounts = [HUB, MEMBER, OTHER_MEMBER].map(|id| (id, format!("account {id}")));
        organize(&mut world, HUB, &accounts, &format!("arn:aws:iam::{HUB}:role/security"));
        for (id, _) in accounts {
            populate(world.account(id), Utc::now(), 3, 40, 20);
        }
        let credentials = world.credentials(HUB, "security");
        Organization { aws: LocalAws::start(world).await.unwrap(), credentials }
    }

    /// Exit status, standard output and standard error.
    pub(crate) async fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let mut command = Command::new(command_line());
        command.args(["doctor", "--calls-per-second", "1000"]).args(arguments).env_clear();
        command.env("AWS_ENDPOINT_URL", self.aws.endpoint());
        command.env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", access_key_id).env("AWS_SECRET_ACCESS_KEY", secret_access_key);
        command.envs(session_token.as_ref().map(|token| ("AWS_SESSION_TOKEN", token)));
        said(command.output().await.unwrap())
    }

    /// Exit status, and each check as `ACCOUNT CHECK OF STATUS: SEEN | REMEDY`, for the whole without an account.
    pub(crate) async fn examine(&self, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
        let (status, out, error) = self.run(&[&["--format", "json"], arguments].concat()).await;
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("{out}{error}"));
        assert_eq!([&report["region"], &report["currentAccount"]], [REGION, HUB]);
        let line = |account: &str, check: &Value| {
            let text = |field: &str| check[field].as_str().map(str::to_owned);
            let parts =
                [Some(account.to_owned()).filter(|id| !id.is_empty()), text("check"), text("of"), text("status")];
            let remedy = text("remedy").map(|remedy| format!(" | {remedy}")).unwrap_or_default();
            format!(
                "{}: {}{remedy}",
                parts.into_iter().flatten().collect::<Vec<_>>().join(" "),
                check["seen"].as_str().unwrap()
            )
        };
        let mut lines: Vec<_> = report["checks"].as_array().unwrap().iter().map(|check| line("", check)).collect();
        for account in report["accounts"].as_array().unwrap() {
            let id = account["account"].as_str().unwrap();
            lines.extend(account["checks"].as_array().unwrap().iter().map(|check| line(id, check)));
        }
        (status, lines)
    }

    /// A fault of one action in an account, or of all actions.
    pub(crate) fn fault(&self, of: Option<(&str, &str)>, kind: FaultKind) {
        let (account, action) = of.map(|(account, action)| (account.to_owned(), action.to_owned())).unzip();
        self.aws.world().faults.add(Fault { account, action, user: None, kind });
    }
}

/// Those that are neither well nor skipped, for a transcript.
pub(crate) fn problems(lines: &[String]) -> String {
    let problems = lines.iter().filter(|line| !line.contains(" ok: ") && !line.contains(" skipped: "));
    problems.map(|line| format!("{line}\n")).collect()
}

/// The one check, or account's check, that begins with this.
pub(crate) fn check<'a>(lines: &'a [String], of: &str) -> &'a str {
    lines.iter().find(|line| line.starts_with(of)).unwrap_or_else(|| panic!("no {of}: {lines:#?}"))
}

pub(crate) const ALL: &[&str] = &["--organization"];

#[tokio::test]
async fn a_healthy_organization_is_well_in_every_check_and_nothing_is_written() {
    let organization = Organization::start().await;
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!((status, problems(&lines).as_str()), (Some(0), ""), "{lines:#?}");
    let skipped: Vec<_> = lines.iter().filter(|line| line.contains(" skipped: ")).collect();
    assert!(matches!(&skipped[..], [own] if own.starts_with(&format!("{HUB} permissions skipped: "))), "{skipped:?}");
    let of = |id: &str| lines.iter().filter(|line| line.starts_with(id)).count();
    // The hub's permissions are one check, a member's fourteen.
    assert_eq!([HUB, MEMBER, OTHER_MEMBER].map(of), [13, 26, 26]);
    assert_eq!(lines.len() - 65, 4, "region, pack, other Regions, concurrency");

    {
        let mut world = organization.aws.world();
        let reads = |action: &str| ["Get", "List", "Describe", "Lookup"].iter().any(|verb| action.starts_with(verb));
        let others = world.calls().iter().filter(|call| !reads(&call.action));
        // The report is made anew at most every four hours, whoever asks; only a test run is taken with that token.
        let harmless = ["AssumeRole", "PutEvaluations"];
        assert!(others.clone().all(|call| call.outcome == Outcome::Ok));
        assert_eq!(others.map(|call| call.action.as_str()).collect::<BTreeSet<_>>(), harmless.into());
        for id in [MEMBER, OTHER_MEMBER] {
            let account = world.account(id);
            assert!(account.results(RULE).is_empty() && account.deliveries(RULE).is_empty());
        }
    }

    let (status, out, error) = organization.run(ALL).await;
    assert_eq!(status, Some(0));
    let mut transcript = Transcript::default();
    transcript.add("doctor --organization", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn throttling_and_short_pages_cost_time_only_and_what_aws_does_not_answer_is_unknown() {
    let organization = Organization::start().await;
    organization.fault(None, FaultKind::Throttle { probability: 0.3 });
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!((status, problems(&lines).as_str()), (Some(0), ""));

    organization.aws.world().faults.clear();
    // Pages of one, of which the second is empty: the first user with a key is on the third.
    organization.aws.world().account(MEMBER).create_user("a", Utc::now());
    organization.fault(None, FaultKind::ShortPages(1));
    let (status, lines) = organization.examine(ALL).await;
    assert_eq!((status, problems(&lines).as_str()), (Some(0), ""));
    assert!(lines.iter().any(|line| line.starts_with(&format!("{MEMBER} permissions iam:GetAccessKeyLastUsed ok"))));

    organization.aws.world().faults.clear();
    organization.fault(Some((MEMBER, "DescribeDocument")), FaultKind::ServerError { probability: 1.0 });
    organization.fault(Some((OTHER_MEMBER, "PutEvaluations")), FaultKind::ServerError { probability: 1.0 });
    // A check that failed is no reason to keep silent about one that is unknown.
    organization.aws.world().account(OTHER_MEMBER).set_recorder(None);
    let (status, out, error) = organization.run(ALL).await;
    assert_eq!(status, Some(1));
    let mut transcript = Transcript::default();
    transcript.add("doctor, and AWS answers with errors", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn the_doctor_says_where_to_go_outside_the_hub() {
    let mut organization = Organization::start().await;
    organization.credentials = organization.aws.world().credentials(MEMBER, "security");
    let mut transcript = Transcript::default();
    for arguments in [&[][..], ALL] {
        let (status, out, error) = organization.run(arguments).await;
        assert_eq!(status, Some(1));
        transcript.add(format!("doctor {}", arguments.join(" ")), &out, &error);
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn wrong_usage_says_what_is_allowed() {
    let organization = Organization::start().await;
    let mut transcript = Transcript::default();
    for arguments in [
        &["--pack-name", "1st"][..],
        &["--function-name", "arn:aws:lambda:us-east-1:111122223333:function:rule"],
        &["--format", "csv"],
        &["--exclude", MEMBER],
    ] {
        let (status, out, error) = organization.run(arguments).await;
        assert_eq!((status, out.as_str()), (Some(2), ""));
        transcript.add(format!("doctor {}", arguments.join(" ")), &out, &error);
    }
    insta::assert_snapshot!(transcript);
    assert!(organization.aws.world().calls().is_empty());
}
