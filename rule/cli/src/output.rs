//! Output formats and destinations.

pub(crate) mod aws_cli;
pub(crate) mod callers;
pub(crate) mod columns;
pub(crate) mod csv;
pub(crate) mod destination;
pub(crate) mod evidence;
pub(crate) mod html;
pub(crate) mod json;
pub(crate) mod look;
pub(crate) mod markdown;
pub(crate) mod messages;
pub(crate) mod population;
pub(crate) mod shell;
pub(crate) mod table;
pub(crate) mod visible;

use clap::{
    ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};

/// All output formats. Each command has some of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Table,
    Markdown,
    Json,
    Csv,
    Html,
}

/// Takes a command's formats, with what the help says about each.
pub(crate) fn one_of(formats: &[(Format, &'static str)]) -> impl TypedValueParser<Value = Format> {
    let named = formats.iter().filter_map(|(format, help)| Some(format.to_possible_value()?.help(*help)));
    PossibleValuesParser::new(named).try_map(|name| Format::from_str(&name, false))
}
