//! The services, and what sets their protocols apart.

use std::fmt;

use axum::http::HeaderMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Iam,
    Sts,
    Config,
    Organizations,
    Events,
    Ssm,
    CloudTrail,
    SecretsManager,
    Lambda,
    Account,
}

impl Service {
    pub(crate) const ALL: [Service; 10] = [
        Service::Iam,
        Service::Sts,
        Service::Config,
        Service::Organizations,
        Service::Events,
        Service::Ssm,
        Service::CloudTrail,
        Service::SecretsManager,
        Service::Lambda,
        Service::Account,
    ];

    /// The version of the service's API, which only requests in the AWS Query protocol contain.
    pub(crate) fn version(self) -> &'static str {
        match self {
            Service::Iam => "2010-05-08",
            Service::Sts => "2011-06-15",
            Service::Config => "2014-11-12",
            Service::Organizations => "2016-11-28",
            Service::Events => "2015-10-07",
            Service::Ssm => "2014-11-06",
            Service::CloudTrail => "2013-11-01",
            Service::SecretsManager => "2017-10-17",
            Service::Lambda => "2015-03-31",
            Service::Account => "2021-02-01",
        }
    }

    /// The prefix of an action's name in the header `X-Amz-Target`, which only the AWS JSON protocol has.
    pub(crate) fn target(self) -> Option<&'static str> {
        match self {
            Service::Iam | Service::Sts | Service::Lambda | Service::Account => None,
            Service::Config => Some("StarlingDoveService."),
            Service::Organizations => Some("AWSOrganizationsV20161128."),
            Service::Events => Some("AWSEvents."),
            Service::Ssm => Some("AmazonSSM."),
            Service::CloudTrail => Some("CloudTrail_20131101."),
            Service::SecretsManager => Some("secretsmanager."),
        }
    }

    /// Whether the service speaks JSON, with other error codes than in the AWS Query protocol.
    pub(crate) fn is_json(self) -> bool {
        !matches!(self, Service::Iam | Service::Sts)
    }

    /// The service whose protocol an unsigned request speaks, so that the answer is in the same protocol.
    pub(crate) fn guess(headers: &HeaderMap) -> Service {
        if headers.contains_key("x-amz-target") { Service::Config } else { Service::Iam }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Service::Iam => "iam",
            Service::Sts => "sts",
            Service::Config => "config",
            Service::Organizations => "organizations",
            Service::Events => "events",
            Service::Ssm => "ssm",
            Service::CloudTrail => "cloudtrail",
            Service::SecretsManager => "secretsmanager",
            Service::Lambda => "lambda",
            Service::Account => "account",
        })
    }
}
