//! The resources of an account in [`REGION`](crate::REGION) besides Config rules: the configuration recorder, SSM documents,
//! Lambda functions. Other Regions have none.

use std::collections::BTreeMap;

use serde_json::{Value, json};

#[derive(Default)]
pub(crate) struct Regional {
    pub(crate) recorder: Option<Recorder>,
    /// By name.
    pub(crate) documents: BTreeMap<String, Document>,
    /// Settings of Systems Manager that somebody changed, by their ids.
    pub(crate) service_settings: BTreeMap<String, String>,
    /// By name.
    pub(crate) functions: BTreeMap<String, Function>,
    /// The quota of concurrent executions, if it is not Lambda's default.
    pub(crate) concurrent_executions: Option<u32>,
    /// The status of each Region that is not enabled by default, or is not as it is at first.
    pub(crate) region_statuses: BTreeMap<String, &'static str>,
    /// The events on each event bus, by the bus's name.
    pub(crate) event_buses: BTreeMap<String, Vec<Value>>,
}

/// A Lambda function.
#[derive(Default)]
pub(crate) struct Function {
    /// The statements of its policy. Without any, it has no policy.
    pub(crate) statements: Vec<Value>,
    /// Its reserved concurrent executions. 0 switches it off.
    pub(crate) reserved: Option<u32>,
}

/// An SSM document.
pub(crate) struct Document {
    pub(crate) status: &'static str,
    pub(crate) default_version: u32,
    pub(crate) latest_version: u32,
}

/// The configuration recorder of AWS Config.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// `default`, unless somebody else than AWS Config's console created it.
    pub name: &'static str,
    /// The recorded types, as `DescribeConfigurationRecorders` returns them.
    pub recording_group: Value,
    /// The frequency, as `DescribeConfigurationRecorders` returns it.
    pub recording_mode: Value,
    /// Whether it runs.
    pub recording: bool,
    /// `Pending`, `Success`, `Failure` or `NotApplicable`.
    pub last_status: &'static str,
}

impl Recorder {
    /// A running recorder with that recording group.
    pub fn of(recording_group: Value) -> Recorder {
        Recorder {
            name: "default",
            recording_group,
            recording_mode: json!({ "recordingFrequency": "CONTINUOUS" }),
            recording: true,
            last_status: "Success",
        }
    }

    /// A running recorder of all types, including those of IAM.
    pub fn of_everything() -> Recorder {
        Recorder::of(json!({
            "allSupported": true,
            "includeGlobalResourceTypes": true,
            "recordingStrategy": { "useOnly": "ALL_SUPPORTED_RESOURCE_TYPES" },
        }))
    }
}
