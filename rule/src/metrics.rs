//! One line in CloudWatch's embedded metric format for each invocation.
//!
//! The account is a property, not a dimension: each value of a dimension would be billed as a metric of its own. Source:
//! "Specification: Embedded metric format" in the Amazon CloudWatch user guide.

use crate::aws::client::Calls;
use chrono::{DateTime, Utc};
use policy::verdict::{Compliance, Verdict};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// A metric, and what it says.
#[derive(Debug)]
pub struct Metric {
    /// The name in CloudWatch.
    pub name: &'static str,
    /// The unit in CloudWatch.
    pub unit: &'static str,
    /// For the manual.
    pub meaning: &'static str,
}

impl Metric {
    pub(crate) const fn new(name: &'static str, unit: &'static str, meaning: &'static str) -> Metric {
        Metric { name, unit, meaning }
    }
}

/// The metrics of an invocation, in the order of the values in [`Metrics::line`].
pub static METRICS: [Metric; 9] = [
    Metric::new("UsersEvaluated", "Count", "users with a verdict"),
    Metric::new("UsersNonCompliant", "Count", "users in violation"),
    Metric::new("UsersExempt", "Count", "users who are compliant because of an exemption"),
    Metric::new(
        "UsersUnknown",
        "Count",
        "users who could not be read, without those whom a retry is expected to settle and those who are known to be shielded; an \
         alarm watches it",
    ),
    Metric::new("RetriesExpected", "Count", "1 if the invocation ends in `NotYetConsistent`, otherwise 0"),
    Metric::new("AwsCalls", "Count", "calls of AWS, with those that were repeated"),
    Metric::new("AwsThrottles", "Count", "calls that AWS throttled"),
    Metric::new("Duration", "Seconds", "how long the invocation took"),
    Metric::new(
        "OldestActiveKeyDays",
        "None",
        "the age in days of the oldest active key that the invocation read; left out if it read none",
    ),
];

/// The counts of one invocation.
#[derive(Debug)]
pub struct Metrics {
    /// The AWS calls.
    pub calls: Calls,
    /// The ids of users who do not count as unknown while a policy shields them.
    pub(crate) known_shielded: BTreeSet<String>,
    account: OnceLock<String>,
    evaluated: AtomicU64,
    non_compliant: AtomicU64,
    exempt: AtomicU64,
    unknown: AtomicU64,
    retries_expected: AtomicU64,
    oldest_active_key_days: AtomicI64,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics {
            calls: Calls::default(),
            known_shielded: BTreeSet::new(),
            account: OnceLock::new(),
            evaluated: AtomicU64::new(0),
            non_compliant: AtomicU64::new(0),
            exempt: AtomicU64::new(0),
            unknown: AtomicU64::new(0),
            retries_expected: AtomicU64::new(0),
            oldest_active_key_days: AtomicI64::new(-1),
        }
    }
}

impl Metrics {
    /// Metrics of an invocation that makes its calls through `calls`.
    pub fn with_calls(calls: Calls) -> Metrics {
        Metrics { calls, ..Metrics::default() }
    }

    /// Metrics in which these users, by id, do not count as unknown while a policy shields them.
    pub fn with_known_shielded(known_shielded: BTreeSet<String>) -> Metrics {
        Metrics { known_shielded, ..Metrics::default() }
    }

    /// How many users have been evaluated so far.
    pub fn evaluated(&self) -> u64 {
        self.evaluated.load(Relaxed)
    }

    /// How many users could not be evaluated.
    pub fn users_unknown(&self) -> u64 {
        self.unknown.load(Relaxed)
    }

    /// Sets the account that the invocation is about, once it has been checked.
    pub fn account(&self, id: &str) {
        self.account.get_or_init(|| id.to_owned());
    }

    /// Counts a user who was evaluated.
    pub fn verdict(&self, verdict: &Verdict, is_exempt: bool) {
        self.evaluated.fetch_add(1, Relaxed);
        self.non_compliant.fetch_add((verdict.compliance == Compliance::NonCompliant).into(), Relaxed);
        self.exempt.fetch_add(is_exempt.into(), Relaxed);
    }

    /// Counts users who could not be evaluated, and for whom no retry is expected to help.
    pub fn unknown(&self, users: usize) {
        self.unknown.fetch_add(users as u64, Relaxed);
    }

    /// Records that the invocation ends in an error that Lambda's retry is expected to mend. The alarm on errors leaves it out.
    pub fn retry_expected(&self) {
        self.retries_expected.store(1, Relaxed);
    }

    /// Records the age, in days, of an active key that was read.
    pub fn active_key(&self, age: i64) {
        self.oldest_active_key_days.fetch_max(age, Relaxed);
    }

    /// The line for an invocation that began at `now` and took `took`.
    pub fn line(&self, now: DateTime<Utc>, took: Duration) -> Value {
        // No active key was read: that is not an age of zero.
        let oldest = Some(self.oldest_active_key_days.load(Relaxed)).filter(|days| *days >= 0);
        let values = [
            Some(json!(self.evaluated.load(Relaxed))),
            Some(json!(self.non_compliant.load(Relaxed))),
            Some(json!(self.exempt.load(Relaxed))),
            Some(json!(self.unknown.load(Relaxed))),
            Some(json!(self.retries_expected.load(Relaxed))),
            Some(json!(self.calls.made())),
            Some(json!(self.calls.throttled())),
            Some(json!(took.as_secs_f64())),
            oldest.map(|days| json!(days)),
        ];
        let mut line = embedded(now, METRICS.iter().zip(values).filter_map(|(metric, value)| Some((metric, value?))));
        if let Some(account) = self.account.get() {
            line["AccountId"] = json!(account);
        }
        line
    }
}

/// A line of the embedded metric format.
pub(crate) fn embedded(now: DateTime<Utc>, metrics: impl Iterator<Item = (&'static Metric, Value)>) -> Value {
    let metrics: Vec<_> = metrics.collect();
    let definitions: Vec<_> = metrics.iter().map(|(of, _)| json!({ "Name": of.name, "Unit": of.unit })).collect();
    let mut line = json!({
        "_aws": {
            "Timestamp": now.timestamp_millis(),
            "CloudWatchMetrics": [{
                "Namespace": "AccessKeyRotation",
                "Dimensions": [[]],
                "Metrics": definitions,
            }],
        },
    });
    for (of, value) in metrics {
        line[of.name] = value;
    }
    line
}
