//! Where a command writes, and in which format.

use crate::output::{Format, destination::Output};
use anyhow::bail;
use clap::ValueEnum;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

/// The formats are those of the command: it passes them to `mut_arg` and to [`Outputs::open`].
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Outputs {
    /// Print in this format. A file has the format that its name says: .html, .csv, .json, .md, .txt
    #[arg(long)]
    format: Option<Format>,
    /// Write to this file instead of standard output. Pass it again for a second file in another format
    #[arg(long, short, value_name = "FILE")]
    output: Vec<PathBuf>,
}

/// Open outputs, each in its format.
pub(crate) struct Opened(Vec<(Format, Output)>);

impl Outputs {
    /// Opens the outputs. Call this first, so that a wrong name does not cost a long scan. The first of the command's formats is that
    /// of standard output.
    ///
    /// # Errors
    /// If a file's name does not say its format, if two outputs are the same file, or if a file cannot be written.
    pub(crate) fn open(&self, formats: &[(Format, &str)]) -> anyhow::Result<Opened> {
        if let (Some(format), [_, _, ..]) = (self.format, &self.output[..]) {
            bail!(
                "--format {}: pass it with one --output only. The names of several files say their formats",
                name(format)
            );
        }
        let formats: Vec<_> = formats.iter().map(|(format, _)| *format).collect();
        let named = self.output.iter().map(|path| {
            let format = self.format.map_or_else(|| of_name(path, &formats), Ok)?;
            Ok((format, path))
        });
        // Before any of them is opened.
        let named: Vec<_> = named.collect::<anyhow::Result<_>>()?;
        let mut outputs: Vec<(Format, Output)> = Vec::new();
        for (format, path) in named {
            let output = Output::open(Some(path))?;
            if outputs.iter().any(|(_, other)| other.is_same_file(&output)) {
                bail!("--output {}: the same file twice", path.display());
            }
            outputs.push((format, output));
        }
        if outputs.is_empty() {
            let format = self.format.or(formats.first().copied()).unwrap_or(Format::Table);
            outputs.push((format, Output::Standard));
        }
        Ok(Opened(outputs))
    }
}

impl Opened {
    /// Whether one of the outputs has one of these formats.
    pub(crate) fn has(&self, formats: &[Format]) -> bool {
        self.0.iter().any(|(format, _)| formats.contains(format))
    }

    /// Whether standard output is the only one.
    pub(crate) fn is_standard(&self) -> bool {
        self.iter().any(|output| matches!(output, Output::Standard))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Output> {
        self.0.iter().map(|(_, output)| output)
    }

    /// Writes all outputs, also if one of them cannot be written.
    ///
    /// # Errors
    /// The first one.
    pub(crate) async fn write<W>(self, render: W) -> anyhow::Result<()>
    where
        W: Fn(Format, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    {
        let render = Arc::new(render);
        let mut written = Ok(());
        for (format, output) in self.0 {
            let render = Arc::clone(&render);
            written = written.and(output.write(move |out| render(format, out)).await);
        }
        written
    }
}

/// The format that the name's extension says.
fn of_name(path: &Path, formats: &[Format]) -> anyhow::Result<Format> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let is_it =
        |format: &&Format| extension.as_deref().is_some_and(|extension| extensions(**format).contains(&extension));
    match formats.iter().find(is_it) {
        Some(format) => Ok(*format),
        None => {
            let known: Vec<_> = formats.iter().filter_map(|format| extensions(*format).first().copied()).collect();
            bail!("--output {}: end its name with .{}, or pass --format", path.display(), known.join(", ."))
        }
    }
}

fn extensions(format: Format) -> &'static [&'static str] {
    match format {
        Format::Table => &["txt"],
        Format::Markdown => &["md"],
        Format::Json => &["json"],
        Format::Csv => &["csv"],
        Format::Html => &["html", "htm"],
    }
}

fn name(format: Format) -> String {
    format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}
