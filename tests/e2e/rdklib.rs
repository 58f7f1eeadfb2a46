//! The rule's protocol beside rdklib, AWS's library for custom rules: events made of rdk's samples go to a rule on rdklib and to the
//! function, on the same users, and AWS Config holds the same results afterwards. `rule/TESTED.md` explains the differences, which
//! are tested here too.

use crate::{python, support::*};
use access_key_rotation::error::Error;
use chrono::{DateTime, Utc};
use local_aws::{
    ComplianceType::{self, Compliant, NonCompliant, NotApplicable},
    EvaluationResult, FaultKind, REGION, World, events,
};
use serde_json::Value;
use std::collections::BTreeMap;

const PROGRAM: &str = "tests/rollout/rdk_protocol.py";
/// When rdk's sample of a user was captured.
const CAPTURED: &str = "2016-11-06T17:56:56.560Z";
/// When rdklib's scheduled event was sent.
const SENT: &str = "2017-12-23T22:11:18.158Z";

type Results = BTreeMap<String, EvaluationResult>;
/// What a result says to AWS Config, besides its annotation: type, verdict and time.
type Said = BTreeMap<String, (String, ComplianceType, DateTime<Utc>)>;

/// rdk's events, and a deployment with a user whose key is stale and another.
struct Beside {
    deployment: Deployment,
    samples: BTreeMap<String, Value>,
}

impl Beside {
    async fn start() -> Beside {
        let deployment = Deployment::serve_in(World::live_clock()).await;
        deployment.member(|account| {
            user_with_key(account, "stale", 120);
            user_with_key(account, "fresh", 10);
        });
        let samples = python::run(PROGRAM, &["events"], &[], "").await.unwrap();
        Beside { deployment, samples: serde_json::from_str(&samples).unwrap() }
    }

    /// A sample, sent by the member's AWS Config about this user.
    fn event(&self, sample: &str, user: &str) -> Value {
        let mut event = self.samples[sample].clone();
        let sent = events::scheduled(&mut self.deployment.aws.world(), MEMBER, RULE, &[]);
        for field in ["accountId", "configRuleArn", "configRuleName", "resultToken"] {
            event[field] = sent[field].clone();
        }
        let mut message = message(&event);
        let (id, arn) = self.deployment.member(|account| {
            let user = account.user(user).unwrap();
            (user.id.clone(), user.arn.clone())
        });
        for field in ["configurationItem", "configurationItemSummary"] {
            // The sample of another type keeps its id.
            if message[field]["resourceType"] == "AWS::IAM::User" {
                message[field]["resourceId"] = id.as_str().into();
                message[field]["resourceName"] = user.into();
                message[field]["ARN"] = arn.as_str().into();
            }
        }
        with(event, "invokingEvent", message.to_string())
    }

    /// What rdklib returns for an event, or the text of the exception.
    async fn rdklib(&self, event: &Value) -> Result<Value, String> {
        // The local AWS has no endpoint of the name at which rdklib assumes a role, so the rule gets the role's credentials.
        let event = with(event.clone(), "ruleParameters", r#"{"AssumeRoleMode":"False"}"#.to_owned());
        let credentials = self.deployment.aws.world().credentials(MEMBER, EVALUATION_ROLE);
        let environment = [
            ("AWS_ENDPOINT_URL", self.deployment.aws.endpoint()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", credentials.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key),
            ("AWS_SESSION_TOKEN", credentials.session_token.unwrap()),
        ];
        let environment: Vec<_> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let printed = python::run(PROGRAM, &["handle"], &environment, &event.to_string()).await?;
        Ok(serde_json::from_str(printed.lines().last().unwrap()).unwrap())
    }

    async fn function(&self, event: &Value) -> Result<(), Error> {
        self.deployment.send(event).await.0
    }

    /// What AWS Config holds, in place of which it holds something else from now on.
    fn exchange(&self, results: Results) -> Results {
        self.deployment.member(|account| std::mem::replace(account.results_mut(RULE).unwrap(), results))
    }

    /// What AWS Config holds after each of the two has handled the event, rdklib first.
    async fn both(&self, event: &Value, before: &Results) -> [Results; 2] {
        self.exchange(before.clone());
        let returned = self.rdklib(event).await.unwrap();
        assert!(returned.is_array(), "{returned}");
        let rdklib = self.exchange(before.clone());
        self.function(event).await.unwrap();
        [rdklib, self.exchange(Results::new())]
    }
}

fn message(event: &Value) -> Value {
    serde_json::from_str(event["invokingEvent"].as_str().unwrap()).unwrap()
}

fn with(mut event: Value, field: &str, value: impl Into<Value>) -> Value {
    event[field] = value.into();
    event
}

fn said(results: &Results) -> Said {
    let said = |result: &EvaluationResult| (result.resource_type.clone(), result.compliance, result.ordering_timestamp);
    results.iter().map(|(id, result)| (id.clone(), said(result))).collect()
}

#[tokio::test]
async fn each_of_rdks_samples_has_the_same_result() {
    let beside = Beside::start().await;
    for (user, verdict) in [("stale", NonCompliant), ("fresh", Compliant)] {
        for (sample, verdict) in [
            ("OK", verdict),
            ("ResourceDiscovered", verdict),
            ("oversized", verdict),
            ("ResourceDeleted", NotApplicable),
            ("ResourceDeletedNotRecorded", NotApplicable),
            ("ResourceNotRecorded", NotApplicable),
            ("left scope", NotApplicable),
            ("role", NotApplicable),
        ] {
            let event = beside.event(sample, user);
            let [rdklib, function] = beside.both(&event, &Results::new()).await;
            assert_eq!(said(&rdklib), said(&function), "{sample}");
            let [result] = function.values().collect::<Vec<_>>()[..] else { panic!("{sample}: {function:?}") };
            assert_eq!(result.compliance, verdict, "{sample}");
            if sample != "role" {
                assert_eq!(result.ordering_timestamp, at(CAPTURED), "{sample}");
            }
        }
    }
}

#[tokio::test]
async fn a_schedule_has_the_same_results_also_for_those_who_are_gone() {
    let beside = Beside::start().await;
    beside.deployment.member(|account| user_with_key(account, "gone", 10));
    beside.deployment.sweep(&[]).await;
    beside.deployment.member(|account| account.delete_user("gone"));
    beside.deployment.member(|account| age_results(account, days(1)));
    let before = beside.exchange(Results::new());
    // rdklib delivers everything each time.
    let event = beside.event("scheduled", "stale");
    let [rdklib, function] = beside.both(&with(event, "ruleParameters", r#"{"deliver":"all"}"#), &before).await;
    assert_eq!(said(&rdklib), said(&function));
    let mut verdicts: Vec<_> = function.values().map(|result| result.compliance.as_str()).collect();
    verdicts.sort_unstable();
    assert_eq!(verdicts, ["COMPLIANT", "NON_COMPLIANT", "NOT_APPLICABLE"]);
    assert!(function.values().all(|result| result.ordering_timestamp == at(SENT)), "{function:?}");
}

#[tokio::test]
async fn a_test_event_writes_nothing() {
    let beside = Beside::start().await;
    for sample in ["OK", "scheduled"] {
        let event = with(beside.event(sample, "stale"), "resultToken", "TESTMODE");
        beside.deployment.clear_calls();
        assert_eq!(beside.both(&event, &Results::new()).await, [Results::new(), Results::new()]);
        assert_eq!(beside.deployment.calls_of("PutEvaluations"), 2, "{sample}");
    }
}

#[tokio::test]
async fn the_function_refuses_samples_that_aws_config_would_not_send() {
    let beside = Beside::start().await;
    let invalid = async |event: &Value| match beside.function(event).await.unwrap_err() {
        Error::InvalidEvent(text) => text,
        other => panic!("{other}"),
    };
    let unaddressed = |sample: &str, fields: &[&str]| {
        let mut event = beside.event(sample, "stale");
        fields.iter().for_each(|field| event[field] = beside.samples[sample][field].clone());
        event
    };
    // The account of rdk's item is not that of rdklib's event.
    let text = invalid(&unaddressed("OK", &["invokingEvent"])).await;
    assert!(text.ends_with("the account in the configuration item's ARN is not the one in accountId"), "{text}");
    // The rule of rdk's remote test is in another Region, and its event has left the scope.
    let text = invalid(&unaddressed("remote", &["accountId", "configRuleArn"])).await;
    assert!(text.contains("configRuleArn is of another Region than the function"), "{text}");
    let [rdklib, function] = beside.both(&beside.event("remote", "stale"), &Results::new()).await;
    assert_eq!(said(&rdklib), said(&function));
    assert!(function.values().all(|result| result.compliance == NotApplicable));
    // Tests of sample rules shorten the item: the name is only in its configuration.
    let event = beside.event("OK", "stale");
    let mut short = message(&event);
    short["configurationItem"]
        .as_object_mut()
        .unwrap()
        .retain(|field, _| !["ARN", "resourceName"].contains(&field.as_str()));
    let text = invalid(&with(event, "invokingEvent", short.to_string())).await;
    assert!(text.ends_with("the configuration item has neither resourceName nor an ARN that ends in a name"), "{text}");
}

#[tokio::test]
async fn the_function_takes_more_than_rdklib_and_fails_where_rdklib_returns_an_error() {
    let beside = Beside::start().await;
    let mut event = beside.event("OK", "stale");
    event.as_object_mut().unwrap().remove("eventLeftScope");
    let error = beside.rdklib(&event).await.unwrap_err();
    assert!(error.contains("KeyError: 'eventLeftScope'"), "{error}");
    beside.function(&event).await.unwrap();
    assert_eq!(beside.exchange(Results::new()).len(), 1);
    let event = beside.event("snapshot", "stale");
    let returned = beside.rdklib(&event).await.unwrap();
    assert_eq!(returned["internalErrorMessage"], "Unexpected message type");
    assert!(beside.exchange(Results::new()).is_empty());
    beside.function(&event).await.unwrap();
    assert_eq!(beside.exchange(Results::new()).len(), 2);

    beside.deployment.fault(Some("ListAccessKeys"), None, FaultKind::AccessDenied);
    let event = beside.event("scheduled", "stale");
    assert_eq!(beside.rdklib(&event).await.unwrap()["customerErrorCode"], "AccessDenied");
    let error = beside.function(&event).await.unwrap_err();
    assert!(matches!(error, Error::Incomplete(_)), "{error:?}");
    assert!(beside.exchange(Results::new()).is_empty());
}
