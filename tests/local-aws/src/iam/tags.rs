//! Tags of users: ListUserTags, TagUser, UntagUser.

use std::collections::BTreeSet;

use super::context::{Context, Result, page_of, page_xml};
use crate::constraints::{Violations, tag_character};
use crate::error::AwsError;
use crate::request::Params;
use crate::response::Xml;

const TAGS_PER_USER: usize = 50;
const KEY_PATTERN: &str = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+";
const VALUE_PATTERN: &str = "[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*";

pub(super) fn list(cx: &mut Context<'_>) -> Result<Xml> {
    let name = cx.user_name()?;
    let (listing, position) = cx.listing("ListUserTags", &name)?;
    let tags: Vec<_> = cx.account.existing_user(&name)?.tags.iter().collect();
    Ok(page_xml("Tags", page_of(&listing, position, &tags, |tag| xml(*tag))?))
}

pub(super) fn tag(cx: &mut Context<'_>) -> Result<()> {
    let name = cx.user_name()?;
    let tags = read(cx.params)?;
    let user = cx.account.existing_user(&name)?;
    let old = user.tags.keys().map(|key| key.to_lowercase());
    let all: BTreeSet<_> = old.chain(tags.iter().map(|(key, _)| key.to_lowercase())).collect();
    if all.len() > TAGS_PER_USER {
        return Err(AwsError::limit_exceeded(format!("Cannot exceed quota for TagsPerUser: {TAGS_PER_USER}")));
    }
    tags.iter().for_each(|(key, value)| user.tag(key, value));
    Ok(())
}

pub(super) fn untag(cx: &mut Context<'_>) -> Result<()> {
    let name = cx.user_name()?;
    let keys = cx.params.list("TagKeys");
    let mut violations = Violations::default();
    violations.size("tagKeys", keys.len(), 0..=TAGS_PER_USER);
    for (n, key) in keys.iter().enumerate() {
        check_key(&mut violations, &format!("tagKeys.{}.member", n + 1), key);
    }
    violations.finish("ValidationError")?;
    let user = cx.account.existing_user(&name)?;
    for key in keys {
        user.untag(key);
    }
    Ok(())
}

/// The parameter `Tags`, checked.
pub(super) fn read(params: &Params) -> Result<Vec<(&str, &str)>> {
    let tags = params.tags();
    let mut violations = Violations::default();
    violations.size("tags", tags.len(), 0..=TAGS_PER_USER);
    let mut checked = Vec::new();
    for (n, (key, value)) in tags.into_iter().enumerate() {
        let field = format!("tags.{}.member", n + 1);
        let name = violations.required(&format!("{field}.key"), key);
        if key.is_some() {
            check_key(&mut violations, &format!("{field}.key"), name);
        }
        let text = violations.required(&format!("{field}.value"), value);
        violations.length(&format!("{field}.value"), text, 0..=256);
        violations.pattern(&format!("{field}.value"), text, VALUE_PATTERN, tag_character);
        checked.push((name, text));
    }
    violations.finish("ValidationError")?;
    if checked.iter().any(|(key, _)| key.to_lowercase().starts_with("aws:")) {
        let message = "aws: prefixed tag key names are not allowed for external use.";
        return Err(AwsError::new(400, "InvalidInput", message));
    }
    let distinct: BTreeSet<_> = checked.iter().map(|(key, _)| key.to_lowercase()).collect();
    if distinct.len() < checked.len() {
        let message = "Duplicate tag keys found. Please note that Tag keys are case insensitive.";
        return Err(AwsError::new(400, "InvalidInput", message));
    }
    Ok(checked)
}

fn check_key(violations: &mut Violations, field: &str, key: &str) {
    violations.length(field, key, 1..=128);
    violations.pattern(field, key, KEY_PATTERN, tag_character);
}

pub(super) fn xml((key, value): (&String, &String)) -> Xml {
    Xml::Structure(vec![("Key", Xml::text(key)), ("Value", Xml::text(value))])
}
