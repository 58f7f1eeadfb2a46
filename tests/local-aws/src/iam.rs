//! IAM, version 2010-05-08: the actions on users, access keys, tags, attached policies and the credential report, and listings of other
//! credentials.

mod access_keys;
mod context;
mod credential_report;
mod other_credentials;
mod policies;
mod tags;
mod users;

use crate::faults::Effects;
use crate::identity::Caller;
use crate::request::Params;
use crate::response::Xml;
use crate::world::World;
use context::{Context, Result};

/// The members of an action's result, if it has any. `None` if there is no such action.
pub(crate) fn answer(
    world: &mut World,
    caller: &Caller,
    action: &str,
    params: &Params,
    effects: &Effects,
) -> Option<Result<Option<Xml>>> {
    let mut cx = Context { account: world.account(&caller.account), caller, params, effects };
    let cx = &mut cx;
    Some(match action {
        "ListUsers" => users::list(cx).map(Some),
        "GetAccountAuthorizationDetails" => users::list_with_tags(cx).map(Some),
        "GetUser" => users::get(cx).map(Some),
        "CreateUser" => users::create(cx).map(Some),
        "DeleteUser" => users::delete(cx).map(|()| None),
        "ListUserTags" => tags::list(cx).map(Some),
        "TagUser" => tags::tag(cx).map(|()| None),
        "UntagUser" => tags::untag(cx).map(|()| None),
        "ListAttachedUserPolicies" => policies::of_user(cx).map(Some),
        "ListEntitiesForPolicy" => policies::users_of(cx).map(Some),
        "ListAccessKeys" => access_keys::list(cx).map(Some),
        "GetAccessKeyLastUsed" => access_keys::last_used(cx).map(Some),
        "CreateAccessKey" => access_keys::create(cx).map(Some),
        "GetAccountSummary" => Ok(Some(other_credentials::summary(cx))),
        "ListServiceSpecificCredentials" => other_credentials::list(cx).map(Some),
        "GenerateCredentialReport" => Ok(Some(credential_report::generate(cx))),
        "GetCredentialReport" => credential_report::get(cx).map(Some),
        "UpdateAccessKey" => access_keys::update(cx).map(|()| None),
        "DeleteAccessKey" => access_keys::delete(cx).map(|()| None),
        _ => return None,
    })
}
