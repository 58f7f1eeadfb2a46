//! Helpers for the services that speak JSON: calls, members of the input, times, pages.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::error::AwsError;
use crate::paging::{Listing, Page, Position};
use crate::world::World;

/// A call of a service that speaks JSON.
pub(crate) struct JsonCall<'a> {
    pub(crate) world: &'a mut World,
    /// The ARN of the caller.
    pub(crate) principal: &'a str,
    /// The account of the caller.
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) action: &'a str,
    pub(crate) input: &'a Map<String, Value>,
}

/// The error for a member of another type than the model's.
pub(crate) fn serialization(name: &str) -> AwsError {
    AwsError::new(400, "SerializationException", format!("The value of {name} is of the wrong type"))
}

/// A member that may be absent or null.
pub(crate) fn member<'a, T>(
    object: &'a Map<String, Value>,
    name: &str,
    convert: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>, AwsError> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => convert(value).map(Some).ok_or_else(|| serialization(name)),
    }
}

/// A list of strings, empty if it is absent.
pub(crate) fn strings<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Vec<&'a str>, AwsError> {
    let list = member(object, name, Value::as_array)?;
    list.into_iter().flatten().map(|item| item.as_str().ok_or_else(|| serialization(name))).collect()
}

/// A time in AWS JSON: seconds since 1970, here with milliseconds.
pub(crate) fn epoch_seconds(time: DateTime<Utc>) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are exact for 285,000 years")]
    Value::from(time.timestamp_millis() as f64 / 1000.0)
}

/// The position of the page that `NextToken` stands for. `invalid` is the service's error for the token of another listing.
pub(crate) fn position(
    listing: &Listing,
    input: &Map<String, Value>,
    invalid: impl FnOnce() -> AwsError,
) -> Result<Position, AwsError> {
    let token = member(input, "NextToken", Value::as_str)?.filter(|token| !token.is_empty());
    listing.position(token).ok_or_else(invalid)
}

/// A page in JSON: the items, and the token of the next page.
pub(crate) fn page(name: &str, page: Page<Value>) -> Value {
    let mut value = json!({ name: page.items });
    if let Some(token) = page.next {
        value["NextToken"] = token.into();
    }
    value
}
