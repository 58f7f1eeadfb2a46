//! What stays as it is between major versions, in one list. A line may be added. A line that changes or goes breaks a promise that
//! templates/README.md makes ("What stays as it is"), so it needs a new major version.

use crate::{
    deployed::{REPOSITORY, document},
    shell::{commands, printed},
    support::*,
};
use access_key_rotation::metrics::Metrics;
use deployment::RUNBOOKS;
use policy::parameters::{PARAMETERS, Takes};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{REPOSITORY}/{path}")).unwrap()
}

/// The first cell of each row of the tables in a page of the manual that have this heading.
fn rows(page: &str, heading: &str) -> Vec<String> {
    let text = file(page);
    let tables = text.split("\n\n").filter(|paragraph| paragraph.starts_with(heading));
    let rows =
        tables.flat_map(|table| table.lines().skip(2).map(|row| row.split('|').nth(1).unwrap().trim().to_owned()));
    rows.collect()
}

/// The parameters of a CloudFormation template, with their defaults.
fn template_parameters(name: &str) -> Vec<String> {
    let text = file(name);
    let (_, rest) = text.split_once("\nParameters:\n").unwrap();
    let mut parameters: Vec<String> = Vec::new();
    for line in rest.lines().take_while(|line| line.starts_with("  ") || line.is_empty()) {
        if let Some(name) = line.strip_prefix("  ").filter(|line| !line.starts_with([' ', '#'])) {
            parameters.push(name.trim_end_matches(':').to_owned());
        } else if let Some(default) = line.strip_prefix("    Default: ") {
            parameters.last_mut().unwrap().push_str(&format!(" = {default}"));
        }
    }
    parameters
}

/// The options of a command, as its help lists them.
fn options(command: &str) -> BTreeSet<String> {
    let help = printed(&[command, "--help"]);
    let lines = help.lines().map(str::trim_start).filter(|line| line.starts_with('-'));
    let words = lines.flat_map(|line| line.split([' ', ',', '='])).filter(|word| word.starts_with("--"));
    words.map(str::to_owned).collect()
}

fn fields(value: &Value, name: &str) -> Vec<String> {
    let required: BTreeSet<_> = value["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let properties = value["properties"].as_object().unwrap().keys();
    properties
        .map(|field| format!("{name}.{field}{}", if required.contains(field.as_str()) { "" } else { "?" }))
        .collect()
}

#[test]
fn nothing_that_others_rely_on_changes_unseen() {
    let mut lines = Vec::new();
    let mut list = |what: &str, names: Vec<String>| {
        assert!(!names.is_empty(), "{what}");
        lines.extend(names.into_iter().map(|name| format!("{what}: {name}")));
    };
    let parameters = PARAMETERS.iter().map(|parameter| match &parameter.takes {
        Takes::Days { least, most, default } => format!("{} = {default} ({least}-{most})", parameter.name),
        Takes::OneOf(words) => format!("{} = {} ({})", parameter.name, words[0], words.join(", ")),
    });
    list("parameter of the rule", parameters.collect());
    list("tag", rows("rule/README.md", "| Tag |"));
    list("error", rows("rule/README.md", "| `errorType` |"));
    let metrics = Metrics::default();
    metrics.active_key(1);
    let line = metrics.line(today(), Duration::ZERO);
    list("metric", line.as_object().unwrap().keys().filter(|name| *name != "_aws").cloned().collect());
    list("metric of the coverage check", rows("rule/README.md", "| Metric |"));
    let schema: Value = serde_json::from_str(&file("templates/notices/schema.json")).unwrap();
    let types = schema["properties"]["detail-type"]["enum"].as_array().unwrap();
    list("notice", types.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
    for name in ["key", "finding", "before", "after", "outcome"] {
        list("field of a notice", fields(&schema["$defs"][name], name));
    }
    for name in ["hub", "member", "organization", "automation", "aggregator", "notices", "prevention"] {
        let name = format!("templates/{name}.yaml");
        list(&name, template_parameters(&name));
    }
    let pack = "conformance-pack/access-key-rotation.yaml";
    list(pack, template_parameters(pack));
    for name in RUNBOOKS {
        let parameters = document(name)["parameters"].as_object().unwrap().iter();
        list(name, parameters.map(|(name, parameter)| format!("{name} = {}", parameter["default"])).collect());
    }
    let page = "rule/cli/README.md";
    for command in commands() {
        list(&format!("option of {command}"), options(&command).into_iter().collect());
    }
    list("exit status", rows(page, "| Exit status |").into_iter().collect::<BTreeSet<_>>().into_iter().collect());
    list("field of JSON", rows(page, "| Field |").into_iter().collect::<BTreeSet<_>>().into_iter().collect());
    list("column of CSV", rows(page, "| Column |"));
    insta::assert_snapshot!(lines.join("\n"));
}
