//! Access keys: ListAccessKeys, GetAccessKeyLastUsed, CreateAccessKey, UpdateAccessKey, DeleteAccessKey.

use super::context::{Context, Result, page_of, page_xml};
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::ids;
use crate::response::Xml;
use crate::user::KeyStatus;

pub(super) fn list(cx: &mut Context<'_>) -> Result<Xml> {
    let name = cx.user_name_or_caller()?;
    let (listing, position) = cx.listing("ListAccessKeys", &name)?;
    let user = cx.account.existing_user(&name)?;
    let page = page_of(&listing, position, &user.keys, |key| {
        Xml::Structure(vec![
            ("UserName", Xml::text(&name)),
            ("AccessKeyId", Xml::text(&key.id)),
            ("Status", Xml::text(key.status)),
            ("CreateDate", Xml::time(key.created)),
        ])
    })?;
    Ok(page_xml("AccessKeyMetadata", page))
}

pub(super) fn last_used(cx: &mut Context<'_>) -> Result<Xml> {
    let id = cx.access_key_id()?;
    let (user, key) = cx.account.key_owner(&id).ok_or_else(|| no_such_key(&id))?;
    let used = match &key.last_used {
        None => vec![("ServiceName", Xml::text("N/A")), ("Region", Xml::text("N/A"))],
        Some(used) => vec![
            ("LastUsedDate", Xml::time(used.at)),
            ("ServiceName", Xml::text(&used.service)),
            ("Region", Xml::text(&used.region)),
        ],
    };
    Ok(Xml::Structure(vec![("UserName", Xml::text(&user.name)), ("AccessKeyLastUsed", Xml::Structure(used))]))
}

pub(super) fn create(cx: &mut Context<'_>) -> Result<Xml> {
    let name = cx.user_name_or_caller()?;
    let now = cx.account.now;
    let id = cx.account.create_key(&name, now)?;
    let secret = ids::secret(&mut cx.account.rng);
    if let Some(key) = cx.account.existing_user(&name)?.key_mut(&id) {
        key.secret = Some(secret.clone());
    }
    let key = vec![
        ("UserName", Xml::text(&name)),
        ("AccessKeyId", Xml::text(&id)),
        ("Status", Xml::text(KeyStatus::Active)),
        ("SecretAccessKey", Xml::text(secret)),
        ("CreateDate", Xml::time(now)),
    ];
    Ok(Xml::Structure(vec![("AccessKey", Xml::Structure(key))]))
}

pub(super) fn update(cx: &mut Context<'_>) -> Result<()> {
    let mut violations = Violations::default();
    let status = violations.required("status", cx.params.get("Status"));
    if cx.params.get("Status").is_some() {
        violations.one_of("status", status, &["Active", "Inactive"]);
    }
    violations.finish("ValidationError")?;
    let status = if status == "Active" { KeyStatus::Active } else { KeyStatus::Inactive };
    let (user, id) = (cx.user_name_or_caller()?, cx.access_key_id()?);
    cx.account.existing_user(&user)?;
    let now = cx.account.now;
    cx.account.change_key_status(now, &user, &id, status).then_some(()).ok_or_else(|| no_such_key(&id))
}

pub(super) fn delete(cx: &mut Context<'_>) -> Result<()> {
    let (user, id) = (cx.user_name_or_caller()?, cx.access_key_id()?);
    cx.account.existing_user(&user)?;
    cx.account.delete_key(&user, &id).then_some(()).ok_or_else(|| no_such_key(&id))
}

fn no_such_key(id: &str) -> AwsError {
    AwsError::no_such_entity(format!("The Access Key with id {id} cannot be found."))
}
