//! ListSecrets, in the order of names. It filters by `name`, `tag-key` and `tag-value`: each matches beginnings.

use serde_json::{Map, Value, json};

use super::secret::Secret;
use super::{Result, invalid_parameter, metadata};
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{self, JsonCall, member, serialization, strings};
use crate::paging::Listing;
use crate::service::Service;

/// The most secrets on a page, and the default.
const PAGE: i64 = 100;

/// A secret must begin with one of the values, or with none of them if they are negated.
struct Filter<'a> {
    key: &'a str,
    values: Vec<&'a str>,
}

pub(super) fn list(JsonCall { world, account, region, input, .. }: JsonCall<'_>, effects: &Effects) -> Result<Value> {
    let size = member(input, "MaxResults", Value::as_i64)?.unwrap_or(PAGE);
    let with_deleted = member(input, "IncludePlannedDeletion", Value::as_bool)?.unwrap_or_default();
    let mut violations = Violations::default();
    violations.number("maxResults", size, 1..=PAGE);
    let filters = filters(input, &mut violations)?;
    violations.finish("ValidationException")?;
    let listing = Listing {
        service: Service::SecretsManager,
        name: format!("ListSecrets {account} {region} {with_deleted} {:?}", input.get("Filters")),
        size: size.try_into().unwrap_or(1),
        faults: effects.pages,
    };
    let position =
        json::position(&listing, input, || AwsError::new(400, "InvalidNextTokenException", "The token is not valid."))?;
    let after = position.after.clone();
    let account = world.account(account);
    let secrets = account.listed_secrets(region).into_values().filter(|secret| {
        (with_deleted || secret.deleted.is_none())
            && filters.iter().all(|filter| filter.fits(secret))
            && after.as_ref().is_none_or(|after| secret.name > *after)
    });
    let page = listing.page(position, secrets, |secret| secret.name.clone())?;
    Ok(json::page("SecretList", page.map(entry)))
}

fn entry(secret: &Secret) -> Value {
    let mut entry = metadata(secret);
    if !secret.stages.is_empty() {
        entry.insert("SecretVersionsToStages".to_owned(), json!(secret.stages_by_version()));
    }
    Value::Object(entry)
}

fn filters<'a>(input: &'a Map<String, Value>, violations: &mut Violations) -> Result<Vec<Filter<'a>>> {
    let given = member(input, "Filters", Value::as_array)?.map_or(&[][..], Vec::as_slice);
    violations.size("filters", given.len(), 0..=10);
    let mut filters = Vec::new();
    for filter in given {
        let filter = filter.as_object().ok_or_else(|| serialization("Filters"))?;
        let key = member(filter, "Key", Value::as_str)?.unwrap_or_default();
        let values = strings(filter, "Values")?;
        violations.size("filters.values", values.len(), 1..=10);
        for value in &values {
            violations.length("filters.values", value, 0..=512);
            let allowed = |c: char| c.is_ascii_alphanumeric() || " :_@/+=.-!".contains(c);
            violations.pattern("filters.values", value, "^\\!?[a-zA-Z0-9 :_@\\/\\+\\=\\.\\-\\!]*$", allowed);
        }
        if !["name", "tag-key", "tag-value"].contains(&key) {
            return Err(invalid_parameter("The local AWS filters by name, tag-key and tag-value."));
        }
        filters.push(Filter { key, values });
    }
    Ok(filters)
}

impl Filter<'_> {
    fn fits(&self, secret: &Secret) -> bool {
        let begins = |with: &str| match self.key {
            "name" => secret.name.starts_with(with),
            "tag-key" => secret.tags.keys().any(|key| key.starts_with(with)),
            _ => secret.tags.values().any(|value| value.starts_with(with)),
        };
        self.values.iter().any(|value| match value.strip_prefix('!') {
            Some(value) => !begins(value),
            None => begins(value),
        })
    }
}
