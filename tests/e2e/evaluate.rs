//! `evaluate`: an event through the rule's handler, by the command line.

use crate::{
    cli::{Cli, said},
    support::*,
    transcript::Transcript,
};

use chrono::Utc;
use local_aws::{ComplianceType, FaultKind, events};
use policy::parameters::PARAMETERS;
use serde_json::{Value, json};
use std::{collections::BTreeMap, process::Stdio};
use tokio::{io::AsyncWriteExt, process::Command};

/// What a rehearsal may call: nothing that writes.
const READS: [&str; 8] = [
    "AssumeRole",
    "GetAccessKeyLastUsed",
    "GetCallerIdentity",
    "GetComplianceDetailsByConfigRule",
    "GetUser",
    "ListAccessKeys",
    "ListEntitiesForPolicy",
    "ListUsers",
];

impl Cli {
    /// `evaluate - …` with the event on standard input.
    async fn evaluate(&self, event: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = self.command(&[&["evaluate", "-", "--role-name", EVALUATION_ROLE], arguments].concat());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(event.as_bytes()).await.unwrap();
        let (status, out, error) = said(child.wait_with_output().await.unwrap());
        let token =
            serde_json::from_str::<Value>(event).ok().and_then(|event| Some(event["resultToken"].as_str()?.to_owned()));
        if let Some(token) = token.filter(|token| token != "TESTMODE") {
            assert!(!out.contains(&token) && !error.contains(&token), "{out}{error}");
        }
        (status, out, error)
    }

    async fn evaluations(&self, event: &Value, arguments: &[&str]) -> Vec<Value> {
        let (status, out, error) =
            self.evaluate(&event.to_string(), &[&["--format", "json"], arguments].concat()).await;
        assert_eq!((status, error.as_str()), (Some(0), ""));
        serde_json::from_str(&out).unwrap()
    }

    fn assert_only_reads(&self) {
        for action in self.deployment.calls().into_keys() {
            assert!(READS.contains(&action.as_str()), "{action}");
        }
    }
}

#[tokio::test]
async fn a_rehearsal_prints_what_would_be_delivered_and_writes_nothing() {
    let cli = Cli::start().await;
    cli.deployment.member(|account| populate(account, midnight(), 150, 10, 20));
    let event = events::scheduled(&mut cli.deployment.aws.world(), MEMBER, RULE, &[]);
    let rehearsed = cli.evaluations(&event, &[]).await;
    let (status, table, error) = cli.evaluate(&event.to_string(), &[]).await;
    cli.assert_only_reads();
    assert!(cli.deployment.recorded().is_empty());
    assert_eq!(status, Some(0), "violations are what a rehearsal is about");
    let mut transcript = Transcript::by_the_clock();
    transcript.add("evaluate, where compliant users of whom there is nothing to say have no line", &table, &error);

    insta::assert_snapshot!(transcript);
    cli.deployment.send(&event).await.0.unwrap();
    let time = |time: chrono::DateTime<Utc>| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let delivered: BTreeMap<_, _> = cli.deployment.member(|account| {
        let results = account.results(RULE).iter();
        let evaluation = |id: &String, result: &local_aws::EvaluationResult| {
            let mut evaluation = json!({
                "ComplianceResourceType": "AWS::IAM::User",
                "ComplianceResourceId": id,
                "ComplianceType": result.compliance.to_string(),
                "OrderingTimestamp": time(result.ordering_timestamp),
            });
            if let Some(annotation) = &result.annotation {
                evaluation["Annotation"] = annotation.as_str().into();
            }
            evaluation
        };
        results.map(|(id, result)| (id.clone(), evaluation(id, result))).collect()
    });
    let by_id = |evaluation: Value| (evaluation["ComplianceResourceId"].as_str().unwrap().to_owned(), evaluation);
    assert_eq!(rehearsed.into_iter().map(by_id).collect::<BTreeMap<_, _>>(), delivered);
}

#[tokio::test]
async fn other_parameters_are_rehearsed_by_the_rules_whole_flow() {
    let cli = Cli::start().await;
    cli.deployment.member(|account| populate(account, midnight(), 20, 10, 20));
    cli.deployment.sweep(&[]).await;
    let gone = cli.deployment.member(|account| {
        let id = account.user("user-0001").unwrap().id.clone();
        account.delete_user("user-0001");
        age_results(account, days(1));
        id
    });
    cli.deployment.clear_calls();
    let event = events::scheduled(&mut cli.deployment.aws.world(), MEMBER, RULE, &[("maxAccessKeyAge", "7")]);
    let parameters = ["--rule-parameters", r#"{"deliver":"changes","maxAccessKeyAge":"1000"}"#];
    let changes = cli.evaluations(&event, &parameters).await;
    let of = |compliance: &str| changes.iter().filter(|evaluation| evaluation["ComplianceType"] == compliance).count();
    // With another limit, something else is said of everyone.
    assert_eq!((of("COMPLIANT"), of("NOT_APPLICABLE"), of("NON_COMPLIANT")), (19, 1, 0), "{changes:?}");
    assert_eq!(changes.iter().find(|e| e["ComplianceType"] == "NOT_APPLICABLE").unwrap()["ComplianceResourceId"], gone);
    let (status, out, error) = cli.evaluate(&event.to_string(), &["--rule-parameters", r#"{"maxKeyAge":"9"}"#]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    let known = PARAMETERS.iter().map(|parameter| parameter.name).collect::<Vec<_>>().join(", ");
    let mut transcript = Transcript::default().naming("the known ones", &known);
    transcript.add("evaluate --rule-parameters '{\"maxKeyAge\":\"9\"}'", &out, &error);
    insta::assert_snapshot!(transcript, @r#"
    $ evaluate --rule-parameters '{"maxKeyAge":"9"}'
    ! access-key-rotation: maxKeyAge: unknown parameter; known are [the known ones]. Correct the rule's parameters; nothing was evaluated.
    "#);
    cli.assert_only_reads();
}

#[tokio::test]
async fn the_samples_are_evaluated_as_they_are_printed() {
    let cli = Cli::start().await;
    user_with_key(cli.deployment.aws.world().account(HUB), "anna", 400);
    let samples: Value =
        serde_json::from_str(include_str!("../../rule/src/config_service/event/samples.json")).unwrap();
    for kind in samples["invokingEvents"].as_object().unwrap().keys() {
        let (status, sample, error) = cli.run(&["evaluate", "--sample", kind]).await;
        assert_eq!((status, error.as_str()), (Some(0), ""));
        let event: Value = serde_json::from_str(&sample).unwrap();
        assert_eq!([&event["accountId"], &event["resultToken"]], [HUB, "TESTMODE"]);
        // Some samples are about a user whom this account does not have, the others about all users.
        let is_about_a_user = event["invokingEvent"].as_str().unwrap().contains("AIDA2EXAMPLE3EXAMPLE4");
        let compliance = if is_about_a_user { "NOT_APPLICABLE" } else { "NON_COMPLIANT" };
        let evaluations = cli.evaluations(&event, &[]).await;
        assert_eq!((evaluations.len(), &evaluations[0]["ComplianceType"]), (1, &json!(compliance)), "{kind}");
        cli.assert_only_reads();
    }
}

#[tokio::test]
async fn a_failure_is_said_and_what_could_be_evaluated_is_printed() {
    let cli = Cli::start().await;
    cli.deployment.member(|account| populate(account, midnight(), 20, 10, 0));
    let event = events::scheduled(&mut cli.deployment.aws.world(), MEMBER, RULE, &[]);
    cli.deployment.fault(Some("ListAccessKeys"), Some("user-0000"), FaultKind::AccessDenied);
    let (status, out, error) = cli.evaluate(&event.to_string(), &[]).await;
    assert_eq!(status, Some(1));
    let mut transcript = Transcript::by_the_clock();
    transcript.add("evaluate, and a user who cannot be read", &out, &error);

    let with = |field: &str, value: &str| {
        let mut event = event.clone();
        event[field] = value.into();
        event.to_string()
    };
    for (what, event) in [
        ("evaluate what is not JSON", "secret".to_owned()),
        ("evaluate a list", "[]".to_owned()),
        ("evaluate, and the accounts disagree", with("accountId", OTHER_MEMBER)),
        (
            "evaluate, and the rule is in another Region",
            with("configRuleArn", &format!("arn:aws:config:eu-west-1:{MEMBER}:config-rule/x")),
        ),
    ] {
        let (status, out, error) = cli.evaluate(&event, &[]).await;
        assert_eq!((status, out.as_str()), (Some(1), ""), "{what}");
        assert!(!error.contains("secret"), "{error}");
        transcript.add(what, &out, &error);
    }
    let (status, out, error) = cli.run(&["evaluate", "no-such-file.json"]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    transcript.add("evaluate no-such-file.json", &out, &error);
    insta::assert_snapshot!(transcript);
    for arguments in
        [&["evaluate"][..], &["evaluate", "x.json", "--sample", "changed"], &["evaluate", "--sample", "old"]]
    {
        assert_eq!(cli.run(arguments).await.0, Some(2), "{arguments:?}");
    }
    cli.assert_only_reads();
}

#[tokio::test]
async fn a_change_in_another_account_is_evaluated_there() {
    let cli = Cli::start().await;
    let event = {
        let mut world = cli.deployment.aws.world();
        user_with_key(world.account(MEMBER), "anna", 400);
        events::change(&mut world, MEMBER, RULE, "anna", &[]).unwrap()
    };
    let evaluations = cli.evaluations(&event, &[]).await;
    assert_eq!(evaluations[0]["ComplianceType"], "NON_COMPLIANT");
    cli.assert_only_reads();
}

#[tokio::test]
async fn the_aws_cli_takes_the_printed_list() {
    let cli = Cli::start().await;
    let event = {
        let mut world = cli.deployment.aws.world();
        user_with_key(world.account(MEMBER), "anna", 400);
        events::scheduled(&mut world, MEMBER, RULE, &[])
    };
    let list = Value::from(cli.evaluations(&event, &[]).await).to_string();
    let token = event["resultToken"].as_str().unwrap();
    let output = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin/aws"))
        .args(["configservice", "put-evaluations", "--result-token", token, "--evaluations", &list])
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .env("AWS_ENDPOINT_URL", cli.deployment.aws.endpoint())
        .env("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{MEMBER}"))
        .env("AWS_SECRET_ACCESS_KEY", "any")
        .env("AWS_DEFAULT_REGION", local_aws::REGION)
        .env("AWS_PAGER", "")
        .env("HOME", "/nonexistent")
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(cli.deployment.result("anna").0, ComplianceType::NonCompliant);
}
