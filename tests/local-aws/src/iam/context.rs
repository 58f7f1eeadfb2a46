//! What the actions share: what they work on, parameters, and pages.

use crate::account::Account;
use crate::constraints::{Violations, name_character};
use crate::error::AwsError;
use crate::faults::Effects;
use crate::identity::{Caller, CallerKind};
use crate::paging::{Listing, Page, Position};
use crate::request::Params;
use crate::response::Xml;
use crate::service::Service;

/// What an action works on.
pub(super) struct Context<'a> {
    pub(super) account: &'a mut Account,
    pub(super) caller: &'a Caller,
    pub(super) params: &'a Params,
    pub(super) effects: &'a Effects,
}

pub(super) type Result<T> = std::result::Result<T, AwsError>;

impl Context<'_> {
    /// The parameter `UserName`, which is required.
    pub(super) fn user_name(&self) -> Result<String> {
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
    pub(super) fn user_name_or_caller(&self) -> Result<String> {
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
    pub(super) fn access_key_id(&self) -> Result<String> {
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
    pub(super) fn listing(&self, action: &str, of: &str) -> Result<(Listing, Position)> {
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
pub(super) fn check_user_name(name: &str) -> Result<()> {
    if name.chars().all(name_character) {
        return Ok(());
    }
    let message = "The specified value for userName is invalid. It must contain only alphanumeric characters and/or the \
                   following: +=,.@_-";
    Err(AwsError::new(400, "ValidationError", message))
}

/// A page of IAM: the items, whether there are more, and the marker of the next page.
pub(super) fn page_xml(name: &'static str, page: Page<Xml>) -> Xml {
    let mut members = vec![(name, Xml::List(page.items)), ("IsTruncated", Xml::text(page.next.is_some()))];
    members.extend(page.next.map(|marker| ("Marker", Xml::text(marker))));
    Xml::Structure(members)
}

/// A page of a short list, with numbers as markers.
pub(super) fn page_of<T>(
    listing: &Listing,
    position: Position,
    items: &[T],
    xml: impl Fn(&T) -> Xml,
) -> Result<Page<Xml>> {
    let start = position.after.as_deref().and_then(|after| after.parse::<usize>().ok()).map_or(0, |after| after + 1);
    let page = listing.page(position, items.iter().enumerate().skip(start), |(n, _)| n.to_string())?;
    Ok(page.map(|(_, item)| xml(item)))
}
