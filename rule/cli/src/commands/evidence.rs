//! `evidence`: one document for an auditor.

mod verify;

use crate::{
    args::{function::function, scope::Scope},
    command_result::CommandResult,
    findings::organization_scan::{Reader, scan_accounts},
    output::{Format, destination::Output, evidence::Evidence, html, json, one_of, population},
};
use anyhow::bail;
use std::{path::PathBuf, sync::Arc};

const FORMATS: &[(Format, &str)] =
    &[(Format::Html, "A page for your browser, which you can print"), (Format::Json, "The data")];

/// Write one document for an auditor: violations, exemptions, and what is unknown in your accounts.
///
/// It also has the control and its numbers in several standards, the coverage of each account, who read it and when, and a hash over
/// its data. It makes about twice the calls of a scan.
///
/// Exit status: 0 - no violations, or every verified file is right; 1 - failed or incomplete; 2 - wrong usage; 3 - violations found, or a
/// verified file is wrong.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  access-key-rotation evidence --profile security --organization --output evidence.html --data evidence.json\n  \
                  access-key-rotation evidence --verify evidence.html evidence.json"
)]
pub(crate) struct Args {
    /// Show what is fixed, new and still open since this earlier document, or scan, in JSON
    #[arg(long, value_name = "EARLIER.json")]
    since: Option<PathBuf>,
    /// Find the rule in each account by this function: a name in the current account, or an ARN
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = function)]
    function_name: String,
    /// Print in this format
    #[arg(long, value_parser = one_of(FORMATS), default_value = "html")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also write the data to this file as JSON. It has the hash that the page shows
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Also write every user who was evaluated to this file as CSV, for an auditor's sample. The data has its hash
    #[arg(long, value_name = "FILE")]
    population: Option<PathBuf>,
    /// Check these files without calling AWS: the data against its hash, the page and the population against the data
    #[arg(long, value_name = "FILE", num_args = 1.., exclusive = true)]
    verify: Vec<PathBuf>,
    #[command(flatten)]
    scope: Scope,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let Args { since, function_name, format, output, data, population, verify, scope } = args;
    if !verify.is_empty() {
        return verify::run(verify).await;
    }
    let files = [("--output", &output), ("--data", &data), ("--population", &population)];
    for (number, (option, file)) in files.iter().enumerate() {
        if let Some((other, _)) = files[..number].iter().find(|(_, other)| file.is_some() && other == file) {
            bail!("{other} and {option} name the same file. Name two files");
        }
    }
    let output = Output::open(output.as_deref())?;
    let [data, population] = [data, population].map(|path| path.map(|path| Output::open(Some(&path))).transpose());
    let (data, population) = (data?, population?);
    let session = scope.connection.open().await?;
    let reader = Reader::Auditor { function: &function_name };
    let result = scan_accounts(&session, &scope, since.as_deref(), reader).await?;
    let command_result = result.command_result();
    let evidence = Arc::new(Evidence::new(result, &session, &scope, population.is_some())?);
    if let Some(data) = data {
        let evidence = Arc::clone(&evidence);
        data.write(move |out| json::write_evidence(&evidence, out)).await?;
    }
    if let Some(population) = population {
        let evidence = Arc::clone(&evidence);
        population.write(move |out| population::write(&evidence.result.findings, out)).await?;
    }
    output
        .write(move |out| match format {
            Format::Json => json::write_evidence(&evidence, out),
            _ => html::write(&evidence.result, Some(&evidence), out),
        })
        .await?;
    Ok(command_result)
}
