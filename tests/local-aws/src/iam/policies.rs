//! Managed policies: ListAttachedUserPolicies, ListEntitiesForPolicy.

use super::context::{Context, Result, page_of, page_xml};
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::response::Xml;

/// The policies of AWS that exist, whether or not somebody has them.
const OF_AWS: [&str; 4] =
    ["AWSCompromisedKeyQuarantine", "AWSCompromisedKeyQuarantineV2", "AWSCompromisedKeyQuarantineV3", "ReadOnlyAccess"];

pub(super) fn of_user(cx: &mut Context<'_>) -> Result<Xml> {
    let name = cx.user_name()?;
    let (listing, position) = cx.listing("ListAttachedUserPolicies", &name)?;
    let user = cx.account.existing_user(&name)?;
    let page = page_of(&listing, position, &user.attached_policies, |arn| {
        let policy = arn.rsplit('/').next().unwrap_or_default();
        Xml::Structure(vec![("PolicyName", Xml::text(policy)), ("PolicyArn", Xml::text(arn))])
    })?;
    Ok(page_xml("AttachedPolicies", page))
}

/// The users of a policy. Groups and roles have none here.
pub(super) fn users_of(cx: &mut Context<'_>) -> Result<Xml> {
    let mut violations = Violations::default();
    let arn = violations.required("policyArn", cx.params.get("PolicyArn")).to_owned();
    for (name, allowed) in [
        ("EntityFilter", &["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"][..]),
        ("PolicyUsageFilter", &["PermissionsPolicy", "PermissionsBoundary"]),
    ] {
        if let Some(given) = cx.params.get(name) {
            violations.one_of(name, given, allowed);
        }
    }
    violations.finish("ValidationError")?;
    let (listing, position) = cx.listing("ListEntitiesForPolicy", &arn)?;
    let is_wanted = cx.params.get("EntityFilter").is_none_or(|filter| filter == "User")
        && cx.params.get("PolicyUsageFilter") != Some("PermissionsBoundary");
    let is_of_aws = arn.strip_prefix("arn:aws:iam::aws:policy/").is_some_and(|name| OF_AWS.contains(&name));
    let users: Vec<_> = cx.account.users().filter(|user| user.attached_policies.contains(&arn)).collect();
    if !is_of_aws && users.is_empty() {
        return Err(AwsError::no_such_entity(format!("Policy {arn} does not exist or is not attachable.")));
    }
    let users: Vec<_> = users.into_iter().filter(|_| is_wanted).collect();
    let page = page_of(&listing, position, &users, |user| {
        Xml::Structure(vec![("UserName", Xml::text(&user.name)), ("UserId", Xml::text(&user.id))])
    })?;
    Ok(page_xml("PolicyUsers", page))
}
