//! What the conformance pack hands to the rule, the rule takes, and the manual says so.

use crate::cloudformation::yaml;
use policy::parameters::{PARAMETERS, Parameters, Takes};
use serde_json::{Map, Value};

#[test]
fn the_packs_defaults_are_the_rules() {
    let pack = yaml(include_str!("../../conformance-pack/access-key-rotation.yaml"));
    let inputs = pack["Resources"]["Rule"]["Properties"]["InputParameters"].as_object().unwrap();
    let default = |input: &Value| pack["Parameters"][input["Ref"].as_str().unwrap()]["Default"].clone();
    let defaults: Map<_, _> = inputs.iter().map(|(name, input)| (name.clone(), default(input))).collect();
    assert!(defaults.values().all(Value::is_string), "{defaults:?}");
    let parsed = Parameters::parse(Some(&Value::Object(defaults).to_string())).unwrap();
    assert_eq!(parsed, Parameters::default());
}

#[test]
fn the_manual_has_a_row_for_each_parameter() {
    let manual = include_str!("../../rule/README.md");
    let (_, section) = manual.split_once("\n## Parameters\n").unwrap();
    let rows: Vec<_> =
        section.lines().filter(|line| line.starts_with("| `")).take_while(|line| !line.contains(":exempt-")).collect();
    assert_eq!(rows.len(), PARAMETERS.len());
    for (parameter, row) in PARAMETERS.iter().zip(rows) {
        let (default, allowed) = match parameter.takes {
            Takes::Days { least, most, default } => (default.to_string(), format!("{least}-{most}")),
            Takes::OneOf(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                (words[0].clone(), words.join(", "))
            }
        };
        assert!(row.starts_with(&format!("| `{}` | {default} | {allowed} | ", parameter.name)), "{row}");
    }
}
