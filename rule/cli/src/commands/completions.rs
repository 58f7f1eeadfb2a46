//! `completions`: a completion script for the shell.

use crate::{Cli, outcome::Outcome, output::destination};
use clap::CommandFactory;
use clap_complete::Shell;

/// Print a script that lets your shell complete commands and options.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    access-key-rotation completions bash > ~/.local/share/bash-completion/completions/access-key-rotation")]
pub(crate) struct Args {
    /// Your shell
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "access-key-rotation", &mut script);
    // clap_complete spells a name with hyphens in two ways, so bash completes nothing after a command (clap issue 6421).
    let script =
        String::from_utf8_lossy(&script).replace("access__subcmd__key__subcmd__rotation", "access__key__rotation");
    destination::print(script).await?;
    Ok(Outcome::default())
}
