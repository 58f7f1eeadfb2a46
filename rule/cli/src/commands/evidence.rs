//! `evidence`: one document for an auditor.

mod verify;

use crate::{
    args::{function::function, outputs::Outputs, scope::Scope},
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
    after_help = "Example:\n  access-key-rotation evidence --profile security --organization --output evidence.html --output evidence.json\n  \
                  access-key-rotation evidence --verify evidence.html evidence.json"
)]
#[command(mut_arg("format", |arg| arg.value_parser(one_of(FORMATS))))]
pub(crate) struct Args {
    /// Show what is fixed, new and still open since this earlier document, or scan, in JSON
    #[arg(long, value_name = "EARLIER.json")]
    since: Option<PathBuf>,
    /// Find the rule in each account by this function: a name in the current account, or an ARN
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = function)]
    function_name: String,
    #[command(flatten)]
    outputs: Outputs,
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
    let Args { since, function_name, outputs, population, verify, scope } = args;
    if !verify.is_empty() {
        return verify::run(verify).await;
    }
    let outputs = outputs.open(FORMATS)?;
    let population = population.map(|path| Output::open(Some(&path))).transpose()?;
    if let Some(population) = &population
        && outputs.iter().any(|output| output.is_same_file(population))
    {
        bail!("--output and --population name the same file. Name two files");
    }
    let session = scope.connection.open().await?;
    let reader = Reader::Auditor { function: &function_name };
    let result = scan_accounts(&session, &scope, since.as_deref(), reader).await?;
    let command_result = result.command_result();
    let evidence = Arc::new(Evidence::new(result, &session, &scope, population.is_some())?);
    if let Some(population) = population {
        let evidence = Arc::clone(&evidence);
        population.write(move |out| population::write(&evidence.result.findings, out)).await?;
    }
    outputs
        .write(move |format, out| match format {
            Format::Json => json::write_evidence(&evidence, out),
            _ => html::write(&evidence.result, Some(&evidence), out),
        })
        .await?;
    Ok(command_result)
}
