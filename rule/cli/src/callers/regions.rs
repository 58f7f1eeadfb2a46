//! The Regions in which an account may have events.

use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Pages},
};
use aws_sdk_account::{Client, types::RegionOptStatus};
use std::collections::BTreeSet;

pub(crate) const LIST_REGIONS: &str = "account:ListRegions";

/// The Regions that are enabled in the account.
///
/// # Errors
/// If they are not all known.
pub(crate) async fn enabled(account: &Account<'_>) -> Result<BTreeSet<String>, CallError> {
    let client = Client::new(&account.settings);
    let unexpected = |what| CallError::unexpected(LIST_REGIONS, what);
    let mut regions = BTreeSet::new();
    let mut pages = Pages::of(LIST_REGIONS);
    while pages.more() {
        let request = client
            .list_regions()
            .region_opt_status_contains(RegionOptStatus::Enabled)
            .region_opt_status_contains(RegionOptStatus::EnabledByDefault)
            .set_next_token(pages.next());
        let page = account.calls.call(LIST_REGIONS, account.ends.reads, || request.clone().send()).await?;
        let listed = page.regions.ok_or_else(|| unexpected("no list of Regions"))?;
        pages.turn(page.next_token)?;
        for region in listed {
            regions.insert(region.region_name.ok_or_else(|| unexpected("a Region without a name"))?);
        }
    }
    if regions.is_empty() { Err(unexpected("no Region")) } else { Ok(regions) }
}

/// The Region of a partition in which CloudTrail has the events of IAM (botocore's `endpoints.json`: the Region of IAM's endpoint).
pub(crate) fn of_iam(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" => Some("us-east-1"),
        "aws-cn" => Some("cn-north-1"),
        "aws-us-gov" => Some("us-gov-west-1"),
        _ => None,
    }
}
