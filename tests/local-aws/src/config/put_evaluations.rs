//! PutEvaluations.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::context::{COMPLIANCE_TYPES, Context, Result, invalid_parameter, no_such_rule};
use crate::config_rule::{ComplianceType, Delivery, EvaluationResult};
use crate::constraints::Violations;
use crate::error::AwsError;
use crate::json::{epoch_seconds, member, serialization};

const EVALUATIONS_PER_CALL: usize = 100;

struct Evaluation<'a> {
    resource_type: &'a str,
    resource_id: &'a str,
    compliance: &'a str,
    annotation: Option<&'a str>,
    ordering_timestamp: DateTime<Utc>,
}

pub(super) fn put(cx: &mut Context<'_>) -> Result<Value> {
    let mut violations = Violations::default();
    let token = violations.required("resultToken", member(cx.input, "ResultToken", Value::as_str)?);
    let list: &[Value] = member(cx.input, "Evaluations", Value::as_array)?.map_or(&[], Vec::as_slice);
    violations.size("evaluations", list.len(), 0..=EVALUATIONS_PER_CALL);
    let evaluations = list
        .iter()
        .enumerate()
        .map(|(n, value)| read(&mut violations, &format!("evaluations.{}.member", n + 1), value))
        .collect::<Result<Vec<_>>>()?;
    violations.finish("ValidationException")?;
    let test_mode = member(cx.input, "TestMode", Value::as_bool)?.unwrap_or(false);
    let verdicts = evaluations.iter().map(verdict).collect::<Result<Vec<_>>>()?;
    let rule = match rule_of(cx, token) {
        Err(_) if test_mode && !token.is_empty() => None,
        rule => Some(rule?),
    };
    let ids: Vec<&str> = evaluations.iter().map(|evaluation| evaluation.resource_id).collect();
    let failing = cx.faults.failing(cx.account.id(), &ids);
    let failed = failing.iter().filter(|failed| **failed).count();
    let now = cx.account.now;
    if let Some((name, invoked)) = rule
        && let Some(rule) = cx.account.rule_mut(&name)
    {
        if !test_mode {
            rule.last_success = Some(now);
        }
        rule.deliveries.push(Delivery { evaluations: list.len(), failed, test_mode });
        let stored = evaluations.iter().zip(verdicts).zip(&failing).filter(|(_, failed)| !**failed && !test_mode);
        for ((evaluation, compliance), _) in stored {
            let result = EvaluationResult {
                resource_type: evaluation.resource_type.to_owned(),
                compliance,
                annotation: evaluation.annotation.map(str::to_owned),
                ordering_timestamp: evaluation.ordering_timestamp,
                result_recorded_time: now,
                config_rule_invoked_time: invoked,
            };
            rule.results.insert(evaluation.resource_id.to_owned(), result);
        }
    }
    let failed = evaluations.iter().zip(failing).filter(|(_, failed)| *failed).map(|(evaluation, _)| json(evaluation));
    Ok(json!({ "FailedEvaluations": failed.collect::<Vec<_>>() }))
}

/// The name of the rule that a result token belongs to, and when Config invoked it.
fn rule_of(cx: &Context<'_>, token: &str) -> Result<(String, DateTime<Utc>)> {
    let invalid = || {
        let message = "The result token provided in the request is invalid.";
        AwsError::new(400, "InvalidResultTokenException", message)
    };
    let token = cx.account.result_tokens.get(token).filter(|_| cx.home).ok_or_else(invalid)?;
    match cx.account.rules().get(&token.rule) {
        Some(rule) if rule.id == token.rule_id => Ok((token.rule.clone(), token.invoked)),
        _ => Err(no_such_rule(&token.rule)),
    }
}

fn read<'a>(violations: &mut Violations, field: &str, value: &'a Value) -> Result<Evaluation<'a>> {
    let object = value.as_object().ok_or_else(|| serialization(field))?;
    let mut text = |name: &str, member_name: &str, longest: Option<usize>| -> Result<&'a str> {
        let field = format!("{field}.{member_name}");
        let value = member(object, name, Value::as_str)?;
        let text = violations.required(&field, value);
        if let (Some(longest), Some(text)) = (longest, value) {
            violations.length(&field, text, 1..=longest);
        }
        Ok(text)
    };
    let resource_type = text("ComplianceResourceType", "complianceResourceType", Some(256))?;
    let resource_id = text("ComplianceResourceId", "complianceResourceId", Some(768))?;
    let compliance = text("ComplianceType", "complianceType", None)?;
    if object.contains_key("ComplianceType") {
        violations.one_of(&format!("{field}.complianceType"), compliance, &COMPLIANCE_TYPES);
    }
    let annotation = member(object, "Annotation", Value::as_str)?;
    if let Some(annotation) = annotation {
        violations.length(&format!("{field}.annotation"), annotation, 1..=256);
    }
    let ordering_timestamp = ordering_timestamp(violations, field, object)?;
    Ok(Evaluation { resource_type, resource_id, compliance, annotation, ordering_timestamp })
}

fn ordering_timestamp(violations: &mut Violations, field: &str, object: &Map<String, Value>) -> Result<DateTime<Utc>> {
    let Some(seconds) = member(object, "OrderingTimestamp", Value::as_f64)? else {
        violations.required(&format!("{field}.orderingTimestamp"), None);
        return Ok(DateTime::UNIX_EPOCH);
    };
    #[expect(clippy::cast_possible_truncation, reason = "a number that does not fit is not a time")]
    let time = DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64);
    time.ok_or_else(|| serialization("OrderingTimestamp"))
}

fn verdict(evaluation: &Evaluation<'_>) -> Result<ComplianceType> {
    ComplianceType::parse(evaluation.compliance).ok_or_else(|| {
        invalid_parameter(format!("The compliance type {} is not allowed for PutEvaluations.", evaluation.compliance))
    })
}

fn json(evaluation: &Evaluation<'_>) -> Value {
    let mut value = json!({
        "ComplianceResourceType": evaluation.resource_type,
        "ComplianceResourceId": evaluation.resource_id,
        "ComplianceType": evaluation.compliance,
        "OrderingTimestamp": epoch_seconds(evaluation.ordering_timestamp),
    });
    if let Some(annotation) = evaluation.annotation {
        value["Annotation"] = annotation.into();
    }
    value
}
