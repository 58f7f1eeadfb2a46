//! The command line: the rule's verdicts for people, without AWS Config.

mod output;
mod scan;

use clap::{Parser, Subcommand};
use std::{
    io::{self, Write},
    process::ExitCode,
};

/// Tells which IAM users hold access keys that are too old, and what to do about it.
#[derive(Parser)]
#[command(name = "access-key-rotation", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Scan(scan::Args),
}

/// What a command came to.
struct Outcome {
    /// For standard output.
    text: String,
    /// What went wrong, for standard error.
    errors: Vec<String>,
    /// Whether there are violations.
    violations: bool,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let Cli { command: Command::Scan(args) } = Cli::parse();
    let outcome = scan::run(&args).await.unwrap_or_else(|error| Outcome {
        text: String::new(),
        errors: vec![error],
        violations: false,
    });
    // Whoever closes the pipe has seen enough.
    if let Err(error) = io::stdout().write_all(outcome.text.as_bytes())
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        eprintln!("access-key-rotation: standard output: {error}");
        return ExitCode::from(1);
    }
    for error in &outcome.errors {
        eprintln!("access-key-rotation: {error}");
    }
    match (outcome.errors.is_empty(), outcome.violations) {
        (false, _) => ExitCode::from(1),
        (true, true) => ExitCode::from(3),
        (true, false) => ExitCode::SUCCESS,
    }
}
