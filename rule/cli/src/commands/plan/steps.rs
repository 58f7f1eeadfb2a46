//! The steps for one user: create, switch, watch the last use, deactivate, wait, delete, or fewer if fewer are enough. A user whose
//! key rotates by itself has other ones.
//!
//! No step takes a user's last key that is in use before another one took its place: a key that was ever used is only retired after a
//! step that replaces it, and a last use that is unknown ends the steps.

use super::{contents::Plan, rotation};
use crate::{
    findings::{
        finding::{Finding, Key, Terms},
        record::DELETION,
    },
    output::aws_cli::iam,
};
use chrono::{DateTime, TimeDelta, Utc};
use policy::access_key::KeyStatus;

/// What to do, with the AWS CLI's arguments if a command does it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) what: String,
    /// Starts a runbook that does it.
    pub(super) runbook: Option<Vec<String>>,
    pub(super) command: Option<Vec<String>>,
    pub(super) changes: bool,
}

impl Step {
    /// A person does it, or waits for it.
    pub(super) fn person(what: impl Into<String>) -> Step {
        Step { what: what.into(), ..Step::default() }
    }

    /// Changes nothing.
    fn look(what: impl Into<String>, key: &str) -> Step {
        let command = ["iam", "get-access-key-last-used", "--access-key-id", key].map(str::to_owned).to_vec();
        Step { command: Some(command), ..Step::person(what) }
    }

    pub(super) fn change(what: impl Into<String>, command: Vec<String>) -> Step {
        Step { command: Some(command), changes: true, ..Step::person(what) }
    }
}

/// The steps for a user in violation. A user has at most two keys (a quota that AWS does not raise).
pub(super) fn steps(finding: &Finding, plan: &Plan) -> Vec<Step> {
    rotation::steps(finding, plan).unwrap_or_else(|| by_hand(finding, &plan.terms))
}

/// The steps for an exposed user. AWS does not say which key it found, so all of them go, in use or not: whoever found one uses it too.
pub(super) fn exposed(finding: &Finding) -> Vec<Step> {
    let active: Vec<_> = finding.access_keys.iter().filter(|key| key.status == KeyStatus::Active).collect();
    let user = &finding.user_name;
    let deactivate = active.iter().map(|key| {
        let id = &key.access_key_id;
        let command = iam("update-access-key", user, Some(id)).into_iter();
        let command = command.chain(["--status", "Inactive"].map(str::to_owned));
        Step::change(format!("Deactivate {id} now, though this stops whatever uses it."), command.collect())
    });
    let then = [
        Step::person(format!(
            "Find out from where the user's keys were used (access-key-rotation where --user {user}), and in CloudTrail what they \
             did. Undo what was not you."
        )),
        Step::person("Give what needs a key a role instead, or a new key. Delete the old ones."),
        Step::person("Then detach the policy AWSCompromisedKeyQuarantine, V2 or V3, which AWS attached to the user."),
    ];
    deactivate.chain(then).collect()
}

fn by_hand(finding: &Finding, terms: &Terms) -> Vec<Step> {
    let (mut stale, others): (Vec<_>, Vec<_>) = finding.access_keys.iter().partition(|key| finding.violates(key));
    // Unused keys go first, then the key whose last use is longest ago.
    stale.sort_by_key(|key| (last_use(key), key.create_date));
    let Some((last, first)) = stale.split_last() else {
        return Vec::new();
    };
    let unknown: Vec<_> = stale.iter().filter(|key| key.last_used.is_none()).collect();
    if !unknown.is_empty() {
        let look_at = |key: &&&Key| {
            let id = &key.access_key_id;
            Step::look(format!("Find out when {id} was last used. This plan could not read it."), id)
        };
        let again = Step::person("Then run plan again. The key may be in use.");
        return unknown.iter().map(look_at).chain([again]).collect();
    }
    // The runbook deactivates every stale key that is not in use now. That may be the key that the user still needs.
    let is_safe = first.is_empty() || last_use(last).is_none();
    let user_id = finding.user_id.as_deref().filter(|_| is_safe);
    let retire = |key: &Key| retire(&finding.user_name, user_id, key, terms);
    if last_use(last).is_none() {
        return stale.into_iter().flat_map(retire).collect();
    }
    let mut steps = Vec::new();
    let id = &last.access_key_id;
    if let [first] = first {
        let other = &first.access_key_id;
        if last_use(first).is_some() {
            steps.push(switch(format!("Switch everything that uses {other} to {id} for now."), first));
        }
        steps.extend(retire(first));
        steps.push(Step::person(format!(
            "After {other} is deleted, run plan again for {id}: it then has the commands for a new key."
        )));
        return steps;
    }
    match others.first().map(|other| (*other, &other.access_key_id)) {
        Some((other, other_id)) if other.status == KeyStatus::Active => {
            let limit = TimeDelta::days(terms.max_access_key_age.into());
            let what = if terms.scanned_at - other.create_date > limit {
                format!(
                    "Move everything that uses {id} to a role. There is no room for a new key, since {other_id} is exempt."
                )
            } else {
                format!("Switch everything that uses {id} to {other_id}, which the user already has.")
            };
            steps.push(switch(what, last));
        }
        other => {
            if let Some((other, other_id)) = other {
                steps.extend(make_room(finding, other, other_id, terms.grace_days));
            }
            let create = iam("create-access-key", &finding.user_name, None);
            steps.push(Step::change("Create a new key. AWS shows its secret only this once.", create));
            steps.push(switch(format!("Switch everything that uses {id} to the new key."), last));
        }
    }
    steps.extend(retire(last));
    steps
}

fn last_use(key: &Key) -> Option<DateTime<Utc>> {
    key.last_used.as_ref()?.date
}

/// Switching from a key, with what changes besides the key.
fn switch(what: String, from: &Key) -> Step {
    let advice = from.last_used.as_ref().and_then(|used| used.smtp_advice());
    Step::person(advice.map_or(what.clone(), |advice| format!("{what} {advice}")))
}

/// Deletes a key that is not active, since a user has room for two.
fn make_room(finding: &Finding, key: &Key, id: &str, grace_days: u16) -> [Step; 3] {
    let status = key.status.as_str().to_lowercase();
    let delete = match deletion_by_runbook(key, finding.user_id.as_deref(), grace_days) {
        Some((may, command)) => {
            Step::change(format!("{id} {may}. Start it then: a user may have only two keys."), command)
        }
        None => Step::change(
            format!(
                "If {id} has been {status} for {grace_days} days and is not exempt, delete it: a user may have only two keys."
            ),
            iam("delete-access-key", &finding.user_name, Some(id)),
        ),
    };
    [
        Step::look(format!("Check that nobody needs {id} any more. It is {status}."), id),
        delete,
        Step::person(format!("Go on only after {id} is deleted.")),
    ]
}

/// From when a runbook may delete the key that another one deactivated, and the command that starts it.
pub(super) fn deletion_by_runbook(key: &Key, user_id: Option<&str>, grace_days: u16) -> Option<(String, Vec<String>)> {
    let (day, user_id) = (key.deletable_from()?, user_id?);
    Some((
        format!("may be deleted from {day} by {DELETION}"),
        runbook(DELETION, user_id, &format!("GraceDays={grace_days},DryRun=false")),
    ))
}

/// Watch, deactivate, wait, delete. With a user id, the runbooks can do it.
fn retire(user: &str, user_id: Option<&str>, key: &Key, terms: &Terms) -> Vec<Step> {
    let (id, settle_days) = (&key.access_key_id, terms.settle_days);
    let look = match key.last_used.as_ref().and_then(|used| Some((used.date?, used))) {
        Some((date, used)) => {
            // IAM returns `N/A` for what it does not know.
            let known =
                [("by", &used.service_name), ("in", &used.region)].into_iter().filter(|(_, text)| *text != "N/A");
            let known: String = known.map(|(word, text)| format!(" {word} {text}")).collect();
            format!(
                "Check that nothing uses {id} any more (last used on {}{known}). Go on only if it was not used for {settle_days} days, or longer if a job runs less often.",
                date.date_naive()
            )
        }
        None => format!(
            "Check that nothing uses {id} (no use on record). Go on only if there is still none. Otherwise, run plan again."
        ),
    };
    let grace_days = terms.grace_days;
    let day = (terms.scanned_at + TimeDelta::days(grace_days.into())).date_naive();
    let age = terms.max_access_key_age;
    let deactivate =
        iam("update-access-key", user, Some(id)).into_iter().chain(["--status", "Inactive"].map(str::to_owned));
    // The runbook leaves such a key on, unless it is told that somebody means it.
    let again = if key.is_left_on() { ",Again=true" } else { "" };
    let find_out =
        format!("Find out why {id} is on, though it has a record. The remediation does not deactivate it by itself.");
    let steps = vec![
        Step::look(look, id),
        Step {
            runbook: user_id.map(|user_id| {
                let options = format!("MaxAccessKeyAge={age},QuietDays={settle_days}{again}");
                runbook("AccessKeyRotation-DeactivateStaleKeys", user_id, &options)
            }),
            ..Step::change(format!("Deactivate {id}."), deactivate.collect())
        },
        Step {
            runbook: user_id.map(|user_id| runbook(DELETION, user_id, &format!("GraceDays={grace_days},DryRun=false"))),
            ..Step::change(
                format!(
                    "{grace_days} days after that, on {day} at the earliest, delete {id} if nothing broke and it is still inactive."
                ),
                iam("delete-access-key", user, Some(id)),
            )
        },
    ];
    key.is_left_on().then(|| Step::person(find_out)).into_iter().chain(steps).collect()
}

/// Starts a runbook for one user.
pub(super) fn runbook(document: &str, user_id: &str, options: &str) -> Vec<String> {
    let parameters = ["ResourceId=", user_id, if options.is_empty() { "" } else { "," }, options].concat();
    ["ssm", "start-automation-execution", "--document-name", document, "--parameters", &parameters]
        .map(str::to_owned)
        .to_vec()
}
