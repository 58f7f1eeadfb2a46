//! The real `bootstrap`, started as Lambda starts it, on AWS over HTTP.

use crate::support::*;
use chrono::Utc;
use deployment::function_arn;
use local_aws::{
    ComplianceType::NonCompliant,
    Credentials, FaultKind, LocalAws, World, events,
    lambda::{Function, FunctionConfig, FunctionError},
};
use serde_json::{Value, json};
use std::{path::PathBuf, sync::OnceLock, time::Duration};

const MEBIBYTE: u64 = 1024 * 1024;

pub(crate) fn bootstrap() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| programs::build().unwrap()).clone()
}

struct Deployed {
    aws: LocalAws,
    credentials: Credentials,
    function: Function,
}

impl Deployed {
    async fn start(seed: impl FnOnce(&mut World)) -> Deployed {
        let mut world = World::live_clock();
        let credentials = deploy(&mut world);
        seed(&mut world);
        let aws = LocalAws::start(world).await.unwrap();
        let function = programs::start(aws.endpoint(), HUB, &credentials, bootstrap(), &[]).await.unwrap();
        Deployed { aws, credentials, function }
    }

    /// The same function, started once more.
    async fn another(&self) -> Function {
        programs::start(self.aws.endpoint(), HUB, &self.credentials, bootstrap(), &[]).await.unwrap()
    }

    async fn send(&self, event: &Value) -> Result<Value, FunctionError> {
        self.function.invoke(event.to_string().as_bytes()).await
    }

    async fn error_type(&self, event: &[u8]) -> String {
        self.function.invoke(event).await.unwrap_err().error_type
    }

    fn log_lines(&self) -> Vec<Value> {
        let logs = self.function.logs();
        logs.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
    }
}

#[tokio::test]
async fn two_accounts_are_swept_and_a_change_is_judged() {
    let deployed = Deployed::start(|world| {
        for id in [MEMBER, OTHER_MEMBER] {
            populate(world.account(id), Utc::now(), 120, 10, 20);
        }
    })
    .await;
    for id in [MEMBER, OTHER_MEMBER] {
        let event = events::scheduled(&mut deployed.aws.world(), id, RULE, &[]);
        deployed.send(&event).await.unwrap();
        let mut world = deployed.aws.world();
        let account = world.account(id);
        for user in account.users() {
            assert_eq!(account.results(RULE)[&user.id].compliance, definition(user, Utc::now(), 90), "{}", user.name);
        }
    }
    let event = {
        let mut world = deployed.aws.world();
        world.account(MEMBER).create_key("user-0001", Utc::now() - days(300)).unwrap();
        events::change(&mut world, MEMBER, RULE, "user-0001", &[]).unwrap()
    };
    deployed.send(&event).await.unwrap();
    let mut world = deployed.aws.world();
    let account = world.account(MEMBER);
    let id = &account.user("user-0001").unwrap().id;
    assert_eq!(account.results(RULE)[id].compliance, NonCompliant);
}

#[tokio::test]
async fn the_function_notifies_the_owner_once_if_there_is_a_bus() {
    let deployed = Deployed::start(|world| {
        user_with_key(world.account(MEMBER), "stale", 400);
        world.account(MEMBER).tag_user("stale", "owner", "payments");
        world.account(HUB).add_event_bus("notices");
    })
    .await;
    let bus = [("EVENT_BUS_NAME", "notices".to_owned())];
    let function = programs::start(deployed.aws.endpoint(), HUB, &deployed.credentials, bootstrap(), &bus);
    let function = function.await.unwrap();
    for _ in 0..2 {
        let event = events::scheduled(&mut deployed.aws.world(), MEMBER, RULE, &[]);
        function.invoke(event.to_string().as_bytes()).await.unwrap();
    }
    let notices = deployed.aws.world().account(HUB).events("notices").to_vec();
    let [notice] = &notices[..] else { panic!("{notices:?}") };
    assert_eq!([&notice["detail-type"], &notice["detail"]["owner"]], ["Access Key Overdue", "payments"]);
}

#[tokio::test]
async fn errors_have_a_stable_type_and_bad_input_makes_no_call() {
    let deployed = Deployed::start(|world| populate(world.account(MEMBER), Utc::now(), 5, 20, 0)).await;
    let good = events::scheduled(&mut deployed.aws.world(), MEMBER, RULE, &[]);
    for (event, expected) in [
        ("this is not JSON, it is a secret".to_owned(), "InvalidEvent"),
        (String::new(), "InvalidEvent"),
        ("\"secret\"".to_owned(), "InvalidEvent"),
        (json!({ "accountId": "secret" }).to_string(), "InvalidEvent"),
        (with(&good, "accountId", OTHER_MEMBER).to_string(), "InvalidEvent"),
        (with(&good, "invokingEvent", r#"{"messageType":"secret"}"#).to_string(), "InvalidEvent"),
        (with(&good, "ruleParameters", r#"{"maxAccessKeyAge":"0"}"#).to_string(), "InvalidParameters"),
    ] {
        assert_eq!(deployed.error_type(event.as_bytes()).await, expected, "{event}");
    }
    assert_eq!(deployed.error_type(&[0xff, 0xfe, b'"']).await, "InvalidEvent");
    assert!(deployed.aws.world().calls().is_empty());
    let logs = deployed.function.logs();
    assert!(!logs.contains("secret"), "{logs}");
    deployed.send(&good).await.unwrap();
}

#[tokio::test]
async fn errors_of_aws_have_a_type_for_each_remedy() {
    let deployed = Deployed::start(|world| populate(world.account(MEMBER), Utc::now(), 5, 20, 0)).await;
    for (action, kind, expected) in [
        ("AssumeRole", FaultKind::AccessDenied, "AccessDenied"),
        ("ListUsers", FaultKind::AccessDenied, "AccessDenied"),
        ("ListAccessKeys", FaultKind::ServerError { probability: 1.0 }, "Incomplete"),
        ("PutEvaluations", FaultKind::ServerError { probability: 1.0 }, "DeliveryFailed"),
    ] {
        let event = {
            let mut world = deployed.aws.world();
            world.faults.clear();
            let fault = local_aws::Fault { account: None, action: Some(action.to_owned()), user: None, kind };
            world.faults.add(fault);
            events::scheduled(&mut world, MEMBER, RULE, &[])
        };
        assert_eq!(deployed.error_type(event.to_string().as_bytes()).await, expected, "{action}");
    }
}

#[tokio::test]
async fn logs_are_json_with_one_metrics_line_and_without_secrets() {
    let deployed = Deployed::start(|world| populate(world.account(MEMBER), Utc::now(), 50, 10, 20)).await;
    let event = events::scheduled(&mut deployed.aws.world(), MEMBER, RULE, &[]);
    deployed.send(&event).await.unwrap();
    let lines = deployed.log_lines();
    let metrics: Vec<_> = lines.iter().filter(|line| line.get("_aws").is_some()).collect();
    assert_eq!(metrics.len(), 1);
    let line = metrics[0];
    assert_eq!([&line["UsersEvaluated"], &line["UsersNonCompliant"]], [50, 5]);
    assert_eq!(line["AwsCalls"], deployed.aws.world().calls().len());
    assert_eq!(line["AccountId"], MEMBER);
    let definition = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(definition["Dimensions"], json!([[]]), "an account as a dimension would be billed");
    for metric in definition["Metrics"].as_array().unwrap() {
        assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{metric}");
    }
    assert!(lines.iter().any(|line| line["message"] == "evaluated" && line["level"] == "INFO"), "{lines:?}");
    let logs = deployed.function.logs();
    let token = event["resultToken"].as_str().unwrap();
    assert!(!logs.contains(&token[..40]) && !logs.contains("invokingEvent"));
    for credential in ["ASIA", "local-secret"] {
        assert!(!logs.contains(credential), "{credential}");
    }
}

#[tokio::test]
async fn the_function_is_small() {
    let deployed = Deployed::start(|world| {
        populate(world.account(OTHER_MEMBER), Utc::now(), 5, 20, 0);
        populate(world.account(MEMBER), Utc::now(), 5000, 1, 20);
    })
    .await;
    let size = std::fs::metadata(bootstrap()).unwrap().len();
    assert!(size <= 7_000_000, "{size} bytes of binary");
    for _ in 0..20 {
        let event = events::change(&mut deployed.aws.world(), OTHER_MEMBER, RULE, "user-0000", &[]).unwrap();
        deployed.send(&event).await.unwrap();
    }
    let after_changes = deployed.function.peak_resident_bytes().unwrap();
    assert!(after_changes <= 20 * MEBIBYTE, "{after_changes} bytes after change events");
    let sweep = || events::scheduled(&mut deployed.aws.world(), MEMBER, RULE, &[]);
    deployed.send(&sweep()).await.unwrap();
    let after_the_first = deployed.function.peak_resident_bytes().unwrap();
    assert!(after_the_first <= 40 * MEBIBYTE, "{after_the_first} bytes after a first sweep of 5,000 users");
    // A function that starts anew, since the peak of the first sweep would hide that of the later one.
    let later = deployed.another().await;
    later.invoke(sweep().to_string().as_bytes()).await.unwrap();
    let after_a_later = later.peak_resident_bytes().unwrap();
    assert!(after_a_later <= 16 * MEBIBYTE, "{after_a_later} bytes after a later sweep of 5,000 users");
}

#[tokio::test]
async fn a_wrong_setting_ends_the_start_with_an_error() {
    let config = FunctionConfig {
        binary: bootstrap(),
        arn: function_arn(HUB),
        timeout: Duration::from_secs(10),
        env: vec![("EVALUATION_ROLE_NAME".to_owned(), "not a role".to_owned())],
    };
    assert!(Function::start(config).await.is_err());
}

fn with(event: &Value, field: &str, value: &str) -> Value {
    let mut event = event.clone();
    event[field] = value.into();
    event
}
