//! Examples in the help that stay whole, so that they work when pasted.

use clap::Command;

/// clap's own template, without the text after the help.
const TEMPLATE: &str = "{before-help}{about-with-newline}\n{usage-heading} {usage}\n\n{all-args}";

/// clap wraps the text after the help at the terminal's width, and an example with a line end in it does something else than it
/// shows. It leaves the literal text of a template alone, so the examples go there.
pub(crate) fn with_whole_examples(command: Command) -> Command {
    let command = command.mut_subcommands(with_whole_examples);
    match command.get_after_help().map(ToString::to_string) {
        Some(example) => command.help_template(format!("{TEMPLATE}\n\n{example}")),
        None => command,
    }
}
