//! `scan --credential-report`: a report that somebody else was given, without AWS. The expected outputs are in
//! `tests/fixtures/scan`.

use crate::{
    cli::{command_line, csv_rows, said},
    transcript::Transcript,
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};
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

/// The lines that tell how many users of each account were evaluated.
fn summaries(out: &str) -> String {
    out.lines().filter(|line| line.contains(" users evaluated, ")).map(|line| format!("{line}\n")).collect()
}

fn file(directory: &TempDir, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = directory.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn every_format_is_as_kept() {
    let report = fixture("credential-report.csv");
    let mut transcript = Transcript::default();
    for (format, expected) in [("table", "table.txt"), ("json", "findings.json")] {
        let arguments = ["--format", format, "--credential-report", report.to_str().unwrap()];
        let (status, out, error) = scan(&[&arguments[..], &AS_OF].concat());
        assert_eq!(status, Some(3));
        transcript.add(format!("scan --format {format}"), "", &error);
        assert_eq!(out, fs::read_to_string(fixture(expected)).unwrap(), "{expected}");
    }
    insta::assert_snapshot!(transcript);
}

#[test]
fn csv_says_what_json_says() {
    let report = fixture("credential-report.csv");
    let format = |format| {
        let arguments = ["--format", format, "--credential-report", report.to_str().unwrap()];
        let (status, out, _) = scan(&[&arguments[..], &AS_OF].concat());
        assert_eq!(status, Some(3));
        out
    };
    let json: Value = serde_json::from_str(&format("json")).unwrap();
    let rows = csv_rows(&format("csv"));
    let none = Value::Object(serde_json::Map::new());
    let mut expected = Vec::new();
    for user in json["users"].as_array().unwrap() {
        let keys = user["accessKeys"].as_array().unwrap();
        expected.extend(keys.iter().map(|key| (user, key)));
        // A user without a key has a line too.
        expected.extend(keys.is_empty().then_some((user, &none)));
    }
    assert!(rows.len() == expected.len() && rows.iter().any(|row| row["access_key_id"].is_empty()), "{rows:?}");
    for (row, (user, key)) in rows.iter().zip(expected) {
        let used = &key["lastUsed"];
        for (column, value) in [
            ("account", &user["account"]),
            ("user", &user["userName"]),
            ("user_id", &user["userId"]),
            ("arn", &user["arn"]),
            ("compliance", &user["compliance"]),
            ("exempt", &user["exempt"]),
            ("exposed", &user["exposed"]),
            ("production", &user["production"]),
            ("owner", &user["owner"]),
            ("annotation", &user["annotation"]),
            ("rotates_into", &user["rotatesInto"]),
            ("access_key_id", &key["accessKeyId"]),
            ("status", &key["status"]),
            ("create_date", &key["createDate"]),
            ("age_days", &key["ageDays"]),
            ("description", &key["description"]),
            ("last_used", &used["date"]),
            ("last_used_service", &used["serviceName"]),
            ("last_used_region", &used["region"]),
        ] {
            let expected = match value {
                Value::Null => String::new(),
                Value::String(text) if text == "N/A" => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(row[column], expected, "{column} of {user}");
        }
    }
    let lines: Vec<_> = rows.iter().map(|row| format!("{row:?}")).collect();
    let of = |user: &str, column: &str| {
        let cells = rows.iter().filter(|row| row["user"] == user).map(|row| row[column].clone());
        cells.collect::<Vec<_>>().join("|")
    };
    for (column, expected) in
        [("state", "stale"), ("to_do", "rotate"), ("due", "2025-06-18"), ("in_use", "true"), ("priority", "in use")]
    {
        assert_eq!(of("backup", column), expected, "{column}: {lines:#?}");
    }
    assert_eq!(
        ["state", "due", "to_do"].map(|column| of("replaced", column)),
        ["old, inactive|current", "|2026-05-21", "delete|"]
    );
    assert_eq!([of("exactly-90-days", "state"), of("keyless", "to_do")], ["due soon", ""]);
}

#[test]
fn one_report_compares_with_another() {
    let directory = TempDir::new().unwrap();
    let earlier = directory.path().join("earlier.json");
    let earlier = earlier.to_str().unwrap();
    let report = report();
    let old = file(&directory, "old.csv", &report);
    let mut transcript = Transcript::default().naming("directory", directory.path().to_str().unwrap());
    let with = |arguments: &[&str]| scan(&[arguments, &AS_OF].concat());
    let (status, _, error) = with(&["--credential-report", &old, "--format", "json", "--output", earlier]);
    assert_eq!(status, Some(3));
    transcript.add("the earlier scan", "", &error);
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
    let (status, out, error) = with(&["--credential-report", &new, "--since", earlier]);
    assert_eq!(status, Some(3));
    transcript.add("one deleted, one deactivated, one changed, one grown old", &out, &error);
    // Who has no line may be in a part of the report that is lost.
    let short = file(&directory, "short.csv", report.lines().take(3).collect::<Vec<_>>().join("\n"));
    let (_, out, error) = with(&["--credential-report", &short, "--since", earlier]);
    transcript.add("a report of which the end is lost", &out, &error);
    let (status, out, error) =
        scan(&["--credential-report", &old, "--as-of", "2026-03-01T11:59:59Z", "--since", earlier]);
    assert_eq!(status, Some(1));
    transcript.add("a report from before the earlier scan", &out, &error);
    // Another key in the same place, which has grown old meanwhile.
    let later = file(&directory, "later.csv", report.replace("true,2025-03-20T12:00:00", "true,2026-03-20T12:00:00"));
    let (_, out, error) = scan(&["--credential-report", &later, "--as-of", "2026-07-01T12:00:00Z", "--since", earlier]);
    transcript.add("another key in the same place, grown old meanwhile", &out, &error);
    insta::assert_snapshot!(transcript);
}

#[test]
fn a_value_that_is_not_understood_is_unknown_and_costs_no_other() {
    let directory = TempDir::new().unwrap();
    let report = report();
    let replaced = |from: &str, to: &str| {
        assert_eq!(report.matches(from).count(), 1, "{from}");
        report.replace(from, to)
    };
    let key = "true,2025-01-18T12:00:00+00:00,N/A";
    let mut transcript = Transcript::default().naming("directory", directory.path().to_str().unwrap());
    for (what, content) in [
        ("active: yes", replaced(key, "yes,2025-01-18T12:00:00+00:00,N/A")),
        ("active, and never rotated", replaced(key, "true,N/A,N/A")),
        ("rotated yesterday", replaced(key, "false,yesterday,N/A")),
        ("used: no_information", replaced(key, "true,2025-01-18T12:00:00+00:00,no_information")),
        ("a field too many", replaced("billing-export,arn", "billing,export,arn")),
        ("the ARN of another user", replaced("user/billing-export", "user/another")),
        ("the ARN of a role", replaced("user/billing-export", "role/billing-export")),
        ("a name with an escape sequence", replaced("billing-export,arn:aws", "\u{1b}[2Jevil,arn:aws")),
    ] {
        let path = file(&directory, "report.csv", content);
        let (status, out, error) = scan(&[&["--credential-report", &path], &AS_OF[..]].concat());
        assert_eq!(status, Some(1));
        transcript.add(what, &summaries(&out), &error);
    }
    let additional = report.replace('\n', ",N/A\n").replacen(",N/A\n", ",additional_credentials_info\n", 1) + ",N/A";
    let path = file(&directory, "report.csv", &additional);
    assert_eq!(scan(&[&["--credential-report", &path], &AS_OF[..]].concat()).0, Some(3));
    let path = file(&directory, "report.csv", additional.strip_suffix("N/A").unwrap().to_owned() + "1 more");
    let (status, _, error) = scan(&[&["--credential-report", &path], &AS_OF[..]].concat());
    assert_eq!(status, Some(1));
    transcript.add("more keys than two", "", &error);
    // As if the report were cut off right before "1 more".
    let path = file(&directory, "report.csv", additional.strip_suffix("N/A").unwrap());
    let (status, _, error) = scan(&[&["--credential-report", &path], &AS_OF[..]].concat());
    assert_eq!(status, Some(1));
    transcript.add("cut off before the last field", "", &error);
    // If no line says anything there, IAM may write it so.
    let empty = additional.replace(",N/A\n", ",\n");
    let path = file(&directory, "report.csv", empty.strip_suffix("N/A").unwrap());
    assert_eq!(scan(&[&["--credential-report", &path], &AS_OF[..]].concat()).0, Some(3));
    insta::assert_snapshot!(transcript);
}

#[test]
fn a_report_that_is_not_whole_or_none_is_an_error_and_costs_no_other() {
    let directory = TempDir::new().unwrap();
    let report = report();
    let good = file(&directory, "good.csv", report.replace("111122223333", "444455556666"));
    let header = report.lines().next().unwrap();
    let base64 = "dXNlcixhcm4sdXNlcl9jcmVhdGlvbl90aW1l";
    let mut transcript = Transcript::default().naming("directory", directory.path().to_str().unwrap());
    let second = report.lines().nth(2).unwrap();
    let mut evaluated = BTreeSet::new();
    for (what, content) in [
        ("nothing", b"".to_vec()),
        ("too few columns", b"user,arn,user_creation_time\n".to_vec()),
        ("only the header", header.into()),
        ("cut off", report[..report.len() - 60].into()),
        ("cut off by one byte", report[..report.len() - 1].into()),
        ("a user twice", [report.as_bytes(), b"\n", second.as_bytes()].concat()),
        ("one quotation mark", report.replacen("false,N/A,false,N/A\n", "false,N/A,false,\"N/A\n", 1).into()),
        ("used in the future", report.replace("2026-02-28T09", "2026-03-02T09").into()),
        ("rotated in the future", report.replace("true,2025-03-20", "true,2026-03-20").into()),
        ("a user of another account", report.replacen("111122223333:user", "777788889999:user", 1).into()),
        (
            "a user of another partition",
            report.replacen("arn:aws:iam::111122223333:user", "arn:aws-cn:iam::111122223333:user", 1).into(),
        ),
        ("an account twice", report.replace("111122223333", "444455556666").into()),
        ("base64", base64.into()),
        ("base64 in JSON", format!("{{\"Content\": \"{base64}\"}}").into()),
        ("a ZIP file", b"PK\x03\x04\xff\xfe\x00".to_vec()),
        ("not UTF-8", [header.as_bytes(), b"\n\xff\xfe,x"].concat()),
    ] {
        let path = file(&directory, "broken.csv", &content);
        let (status, out, error) = scan(&[&["--credential-report", &good, &path], &AS_OF[..]].concat());
        assert_eq!(status, Some(1), "{what}");
        transcript.add(what, "", &error);
        evaluated.insert(summaries(&out));
    }
    assert_eq!(evaluated.len(), 1, "{evaluated:?}");
    transcript.add("what was evaluated beside each of them", evaluated.first().unwrap(), "");
    for (arguments, expected) in [
        (&["--credential-report", "missing.csv"][..], 1),
        (&["--credential-report", &good, "--organization"], 2),
        (&AS_OF, 2),
        (&["--credential-report", "missing.csv", "--format", "csv"], 1),
        (&["--credential-report", &good, "--as-of", "yesterday"], 2),
        (&["--credential-report", &good, "--as-of", "2026-02-29T12:00:00Z"], 2),
        (&["--credential-report", &good, "--as-of", "2026-02-28T25:00:00Z"], 2),
        (&["--credential-report", &good, "--as-of", "2126-03-01T12:00:00Z"], 2),
        (&["--credential-report", &good, "--as-of", "+262142-12-31T23:59:59Z"], 2),
    ] {
        let (status, out, error) = scan(arguments);
        assert_eq!(status, Some(expected), "{arguments:?}");
        transcript.add(format!("scan {}", arguments.join(" ")), &out, &error);
    }
    insta::assert_snapshot!(transcript);
}

#[test]
fn the_root_users_access_key_is_named_though_the_rule_does_not_cover_it() {
    let path = fixture("active-root-key.csv");
    let report = fs::read_to_string(&path).unwrap();
    let scan_as = |path: &str, format: &str| {
        scan(&["--credential-report", path, "--as-of", "2026-11-28T00:00:00Z", "--format", format])
    };
    let sentence = "111122223333: the root user has an access key, which the rule does not cover (active, created or last activated \
                    2015-01-01, last used 2026-11-20).";
    for format in ["table", "json", "csv", "html"] {
        let (status, out, error) = scan_as(path.to_str().unwrap(), format);
        assert_eq!(status, Some(0), "it is no violation");
        assert!(format!("{out}{error}").contains(sentence) || format == "json", "{format}: {out}{error}");
        if format == "json" {
            let json: Value = serde_json::from_str(&out).unwrap();
            let key = &json["accounts"][0]["rootAccessKeys"][0];
            assert_eq!((&key["status"], &key["lastUsed"]["serviceName"]), (&"Active".into(), &"s3".into()));
        }
    }
    // Without a key there is nothing to name. Without the row, it is unknown.
    let directory = TempDir::new().unwrap();
    let without = report.replace(
        "true,true,2015-01-01T00:00:00+00:00,2026-11-20T00:00:00+00:00,us-east-1,s3",
        "true,false,N/A,N/A,N/A,N/A",
    );
    for (what, content, expected) in [
        ("no key", without, Value::Array(Vec::new())),
        (
            "no row",
            self::report().lines().filter(|line| !line.starts_with("<root")).collect::<Vec<_>>().join("\n"),
            Value::Null,
        ),
    ] {
        let (_, out, error) = scan_as(&file(&directory, "report.csv", content), "json");
        let json: Value = serde_json::from_str(&out).unwrap();
        assert_eq!(json["accounts"][0]["rootAccessKeys"], expected, "{what}");
        assert!(!error.contains("root user"), "{what}: {error}");
    }
    // A row that cannot be read makes root unknown, not keyless.
    let unreadable = file(&directory, "report.csv", report.replace("true,true,2015", "true,yes,2015"));
    let (status, _, error) = scan_as(&unreadable, "table");
    assert_eq!(status, Some(1));
    assert!(
        error.contains("1 of 1 users unknown: the root user (access_key_1_active is neither true nor false)"),
        "{error}"
    );
}

#[test]
fn a_report_that_a_spreadsheet_saved_is_read_exactly_or_is_an_error_that_says_so() {
    let directory = TempDir::new().unwrap();
    let saved = fs::read_to_string(fixture("true-and-false-in-capitals.csv")).unwrap();
    let capitals = saved.split_whitespace().collect::<Vec<_>>().join("\n");
    let utf16: Vec<u8> = "\u{feff}user,arn".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let quoted =
        capitals.lines().map(|line| format!("\"{}\"", line.replace(',', "\",\""))).collect::<Vec<_>>().join("\r\n");
    let as_of = ["--as-of", "2026-03-01T12:00:00Z"];
    for (what, content) in [
        ("capitals", saved),
        (
            "a byte order mark, CRLF and an end of the last line",
            format!("\u{feff}{}\r\n", capitals.replace('\n', "\r\n")),
        ),
        ("every field quoted", quoted),
    ] {
        let path = file(&directory, "report.csv", content);
        let (status, out, error) = scan(&[&["--credential-report", &path], &as_of[..]].concat());
        assert_eq!((status, error.as_str()), (Some(3), ""), "{what}: {out}");
        assert!(
            out.contains("bot   111122223333  access key 1  790 d  2025-01-01 s3  ?      switch off\n"),
            "{what}: {out}"
        );
    }
    let date = |shown: &str| capitals.replace("TRUE,2024-01-01T00:00:00+00:00", &format!("TRUE,{shown}")).into_bytes();
    for (content, expected) in [
        (capitals.replace(',', ";").into_bytes(), "semicolons separate the fields, instead of commas"),
        (capitals.replace(',', "\t").into_bytes(), "tabs separate the fields, instead of commas"),
        (utf16, "this is UTF-16"),
        (date("01/01/2024 00:00"), "access_key_1_last_rotated is not a time such as 2026-03-01T12:00:00+00:00"),
        (date("45292"), "access_key_1_last_rotated is not a time such as 2026-03-01T12:00:00+00:00"),
        (date("2024-01-01T00:00:00"), "access_key_1_last_rotated is not a time such as 2026-03-01T12:00:00+00:00"),
        (capitals.replace("\nbot,", "\nBOT,").into_bytes(), "user and arn do not name the same IAM user"),
        (format!("{capitals}\n{}", ",".repeat(21)).into_bytes(), "line 4 has only empty fields"),
    ] {
        let path = file(&directory, "report.csv", content);
        let (status, out, error) = scan(&[&["--credential-report", &path], &as_of[..]].concat());
        assert_eq!(status, Some(1), "{expected}: {out}");
        assert!(
            error.contains(&format!("{expected}. A spreadsheet may have changed it: pass the file as IAM wrote it")),
            "{error}"
        );
        assert!(!out.contains(" bot "), "{expected}: {out}");
    }
}

/// A user who only has an old key that is not active is compliant, but not forgotten.
#[test]
fn an_old_key_that_is_not_active_is_named_in_every_format() {
    let report = fixture("credential-report.csv");
    for format in ["table", "json", "csv", "html"] {
        let arguments = ["--format", format, "--credential-report", report.to_str().unwrap()];
        let (_, out, _) = scan(&[&arguments[..], &AS_OF].concat());
        let expected = match format {
            "table" => "replaced        111122223333  access key 1  790 d  inactive        ?      delete\n",
            "json" => "\"oldInactiveKeys\":[\"access key 1\"]",
            "csv" => "access key 1,Inactive,\"old, inactive\",delete,2024-01-01T12:00:00Z,790,,",
            _ => ">aws iam list-access-keys --user-name=replaced<",
        };
        assert!(out.contains(expected), "{format}: {out}");
    }
}
