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

/// The program whose options also come from the environment.
pub(crate) fn with_environment(program: Command) -> Command {
    program.mut_subcommands(|command| {
        let is_taken = {
            let command = command.get_name().to_owned();
            // The pack is deployed to all accounts, so its parameters stand in its command.
            move |option: &str| {
                OPTIONS.contains(&option) && command != "pack" && (command != "exempt" || !ACCOUNTS.contains(&option))
            }
        };
        command.mut_args(|arg| match arg.get_long() {
            Some(option) if is_taken(option) => of_variable(arg),
            _ => arg,
        })
    })
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
    let (named, others): (Vec<_>, Vec<_>) = set.partition(|(option, _)| text.contains(&format!("--{option}")));
    // An option that stands alone conflicts with all others, and names none.
    let is_unnamed = named.is_empty() && error.kind() == ErrorKind::ArgumentConflict;
    let notes = if is_unnamed { others } else { named };
    notes
        .iter()
        .map(|(option, name)| format!("note: the environment has {name}, which stands for --{option}"))
        .collect()
}
