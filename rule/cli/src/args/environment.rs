//! Options from the environment: `ACCESS_KEY_ROTATION_` and the option's name.

use clap::{Arg, ArgAction, Command, Error, builder::BoolishValueParser, error::ErrorKind};
use std::env;

/// What a pipeline sets once: how to reach the accounts, which they are, and what is judged how. Not what differs from run to run, such as
/// files, formats and filters, and nothing that makes a command write to AWS.
const OPTIONS: [&str; 18] = [
    "account",
    "calls-per-second",
    "color",
    "exclude",
    "function-name",
    "grace-days",
    "max-access-key-age",
    "max-exemption-days",
    "organization",
    "owner-tag",
    "production-tag",
    "profile",
    "quiet-days",
    "region",
    "role-name",
    "rotate-after-days",
    "settle-days",
    "warn-before-days",
];
/// What chooses accounts. `exempt` writes to them, so there somebody says it.
const ACCOUNTS: [&str; 3] = ["account", "exclude", "organization"];

/// How to reach AWS, and which accounts. With `--credential-report`, a scan calls nothing.
const OF_AWS: [&str; 8] =
    ["account", "calls-per-second", "exclude", "function-name", "organization", "profile", "region", "role-name"];

/// The program whose options also come from the environment.
pub(crate) fn with_environment(program: Command) -> Command {
    // It compares files, and takes no other option.
    if is_given("--verify") {
        return program;
    }
    let is_offline = is_given("--credential-report");
    program.mut_subcommands(|command| {
        let is_taken = {
            let command = command.get_name().to_owned();
            // The pack is deployed to all accounts, so its parameters stand in its command.
            move |option: &str| {
                let is_of_no_use = command == "pack"
                    || command == "exempt" && ACCOUNTS.contains(&option)
                    || is_offline && OF_AWS.contains(&option);
                OPTIONS.contains(&option) && !is_of_no_use
            }
        };
        command.mut_args(|arg| match arg.get_long() {
            Some(option) if is_taken(option) => of_variable(arg),
            _ => arg,
        })
    })
}

/// Whether somebody passes an option that takes a value.
fn is_given(option: &str) -> bool {
    let is_it = |arg: &str| arg.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
    env::args_os().any(|arg| arg.to_str().is_some_and(is_it))
}

/// The variable of an option.
fn variable(option: &str) -> String {
    format!("ACCESS_KEY_ROTATION_{}", option.replace('-', "_").to_uppercase())
}

fn of_variable(arg: Arg) -> Arg {
    let name = variable(arg.get_long().unwrap_or_default());
    let value = env::var(&name).unwrap_or_default();
    let is_flag = matches!(arg.get_action(), ArgAction::SetTrue);
    // A flag that is off is not set. For clap, it would be.
    let is_off = is_flag && ["0", "f", "false", "n", "no", "off"].contains(&value.to_lowercase().as_str());
    if env::var_os(&name).is_some_and(|value| value.is_empty()) || is_off {
        return arg;
    }
    let arg = if is_flag { arg.value_parser(BoolishValueParser::new()) } else { arg };
    let arg = if matches!(arg.get_action(), ArgAction::Append) { arg.value_delimiter(',') } else { arg };
    arg.env(name).hide_env_values(true)
}

/// The variables that have to do with a wrong usage, a line each.
pub(crate) fn notes(error: &Error) -> Vec<String> {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return Vec::new();
    }
    let text = error.to_string();
    let is_set = |name: &String| env::var_os(name).is_some_and(|value| !value.is_empty());
    let set = OPTIONS.into_iter().map(|option| (option, variable(option))).filter(|(_, name)| is_set(name));
    set.filter(|(option, _)| text.contains(&format!("--{option}")))
        .map(|(option, name)| format!("note: the environment has {name}, which stands for --{option}"))
        .collect()
}
