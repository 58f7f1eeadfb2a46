//! IAM, version 2010-05-08: the actions on users, access keys, tags and the credential report.

mod access_keys;
mod credential_report;
mod tags;
mod users;

use crate::account::Account;
use crate::constraints::{Violations, name_character};
use crate::error::AwsError;
use crate::faults::Effects;
use crate::identity::{Caller, CallerKind};
use crate::paging::{Listing, Page, Position};
use crate::request::Params;
use crate::response::Xml;
use crate::service::Service;
use crate::world::World;

/// What an action works on.
struct Context<'a> {
    account: &'a mut Account,
    caller: &'a Caller,
    params: &'a Params,
    effects: &'a Effects,
}

type Result<T> = std::result::Result<T, AwsError>;

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
        "GetUser" => users::get(cx).map(Some),
        "CreateUser" => users::create(cx).map(Some),
        "DeleteUser" => users::delete(cx).map(|()| None),
        "ListUserTags" => tags::list(cx).map(Some),
        "TagUser" => tags::tag(cx).map(|()| None),
        "UntagUser" => tags::untag(cx).map(|()| None),
        "ListAccessKeys" => access_keys::list(cx).map(Some),
        "GetAccessKeyLastUsed" => access_keys::last_used(cx).map(Some),
        "CreateAccessKey" => access_keys::create(cx).map(Some),
        "GenerateCredentialReport" => Ok(Some(credential_report::generate(cx))),
        "GetCredentialReport" => credential_report::get(cx).map(Some),
        "UpdateAccessKey" => access_keys::update(cx).map(|()| None),
        "DeleteAccessKey" => access_keys::delete(cx).map(|()| None),
        _ => return None,
    })
}

impl Context<'_> {
    /// The parameter `UserName`, which is required.
    fn user_name(&self) -> Result<String> {
        let mut violations = Violations::default();
        let name = violations.required("userName", self.params.get("UserName"));
        if self.params.get("UserName").is_some() {
            violations.length("userName", name, 1..=128);
        }
        violations.finish("ValidationError")?;
        check_user_name(name)?;
        Ok(name.to_owned())
    }

    /// The parameter `UserName`, or the calling user.
    fn user_name_or_caller(&self) -> Result<String> {
        if self.params.get("UserName").is_some() {
            return self.user_name();
        }
        match &self.caller.kind {
            CallerKind::User(name) => Ok(name.clone()),
            CallerKind::Administrator => Ok("administrator".to_owned()),
            CallerKind::Role(_) => {
                let message = "Must specify userName when calling with non-User credentials";
                Err(AwsError::new(400, "ValidationError", message))
            }
        }
    }

    /// The parameter `AccessKeyId`, which is required.
    fn access_key_id(&self) -> Result<String> {
        let mut violations = Violations::default();
        let id = violations.required("accessKeyId", self.params.get("AccessKeyId"));
        if self.params.get("AccessKeyId").is_some() {
            violations.length("accessKeyId", id, 16..=128);
            violations.pattern("accessKeyId", id, "[\\w]+", |c| c.is_ascii_alphanumeric() || c == '_');
        }
        violations.finish("ValidationError")?;
        Ok(id.to_owned())
    }

    /// The listing that `MaxItems` and `Marker` request, and the position in it. `of` identifies the listing besides the
    /// action.
    fn listing(&self, action: &str, of: &str) -> Result<(Listing, Position)> {
        let mut violations = Violations::default();
        let size = self.params.integer("MaxItems")?.unwrap_or(100);
        violations.number("maxItems", size, 1..=1000);
        let marker = self.params.get("Marker");
        if let Some(marker) = marker {
            violations.length("marker", marker, 1..=320);
        }
        violations.finish("ValidationError")?;
        let listing = Listing {
            service: Service::Iam,
            name: format!("{action} {} {of}", self.account.id()),
            size: size.try_into().unwrap_or(100),
            faults: self.effects.pages,
        };
        let position = listing.position(marker);
        let position = position.ok_or_else(|| AwsError::new(400, "ValidationError", "Invalid Marker."))?;
        Ok((listing, position))
    }
}

/// Checks the characters of a user's name, with the message of IAM itself, which differs from that of its model.
fn check_user_name(name: &str) -> Result<()> {
    if name.chars().all(name_character) {
        return Ok(());
    }
    let message = "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the \
                   following: +=,.@_-";
    Err(AwsError::new(400, "ValidationError", message))
}

/// A page of IAM: the items, whether there are more, and the marker of the next page.
fn page_xml(name: &'static str, page: Page<Xml>) -> Xml {
    let mut members = vec![(name, Xml::List(page.items)), ("IsTruncated", Xml::text(page.next.is_some()))];
    members.extend(page.next.map(|marker| ("Marker", Xml::text(marker))));
    Xml::Structure(members)
}

/// A page of a short list, with numbers as markers.
fn page_of<T>(listing: &Listing, position: Position, items: &[T], xml: impl Fn(&T) -> Xml) -> Result<Page<Xml>> {
    let start = position.after.as_deref().and_then(|after| after.parse::<usize>().ok()).map_or(0, |after| after + 1);
    let page = listing.page(position, items.iter().enumerate().skip(start), |(n, _)| n.to_string())?;
    Ok(page.map(|(_, item)| xml(item)))
}
