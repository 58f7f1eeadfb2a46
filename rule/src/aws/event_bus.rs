//! An event bus of Amazon EventBridge, on which the rule puts notices.
//!
//! Source of limits and error codes: `PutEvents` in EventBridge's service model.

use super::client::{CallError, Calls, Failure, backoff};
use aws_config::SdkConfig;
use aws_sdk_eventbridge::types::{PutEventsRequestEntry, PutEventsResultEntry};
use tokio::time::{Instant, sleep};

/// The source of every event.
pub const SOURCE: &str = "access-key-rotation";
/// The most events that `PutEvents` accepts in one call.
pub const BATCH: usize = 10;
/// How often an event that EventBridge could not take is sent in all.
const ROUNDS: u32 = 4;

const PUT: &str = "events:PutEvents";
const NO_ANSWER: &str = "no answer for the event";

/// A bus in the function's account and Region.
#[derive(Clone, Debug)]
pub struct EventBus {
    client: aws_sdk_eventbridge::Client,
    name: String,
}

/// An event to put on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusEvent {
    /// `DetailType`
    pub detail_type: &'static str,
    /// The ARN in `Resources`, if it is known.
    pub resource: Option<String>,
    /// `Detail`, a JSON object.
    pub detail: String,
}

impl EventBus {
    /// The bus with this name or ARN. `settings` are for the account that puts the events.
    pub fn new(settings: &SdkConfig, name: String) -> EventBus {
        EventBus { client: aws_sdk_eventbridge::Client::new(settings), name }
    }

    /// Puts at most [`BATCH`] events. Events that EventBridge could not take are sent again, a limited number of times.
    ///
    /// # Errors
    /// The positions of the events that failed, and the error of one of them.
    pub async fn put(&self, calls: &Calls, until: Instant, events: &[BusEvent]) -> Result<(), (Vec<usize>, CallError)> {
        let mut pending: Vec<usize> = (0..events.len()).collect();
        let mut failed: Vec<(usize, CallError)> = Vec::new();
        for round in 1..=ROUNDS {
            let entries = pending.iter().map(|at| self.entry(&events[*at])).collect();
            let request = self.client.put_events().set_entries(Some(entries));
            let answer = match calls.call(PUT, until, || request.clone().send()).await {
                Ok(answer) => answer.entries.unwrap_or_default(),
                Err(error) => {
                    failed.extend(pending.into_iter().map(|at| (at, error.clone())));
                    break;
                }
            };
            let mut again = Vec::new();
            for (n, at) in pending.into_iter().enumerate() {
                let (list, code) = match answer.get(n).map_or(Outcome::Again(NO_ANSWER.to_owned()), outcome) {
                    Outcome::Taken => continue,
                    Outcome::Refused(code) => (&mut failed, code),
                    Outcome::Again(code) => (&mut again, code),
                };
                list.push((at, CallError { action: PUT, kind: Failure::Other, code }));
            }
            let delay = backoff(round);
            if again.is_empty() || round == ROUNDS || Instant::now() + delay >= until {
                failed.append(&mut again);
                break;
            }
            pending = again.into_iter().map(|(at, _)| at).collect();
            sleep(delay).await;
        }
        match failed.first().map(|(_, error)| error.clone()) {
            None => Ok(()),
            Some(error) => Err((failed.into_iter().map(|(at, _)| at).collect(), error)),
        }
    }

    fn entry(&self, event: &BusEvent) -> PutEventsRequestEntry {
        PutEventsRequestEntry::builder()
            .event_bus_name(&self.name)
            .source(SOURCE)
            .detail_type(event.detail_type)
            .set_resources(event.resource.clone().map(|arn| vec![arn]))
            .detail(&event.detail)
            .build()
    }
}

enum Outcome {
    Taken,
    Again(String),
    Refused(String),
}

/// The outcome for one event: AWS accepts the call even if it takes none of its events.
fn outcome(entry: &PutEventsResultEntry) -> Outcome {
    match entry.error_code.as_deref() {
        None => Outcome::Taken,
        Some(code @ ("InternalFailure" | "InternalException" | "ThrottlingException")) => {
            Outcome::Again(code.to_owned())
        }
        Some(code) => Outcome::Refused(code.to_owned()),
    }
}
