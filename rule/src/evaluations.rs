//! Results on their way to AWS Config, and those that it holds.

use crate::{
    account::Account,
    calls::{CallError, Failure, backoff},
    error::Error,
    event::{Event, IAM_USER},
    lock,
    verdict::{Compliance, Verdict, keys_named},
};
use aws_sdk_config::{
    primitives::DateTime as AwsDateTime,
    types::{ComplianceType, Evaluation as ConfigEvaluation, EvaluationResult},
};
use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt,
    sync::{Mutex, PoisonError},
};
use tokio::time::{Instant, sleep};

/// The most that `PutEvaluations` takes in one call.
pub const BATCH: usize = 100;
/// The most results that `GetComplianceDetailsByConfigRule` puts on a page.
const RESULTS_A_PAGE: i32 = 100;
/// The longest rule name that `GetComplianceDetailsByConfigRule` takes, though `PutConfigRule` takes 128.
const RULE_NAME_LIMIT: usize = 64;
/// A listing of results without an end is cut off here.
const MOST_PAGES: usize = 20_000;
/// How often results are sent in all that Config names as failed.
const DELIVERIES: u32 = 6;

const PUT: &str = "config:PutEvaluations";
const DETAILS: &str = "config:GetComplianceDetailsByConfigRule";

/// The result for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Config's resource type.
    pub resource_type: String,
    /// Config's resource id; for a user `AIDA…`.
    pub resource_id: String,
    /// The result.
    pub verdict: Verdict,
}

impl Evaluation {
    /// The result for a user.
    pub fn of_user(id: &str, verdict: Verdict) -> Evaluation {
        Evaluation { resource_type: IAM_USER.to_owned(), resource_id: id.to_owned(), verdict }
    }
}

/// Where results go.
#[derive(Debug)]
pub enum Destination {
    /// To AWS Config.
    Config,
    /// On a list, as `PutEvaluations` would get them: a rehearsal.
    List(Mutex<Vec<ConfigEvaluation>>),
}

impl Destination {
    /// What is on the list.
    pub fn into_list(self) -> Vec<ConfigEvaluation> {
        match self {
            Destination::Config => Vec::new(),
            Destination::List(list) => list.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Results that did not get through.
#[derive(Debug)]
pub struct Undelivered {
    /// How many.
    pub results: usize,
    /// Why.
    pub error: CallError,
}

impl Undelivered {
    /// Whether no other delivery to this rule can succeed either.
    pub fn in_vain(&self) -> bool {
        self.error.kind == Failure::Denied
            || ["InvalidResultTokenException", "NoSuchConfigRuleException"].contains(&self.error.code.as_str())
    }

    /// What it means for an invocation whose only delivery it was.
    pub fn into_error(self, account: &Account<'_>) -> Error {
        match self.error.kind {
            Failure::Denied | Failure::TimeUp => account.error(&self.error),
            _ => Error::DeliveryFailed(format!("{self}.")),
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} results did not reach AWS Config: {}", self.results, self.error)
    }
}

/// Delivers at most [`BATCH`] results. Those that Config names as failed are sent again, a bounded number of times.
/// An empty batch only marks the rule as evaluated.
pub async fn deliver(
    account: &Account<'_>,
    event: &Event,
    results: &Destination,
    batch: &[Evaluation],
) -> Result<(), Undelivered> {
    let fail = |results, error| Err(Undelivered { results, error });
    let mut evaluations = match batch.iter().map(|e| encode(e, event)).collect::<Result<Vec<_>, _>>() {
        Ok(evaluations) => evaluations,
        Err(error) => return fail(batch.len(), error),
    };
    if let Destination::List(list) = results {
        lock(list).append(&mut evaluations);
        return Ok(());
    }
    for round in 1..=DELIVERIES {
        let request = account
            .config
            .put_evaluations()
            .result_token(event.result_token.reveal())
            .test_mode(event.result_token.is_test())
            .set_evaluations(Some(evaluations.clone()));
        let failed = match account.calls.call(PUT, account.deliveries_end, || request.clone().send()).await {
            Ok(answer) => answer.failed_evaluations.unwrap_or_default(),
            Err(error) => return fail(evaluations.len(), error),
        };
        if failed.is_empty() {
            return Ok(());
        }
        let failed: HashSet<_> = failed.iter().map(|evaluation| evaluation.compliance_resource_id.as_str()).collect();
        if evaluations.iter().any(|evaluation| failed.contains(evaluation.compliance_resource_id.as_str())) {
            evaluations.retain(|evaluation| failed.contains(evaluation.compliance_resource_id.as_str()));
        }
        let delay = backoff(round);
        if round == DELIVERIES || Instant::now() + delay >= account.deliveries_end {
            break;
        }
        sleep(delay).await;
    }
    let code = "Config took the call and not the results (FailedEvaluations)".to_owned();
    fail(evaluations.len(), CallError { action: PUT, kind: Failure::Other, code })
}

fn encode(evaluation: &Evaluation, event: &Event) -> Result<ConfigEvaluation, CallError> {
    ConfigEvaluation::builder()
        .compliance_resource_type(&evaluation.resource_type)
        .compliance_resource_id(&evaluation.resource_id)
        .compliance_type(match evaluation.verdict.compliance {
            Compliance::Compliant => ComplianceType::Compliant,
            Compliance::NonCompliant => ComplianceType::NonCompliant,
            Compliance::NotApplicable => ComplianceType::NotApplicable,
        })
        .set_annotation(evaluation.verdict.annotation.clone())
        .ordering_timestamp(AwsDateTime::from_millis(event.ordering_timestamp.timestamp_millis()))
        .build()
        .map_err(|error| CallError { action: PUT, kind: Failure::Other, code: error.to_string() })
}

/// The results for users that Config holds for a rule.
#[derive(Debug, Default)]
pub struct Held(HashMap<String, (Compliance, BTreeSet<String>)>);

impl Held {
    /// Reads them all, no later than `until`.
    ///
    /// # Errors
    /// The page that could not be read: what is held is then unknown.
    pub async fn read(account: &Account<'_>, rule_name: &str, until: Instant) -> Result<Held, CallError> {
        let fail = |code: String| Err(CallError { action: DETAILS, kind: Failure::Other, code });
        let length = rule_name.chars().count();
        if length > RULE_NAME_LIMIT {
            return fail(format!("the rule's name has {length} characters, and AWS takes {RULE_NAME_LIMIT} here"));
        }
        let mut held = HashMap::new();
        let mut next_token = None;
        for _ in 0..MOST_PAGES {
            let request = account
                .config
                .get_compliance_details_by_config_rule()
                .config_rule_name(rule_name)
                .limit(RESULTS_A_PAGE)
                .set_next_token(next_token.clone());
            let page = account.calls.call(DETAILS, until, || request.clone().send()).await?;
            held.extend(page.evaluation_results.unwrap_or_default().into_iter().filter_map(decode));
            match page.next_token.filter(|token| !token.is_empty()) {
                None => return Ok(Held(held)),
                token if token == next_token => break,
                token => next_token = token,
            }
        }
        fail("a listing without an end".to_owned())
    }

    /// Whether a verdict says something else than what is held: another compliance, or other keys in violation.
    pub fn differs(&self, user_id: &str, verdict: &Verdict) -> bool {
        match self.0.get(user_id) {
            None => verdict.compliance != Compliance::NotApplicable,
            Some((compliance, keys)) => {
                *compliance != verdict.compliance
                    || verdict.compliance == Compliance::NonCompliant
                        && *keys != verdict.violations.iter().cloned().collect()
            }
        }
    }

    /// The users with a result who are not among those listed.
    pub fn gone(&self, listed: &HashSet<&str>) -> Vec<String> {
        let is_gone = |(id, (compliance, _)): &(&String, &(Compliance, _))| {
            *compliance != Compliance::NotApplicable && !listed.contains(id.as_str())
        };
        self.0.iter().filter(is_gone).map(|(id, _)| id.clone()).collect()
    }
}

fn decode(result: EvaluationResult) -> Option<(String, (Compliance, BTreeSet<String>))> {
    let qualifier = result.evaluation_result_identifier?.evaluation_result_qualifier?;
    if qualifier.resource_type.as_deref() != Some(IAM_USER) {
        return None;
    }
    let compliance = match result.compliance_type? {
        ComplianceType::Compliant => Compliance::Compliant,
        ComplianceType::NonCompliant => Compliance::NonCompliant,
        _ => Compliance::NotApplicable,
    };
    let keys = match compliance {
        Compliance::NonCompliant => {
            keys_named(&result.annotation.unwrap_or_default()).into_iter().map(str::to_owned).collect()
        }
        _ => BTreeSet::new(),
    };
    Some((qualifier.resource_id?, (compliance, keys)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
    const OTHER_KEY: &str = "AKIAI44QH8DHBEXAMPLE";

    fn result(id: &str, compliance: ComplianceType, annotation: &str) -> EvaluationResult {
        use aws_sdk_config::types::{EvaluationResultIdentifier, EvaluationResultQualifier};
        let qualifier = EvaluationResultQualifier::builder().resource_type(IAM_USER).resource_id(id).build();
        let identifier = EvaluationResultIdentifier::builder().evaluation_result_qualifier(qualifier).build();
        EvaluationResult::builder()
            .evaluation_result_identifier(identifier)
            .compliance_type(compliance)
            .annotation(annotation)
            .build()
    }

    fn held() -> Held {
        let results = [
            result("AIDAGOOD", ComplianceType::Compliant, ""),
            result("AIDABAD", ComplianceType::NonCompliant, &format!("{KEY} is 91 days old. Act.")),
            result("AIDAGONE", ComplianceType::NotApplicable, ""),
        ];
        Held(results.into_iter().filter_map(decode).collect())
    }

    fn violation(keys: &[&str]) -> Verdict {
        Verdict {
            compliance: Compliance::NonCompliant,
            annotation: Some("other words".to_owned()),
            violations: keys.iter().map(|key| (*key).to_owned()).collect(),
            exempt: false,
        }
    }

    #[test]
    fn another_compliance_or_other_keys_make_a_difference() {
        let said = |text: &str| Verdict { annotation: Some(text.to_owned()), ..Verdict::compliant() };
        for (what, user, verdict, differs) in [
            ("still compliant", "AIDAGOOD", Verdict::compliant(), false),
            ("still compliant, in other words", "AIDAGOOD", said("due soon"), false),
            ("now in violation", "AIDAGOOD", violation(&[KEY]), true),
            ("now gone", "AIDAGOOD", Verdict::not_applicable(), true),
            ("the same key", "AIDABAD", violation(&[KEY]), false),
            ("another key", "AIDABAD", violation(&[OTHER_KEY]), true),
            ("one key more", "AIDABAD", violation(&[OTHER_KEY, KEY]), true),
            ("now compliant", "AIDABAD", Verdict::compliant(), true),
            ("still gone", "AIDAGONE", Verdict::not_applicable(), false),
            ("back again", "AIDAGONE", Verdict::compliant(), true),
            ("new", "AIDANEW", Verdict::compliant(), true),
            ("new, and gone already", "AIDANEW", Verdict::not_applicable(), false),
        ] {
            assert_eq!(held().differs(user, &verdict), differs, "{what}");
        }
    }

    #[test]
    fn whoever_has_a_result_and_is_not_listed_is_gone() {
        assert_eq!(held().gone(&HashSet::from(["AIDAGOOD", "AIDANEW"])), ["AIDABAD"]);
        let other = EvaluationResult::builder().compliance_type(ComplianceType::Compliant).build();
        assert!(decode(other).is_none());
    }
}
