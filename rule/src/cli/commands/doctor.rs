//! `doctor`: whether the rule can work in the accounts in question and, where it cannot, what to do. It changes nothing.

mod account;
mod function;
mod pack;
mod permissions;
mod recorder;
mod regions;
mod remediation;
mod report;

use crate::{
    args::{connection::Connection, targets::Targets},
    commands::pack::pack_name,
    manual,
    outcome::Outcome,
    output::destination::Output,
};
use access_key_rotation::aws::calls::{CallError, Failure};
use account::Examiner;
use anyhow::anyhow;
use function::Function;
use futures_util::{StreamExt, future::join, stream};
use pack::Pack;
use report::{Check, Examined, Format, Report};
use std::path::PathBuf;

/// How many accounts are examined at a time, and how many Regions are asked.
const AT_A_TIME: usize = 8;

/// Says whether the rule can work in the current account, or in others, and what to do where it cannot.
///
/// It changes nothing: it tries permissions by reading, and by a test run of PutEvaluations, which keeps no result.
///
/// Exit status: 0 - no check failed or is unknown; 1 - failed, or something could not be checked; 2 - wrong usage; 3 - a check failed.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  access-key-rotation doctor --profile management --organization --before-rollout --role-name \
                  OrganizationAccountAccessRole"
)]
pub(crate) struct Args {
    /// Leave out what is there only after the rollout: the evaluation role's permissions, runbooks, function, conformance pack
    #[arg(long)]
    before_rollout: bool,
    /// The organization's conformance pack
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = pack_name)]
    pack_name: String,
    /// The function, which is looked for in the current account
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = function_name)]
    function_name: String,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    connection: Connection,
}

/// By Lambda's reference of `CreateFunction`.
pub(crate) fn function_name(text: &str) -> anyhow::Result<String> {
    let is_name =
        (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    let wrong =
        "a function's name, without the rest of its ARN, has letters, digits, hyphens and underscores, 64 at most";
    if is_name { Ok(text.to_owned()) } else { Err(anyhow!(wrong)) }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Outcome> {
    let output = Output::open(args.output.as_deref())?;
    let session = args.connection.open().await?;
    let targets = args.targets.resolve(&session).await?;
    let mut checks = vec![regions::check(&session.home)];
    let deployed = if args.before_rollout {
        None
    } else {
        let (function, pack) =
            join(Function::read(&session, args.function_name), Pack::read(&session, &args.pack_name)).await;
        checks.extend(pack.checks.iter().chain(function.policy.as_ref().err()).cloned());
        Some((function, pack))
    };
    let examiner = Examiner { session: &session, role_name: &args.connection.role_name, deployed: deployed.as_ref() };
    let examine = async |(account, name): (String, Option<String>)| {
        let checks = examiner.examine(&account).await;
        Examined { account, name, checks }
    };
    let mut accounts: Vec<_> = stream::iter(targets).map(examine).buffer_unordered(AT_A_TIME).collect().await;
    accounts.sort_by(|a, b| a.account.cmp(&b.account));
    let report = Report {
        checked_at: session.now,
        region: session.home.region.clone(),
        current_account: session.home.account.clone(),
        checks,
        accounts,
    };
    let outcome = report.outcome();
    output.write(move |out| args.format.write(&report, out)).await?;
    Ok(outcome)
}

/// Who makes the calls, for the remedy of a call that is denied.
enum Caller<'a> {
    /// Whoever runs the doctor.
    Current,
    /// The role that is assumed in a member account.
    Role(&'a str),
}

impl Caller<'_> {
    /// What to do about a call of the doctor's own that failed.
    fn remedy(&self, error: &CallError) -> String {
        match self {
            _ if !is_denial(error) => {
                "Run it again; if that does not help, look at this account's state in AWS.".to_owned()
            }
            Caller::Current => format!("Allow {} to whoever runs this.", error.action),
            Caller::Role(name) => format!(
                "Allow {} to the role {name} there: templates/member.yaml does so with CommandLineRoleArn ({}).",
                error.action,
                manual::ROLES
            ),
        }
    }
}

/// Whether a policy does not allow the action; credentials that are no longer good are another matter.
fn is_denial(error: &CallError) -> bool {
    error.kind == Failure::Denied && ["AccessDenied", "AccessDeniedException"].contains(&error.code.as_str())
}
