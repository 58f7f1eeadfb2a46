//! `doctor`: checks whether the rule can work in accounts, and says what to do if it cannot. It changes nothing.

mod account;
mod function;
mod pack;
mod permissions;
mod recorder;
mod remediation;
mod report;
mod script_log;

use crate::{
    args::{
        connection::Connection,
        function::function_name,
        outputs::Outputs,
        targets::{Resolved, Targets},
    },
    command_result::CommandResult,
    commands::pack::pack_name,
    output::one_of,
};
use account::Examiner;
use function::Function;
use futures_util::future::join3;
use pack::Pack;
use report::{Examined, Report};

/// Find out why the rule does not work in an account, and what to do.
///
/// It changes nothing. It tests permissions with reads, and with a test call of PutEvaluations that keeps no result.
///
/// Exit status: 0 - no check failed or is unknown; 1 - doctor itself failed, or a check is unknown; 2 - wrong usage; 3 - a check
/// failed.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  access-key-rotation doctor --profile management --organization --before-rollout --role-name \
                  OrganizationAccountAccessRole"
)]
#[command(mut_arg("format", |arg| arg.value_parser(one_of(report::FORMATS))))]
pub(crate) struct Args {
    /// Check only what must be right before the rollout: no role, runbook, function or conformance pack
    #[arg(long)]
    before_rollout: bool,
    /// The name of the organization's conformance pack
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = pack_name)]
    pack_name: String,
    /// The name of the function in the current account
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = function_name)]
    function_name: String,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let outputs = args.outputs.open(report::FORMATS)?;
    let session = args.connection.open().await?;
    let Resolved { accounts: targets, left_out } = args.targets.resolve(&session).await?;
    let mut checks = vec![pack::home_region(&session.home)];
    let deployed = if args.before_rollout {
        None
    } else {
        let (pack, concurrency, function) = join3(
            Pack::read(&session, &args.pack_name),
            function::concurrency(&session, &args.function_name, targets.len()),
            Function::read(&session, args.function_name.clone()),
        )
        .await;
        checks.extend(pack.checks.iter().chain(function.policy.as_ref().err()).cloned());
        checks.push(concurrency);
        Some((function, pack))
    };
    let examiner = &Examiner { session: &session, role_name: &args.connection.role_name, deployed: deployed.as_ref() };
    let examine = async |account: String, name| {
        let checks = examiner.examine(&account).await;
        Examined { account, name, checks }
    };
    let accounts = session.read_accounts(targets, examine).await;
    let report = Report {
        checked_at: session.now,
        region: session.home.region.clone(),
        current_account: session.home.account.clone(),
        checks,
        accounts,
        left_out,
    };
    let command_result = report.command_result();
    outputs.write(move |format, out| report.write(format, out)).await?;
    Ok(command_result)
}
