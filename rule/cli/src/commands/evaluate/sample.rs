//! Sample events, which people edit. The local AWS of the tests sends the same.
//!
//! They follow "Example Events for AWS Config Rules" in the AWS Config developer guide.

use access_key_rotation::aws::home::Home;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use policy::parameters::PARAMETERS;
use serde_json::{Map, Value};

/// The event around `invokingEvent`, and an `invokingEvent` for each kind: account 123456789012 in us-east-1 on 2026-03-01.
const SAMPLES: &str = include_str!("../../../../src/config_service/event/samples.json");

/// AWS Config captures an item some minutes before it sends the event.
const CAPTURED_BEFORE: TimeDelta = TimeDelta::minutes(10);

/// The kinds of samples.
pub(super) fn kinds() -> Vec<String> {
    let invoking_events = parts(SAMPLES)["invokingEvents"].take();
    invoking_events.as_object().map(|kinds| kinds.keys().cloned().collect()).unwrap_or_default()
}

/// An event of this kind for the rule in the account of `home`, sent at `now`. It has every rule parameter with its default, and the
/// result token `TESTMODE`. `None` if there is no such kind.
pub(super) fn event(kind: &str, home: &Home, now: DateTime<Utc>) -> Option<Value> {
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
    event["invokingEvent"] = invoking_event.to_string().into();
    Some(event)
}

fn parts(text: &str) -> Value {
    // A test reads every sample, so this does not fail.
    serde_json::from_str(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use access_key_rotation::config_service::event::{Event, Target};
    use policy::parameters::Parameters;

    #[test]
    fn every_sample_is_an_event_with_the_default_parameters() {
        let home = Home { partition: "aws-cn".into(), region: "cn-north-1".into(), account: "111122223333".into() };
        let now = "2026-05-01T12:00:00Z".parse().unwrap();
        let kinds = kinds();
        assert!(kinds.len() >= 5, "{kinds:?}");
        for kind in kinds {
            let event = Event::parse(&event(&kind, &home, now).unwrap(), &home).unwrap();
            let sent = if matches!(event.target, Target::Account) { now } else { now - CAPTURED_BEFORE };
            assert_eq!(event.ordering_timestamp, sent, "{kind}");
            assert!(event.result_token.is_test(), "{kind}");
            assert_eq!(Parameters::parse(event.rule_parameters.as_deref()).unwrap(), Parameters::default(), "{kind}");
        }
        assert!(event("old", &home, now).is_none());
    }
}
