//! The Regions in which AWS Config records IAM users: those where it was available before February 2022.
//!
//! The developer guide says so under "Recording AWS Resources" (select-resources.html), the API reference under `RecordingGroup`.
//! The later Regions are those that the guide leaves out for the managed rules that IAM users trigger, such as
//! iam-user-group-membership-check.

use super::Check;
use crate::manual;
use access_key_rotation::{aws::home::Home, config_service::event::IAM_USER};

/// A Region that records IAM users.
pub(super) struct Region {
    pub(super) name: &'static str,
    partition: &'static str,
    /// Whether an account must enable it first ("Enable or disable AWS Regions in your account", AWS Account Management).
    pub(super) opt_in: bool,
}

const fn region(partition: &'static str, name: &'static str) -> Region {
    Region { name, partition, opt_in: false }
}

const fn opt_in(name: &'static str) -> Region {
    Region { name, partition: "aws", opt_in: true }
}

const RECORDING: [Region; 26] = [
    opt_in("af-south-1"),
    opt_in("ap-east-1"),
    region("aws", "ap-northeast-1"),
    region("aws", "ap-northeast-2"),
    region("aws", "ap-northeast-3"),
    region("aws", "ap-south-1"),
    region("aws", "ap-southeast-1"),
    region("aws", "ap-southeast-2"),
    opt_in("ap-southeast-3"),
    region("aws", "ca-central-1"),
    region("aws", "eu-central-1"),
    region("aws", "eu-north-1"),
    opt_in("eu-south-1"),
    region("aws", "eu-west-1"),
    region("aws", "eu-west-2"),
    region("aws", "eu-west-3"),
    opt_in("me-south-1"),
    region("aws", "sa-east-1"),
    region("aws", "us-east-1"),
    region("aws", "us-east-2"),
    region("aws", "us-west-1"),
    region("aws", "us-west-2"),
    region("aws-cn", "cn-north-1"),
    region("aws-cn", "cn-northwest-1"),
    region("aws-us-gov", "us-gov-east-1"),
    region("aws-us-gov", "us-gov-west-1"),
];

const NOT_RECORDING: [&str; 12] = [
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
];

/// The Regions of a partition that record IAM users.
pub(super) fn recording(partition: &str) -> impl Iterator<Item = &'static Region> {
    RECORDING.iter().filter(move |region| region.partition == partition)
}

/// Whether the home Region is one of them.
pub(super) fn check(home: &Home) -> Check {
    const NAME: &str = "region";
    let region = &home.region;
    if recording(&home.partition).any(|known| known.name == region) {
        Check::ok(NAME, format!("AWS Config records {IAM_USER} in {region}"))
    } else if NOT_RECORDING.contains(&region.as_str()) {
        Check::failed(
            NAME,
            format!(
                "AWS Config does not record {IAM_USER} in {region}, where it was not available before February 2022"
            ),
            format!("Choose another home Region ({}), and pass it with --region.", manual::DEPLOYMENT),
        )
    } else {
        Check::unknown(
            NAME,
            format!("this version does not know whether AWS Config records {IAM_USER} in {region}"),
            "Look it up in \"Recording AWS Resources\" in AWS Config's developer guide.",
        )
    }
}
