//! `scan`: the accounts in question, evaluated at once.

use crate::{
    Outcome,
    output::{Account, Format},
};
use access_key_rotation::{
    account::{Accounts, settings},
    calls::Calls,
    event::Home,
    metrics::Metrics,
    parameters::{KeySource, Parameters},
    scan::scan,
    user::Evaluator,
};
use chrono::{DateTime, Utc};
use clap::{ValueEnum, value_parser};
use futures_util::{StreamExt, stream};
use std::time::Duration;
use tokio::time::Instant;

/// An account of 5,000 users takes a minute where IAM throttles hard.
const LONGEST: Duration = Duration::from_secs(3600);
/// How many accounts are evaluated at a time.
const ACCOUNTS_AT_A_TIME: usize = 4;

/// Evaluates every IAM user of the current account, or of others, without AWS Config.
///
/// Exit status: 0 - no violation; 1 - failed, or not complete; 2 - wrong usage; 3 - violations found.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  access-key-rotation scan --profile security --account 111122223333 444455556666 \
                        --role-name OrganizationAccountAccessRole --format csv")]
pub(crate) struct Args {
    /// Evaluate these accounts instead of the current one
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, requires = "role_name")]
    account: Vec<String>,
    /// The role to assume in accounts other than the current one; it must trust you, and may read IAM
    #[arg(long, value_name = "NAME")]
    role_name: Option<String>,
    /// The profile of the AWS CLI's configuration
    #[arg(long)]
    profile: Option<String>,
    /// The Region whose endpoints are called; IAM is the same in all
    #[arg(long)]
    region: Option<String>,
    /// An active access key older than this is stale, in days, 1 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = value_parser!(u16).range(1..=3650))]
    max_access_key_age: u16,
    /// Tell of keys that fall due within so many days, 0 to 365
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = value_parser!(u16).range(0..=365))]
    warn_before_days: u16,
    /// How far ahead an exemption may end, in days, 1 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = value_parser!(u16).range(1..=3650))]
    max_exemption_days: u16,
    /// Where the proof comes from that a user's keys are young
    #[arg(long, value_enum, default_value = "live")]
    key_source: Source,
    /// How to print
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Source {
    Live,
    Report,
}

fn account_id(text: &str) -> Result<String, String> {
    match text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok(text.to_owned()),
        false => Err("an account's id has twelve digits".to_owned()),
    }
}

pub(crate) async fn run(args: &Args) -> Result<Outcome, String> {
    let now = Utc::now();
    let until = Instant::now() + LONGEST;
    let (accounts, home) = connect(args, until).await?;
    let parameters = Parameters {
        max_access_key_age: args.max_access_key_age,
        warn_before_days: args.warn_before_days,
        max_exemption_days: args.max_exemption_days,
        key_source: match args.key_source {
            Source::Live => KeySource::Live,
            Source::Report => KeySource::Report,
        },
        ..Parameters::default()
    };
    let mut ids = if args.account.is_empty() { vec![home.account.clone()] } else { args.account.clone() };
    ids.sort();
    ids.dedup();
    let (accounts, home, parameters) = (&accounts, &home, &parameters);
    let mut scanned: Vec<_> = stream::iter(ids)
        .map(|id| async move { one(id, accounts, home, parameters, now, until).await })
        .buffer_unordered(ACCOUNTS_AT_A_TIME)
        .collect()
        .await;
    scanned.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Outcome {
        text: args.format.print(&scanned, parameters, now)?,
        errors: scanned
            .iter()
            .filter_map(|account| Some(format!("account {}: {}", account.id, account.error.as_ref()?)))
            .collect(),
        violations: scanned.iter().any(Account::has_violations),
    })
}

async fn one(
    id: String,
    accounts: &Accounts,
    home: &Home,
    parameters: &Parameters,
    now: DateTime<Utc>,
    until: Instant,
) -> Account {
    let metrics = Metrics::default();
    let (findings, outcome) = match accounts.open(&id, home, now, &metrics.calls, (until, until)).await {
        Ok(account) => {
            let scan = scan(Evaluator { account: &account, parameters, now, metrics: &metrics }).await;
            (scan.findings, scan.outcome)
        }
        Err(error) => (Vec::new(), Err(error)),
    };
    Account { id, findings, error: outcome.err().map(|error| error.to_string()) }
}

/// The credentials' own account, and clients for it and for others.
async fn connect(args: &Args, until: Instant) -> Result<(Accounts, Home), String> {
    let mut loader = settings();
    if let Some(profile) = &args.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &args.region {
        loader = loader.region(aws_config::Region::new(region.clone()));
    }
    let config = loader.load().await;
    let region =
        config.region().ok_or("no Region: give --region, or set AWS_REGION or the profile's region")?.to_string();
    let sts = aws_sdk_sts::Client::new(&config);
    let calls = Calls::default();
    let identity = calls
        .call("sts:GetCallerIdentity", until, || sts.get_caller_identity().send())
        .await
        .map_err(|error| format!("{error}. Are the credentials right? Try: aws sts get-caller-identity"))?;
    let partition = identity.arn.as_deref().and_then(|arn| arn.split(':').nth(1)).map(str::to_owned);
    let (Some(partition), Some(account)) = (partition, identity.account) else {
        return Err("sts:GetCallerIdentity: an answer that is not understood".to_owned());
    };
    let accounts = Accounts::new(config, args.role_name.clone()).map_err(|error| error.to_string())?;
    Ok((accounts, Home { partition, region, account }))
}
