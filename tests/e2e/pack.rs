//! What the conformance pack hands to the rule, the rule takes.

use crate::deployed::python;
use access_key_rotation::policy::parameters::Parameters;
use serde_json::{Map, Value};

#[test]
fn the_packs_defaults_are_the_rules() {
    let print =
        "import json, yaml; print(json.dumps(yaml.safe_load(open('conformance-pack/access-key-rotation.yaml'))))";
    let output = python().args(["-c", print]).output().unwrap();
    let pack: Value = serde_json::from_slice(&output.stdout).unwrap();
    let inputs = pack["Resources"]["Rule"]["Properties"]["InputParameters"].as_object().unwrap();
    let default = |input: &Value| pack["Parameters"][input["Ref"].as_str().unwrap()]["Default"].clone();
    let defaults: Map<_, _> = inputs.iter().map(|(name, input)| (name.clone(), default(input))).collect();
    assert!(defaults.values().all(Value::is_string), "{defaults:?}");
    let parsed = Parameters::parse(Some(&Value::Object(defaults).to_string())).unwrap();
    assert_eq!(parsed, Parameters::default());
}
