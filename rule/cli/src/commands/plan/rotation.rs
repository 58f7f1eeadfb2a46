//! The steps for a user whose key rotates by itself, and how any other key comes to do so.

use super::{
    contents::Plan,
    steps::{Step, deletion_by_runbook, runbook},
};
use crate::{
    findings::{
        board::Place,
        finding::{Finding, Key},
        rotation::ROTATION,
    },
    output::aws_cli::iam,
};
use policy::{
    access_key::KeyState,
    rotation::{SECRET_TAG, USER_TAG},
};

/// Stands for the name of the secret in a command.
const SECRET: &str = "SECRET";

/// `None`: the user's key does not rotate by itself.
pub(super) fn steps(finding: &Finding, plan: &Plan) -> Option<Vec<Step>> {
    if !finding.takes_part() {
        return None;
    }
    let entries = plan.board.entries(finding);
    let stale = entries.iter().filter(|(key, _)| finding.violates(key));
    let mut steps: Vec<_> = stale.clone().filter_map(|(_, entry)| entry.to_do.clone()).map(Step::person).collect();
    steps.dedup();
    let waits = |place| matches!(place, Place::Rotating | Place::Settling | Place::Unknown);
    if let Some(user_id) = finding.user_id.as_deref()
        && !stale.clone().all(|(_, entry)| waits(entry.place))
    {
        for key in &finding.access_keys {
            if let Some((may, command)) = deletion_by_runbook(key, Some(user_id), plan.terms.grace_days) {
                let what = format!("{} {may}. Start it then: a user may have only two keys.", key.access_key_id);
                steps.push(Step::change(what, command));
            }
        }
        let start = steps.pop_if(|step| step.what.contains(ROTATION) && !step.changes);
        let start = start.map_or_else(|| format!("Then start {ROTATION} for the user."), |step| step.what);
        steps.push(Step::change(start, runbook(ROTATION, user_id, "")));
    }
    if steps.is_empty() {
        let next = stale.filter_map(|(_, entry)| entry.next.as_deref()).next().unwrap_or_default();
        steps.push(Step::person(format!("Wait. {next}")));
    }
    Some(steps)
}

/// The commands that make the key of a user rotate by itself, for a user with a key that is worth it: due soon, or stale and in use.
pub(super) fn opt_in(finding: &Finding) -> Option<[Vec<String>; 2]> {
    let is_used = |key: &Key| key.last_used.as_ref().is_some_and(|used| used.date.is_some());
    let is_worth_it = |key: &Key| key.state == KeyState::DueSoon || key.state == KeyState::Violation && is_used(key);
    let knows = finding.tags_are_read() && !finding.takes_part() && !finding.is_exposed();
    if !knows || !finding.access_keys.iter().any(is_worth_it) {
        return None;
    }
    let user = iam("tag-user", &finding.user_name, None).into_iter();
    let user = user.chain(["--tags".to_owned(), tag(SECRET_TAG, SECRET)]);
    let secret = ["secretsmanager", "tag-resource", "--secret-id", SECRET, "--tags"].map(str::to_owned);
    let secret = secret.into_iter().chain([tag(USER_TAG, &finding.user_name)]);
    Some([user.collect(), secret.collect()])
}

/// A tag in the AWS CLI's shorthand syntax, where a comma ends a value that has no quotation marks.
fn tag(name: &str, value: &str) -> String {
    let quote = if value.contains([',', '=']) { "\"" } else { "" };
    format!("Key={name},Value={quote}{value}{quote}")
}
