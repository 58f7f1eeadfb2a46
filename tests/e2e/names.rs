//! Names that the templates share with the code: parameters, tags, metrics, environment variables.

use crate::{
    cloudformation::{Stack, yaml},
    reference::template,
    support::*,
};
use access_key_rotation::{coverage::check, environment::VARIABLES, metrics::METRICS};
use policy::{
    exemption::EXEMPTION_TAGS,
    parameters::{PARAMETERS, Parameters},
};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

#[test]
fn the_pack_has_a_parameter_for_each_of_the_rules_with_its_default() {
    let pack = yaml(include_str!("../../conformance-pack/access-key-rotation.yaml"));
    let inputs = pack["Resources"]["Rule"]["Properties"]["InputParameters"].as_object().unwrap();
    let expected = PARAMETERS.iter().map(|parameter| {
        let (first, rest) = parameter.name.split_at(1);
        (parameter.name.to_owned(), json!({ "Ref": first.to_uppercase() + rest }))
    });
    assert_eq!(inputs, &expected.collect::<Map<_, _>>());
    let default = |input: &Value| pack["Parameters"][input["Ref"].as_str().unwrap()]["Default"].clone();
    let defaults: Map<_, _> = inputs.iter().map(|(name, input)| (name.clone(), default(input))).collect();
    assert!(defaults.values().all(Value::is_string), "{defaults:?}");
    let parsed = Parameters::parse(Some(&Value::Object(defaults).to_string())).unwrap();
    assert_eq!(parsed, Parameters::default());
}

#[test]
fn the_service_control_policy_protects_the_exemption_tags_that_the_rule_reads() {
    let policy: Value = serde_json::from_str(&template("prevention-scp.json")).unwrap();
    let mut statements = policy["Statement"].as_array().unwrap().iter();
    let tags = statements.find(|statement| statement["Sid"] == "ExemptionTags").unwrap();
    let keys = &tags["Condition"]["ForAnyValue:StringEqualsIgnoreCase"]["aws:TagKeys"];
    let keys: BTreeSet<_> = keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(keys, EXEMPTION_TAGS.into());
}

fn hub(kind: &str) -> Vec<Value> {
    let given = json!({
        "OrganizationId": "o-exampleorgid",
        "Notices": "true",
        "AWS::AccountId": HUB,
        "FailedEvents.QueueName": "access-key-rotation-failed-events",
    });
    let resources = Stack::new(&template("hub.yaml"), &given).resources(|name| name == kind);
    resources.into_iter().map(|(_, mut resource)| resource["Properties"].take()).collect()
}

/// The metrics that a dashboard's widget shows, with their namespaces. `"."` repeats what the line above says, and `"..."` all of it.
fn shown(widget: &Value) -> Vec<(String, String)> {
    let mut shown: Vec<(String, String)> = Vec::new();
    for metric in widget["properties"]["metrics"].as_array().unwrap() {
        let Some([namespace, name, ..]) = metric.as_array().map(|parts| parts.as_slice()) else { continue };
        let (Some(namespace), Some(name)) = (namespace.as_str(), name.as_str()) else { continue };
        let namespace = if namespace == "." { shown.last().unwrap().0.clone() } else { namespace.to_owned() };
        shown.push((namespace, name.to_owned()));
    }
    shown
}

#[test]
fn the_alarms_and_the_dashboard_use_metrics_that_there_are() {
    let known: BTreeSet<_> = METRICS.iter().chain(&check::METRICS).map(|metric| metric.name.to_owned()).collect();
    let mut used = BTreeSet::new();
    for alarm in hub("AWS::CloudWatch::Alarm") {
        let queries = alarm["Metrics"].as_array().into_iter().flatten().map(|query| &query["MetricStat"]["Metric"]);
        let own = queries.chain([&alarm]).filter(|metric| metric["Namespace"] == "AccessKeyRotation");
        used.extend(own.map(|metric| metric["MetricName"].as_str().unwrap().to_owned()));
    }
    assert!(used.contains("AccountsNotCovered") && used.contains("RetriesExpected"), "{used:?}");
    for dashboard in hub("AWS::CloudWatch::Dashboard") {
        let body: Value = serde_json::from_str(dashboard["DashboardBody"].as_str().unwrap()).unwrap();
        let metrics = body["widgets"].as_array().unwrap().iter().flat_map(shown);
        used.extend(metrics.filter(|(namespace, _)| namespace == "AccessKeyRotation").map(|(_, name)| name));
    }
    assert!(used.contains("OldestActiveKeyDays"), "{used:?}");
    assert_eq!(used.difference(&known).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn the_function_reads_the_environment_variables_that_it_is_given() {
    let known: BTreeMap<_, _> = VARIABLES.into();
    let functions = hub("AWS::Lambda::Function");
    assert_eq!(functions.len(), 2);
    for function in functions {
        for name in function["Environment"]["Variables"].as_object().unwrap().keys() {
            // rustls-native-certs reads the other one.
            assert!(known.contains_key(name.as_str()) || name == "SSL_CERT_FILE", "{name}");
        }
    }
}
