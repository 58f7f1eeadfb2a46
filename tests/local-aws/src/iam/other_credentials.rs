//! What there is besides users' access keys: GetAccountSummary, ListServiceSpecificCredentials.

use super::context::{Context, Result, page_of, page_xml};
use crate::account::{ACCESS_KEYS_PER_USER, USERS_PER_ACCOUNT};
use crate::error::AwsError;
use crate::other_credentials::{AllUsers, ServiceSpecificCredential};
use crate::response::Xml;

/// The services with such credentials: "API keys for AWS services" in the IAM user guide, CodeCommit, and Amazon Keyspaces.
const SERVICES: [&str; 6] = [
    "aws-external-anthropic.amazonaws.com",
    "bedrock.amazonaws.com",
    "cassandra.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "codecommit.amazonaws.com",
    "logs.amazonaws.com",
];

/// Some of the entries.
pub(super) fn summary(cx: &Context<'_>) -> Xml {
    let entries = [
        ("Users", cx.account.users().count()),
        ("UsersQuota", USERS_PER_ACCOUNT),
        ("AccessKeysPerUserQuota", ACCESS_KEYS_PER_USER),
        ("AccountMFAEnabled", 1),
        ("AccountAccessKeysPresent", cx.account.root_access_keys.len()),
    ];
    let entry = |(key, value)| ("entry", Xml::Structure(vec![("key", Xml::text(key)), ("value", Xml::text(value))]));
    Xml::Structure(vec![("SummaryMap", Xml::Structure(entries.into_iter().map(entry).collect()))])
}

pub(super) fn list(cx: &mut Context<'_>) -> Result<Xml> {
    let invalid = |message: &str| Err(AwsError::new(400, "ValidationError", message));
    let service = cx.params.get("ServiceName");
    if service.is_some_and(|service| !SERVICES.contains(&service)) {
        let message = format!("Service {} does not support service-specific credentials.", service.unwrap_or_default());
        return Err(AwsError::new(404, "NotSupportedService", message));
    }
    let of_all = cx.params.get("AllUsers") == Some("true");
    if of_all && cx.params.get("UserName").is_some() {
        return invalid("UserName and AllUsers cannot be specified together.");
    }
    if of_all && service.is_none() && cx.account.all_users == AllUsers::OfOneService {
        return invalid("Must specify serviceName when calling with allUsers");
    }
    let of = if of_all {
        None
    } else {
        let name = cx.user_name_or_caller()?;
        cx.account.existing_user(&name)?;
        Some(name)
    };
    let name = format!("{} {}", of.as_deref().unwrap_or("*"), service.unwrap_or("*"));
    let (listing, position) = cx.listing("ListServiceSpecificCredentials", &name)?;
    let users = cx.account.users().filter(|user| of.as_ref().is_none_or(|of| user.name == *of));
    let credentials: Vec<_> = users
        .flat_map(|user| user.service_specific_credentials.iter().map(|credential| (user.name.as_str(), credential)))
        .filter(|(_, credential)| service.is_none_or(|service| credential.service == service))
        .collect();
    let page = page_of(&listing, position, &credentials, |(user, credential)| xml(cx.account.id(), user, credential))?;
    Ok(page_xml("ServiceSpecificCredentials", page))
}

fn xml(account: &str, user: &str, credential: &ServiceSpecificCredential) -> Xml {
    let ServiceSpecificCredential { id, service, status, created, expires } = credential;
    let mut members = vec![
        ("UserName", Xml::text(user)),
        ("Status", Xml::text(status)),
        ("CreateDate", Xml::time(*created)),
        ("ServiceSpecificCredentialId", Xml::text(id)),
        ("ServiceName", Xml::text(service)),
    ];
    // An API key has no user name of its own, but a public part.
    let is_api_key = !["cassandra.amazonaws.com", "codecommit.amazonaws.com"].contains(&service.as_str());
    let (member, name) = if is_api_key { ("ServiceCredentialAlias", "0001") } else { ("ServiceUserName", account) };
    members.push((member, Xml::text(format!("{user}-at-{name}"))));
    members.extend(expires.map(|expires| ("ExpirationDate", Xml::time(expires))));
    Xml::Structure(members)
}
