//! The results that AWS Config recorded for the rule. They spare the sweep reads, and show which users may be gone.

use super::event::IAM_USER;
use crate::aws::{
    account::Account,
    client::{CallError, Failure, Pages},
};
use aws_sdk_config::{
    primitives::DateTime as AwsDateTime,
    types::{ComplianceType, EvaluationResult},
};
use chrono::DateTime;
use futures_util::future::join;
use policy::{recorded_result::RecordedResult, verdict::Compliance};
use tokio::time::Instant;

/// The most results on a page of `GetComplianceDetailsByConfigRule`.
const RESULTS_A_PAGE: i32 = 100;
/// The longest rule name that `GetComplianceDetailsByConfigRule` accepts, though `PutConfigRule` accepts 128.
const RULE_NAME_LIMIT: usize = 64;

const DETAILS: &str = "config:GetComplianceDetailsByConfigRule";
const DETAILS_OF_ONE: &str = "config:GetComplianceDetailsByResource";

/// Reads the results for users, page by page, no later than `until`, and passes each to `take` as it arrives. Violations are
/// listed separately and at the same time: there are few of them, and their users are read in any case.
///
/// # Errors
/// If a page could not be read: the results are then incomplete.
pub async fn read_results(
    account: &Account<'_>,
    rule_name: &str,
    until: Instant,
    take: impl Fn(RecordedResult),
) -> Result<(), CallError> {
    let length = rule_name.chars().count();
    if length > RULE_NAME_LIMIT {
        return Err(failed(format!(
            "the rule's name has {length} characters, but this action accepts at most {RULE_NAME_LIMIT}"
        )));
    }
    let list = |compliance| list(account, rule_name, compliance, until, &take);
    let (violations, others) = join(list(ComplianceType::NonCompliant), list(ComplianceType::Compliant)).await;
    violations.and(others)
}

async fn list(
    account: &Account<'_>,
    rule_name: &str,
    compliance: ComplianceType,
    until: Instant,
    take: impl Fn(RecordedResult),
) -> Result<(), CallError> {
    let mut pages = Pages::of(DETAILS);
    while pages.more() {
        let request = account
            .config
            .get_compliance_details_by_config_rule()
            .config_rule_name(rule_name)
            .compliance_types(compliance.clone())
            .limit(RESULTS_A_PAGE)
            .set_next_token(pages.next());
        let page = account.calls.call(DETAILS, until, || request.clone().send()).await?;
        page.evaluation_results.unwrap_or_default().into_iter().filter_map(decode).for_each(&take);
        pages.turn(page.next_token)?;
    }
    Ok(())
}

/// Reads the rule's result for one user, no later than `until`.
///
/// # Errors
/// If a page could not be read.
pub async fn read_result(
    account: &Account<'_>,
    rule_name: &str,
    user_id: &str,
    until: Instant,
) -> Result<Option<RecordedResult>, CallError> {
    let mut pages = Pages::of(DETAILS_OF_ONE);
    while pages.more() {
        let request = account
            .config
            .get_compliance_details_by_resource()
            .resource_type(IAM_USER)
            .resource_id(user_id)
            .set_next_token(pages.next());
        let page = account.calls.call(DETAILS_OF_ONE, until, || request.clone().send()).await?;
        // The results of all rules that evaluate the user.
        let found = page.evaluation_results.unwrap_or_default().into_iter().find(|result| is_of(result, rule_name));
        if let Some(found) = found {
            return Ok(decode(found));
        }
        pages.turn(page.next_token)?;
    }
    Ok(None)
}

fn is_of(result: &EvaluationResult, rule_name: &str) -> bool {
    let identifier = result.evaluation_result_identifier.as_ref();
    let qualifier = identifier.and_then(|identifier| identifier.evaluation_result_qualifier.as_ref());
    qualifier.and_then(|qualifier| qualifier.config_rule_name.as_deref()) == Some(rule_name)
}

fn failed(code: String) -> CallError {
    CallError { action: DETAILS, kind: Failure::Other, code }
}

fn decode(result: EvaluationResult) -> Option<RecordedResult> {
    let qualifier = result.evaluation_result_identifier?.evaluation_result_qualifier?;
    if qualifier.resource_type.as_deref() != Some(IAM_USER) {
        return None;
    }
    let compliance = match result.compliance_type? {
        ComplianceType::Compliant => Compliance::Compliant,
        ComplianceType::NonCompliant => Compliance::NonCompliant,
        _ => return None,
    };
    let time =
        |time: Option<AwsDateTime>| time.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()));
    Some(RecordedResult {
        user_id: qualifier.resource_id?,
        compliance,
        annotation: result.annotation.unwrap_or_default(),
        recorded: time(result.result_recorded_time),
        invoked: time(result.config_rule_invoked_time),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_config::types::{EvaluationResultIdentifier, EvaluationResultQualifier};

    #[test]
    fn only_a_users_compliant_or_non_compliant_result_is_read() {
        let result = |resource_type: &str, compliance| {
            let qualifier =
                EvaluationResultQualifier::builder().resource_type(resource_type).resource_id("AIDABOT").build();
            let identifier = EvaluationResultIdentifier::builder().evaluation_result_qualifier(qualifier).build();
            EvaluationResult::builder()
                .evaluation_result_identifier(identifier)
                .compliance_type(compliance)
                .result_recorded_time(AwsDateTime::from_secs(1_000_000))
                .config_rule_invoked_time(AwsDateTime::from_secs(999_999))
                .build()
        };
        let read = decode(result(IAM_USER, ComplianceType::Compliant)).unwrap();
        let [recorded, invoked] = [1_000_000, 999_999].map(|time| DateTime::from_timestamp(time, 0));
        let (user_id, annotation) = ("AIDABOT".to_owned(), String::new());
        let expected = RecordedResult { user_id, compliance: Compliance::Compliant, annotation, recorded, invoked };
        assert_eq!(read, expected);
        assert_eq!(decode(result("AWS::IAM::Role", ComplianceType::Compliant)), None);
        assert_eq!(decode(result(IAM_USER, ComplianceType::InsufficientData)), None);
        assert_eq!(decode(EvaluationResult::builder().compliance_type(ComplianceType::Compliant).build()), None);
    }
}
