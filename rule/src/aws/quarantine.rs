//! Which users AWS has quarantined, since it found an access key of theirs in public.
//!
//! AWS attaches a policy to such a user ("AWSCompromisedKeyQuarantineV3" in the AWS managed policy reference guide). A listing of the
//! policy's users costs one call for each policy, however many users the account has.

use super::{
    account::Account,
    client::{CallError, Failure, Pages},
};
use aws_sdk_iam::types::{EntityType, PolicyUsageType};
use futures_util::future::join_all;
use policy::exposure::Exposure;
use std::collections::HashSet;
use tokio::time::Instant;

/// `iam:ListEntitiesForPolicy`
pub const LIST_ENTITIES_FOR_POLICY: &str = "iam:ListEntitiesForPolicy";
/// `iam:ListAttachedUserPolicies`
pub const LIST_ATTACHED_USER_POLICIES: &str = "iam:ListAttachedUserPolicies";

/// The versions of the policy so far.
const POLICIES: [&str; 3] =
    ["AWSCompromisedKeyQuarantine", "AWSCompromisedKeyQuarantineV2", "AWSCompromisedKeyQuarantineV3"];

/// The quarantined users of an account.
#[derive(Debug, Default)]
pub struct ExposedUsers {
    /// By id.
    ids: HashSet<String>,
    /// Why a listing is incomplete, if one is.
    pub broken_off: Option<CallError>,
}

impl ExposedUsers {
    /// These users, by id, and nobody else.
    #[cfg(test)]
    pub(crate) fn of(ids: impl IntoIterator<Item = String>) -> ExposedUsers {
        ExposedUsers { ids: ids.into_iter().collect(), broken_off: None }
    }

    /// Whether a user is exposed. If a listing is incomplete, who is not on it may be.
    pub fn exposure(&self, user_id: &str) -> Exposure {
        if self.ids.contains(user_id) {
            Exposure::Exposed
        } else if self.broken_off.is_some() {
            Exposure::Unknown
        } else {
            Exposure::NotExposed
        }
    }
}

/// Whether a policy is one that AWS attaches to quarantine a user. A version that is not known yet counts too.
pub(crate) fn is_quarantine(policy_arn: &str) -> bool {
    policy_arn
        .split_once(":iam::aws:policy/")
        .is_some_and(|(_, path)| path.rsplit('/').next().is_some_and(|name| name.starts_with(POLICIES[0])))
}

/// Lists the quarantined users, no later than `until`.
pub async fn list_exposed_users(account: &Account<'_>, until: Instant) -> ExposedUsers {
    let mut exposed = ExposedUsers::default();
    for listed in join_all(POLICIES.map(|policy| list_users_of(account, policy, until))).await {
        match listed {
            Ok(ids) => exposed.ids.extend(ids),
            Err((ids, error)) => {
                exposed.ids.extend(ids);
                exposed.broken_off = Some(error);
            }
        }
    }
    exposed
}

/// The ids of the users to whom a policy of AWS is attached. An error has those that were listed before it.
async fn list_users_of(
    account: &Account<'_>,
    policy: &str,
    until: Instant,
) -> Result<Vec<String>, (Vec<String>, CallError)> {
    let mut ids = Vec::new();
    let mut pages = Pages::of(LIST_ENTITIES_FOR_POLICY);
    let arn = format!("arn:{}:iam::aws:policy/{policy}", account.partition);
    let request = account
        .iam
        .list_entities_for_policy()
        .policy_arn(arn)
        .entity_filter(EntityType::User)
        .policy_usage_filter(PolicyUsageType::PermissionsPolicy)
        .max_items(1000);
    while pages.more() {
        let request = request.clone().set_marker(pages.next());
        match account.calls.call(LIST_ENTITIES_FOR_POLICY, until, || request.clone().send()).await {
            Ok(page) => {
                for user in page.policy_users.unwrap_or_default() {
                    match user.user_id {
                        Some(id) => ids.push(id),
                        None => {
                            return Err((ids, CallError::unexpected(LIST_ENTITIES_FOR_POLICY, "a user without an id")));
                        }
                    }
                }
                if let Err(error) = pages.turn_if(page.is_truncated, page.marker) {
                    return Err((ids, error));
                }
            }
            // This partition does not have the policy.
            Err(error) if error.kind == Failure::NotFound => break,
            Err(error) => return Err((ids, error)),
        }
    }
    Ok(ids)
}

/// Whether the user who has this name now is quarantined.
///
/// # Errors
/// If the listing is incomplete, and has no such policy so far.
pub(crate) async fn is_exposed(account: &Account<'_>, user_name: &str, until: Instant) -> Result<bool, CallError> {
    let mut pages = Pages::of(LIST_ATTACHED_USER_POLICIES);
    let request = account.iam.list_attached_user_policies().user_name(user_name);
    while pages.more() {
        let request = request.clone().set_marker(pages.next());
        let page = account.calls.call(LIST_ATTACHED_USER_POLICIES, until, || request.clone().send()).await?;
        let arns = page.attached_policies.iter().flatten().filter_map(|policy| policy.policy_arn.as_deref());
        if arns.into_iter().any(is_quarantine) {
            return Ok(true);
        }
        pages.turn_if(page.is_truncated, page.marker)?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_policy_of_aws_quarantines() {
        for (arn, expected) in [
            ("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantine", true),
            ("arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3", true),
            ("arn:aws-cn:iam::aws:policy/AWSCompromisedKeyQuarantineV4", true),
            ("arn:aws:iam::111122223333:policy/AWSCompromisedKeyQuarantineV3", false),
            ("arn:aws:iam::aws:policy/ReadOnlyAccess", false),
            ("AWSCompromisedKeyQuarantineV3", false),
        ] {
            assert_eq!(is_quarantine(arn), expected, "{arn}");
        }
    }
}
