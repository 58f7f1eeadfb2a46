//! Delivers results to AWS Config.

use super::event::{Event, IAM_USER};
use crate::{
    aws::{
        account::Account,
        client::{CallError, Failure, backoff},
    },
    error::Error,
    lock,
};
use aws_sdk_config::{primitives::DateTime as AwsDateTime, types::Evaluation as ConfigEvaluation};
use policy::{text::count, verdict::Verdict};
use std::{
    borrow::Cow,
    collections::HashSet,
    fmt,
    sync::{Mutex, PoisonError},
};
use tokio::time::{Instant, sleep};

/// The most results that `PutEvaluations` accepts in one call.
pub const BATCH: usize = 100;
/// How often results that Config reports as failed are sent in all.
const DELIVERIES: u32 = 6;

const PUT: &str = "config:PutEvaluations";

/// The result for one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// Config's resource type. Borrowed for users, since thousands wait for their delivery.
    pub resource_type: Cow<'static, str>,
    /// Config's resource id: `AIDA…` for a user.
    pub resource_id: String,
    /// The result.
    pub verdict: Verdict,
}

impl Evaluation {
    /// The result for a user.
    pub fn of_user(id: &str, verdict: Verdict) -> Evaluation {
        Evaluation { resource_type: IAM_USER.into(), resource_id: id.to_owned(), verdict }
    }
}

/// Where results go.
#[derive(Debug)]
pub enum Destination {
    /// To AWS Config.
    Config,
    /// To a list, as `PutEvaluations` would receive them, for a dry run.
    List(Mutex<Vec<ConfigEvaluation>>),
}

impl Destination {
    /// The results on the list.
    pub fn into_list(self) -> Vec<ConfigEvaluation> {
        match self {
            Destination::Config => Vec::new(),
            Destination::List(list) => list.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Results that could not be delivered.
#[derive(Debug)]
pub struct Undelivered {
    /// How many results.
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

    /// The errors to raise.
    pub fn errors(&self, account: &Account<'_>) -> Vec<Error> {
        let failed = Error::DeliveryFailed(format!("{self}."));
        match self.error.kind {
            Failure::Denied | Failure::TimeUp => vec![account.error(&self.error), failed],
            _ => vec![failed],
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} did not reach AWS Config: {}", count(self.results, "result"), self.error)
    }
}

/// Delivers at most [`BATCH`] results. Results that Config reports as failed are sent again, a limited number of times.
pub async fn deliver(
    account: &Account<'_>,
    event: &Event,
    results: &Destination,
    batch: Vec<Evaluation>,
) -> Result<(), Undelivered> {
    let fail = |results, error| Err(Undelivered { results, error });
    let number = batch.len();
    let mut evaluations = match batch.into_iter().map(|e| encode(e, event)).collect::<Result<Vec<_>, _>>() {
        Ok(evaluations) => evaluations,
        Err(error) => return fail(number, error),
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
        let failed = match account.calls.call(PUT, account.ends.deliveries, || request.clone().send()).await {
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
        if round == DELIVERIES || Instant::now() + delay >= account.ends.deliveries {
            break;
        }
        sleep(delay).await;
    }
    let code = "Config accepted the call but not the results (FailedEvaluations)".to_owned();
    fail(evaluations.len(), CallError { action: PUT, kind: Failure::Other, code })
}

fn encode(evaluation: Evaluation, event: &Event) -> Result<ConfigEvaluation, CallError> {
    ConfigEvaluation::builder()
        .compliance_resource_type(evaluation.resource_type)
        .compliance_resource_id(evaluation.resource_id)
        .compliance_type(evaluation.verdict.compliance.as_str().into())
        .set_annotation(evaluation.verdict.annotation)
        .ordering_timestamp(AwsDateTime::from_millis(event.ordering_timestamp.timestamp_millis()))
        .build()
        .map_err(|error| CallError { action: PUT, kind: Failure::Other, code: error.to_string() })
}
