//! One invocation, phase by phase.

use crate::{
    account::{Account, Accounts},
    calls::{CallError, Failure},
    error::Error,
    evaluations::{Destination, Evaluation, deliver},
    event::{Event, Home, Target},
    metrics::Metrics,
    parameters::Parameters,
    sweep::sweep,
    text::excerpt,
    user::Evaluator,
    verdict::Verdict,
};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

/// What is left at the deadline for delivering what is known.
const FOR_DELIVERY: Duration = Duration::from_secs(10);
/// What is left for reporting the outcome.
const FOR_THE_OUTCOME: Duration = Duration::from_millis(500);

/// The circumstances of one invocation.
#[derive(Debug)]
pub struct Invocation {
    /// Where the function is.
    pub home: Home,
    /// The time as of which ages are judged.
    pub now: DateTime<Utc>,
    /// How long Lambda lets it run, from now on.
    pub remaining: Duration,
    /// Where the results go.
    pub results: Destination,
}

/// Handles an event from AWS Config: checks it, evaluates what it is about, and delivers the results.
///
/// # Errors
/// Whatever kept the rule from being evaluated in full; what could be evaluated has been delivered by then.
pub async fn handle(
    event: &Value,
    invocation: &Invocation,
    accounts: &Accounts,
    metrics: &Metrics,
) -> Result<(), Error> {
    let ends = invocation.ends();
    let event = Event::parse(event, &invocation.home)?;
    metrics.account(&event.account);
    let parameters = Parameters::parse(event.rule_parameters.as_deref())?;
    let now = invocation.now;
    let account = accounts.open(&event.account, &invocation.home, now, &metrics.calls, ends).await?;
    let evaluator = Evaluator { account: &account, parameters: &parameters, now, metrics };
    let outcome = evaluate(&event, evaluator, &invocation.results).await;
    // Whatever went wrong, it is not to go on for want of fresh credentials.
    outcome.inspect_err(|_| accounts.forget(&event.account))
}

async fn evaluate(event: &Event, evaluator: Evaluator<'_>, results: &Destination) -> Result<(), Error> {
    let Evaluator { account, metrics, .. } = evaluator;
    let evaluation = match &event.target {
        // Boxed, since the future of a sweep is large and that of a change need not be.
        Target::Account => return sweep(event, evaluator, results).boxed().await,
        Target::User { id, name } => {
            let judged = evaluator.of_item(name, id).await.map_err(|error| {
                metrics.unknown(1);
                unknown(account, name, &error)
            })?;
            metrics.verdict(&judged.verdict);
            Evaluation::of_user(id, judged.verdict)
        }
        Target::NotApplicable { resource_type, id } => Evaluation {
            resource_type: resource_type.clone(),
            resource_id: id.clone(),
            verdict: Verdict::not_applicable(),
        },
    };
    deliver(account, event, results, &[evaluation]).await.map_err(|undelivered| undelivered.into_error(account))
}

fn unknown(account: &Account<'_>, user_name: &str, error: &CallError) -> Error {
    match error.kind {
        Failure::Denied | Failure::TimeUp => account.error(error),
        Failure::NotFound | Failure::Other => {
            Error::Incomplete(format!("user unknown: {} ({error}).", excerpt(user_name)))
        }
    }
}

impl Invocation {
    /// When reads end, and when deliveries do.
    fn ends(&self) -> (Instant, Instant) {
        let now = Instant::now();
        // A function that is given little time still spends most of it on reads.
        let for_delivery = FOR_DELIVERY.min(self.remaining / 3);
        let for_the_outcome = FOR_THE_OUTCOME.min(self.remaining / 10);
        (now + self.remaining - for_delivery, now + self.remaining - for_the_outcome)
    }
}
