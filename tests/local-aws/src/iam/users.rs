//! Users: ListUsers, GetAccountAuthorizationDetails of users, GetUser, CreateUser, DeleteUser.

use super::context::{Context, Result, check_user_name, page_xml};
use super::tags;
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::paging::Page;
use crate::response::Xml;
use crate::user::User;

pub(super) fn list(cx: &mut Context<'_>) -> Result<Xml> {
    let prefix = cx.params.get("PathPrefix");
    if let Some(prefix) = prefix {
        let mut violations = Violations::default();
        violations.length("pathPrefix", prefix, 1..=512);
        if !prefix.starts_with('/') || !prefix.chars().all(|c| ('\u{21}'..='\u{7f}').contains(&c)) {
            violations.add("pathPrefix", prefix, "satisfy regular expression pattern: \\u002F[\\u0021-\\u007F]*");
        }
        violations.finish("ValidationError")?;
    }
    let prefix = prefix.unwrap_or("/");
    let (listing, position) = cx.listing("ListUsers", prefix)?;
    let after = position.after.clone();
    let users = cx.account.users_after(after.as_deref()).filter(|user| user.path.starts_with(prefix));
    let page = listing.page(position, users, |user| user.name.clone())?;
    let items = page.items.into_iter().map(|user| Xml::Structure(members(user))).collect();
    Ok(page_xml("Users", Page { items, next: page.next }))
}

/// GetAccountAuthorizationDetails. Users have no policies and no groups here, and groups, roles and policies are not listed.
pub(super) fn list_with_tags(cx: &mut Context<'_>) -> Result<Xml> {
    let filter = cx.params.list("Filter");
    let mut violations = Violations::default();
    if let Some(unknown) = filter.iter().find(|kind| !ENTITIES.contains(kind)) {
        violations.add("filter", unknown, &format!("satisfy enum value set: [{}]", ENTITIES.join(", ")));
    }
    violations.finish("ValidationError")?;
    let (listing, position) = cx.listing("GetAccountAuthorizationDetails", &filter.join(" "))?;
    let after = position.after.clone();
    let users = filter.is_empty() || filter.contains(&"User");
    let users = cx.account.users_after(after.as_deref()).filter(|_| users);
    let page = listing.page(position, users, |user| user.name.clone())?;
    let items = page.items.into_iter().map(|user| Xml::Structure(with_tags(user))).collect();
    Ok(page_xml("UserDetailList", Page { items, next: page.next }))
}

/// `entityListType` in IAM's service model.
const ENTITIES: [&str; 5] = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];

pub(super) fn get(cx: &mut Context<'_>) -> Result<Xml> {
    let name = cx.user_name_or_caller()?;
    cx.account.existing_user(&name).map(|user| one(user))
}

pub(super) fn create(cx: &mut Context<'_>) -> Result<Xml> {
    let mut violations = Violations::default();
    let name = violations.required("userName", cx.params.get("UserName"));
    if cx.params.get("UserName").is_some() {
        violations.length("userName", name, 1..=64);
    }
    let path = cx.params.get("Path").unwrap_or("/");
    violations.length("path", path, 1..=512);
    if !is_path(path) {
        let pattern = "satisfy regular expression pattern: (\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)";
        violations.add("path", path, pattern);
    }
    violations.finish("ValidationError")?;
    check_user_name(name)?;
    let tags = tags::read(cx.params)?;
    cx.account.can_create_user(name)?;
    let now = cx.account.now;
    cx.account.create_user_in_path(path, name, now);
    let user = cx.account.existing_user(name)?;
    tags.iter().for_each(|(key, value)| user.tag(key, value));
    Ok(one(user))
}

pub(super) fn delete(cx: &mut Context<'_>) -> Result<()> {
    let name = cx.user_name()?;
    if !cx.account.existing_user(&name)?.keys.is_empty() {
        return Err(AwsError::new(409, "DeleteConflict", "Cannot delete entity, must delete access keys first."));
    }
    cx.account.delete_user(&name);
    Ok(())
}

fn is_path(path: &str) -> bool {
    path.starts_with('/') && path.ends_with('/') && path.chars().all(|c| ('\u{21}'..='\u{7e}').contains(&c))
}

/// The members of a user in ListUsers, which returns no tags.
fn members(user: &User) -> Vec<(&'static str, Xml)> {
    vec![
        ("Path", Xml::text(&user.path)),
        ("UserName", Xml::text(&user.name)),
        ("UserId", Xml::text(&user.id)),
        ("Arn", Xml::text(&user.arn)),
        ("CreateDate", Xml::time(user.created)),
    ]
}

fn with_tags(user: &User) -> Vec<(&'static str, Xml)> {
    let mut members = members(user);
    if !user.tags.is_empty() {
        members.push(("Tags", Xml::List(user.tags.iter().map(tags::xml).collect())));
    }
    members
}

fn one(user: &User) -> Xml {
    Xml::Structure(vec![("User", Xml::Structure(with_tags(user)))])
}

#[cfg(test)]
mod tests {
    use super::is_path;

    #[test]
    fn a_path_begins_and_ends_with_a_slash() {
        assert!(is_path("/") && is_path("/a/") && is_path("/a/b!/"));
        assert!(!is_path("/a") && !is_path("a/") && !is_path("/ä/") && !is_path(""));
    }
}
