//! How wide a terminal is, and whether text in it has colors.

use clap::ValueEnum;
use std::{
    env,
    io::{IsTerminal, stdout},
};
use terminal_size::{Width, terminal_size};

/// When to use colors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    Always,
    Never,
}

/// How a table is to look.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Look {
    /// In characters; `None` for a file or a pipe, which have room for everything.
    pub(crate) width: Option<usize>,
    pub(crate) color: bool,
}

impl Look {
    /// As the terminal has it, if the output goes there. `is_standard`: to standard output, not to a file.
    pub(crate) fn of(is_standard: bool, color: Color) -> Look {
        let is_terminal = is_standard && stdout().is_terminal();
        let width = terminal_size().filter(|_| is_terminal).map(|(Width(width), _)| width.into());
        // Any text but an empty one, as https://no-color.org says.
        let is_unwanted = env::var_os("NO_COLOR").is_some_and(|set| !set.is_empty());
        let color = match color {
            Color::Auto => is_terminal && !is_unwanted,
            Color::Always => true,
            Color::Never => false,
        };
        Look { width, color }
    }
}
