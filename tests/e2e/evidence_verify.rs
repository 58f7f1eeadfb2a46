//! `evidence --verify`: what is right is called right, each change is found, and no file can deceive or stop it.

use crate::{
    cli::{Cli, command_line, csv_rows, said},
    evidence::{EXCLUDED, NO_ROLE, fill, organization, parsed, recomputed},
    html::user,
    support::*,
};
use local_aws::FaultKind;
use policy::exemption::{EXEMPT_OWNER, EXEMPT_UNTIL};
use std::{fs, path::Path};
use tempfile::TempDir;
use tokio::process::Command;

const PAGE: &str = "evidence.html";
const DATA: &str = "evidence.json";
const POPULATION: &str = "population.csv";
const QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";

/// A document in a directory of its own.
async fn document(cli: &Cli) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let [page, data, population] =
        [PAGE, DATA, POPULATION].map(|name| directory.path().join(name).to_str().unwrap().to_owned());
    let files = ["--output", &page, "--output", &data, "--population", &population];
    cli.evidence(&[&["--organization", "--exclude", EXCLUDED][..], &files].concat()).await;
    directory
}

/// Exit status and what is printed. The program gets no credentials and no network that it knows of.
async fn verify(directory: &Path, files: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(command_line());
    let command = command.args(["evidence", "--verify"]).args(files).env_clear().current_dir(directory);
    said(command.output().await.unwrap())
}

fn change(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

/// As the manual's command has it.
async fn sha256(file: &Path) -> String {
    let output = Command::new("sha256sum").arg(file).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

/// A document of version 1.0.0, which somebody keeps. Every later version must find it right, so it is never made anew.
#[tokio::test]
async fn a_document_of_an_earlier_version_is_still_right() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/evidence/1.0.0");
    let (status, out, error) = verify(&kept, &[PAGE, DATA, POPULATION]).await;
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert_eq!(out.lines().filter(|line| line.contains(": right, ")).count(), 3, "{out}");
}

#[tokio::test]
async fn what_the_program_wrote_is_right_also_if_users_are_exposed_or_unknown() {
    let cli = organization().await;
    fill(&cli);
    {
        let mut world = cli.deployment.aws.world();
        let hub = world.account(HUB);
        // Counted as exempt and as exposed.
        user(hub, "both", 200, &[(EXEMPT_UNTIL, &day(100)), (EXEMPT_OWNER, "platform")]);
        assert!(hub.attach_policies("both", &[QUARANTINE]));
    }
    let complete = document(&cli).await;
    cli.deployment.aws.world().organization(HUB).add_account(NO_ROLE, "new", "ACTIVE");
    cli.deployment.fault(Some("GetUser"), Some("alpha"), FaultKind::AccessDenied);
    let incomplete = document(&cli).await;
    for directory in [&complete, &incomplete] {
        let hash = parsed(&directory.path().join(DATA))["sha256"].as_str().unwrap().to_owned();
        let (status, out, error) = verify(directory.path(), &[PAGE, DATA, POPULATION]).await;
        assert_eq!((status, error.as_str()), (Some(0), ""), "{out}");
        assert_eq!(
            out,
            format!(
                "{PAGE}: right, it states the hash and the totals of {DATA}\n{DATA}: right, SHA-256 {hash}\n\
                 {POPULATION}: right, it is the population of {DATA}\n"
            )
        );
        let (status, out, _) = verify(directory.path(), &[DATA]).await;
        assert_eq!(status, Some(0));
        assert_eq!(out, format!("{DATA}: right, SHA-256 {hash}. Its population is not among the files\n"));
    }
    // The data is the same in any layout.
    let sorted = Command::new("jq").args(["-S", ".", DATA]).current_dir(complete.path()).output().await.unwrap();
    fs::write(complete.path().join("sorted.json"), sorted.stdout).unwrap();
    assert_eq!(verify(complete.path(), &["sorted.json", PAGE]).await.0, Some(0));
    // Each page goes with its own data.
    fs::copy(incomplete.path().join(DATA), complete.path().join("other.json")).unwrap();
    let (status, out, _) = verify(complete.path(), &["other.json", DATA, PAGE]).await;
    assert_eq!(status, Some(0), "{out}");
    assert!(out.ends_with(&format!("the totals of {DATA}\n")), "{out}");
}

#[tokio::test]
async fn the_population_has_every_user_in_a_fixed_order_and_its_hash_is_in_the_data_and_on_the_page() {
    let cli = organization().await;
    let payments = fill(&cli);
    let directory = document(&cli).await;
    let file = directory.path().join(POPULATION);
    let rows = csv_rows(&fs::read_to_string(&file).unwrap());
    let users: Vec<_> = rows.iter().map(|row| (row["account"].as_str(), row["user"].as_str())).collect();
    let of_the_member = ["alpha", "mailer", "off", "zulu"].map(|user| (MEMBER, user));
    assert_eq!(users, [&[(HUB, "expired"), (HUB, "payments"), (HUB, "reports")][..], &of_the_member].concat());
    let row = &rows[1];
    assert_eq!((row["compliance"].as_str(), row["exempt"].as_str()), ("NON_COMPLIANT", "false"));
    assert_eq!(row["access_keys"], format!("{payments} Active {}T00:00:00Z", day(-400)));
    assert!(rows[5]["access_keys"].contains(" Inactive "), "{rows:?}");
    let hash = sha256(&file).await;
    assert_eq!(parsed(&directory.path().join(DATA))["populationSha256"], hash.as_str());
    assert!(fs::read_to_string(directory.path().join(PAGE)).unwrap().contains(&hash));
}

#[tokio::test]
async fn each_change_is_found_and_said() {
    let cli = organization().await;
    fill(&cli);
    let original = document(&cli).await;
    let hash = parsed(&original.path().join(DATA))["sha256"].as_str().unwrap().to_owned();
    let cases = [
        (DATA, "\"vendor\"", "\"vendors\"", "its data has the SHA-256 "),
        (DATA, hash.as_str(), "0000", "but it says 0000"),
        (
            DATA,
            "\"usersNonCompliant\": 2",
            "\"usersNonCompliant\": 1",
            "its lists have 2 usersNonCompliant, but its totals say 1",
        ),
        (DATA, "\"exemptionsValid\": 3", "\"exemptionsValid\": \"\u{202e}\"", "but its totals say \"\u{fffd}\""),
        (PAGE, hash.as_str(), "0000", "sha256 is 0000 here and "),
        (
            PAGE,
            "\"usersNonCompliant\">2",
            "\"usersNonCompliant\">1",
            "usersNonCompliant is 1 here and 2 in evidence.json",
        ),
        (PAGE, " data-value=\"usersExempt\"", "", "usersExempt is nothing here and 2 in evidence.json"),
        (POPULATION, "NON_COMPLIANT", "COMPLIANT", "it has the SHA-256 "),
    ];
    for (file, from, to, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        for name in [PAGE, DATA, POPULATION] {
            fs::copy(original.path().join(name), directory.path().join(name)).unwrap();
        }
        change(&directory.path().join(file), from, to);
        let (status, out, error) = verify(directory.path(), &[PAGE, DATA, POPULATION]).await;
        assert_eq!((status, error.as_str()), (Some(3), ""), "{file}: {to}");
        let line = out.lines().find(|line| line.starts_with(&format!("{file}: WRONG: "))).unwrap();
        assert!(line.contains(expected), "{line}");
    }
    // Whoever makes the hash right must also make the totals right, and then the page differs.
    let data = original.path().join(DATA);
    change(&data, "\"compliance\":\"NON_COMPLIANT\"", "\"compliance\":\"COMPLIANT\"");
    change(&data, &hash, &recomputed(original.path()).await);
    let (status, out, _) = verify(original.path(), &[DATA]).await;
    assert_eq!(status, Some(3));
    assert_eq!(out, "evidence.json: WRONG: its lists have 1 usersNonCompliant, but its totals say 2\n");
    change(&data, "\"usersNonCompliant\": 2", "\"usersNonCompliant\": 1");
    let stated = parsed(&data)["sha256"].as_str().unwrap().to_owned();
    change(&data, &stated, &recomputed(original.path()).await);
    let (status, out, _) = verify(original.path(), &[DATA, PAGE]).await;
    assert_eq!(status, Some(3));
    assert!(out.starts_with("evidence.json: right, ") && out.contains("usersNonCompliant is 2 here and 1 in"), "{out}");
}

#[tokio::test]
async fn what_is_no_evidence_is_an_error_that_says_why_and_costs_no_other_file() {
    let cli = organization().await;
    fill(&cli);
    let directory = document(&cli).await;
    let write = |name: &str, text: &str| fs::write(directory.path().join(name), text).unwrap();
    let data = fs::read_to_string(directory.path().join(DATA)).unwrap();
    let (_, scan, _) = cli.scan(&["--format", "json"]).await;
    write("scan.json", &scan);
    let (_, scan, _) = cli.scan(&["--format", "html"]).await;
    write("scan.html", &scan);
    write("cut.json", &data[..data.len() / 2]);
    write("twice.json", &data.replacen("{\n", "{\n  \"totals\": {},\n", 1));
    write("user.json", &data.replacen("\"exempt\":", "\"exempt\":true,\"exempt\":", 1));
    write("more.json", &format!("{data}{{}}"));
    write("deep.json", &format!("{{\"a\":{}", "[".repeat(100_000)));
    write("large.json", &data.replacen("\"arn\":\"", &format!("\"arn\":\"{}", "a".repeat(1 << 20)), 1));
    write("other.txt", "\u{1b}[2J");
    write("bad\u{1b}.json", "{\"\u{202e}\": x}");
    fs::File::create(directory.path().join("huge.json")).unwrap().set_len(3 << 30).unwrap();
    for (file, expected) in [
        ("absent.json", "No such file"),
        (".", "not a file"),
        ("scan.json", "it has no sha256"),
        ("scan.html", "it states no SHA-256"),
        ("cut.json", "no data of evidence: EOF while parsing"),
        ("twice.json", "the name totals stands twice"),
        ("user.json", "the name exempt stands twice"),
        ("more.json", "trailing characters"),
        ("deep.json", "recursion limit"),
        ("large.json", "too large"),
        ("other.txt", "neither the data nor the page nor the population of evidence"),
        ("bad\u{1b}.json", "bad\u{fffd}.json: no data of evidence: expected value"),
        ("huge.json", "larger than 2 GiB"),
    ] {
        let (status, out, error) = verify(directory.path(), &[file, DATA]).await;
        assert_eq!(status, Some(1), "{file}: {error}");
        assert!(error.contains(expected) && error.lines().count() == 1, "{file}: {error}");
        assert!(!error.contains(['\u{1b}', '\u{202e}']), "{error}");
        assert!(out.starts_with("evidence.json: right"), "{out}");
    }
    for (file, expected) in [(PAGE, "no data to compare it with"), (POPULATION, "no data that names a population")] {
        let (status, out, error) = verify(directory.path(), &[file]).await;
        assert_eq!((status, out.as_str()), (Some(1), ""));
        assert!(error.contains(expected), "{error}");
    }
    // What cannot be compared does not hide what is wrong.
    change(&directory.path().join(DATA), "\"vendor\"", "\"vendors\"");
    let (status, out, error) = verify(directory.path(), &[DATA, "absent.json"]).await;
    assert_eq!(status, Some(1));
    assert!(out.contains("WRONG") && error.contains("absent.json"), "{out}{error}");
    for arguments in [&[DATA, "--organization"][..], &[]] {
        assert_eq!(verify(directory.path(), arguments).await.0, Some(2));
    }
}
