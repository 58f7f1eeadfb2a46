//! How much a command says on standard error.

use crate::output::messages::Level;
use clap::{ArgMatches, FromArgMatches};

#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Verbosity {
    /// Say nothing on standard error but errors: no progress, and no note of what CSV has no place for
    #[arg(long, short, conflicts_with = "verbose")]
    quiet: bool,
    /// Say each account, each call of AWS and each wait on standard error
    #[arg(long, short)]
    verbose: bool,
}

/// What the arguments of a command say, if it has the options.
pub(crate) fn level(arguments: &ArgMatches) -> Level {
    // Without the options, this has nothing to read.
    let has_options = matches!(arguments.try_contains_id("quiet"), Ok(true | false));
    let verbosity = if has_options { Verbosity::from_arg_matches(arguments).ok() } else { None };
    match verbosity {
        Some(Verbosity { quiet: true, .. }) => Level::Quiet,
        Some(Verbosity { verbose: true, .. }) => Level::Verbose,
        _ => Level::Usual,
    }
}
