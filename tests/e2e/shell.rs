//! What the command line says of itself: completions, manual pages, help.

use crate::cli::command_line;
use std::{
    io::{Read, Write},
    process::{Command, Output, Stdio},
};

fn run(arguments: &[&str]) -> Output {
    Command::new(command_line()).args(arguments).env_clear().output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that `--help` lists.
fn commands() -> Vec<String> {
    let help = printed(&["--help"]);
    let (_, list) = help.split_once("Commands:\n").unwrap();
    let (list, _) = list.split_once("\n\n").unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
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

    let mut check = Command::new("bash").arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let check = check.wait_with_output().unwrap();
    assert!(check.status.success() && check.stderr.is_empty(), "{check:?}");
}

#[test]
fn other_shells_have_their_scripts() {
    for (shell, begins) in [
        ("zsh", "#compdef access-key-rotation\n"),
        ("fish", "# Print an optspec"),
        ("powershell", "\nusing namespace System.Management.Automation"),
        ("elvish", "\nuse builtin"),
    ] {
        let script = printed(&["completions", shell]);
        assert!(script.starts_with(begins), "{shell}: {script:.200}");
        assert!(script.contains("evaluate") && script.contains("max-access-key-age"), "{shell}");
    }
    assert_eq!(run(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn each_command_has_a_manual_page() {
    let program = printed(&["man"]);
    let pages = commands().into_iter().map(|command| {
        let name = format!("access-key-rotation-{command}").replace('-', "\\-");
        assert!(program.contains(&format!("{name}(1)")), "{command} is not in the page of the program");
        let page = printed(&["man", &command]);
        assert!(page.contains(&format!("\n.TH access-key-rotation-{command} 1 ")), "{page:.300}");
        page
    });
    for page in pages.chain([program.clone()]) {
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH DESCRIPTION", ".SH OPTIONS"] {
            assert!(page.contains(&format!("\n{section}\n")), "{section}");
        }
    }
    let output = run(&["man", "sacn"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the commands are scan, "));
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
