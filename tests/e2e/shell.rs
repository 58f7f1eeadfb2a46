//! What the command line says of itself: completions, manual pages, help.

use crate::cli::command_line;
use std::{
    io::Read,
    process::{Command, Output, Stdio},
};

fn run(arguments: &[&str]) -> Output {
    Command::new(command_line()).args(arguments).env_clear().output().unwrap()
}

pub(crate) fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that `--help` lists.
pub(crate) fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// The commands whose help says how they end.
pub(crate) fn commands_with_statuses() -> Vec<String> {
    commands().into_iter().filter(|name| !["completions", "man"].contains(&name.as_str())).collect()
}

/// The exit statuses of a command, as its help lists them, with their meanings. Every command can be stopped.
pub(crate) fn exit_statuses(command: &str) -> Vec<(String, String)> {
    let help = help(&[command, "--help"], "1000");
    let list = help.lines().find_map(|line| line.strip_prefix("Exit status: ")).unwrap();
    let statuses = list.trim_end_matches('.').split("; ").chain(["130 - Ctrl-C"]);
    statuses
        .map(|status| status.split_once(" - ").unwrap())
        .map(|(status, text)| (status.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn bash_completes_commands_and_options() {
    let script = printed(&["completions", "bash"]);
    let ask = |words: &str, index: usize| {
        // As bash does it: the function that `complete` registered gets the command, the word and the one before.
        let probe = format!(
            "{script}\nfunction=$(complete -p access-key-rotation | sed 's/.* -F \\([^ ]*\\) .*/\\1/')
            COMP_WORDS=({words}); COMP_CWORD={index}
            $function access-key-rotation \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD - 1]}}\"
            printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash").args(["--norc", "-c", &probe]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(ask("access-key-rotation sc", 1), "scan\n");
    assert_eq!(ask("access-key-rotation exempt --unt", 2), "--until\n");
    assert_eq!(ask("access-key-rotation pack --frequency One", 3), "One_Hour\n");
}

#[test]
fn each_command_has_a_manual_page() {
    let program = printed(&["man"]);
    for command in commands() {
        let name = format!("access-key-rotation-{command}").replace('-', "\\-");
        assert!(program.contains(&format!("{name}(1)")), "{command} is not in the page of the program");
        let page = printed(&["man", &command]);
        assert!(page.contains(&format!("\n.TH access-key-rotation-{command} 1 ")), "{page:.300}");
    }
    let output = run(&["man", "sacn"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8_lossy(&output.stderr), @"
    error: invalid value 'sacn' for '[COMMAND]': the commands are scan, doctor, coverage, evidence, plan, where, evaluate, exempt, pack, completions, man

    For more information, try '--help'.
    ");
}

#[test]
fn the_help_of_each_command_has_an_example() {
    let commands = commands();
    assert!(commands.len() >= 6, "{commands:?}");
    for command in commands {
        let help = printed(&[&command, "--help"]);
        let (_, example) = help.split_once("\nExample:\n").unwrap_or_else(|| panic!("{command}: {help}"));
        assert!(example.contains(&format!("access-key-rotation {command} ")), "{example}");
    }
}

/// The help at a terminal's width.
fn help(arguments: &[&str], columns: &str) -> String {
    let output = Command::new(command_line()).args(arguments).env_clear().env("COLUMNS", columns).output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_examples_can_be_pasted_at_any_width() {
    let commands = commands();
    let asked = commands.iter().flat_map(|command| [[command.as_str(), "--help"], [command, "-h"], ["help", command]]);
    for asked in asked {
        let [narrow, usual, wide] = ["30", "80", "500"].map(|columns| help(&asked, columns));
        assert!(narrow.lines().count() > wide.lines().count(), "the width counts: {narrow}");
        let example = |help: &str| help.split_once("\nExample:\n").unwrap().1.to_owned();
        let (example, [narrow, usual]) = (example(&wide), [narrow, usual].map(|help| example(&help)));
        assert_eq!((&narrow, &usual), (&example, &example), "{asked:?}");
        // A line is a command, or it goes on with the one before, which says so.
        let mut goes_on = false;
        for line in example.lines() {
            assert_eq!(line.starts_with("  access-key-rotation "), !goes_on, "{example}");
            goes_on = line.ends_with(" \\");
        }
        assert!(!goes_on, "{example}");
    }
    let start = "\n\nStart with a scan of your account:\n  access-key-rotation scan\n";
    assert!(help(&["--help"], "20").ends_with(start));
}

#[test]
fn the_examples_in_the_manual_pages_are_whole() {
    for command in commands() {
        let page = printed(&["man", &command]);
        let (_, example) = page.split_once("\n.SH EXTRA\n.nf\n").unwrap();
        let (example, _) = example.split_once("\n.fi\n.SH VERSION\n").unwrap();
        let example = example.replace("\\-", "-").replace("\\*(Aq", "'").replace("\\\\", "\\");
        let help = help(&[&command, "--help"], "500");
        assert!(help.ends_with(&format!("\n{example}\n")), "{page}\n{help}");
    }
}

#[test]
fn each_format_says_what_it_is() {
    for command in commands() {
        let help = help(&[&command, "--help"], "500");
        let formats = help.lines().filter(|line| line.trim_start().starts_with("- "));
        assert_eq!(formats.filter(|line| line.contains("same as")).count(), 0, "{help}");
    }
    assert!(help(&["coverage", "--help"], "500").contains("- json:  One object for each account\n"));
}

#[test]
fn a_closed_pipe_is_no_error() {
    let function = "arn:aws:lambda:us-east-1:111122223333:function:x";
    for arguments in [&["completions", "bash"][..], &["man", "scan"], &["pack", "--function-arn", function]] {
        let mut command = Command::new(command_line());
        command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(child.wait().unwrap().success() && !error.contains("panicked"), "{error}");

        // And where nobody reads errors either.
        let mut child = command.arg("--no-such-option").spawn().unwrap();
        drop((child.stdout.take(), child.stderr.take()));
        assert_eq!(child.wait().unwrap().code(), Some(2));
        let mut child =
            Command::new(command_line()).args(arguments).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        drop(child.stderr.take());
        assert!(child.wait().unwrap().success());
    }
}
