//! What to try from another terminal.

use crate::{command_line::CommandLine, organization::Organization, rotating::SECRET};
use chrono::TimeDelta;
use deployment::RULE;
use local_aws::{REGION, World};
use std::path::Path;

/// The shell in which the user pastes the commands.
#[derive(Clone, Copy)]
enum Shell {
    Posix,
    PowerShell,
}

impl Shell {
    /// That of most people on this system.
    fn of_system() -> Shell {
        if cfg!(windows) { Shell::PowerShell } else { Shell::Posix }
    }

    fn set(self, variables: &[(&str, String)]) -> String {
        match self {
            Shell::Posix => {
                variables.iter().fold("export".to_owned(), |line, (name, value)| format!("{line} {name}={value}"))
            }
            Shell::PowerShell => {
                let set: Vec<_> = variables.iter().map(|(name, value)| format!("$env:{name} = '{value}'")).collect();
                set.join("; ")
            }
        }
    }

    /// Makes a name that the shell knows for a program at any place.
    fn name(self, program: &Path) -> String {
        let program = program.display().to_string();
        match self {
            Shell::Posix => format!("alias access-key-rotation={}", quoted(&quoted(&program))),
            Shell::PowerShell => format!("Set-Alias access-key-rotation '{}'", program.replace('\'', "''")),
        }
    }

    fn take_back(self, variables: &[(&str, String)]) -> String {
        let names = variables.iter().map(|(name, _)| *name);
        match self {
            Shell::Posix => {
                format!("unset {}; unalias access-key-rotation", names.collect::<Vec<_>>().join(" "))
            }
            Shell::PowerShell => {
                let names: Vec<_> = names.map(|name| format!("Env:{name}")).collect();
                format!("Remove-Item {}, Alias:access-key-rotation", names.join(", "))
            }
        }
    }
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Says what to paste. Each line that begins with two spaces is a command.
pub(crate) fn text(
    world: &mut World,
    organization: &Organization,
    command_line: &CommandLine,
    endpoint: &str,
) -> String {
    let shell = Shell::of_system();
    let (hub, last) = (organization.hub(), organization.last());
    let until = (world.now() + TimeDelta::days(30)).date_naive();
    let variables = [
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{hub}")),
        ("AWS_SECRET_ACCESS_KEY", "any".to_owned()),
        ("ACCESS_KEY_ROTATION_CALLS_PER_SECOND", "1000".to_owned()),
    ];
    let exemption = organization.in_violation(world).map_or_else(String::new, |user| {
        format!(
            "Exempt a user of your account who has a stale key, and see that it holds:\n  \
               access-key-rotation exempt {user} --until {until} --owner platform\n  \
               access-key-rotation exempt --list\n"
        )
    });
    let (set, take_back) = (shell.set(&variables), shell.take_back(&variables));
    let name = shell.name(command_line.path());
    format!(
        "\nTry more. AWS is up until you press Ctrl-C here. Open another terminal, and paste these lines first:\n  \
           {set}\n  \
           {name}\n\
         They make you the administrator of account {hub}: an access key id here ends in the id of its account.\n\
         The last one lets the command line hurry, since nobody else uses this IAM.\n\n\
         Scan every account of the organization:\n  \
           access-key-rotation scan --organization\n\
         See who uses the stale keys of your account, from where, and what could replace them:\n  \
           access-key-rotation where\n\
         Plan rotations that break nothing:\n  \
           access-key-rotation plan --organization\n\
         {exemption}\
         See when AWS Config last evaluated the rule in each account:\n  \
           access-key-rotation coverage --organization\n\
         Find out where the rule cannot work. The demo has just stopped AWS Config's recorder in account {last}:\n  \
           access-key-rotation doctor --organization\n\
         With the AWS CLI, see what AWS Config holds for your account, and the secret that has the new key:\n  \
           aws configservice get-compliance-details-by-config-rule --config-rule-name {RULE} \
           --compliance-types NON_COMPLIANT\n  \
           aws secretsmanager get-secret-value --secret-id {SECRET}\n\
         When you have finished, paste this line. Otherwise, your AWS CLI goes on to ask the demo:\n  \
           {take_back}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_in_powershell_is_taken_back() {
        let variables = [("A", "http://127.0.0.1:1".to_owned()), ("B", "any".to_owned())];
        let shell = Shell::PowerShell;
        assert_eq!(shell.set(&variables), "$env:A = 'http://127.0.0.1:1'; $env:B = 'any'");
        assert_eq!(
            shell.name(Path::new(r"C:\Anna's tools\access-key-rotation.exe")),
            r"Set-Alias access-key-rotation 'C:\Anna''s tools\access-key-rotation.exe'"
        );
        assert_eq!(shell.take_back(&variables), "Remove-Item Env:A, Env:B, Alias:access-key-rotation");
    }

    #[test]
    fn an_alias_holds_a_program_at_any_place() {
        let name = |path| Shell::Posix.name(Path::new(path));
        assert_eq!(name("/opt/x-1.0/access-key-rotation"), "alias access-key-rotation=/opt/x-1.0/access-key-rotation");
        assert_eq!(name("/my tools/a"), r"alias access-key-rotation=''\''/my tools/a'\'''");
    }
}
