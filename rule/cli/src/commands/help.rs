//! The help in three forms: `--help`, `man` and `completions`. Each is made of the whole program, which `main` passes.

use crate::{command_result::CommandResult, output::destination};
use anyhow::{Context, anyhow};
use clap::{Arg, Command};
use clap_complete::Shell;
use clap_mangen::Man;

/// clap's own template, without the text after the help.
const TEMPLATE: &str = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}";

/// Print a script that lets your shell complete commands and options.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    access-key-rotation completions bash > ~/.local/share/bash-completion/completions/access-key-rotation")]
pub(crate) struct CompletionsArgs {
    /// Your shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Print the manual page of this program, or of one of its commands.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    access-key-rotation man scan > ~/.local/share/man/man1/access-key-rotation-scan.1")]
pub(crate) struct ManArgs {
    /// The command. Leave it out for the page of the program, which lists all commands
    command: Option<String>,
}

/// The program as it reads its arguments: `man` knows the commands, and the examples in the help stay whole.
pub(crate) fn complete(program: Command) -> Command {
    let names: Vec<_> = program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let name = move |text: &str| {
        let known = names.iter().find(|name| *name == text).cloned();
        known.ok_or_else(|| anyhow!("the commands are {}", names.join(", ")))
    };
    with_whole_examples(program.mut_subcommand("man", |man| man.mut_arg("command", |arg: Arg| arg.value_parser(name))))
}

/// clap wraps the text after the help at the terminal's width, and an example with a line end in it does something else than it
/// shows. It leaves the literal text of a template alone, so the examples go there.
fn with_whole_examples(command: Command) -> Command {
    let command = command.mut_subcommands(with_whole_examples);
    match command.get_after_help().map(ToString::to_string) {
        Some(example) => command.help_template(format!("{TEMPLATE}\n\n{example}")),
        None => command,
    }
}

pub(crate) async fn completions(args: CompletionsArgs, mut program: Command) -> anyhow::Result<CommandResult> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "access-key-rotation", &mut script);
    // clap_complete spells a name with hyphens in two ways, so bash completes nothing after a command (clap issue 6421).
    let script =
        String::from_utf8_lossy(&script).replace("access__subcmd__key__subcmd__rotation", "access__key__rotation");
    destination::print(script).await?;
    Ok(CommandResult::default())
}

pub(crate) async fn man(args: ManArgs, mut program: Command) -> anyhow::Result<CommandResult> {
    program.build();
    let command = match args.command {
        Some(name) => program.find_subcommand(&name).context("no such command")?.clone(),
        None => program,
    };
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    // roff fills paragraphs, which would break the examples.
    let page = String::from_utf8_lossy(&page)
        .replace(".SH EXTRA\n", ".SH EXTRA\n.nf\n")
        .replace(".SH VERSION\n", ".fi\n.SH VERSION\n");
    destination::print(page).await?;
    Ok(CommandResult::default())
}
