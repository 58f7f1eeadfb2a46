//! Conformance packs of the organization: DescribeOrganizationConformancePackStatuses,
//! GetOrganizationConformancePackDetailedStatus.

use serde_json::{Map, Value, json};

use super::Result;
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{self, epoch_seconds, member, strings};
use crate::organization::{Deployment, Packs};
use crate::paging::Listing;
use crate::request::Service;
use crate::world::World;

/// The most items on a page, and the default.
const ITEMS_PER_PAGE: i64 = 100;

/// A request for packs, and its sender.
pub(super) struct Request<'a> {
    pub(super) account: &'a str,
    pub(super) region: &'a str,
    pub(super) input: &'a Map<String, Value>,
    pub(super) effects: &'a Effects,
}

impl Request<'_> {
    /// The packs that this account deployed in this Region.
    fn packs<'a>(&self, world: &'a World) -> Result<&'a Packs> {
        let organization = world.organization_of(self.account);
        let packs = organization.filter(|organization| organization.is_administered_by(self.account));
        packs.map(|organization| organization.packs(self.account, self.region)).ok_or_else(|| {
            let message = "This action can only be performed by the master account or delegated administrator account.";
            AwsError::new(400, "OrganizationAccessDeniedException", message)
        })
    }

    fn page(&self, name: &str, action: &str, items: Vec<(String, Value)>) -> Result<Value> {
        let mut violations = Violations::default();
        let limit = member(self.input, "Limit", Value::as_i64)?.unwrap_or(0);
        violations.number("limit", limit, 0..=ITEMS_PER_PAGE);
        violations.finish("ValidationException")?;
        let size = if limit == 0 { ITEMS_PER_PAGE } else { limit };
        let listing = Listing {
            service: Service::Config,
            name: format!("{action} {} {}", self.account, self.region),
            size: size.try_into().unwrap_or(1),
            faults: self.effects.pages,
        };
        let invalid = || AwsError::new(400, "InvalidNextTokenException", "The nextToken provided is invalid");
        let position = json::position(&listing, self.input, invalid)?;
        let after = position.after.clone();
        let rest = items.into_iter().skip_while(|(key, _)| after.as_ref().is_some_and(|after| key <= after));
        Ok(json::page(name, listing.page(position, rest, |(key, _)| key.clone())?.map(|(_, item)| item)))
    }
}

pub(super) fn statuses(world: &World, request: &Request<'_>) -> Result<Value> {
    let names = strings(request.input, "OrganizationConformancePackNames")?;
    let packs = request.packs(world)?;
    if let Some(name) = names.iter().find(|name| !packs.contains_key(**name)) {
        return Err(no_such_pack(name));
    }
    let statuses = packs.iter().filter(|(name, _)| names.is_empty() || names.contains(&name.as_str()));
    let sticks = world.organization_of(request.account).is_some_and(|organization| organization.pack_status_sticks);
    let statuses = statuses.map(|(name, deployments)| {
        let status = json!({
            "OrganizationConformancePackName": name,
            "Status": if sticks { "CREATE_IN_PROGRESS" } else { overall(deployments.values()) },
            "LastUpdateTime": epoch_seconds(world.started()),
        });
        (name.clone(), status)
    });
    request.page(
        "OrganizationConformancePackStatuses",
        "DescribeOrganizationConformancePackStatuses",
        statuses.collect(),
    )
}

/// A pack has failed if it has failed in one account.
fn overall<'a>(mut deployments: impl Iterator<Item = &'a Deployment>) -> &'static str {
    let other = deployments.find(|deployment| !deployment.status.ends_with("_SUCCESSFUL"));
    other.map_or("CREATE_SUCCESSFUL", |deployment| deployment.status)
}

pub(super) fn detailed_status(world: &World, request: &Request<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let given = member(request.input, "OrganizationConformancePackName", Value::as_str)?;
    let name = violations.required("organizationConformancePackName", given);
    violations.finish("ValidationException")?;
    let deployments = request.packs(world)?.get(name).ok_or_else(|| no_such_pack(name))?;
    let details = deployments.iter().map(|(account, deployment)| {
        let mut detail = json!({
            "AccountId": account,
            "ConformancePackName": format!("OrgConformsPack-{name}-abcdefgh"),
            "Status": deployment.status,
            "LastUpdateTime": epoch_seconds(world.started()),
        });
        if let Some((code, message)) = &deployment.error {
            detail["ErrorCode"] = code.as_str().into();
            detail["ErrorMessage"] = message.as_str().into();
        }
        (account.clone(), detail)
    });
    let action = format!("GetOrganizationConformancePackDetailedStatus {name}");
    request.page("OrganizationConformancePackDetailedStatuses", &action, details.collect())
}

fn no_such_pack(name: &str) -> AwsError {
    let message = format!("One or more organization conformance packs with specified names are not present: {name}.");
    AwsError::new(400, "NoSuchOrganizationConformancePackException", message)
}
