//! `evaluate`: rehearses one event with the rule's own handler.

mod sample;

use crate::{
    args::connection::{Connection, Session},
    command_result::CommandResult,
    output::{
        Format,
        columns::{self, left},
        destination::{self, Output},
        one_of,
    },
};
use access_key_rotation::{
    config_service::delivery::Destination,
    handler::{Invocation, handle},
    metrics::Metrics,
};
use anyhow::{Context, anyhow, bail};
use aws_sdk_config::types::{ComplianceType, Evaluation};
use chrono::{DateTime, SecondsFormat};
use clap::builder::PossibleValuesParser;
use policy::skip_until::is_routine;
use serde::Serialize;
use serde_json::Value;
use std::{
    borrow::Cow,
    fs::File,
    io::{self, Read, Write},
    path::Path,
    time::Duration,
};
use tokio::task::spawn_blocking;

/// Lambda's longest timeout, which templates/hub.yaml sets for the function.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// The largest event that Lambda accepts, in bytes ("Lambda quotas" in its developer guide).
const LARGEST_EVENT: u64 = 6 * 1024 * 1024;

const FORMATS: &[(Format, &str)] = &[
    (Format::Table, "Violations, then other noteworthy results, and a summary"),
    (Format::Json, "Every evaluation, as the list that `aws configservice put-evaluations --evaluations` takes"),
];

/// Try an event of AWS Config, with other parameters if you like, and see the results. Nothing is delivered.
///
/// Put your rule's name into configRuleName: a scheduled event also reads the results that AWS Config holds for it. The event must
/// come from this Region. If it comes from another account, the command assumes --role-name there.
///
/// Exit status: 0 - evaluated; 1 - failed or incomplete, after the successful evaluations were printed; 2 - wrong usage.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    access-key-rotation evaluate --sample scheduled > event.json\n  \
    access-key-rotation evaluate event.json --rule-parameters '{\"maxAccessKeyAge\":\"60\"}'")]
pub(crate) struct Args {
    /// The event as the Lambda function receives it, or - for standard input
    #[arg(value_name = "EVENT.json", required_unless_present = "sample")]
    event: Option<String>,
    /// Print a sample event for you to edit, with the current account and Region and the result token TESTMODE
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(sample::kinds()), conflicts_with_all = ["event", "rule_parameters", "format"])]
    sample: Option<String>,
    /// Evaluate with these rule parameters instead of the event's
    #[arg(long, value_name = "JSON")]
    rule_parameters: Option<String>,
    /// Print in this format
    #[arg(long, value_parser = one_of(FORMATS), default_value = "table")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    if let Some(kind) = args.sample {
        let session = args.connection.open().await?;
        let sample = sample::event(&kind, &session.home, session.now).context("no such kind of event")?;
        destination::print(serde_json::to_string_pretty(&sample)? + "\n").await?;
        return Ok(CommandResult::default());
    }
    let name = args.event.unwrap_or_default();
    let mut event = spawn_blocking(move || read(&name).context(name)).await??;
    if let Some(parameters) = args.rule_parameters {
        event["ruleParameters"] = Value::String(parameters);
    }
    let session = args.connection.open().await?;
    let (outcome, evaluations) = rehearse(&event, &session).await;
    let mut evaluations: Vec<_> = evaluations.into_iter().map(Line::new).collect();
    evaluations.sort_by(|a, b| a.rank().cmp(&b.rank()));
    // An error before the first evaluation needs no table. A program always gets a list.
    match args.format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&evaluations)?;
            destination::print(json + "\n").await?;
        }
        _ if evaluations.is_empty() && outcome.is_err() => {}
        _ => Output::Standard.write(move |out| table(&evaluations, out)).await?,
    }
    Ok(CommandResult { errors: outcome.err().iter().map(|error| format!("{error:#}")).collect(), violations: false })
}

/// The evaluations that AWS Config would get, and what is missing.
async fn rehearse(event: &Value, session: &Session) -> (anyhow::Result<()>, Vec<Evaluation>) {
    let metrics = Metrics::with_calls(session.calls());
    let invocation = Invocation {
        home: session.home.clone(),
        now: session.now,
        remaining: LONGEST,
        results: Destination::List(Default::default()),
        notices: None,
    };
    let outcome = handle(event, &invocation, &session.accounts, &metrics).await;
    let outcome = match (outcome, metrics.users_unknown()) {
        (Err(error), _) => Err(error.into()),
        (Ok(()), 0) => Ok(()),
        // For the function, this is not an error: it counts these users, and an alarm watches the count.
        (Ok(()), unknown) => Err(anyhow!(
            "users unknown: {unknown}. A policy shields them from the rule. To see their names, run access-key-rotation scan"
        )),
    };
    (outcome, invocation.results.into_list())
}

/// Reads the event. Errors give the position of a mistake, but never quote the event, which holds a token.
fn read(name: &str) -> anyhow::Result<Value> {
    let mut text = Vec::new();
    let most = LARGEST_EVENT + 1;
    match name {
        "-" => io::stdin().lock().take(most).read_to_end(&mut text)?,
        _ => File::open(Path::new(name))?.take(most).read_to_end(&mut text)?,
    };
    if text.len() as u64 > LARGEST_EVENT {
        bail!("larger than 6 MB, Lambda's limit for an event");
    }
    let event: Value = serde_json::from_slice(&text).map_err(|error| {
        anyhow!(
            "not JSON (line {}, column {}). For an example, run evaluate --sample scheduled",
            error.line(),
            error.column()
        )
    })?;
    if event.is_object() {
        Ok(event)
    } else {
        bail!("not a JSON object. For an example, run evaluate --sample scheduled")
    }
}

/// An evaluation, with the field names of AWS Config's service model.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Line {
    compliance_resource_type: String,
    compliance_resource_id: String,
    compliance_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotation: Option<String>,
    ordering_timestamp: Option<String>,
}

impl Line {
    fn new(evaluation: Evaluation) -> Line {
        let ordered = DateTime::from_timestamp(
            evaluation.ordering_timestamp.secs(),
            evaluation.ordering_timestamp.subsec_nanos(),
        );
        Line {
            compliance_resource_type: evaluation.compliance_resource_type,
            compliance_resource_id: evaluation.compliance_resource_id,
            compliance_type: evaluation.compliance_type.as_str().to_owned(),
            annotation: evaluation.annotation,
            ordering_timestamp: ordered.map(|time| time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }

    fn is(&self, compliance: &ComplianceType) -> bool {
        self.compliance_type == compliance.as_str()
    }

    /// Whether the annotation says more than that there is nothing to do.
    fn is_noteworthy(&self) -> bool {
        self.annotation.as_deref().is_some_and(|annotation| !is_routine(annotation))
    }

    /// Violations come first, then other noteworthy results.
    fn rank(&self) -> (bool, bool, &str) {
        (!self.is(&ComplianceType::NonCompliant), !self.is_noteworthy(), &self.compliance_resource_id)
    }
}

fn table(evaluations: &[Line], out: &mut dyn Write) -> io::Result<()> {
    let shown = evaluations.iter().filter(|line| !line.is(&ComplianceType::Compliant) || line.is_noteworthy());
    let columns = [left("Compliance", 14), left("ResourceId", 0), left("Annotation", 0)];
    let rows = shown.map(|line| {
        let annotation = line.annotation.as_deref().unwrap_or("-");
        [&line.compliance_type, &line.compliance_resource_id, annotation].map(Cow::from).into()
    });
    columns::write(&columns, rows, out)?;
    let count = |compliance| evaluations.iter().filter(|line| line.is(&compliance)).count();
    writeln!(
        out,
        "{} evaluations: {} NON_COMPLIANT, {} COMPLIANT, {} NOT_APPLICABLE. Nothing was delivered to AWS Config.",
        evaluations.len(),
        count(ComplianceType::NonCompliant),
        count(ComplianceType::Compliant),
        count(ComplianceType::NotApplicable),
    )
}
