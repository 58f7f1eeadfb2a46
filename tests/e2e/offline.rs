//! `scan --credential-report`: a report that somebody else was given, without AWS. The expected outputs are in
//! `tests/fixtures/scan`.

use crate::cli::{command_line, said};
use std::{fs, path::PathBuf, process::Command};
use tempfile::TempDir;

const AS_OF: [&str; 2] = ["--as-of", "2026-03-01T12:00:00Z"];

fn fixture(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "fixtures/scan", name].iter().collect()
}

fn report() -> String {
    fs::read_to_string(fixture("credential-report.csv")).unwrap()
}

/// Without any environment: no credentials, no Region, no configuration.
fn scan(arguments: &[&str]) -> (Option<i32>, String, String) {
    said(Command::new(command_line()).arg("scan").args(arguments).env_clear().output().unwrap())
}

fn file(directory: &TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_format_is_as_kept() {
    let report = fixture("credential-report.csv");
    for (format, expected) in [("table", "table.txt"), ("json", "findings.json"), ("csv", "findings.csv")] {
        let arguments = ["--format", format, "--credential-report", report.to_str().unwrap()];
        let (status, out, error) = scan(&[&arguments[..], &AS_OF].concat());
        assert_eq!(status, Some(3));
        let warned = if format == "table" { &out } else { &error };
        assert!(warned.contains("a key that was switched off and on again looks new in them"), "{format}: {warned}");
        assert_eq!(out, fs::read_to_string(fixture(expected)).unwrap(), "{expected}");
    }
}

#[test]
fn one_report_compares_with_another() {
    let directory = TempDir::new().unwrap();
    let earlier = directory.path().join("earlier.json");
    let earlier = earlier.to_str().unwrap();
    let report = report();
    let old = file(&directory, "old.csv", &report);
    let with = |arguments: &[&str]| scan(&[arguments, &AS_OF].concat());
    let (status, _, error) = with(&["--credential-report", &old, "--format", "json", "--output", earlier]);
    assert_eq!((status, error.lines().count()), (Some(3), 1), "{error}");
    // Deleted; deactivated; changed, which need not mean replaced; and one more has grown old.
    let changed = |from: &str, to: &str, report: String| {
        assert_eq!(report.matches(from).count(), 1, "{from}");
        report.replace(from, to)
    };
    let backup = "true,2025-03-20T12:00:00+00:00,2026-02-14T10:00:00+00:00,eu-west-1,ec2";
    let new = changed(backup, "false,N/A,N/A,N/A,N/A", report.clone());
    let new = changed("true,2025-06-01T12", "false,2025-06-01T12", new);
    let new = changed("true,2025-01-18T12", "true,2026-02-18T12", new);
    let new = file(&directory, "new.csv", changed("true,2025-12-01T12:00:00", "true,2025-12-01T11:59:59", new));
    let (status, out, _) = with(&["--credential-report", &new, "--since", earlier]);
    assert_eq!(status, Some(3));
    assert!(out.contains("2 fixed, 0 exempt now, 1 new, 1 still open, 1 unknown"), "{out}");
    assert!(out.contains("  fixed       111122223333  backup  access key 1\n"), "{out}");
    assert!(out.contains("  unknown     111122223333  billing-export  access key 1\n"), "{out}");
    // Who has no line may be in a part of the report that is lost.
    let short = file(&directory, "short.csv", report.lines().take(3).collect::<Vec<_>>().join("\n"));
    let (_, out, _) = with(&["--credential-report", &short, "--since", earlier]);
    assert!(out.contains("0 fixed, 0 exempt now, 0 new, 1 still open, 3 unknown"), "{out}");
    let (status, _, error) =
        scan(&["--credential-report", &old, "--as-of", "2026-03-01T11:59:59Z", "--since", earlier]);
    assert_eq!(status, Some(1));
    assert!(error.contains("made at 2026-03-01 12:00:00 UTC, which is later than this scan's"), "{error}");
    // Another key in the same place, which has grown old meanwhile.
    let later = file(&directory, "later.csv", report.replace("true,2025-03-20T12:00:00", "true,2026-03-20T12:00:00"));
    let (_, out, _) = scan(&["--credential-report", &later, "--as-of", "2026-07-01T12:00:00Z", "--since", earlier]);
    assert!(out.contains("0 fixed, 0 exempt now, 3 new, 3 still open, 1 unknown"), "{out}");
    assert!(out.contains("  new         111122223333  backup  access key 1\n"), "{out}");
}

#[test]
fn what_is_not_understood_is_unknown_and_costs_no_other() {
    let directory = TempDir::new().unwrap();
    let report = report();
    let replaced = |from: &str, to: &str| {
        assert_eq!(report.matches(from).count(), 1, "{from}");
        report.replace(from, to)
    };
    let key = "true,2025-01-18T12:00:00+00:00,N/A";
    for (content, said) in [
        (replaced(key, "yes,2025-01-18T12:00:00+00:00,N/A"), "billing-export (access_key_1_active is neither"),
        (replaced(key, "true,N/A,N/A"), "billing-export (access_key_1_last_rotated is not a time)"),
        (replaced(key, "false,yesterday,N/A"), "billing-export (access_key_1_last_rotated is not a time)"),
        (replaced(key, "true,2025-01-18T12:00:00+00:00,no_information"), "access_key_1_last_used_date is not a time"),
        (replaced("billing-export,arn", "billing,export,arn"), "line 4: more fields than columns"),
        (replaced("user/billing-export", "user/another"), "line 4: user or arn is not that of an IAM user"),
        (replaced("user/billing-export", "role/billing-export"), "line 4: user or arn is not that of an IAM user"),
        (replaced("billing-export,arn:aws", "\u{1b}[2Jevil,arn:aws"), "line 4: user or arn is not that of an IAM user"),
    ] {
        let path = file(&directory, "report.csv", content);
        let (status, out, error) = scan(&[&["--credential-report", &path], &AS_OF[..]].concat());
        assert_eq!(status, Some(1));
        assert!(error.contains("account 111122223333: 1 of 6 users unknown: ") && error.contains(said), "{error}");
        assert!(
            out.contains("111122223333: 5 users evaluated, 2 non-compliant, exemptions unknown, not complete"),
            "{out}"
        );
    }
    let additional = report.replace('\n', ",N/A\n").replacen(",N/A\n", ",additional_credentials_info\n", 1) + ",N/A";
    let path = file(&directory, "report.csv", &additional);
    assert_eq!(scan(&[&["--credential-report", &path], &AS_OF[..]].concat()).0, Some(3));
    let path = file(&directory, "report.csv", additional.strip_suffix("N/A").unwrap().to_owned() + "1 more");
    let (status, _, error) = scan(&[&["--credential-report", &path], &AS_OF[..]].concat());
    assert_eq!(status, Some(1));
    assert!(error.contains("replaced (additional_credentials_info: there are more keys"), "{error}");
}

#[test]
fn a_report_that_is_not_whole_or_none_is_an_error_and_costs_no_other() {
    let directory = TempDir::new().unwrap();
    let report = report();
    let good = file(&directory, "good.csv", report.replace("111122223333", "444455556666"));
    let header = report.lines().next().unwrap();
    let base64 = "dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1l";
    for (content, said) in [
        (b"".to_vec(), "not a credential report: no column user"),
        (b"user,arn,user_creation_time\n".to_vec(), "not a credential report: no column access_key_1_active"),
        (header.into(), "no line of a user or of the root user"),
        (report[..report.len() - 60].into(), "line 8 is cut off: the report is not whole"),
        (report[..report.len() - 1].into(), "line 8 is cut off: the report is not whole"),
        (
            [report.as_bytes(), b"\n", report.lines().nth(2).unwrap().as_bytes()].concat(),
            "a second line for the same user",
        ),
        (
            report.replacen("false,N/A,false,N/A\n", "false,N/A,false,\"N/A\n", 1).into(),
            "a quotation mark without its other one",
        ),
        (
            report.replace("2026-02-28T09", "2026-03-02T09").into(),
            "access_key_1_last_used_date is after 2026-03-01 12:00:00 UTC",
        ),
        (report.replace("true,2025-03-20", "true,2026-03-20").into(), "access_key_1_last_rotated is after"),
        (report.replacen("111122223333:user", "777788889999:user", 1).into(), "is of account 777788889999"),
        (report.replace("111122223333", "444455556666").into(), "a second report of account 444455556666"),
        (base64.into(), "base64 --decode"),
        (format!("{{\"Content\": \"{base64}\"}}").into(), "base64 --decode"),
        (b"PK\x03\x04\xff\xfe\x00".to_vec(), "not a credential report"),
        ([header.as_bytes(), b"\n\xff\xfe,x"].concat(), "not a credential report"),
    ] {
        let path = file(&directory, "broken.csv", &content);
        let (status, out, error) = scan(&[&["--credential-report", &good, &path], &AS_OF[..]].concat());
        assert_eq!(status, Some(1), "{}", String::from_utf8_lossy(&content));
        assert!(error.contains(&format!("account {path}: ")) && error.contains(said), "{said}: {error}");
        assert!(out.contains("444455556666: 6 users evaluated, 3 non-compliant"), "{out}");
        assert!(
            out.contains("broken.csv: 0 users evaluated, 0 non-compliant, exemptions unknown, not complete"),
            "{out}"
        );
    }
    let (status, _, error) = scan(&["--credential-report", "missing.csv"]);
    assert_eq!(status, Some(1));
    assert!(error.contains("missing.csv: No such file"), "{error}");
    for (arguments, said) in [
        (&["--credential-report", &good, "--organization"][..], "cannot be used with"),
        (&AS_OF[..], "--credential-report"),
        (&["--credential-report", &good, "--as-of", "yesterday"], "invalid value 'yesterday'"),
        (&["--credential-report", &good, "--as-of", "2126-03-01T12:00:00Z"], "it is in the future"),
        (&["--credential-report", &good, "--as-of", "+262142-12-31T23:59:59Z"], "a time is as in"),
    ] {
        let (status, _, error) = scan(arguments);
        assert_eq!(status, Some(2));
        assert!(error.contains(said), "{error}");
    }
}
