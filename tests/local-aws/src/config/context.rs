//! What the actions share: what they work on, and errors.

use serde_json::{Map, Value};

use crate::account::Account;
use crate::error::AwsError;
use crate::faults::{Effects, Faults};

pub(super) const COMPLIANCE_TYPES: [&str; 4] = ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE", "INSUFFICIENT_DATA"];

/// What an action works on.
pub(super) struct Context<'a> {
    pub(super) account: &'a mut Account,
    pub(super) faults: &'a mut Faults,
    /// Whether the request is for the Region of the rules.
    pub(super) home: bool,
    pub(super) input: &'a Map<String, Value>,
    pub(super) effects: &'a Effects,
}

pub(super) type Result<T> = std::result::Result<T, AwsError>;

pub(super) fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}

pub(super) fn no_such_rule(name: &str) -> AwsError {
    let message =
        format!("The ConfigRule '{name}' provided in the request is invalid. Please check the configRule name.");
    AwsError::new(400, "NoSuchConfigRuleException", message)
}
