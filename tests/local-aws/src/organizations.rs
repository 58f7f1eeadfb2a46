//! AWS Organizations, version 2016-11-28: the accounts of the organization.

use std::ops::Bound;

use serde_json::{Map, Value, json};

use crate::constraints::Violations;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::json::{self, epoch_seconds, member};
use crate::organization::{Member, Organization};
use crate::paging::Listing;
use crate::service::Service;
use crate::world::World;

/// The most accounts on a page, and the default.
const ACCOUNTS_PER_PAGE: i64 = 20;

pub(crate) fn answer(
    world: &World,
    account: &str,
    action: &str,
    input: &Map<String, Value>,
    effects: &Effects,
) -> Result<Value, AwsError> {
    let organization = || {
        let message = "Your account is not a member of an organization.";
        world.organization_of(account).ok_or_else(|| AwsError::new(400, "AWSOrganizationsNotInUseException", message))
    };
    match action {
        // Every account may read which organization it is in.
        "DescribeOrganization" => Ok(describe(organization()?)),
        "ListAccounts" => list(world, organization()?, account, input, effects),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn describe(organization: &Organization) -> Value {
    let management = &organization.management;
    json!({ "Organization": {
        "Id": Organization::ID,
        "Arn": format!("arn:aws:organizations::{management}:organization/{}", Organization::ID),
        "FeatureSet": "ALL",
        "MasterAccountArn": arn(organization, management),
        "MasterAccountId": management,
        "MasterAccountEmail": email(management),
        "AvailablePolicyTypes": [],
    } })
}

fn list(
    world: &World,
    organization: &Organization,
    account: &str,
    input: &Map<String, Value>,
    effects: &Effects,
) -> Result<Value, AwsError> {
    let mut violations = Violations::default();
    let size = member(input, "MaxResults", Value::as_i64)?.unwrap_or(ACCOUNTS_PER_PAGE);
    violations.number("maxResults", size, 1..=ACCOUNTS_PER_PAGE);
    violations.finish("InvalidInputException")?;
    if !organization.is_administered_by(account) {
        let message = "You don't have permissions to access this resource.";
        return Err(AwsError::new(400, "AccessDeniedException", message));
    }
    let listing = Listing {
        service: Service::Organizations,
        name: "ListAccounts".to_owned(),
        size: size.try_into().unwrap_or(1),
        faults: effects.pages,
    };
    let invalid = || AwsError::new(400, "InvalidInputException", "You specified an invalid value for nextToken.");
    let position = json::position(&listing, input, invalid)?;
    let after = position.after.clone();
    let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let members = organization.members.range::<str, _>((start, Bound::Unbounded));
    let accounts = members.map(|(id, member)| (id, account_json(world, organization, id, member)));
    let page = listing.page(position, accounts, |(id, _)| (*id).clone())?;
    Ok(json::page("Accounts", page.map(|(_, account)| account)))
}

fn account_json(world: &World, organization: &Organization, id: &str, member: &Member) -> Value {
    // `Status`, which came before `State`, has fewer values.
    let (name, state) = match (organization.has_status, member.state) {
        (true, "PENDING_ACTIVATION") => ("Status", "ACTIVE"),
        (true, "CLOSED") => ("Status", "SUSPENDED"),
        (true, state) => ("Status", state),
        (false, state) => ("State", state),
    };
    json!({
        "Id": id,
        "Arn": arn(organization, id),
        "Email": email(id),
        "Name": member.name,
        name: state,
        "JoinedMethod": if id == organization.management { "INVITED" } else { "CREATED" },
        "JoinedTimestamp": epoch_seconds(world.started()),
    })
}

fn arn(organization: &Organization, id: &str) -> String {
    format!("arn:aws:organizations::{}:account/{}/{id}", organization.management, Organization::ID)
}

fn email(id: &str) -> String {
    format!("{id}@example.com")
}
