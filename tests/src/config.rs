//! Config, version 2014-11-12: delivering and reading the evaluations of a rule.

mod compliance;
mod put_evaluations;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::REGION;
use crate::account::Account;
use crate::error::AwsError;
use crate::faults::{Effects, Faults};
use crate::world::World;

const COMPLIANCE_TYPES: [&str; 4] = ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE", "INSUFFICIENT_DATA"];

/// What an action works on.
struct Context<'a> {
    account: &'a mut Account,
    faults: &'a mut Faults,
    /// Whether the rules live in the Region that is asked.
    home: bool,
    input: &'a Map<String, Value>,
    effects: &'a Effects,
}

type Result<T> = std::result::Result<T, AwsError>;

pub(crate) fn answer(
    world: &mut World,
    account: &str,
    region: &str,
    action: &str,
    input: &Value,
    effects: &Effects,
) -> Result<Value> {
    let input = input.as_object().ok_or_else(|| serialization("the input"))?;
    let (account, faults) = world.account_and_faults(account);
    let mut cx = Context { account, faults, home: region == REGION, input, effects };
    match action {
        "PutEvaluations" => put_evaluations::put(&mut cx),
        "GetComplianceDetailsByConfigRule" => compliance::details(&cx),
        "DescribeComplianceByConfigRule" => compliance::describe(&cx),
        _ => Err(AwsError::new(400, "UnknownOperationException", "")),
    }
}

/// A member that has another type than the model says.
fn serialization(name: &str) -> AwsError {
    AwsError::new(400, "SerializationException", format!("The value of {name} is of the wrong type"))
}

/// A member that may be absent or null.
fn member<'a, T>(
    object: &'a Map<String, Value>,
    name: &str,
    convert: impl FnOnce(&'a Value) -> Option<T>,
) -> Result<Option<T>> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => convert(value).map(Some).ok_or_else(|| serialization(name)),
    }
}

/// A list of strings, empty if it is absent.
fn strings<'a>(object: &'a Map<String, Value>, name: &str) -> Result<Vec<&'a str>> {
    let list = member(object, name, Value::as_array)?;
    list.into_iter().flatten().map(|item| item.as_str().ok_or_else(|| serialization(name))).collect()
}

/// AWS JSON has times as seconds since 1970, here to the millisecond.
fn epoch_seconds(time: DateTime<Utc>) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "milliseconds are exact for 285,000 years")]
    Value::from(time.timestamp_millis() as f64 / 1000.0)
}

fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}

fn no_such_rule(name: &str) -> AwsError {
    let message =
        format!("The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name.");
    AwsError::new(400, "NoSuchConfigRuleException", message)
}
