//! STS, version 2011-06-15: AssumeRole, GetAccessKeyInfo and GetCallerIdentity.

use chrono::TimeDelta;

use crate::constraints::{Violations, name_character};
use crate::error::AwsError;
use crate::identity::{Caller, CallerKind, role_name};
use crate::request::Params;
use crate::response::Xml;
use crate::world::World;

/// AWS's limit for role chaining, in seconds.
const CHAINED_SESSION: i64 = 3600;

/// The members of an action's result. `None` if there is no such action.
pub(crate) fn answer(
    world: &mut World,
    caller: &Caller,
    action: &str,
    params: &Params,
) -> Option<Result<Option<Xml>, AwsError>> {
    match action {
        "AssumeRole" => Some(assume_role(world, caller, params).map(Some)),
        "GetAccessKeyInfo" => Some(access_key_info(world, params).map(Some)),
        "GetCallerIdentity" => Some(Ok(Some(caller_identity(caller)))),
        _ => None,
    }
}

fn caller_identity(caller: &Caller) -> Xml {
    Xml::Structure(vec![
        ("Arn", Xml::text(&caller.arn)),
        ("UserId", Xml::text(&caller.user_id)),
        ("Account", Xml::text(&caller.account)),
    ])
}

/// The account of an access key. The error for a key that does not exist is not documented.
fn access_key_info(world: &World, params: &Params) -> Result<Xml, AwsError> {
    let mut violations = Violations::default();
    let id = violations.required("accessKeyId", params.get("AccessKeyId"));
    if params.get("AccessKeyId").is_some() {
        violations.length("accessKeyId", id, 16..=128);
    }
    violations.finish("ValidationError")?;
    let account = world.accounts().find(|account| account.key_owner(id).is_some());
    let account = account.ok_or_else(|| AwsError::new(400, "ValidationError", "The access key does not exist."))?;
    Ok(Xml::Structure(vec![("Account", Xml::text(account.id()))]))
}

/// Every role here allows sessions of twelve hours.
fn assume_role(world: &mut World, caller: &Caller, params: &Params) -> Result<Xml, AwsError> {
    let mut violations = Violations::default();
    let role_arn = violations.required("roleArn", params.get("RoleArn"));
    if params.get("RoleArn").is_some() {
        violations.length("roleArn", role_arn, 20..=2048);
    }
    let session = violations.required("roleSessionName", params.get("RoleSessionName"));
    if params.get("RoleSessionName").is_some() {
        violations.length("roleSessionName", session, 2..=64);
        violations.pattern("roleSessionName", session, "[\\w+=,.@-]*", name_character);
    }
    let duration = params.integer("DurationSeconds")?.unwrap_or(3600);
    violations.number("durationSeconds", duration, 900..=43200);
    violations.finish("ValidationError")?;
    let Some((account, role)) = parse_role(role_arn) else {
        return Err(AwsError::new(400, "ValidationError", format!("{role_arn} is invalid")));
    };
    if matches!(caller.kind, CallerKind::Role(_)) && duration > CHAINED_SESSION {
        let message =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(AwsError::new(400, "ValidationError", message));
    }
    let known = world.existing_account(account).and_then(|account| account.role(role));
    let Some(role_id) = known.filter(|role| trusts(&role.trusted, caller)).map(|role| role.id.clone()) else {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}", caller.arn);
        return Err(AwsError::new(403, "AccessDenied", message));
    };
    let expires = world.now() + TimeDelta::seconds(duration);
    let credentials = world.new_session(account, role, session, Some(expires));
    let user = vec![
        ("AssumedRoleId", Xml::text(format!("{role_id}:{session}"))),
        ("Arn", Xml::text(format!("arn:aws:sts::{account}:assumed-role/{}/{session}", role_name(role)))),
    ];
    let credentials = vec![
        ("AccessKeyId", Xml::text(credentials.access_key_id)),
        ("SecretAccessKey", Xml::text(credentials.secret_access_key)),
        ("SessionToken", Xml::text(credentials.session_token.unwrap_or_default())),
        ("Expiration", Xml::time(expires)),
    ];
    Ok(Xml::Structure(vec![("AssumedRoleUser", Xml::Structure(user)), ("Credentials", Xml::Structure(credentials))]))
}

/// The account of a role, and its name with its path.
fn parse_role(arn: &str) -> Option<(&str, &str)> {
    let (account, role) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
    (account.len() == 12 && account.chars().all(|c| c.is_ascii_digit()) && !role.is_empty()).then_some((account, role))
}

fn trusts(trusted: &[String], caller: &Caller) -> bool {
    let root = format!("arn:aws:iam::{}:root", caller.account);
    let role = match &caller.kind {
        CallerKind::Role(name) => Some(format!("arn:aws:iam::{}:role/{name}", caller.account)),
        CallerKind::Administrator | CallerKind::User(_) => None,
    };
    trusted.iter().any(|principal| *principal == root || Some(principal) == role.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_trusts_a_role_or_a_whole_account() {
        let caller =
            |kind| Caller { account: "123456789012".to_owned(), arn: String::new(), user_id: String::new(), kind };
        let (role, admin) = (caller(CallerKind::Role("hub".to_owned())), caller(CallerKind::Administrator));
        let hub = ["arn:aws:iam::123456789012:role/hub".to_owned()];
        let root = ["arn:aws:iam::123456789012:root".to_owned()];
        let other = ["arn:aws:iam::210987654321:root".to_owned()];
        assert!(trusts(&hub, &role) && !trusts(&hub, &admin));
        assert!(trusts(&root, &role) && trusts(&root, &admin));
        assert!(!trusts(&other, &role) && !trusts(&[], &admin));
    }

    #[test]
    fn a_role_arn_has_an_account_and_a_name() {
        assert_eq!(parse_role("arn:aws:iam::123456789012:role/hub"), Some(("123456789012", "hub")));
        assert_eq!(parse_role("arn:aws:iam::1:role/hub"), None);
        assert_eq!(parse_role("arn:aws:iam::123456789012:user/hub"), None);
    }
}
