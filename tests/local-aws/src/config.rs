//! Config, version 2014-11-12: the evaluations of a rule, remediation exceptions, the recorder, and the packs of the
//! organization.

mod compliance;
mod context;
mod organization_packs;
mod put_evaluations;
mod recorders;
mod remediation;
mod rules;

use serde_json::{Map, Value};

use crate::REGION;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::world::World;
use context::{Context, Result};

pub(crate) fn answer(
    world: &mut World,
    account: &str,
    region: &str,
    action: &str,
    input: &Map<String, Value>,
    effects: &Effects,
) -> Result<Value> {
    let request = organization_packs::Request { account, region, input, effects };
    match action {
        "DescribeOrganizationConformancePacks" => return organization_packs::describe(world, &request),
        "DescribeOrganizationConformancePackStatuses" => return organization_packs::statuses(world, &request),
        "GetOrganizationConformancePackDetailedStatus" => return organization_packs::detailed_status(world, &request),
        "PutOrganizationConformancePack" => return organization_packs::put(world, &request),
        _ => {}
    }
    let (account, faults) = world.account_and_faults(account);
    let mut cx = Context { account, faults, home: region == REGION, input, effects };
    match action {
        "PutEvaluations" => put_evaluations::put(&mut cx),
        "GetComplianceDetailsByConfigRule" => compliance::details(&cx),
        "GetComplianceDetailsByResource" => compliance::of_resource(&cx),
        "DescribeComplianceByConfigRule" => compliance::describe(&cx),
        "DescribeConfigRules" => rules::describe(&cx),
        "DescribeConfigRuleEvaluationStatus" => rules::statuses(&cx),
        "DescribeRemediationExceptions" => remediation::exceptions(&cx),
        "DescribeConfigurationRecorders" => recorders::describe(&cx),
        "DescribeConfigurationRecorderStatus" => recorders::status(&cx),
        _ => Err(AwsError::unknown_operation()),
    }
}
