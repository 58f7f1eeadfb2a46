//! Sample events, which people edit. The local AWS of the tests sends the same.
//!
//! They follow "Example Events for AWS Config Rules" in the AWS Config developer guide.

use access_key_rotation::aws::home::Home;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use policy::parameters::PARAMETERS;
use serde_json::{Map, Value};

/// The event around `invokingEvent`, and an `invokingEvent` for each kind: account 123456789012 in us-east-1 on 2026-03-01.
const SAMPLES: &str = include_str!("../../../../src/config/event/samples.json");

/// AWS Config captures an item some minutes before it sends the event.
const CAPTURED_BEFORE: TimeDelta = TimeDelta::minutes(10);

/// An event that is not put together yet.
#[derive(Debug)]
pub(crate) struct Sample {
    /// The event without `invokingEvent`. It has every rule parameter with its default, and the result token `TESTMODE`.
    event: Value,
    /// What becomes the string `invokingEvent`.
    invoking_event: Value,
}

impl Sample {
    /// The kinds of samples.
    pub(crate) fn kinds() -> Vec<String> {
        let invoking_events = parts(SAMPLES)["invokingEvents"].take();
        invoking_events.as_object().map(|kinds| kinds.keys().cloned().collect()).unwrap_or_default()
    }

    /// An event of this kind for the rule in the account of `home`, sent at `now`. `None` if there is no such kind.
    pub(crate) fn new(kind: &str, home: &Home, now: DateTime<Utc>) -> Option<Sample> {
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let text = SAMPLES
            .replace("123456789012", &home.account)
            .replace("us-east-1", &home.region)
            .replace("arn:aws:", &format!("arn:{}:", home.partition))
            .replace("2026-03-01T12:00:00.000Z", &time(now))
            .replace("2026-03-01T11:50:00.000Z", &time(now - CAPTURED_BEFORE));
        let mut samples = parts(&text);
        let invoking_event = samples["invokingEvents"].get_mut(kind)?.take();
        let mut event = samples["event"].take();
        let defaults: Map<_, _> =
            PARAMETERS.iter().map(|parameter| (parameter.name.to_owned(), parameter.default().into())).collect();
        event["ruleParameters"] = Value::Object(defaults).to_string().into();
        Some(Sample { event, invoking_event })
    }

    /// The event as AWS Config sends it.
    pub(crate) fn put_together(mut self) -> Value {
        self.event["invokingEvent"] = self.invoking_event.to_string().into();
        self.event
    }
}

fn parts(text: &str) -> Value {
    // A test reads every sample, so this does not fail.
    serde_json::from_str(text).unwrap_or_default()
}
