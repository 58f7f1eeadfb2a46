//! Who uses the keys of the organization, for CloudTrail's history.

use crate::organization::is_stale;
use chrono::{DateTime, TimeDelta, Utc};
use local_aws::{Account, KeyUses};

/// An address, the VPC endpoint if the calls go through one, the agent, how many calls, hours between two, and their error.
type Caller = (&'static str, Option<&'static str>, &'static str, usize, i64, Option<&'static str>);

const CALLERS: [Caller; 4] = [
    (
        "203.0.113.80",
        None,
        "APN/1.0 HashiCorp/1.0 Terraform/1.9.5 (+https://www.terraform.io) terraform-provider-aws/5.67.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.30.5 os/linux lang/go#1.22.6",
        40,
        6,
        None,
    ),
    (
        "10.0.12.34",
        Some("vpce-0a1b2c3d4e5f60718"),
        "Boto3/1.35.10 md/Botocore#1.35.10 ua/2.0 os/linux#5.10.223-212.873.amzn2.x86_64 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython exec-env/AWS_ECS_FARGATE",
        24,
        1,
        None,
    ),
    (
        "198.51.100.7",
        None,
        "aws-cli/2.17.40 md/awscrt#0.21.2 ua/2.0 os/macos#23.6.0 md/arch#arm64 lang/python#3.11.9 md/pyimpl#CPython md/command#s3.ls",
        3,
        20,
        Some("AccessDenied"),
    ),
    ("cloudformation.amazonaws.com", None, "cloudformation.amazonaws.com", 2, 30, None),
];

/// Gives each stale key that was used some callers, most of them one or two.
pub(crate) fn seed(account: &mut Account, now: DateTime<Utc>) {
    let stale = account.users().flat_map(|user| &user.keys).filter(|key| is_stale(key, now));
    let used: Vec<_> = stale.filter_map(|key| Some((key.id.clone(), key.last_used.as_ref()?.clone()))).collect();
    for (n, (access_key_id, last_used)) in used.into_iter().enumerate() {
        // The first key has three of them. Every fifth was used for data events, which are not in the history.
        let callers = if n == 0 { &CALLERS[..3] } else { &CALLERS[n % 4..(n % 4 + 1 + n % 2).min(4)] };
        for (address, vpc_endpoint, agent, count, hours, error) in callers.iter().filter(|_| n % 5 < 4) {
            account.add_key_uses(KeyUses {
                access_key_id: access_key_id.clone(),
                region: last_used.region.clone(),
                source: format!("{}.amazonaws.com", last_used.service),
                name: "Describe".to_owned(),
                address: (*address).to_owned(),
                agent: (*agent).to_owned(),
                vpc_endpoint: vpc_endpoint.map(str::to_owned),
                error: error.map(str::to_owned),
                last: last_used.at,
                every: TimeDelta::hours(*hours),
                count: *count,
            });
        }
    }
}
