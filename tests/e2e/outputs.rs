//! Where the commands write, and in which format.

use crate::{
    cli::{Cli, csv_rows},
    support::*,
    transcript::Transcript,
};
use serde_json::Value;
use std::{fs, path::Path};

async fn start() -> Cli {
    let cli = Cli::start().await;
    user_with_key(cli.deployment.aws.world().account(HUB), "bot", 200);
    cli
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn one_scan_writes_several_files_each_in_the_format_of_its_name() {
    let cli = start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let names = ["keys.html", "keys.CSV", "keys.json", "keys.txt"].map(path);
    let [html, csv, json, txt] = &names;
    cli.deployment.clear_calls();
    let (status, out, error) = cli.scan(&["--output", html, "-o", csv, "-o", json, "-o", txt]).await;
    assert_eq!((status, out.as_str(), error.as_str()), (Some(3), "", ""));
    assert_eq!(cli.deployment.calls_of("ListUsers"), 1);
    let content = |path: &String| fs::read_to_string(path).unwrap();
    assert!(content(html).starts_with("<!DOCTYPE html>") && content(html).ends_with("</html>\n"));
    assert_eq!(csv_rows(&content(csv))[0]["user"], "bot");
    let read: Value = serde_json::from_str(&content(json)).unwrap();
    assert_eq!(read["users"][0]["userName"], "bot");
    assert!(content(txt).starts_with("USER ") && content(txt).ends_with("where says who uses it\n"));
    assert_eq!(files(directory.path()), ["keys.CSV", "keys.html", "keys.json", "keys.txt"]);

    for (command, names) in [
        ("plan", &["plan.md", "plan.json", "plan.txt"][..]),
        ("where", &["where.md", "where.json", "where.csv", "where.htm", "where.txt"]),
        ("coverage", &["coverage.json", "coverage.txt"]),
        ("doctor", &["doctor.json", "doctor.txt"]),
        ("evidence", &["evidence.html", "evidence.json"]),
    ] {
        let paths: Vec<_> = names.iter().map(|name| path(name)).collect();
        let outputs: Vec<_> = paths.iter().flat_map(|path| ["-o", path]).collect();
        let (_, out, error) = cli.run(&[&[command], &outputs[..]].concat()).await;
        assert_eq!(out, "", "{command}: {error}");
        for path in &paths {
            let content = content(path);
            let begins = match Path::new(path).extension().unwrap().to_str().unwrap() {
                "json" => "{",
                "html" | "htm" => "<!DOCTYPE html>",
                "md" => "# ",
                "csv" => "account,",
                _ => "",
            };
            assert!(content.starts_with(begins) && !content.is_empty(), "{path}: {content:.100}");
        }
    }
}

#[tokio::test]
async fn the_format_wins_over_the_name_of_one_file() {
    let cli = start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("keys.txt");
    let (status, ..) = cli.scan(&["--format", "json", "--output", file.to_str().unwrap()]).await;
    assert_eq!(status, Some(3));
    assert!(fs::read_to_string(&file).unwrap().starts_with("{\n"));
}

#[tokio::test]
async fn what_cannot_be_written_as_asked_is_said_before_aws_is_asked_and_leaves_no_file() {
    let cli = start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("there.json"), "earlier").unwrap();
    std::os::unix::fs::symlink(path("there.json"), path("link.json")).unwrap();
    let before = files(directory.path());
    cli.deployment.clear_calls();
    let mut transcript = Transcript::default().naming("directory", directory.path().to_str().unwrap());
    for (command, arguments) in [
        ("scan", &["-o", "keys.html", "-o", "keys.xml"][..]),
        ("scan", &["-o", "keys"]),
        ("scan", &["-o", "keys.md"]),
        ("plan", &["-o", "plan.csv"]),
        ("coverage", &["-o", "coverage.html"]),
        ("scan", &["-o", "keys.csv", "-o", "./keys.csv"]),
        ("scan", &["-o", "there.json", "-o", "link.json"]),
        ("scan", &["-o", "keys.csv", "-o", "keys.html", "--format", "csv"]),
        ("scan", &["-o", "keys.csv", "-o", "nowhere/keys.html"]),
    ] {
        let whole: Vec<_> =
            arguments
                .iter()
                .map(|argument| {
                    if argument.contains('.') || *argument == "keys" { path(argument) } else { (*argument).to_owned() }
                })
                .collect();
        let whole: Vec<_> = whole.iter().map(String::as_str).collect();
        let (status, out, error) = cli.run(&[&[command], &whole[..]].concat()).await;
        assert_eq!((status, out.as_str()), (Some(1), ""), "{arguments:?}");
        transcript.add(format!("{command} {}", arguments.join(" ")), &out, &error);
        assert_eq!(files(directory.path()), before);
    }
    assert!(cli.deployment.calls().is_empty());
    assert_eq!(fs::read_to_string(path("there.json")).unwrap(), "earlier");
    insta::assert_snapshot!(transcript);
}
