//! The rule's parameters as options, generated from their table.

use clap::{Arg, ArgMatches, Command, Error, FromArgMatches, builder::ValueParser, error::ErrorKind};
use policy::parameters::{PARAMETERS, Parameter, Parameters, Takes};
use serde_json::{Map, Value};

/// The options of a command that evaluates users. With `DELIVERY`, also those for the delivery of results.
#[derive(Clone, Debug)]
pub(crate) struct RuleOptions<const DELIVERY: bool> {
    pub(crate) parameters: Parameters,
    /// Each parameter with its value or default.
    pub(crate) values: Vec<(&'static Parameter, String)>,
}

fn parameters(delivery: bool) -> impl Iterator<Item = &'static Parameter> {
    PARAMETERS.iter().filter(move |parameter| delivery || parameter.name != "deliver")
}

/// `max-access-key-age` for `maxAccessKeyAge`.
fn option_name(parameter: &Parameter) -> String {
    let letter = |c: char| if c.is_ascii_uppercase() { format!("-{}", c.to_ascii_lowercase()) } else { c.to_string() };
    parameter.name.chars().map(letter).collect()
}

impl<const DELIVERY: bool> clap::Args for RuleOptions<DELIVERY> {
    fn augment_args(command: Command) -> Command {
        command.args(parameters(DELIVERY).map(|parameter| {
            let (value_name, allowed) = match parameter.takes {
                Takes::Days { least, most, .. } => ("DAYS", format!("{least} to {most}")),
                Takes::OneOf(words) => ("WHICH", words.join(" or ")),
            };
            Arg::new(parameter.name)
                .long(option_name(parameter))
                .value_name(value_name)
                .help(format!("{} ({allowed})", parameter.help))
                .help_heading("Rule parameters")
                .default_value(parameter.default())
                .value_parser(ValueParser::new(|value: &str| parameter.check(value)))
        }))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<const DELIVERY: bool> FromArgMatches for RuleOptions<DELIVERY> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let value = |parameter: &'static Parameter| {
            (parameter, matches.get_one::<String>(parameter.name).cloned().unwrap_or_default())
        };
        let values: Vec<_> = parameters(DELIVERY).map(value).collect();
        let given: Map<_, _> =
            values.iter().map(|(parameter, value)| (parameter.name.to_owned(), value.as_str().into())).collect();
        let parameters = Parameters::parse(Some(&Value::Object(given).to_string()));
        let parameters = parameters.map_err(|error| Error::raw(ErrorKind::InvalidValue, error))?;
        Ok(RuleOptions { parameters, values })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
