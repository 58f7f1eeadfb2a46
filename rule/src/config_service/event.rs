//! The event from AWS Config, checked and reduced to what the rule must evaluate.
//!
//! Anybody who can invoke the function can write an event, so it is not trusted until its accounts and Regions agree. Errors
//! name the wrong field and never quote the event.
//!
//! Source of the formats: "Example Events for AWS Config Rules" in the AWS Config developer guide.

use crate::{
    aws::{
        home::{Home, is_account_id},
        quarantine::is_quarantine,
    },
    error::Error,
};
use chrono::{DateTime, Utc};
use serde_json::Value;
use std::fmt;

#[cfg(test)]
mod tests;

/// The resource type that the rule evaluates.
pub const IAM_USER: &str = "AWS::IAM::User";

/// What to evaluate, and how to return the results.
#[derive(Debug)]
pub struct Event {
    /// The account to evaluate, twelve digits.
    pub account: String,
    /// The rule's name in the account.
    pub rule_name: String,
    /// The token to return with the results.
    pub result_token: ResultToken,
    /// `ruleParameters`, still a JSON string.
    pub rule_parameters: Option<String>,
    /// What to evaluate.
    pub target: Target,
    /// The `OrderingTimestamp` of the results.
    pub ordering_timestamp: DateTime<Utc>,
}

/// What to evaluate.
#[derive(Debug, PartialEq, Eq)]
pub enum Target {
    /// One user, after a change.
    User {
        /// `AIDA…`, which is Config's resource id.
        id: String,
        /// The name at the time of the change.
        name: String,
        /// Whether AWS had quarantined the user then. `None` if the item does not say: an oversized one has no configuration.
        is_exposed: Option<bool>,
    },
    /// A resource that is gone, or that the rule does not evaluate.
    NotApplicable {
        /// Config's resource type.
        resource_type: String,
        /// Config's resource id.
        id: String,
    },
    /// All users of the account, on the schedule.
    Account,
}

/// The token that lets its holder write results for the rule. Its debug output hides it.
#[derive(PartialEq, Eq)]
pub struct ResultToken(String);

impl ResultToken {
    /// Whether AWS Config checks the results without keeping them: the convention of the console and the RDK for tests.
    pub fn is_test(&self) -> bool {
        self.0 == "TESTMODE"
    }

    /// The token itself, for `PutEvaluations` only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ResultToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResultToken(..)")
    }
}

impl Event {
    /// Reads and checks an event that was sent to the function at `home`.
    ///
    /// # Errors
    /// [`Error::InvalidEvent`], naming the field.
    pub fn parse(event: &Value, home: &Home) -> Result<Event, Error> {
        let account = text(event, "accountId")?;
        if !is_account_id(account) {
            return Err(invalid("accountId is not twelve digits"));
        }
        check_rule_arn(text(event, "configRuleArn")?, account, home)?;
        match event.get("evaluationMode") {
            None | Some(Value::Null) => {}
            Some(mode) if mode == "DETECTIVE" => {}
            Some(_) => {
                return Err(invalid(
                    "evaluationMode is not DETECTIVE, the only mode that AWS Config has for IAM users",
                ));
            }
        }
        let left_scope = match event.get("eventLeftScope") {
            None | Some(Value::Null) => false,
            Some(value) => value.as_bool().ok_or_else(|| invalid("eventLeftScope is neither true nor false"))?,
        };
        let rule_parameters = match event.get("ruleParameters") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_str().ok_or_else(|| invalid("ruleParameters is not a string"))?.to_owned()),
        };
        let invoking_event: Value =
            serde_json::from_str(text(event, "invokingEvent")?).map_err(|_| invalid("invokingEvent is not JSON"))?;
        let (target, ordering_timestamp) = Message { event: &invoking_event, account, left_scope }.read()?;
        Ok(Event {
            account: account.to_owned(),
            rule_name: text(event, "configRuleName")?.to_owned(),
            result_token: ResultToken(text(event, "resultToken")?.to_owned()),
            rule_parameters,
            target,
            ordering_timestamp,
        })
    }
}

/// The `invokingEvent`, with what the event around it says.
struct Message<'a> {
    event: &'a Value,
    account: &'a str,
    left_scope: bool,
}

impl Message<'_> {
    fn read(&self) -> Result<(Target, DateTime<Utc>), Error> {
        self.check_account(self.event)?;
        match text(self.event, "messageType")? {
            "ScheduledNotification" | "ConfigurationSnapshotDeliveryCompleted" => {
                Ok((Target::Account, time(self.event, "notificationCreationTime")?))
            }
            "ConfigurationItemChangeNotification" => self.changed(&self.event["configurationItem"]),
            "OversizedConfigurationItemChangeNotification" => self.changed(&self.event["configurationItemSummary"]),
            _ => Err(invalid(
                "messageType is not one of ConfigurationItemChangeNotification, \
                 OversizedConfigurationItemChangeNotification, ScheduledNotification or \
                 ConfigurationSnapshotDeliveryCompleted",
            )),
        }
    }

    fn changed(&self, item: &Value) -> Result<(Target, DateTime<Utc>), Error> {
        if !item.is_object() {
            return Err(invalid(
                "invokingEvent has no configurationItem (or configurationItemSummary, if the item is oversized)",
            ));
        }
        self.check_account(item)?;
        let resource_type = text(item, "resourceType")?;
        let id = text(item, "resourceId")?.to_owned();
        let ordering_timestamp = time(item, "configurationItemCaptureTime")?;
        let exists = match text(item, "configurationItemStatus")? {
            "OK" | "ResourceDiscovered" => true,
            "ResourceDeleted" | "ResourceDeletedNotRecorded" | "ResourceNotRecorded" => false,
            _ => {
                return Err(invalid(
                    "configurationItemStatus is not one of OK, ResourceDiscovered, ResourceDeleted, \
                     ResourceDeletedNotRecorded or ResourceNotRecorded",
                ));
            }
        };
        let target = if exists && !self.left_scope && resource_type == IAM_USER {
            self.user(id, item)?
        } else {
            Target::NotApplicable { resource_type: resource_type.to_owned(), id }
        };
        Ok((target, ordering_timestamp))
    }

    /// The user. An oversized item may have the name only in the ARN, `arn:PARTITION:iam::ACCOUNT:user/PATH/NAME`.
    fn user(&self, id: String, item: &Value) -> Result<Target, Error> {
        let arn = item.get("ARN").and_then(Value::as_str);
        if let Some(arn) = arn
            && arn.split(':').nth(4) != Some(self.account)
        {
            return Err(invalid("the account in the configuration item's ARN is not the one in accountId"));
        }
        let name = item.get("resourceName").and_then(Value::as_str).filter(|name| !name.is_empty());
        let last = || arn?.rsplit_once('/').map(|(_, name)| name).filter(|name| !name.is_empty());
        let name = name
            .or_else(last)
            .ok_or_else(|| invalid("the configuration item has neither resourceName nor an ARN that ends in a name"))?;
        Ok(Target::User { id, name: name.to_owned(), is_exposed: is_exposed(item) })
    }

    fn check_account(&self, object: &Value) -> Result<(), Error> {
        match object.get("awsAccountId") {
            None | Some(Value::Null) => Ok(()),
            Some(account) if account == self.account => Ok(()),
            Some(_) => Err(invalid("awsAccountId is not the account in accountId")),
        }
    }
}

fn is_exposed(item: &Value) -> Option<bool> {
    let policies = item.get("configuration")?.get("attachedManagedPolicies")?.as_array()?;
    let arns: Option<Vec<_>> = policies.iter().map(|policy| policy.get("policyArn")?.as_str()).collect();
    Some(arns?.into_iter().any(is_quarantine))
}

/// `arn:PARTITION:config:REGION:ACCOUNT:config-rule/ID`
fn check_rule_arn(arn: &str, account: &str, home: &Home) -> Result<(), Error> {
    let ["arn", partition, "config", region, rule_account, rule] = arn.splitn(6, ':').collect::<Vec<_>>()[..] else {
        return Err(invalid("configRuleArn is not the ARN of an AWS Config rule"));
    };
    if !rule.starts_with("config-rule/") {
        return Err(invalid("configRuleArn is not the ARN of an AWS Config rule"));
    }
    if rule_account != account {
        return Err(invalid("the account in configRuleArn is not the one in accountId"));
    }
    if partition != home.partition {
        return Err(invalid("configRuleArn is of another partition than the function"));
    }
    if region != home.region {
        // A rule in a second Region would report every finding twice, and two remediations would race.
        return Err(invalid(&format!(
            "configRuleArn is of another Region than the function: deploy the rule to {} only",
            home.region
        )));
    }
    Ok(())
}

fn text<'a>(object: &'a Value, field: &str) -> Result<&'a str, Error> {
    match object.get(field).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(invalid(&format!("{field} is missing or not a string"))),
    }
}

fn time(object: &Value, field: &str) -> Result<DateTime<Utc>, Error> {
    DateTime::parse_from_rfc3339(text(object, field)?)
        .map(|time| time.to_utc())
        .map_err(|_| invalid(&format!("{field} is not a time such as 2026-03-01T12:00:00.000Z")))
}

fn invalid(what: &str) -> Error {
    Error::InvalidEvent(format!("not an event from AWS Config for this function: {what}"))
}
