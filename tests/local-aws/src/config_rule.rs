//! A Config rule's results, and the tokens for delivering them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Utc};

/// A rule of AWS Config.
pub(crate) struct ConfigRule {
    pub(crate) id: String,
    /// By resource id.
    pub(crate) results: BTreeMap<String, EvaluationResult>,
    pub(crate) deliveries: Vec<Delivery>,
    /// The ARN of the function that the rule invokes, if it was set.
    pub(crate) function: Option<String>,
    /// `InputParameters`
    pub(crate) parameters: String,
    /// The ids of resources with a remediation exception.
    pub(crate) exceptions: BTreeSet<String>,
    /// `MaximumExecutionFrequency`
    pub(crate) frequency: &'static str,
    /// `None`: its evaluation status is empty.
    pub(crate) first_activated: Option<DateTime<Utc>>,
    pub(crate) last_success: Option<DateTime<Utc>>,
}

impl ConfigRule {
    pub(crate) fn new(id: String, now: DateTime<Utc>) -> ConfigRule {
        ConfigRule {
            id,
            results: BTreeMap::new(),
            deliveries: Vec::new(),
            function: None,
            parameters: "{}".to_owned(),
            exceptions: BTreeSet::new(),
            frequency: "TwentyFour_Hours",
            first_activated: Some(now),
            last_success: None,
        }
    }
}

/// What a result token stands for.
pub(crate) struct ResultToken {
    pub(crate) rule: String,
    /// A rule that is deleted and created again is another rule.
    pub(crate) rule_id: String,
    /// When Config invoked the rule.
    pub(crate) invoked: DateTime<Utc>,
}

/// The last evaluation of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvaluationResult {
    /// The type, such as `AWS::IAM::User`.
    pub resource_type: String,
    /// The verdict.
    pub compliance: ComplianceType,
    /// The rule's explanation, 1 to 256 characters.
    pub annotation: Option<String>,
    /// The time of the event that triggered the evaluation.
    pub ordering_timestamp: DateTime<Utc>,
    /// When `PutEvaluations` delivered the result.
    pub result_recorded_time: DateTime<Utc>,
    /// When Config sent the event that triggered the evaluation.
    pub config_rule_invoked_time: DateTime<Utc>,
}

/// A verdict on a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComplianceType {
    /// `COMPLIANT`
    Compliant,
    /// `NON_COMPLIANT`
    NonCompliant,
    /// `NOT_APPLICABLE`
    NotApplicable,
}

impl ComplianceType {
    /// The type with this name; `None` for `INSUFFICIENT_DATA`, which no evaluation may have.
    pub(crate) fn parse(name: &str) -> Option<ComplianceType> {
        use ComplianceType::{Compliant, NonCompliant, NotApplicable};
        [Compliant, NonCompliant, NotApplicable].into_iter().find(|kind| kind.as_str() == name)
    }

    /// AWS's name for the type.
    pub fn as_str(self) -> &'static str {
        match self {
            ComplianceType::Compliant => "COMPLIANT",
            ComplianceType::NonCompliant => "NON_COMPLIANT",
            ComplianceType::NotApplicable => "NOT_APPLICABLE",
        }
    }
}

impl fmt::Display for ComplianceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A call of `PutEvaluations` that was answered with 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How many evaluations it held, including those that failed.
    pub evaluations: usize,
    /// How many of them were reported as failed.
    pub failed: usize,
    /// Whether it was a dry run, which changes nothing.
    pub test_mode: bool,
}
