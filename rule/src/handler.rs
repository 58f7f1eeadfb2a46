//! One invocation, phase by phase.

use crate::{
    account::Accounts,
    error::Error,
    evaluations::{Evaluation, deliver},
    event::{Event, Home, Target},
    metrics::Metrics,
    parameters::Parameters,
    sweep::sweep,
    user::{self, Identity},
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
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Where the function is.
    pub home: Home,
    /// The time as of which ages are judged.
    pub now: DateTime<Utc>,
    /// How long Lambda lets it run, from now on.
    pub remaining: Duration,
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
    let evaluation = match &event.target {
        Target::Account => return sweep(&account, &event, &parameters, now, metrics).boxed().await,
        Target::User { id, name } => {
            // The item may be old, and the name another user's by now.
            let verdict = user::evaluate(&account, (name, id), Identity::Unconfirmed, &parameters, now, metrics).await;
            let verdict = verdict.inspect_err(|_| metrics.unknown(1)).map_err(|error| account.error(&error))?;
            metrics.verdict(&verdict);
            Evaluation::of_user(id, verdict)
        }
        Target::NotApplicable { resource_type, id } => Evaluation {
            resource_type: resource_type.clone(),
            resource_id: id.clone(),
            verdict: Verdict::not_applicable(),
        },
    };
    deliver(&account, &event, &[evaluation]).await.map_err(|undelivered| undelivered.into_error(&account))
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
