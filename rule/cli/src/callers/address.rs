//! What a CloudTrail event's `sourceIPAddress` says of where a call came from.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where a call came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum AddressClass {
    Public,
    Private,
    VpcEndpoint,
    AwsService,
    Unknown,
}

impl AddressClass {
    /// Reads CloudTrail's `sourceIPAddress`, which may be any text, and `vpcEndpointId`, which only a call through a VPC endpoint has.
    pub(crate) fn of(source_ip: &str, vpc_endpoint_id: Option<&str>) -> AddressClass {
        if is_service(source_ip) {
            return AddressClass::AwsService;
        }
        // A call through an endpoint has the address within the VPC.
        if vpc_endpoint_id.and_then(|id| id.strip_prefix("vpce-")).is_some_and(|rest| !rest.is_empty()) {
            return AddressClass::VpcEndpoint;
        }
        match source_ip.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(address)) => of_v4(address),
            Ok(IpAddr::V6(address)) => of_v6(address),
            Err(_) => AddressClass::Unknown,
        }
    }

    /// The class, for tables and JSON's `addressClass`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AddressClass::Public => "public",
            AddressClass::Private => "private",
            AddressClass::VpcEndpoint => "vpc-endpoint",
            AddressClass::AwsService => "aws-service",
            AddressClass::Unknown => "unknown",
        }
    }
}

/// Whether CloudTrail names a service where a caller's address or agent would be: `cloudformation.amazonaws.com`, `AWS Internal`,
/// `aws.internal`.
pub(super) fn is_service(text: &str) -> bool {
    let host = text.strip_suffix(".cn").unwrap_or(text);
    let service = [".amazonaws.com", ".aws.internal"].iter().find_map(|domain| host.strip_suffix(domain));
    ["AWS Internal", "aws.internal"].contains(&text) || service.is_some_and(is_host)
}

fn is_host(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
}

fn of_v4(address: Ipv4Addr) -> AddressClass {
    let [first, second, ..] = address.octets();
    let is_shared = first == 100 && (64..128).contains(&second);
    if address.is_private() || is_shared || address.is_link_local() || address.is_loopback() {
        AddressClass::Private
    } else if first == 0 || first >= 224 {
        // No caller has the unspecified address, a group's, or one of the reserved block.
        AddressClass::Unknown
    } else {
        AddressClass::Public
    }
}

fn of_v6(address: Ipv6Addr) -> AddressClass {
    if address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback() {
        AddressClass::Private
    } else if address.is_unspecified() || address.is_multicast() {
        AddressClass::Unknown
    } else {
        AddressClass::Public
    }
}

#[cfg(test)]
mod tests;
