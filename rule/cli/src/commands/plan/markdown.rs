//! The plan as a checklist for each owner.

use super::steps::{OldKey, Plan, Step, deletion_by_runbook, steps};
use crate::{
    findings::finding::{Finding, Key},
    output::{
        aws_cli::{before_deletion, command, delete_command},
        visible::on_one_line,
    },
};
use std::io::{self, Write};

/// Sorts the owners, and the violations of each owner, by priority.
pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let (age, day) = (plan.terms.max_access_key_age, plan.terms.scanned_at.date_naive());
    writeln!(out, "# Access keys older than {age} days\n")?;
    writeln!(out, "Users in violation on {day}: {}.", plan.violations.len())?;
    writeln!(out, "Old inactive keys: {}.", plan.old_inactive_keys.len())?;
    for account in &plan.incomplete {
        writeln!(out, "**Account {account} is incomplete. It may have more violations.**")?;
    }
    for sentence in &plan.records_unknown {
        writeln!(
            out,
            "**{} What a runbook deactivated, and what somebody switched on again, looks like any other key here.**",
            escape(sentence)
        )?;
    }
    if !plan.violations.is_empty() {
        violations(plan, out)?;
    }
    if !plan.old_inactive_keys.is_empty() {
        old_inactive_keys(plan, out)?;
    }
    Ok(())
}

fn violations(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nThe most urgent come first: production, then keys in use, then idle keys, and older keys before younger ones.\n\
         Take the steps of a user in this order, and go on only after a step is done.\n\
         Run each command with credentials for the account in the heading. Commands marked *changes* change something.\n\n\
         Where there are two commands, take the runbook's if the runbooks are deployed, in their Region. They look at each key again,\n\
         leave keys in use alone, and record what they deactivated, so that they can delete it later. Do not mix the two: the runbooks\n\
         never delete a key that you deactivated by hand.\n\n\
         To undo a deactivation, run AccessKeyRotation-ReactivateKey, or the same aws iam command with --status Active."
    )?;
    let mut owners: Vec<(Option<&str>, Vec<&Finding>)> = Vec::new();
    for finding in &plan.violations {
        let owner = finding.owner.as_deref();
        match owners.iter_mut().find(|(other, _)| *other == owner) {
            Some((_, findings)) => findings.push(finding),
            None => owners.push((owner, vec![finding])),
        }
    }
    for (owner, findings) in owners {
        match owner {
            Some(owner) => writeln!(out, "\n## Owner: {}", escape(owner))?,
            None => writeln!(out, "\n## No owner")?,
        }
        for finding in findings {
            user(finding, plan, out)?;
        }
    }
    Ok(())
}

fn user(finding: &Finding, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let Finding { account, user_name, annotation, access_keys, .. } = finding;
    writeln!(out, "\n### {} in {account} ({})\n", escape(user_name), finding.priority().as_str())?;
    writeln!(out, "{}\n", escape(annotation.as_deref().unwrap_or_default()))?;
    for key in access_keys {
        let Key { access_key_id, description, .. } = key;
        if let Some(description) = description {
            writeln!(out, "Description of {access_key_id}: {}\n", escape(description))?;
        }
        if let Some(line) = key.record_line() {
            writeln!(out, "Record of {access_key_id}: {}\n", escape(&line))?;
        }
    }
    for Step { what, runbook, command: by_hand, changes } in steps(finding, plan) {
        let changes = if changes { " *changes*" } else { "" };
        write!(out, "- [ ] {}{changes}", escape(&what))?;
        match (runbook, by_hand) {
            (Some(runbook), Some(by_hand)) => {
                write!(out, "<br>Runbook: `{}`<br>By hand: `{}`", command(&runbook), command(&by_hand))?;
            }
            (None, Some(by_hand)) => write!(out, "<br>`{}`", command(&by_hand))?,
            _ => {}
        }
        writeln!(out)?;
    }
    Ok(())
}

fn old_inactive_keys(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n## Old inactive keys\n\n{}\n\
         Leave a key that a runbook deactivated to AccessKeyRotation-DeleteDeactivatedKeys, which keeps it for some time.\n",
        before_deletion(&plan.terms)
    )?;
    for OldKey { account, user_name, user_id, key } in &plan.old_inactive_keys {
        let (id, status, created) =
            (&key.access_key_id, key.status.as_str().to_lowercase(), key.create_date.date_naive());
        let description = key.description.as_ref().map(|text| format!(", {}", escape(text))).unwrap_or_default();
        let (may, delete) = match deletion_by_runbook(key, user_id.as_deref(), plan.terms.grace_days) {
            Some((may, arguments)) => (format!(", {may}"), command(&arguments)),
            None => (String::new(), delete_command(user_name, key, &plan.terms)),
        };
        writeln!(
            out,
            "- [ ] {id} of {} in {account} ({status}, created {created}{description}{may}) *changes*<br>`{delete}`",
            escape(user_name)
        )?;
    }
    Ok(())
}

/// Escapes untrusted text, so that it cannot become Markdown or HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in on_one_line(text).chars() {
        if r"\`*_[]<>#&|!~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
