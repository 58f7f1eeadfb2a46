//! One invocation, phase by phase.

use crate::{
    aws::{
        account::{Account, Accounts, Ends},
        client::{CallError, Failure},
        home::Home,
        iam::list_users,
    },
    config_service::{
        delivery::{Destination, Evaluation, deliver},
        event::{Event, Target},
        recorded_results::read_result,
    },
    error::Error,
    metrics::Metrics,
    notices::{NoticeSettings, Notices},
    sweep::{sweep, unread::unknown_exposure_errors},
    user::{CONTROLS, Control, Evaluated, Evaluator, control},
};
use chrono::{DateTime, Utc};
use futures_util::FutureExt;
use policy::{assessment::Assessment, exposure::Exposure, parameters::Parameters, text::excerpt, verdict::Verdict};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// The time reserved for the second listing of users, which confirms whose access keys were read.
const FOR_CONFIRMATION: Duration = Duration::from_secs(10);
/// The time reserved after that, before the deadline, for delivering the results.
const FOR_DELIVERY: Duration = Duration::from_secs(10);
/// The last part of it, reserved for reporting the outcome.
const FOR_THE_OUTCOME: Duration = Duration::from_millis(500);

/// The circumstances of one invocation.
#[derive(Debug)]
pub struct Invocation {
    /// Where the function runs.
    pub home: Home,
    /// The time against which ages are measured.
    pub now: DateTime<Utc>,
    /// How long Lambda still lets it run.
    pub remaining: Duration,
    /// Where the results go.
    pub results: Destination,
    /// Where notices go, if any are sent.
    pub notices: Option<NoticeSettings>,
}

/// Handles an event from AWS Config: checks it, evaluates what it is about, and delivers the results.
///
/// # Errors
/// If the evaluation is incomplete; the error says why. All other results have been delivered by then.
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
    // A rehearsal and a test send no notices.
    let is_real = matches!(invocation.results, Destination::Config) && !event.result_token.is_test();
    let notices = invocation.notices.as_ref().filter(|_| is_real);
    let evaluator = Evaluator {
        account: &account,
        parameters: &parameters,
        now,
        metrics,
        uses_of_exempt_keys: false,
        has_notices: notices.is_some(),
    };
    let notices = notices.map(|settings| Notices::new(settings, evaluator));
    let outcome = evaluate(&event, evaluator, &invocation.results, notices.as_ref()).await;
    outcome.inspect_err(|error| {
        // The next invocation gets fresh credentials, in case these caused the error.
        accounts.forget(&event.account);
        if matches!(error, Error::NotYetConsistent(_)) {
            metrics.retry_expected();
        }
    })
}

async fn evaluate(
    event: &Event,
    evaluator: Evaluator<'_>,
    results: &Destination,
    notices: Option<&Notices<'_>>,
) -> Result<(), Error> {
    let Evaluator { account, metrics, .. } = evaluator;
    let (evaluation, unknown_use, unknown_exposure) = match &event.target {
        // Boxed to keep this future small for a change: that of a sweep is large.
        Target::Account => return sweep(event, evaluator, results, notices).boxed_local().await,
        Target::User { id, name, is_exposed } => {
            match evaluator.of_item(name, id, event.ordering_timestamp, *is_exposed).await {
                Ok(Some(mut evaluated)) => {
                    metrics.verdict(&evaluated.assessment.verdict, evaluated.assessment.is_exempt());
                    if let Some(notices) = notices {
                        notify(event, &mut evaluated, account, notices).await;
                    }
                    let Evaluated { assessment, unknown_use, unknown_exposure } = evaluated;
                    (Evaluation::of_user(id, assessment.verdict), unknown_use, unknown_exposure)
                }
                Ok(None) => {
                    let verdict = Verdict::not_applicable();
                    metrics.verdict(&verdict, false);
                    (Evaluation::of_user(id, verdict), None, None)
                }
                Err(error) => {
                    let outcome = unknown(account, name, id, &error).await;
                    let is_known = outcome.is_ok() && metrics.known_shielded.contains(id);
                    // If a retry is expected to help, and does not, it counts the user.
                    metrics.unknown(usize::from(error.kind != Failure::NotYetConsistent && !is_known));
                    return outcome;
                }
            }
        }
        Target::NotApplicable { resource_type, id } => {
            let (resource_type, resource_id) = (resource_type.clone().into(), id.clone());
            (Evaluation { resource_type, resource_id, verdict: Verdict::not_applicable() }, None, None)
        }
    };
    let delivered = deliver(account, event, results, vec![evaluation]).await;
    let mut errors = delivered.err().map(|undelivered| undelivered.errors(account)).unwrap_or_default();
    errors.extend(notices.and_then(Notices::error));
    errors.extend(unknown_use.map(|error| match error.kind {
        Failure::Denied => account.error(&error),
        _ => Error::Incomplete(format!("The last use of a key is unknown: {error}.")),
    }));
    errors.extend(unknown_exposure.iter().flat_map(|error| unknown_exposure_errors(account, error)));
    Error::of_all(errors)
}

/// Sends the notices about a user whose change is handled.
async fn notify(event: &Event, evaluated: &mut Evaluated, account: &Account<'_>, notices: &Notices<'_>) {
    let Assessment { user, .. } = &evaluated.assessment;
    if evaluated.assessment.exposure != Exposure::Exposed && evaluated.assessment.milestones(None).next().is_none() {
        return;
    }
    // Without it, the notice is repeated rather than lost.
    let recorded = read_result(account, &event.rule_name, &user.id, account.extras_end()).await;
    let recorded = recorded.inspect_err(|error| warn!(user = user.name, %error, "result unknown")).ok().flatten();
    notices.send(&mut [(evaluated, recorded.as_ref())]).await;
}

/// Handles a user who could not be read. It is not an error if a policy shields the user: a retry would fail in the same way.
async fn unknown(account: &Account<'_>, user_name: &str, id: &str, error: &CallError) -> Result<(), Error> {
    let text = format!("User {} could not be read: {error}.", excerpt(user_name));
    match error.kind {
        Failure::Denied => {
            let others = list_users(account, account.ends.reads).await.users.into_iter().map(|user| user.name);
            let others: Vec<_> = others.filter(|name| name != user_name).take(CONTROLS).collect();
            match control(account, error.action, &others).await {
                Control::Granted => {
                    warn!(user = user_name, id, %error, "user unknown");
                    Ok(())
                }
                Control::Denied | Control::Unknown => Err(account.error(error)),
            }
        }
        Failure::TimeUp => Err(account.error(error)),
        Failure::NotYetConsistent => Err(Error::NotYetConsistent(text)),
        Failure::NotFound | Failure::Other => Err(Error::Incomplete(text)),
    }
}

impl Invocation {
    /// A function with a short timeout still spends most of it on reads.
    fn ends(&self) -> Ends {
        let deadline = Instant::now() + self.remaining;
        let for_delivery = FOR_DELIVERY.min(self.remaining / 6);
        let for_confirmation = FOR_CONFIRMATION.min(self.remaining / 6);
        Ends {
            reads: deadline - for_delivery - for_confirmation,
            confirmation: deadline - for_delivery,
            deliveries: deadline - FOR_THE_OUTCOME.min(self.remaining / 10),
        }
    }
}
