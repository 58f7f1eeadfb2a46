//! Reading compliance: GetComplianceDetailsByConfigRule, GetComplianceDetailsByResource, DescribeComplianceByConfigRule.

use std::ops::Bound;

use serde_json::{Value, json};

use super::context::{COMPLIANCE_TYPES, Context, Result, invalid_parameter, no_such_rule};
use crate::config_rule::{ComplianceType, ConfigRule, EvaluationResult};
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::json::{self, epoch_seconds, member, strings};
use crate::paging::{Listing, Position};
use crate::service::Service;

const DEFAULT_LIMIT: usize = 10;
/// The largest count of contributors.
const CONTRIBUTORS: usize = 25;
/// DescribeComplianceByConfigRule takes no limit.
const RULES_PER_PAGE: usize = 25;

pub(super) fn details(cx: &Context<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let given = member(cx.input, "ConfigRuleName", Value::as_str)?;
    let name = violations.required("configRuleName", given);
    if given.is_some() {
        violations.length("configRuleName", name, 1..=64);
    }
    let limit = member(cx.input, "Limit", Value::as_i64)?.unwrap_or(0);
    violations.number("limit", limit, 0..=100);
    let types = compliance_types(cx, &mut violations)?;
    violations.finish("ValidationException")?;
    if types.contains(&"INSUFFICIENT_DATA") {
        return Err(invalid_parameter("INSUFFICIENT_DATA cannot be used to filter results."));
    }
    let rule = cx.account.rules().get(name).filter(|_| cx.home).ok_or_else(|| no_such_rule(name))?;
    let size = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(DEFAULT_LIMIT);
    let (listing, position) = listing(cx, &format!("GetComplianceDetailsByConfigRule {name}"), size)?;
    let after = position.after.clone();
    let start = after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let results = rule.results.range::<str, _>((start, Bound::Unbounded)).filter(|(_, result)| {
        if types.is_empty() {
            result.compliance != ComplianceType::NotApplicable
        } else {
            types.contains(&result.compliance.as_str())
        }
    });
    let page = listing.page(position, results, |(id, _)| (*id).clone())?;
    Ok(json::page("EvaluationResults", page.map(|(id, result)| result_json(name, id, result))))
}

/// The results of all rules for one resource.
pub(super) fn of_resource(cx: &Context<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let of = |name| member(cx.input, name, Value::as_str);
    let (kind, id) = (of("ResourceType")?.unwrap_or_default(), of("ResourceId")?.unwrap_or_default());
    violations.length("resourceType", kind, 1..=256);
    violations.length("resourceId", id, 1..=768);
    let types = compliance_types(cx, &mut violations)?;
    violations.finish("ValidationException")?;
    let name = format!("GetComplianceDetailsByResource {kind} {id}");
    let (listing, position) = listing(cx, &name, DEFAULT_LIMIT)?;
    let after = position.after.clone();
    let results = cx
        .account
        .rules()
        .iter()
        .filter(|_| cx.home)
        .filter_map(|(rule, state)| Some((rule, state.results.get(id).filter(|result| result.resource_type == kind)?)))
        .filter(|(_, result)| types.is_empty() || types.contains(&result.compliance.as_str()))
        .skip_while(|(rule, _)| after.as_ref().is_some_and(|after| *rule <= after));
    let page = listing.page(position, results, |(rule, _)| (*rule).clone())?;
    Ok(json::page("EvaluationResults", page.map(|(rule, result)| result_json(rule, id, result))))
}

pub(super) fn describe(cx: &Context<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let names = strings(cx.input, "ConfigRuleNames")?;
    violations.size("configRuleNames", names.len(), 0..=25);
    for (n, name) in names.iter().enumerate() {
        violations.length(&format!("configRuleNames.{}.member", n + 1), name, 1..=128);
    }
    let types = compliance_types(cx, &mut violations)?;
    violations.finish("ValidationException")?;
    if let Some(name) = names.iter().find(|name| !cx.home || !cx.account.rules().contains_key(**name)) {
        return Err(no_such_rule(name));
    }
    let (listing, position) = listing(cx, "DescribeComplianceByConfigRule", RULES_PER_PAGE)?;
    let after = position.after.clone();
    let rules = cx
        .account
        .rules()
        .iter()
        .filter(|(name, _)| cx.home && (names.is_empty() || names.contains(&name.as_str())))
        .map(|(name, rule)| (name, rule_compliance(rule)))
        .filter(|(_, (compliance, _))| types.is_empty() || types.contains(compliance))
        .skip_while(|(name, _)| after.as_ref().is_some_and(|after| *name <= after));
    let page = listing.page(position, rules, |(name, _)| (*name).clone())?;
    let page = page.map(|(name, (compliance, violators))| {
        let mut value = json!({ "ConfigRuleName": name, "Compliance": { "ComplianceType": compliance } });
        if violators > 0 {
            value["Compliance"]["ComplianceContributorCount"] =
                json!({ "CappedCount": violators.min(CONTRIBUTORS), "CapExceeded": violators > CONTRIBUTORS });
        }
        value
    });
    Ok(json::page("ComplianceByConfigRules", page))
}

fn compliance_types<'a>(cx: &Context<'a>, violations: &mut Violations) -> Result<Vec<&'a str>> {
    let types = strings(cx.input, "ComplianceTypes")?;
    violations.size("complianceTypes", types.len(), 0..=3);
    for kind in &types {
        violations.one_of("complianceTypes", kind, &COMPLIANCE_TYPES);
    }
    Ok(types)
}

fn listing(cx: &Context<'_>, name: &str, size: usize) -> Result<(Listing, Position)> {
    let name = format!("{name} {}", cx.account.id());
    let listing = Listing { service: Service::Config, name, size, faults: cx.effects.pages };
    let invalid = || AwsError::new(400, "InvalidNextTokenException", "The nextToken provided is invalid");
    let position = json::position(&listing, cx.input, invalid)?;
    Ok((listing, position))
}

/// A rule's compliance, and how many resources violate it.
fn rule_compliance(rule: &ConfigRule) -> (&'static str, usize) {
    let count = |kind| rule.results.values().filter(|result| result.compliance == kind).count();
    match (count(ComplianceType::NonCompliant), count(ComplianceType::Compliant)) {
        (0, 0) => ("INSUFFICIENT_DATA", 0),
        (0, _) => ("COMPLIANT", 0),
        (violators, _) => ("NON_COMPLIANT", violators),
    }
}

fn result_json(rule: &str, id: &str, result: &EvaluationResult) -> Value {
    let mut value = json!({
        "EvaluationResultIdentifier": {
            "EvaluationResultQualifier": {
                "ConfigRuleName": rule,
                "ResourceType": result.resource_type,
                "ResourceId": id,
                "EvaluationMode": "DETECTIVE",
            },
            "OrderingTimestamp": epoch_seconds(result.ordering_timestamp),
        },
        "ComplianceType": result.compliance.as_str(),
        "ResultRecordedTime": epoch_seconds(result.result_recorded_time),
        "ConfigRuleInvokedTime": epoch_seconds(result.config_rule_invoked_time),
    });
    if let Some(annotation) = &result.annotation {
        value["Annotation"] = annotation.as_str().into();
    }
    value
}
