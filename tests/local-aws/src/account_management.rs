//! AWS Account Management, version 2021-02-01: ListRegions of the caller's own account.

use serde_json::{Value, json};

use crate::account::Account;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{self, JsonCall, member, strings};
use crate::paging::Listing;
use crate::service::Service;

/// The Regions that every account has.
const DEFAULT: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];
/// Some of the Regions that an account must enable.
const OPT_IN: [&str; 3] = ["af-south-1", "eu-south-1", "me-south-1"];
const STATUSES: [&str; 5] = ["ENABLED", "ENABLING", "DISABLING", "DISABLED", "ENABLED_BY_DEFAULT"];
/// The most Regions on a page, and the default.
const PAGE: i64 = 50;

impl Account {
    /// Sets a Region's status, such as `ENABLED` or `DISABLED`.
    pub fn set_region_status(&mut self, region: &str, status: &'static str) {
        self.regional.region_statuses.insert(region.to_owned(), status);
    }

    /// Whether credentials of the account are good for a Region.
    pub(crate) fn has_region(&self, region: &str) -> bool {
        !self.region_statuses().any(|(name, status)| name == region && status == "DISABLED")
    }

    /// The Regions and their statuses, in order of their names.
    fn region_statuses(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let set = &self.regional.region_statuses;
        let known =
            DEFAULT.map(|name| (name, "ENABLED_BY_DEFAULT")).into_iter().chain(OPT_IN.map(|name| (name, "DISABLED")));
        let known = known.filter(move |(name, _)| !set.contains_key(*name));
        let mut all: Vec<_> = known.chain(set.iter().map(|(name, status)| (name.as_str(), *status))).collect();
        all.sort_unstable();
        all.into_iter()
    }
}

pub(crate) fn answer(call: JsonCall<'_>, effects: &Effects) -> Result<Value, AwsError> {
    match call.action {
        "ListRegions" => list_regions(call, effects),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn list_regions(JsonCall { world, account, input, .. }: JsonCall<'_>, effects: &Effects) -> Result<Value, AwsError> {
    let invalid = |message: String| AwsError::new(400, "ValidationException", message);
    let size = member(input, "MaxResults", Value::as_i64)?.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&size) {
        return Err(invalid(format!("A page has 1 to {PAGE} Regions.")));
    }
    if input.contains_key("AccountId") {
        return Err(invalid("The local AWS lists the Regions of the caller's own account.".to_owned()));
    }
    let wanted = strings(input, "RegionOptStatusContains")?;
    if let Some(wrong) = wanted.iter().find(|status| !STATUSES.contains(status)) {
        return Err(invalid(format!("{wrong} is not one of {}.", STATUSES.join(", "))));
    }
    let listing = Listing {
        service: Service::Account,
        name: format!("ListRegions {account} {wanted:?}"),
        size: size.try_into().unwrap_or(1),
        faults: effects.pages,
    };
    let position = json::position(&listing, input, || invalid("The token is not valid.".to_owned()))?;
    let account = world.account(account);
    let after = position.after.clone().unwrap_or_default();
    let regions = account
        .region_statuses()
        .filter(|(name, status)| *name > after.as_str() && (wanted.is_empty() || wanted.contains(status)));
    let page = listing.page(position, regions, |(name, _)| (*name).to_owned())?;
    Ok(json::page("Regions", page.map(|(name, status)| json!({ "RegionName": name, "RegionOptStatus": status }))))
}
