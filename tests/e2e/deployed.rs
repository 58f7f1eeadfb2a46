//! What the templates deploy: roles and runbooks, as `tests/rollout/deployed.py` makes them of the templates.

use serde_json::Value;
use std::{collections::BTreeSet, process::Command, sync::OnceLock};

/// The role of the runbooks that deactivate and reactivate.
pub(crate) const REMEDIATION_ROLE: &str = "access-key-rotation-remediation";
/// The role of the runbook that deletes.
pub(crate) const DELETION_ROLE: &str = "access-key-rotation-deletion";

pub(crate) const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Python with what `tests/requirements.txt` names.
pub(crate) fn python() -> Command {
    let mut python = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../target/venv/bin/python"));
    python.current_dir(REPOSITORY);
    python
}

fn deployed() -> &'static Value {
    static DEPLOYED: OnceLock<Value> = OnceLock::new();
    DEPLOYED.get_or_init(|| {
        let output = python().args(["-W", "ignore", "tests/rollout/deployed.py"]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    })
}

/// An SSM document by name, such as `AccessKeyRotation-ReactivateKey`.
pub(crate) fn document(name: &str) -> &'static Value {
    &deployed()["documents"][name]
}

/// The policy of a role: all its statements in one document.
pub(crate) fn policy(role: &str) -> &'static Value {
    &deployed()["roles"][role]["policy"]
}

/// The policy of the evaluation role where `CommandLineRoleArn` is given.
pub(crate) fn command_line_policy() -> &'static Value {
    &deployed()["commandLine"]["access-key-rotation-evaluation"]["policy"]
}

/// The actions that a role's policy allows.
pub(crate) fn actions(role: &str) -> BTreeSet<String> {
    actions_of(policy(role))
}

/// The actions that a policy allows.
pub(crate) fn actions_of(policy: &Value) -> BTreeSet<String> {
    let statements = policy["Statement"].as_array().unwrap();
    let actions = statements.iter().flat_map(|statement| match &statement["Action"] {
        Value::Array(actions) => actions.clone(),
        action => vec![action.clone()],
    });
    actions.map(|action| action.as_str().unwrap().to_owned()).collect()
}
