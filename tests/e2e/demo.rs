//! The demo, as a user runs it.

use crate::cli::{command_line, said};
use chrono::{TimeDelta, Utc};
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::{Child, ChildStderr, Command, Stdio},
};

fn demo(options: &[&str]) -> (String, String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).args(options).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.success())
}

#[test]
fn the_demo_shows_compliance_before_and_after_in_plain_text() {
    let (out, progress, succeeded) = demo(&["--accounts", "2", "--users", "200", "--non-compliant", "5"]);
    assert!(succeeded, "{progress}");
    assert!(progress.contains("100 users evaluated, 5 non-compliant"), "{progress}");
    for part in [
        "NON_COMPLIANT",
        " is stale: created ",
        "No access key becomes stale before ",
        "Exempt until ",
        "what the second sweep changed",
        "Exemption expired on 2026-03-01",
    ] {
        assert!(out.contains(part), "{part}: {out}");
    }
    assert!(!out.contains('\u{1b}') && !out.contains('│'), "no terminal, no decoration: {out}");
}

#[test]
fn the_demo_says_the_same_each_time() {
    let json = || {
        let (out, progress, succeeded) = demo(&["--users", "120", "--non-compliant", "20", "--json"]);
        assert!(succeeded, "{progress}");
        let mut document: Value = serde_json::from_str(&out).unwrap();
        document["sweeps"] = Value::Null;
        document
    };
    let first = json();
    assert_eq!(first, json());
    let before = first["before"]["totals"]["NON_COMPLIANT"].as_u64().unwrap();
    let after = first["after"]["totals"]["NON_COMPLIANT"].as_u64().unwrap();
    assert!(before > after, "{before} before, {after} after");
}

/// The demo while it serves, and the commands that it printed.
struct Served {
    demo: Child,
    said: Lines<BufReader<ChildStderr>>,
    commands: Vec<String>,
}

impl Served {
    fn start(options: &[&str]) -> Served {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(options)
            .args(["--serve", "0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(demo.stderr.take().unwrap()).lines();
        let mut served = Served { demo, said, commands: Vec::new() };
        for line in served.said.by_ref().map(Result::unwrap).skip_while(|line| !line.starts_with("AWS is up")) {
            served.commands.extend(line.strip_prefix("  ").map(str::to_owned));
            if line.starts_with("  unset ") {
                return served;
            }
        }
        panic!("the demo ended: {:?}", served.commands);
    }

    /// Runs a command in another terminal, after the lines that it says to paste first.
    fn run(&self, directory: &Path, command: &str) -> (Option<i32>, String, String) {
        let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin");
        let built = command_line();
        let path = format!("{}:{venv}:{}", built.parent().unwrap().display(), std::env::var("PATH").unwrap());
        let [endpoint, credentials, ..] = &self.commands[..] else { panic!("{:?}", self.commands) };
        let output = Command::new("sh")
            .args(["-c", &format!("{endpoint}\n{credentials}\n{command}")])
            .current_dir(directory)
            .env_clear()
            .env("PATH", &path)
            .output()
            .unwrap();
        said(output)
    }

    /// Types a line into the demo's terminal. Gives what it says then, which has so many lines.
    fn type_in(&mut self, line: &str, lines: usize) -> Vec<String> {
        writeln!(self.demo.stdin.as_ref().unwrap(), "{line}").unwrap();
        self.said.by_ref().take(lines).map(Result::unwrap).collect()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.demo.kill().unwrap();
        self.demo.wait().unwrap();
    }
}

#[test]
fn the_commands_that_it_prints_while_it_serves_work_from_another_terminal() {
    let before = Utc::now();
    let served = Served::start(&["--accounts", "2", "--users", "60", "--non-compliant", "30"]);
    let [_, _, alias, commands @ ..] = &served.commands[..] else { panic!("{:?}", served.commands) };
    assert_eq!(alias, "alias access-key-rotation='cargo run --quiet --bin access-key-rotation --'");
    let directory = tempfile::tempdir().unwrap();
    let run = |command: &str| served.run(directory.path(), command);
    let [aws, scan, page, plan, callers, exempt, exempted, coverage, doctor, .., unset] = commands else {
        panic!("{commands:?}")
    };
    let user = exempt.split_whitespace().nth(2).unwrap();

    let (status, out, error) = run(aws);
    assert_eq!(status, Some(0), "{error}");
    let recorded: Value = serde_json::from_str(&out).unwrap();
    let recorded = recorded["EvaluationResults"].as_array().unwrap();
    let said = |result: &Value| {
        let annotation = result["Annotation"].as_str().unwrap();
        annotation.split_once(": AKIA").map_or(annotation, |(_, said)| said).to_owned()
    };
    let recorded: Vec<_> = recorded.iter().map(said).collect();

    let (status, out, error) = run(&format!("{scan} --wide"));
    assert_eq!((status, error.as_str()), (Some(3), ""));
    // By the system's clock, the scan says what AWS Config holds.
    assert!(recorded.len() > 1 && recorded.iter().all(|said| out.contains(said)), "{recorded:?}: {out}");
    let violations = format!(" (security): 31 users evaluated, {} non-compliant, ", recorded.len());
    assert!(out.contains(&violations) && out.contains(" (payments): 30 users evaluated, "), "{out}");
    // Two days if midnight has passed meanwhile.
    let mut yesterday = [before, Utc::now()].map(|now| (now - TimeDelta::days(1)).date_naive()).into_iter();
    assert!(yesterday.any(|day| out.contains(&format!("Exemption expired on {day}"))), "{out}");

    assert_eq!(run(page), (Some(3), String::new(), String::new()));
    let html = fs::read_to_string(directory.path().join("keys.html")).unwrap();
    assert!(
        html.contains("the root user has an access key") && html.matches("<span class=\"id\">ACCA").count() == 6,
        "{html}"
    );
    assert!(html.contains("<h1>IAM access keys older than 90 days</h1>") && html.contains(user), "{html}");

    let (status, out, error) = run(plan);
    assert_eq!((status, error.as_str()), (Some(3), ""));
    assert!(
        out.contains(&format!("\n### {user} in 111122221111 (")) && out.contains("`aws iam update-access-key "),
        "{out}"
    );

    let (status, out, error) = run(callers);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    for part in ["Terraform", "AWS SDK for Python", "AWS CLI", "public", "vpc-endpoint", "To replace it: "] {
        assert!(out.contains(part), "{part}: {out}");
    }

    let (status, out, error) = run(exempt);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.contains(": COMPLIANT: Exempt until ") && out.ends_with("Set: IAM holds it.\n"), "{out}");
    let (status, out, _) = run(exempted);
    assert_eq!((status, out.lines().count()), (Some(0), 1));
    assert!(
        out.contains(&format!(",{user},")) && out.contains(",COMPLIANT,") && out.contains("Exempt until "),
        "{out}"
    );

    let (status, out, error) = run(coverage);
    assert_eq!((status, error.as_str()), (Some(0), ""));
    assert!(out.ends_with("2 of 2 accounts covered\n"), "{out}");

    let (status, out, error) = run(doctor);
    assert_eq!((status, error.as_str()), (Some(3), ""));
    assert!(out.contains("  recorder     failed   default is stopped\n"), "{out}");
    assert!(out.ends_with(" (security): 12 ok, 1 skipped\n111122222222 (payments): 25 ok, 1 failed\n"), "{out}");

    // The last line takes back what the first ones set: nothing leads the terminal's next command to the demo.
    let (status, out, error) = run(&format!("{alias}\n{unset}\nalias; env | grep ^AWS_ || echo no variable"));
    assert_eq!((status, out.as_str(), error.as_str()), (Some(0), "no variable\n", ""));
}

#[test]
fn a_key_rotates_into_a_secret_in_the_days_that_somebody_types() {
    let mut served = Served::start(&["--accounts", "1", "--users", "1", "--non-compliant", "0"]);
    let [.., tag, value, keys, _] = &served.commands[..] else { panic!("{:?}", served.commands) };
    let (tag, value, keys) = (tag.clone(), value.clone(), keys.clone());
    let directory = tempfile::tempdir().unwrap();
    let read = |served: &Served, command: &str| {
        let (status, out, error) = served.run(directory.path(), command);
        assert_eq!((status, error.as_str()), (Some(0), ""), "{command}");
        serde_json::from_str::<Value>(&out).unwrap_or_default()
    };
    let key = |served: &Served| {
        let answer = read(served, &value);
        let held: Value = serde_json::from_str(answer["SecretString"].as_str().unwrap()).unwrap();
        held["AccessKeyId"].as_str().unwrap().to_owned()
    };
    let statuses = |served: &Served| {
        let listed = read(served, &keys)["AccessKeyMetadata"].take();
        listed.as_array().unwrap().iter().map(|key| key["Status"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let assert_said = |lines: &[String], expected: &[&str]| {
        for (line, expected) in lines[1..].iter().zip(expected) {
            assert!(line.contains(expected), "{lines:?}");
        }
    };
    let old = key(&served);
    assert_eq!(served.type_in("soon", 1), ["Type a number of days from 1 to 365, and Enter."]);
    read(&served, &tag);
    assert_said(&served.type_in("1", 3), &[": rotated: ", &format!("{old}: settling: ")]);
    let new = key(&served);
    assert_ne!(new, old);
    assert_eq!(statuses(&served), ["Active", "Active"]);
    let expected = [&format!("{old}: deactivated: ")[..], &format!("{new}: not due: "), "may be deleted from"];
    assert_said(&served.type_in("8", 4), &expected);
    assert_eq!(statuses(&served), ["Inactive", "Active"]);
    assert_said(&served.type_in("31", 3), &[": not due: ", &format!("{old}: deleted: ")]);
    assert_eq!((key(&served), statuses(&served)), (new, vec!["Active".to_owned()]));
}

#[test]
fn an_organization_without_a_violation_has_nobody_to_exempt() {
    let served = Served::start(&["--accounts", "1", "--users", "1", "--non-compliant", "0"]);
    assert_eq!(served.commands.len(), 14, "{:?}", served.commands);
    assert!(served.commands.iter().all(|command| !command.contains("exempt")), "{:?}", served.commands);
}

#[test]
fn wrong_options_are_explained() {
    for (options, expected) in [
        (vec!["--accounts", "0"], "0 is not in 1..=200"),
        (vec!["--non-compliant", "101"], "101 is not in 0..=100"),
        (vec!["--accounts", "1", "--users", "5001"], "5,000 IAM users at most"),
    ] {
        let (_, error, succeeded) = demo(&options);
        assert!(!succeeded && error.contains(expected), "{error}");
    }
}
