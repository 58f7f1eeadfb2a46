//! Amazon EventBridge, version 2015-10-07: PutEvents on an event bus of the account, with EventBridge's limits.

use serde_json::{Value, json};

use crate::account::Account;
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::ids;
use crate::json::{JsonCall, serialization};

/// The most events in a call.
const ENTRIES: usize = 10;
/// The most bytes of all events of a call. The service model says 1 MB, older pages 256 KB, which is safe under either.
const BYTES: usize = 256 * 1024;
/// The longest `DetailType`, in characters.
const DETAIL_TYPE: usize = 128;

impl Account {
    /// Creates an event bus.
    pub fn add_event_bus(&mut self, name: &str) {
        self.regional.event_buses.entry(name.to_owned()).or_default();
    }

    /// The events on a bus, oldest first, as a rule's target gets them.
    pub fn events(&self, bus: &str) -> &[Value] {
        self.regional.event_buses.get(bus).map_or(&[], Vec::as_slice)
    }
}

pub(crate) fn answer(call: JsonCall<'_>) -> Result<Value, AwsError> {
    match call.action {
        "PutEvents" => put(call),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn put(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value, AwsError> {
    let entries = input.get("Entries").and_then(Value::as_array).ok_or_else(|| serialization("Entries"))?;
    let mut violations = Violations::default();
    violations.size("entries", entries.len(), 1..=ENTRIES);
    violations.finish("ValidationException")?;
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let sized = ["Source", "DetailType", "Detail"];
    let bytes: usize =
        entries.iter().map(|entry| sized.map(|name| text(entry, name).len()).iter().sum::<usize>()).sum();
    if bytes > BYTES {
        let message = "Total size of the entries in the request is over the limit.";
        return Err(AwsError::new(400, "ValidationException", message));
    }
    let now = world.now();
    let (state, faults) = world.account_and_faults(account);
    let failing = faults.failing_entries(account, entries.len());
    let outcomes: Vec<_> = entries
        .iter()
        .zip(failing)
        .map(|(entry, failing)| {
            if let Some(code) = failing.or_else(|| wrong(entry)) {
                return json!({ "ErrorCode": code, "ErrorMessage": "The event was not taken." });
            }
            let id = ids::request_id(&mut state.rng);
            let bus = entry["EventBusName"].as_str().unwrap_or("default");
            let bus = bus.rsplit('/').next().unwrap_or_default().to_owned();
            let event = json!({
                "version": "0",
                "id": id,
                "detail-type": entry["DetailType"],
                "source": entry["Source"],
                "account": account,
                "time": now,
                "region": region,
                "resources": entry.get("Resources").cloned().unwrap_or_else(|| json!([])),
                "detail": serde_json::from_str::<Value>(&text(entry, "Detail")).unwrap_or_default(),
            });
            // An event for a bus that does not exist is lost, and AWS says nothing.
            if let Some(events) = state.regional.event_buses.get_mut(&bus) {
                events.push(event);
            }
            json!({ "EventId": id })
        })
        .collect();
    let failed = outcomes.iter().filter(|outcome| outcome.get("ErrorCode").is_some()).count();
    Ok(json!({ "FailedEntryCount": failed, "Entries": outcomes }))
}

/// The code of the error for an entry that EventBridge does not take.
fn wrong(entry: &Value) -> Option<&'static str> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let (Some(source), Some(detail_type), Some(detail)) = (text("Source"), text("DetailType"), text("Detail")) else {
        return Some("InvalidArgument");
    };
    match serde_json::from_str::<Value>(detail) {
        _ if source.starts_with("aws.") => Some("NotAuthorizedForSourceException"),
        _ if detail_type.chars().count() > DETAIL_TYPE => Some("InvalidArgument"),
        Ok(Value::Object(_)) => None,
        _ => Some("MalformedDetail"),
    }
}
