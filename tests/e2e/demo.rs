//! The demo, as a user runs it.

use serde_json::Value;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

fn demo(options: &[&str]) -> (String, String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).args(options).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.success())
}

#[test]
fn it_shows_compliance_before_and_after_in_plain_text() {
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
fn it_says_the_same_each_time() {
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

#[test]
fn while_it_serves_the_aws_cli_shows_the_results_from_another_terminal() {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--users", "30", "--non-compliant", "20", "--serve", "0"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(demo.stderr.take().unwrap()).lines().map(Result::unwrap);
    let commands: Vec<_> = said.skip_while(|line| !line.starts_with("AWS is up")).skip(2).take(2).collect();
    let venv = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin");
    let cli = Command::new("sh")
        .args(["-c", &commands.join("\n")])
        .env("PATH", format!("{venv}:{}", std::env::var("PATH").unwrap()))
        .output()
        .unwrap();
    demo.kill().unwrap();
    demo.wait().unwrap();
    let results: Value = serde_json::from_slice(&cli.stdout)
        .unwrap_or_else(|_| panic!("{commands:?}: {}", String::from_utf8_lossy(&cli.stderr)));
    let annotation = &results["EvaluationResults"][0]["Annotation"];
    assert!(annotation.as_str().unwrap().contains(" is stale: created "), "{annotation}");
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
