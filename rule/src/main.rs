//! The Lambda function: sets up the clients once, then handles one invocation at a time.

#![expect(clippy::disallowed_methods, reason = "an invocation's `now` is when it begins")]
#![expect(clippy::print_stdout, reason = "CloudWatch makes metrics of lines of standard output")]

use access_key_rotation::{
    aws::{
        account::{Accounts, settings},
        event_bus::EventBus,
        home::Home,
    },
    config_service::delivery::Destination,
    coverage::check::{Check, check as check_coverage},
    environment,
    error::Error,
    handler::{Invocation, handle},
    metrics::Metrics,
    notices::NoticeSettings,
};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use lambda_runtime::{Context, LambdaEvent, run, service_fn};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::{
    env,
    time::{Duration, Instant},
};
use tracing::{error, info};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    start_logging();
    let role_name = env::var(environment::EVALUATION_ROLE_NAME).ok().filter(|name| !name.is_empty());
    let accounts =
        Accounts::new(settings().load().await, role_name).inspect_err(|error| error!(%error, "cannot start"))?;
    // The handler in the function's configuration: one zip is the rule and the check of its coverage.
    let is_coverage = env::var("_HANDLER").as_deref() == Ok("coverage");
    let (accounts, notices) = (&accounts, &notices(&accounts));
    let handle = move |event: LambdaEvent<Payload>| async move {
        if is_coverage { cover(event, accounts).await } else { invoke(event, accounts, notices.clone()).await }
    };
    run(service_fn(handle)).await
}

/// Checks coverage, whatever the event: a schedule sends it.
async fn cover(event: LambdaEvent<Payload>, accounts: &Accounts) -> Result<(), Error> {
    let (now, started) = (Utc::now(), Instant::now());
    let list = env::var(environment::EXCLUDED_ACCOUNTS).unwrap_or_default();
    let check = Check {
        home: Home::from_function_arn(&event.context.invoked_function_arn)?,
        now,
        remaining: remaining(&event.context, now),
        rule_function_name: env::var(environment::RULE_FUNCTION_NAME).unwrap_or_default(),
        excluded: list.split(',').map(|id| id.trim().to_owned()).collect(),
    };
    let summary = check_coverage(&check, accounts).boxed().await?;
    println!("{}", summary.line(now, started.elapsed()));
    Ok(())
}

async fn invoke(
    event: LambdaEvent<Payload>,
    accounts: &Accounts,
    notices: Option<NoticeSettings>,
) -> Result<(), Error> {
    let LambdaEvent { payload: Payload(payload), context } = event;
    let (now, started) = (Utc::now(), Instant::now());
    let known = env::var(environment::KNOWN_SHIELDED_USERS).unwrap_or_default();
    let known_shielded = known.split(',').map(|id| id.trim().to_owned()).collect();
    let metrics = Metrics::with_known_shielded(known_shielded);
    let outcome = async {
        let payload = payload.ok_or_else(|| Error::InvalidEvent("the event is not JSON".to_owned()))?;
        let home = Home::from_function_arn(&context.invoked_function_arn)?;
        let remaining = remaining(&context, now);
        let invocation = Invocation { home, now, remaining, results: Destination::Config, notices };
        // Boxed, because the runtime wraps the future in more layers than the compiler can follow.
        handle(&payload, &invocation, accounts, &metrics).boxed_local().await
    }
    .await;
    let line = metrics.line(now, started.elapsed());
    println!("{line}");
    outcome.map_err(with_aftermath).inspect(|()| info!("evaluated"))
}

/// Where notices go: to the bus in `EVENT_BUS_NAME`, if it is set.
fn notices(accounts: &Accounts) -> Option<NoticeSettings> {
    let bus = env::var(environment::EVENT_BUS_NAME).ok().filter(|name| !name.is_empty())?;
    let owner_tag = env::var(environment::OWNER_TAG).unwrap_or_else(|_| "owner".to_owned());
    Some(NoticeSettings { bus: EventBus::new(accounts.own_settings(), bus), owner_tag })
}

/// Says in the error what happens to the results and the event. Config invokes the function asynchronously, so Lambda retries.
fn with_aftermath(error: Error) -> Error {
    match error {
        Error::InvalidEvent(_) | Error::InvalidParameters(_) | Error::AccessDenied(_) => error,
        error => {
            let text = format!(
                "{error} Unknown users keep their previous results. Lambda retries the invocation twice, and the next \
                 scheduled evaluation takes place in any case."
            );
            error.with_text(text)
        }
    }
}

/// The time that the invocation has left. Lambda gives the deadline in milliseconds since 1970.
fn remaining(context: &Context, now: DateTime<Utc>) -> Duration {
    let now = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    Duration::from_millis(context.deadline.saturating_sub(now))
}

/// An event, or `None` if it is not JSON: that must be an error of this function, not of the runtime.
struct Payload(Option<Value>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Payload(Value::deserialize(deserializer).ok()))
    }
}

/// Follows `AWS_LAMBDA_LOG_FORMAT` and `AWS_LAMBDA_LOG_LEVEL`. Nothing here logs below `INFO`. Other crates log only warnings and
/// errors, whatever the level: below that, the runtime and the SDK log events, tokens and credentials.
fn start_logging() {
    let level = match env::var(environment::LOG_LEVEL).unwrap_or_default().to_ascii_uppercase().as_str() {
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    };
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("access_key_rotation", level)
        .with_target("bootstrap", level)
        // Its span carries the request id.
        .with_target("lambda_runtime", level);
    let lines = fmt::layer().with_target(false).with_ansi(false);
    let registry = tracing_subscriber::registry().with(targets);
    match env::var(environment::LOG_FORMAT).unwrap_or_default().to_ascii_uppercase().as_str() {
        "TEXT" => registry.with(lines).init(),
        _ => registry.with(lines.json().flatten_event(true)).init(),
    }
}
