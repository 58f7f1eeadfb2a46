//! An event bus of Amazon EventBridge, on which the rule puts notices.
//!
//! Source of limits and error codes: `PutEvents` in EventBridge's service model.

use super::calls::{CallError, Calls, Failure, backoff};
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
    /// The error of the first event that failed, and how many failed.
    pub async fn put(&self, calls: &Calls, until: Instant, events: &[BusEvent]) -> Result<(), (usize, CallError)> {
        let mut entries: Vec<_> = events.iter().map(|event| self.entry(event)).collect();
        let mut refused = Vec::new();
        for round in 1..=ROUNDS {
            let request = self.client.put_events().set_entries(Some(entries.clone()));
            let answer = match calls.call(PUT, until, || request.clone().send()).await {
                Ok(answer) => answer.entries.unwrap_or_default(),
                Err(error) => return Err((entries.len() + refused.len(), error)),
            };
            let mut again = Vec::new();
            for (at, entry) in entries.into_iter().enumerate() {
                match answer.get(at).map(outcome) {
                    Some(Outcome::Taken) => {}
                    Some(Outcome::Refused(code)) => refused.push(code),
                    Some(Outcome::Again(code)) => again.push((entry, code)),
                    None => again.push((entry, "no answer for the event".to_owned())),
                }
            }
            let delay = backoff(round);
            if again.is_empty() || round == ROUNDS || Instant::now() + delay >= until {
                refused.extend(again.into_iter().map(|(_, code)| code));
                break;
            }
            entries = again.into_iter().map(|(entry, _)| entry).collect();
            sleep(delay).await;
        }
        match refused.first() {
            None => Ok(()),
            Some(code) => Err((refused.len(), CallError { action: PUT, kind: Failure::Other, code: code.clone() })),
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
