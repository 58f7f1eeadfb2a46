//! The command line: the rule's verdicts in a terminal, without AWS Config.

/// Options that several commands take.
mod args {
    pub(crate) mod connection;
    pub(crate) mod environment;
    pub(crate) mod filter;
    pub(crate) mod function;
    pub(crate) mod order;
    pub(crate) mod outputs;
    mod profile;
    pub(crate) mod rule_options;
    pub(crate) mod runbook_days;
    pub(crate) mod scope;
    pub(crate) mod targets;
    pub(crate) mod verbosity;
}

/// Who calls with an access key, as far as CloudTrail's events say so.
mod callers {
    pub(crate) mod address;
    pub(crate) mod agent;
    pub(crate) mod chosen;
    mod event;
    pub(crate) mod history;
    pub(crate) mod key_history;
    pub(crate) mod lookup;
    mod note;
    pub(crate) mod regions;
    pub(crate) mod replacement;
    pub(crate) mod rows;
    pub(crate) mod tagging;
}

/// One file for each command.
mod commands {
    pub(crate) mod coverage;
    pub(crate) mod doctor;
    pub(crate) mod evaluate;
    pub(crate) mod evidence;
    pub(crate) mod exempt;
    pub(crate) mod help;
    pub(crate) mod pack;
    pub(crate) mod plan;
    pub(crate) mod scan;
    pub(crate) mod where_used;
}

/// The results of a scan of accounts or credential reports, and how they differ from an earlier scan.
mod findings {
    pub(crate) mod board;
    pub(crate) mod comparison;
    pub(crate) mod credential_listing;
    pub(crate) mod exemptions;
    pub(crate) mod filtered;
    pub(crate) mod finding;
    pub(crate) mod organization_scan;
    pub(crate) mod other_credentials;
    pub(crate) mod progress;
    pub(crate) mod record;
    pub(crate) mod records;
    pub(crate) mod report_scan;
    pub(crate) mod rotation;
    pub(crate) mod rule_parameters;
    pub(crate) mod scan_result;
    pub(crate) mod to_do;
}

mod command_result;
mod manual;
mod output;

use args::{
    environment::{self, with_environment},
    verbosity,
};
use clap::{CommandFactory, Error, FromArgMatches, Parser, Subcommand};
use command_result::CommandResult;
use commands::{coverage, doctor, evaluate, evidence, exempt, help, pack, plan, scan, where_used};
use output::messages::{self, Level};
use std::{env, io::Write, process::ExitCode};
use tokio::signal::ctrl_c;

/// Find old IAM access keys, and see what to do about each. Only `exempt` changes anything in AWS.
#[derive(Parser)]
#[command(
    name = "access-key-rotation",
    version,
    propagate_version = true,
    after_help = "Start with a scan of your account:\n  access-key-rotation scan"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Scan(scan::Args),
    Doctor(doctor::Args),
    Coverage(coverage::Args),
    Evidence(evidence::Args),
    Plan(plan::Args),
    Where(where_used::Args),
    Evaluate(evaluate::Args),
    Exempt(exempt::Args),
    Pack(pack::Args),
    Completions(help::CompletionsArgs),
    Man(help::ManArgs),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut program = with_environment(help::complete(Cli::command()));
    let parsed = program.try_get_matches_from_mut(env::args_os()).and_then(|arguments| {
        let (_, of_command) = arguments.subcommand().unzip();
        messages::set(of_command.map_or(Level::Usual, verbosity::level));
        Cli::from_arg_matches(&arguments).map_err(|error| error.format(&mut program))
    });
    let Cli { command } = match parsed {
        Ok(cli) => cli,
        Err(error) => return explained(&error),
    };
    let run = async {
        match command {
            Command::Scan(args) => scan::run(args).await,
            Command::Doctor(args) => doctor::run(args).await,
            Command::Coverage(args) => coverage::run(args).await,
            Command::Evidence(args) => evidence::run(args).await,
            Command::Plan(args) => plan::run(args).await,
            Command::Where(args) => where_used::run(args).await,
            Command::Evaluate(args) => evaluate::run(args).await,
            Command::Exempt(args) => exempt::run(args).await,
            Command::Pack(args) => pack::run(args).await,
            Command::Completions(args) => help::completions(args, Cli::command()).await,
            Command::Man(args) => help::man(args, Cli::command()).await,
        }
    };
    let result = tokio::select! {
        result = run => result,
        // `select!` has dropped the command's future, and with it the unfinished file. The exit does not wait for threads that
        // still write.
        Ok(()) = ctrl_c() => std::process::exit(130),
    };
    let CommandResult { errors, violations } =
        result.unwrap_or_else(|error| CommandResult { errors: vec![format!("{error:#}")], violations: false });
    for error in &errors {
        // A closed standard error is no reason to panic.
        let _ = writeln!(std::io::stderr(), "access-key-rotation: {error}");
    }
    if !errors.is_empty() {
        ExitCode::from(1)
    } else if violations {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}

/// Prints the help, or what is wrong with the arguments and which of them come from the environment.
fn explained(error: &Error) -> ExitCode {
    // A closed standard error is no reason to panic.
    let _ = error.print();
    for note in environment::notes(error) {
        let _ = writeln!(std::io::stderr(), "\n{note}");
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}
