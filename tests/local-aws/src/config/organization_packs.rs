//! Conformance packs of the organization: PutOrganizationConformancePack, DescribeOrganizationConformancePacks,
//! DescribeOrganizationConformancePackStatuses, GetOrganizationConformancePackDetailedStatus.

use serde_json::{Map, Value, json};

use super::context::Result;
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{self, epoch_seconds, member, strings};
use crate::organization::{Deployment, Pack, Packs};
use crate::paging::Listing;
use crate::service::Service;
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

/// The packs that the request names, or all of them.
fn named<'a>(world: &'a World, request: &Request<'_>) -> Result<Vec<(&'a String, &'a Pack)>> {
    let names = strings(request.input, "OrganizationConformancePackNames")?;
    let packs = request.packs(world)?;
    if let Some(name) = names.iter().find(|name| !packs.contains_key(**name)) {
        return Err(no_such_pack(name));
    }
    Ok(packs.iter().filter(|(name, _)| names.is_empty() || names.contains(&name.as_str())).collect())
}

pub(super) fn describe(world: &World, request: &Request<'_>) -> Result<Value> {
    let packs = named(world, request)?.into_iter().map(|(name, pack)| {
        let mut description = json!({
            "OrganizationConformancePackName": name,
            "OrganizationConformancePackArn": arn(request, name),
            "ExcludedAccounts": pack.excluded,
            "LastUpdateTime": epoch_seconds(world.started()),
        });
        if !pack.function.is_empty() {
            description["ConformancePackInputParameters"] =
                json!([{ "ParameterName": "FunctionArn", "ParameterValue": pack.function }]);
        }
        (name.clone(), description)
    });
    request.page("OrganizationConformancePacks", "DescribeOrganizationConformancePacks", packs.collect())
}

pub(super) fn statuses(world: &World, request: &Request<'_>) -> Result<Value> {
    let sticks = world.organization_of(request.account).is_some_and(|organization| organization.pack_status_sticks);
    let statuses = named(world, request)?.into_iter().map(|(name, pack)| {
        let status = json!({
            "OrganizationConformancePackName": name,
            "Status": if sticks { "CREATE_IN_PROGRESS" } else { overall(pack.deployments.values()) },
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
    let pack = request.packs(world)?.get(name).ok_or_else(|| no_such_pack(name))?;
    let details = pack.deployments.iter().map(|(account, deployment)| {
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

/// Deploys a pack with the rule and its remediation to every active account that is not excluded, at once. It fails where the
/// remediation's runbook does not exist.
pub(super) fn put(world: &mut World, request: &Request<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let given = member(request.input, "OrganizationConformancePackName", Value::as_str)?;
    let name = violations.required("organizationConformancePackName", given);
    violations.finish("ValidationException")?;
    let template = member(request.input, "TemplateBody", Value::as_str)?;
    if template.is_none() && request.input.get("TemplateS3Uri").is_none() {
        let message = "You must specify either TemplateBody or TemplateS3Uri.";
        return Err(AwsError::new(400, "OrganizationConformancePackTemplateValidationException", message));
    }
    let excluded = strings(request.input, "ExcludedAccounts")?;
    let parameters = request.input.get("ConformancePackInputParameters").and_then(Value::as_array);
    let function = parameters.into_iter().flatten().find(|parameter| parameter["ParameterName"] == "FunctionArn");
    let function = function.and_then(|parameter| parameter["ParameterValue"].as_str()).unwrap_or_default();
    let deployed = request.packs(world)?.get(name);
    let organization = world.organization_of(request.account);
    let members = organization.into_iter().flat_map(|organization| &organization.members);
    let accounts = members.filter(|(id, member)| member.state == "ACTIVE" && !excluded.contains(&id.as_str()));
    let accounts: Vec<_> = accounts
        .map(|(id, _)| {
            let status = deployed.and_then(|pack| pack.deployments.get(id)).map(|deployment| deployment.status);
            (id.clone(), status.is_some_and(|status| status != "CREATE_FAILED"))
        })
        .collect();
    // The target of the remediation, if the template is in the request and has one.
    let target =
        template.and_then(|template| template.split_once("TargetId:")).and_then(|(_, rest)| rest.lines().next());
    for (id, exists) in accounts {
        let account = world.account(&id);
        let missing = target.map(str::trim).filter(|runbook| !account.regional.documents.contains_key(*runbook));
        let status = match (exists, missing.is_none()) {
            (false, true) => "CREATE_SUCCESSFUL",
            (false, false) => "CREATE_FAILED",
            (true, true) => "UPDATE_SUCCESSFUL",
            (true, false) => "UPDATE_FAILED",
        };
        let message = missing.map(|runbook| format!("The document {runbook} does not exist."));
        let error = message.as_deref().map(|message| ("ConformancePackTemplateValidationException", message));
        if missing.is_none() {
            account.set_rule_function(name, function);
        }
        world.organization(request.account).set_pack((request.account, request.region, name), &id, status, error);
    }
    let pack = (request.account, request.region, name);
    world.organization(request.account).exclude_from_pack(pack, function, &excluded);
    Ok(json!({ "OrganizationConformancePackArn": arn(request, name) }))
}

fn arn(request: &Request<'_>, name: &str) -> String {
    format!("arn:aws:config:{}:{}:organization-conformance-pack/{name}-abcdefgh", request.region, request.account)
}

fn no_such_pack(name: &str) -> AwsError {
    let message = format!("One or more organization conformance packs with specified names are not present: {name}.");
    AwsError::new(400, "NoSuchOrganizationConformancePackException", message)
}
