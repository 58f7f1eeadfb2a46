//! The page of `scan --format html`, in a browser.

use crate::{board, cli::Cli, deployed::REPOSITORY, exposed::QUARANTINE, support::*, transcript::Transcript};
use chrono::Utc;
use fastrand::Rng;
use local_aws::{Account, Fault, FaultKind, KeyStatus, KeyUses, World};
use policy::exemption::{EXEMPT_OWNER, EXEMPT_UNTIL};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tokio::process::Command;

/// Nobody can enter it.
const UNREACHABLE: &str = "123456789012";

/// Opens a page as people do, and tells what they see.
pub(crate) async fn browse(file: &Path, options: &[&str]) -> Value {
    let output = Command::new("node")
        .arg("tests/browser/check.mjs")
        .arg(file)
        .args(options)
        .current_dir(REPOSITORY)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Title and text of a page, as people see them.
pub(crate) fn shown(page: &Value) -> String {
    format!("{}\n\n{}\n", page["title"].as_str().unwrap(), page["text"].as_str().unwrap())
}

/// Makes a user with a key and tags, and gives the key's id.
pub(crate) fn user(account: &mut Account, name: &str, age: i64, tags: &[(&str, &str)]) -> String {
    let key = user_with_key(account, name, age);
    for (tag, value) in tags {
        account.tag_user(name, tag, value);
    }
    key
}

fn exempt(until: i64) -> [(&'static str, String); 2] {
    [(EXEMPT_UNTIL, day(until)), (EXEMPT_OWNER, "platform".to_owned())]
}

#[tokio::test]
async fn the_page_shows_who_is_to_act_on_what() {
    const HOSTILE: &str = "<img src=https://example.com/x onerror=alert(1)>\"'&amp; </script><script>alert(2)</script>";
    let cli = Cli::start().await;
    let used = midnight() - days(3);
    let [payments, ci, backup, spare, old, reports, soon] = {
        let mut world = cli.deployment.aws.world();
        let hub = world.account(HUB);
        let payments = user(hub, "payments", 400, &[("environment", "production"), ("owner", HOSTILE)]);
        hub.use_key(&payments, used, "eu-west-1", "s3");
        user(hub, "young", 10, &[]);
        user(hub, "younger", 9, &[]);
        let ci = user(hub, "ci+deploy@x", 100, &[("Owner", "\u{5d0}\u{5d1}\u{5d2} build")]);
        hub.use_key(&ci, used, "us-east-1", "N/A");
        let member = world.account(MEMBER);
        let backup = user(member, "backup", 700, &[]);
        let spare = user_with_key(member, "backup", 200);
        member.set_key_status("backup", &spare, KeyStatus::Inactive);
        let old = user(member, "archive", 95, &[]);
        let exempt = exempt(30);
        let reports = user(member, "reports", 300, &exempt.each_ref().map(|(tag, value)| (*tag, value.as_str())));
        let soon = user(member, "mailer", 80, &[("owner", "nobody reads it")]);
        for (user, service, expires) in [
            ("reports", "aws-external-anthropic.amazonaws.com", Some(midnight() + days(30))),
            ("mailer", "codecommit.amazonaws.com", None),
        ] {
            member.create_service_specific_credential(user, service, midnight() - days(500), expires).unwrap();
        }
        member.create_root_access_key(midnight() - days(4000));
        world.faults.add(Fault {
            account: Some(HUB.to_owned()),
            action: Some("ListServiceSpecificCredentials".to_owned()),
            user: None,
            kind: FaultKind::AccessDenied,
        });
        [payments, ci, backup, spare, old, reports, soon]
    };
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("keys.html");
    let arguments = ["--role-name", EVALUATION_ROLE, "--account", HUB, MEMBER, UNREACHABLE, "--format", "html"];
    let (status, out, error) = cli.scan(&[&arguments[..], &["--output", file.to_str().unwrap()]].concat()).await;
    assert_eq!((status, out.as_str()), (Some(1), ""), "{error}");

    let page = browse(&file, &[]).await;
    let retire = "Deactivate it, then delete it.";
    let replace = "Create a new key, switch to it, deactivate this one.";
    let used = used.date_naive();
    let unread = "not read";
    let none = "no use on record";
    let key = |id: &str, status: &str| format!("{id} | {status}");
    let expected = json!([
        [[
            HUB,
            "payments",
            "non-compliant",
            "production, in use",
            HOSTILE,
            key(&payments, "Active"),
            "400 days",
            format!("{used} | s3, eu-west-1"),
            replace
        ]],
        [[
            HUB,
            "ci+deploy@x",
            "non-compliant",
            "in use",
            "\u{5d0}\u{5d1}\u{5d2} build",
            key(&ci, "Active"),
            "100 days",
            format!("{used} | us-east-1"),
            replace
        ]],
        [
            [MEMBER, "backup", "non-compliant", "idle", "–", key(&backup, "Active"), "700 days", none, retire],
            [key(&spare, "Inactive"), "200 days", unread]
        ],
        [[MEMBER, "archive", "non-compliant", "idle", "–", key(&old, "Active"), "95 days", none, retire]],
        [[
            MEMBER,
            "reports",
            "exempt",
            "–",
            "–",
            key(&reports, "Active"),
            "300 days",
            none,
            format!("Exempt until {} (owner: platform).", day(30))
        ]],
        [[
            MEMBER,
            "mailer",
            "due soon",
            "–",
            "nobody reads it",
            key(&soon, "Active"),
            "80 days",
            unread,
            format!("Rotate it before {}.", day(10))
        ]],
    ]);
    assert_eq!(page["users"], expected);
    let mut transcript = Transcript::by_the_clock().naming("version", env!("CARGO_PKG_VERSION"));
    transcript.add("scan --format html, with an account that cannot be entered", &shown(&page), "");
    insta::assert_snapshot!(transcript);
    assert_eq!(
        page["shown"],
        json!({
            "non-compliant": 4, "exempt": 1, "due soon": 1, "production": 1, "in use": 2, "idle": 2, HUB: 2, MEMBER: 4,
        })
    );
}

#[tokio::test]
async fn the_page_shows_where_each_key_stands_as_the_board_does() {
    let cli = board::start().await;
    user_with_key(cli.deployment.aws.world().account(HUB), "idle", 400);
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("keys.html");
    let (status, _, error) = cli.scan(&["--format", "html", "--output", file.to_str().unwrap()]).await;
    assert_eq!((status, error.as_str()), (Some(3), ""));
    // It fits the screen and the paper, and can be read aloud.
    browse(&file, &[]).await;
    let page = fs::read_to_string(&file).unwrap();
    let (_, rotations) = page.split_once("<h2 id=\"rotations\">").unwrap();
    for (state, user) in [("rotating", "rotating"), ("settling", "mail-settling"), ("blocked", "blocked")] {
        let (_, row) = rotations.split_once(&format!("<bdi>{user}</bdi>")).unwrap();
        assert!(row.split_once("</tr>").unwrap().0.contains(&format!(">{state}</span>")), "{row}");
    }
    let (_, records) = page.split_once("<h2 id=\"records\">").unwrap();
    assert!(records.contains("Inactive <span class=\"mark \">deletable</span>"), "{records}");
    // A key that rotates by itself is not to be rotated by hand.
    let (_, row) = page.split_once("<bdi>rotates</bdi>").unwrap();
    let (row, _) = row.split_once("</tbody>").unwrap();
    assert!(
        row.contains("It rotates by itself into the secret prod/mail") && !row.contains("Rotate it before"),
        "{row}"
    );
}

#[tokio::test]
async fn a_page_without_findings_and_one_since_an_earlier_scan() {
    let cli = Cli::start().await;
    let scratch = tempfile::tempdir().unwrap();
    let [file, earlier] = ["keys.html", "earlier.json"].map(|name| scratch.path().join(name));
    let [output, since] = [&file, &earlier].map(|path| path.to_str().unwrap());
    cli.deployment.aws.world().account(HUB).create_user("keyless", Utc::now() - days(900));
    let (status, _, error) = cli.scan(&["--format", "html", "--output", output]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    let page = browse(&file, &[]).await;
    assert_eq!(page["users"], json!([]));
    let mut transcript = Transcript::by_the_clock().naming("version", env!("CARGO_PKG_VERSION"));
    transcript.add("scan --format html, and nothing is found", &shown(&page), "");

    let old = {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        user(account, "open", 200, &[]);
        user(account, "later", 85, &[]);
        user(account, "fixed", 300, &[])
    };
    let (status, ..) = cli.scan(&["--format", "json", "--output", since]).await;
    assert_eq!(status, Some(3));
    {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        account.delete_key("fixed", &old);
        let new = user(account, "new", 100, &[]);
        account.use_key(&new, midnight() - days(1), "eu-west-1", "s3");
    }
    let (status, ..) = cli.scan(&["--since", since, "--format", "html", "--output", output]).await;
    assert_eq!(status, Some(3));
    let page = browse(&file, &[]).await;
    transcript.add("scan --since --format html", &shown(&page), "");
    insta::assert_snapshot!(transcript);
    let names: Vec<_> = page["users"].as_array().unwrap().iter().map(|rows| &rows[0][1]).collect();
    assert_eq!(names, ["new new", "open", "later"]);
}

#[tokio::test]
async fn the_page_of_callers_fits_a_phone_and_paper() {
    let cli = Cli::start().await;
    let keys = {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        let uses = |key: &str| KeyUses { region: "eu-west-1".to_owned(), ..KeyUses::once(key, midnight() - days(1)) };
        ["mailer", "a-name-that-is-as-long-as-names-of-users-may-be-in-iam-so-that-it-fills-the-line"].map(|name| {
            let key = user_with_key(account, name, 400);
            account.use_key(&key, midnight() - days(1), "eu-west-1", "secretsmanager");
            for (address, agent) in [
                (
                    "2001:db8:85a3:1234:5678:8a2e:370:7334",
                    "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io)",
                ),
                ("cloudformation.amazonaws.com", "cloudformation.amazonaws.com"),
                ("10.1.2.3", "<script>alert(1)</script>\u{202e}"),
            ] {
                let error = Some("AccessDenied".to_owned());
                account.add_key_uses(KeyUses {
                    address: address.to_owned(),
                    agent: agent.to_owned(),
                    error,
                    ..uses(&key)
                });
            }
            key
        })
    };
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("callers.html");
    let (status, _, error) = cli.run(&["where", "--format", "html", "--output", file.to_str().unwrap()]).await;
    assert_eq!(status, Some(0), "{error}");
    let page = browse(&file, &[]).await;
    let text = page["text"].as_str().unwrap();
    assert!(keys.iter().all(|key| text.contains(key.as_str())) && text.contains("<script>alert(1)</script>"), "{text}");
}

/// The picture on the first page: `cargo test --workspace --test e2e -- --ignored picture`.
#[tokio::test]
#[ignore = "makes tests/browser/report.png"]
async fn the_picture_in_the_readme() {
    let cli = Cli::start().await;
    organization(&mut cli.deployment.aws.world());
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("keys.html");
    let arguments = ["--role-name", EVALUATION_ROLE, "--account", HUB, MEMBER, OTHER_MEMBER];
    let (status, ..) =
        cli.scan(&[&arguments[..], &["--format", "html", "--output", file.to_str().unwrap()]].concat()).await;
    assert_eq!(status, Some(3));
    browse(&file, &["--screenshot", "tests/browser/report.png"]).await;
    assert!(fs::metadata(Path::new(REPOSITORY).join("tests/browser/report.png")).unwrap().len() < 200_000);
}

/// The same users each time, in three accounts.
fn organization(world: &mut World) {
    const JOBS: [&str; 8] =
        ["backup", "billing-export", "ci-deploy", "etl", "mailer", "metrics", "terraform", "vendor-sync"];
    const TEAMS: [&str; 4] = ["data", "payments", "platform", "web"];
    let mut random = Rng::with_seed(1);
    for n in 0..240 {
        let account = world.account([HUB, MEMBER, OTHER_MEMBER][random.usize(0..3)]);
        let age = match n % 12 {
            0 => (random.i64(91..700) + random.i64(91..700)) / 2,
            1 => random.i64(77..90),
            _ => random.i64(1..76),
        };
        let team = TEAMS[random.usize(0..TEAMS.len())];
        let mut tags = vec![("owner", team.to_owned())];
        if random.u8(0..4) == 0 {
            tags.push(("environment", "production".to_owned()));
        }
        if n % 60 == 36 {
            tags.extend(exempt(60));
        }
        let tags: Vec<_> = tags.iter().map(|(tag, value)| (*tag, value.as_str())).collect();
        let name = format!("{}-{n:05}", JOBS[random.usize(0..JOBS.len())]);
        let key = user(account, &name, age, &tags);
        if random.u8(0..3) > 0 {
            account.use_key(&key, Utc::now() - days(random.i64(0..age.min(120))), "eu-west-1", "s3");
        }
        if n == 83 {
            account.attach_policies(&name, &[QUARANTINE]);
        }
    }
}
