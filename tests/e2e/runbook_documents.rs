//! The runbooks as documents: what SSM and AWS Config ask of them, and how AWS's simulator of SSM Automation runs them.

use crate::{
    cli::said,
    deployed::{REPOSITORY, document, python},
    runbooks::{
        DEACTIVATE, DELETE, FOR_REAL, REACTIVATE, deactivated, execute, is_deactivated, recorded, role, start, state,
        status, writes,
    },
    support::*,
};
use chrono::Utc;
use local_aws::{FaultKind::AccessDenied, KeyStatus::*};
use serde_json::{Value, json};
use std::{collections::BTreeSet, io::Write, process::Stdio};
use tokio::{io::AsyncWriteExt, process::Command};

/// Of pairs of a pattern and a text, whether they match.
const MATCH: &str =
    "import json, re, sys; print(json.dumps([bool(re.search(*pair)) for pair in json.load(sys.stdin)]))";

/// Runs a whole document, step by step.
async fn simulate(
    deployment: &Deployment,
    runbook: &str,
    user: &str,
    inputs: &[(&str, &str)],
) -> Result<Value, String> {
    let scratch = tempfile::tempdir().unwrap();
    execute(deployment, runbook, user, inputs, async |parameters, environment, document| {
        let mut command = Command::new("node");
        command.args(["tests/rollout/simulate.mjs", parameters]).envs(environment.iter().copied());
        command.current_dir(REPOSITORY).env("TMPDIR", scratch.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        child.stdin.take().unwrap().write_all(document.as_bytes()).await.unwrap();
        match said(child.wait_with_output().await.unwrap()) {
            (Some(0), out, _) => Ok(out),
            (_, _, error) => Err(error),
        }
    })
    .await
}

#[tokio::test]
async fn whole_documents_deactivate_reactivate_and_delete() {
    let deployment = start().await;
    let (stale, due) = deployment.member(|account| {
        let stale = user_with_key(account, "bot", 91);
        user_with_key(account, "bot", 10);
        (stale, deactivated(account, "off", 31))
    });
    let begun = Utc::now();
    let output = simulate(&deployment, DEACTIVATE, "bot", &[]).await.unwrap();
    assert!(is_deactivated(&deployment, "bot", &stale, begun));
    assert_eq!(output["DeactivateStaleKeys.Summary"], "Access keys: 1 changed, 1 left as they are.");
    let result = &output["DeactivateStaleKeys.Results"][0];
    assert_eq!([&result["UserName"], &result["AccessKeyId"], &result["Outcome"]], ["bot", &stale, "deactivated"]);

    let output = simulate(&deployment, REACTIVATE, "bot", &[("AccessKeyId", &stale)]).await.unwrap();
    assert_eq!((status(&deployment, "bot", &stale), recorded(&deployment, "bot", &stale)), (Some(Active), None));
    assert_eq!(output["ReactivateKey.Results"].as_array().unwrap().len(), 1);

    let before = state(&deployment);
    simulate(&deployment, DELETE, "ALL", &[]).await.unwrap();
    assert_eq!(state(&deployment), before, "a trial, unless told otherwise");
    let output = simulate(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
    assert_eq!((status(&deployment, "off", &due), status(&deployment, "bot", &stale)), (None, Some(Active)));
    assert_eq!(output["DeleteDeactivatedKeys.Summary"], "Access keys: 1 changed, 0 left as they are.");
    let output = simulate(&deployment, DELETE, "ALL", FOR_REAL).await.unwrap();
    assert_eq!(output["DeleteDeactivatedKeys.Results"], json!([]));
}

#[tokio::test]
async fn a_failed_read_fails_the_document() {
    let deployment = start().await;
    let due = deployment.member(|account| {
        user_with_key(account, "bot", 91);
        deactivated(account, "bot", 31)
    });
    let before = state(&deployment);
    deployment.fault(Some("ListAccessKeys"), None, AccessDenied);
    let runs = [(DEACTIVATE, ("QuietDays", "0")), (REACTIVATE, ("AccessKeyId", due.as_str())), (DELETE, FOR_REAL[0])];
    for (runbook, input) in runs {
        let error = simulate(&deployment, runbook, "bot", &[input]).await.unwrap_err();
        assert!(error.contains("FAILED") && error.contains("AccessDenied"), "{error}");
    }
    assert_eq!(state(&deployment), before);
    assert!(writes(&deployment).is_empty());
}

#[test]
fn documents_are_as_ssm_and_config_need_them() {
    for (runbook, parameters) in [
        (DEACTIVATE, &["ResourceId", "MaxAccessKeyAge", "QuietDays", "MaxExemptionDays", "DryRun"][..]),
        (REACTIVATE, &["ResourceId", "AccessKeyId", "DryRun"]),
        (DELETE, &["ResourceId", "GraceDays", "StartAfter", "DryRun"]),
    ] {
        let document = document(runbook);
        assert!(document.to_string().len() < 64 * 1024, "SSM's limit");
        assert_eq!(document["schemaVersion"], "0.3");
        assert_eq!(
            document["assumeRole"], "{{ AutomationAssumeRole }}",
            "which Config insists on for automatic remediation"
        );
        let declared = document["parameters"].as_object().unwrap();
        let names: BTreeSet<_> = declared.keys().map(String::as_str).collect();
        assert_eq!(names, parameters.iter().chain(&["AutomationAssumeRole"]).copied().collect());
        for parameter in declared.values() {
            assert_eq!(parameter["type"], "String", "Config passes text");
            assert!(!parameter["description"].as_str().unwrap().is_empty());
            let pattern = parameter["allowedPattern"].as_str().unwrap();
            assert!(pattern.starts_with('^') && pattern.ends_with('$'), "{pattern}");
        }
        let [step] = document["mainSteps"].as_array().unwrap().as_slice() else { panic!("one step") };
        let inputs = &step["inputs"];
        assert_eq!([&step["action"], &inputs["Runtime"]], ["aws:executeScript", "python3.11"]);
        let payload: serde_json::Map<_, _> =
            parameters.iter().map(|name| ((*name).to_owned(), format!("{{{{ {name} }}}}").into())).collect();
        assert_eq!(inputs["InputPayload"], Value::Object(payload));
        let script = inputs["Script"].as_str().unwrap();
        assert!(!script.contains("{{") && !script.contains("}}"), "those are SSM's");
        let outputs = step["outputs"].as_array().unwrap().iter();
        let outputs: Vec<_> =
            outputs.map(|output| format!("{}.{}", text(&step["name"]), text(&output["Name"]))).collect();
        assert_eq!(document["outputs"], json!(outputs));
    }
    assert_eq!(
        [DEACTIVATE, REACTIVATE, DELETE].map(role),
        ["access-key-rotation-remediation", "access-key-rotation-remediation", "access-key-rotation-deletion"]
    );
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn parameters_are_checked_before_anything_runs() {
    let user = "AIDAABCDEFGHIJKLMNOPQ";
    let not_users =
        ["", "bot", "AIDA", "aidaabcdefghijklmnopq", "AROAABCDEFGHIJKLMNOPQ", "AIDAABCDEFGHIJKLM-OPQ", "all"];
    let [arn, other] =
        ["remediation", "deletion"].map(|name| format!("arn:aws:iam::111122223333:role/access-key-rotation-{name}"));
    let [partition, no_account, longer] =
        [arn.replace("arn:aws:", "arn:aws-us-gov:"), arn.replace("111122223333", ""), format!("{arn}-too")];
    let [longest, too_long] = [64, 65].map(|length| "x".repeat(length));
    let samples = [
        ([DEACTIVATE, REACTIVATE, ""], "ResourceId", vec![user], [&not_users[..], &["ALL"]].concat()),
        ([DELETE, "", ""], "ResourceId", vec![user, "ALL"], [&not_users[..], &["ALLAIDAABCDEFGHIJKLMNOPQ"]].concat()),
        (
            [REACTIVATE, "", ""],
            "AccessKeyId",
            vec!["AKIAIOSFODNN7EXAMPLE"],
            vec!["", "AKIA", "ASIAIOSFODNN7EXAMPLE", user],
        ),
        ([DEACTIVATE, REACTIVATE, DELETE], "DryRun", vec!["true", "false"], vec!["", "True", "no", "0", "falsetrue"]),
        (
            [DEACTIVATE, REACTIVATE, ""],
            "AutomationAssumeRole",
            vec![&arn, &partition],
            vec!["", &no_account, &longer, &other],
        ),
        ([DELETE, "", ""], "AutomationAssumeRole", vec![&other], vec!["", &arn]),
        (
            [DELETE, "", ""],
            "StartAfter",
            vec!["", "bot", "a,b=c@d+e.f-g_h", &longest],
            vec!["a b", "a'b", "a/b", &too_long],
        ),
    ];
    let pattern = |runbook: &str, name: &str| document(runbook)["parameters"][name]["allowedPattern"].clone();
    // What is to be matched, and whether it should.
    let mut pairs = Vec::new();
    let mut expect = |pattern: &Value, text: &str, matches: bool| pairs.push((json!([pattern, text]), matches));
    for (runbooks, name, valid, invalid) in &samples {
        for pattern in runbooks.iter().filter(|runbook| !runbook.is_empty()).map(|runbook| pattern(runbook, name)) {
            valid.iter().for_each(|text| expect(&pattern, text, true));
            invalid.iter().for_each(|text| expect(&pattern, text, false));
        }
    }
    for (runbook, name, least) in [
        (DEACTIVATE, "MaxAccessKeyAge", 1),
        (DEACTIVATE, "MaxExemptionDays", 1),
        (DEACTIVATE, "QuietDays", 0),
        (DELETE, "GraceDays", 1),
    ] {
        let pattern = pattern(runbook, name);
        (0..4100).for_each(|days| expect(&pattern, &days.to_string(), (least..=3650).contains(&days)));
        for text in ["", "-1", "+1", "1.5", "01", " 90", "90 ", "90d", "1e3", "10000", "36500", "\u{0669}\u{0660}"] {
            expect(&pattern, text, false);
        }
    }
    for runbook in [DEACTIVATE, REACTIVATE, DELETE] {
        for parameter in document(runbook)["parameters"].as_object().unwrap().values() {
            if let Some(default) = parameter["default"].as_str() {
                expect(&parameter["allowedPattern"], default, true);
            }
        }
    }

    let mut matching = python().args(["-c", MATCH]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let input: Vec<_> = pairs.iter().map(|(pair, _)| pair).collect();
    matching.stdin.take().unwrap().write_all(json!(input).to_string().as_bytes()).unwrap();
    let output = matching.wait_with_output().unwrap();
    let matches: Vec<bool> = serde_json::from_slice(&output.stdout).unwrap();
    for ((pair, expected), matches) in pairs.iter().zip(&matches) {
        assert_eq!(matches, expected, "{pair}");
    }
    assert_eq!(matches.len(), pairs.len());
}
