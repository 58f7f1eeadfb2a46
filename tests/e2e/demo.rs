//! The demo, as a user runs it: both programs of a release, alone in a folder.

use crate::{
    cli::{command_line, said},
    deployed::python,
};
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Lines, Read, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;

/// Python with boto3, and the AWS CLI.
const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin");

fn demo() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| programs::build_demo().unwrap()).clone()
}

/// A folder with these programs and nothing else.
fn folder(programs: &[PathBuf]) -> TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for program in programs {
        fs::hard_link(program, folder.path().join(program.file_name().unwrap())).unwrap();
    }
    folder
}

/// The demo in that folder, with no environment but the PATH.
fn command(folder: &Path, path: &str, options: &[&str]) -> Command {
    let mut command = Command::new(folder.join("access-key-rotation-demo"));
    command.args(options).current_dir(folder).env_clear().env("PATH", path);
    command
}

/// The demo while it serves.
struct Served {
    folder: TempDir,
    demo: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// What it said at first.
    said: String,
    /// The commands that it printed.
    commands: Vec<String>,
}

impl Served {
    /// Until it has printed all commands.
    fn start(path: &str, options: &[&str]) -> Served {
        let folder = folder(&[demo(), command_line()]);
        let mut demo = command(folder.path(), path, options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
        let mut served = Served { folder, demo, lines, said: String::new(), commands: Vec::new() };
        for line in served.lines.by_ref().map(Result::unwrap) {
            if served.said.contains("\nTry more. ") {
                served.commands.extend(line.strip_prefix("  ").map(str::to_owned));
            }
            served.said += &line;
            served.said.push('\n');
            if line.starts_with("  unset ") {
                return served;
            }
        }
        let error = served.error();
        panic!("the demo ended: {} {error}", served.said);
    }

    fn error(&mut self) -> String {
        self.demo.kill().unwrap();
        let mut error = String::new();
        self.demo.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        error
    }

    /// Runs commands in another terminal, after the lines that it says to paste first.
    fn run(&self, commands: &str) -> (Option<i32>, String, String) {
        let [variables, name, ..] = &self.commands[..] else { panic!("{:?}", self.commands) };
        let output = Command::new("sh")
            .args(["-c", &format!("{variables}\n{name}\n{commands}")])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{VENV}:/usr/bin:/bin"))
            .output()
            .unwrap();
        said(output)
    }

    /// What the demo says next, which has so many lines.
    fn next(&mut self, lines: usize) -> Vec<String> {
        self.lines.by_ref().take(lines).map(Result::unwrap).collect()
    }

    /// Types a line into the demo's terminal. Gives what it says then.
    fn type_in(&mut self, line: &str, lines: usize) -> Vec<String> {
        writeln!(self.demo.stdin.as_ref().unwrap(), "{line}").unwrap();
        self.next(lines)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.demo.kill().unwrap();
        self.demo.wait().unwrap();
    }
}

#[test]
fn alone_in_a_folder_it_shows_findings_and_a_page_and_says_what_a_rotation_needs() {
    let mut served = Served::start("", &["--accounts", "2", "--users", "200", "--non-compliant", "5"]);
    let said = served.said.clone();
    for part in [
        "200 made-up IAM users in 2 accounts",
        "  111122221111: 100 users, 5 with a stale key, ",
        "\nUSER ",
        "  rotate\n",
        "All 2 accounts: 10 users shown, ",
        "access-key-rotation-demo.html\n",
        "The runbooks need Python 3.11 or newer with boto3 in PATH",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "no terminal, no colors: {said}");
    let page = fs::read_to_string(served.folder.path().join("access-key-rotation-demo.html")).unwrap();
    assert!(page.contains("<h1>") && page.contains("backup-"), "{page}");
    let mut left: Vec<_> = fs::read_dir(served.folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["access-key-rotation", "access-key-rotation-demo", "access-key-rotation-demo.html"]);
    assert_eq!(
        served.type_in("8", 1),
        [
            "  The runbooks need Python 3.11 or newer with boto3 in PATH (pip install boto3), and this computer has none."
        ]
    );
    assert_eq!(served.error(), "");
}

#[test]
fn the_commands_that_it_prints_work_from_another_terminal() {
    let before = Utc::now();
    let served = Served::start(VENV, &["--accounts", "2", "--users", "60", "--non-compliant", "30"]);
    let [_, _, scan, callers, plan, exempt, exemptions, coverage, doctor, recorded, secret, unset] =
        &served.commands[..]
    else {
        panic!("{:?}", served.commands)
    };
    let user = exempt.split_whitespace().nth(2).unwrap();

    let (status, out, error) = served.run(recorded);
    assert_eq!(status, Some(0), "{error}");
    let recorded: Value = serde_json::from_str(&out).unwrap();
    let recorded = recorded["EvaluationResults"].as_array().unwrap();
    let said = |result: &Value| {
        let annotation = result["Annotation"].as_str().unwrap();
        annotation.split_once(": AKIA").map_or(annotation, |(_, said)| said).to_owned()
    };
    let recorded: Vec<_> = recorded.iter().map(said).collect();

    let (status, out, error) = served.run(&format!("{scan} --wide"));
    assert_eq!((status, error.as_str()), (Some(3), ""));
    // By the system's clock, the scan says what AWS Config holds.
    assert!(recorded.len() > 1 && recorded.iter().all(|said| out.contains(said)), "{recorded:?}: {out}");
    let violations = format!(" (security): 31 users evaluated, {} non-compliant, ", recorded.len());
    assert!(out.contains(&violations) && out.contains(" (payments): 30 users evaluated, "), "{out}");
    // Two days if midnight has passed meanwhile.
    let mut yesterday = [before, Utc::now()].map(|now| (now - TimeDelta::days(1)).date_naive()).into_iter();
    assert!(yesterday.any(|day| out.contains(&format!("Exemption expired on {day}"))), "{out}");

    let (status, out, error) = served.run(callers);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    for part in ["Terraform", "AWS SDK for Python", "AWS CLI", "public", "vpc-endpoint", "To replace it: "] {
        assert!(out.contains(part), "{part}: {out}");
    }

    let (status, out, error) = served.run(plan);
    assert_eq!((status, error.as_str()), (Some(3), ""));
    assert!(
        out.contains(&format!("\n### {user} in 111122221111 (")) && out.contains("`aws iam update-access-key "),
        "{out}"
    );

    let (status, out, error) = served.run(exempt);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.contains(": COMPLIANT: Exempt until ") && out.ends_with("Set: IAM holds it.\n"), "{out}");
    let (status, out, _) = served.run(exemptions);
    assert!(status == Some(0) && out.contains(user), "{out}");

    let (status, out, error) = served.run(coverage);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.ends_with("2 of 2 accounts covered\n"), "{out}");

    let (status, out, error) = served.run(doctor);
    assert_eq!((status, error.as_str()), (Some(3), ""));
    assert!(out.contains("  recorder     failed   default is stopped\n"), "{out}");
    assert!(out.ends_with(" (security): 12 ok, 1 skipped\n111122222222 (payments): 25 ok, 1 failed\n"), "{out}");

    let (status, out, error) = served.run(secret);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.contains("AKIA") && out.contains("mail.example.com"), "{out}");

    // The last line takes back what the first ones set: nothing leads the terminal's next command to the demo.
    let (status, out, error) =
        served.run(&format!("{unset}\nalias; env | grep -E '^(AWS|ACCESS)_' || echo no variable"));
    assert_eq!((status, out.as_str(), error.as_str()), (Some(0), "no variable\n", ""));
}

#[test]
fn a_key_rotates_into_a_secret_at_once_and_the_old_one_goes_in_the_days_that_somebody_types() {
    let mut served = Served::start(VENV, &["--accounts", "1", "--users", "1", "--non-compliant", "0"]);
    let (_, rotated) = served.said.split_once("into a secret:\n").unwrap();
    let rotated: Vec<_> = rotated.lines().take(3).collect();
    let id = |line: &str, after: &str| line.split_once(after).unwrap().1.chars().take(20).collect::<String>();
    let (new, old) = (id(rotated[0], "shop-mailer "), id(rotated[1], "shop-mailer "));
    assert!(new != old && rotated[0].ends_with(&format!("{new}: rotated: the secret holds it now")), "{rotated:?}");
    assert!(rotated[1].contains(&format!("{old}: settling: ")), "{rotated:?}");
    assert!(rotated[2].ends_with(&format!(
        "the secret shop/mailer holds {new}. Keys of shop-mailer: {old} (Active), {new} (Active)."
    )));
    let offer = served.next(3).join("\n");
    assert!(offer.contains("Type 8 here") && offer.contains("Type 31: it is deleted"), "{offer}");

    let assert_said = |lines: &[String], expected: &[&str]| {
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{expected}: {lines:?}");
        }
    };
    assert_eq!(served.type_in("soon", 1), ["Type a number of days from 1 to 365, and Enter."]);
    let [deactivated, not_due] = [format!("{old}: deactivated: "), format!("{new}: not due: ")];
    let state = format!("holds {new}. Keys of shop-mailer: {old} (Inactive), {new} (Active).");
    assert_said(&served.type_in("8", 4), &[&deactivated, &not_due, "may be deleted from", &state]);
    let deleted = format!("{old}: deleted: ");
    let state = format!("holds {new}. Keys of shop-mailer: {new} (Active).");
    assert_said(&served.type_in("31", 3), &[&not_due, &deleted, &state]);
    assert_eq!(served.error(), "");
}

/// `INSTA_UPDATE=always` writes them, as it does with snapshots.
#[test]
fn the_picture_and_the_sample_page_are_what_the_programs_print() {
    let folder = folder(&[demo(), command_line()]);
    let mut command = python();
    command.args(["-B", "tests/demo/picture.py"]).arg(folder.path());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        assert!(command.status().unwrap().success());
    } else {
        let output = command.arg("--check").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn an_organization_without_a_violation_has_nobody_to_exempt() {
    let served = Served::start("", &["--accounts", "1", "--users", "1", "--non-compliant", "0"]);
    assert_eq!(served.commands.len(), 10, "{:?}", served.commands);
    assert!(served.commands.iter().all(|command| !command.contains("exempt")), "{:?}", served.commands);
}

#[test]
fn the_command_line_may_be_in_the_path_and_is_missed_if_it_is_nowhere() {
    let (alone, beside) = (folder(&[demo()]), folder(&[command_line()]));
    let output = command(alone.path(), "", &[]).output().unwrap();
    let (status, out, error) = said(output);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(error.contains("there is no access-key-rotation beside this program or in PATH"), "{error}");

    let path = beside.path().to_str().unwrap();
    let mut demo = command(alone.path(), path, &["--users", "3"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let alias = lines.map(Result::unwrap).find(|line| line.starts_with("  alias "));
    demo.kill().unwrap();
    demo.wait().unwrap();
    assert_eq!(alias.unwrap(), format!("  alias access-key-rotation={path}/access-key-rotation"));
}

#[test]
fn wrong_options_are_explained() {
    let folder = folder(&[demo(), command_line()]);
    for (options, expected) in [
        (vec!["--accounts", "0"], "0 is not in 1..=200"),
        (vec!["--non-compliant", "101"], "101 is not in 0..=100"),
        (vec!["--accounts", "1", "--users", "5001"], "5,000 IAM users at most"),
    ] {
        let (status, _, error) = said(command(folder.path(), "", &options).output().unwrap());
        assert!(status != Some(0) && error.contains(expected), "{error}");
    }
}
