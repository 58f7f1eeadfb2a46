//! Who set an exemption, and when: the last call of `TagUser` that CloudTrail has.

use super::{
    lookup::{MOST_DAYS, MOST_EVENTS, Trail},
    regions,
};
use crate::findings::exemptions::{Exempted, SetBy};
use access_key_rotation::aws::account::Account;
use chrono::{DateTime, TimeDelta, Utc};
use policy::exemption::EXEMPT_UNTIL;
use serde_json::Value;
use std::collections::BTreeMap;

/// A call that gave a user the tag with an exemption's last day.
struct Tagging {
    user_name: String,
    until: String,
    by: SetBy,
}

/// What a record of `TagUser` says.
enum Record {
    Exempts(Tagging),
    /// It failed, or gave other tags.
    Other,
    /// It may have given any user any tag.
    NotUnderstood,
}

/// Adds who set each exemption, if CloudTrail has the call. What it does not have, or what cannot be read, stays unknown.
pub(crate) async fn add_setters(account: &Account<'_>, partition: &str, exempted: &mut [Exempted], now: DateTime<Utc>) {
    let Some(region) = regions::of_iam(partition).filter(|_| !exempted.is_empty()) else { return };
    // By CloudTrail's clock, its first event may be later than 90 days before ours.
    let from = now - TimeDelta::days(MOST_DAYS.into()) + TimeDelta::hours(1);
    let mut last: BTreeMap<String, Tagging> = BTreeMap::new();
    let mut is_understood = true;
    let see = |event: aws_sdk_cloudtrail::types::Event| match event.cloud_trail_event().map(read) {
        Some(Record::Exempts(tagging)) if is_understood => {
            // The latest comes first.
            last.entry(tagging.user_name.clone()).or_insert(tagging);
        }
        Some(Record::Exempts(_) | Record::Other) => {}
        // An earlier call is perhaps not the last one.
        Some(Record::NotUnderstood) | None => is_understood = false,
    };
    // If CloudTrail breaks off, the later calls are known.
    let _ = Trail::of(account, region).events_named("TagUser", (from, now), MOST_EVENTS, see).await;
    for user in exempted {
        // A user of the same name, who was deleted, is another one.
        let is_of = |tagging: &&Tagging| {
            user.until.as_ref() == Some(&tagging.until) && user.created.is_some_and(|created| tagging.by.at >= created)
        };
        user.set_by = last.get(&user.user_name).filter(is_of).map(|tagging| tagging.by.clone());
    }
}

/// Reads "CloudTrail record contents" in the CloudTrail user guide. The request has the parameters of the call, with small first letters.
fn read(record: &str) -> Record {
    let Ok(record) = serde_json::from_str::<Value>(record) else { return Record::NotUnderstood };
    if record["errorCode"].is_string() {
        return Record::Other;
    }
    let request = &record["requestParameters"];
    let (Some(user_name), Some(tags)) = (request["userName"].as_str(), request["tags"].as_array()) else {
        return Record::NotUnderstood;
    };
    let Some(tag) = tags.iter().find(|tag| tag["key"] == EXEMPT_UNTIL) else { return Record::Other };
    let at = record["eventTime"].as_str().and_then(|at| at.parse().ok());
    match (tag["value"].as_str(), record["userIdentity"]["arn"].as_str(), at) {
        (Some(until), Some(arn), Some(at)) => Record::Exempts(Tagging {
            user_name: user_name.to_owned(),
            until: until.to_owned(),
            by: SetBy { arn: arn.to_owned(), at },
        }),
        _ => Record::NotUnderstood,
    }
}
