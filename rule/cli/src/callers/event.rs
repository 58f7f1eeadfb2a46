//! What an event of CloudTrail says of the caller. Callers choose their agent, so every text here is somebody else's.

use aws_sdk_cloudtrail::types::Event;
use chrono::{DateTime, Utc};
use serde::Deserialize;

/// The longest agent or address that is kept, in characters. CloudTrail cuts an agent at 1 KB.
const LONGEST: usize = 1024;

/// One call, from the record that an event carries as JSON ("CloudTrail record contents" in the CloudTrail user guide).
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) at: DateTime<Utc>,
    /// `sourceIPAddress`: an address, or the name of an AWS service.
    pub(crate) address: String,
    pub(crate) vpc_endpoint: Option<String>,
    pub(crate) agent: String,
    /// `eventSource` without `.amazonaws.com`.
    pub(crate) service: String,
    pub(crate) failed: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: DateTime<Utc>,
    event_source: String,
    #[serde(rename = "sourceIPAddress")]
    source_ip_address: Option<String>,
    vpc_endpoint_id: Option<String>,
    user_agent: Option<String>,
    error_code: Option<String>,
}

impl Call {
    /// `None` if the record is not what the user guide describes.
    pub(crate) fn of(event: &Event) -> Option<Call> {
        let record: Record = serde_json::from_str(event.cloud_trail_event()?).ok()?;
        let cut = |text: Option<String>| text.unwrap_or_default().chars().take(LONGEST).collect();
        Some(Call {
            at: record.event_time,
            address: cut(record.source_ip_address),
            vpc_endpoint: record.vpc_endpoint_id,
            agent: cut(record.user_agent),
            service: record.event_source.strip_suffix(".amazonaws.com").unwrap_or(&record.event_source).to_owned(),
            failed: record.error_code.is_some(),
        })
    }
}
