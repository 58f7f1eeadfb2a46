//! `man`: the help as manual pages.

use crate::{Cli, outcome::Outcome, output::destination};
use anyhow::{Context, bail};
use clap::{Command, CommandFactory};
use clap_mangen::Man;

/// Print the manual page of this program, or of one of its commands.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    access-key-rotation man scan > ~/.local/share/man/man1/access-key-rotation-scan.1")]
pub(crate) struct Args {
    /// The command. Leave it out for the page of the program, which lists all commands
    #[arg(value_parser = command_name)]
    command: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let mut program = Cli::command();
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
    Ok(Outcome::default())
}

fn command_name(text: &str) -> anyhow::Result<String> {
    let program = Cli::command();
    let names: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
    match names.contains(&text) {
        true => Ok(text.to_owned()),
        false => bail!("the commands are {}", names.join(", ")),
    }
}
