//! What stays as it is between major versions, in one list. A line may be added. A line that changes or goes breaks a promise that
//! templates/OPERATING.md makes ("What stays as it is"), so it needs a new major version.

use crate::{
    cloudformation::yaml,
    deployed::document,
    reference::{TEMPLATES, fields::OBJECTS, template},
    shell::{commands, commands_with_statuses, exit_statuses, printed},
};
use access_key_rotation::{coverage::check, error::ERROR_TYPES, metrics::METRICS};
use deployment::RUNBOOKS;
use policy::{
    exemption::EXEMPTION_TAGS,
    parameters::{PARAMETERS, Takes},
};
use serde_json::Value;
use std::collections::BTreeSet;

/// The parameters of a template, with their defaults.
fn template_parameters(name: &str) -> Vec<String> {
    let template = yaml(&template(name));
    let parameters = template["Parameters"].as_object().unwrap().iter();
    let line = parameters.map(|(name, parameter)| match parameter.get("Default") {
        None => name.clone(),
        Some(default) => format!("{name} = {default}"),
    });
    line.collect()
}

/// The names of what JSON or CSV has.
fn names_of(is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
    let objects = OBJECTS.iter().filter(|object| is_wanted(object.output));
    objects.flat_map(|object| object.fields).map(|(name, ..)| (*name).to_owned()).collect()
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
    list("tag", EXEMPTION_TAGS.map(str::to_owned).into());
    let schema: Value = serde_json::from_str(&template("exemptions/exemptions.schema.json")).unwrap();
    list("field of the file of exemptions", fields(&schema, "file"));
    list("field of the file of exemptions", fields(&schema["$defs"]["entry"], "entry"));
    list("error", ERROR_TYPES.map(|(name, _)| name.to_owned()).into());
    list("metric", METRICS.iter().map(|metric| metric.name.to_owned()).collect());
    list("metric of the coverage check", check::METRICS.iter().map(|metric| metric.name.to_owned()).collect());
    let schema: Value = serde_json::from_str(&template("notices/schema.json")).unwrap();
    let types = schema["properties"]["detail-type"]["enum"].as_array().unwrap();
    list("notice", types.iter().map(|name| name.as_str().unwrap().to_owned()).collect());
    for name in ["user", "key", "finding", "before", "after", "exposed", "outcome"] {
        list("field of a notice", fields(&schema["$defs"][name], name));
    }
    for name in TEMPLATES {
        list(&format!("templates/{name}"), template_parameters(name));
    }
    for name in RUNBOOKS {
        let parameters = document(name)["parameters"].as_object().unwrap().iter();
        list(name, parameters.map(|(name, parameter)| format!("{name} = {}", parameter["default"])).collect());
    }
    for command in commands() {
        list(&format!("option of {command}"), options(&command).into_iter().collect());
    }
    for command in commands_with_statuses() {
        let statuses = exit_statuses(&command).into_iter();
        list(
            &format!("exit status of {command}"),
            statuses.map(|(status, text)| format!("{status} - {text}")).collect(),
        );
    }
    let fields: BTreeSet<_> = names_of(|output| output.ends_with("json")).into_iter().collect();
    list("field of JSON", fields.into_iter().collect());
    list("column of CSV", names_of(|output| output.ends_with("csv")));
    insta::assert_snapshot!(lines.join("\n"));
}
