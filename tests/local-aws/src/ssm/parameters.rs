//! Parameter Store: PutParameter, GetParameter, GetParametersByPath, GetParameterHistory, DeleteParameter, for standard parameters.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::REGION;
use crate::account::Account;
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{self, JsonCall, epoch_seconds, member};
use crate::paging::Listing;
use crate::service::Service;

/// The quota of standard parameters for each Region.
const PARAMETERS: usize = 10_000;
/// The longest value of a standard parameter, in bytes.
const VALUE: usize = 4 * 1024;
/// The most levels of a name.
const LEVELS: usize = 15;
/// The most parameters on a page.
const AT_ONCE: usize = 10;

type Result<T> = std::result::Result<T, AwsError>;

/// The parameters of an account, by Region and name.
#[derive(Default)]
pub(crate) struct Parameters(BTreeMap<String, BTreeMap<String, Parameter>>);

/// A version of a standard parameter.
#[derive(Clone)]
struct Parameter {
    kind: String,
    value: String,
    version: u64,
    changed: DateTime<Utc>,
    /// The versions before this one, the oldest first, without those before them.
    earlier: Vec<Parameter>,
}

impl Account {
    /// The values of the parameters in [`REGION`], by name.
    pub fn parameters(&self) -> BTreeMap<&str, &str> {
        let parameters = self.parameters.0.get(REGION).into_iter().flatten();
        parameters.map(|(name, parameter)| (name.as_str(), parameter.value.as_str())).collect()
    }

    /// Creates a parameter of the type `String` in [`REGION`], or changes its value. No limit applies.
    pub fn set_parameter(&mut self, name: &str, value: &str) {
        self.set_parameter_at(self.now, name, value);
    }

    /// As [`Account::set_parameter`], at that time.
    pub fn set_parameter_at(&mut self, at: DateTime<Utc>, name: &str, value: &str) {
        self.put(REGION, name, "String", value, at);
    }

    /// Deletes a parameter in [`REGION`].
    pub fn remove_parameter(&mut self, name: &str) -> bool {
        self.parameters.0.get_mut(REGION).is_some_and(|parameters| parameters.remove(name).is_some())
    }

    /// Stores a value, and returns its version.
    fn put(&mut self, region: &str, name: &str, kind: &str, value: &str, changed: DateTime<Utc>) -> u64 {
        let parameters = self.parameters.0.entry(region.to_owned()).or_default();
        let mut earlier = Vec::new();
        if let Some(mut last) = parameters.remove(name) {
            earlier = std::mem::take(&mut last.earlier);
            earlier.push(last);
        }
        let version = earlier.last().map_or(1, |last| last.version + 1);
        // The quota of versions.
        earlier.drain(..earlier.len().saturating_sub(99));
        let parameter = Parameter { kind: kind.to_owned(), value: value.to_owned(), version, changed, earlier };
        parameters.insert(name.to_owned(), parameter);
        version
    }

    fn parameter(&self, region: &str, name: &str) -> Option<&Parameter> {
        self.parameters.0.get(region)?.get(name)
    }
}

pub(super) fn put(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value> {
    let name = checked_name(input)?;
    let value = member(input, "Value", Value::as_str)?;
    let kind = member(input, "Type", Value::as_str)?;
    let mut violations = Violations::default();
    violations.required("value", value);
    if let Some(kind) = kind {
        violations.one_of("type", kind, &["String", "StringList", "SecureString"]);
    }
    if let Some(tier) = member(input, "Tier", Value::as_str)? {
        violations.one_of("tier", tier, &["Standard"]);
    }
    violations.finish("ValidationException")?;
    let value = value.unwrap_or_default();
    let account = world.account(account);
    let existing = account.parameter(region, name).map(|parameter| parameter.kind.clone());
    let overwrite = member(input, "Overwrite", Value::as_bool)?.unwrap_or_default();
    if existing.is_some() && !overwrite {
        let message = "The parameter already exists. To overwrite this value, set the overwrite option to true.";
        return Err(AwsError::new(400, "ParameterAlreadyExists", message));
    }
    let Some(kind) = kind.or(existing.as_deref()) else {
        return Err(invalid("A new parameter needs a type."));
    };
    if value.is_empty() || value.len() > VALUE {
        return Err(invalid(format!("A standard parameter has a value of 1 to {VALUE} characters.")));
    }
    if value.contains("{{") {
        return Err(invalid("A value cannot refer to another parameter."));
    }
    let count = account.parameters.0.get(region).map_or(0, BTreeMap::len);
    if existing.is_none() && count >= PARAMETERS {
        return Err(AwsError::new(400, "ParameterLimitExceeded", format!("{PARAMETERS} parameters are the limit.")));
    }
    let version = account.put(region, name, kind, value, account.now);
    Ok(json!({ "Version": version, "Tier": "Standard" }))
}

pub(super) fn get(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value> {
    let name = checked_name(input)?;
    let account = world.account(account);
    let found = account.parameter(region, name).ok_or_else(|| AwsError::new(400, "ParameterNotFound", ""))?;
    Ok(json!({ "Parameter": shown(account, region, name, found) }))
}

pub(super) fn get_by_path(
    JsonCall { world, account, region, input, .. }: JsonCall<'_>,
    effects: &Effects,
) -> Result<Value> {
    let path = member(input, "Path", Value::as_str)?;
    let size = member(input, "MaxResults", Value::as_i64)?.unwrap_or(10);
    let mut violations = Violations::default();
    violations.required("path", path);
    violations.number("maxResults", size, 1..=10);
    violations.finish("ValidationException")?;
    let path = path.unwrap_or_default();
    if !path.starts_with('/') {
        return Err(invalid("The path must begin with a slash."));
    }
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let is_recursive = member(input, "Recursive", Value::as_bool)?.unwrap_or_default();
    let listing = Listing {
        service: Service::Ssm,
        name: format!("GetParametersByPath {account} {region} {prefix} {is_recursive}"),
        size: size.try_into().unwrap_or(AT_ONCE),
        faults: effects.pages,
    };
    let position =
        json::position(&listing, input, || AwsError::new(400, "InvalidNextToken", "The token is not valid."))?;
    let after = position.after.clone();
    let account = world.account(account);
    let is_within = |name: &str| {
        let rest = name.strip_prefix(&prefix);
        rest.is_some_and(|rest| is_recursive || !rest.contains('/'))
    };
    let parameters = account.parameters.0.get(region).into_iter().flatten();
    let matching = parameters.filter(|(name, _)| is_within(name) && after.as_ref().is_none_or(|after| *name > after));
    let page = listing.page(position, matching, |(name, _)| (*name).clone())?;
    Ok(json::page("Parameters", page.map(|(name, parameter)| shown(account, region, name, parameter))))
}

pub(super) fn history(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value> {
    let name = checked_name(input)?;
    let account = world.account(account);
    let last = account.parameter(region, name).ok_or_else(|| AwsError::new(400, "ParameterNotFound", ""))?;
    // At most 100 versions, of which the service gives 50 a page. Tests have fewer.
    let versions = last.earlier.iter().chain([last]).map(|version| shown(account, region, name, version));
    Ok(json!({ "Parameters": versions.collect::<Vec<_>>() }))
}

pub(super) fn delete(JsonCall { world, account, region, input, .. }: JsonCall<'_>) -> Result<Value> {
    let name = checked_name(input)?;
    let parameters = world.account(account).parameters.0.get_mut(region);
    let removed = parameters.and_then(|parameters| parameters.remove(name));
    removed.map(|_| json!({})).ok_or_else(|| AwsError::new(400, "ParameterNotFound", ""))
}

/// The required member `Name`, within the limits of a parameter's name.
fn checked_name(input: &Map<String, Value>) -> Result<&str> {
    let name = member(input, "Name", Value::as_str)?;
    let mut violations = Violations::default();
    let name = violations.required("name", name);
    violations.length("name", name, 1..=2048);
    violations.finish("ValidationException")?;
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-/".contains(c)) {
        return Err(invalid("A name has only letters, digits and the characters _ . - /"));
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(invalid("A name with levels must begin with a slash."));
    }
    let levels = name.trim_start_matches('/').split('/').count();
    if levels > LEVELS {
        let message = format!("A name has {LEVELS} levels at most.");
        return Err(AwsError::new(400, "HierarchyLevelLimitExceededException", message));
    }
    Ok(name)
}

fn shown(account: &Account, region: &str, name: &str, parameter: &Parameter) -> Value {
    json!({
        "Name": name,
        "Type": parameter.kind,
        "Value": parameter.value,
        "Version": parameter.version,
        "LastModifiedDate": epoch_seconds(parameter.changed),
        "ARN": format!("arn:aws:ssm:{region}:{}:parameter/{}", account.id(), name.trim_start_matches('/')),
        "DataType": "text",
    })
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}
