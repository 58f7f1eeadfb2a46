//! The plan in Markdown: the board, and a checklist for each owner.

use super::{
    contents::Plan,
    rotation::opt_in,
    steps::{Step, deletion_by_runbook},
};
use crate::{
    findings::{
        filtered,
        finding::{Finding, Key},
    },
    output::{
        aws_cli::{before_deletion, command, delete_command},
        callers,
        markdown::escape,
    },
};
use policy::access_key::KeyState;
use std::io::{self, Write};

/// Sorts the owners, and the violations of each owner, by priority.
pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let (age, day) = (plan.terms.max_access_key_age, plan.terms.scanned_at.date_naive());
    let old_inactive_keys = plan.old_inactive_keys().count();
    writeln!(out, "# Access keys older than {age} days\n")?;
    writeln!(out, "Users in violation on {day}: {}.", plan.violations().count())?;
    let exposed = plan.findings.iter().filter(|finding| finding.is_exposed()).count();
    if exposed > 0 {
        writeln!(out, "**Users with a key that AWS found in public: {exposed}. Begin with them.**")?;
    }
    writeln!(out, "Old inactive keys: {old_inactive_keys}.")?;
    for account in &plan.incomplete {
        writeln!(out, "**Account {account} is incomplete. It may have more violations.**")?;
    }
    for sentence in &plan.records_unknown {
        writeln!(
            out,
            "**{} What a runbook deactivated or rotates, and what somebody switched on again, looks like any other key here.**",
            escape(sentence)
        )?;
    }
    for sentence in filtered::sentences(plan.filtered.as_ref()) {
        writeln!(out, "**{}**", escape(&sentence))?;
    }
    if !plan.findings.is_empty() {
        board(plan, out)?;
    }
    if plan.urgent().next().is_some() {
        urgent(plan, out)?;
    }
    due_soon(plan, out)?;
    if old_inactive_keys > 0 {
        self::old_inactive_keys(plan, out)?;
    }
    if let Some(histories) = &plan.histories {
        callers::markdown::write_section(histories, out)?;
    }
    Ok(())
}

fn board(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\n## Board\n\n\
         Where each key stands, what happens next by itself, and what you must do. The runbooks that rotate and delete run by\n\
         themselves only where RotationSchedule is set. Elsewhere, start them.\n\n\
         | Account | User | Owner | Access key | State | From | By itself | To do |\n\
         |---|---|---|---|---|---|---|---|"
    )?;
    for (finding, key, entry) in plan.entries() {
        let owner = finding.owner_or("", "?");
        let from = entry.on.map(|day| day.to_string()).unwrap_or_default();
        let texts = [&finding.user_name, owner, &key.access_key_id, entry.place.as_str(), &from];
        let texts = texts
            .into_iter()
            .chain([entry.next, entry.to_do].iter().map(|text| text.as_deref().unwrap_or_default()))
            .map(|text| format!(" {} |", escape(text)))
            .collect::<String>();
        writeln!(out, "| {} |{texts}", finding.account)?;
    }
    Ok(())
}

fn urgent(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "\nThe most urgent come first: exposed users, production, then keys in use, then idle keys, and older keys before younger ones.\n\
         Take the steps of a user in this order, and go on only after a step is done.\n\
         Run each command with credentials for the account in the heading. Commands marked *changes* change something.\n\n\
         Where there are two commands, take the runbook's if the runbooks are deployed, in their Region. They look at each key again,\n\
         leave keys in use alone, and record what they deactivated, so that they can delete it later. Do not mix the two: the runbooks\n\
         never delete a key that you deactivated by hand.\n\n\
         To undo a deactivation, run AccessKeyRotation-ReactivateKey, or the same aws iam command with --status Active."
    )?;
    let mut owners: Vec<(Option<&str>, Vec<&Finding>)> = Vec::new();
    for finding in plan.urgent() {
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
    for Step { what, runbook, command: by_hand, changes } in plan.steps(finding) {
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
    if let Some(opt_in) = opt_in(finding) {
        writeln!(out, "\n{OPT_IN}{}", commands(&opt_in))?;
    }
    Ok(())
}

/// Before the commands of [`opt_in`].
const OPT_IN: &str = "If its consumer can read the key from a secret, the key can rotate by itself from then on, where rotation is on \
                      (Rotation=true): tag both, with the secret's name for SECRET.";

fn commands(commands: &[Vec<String>]) -> String {
    commands.iter().map(|arguments| format!("<br>`{}`", command(arguments))).collect()
}

/// The keys that are due soon and do not rotate by themselves, with the way to have them do so.
fn due_soon(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let is_due = |key: &Key| key.state == KeyState::DueSoon;
    let due = plan.findings.iter().filter(|finding| !finding.is_violation());
    let due = due.filter(|finding| finding.access_keys.iter().any(is_due));
    let mut due = due.filter_map(|finding| Some((finding, opt_in(finding)?))).peekable();
    if due.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "\n## Due soon\n\n{OPT_IN}\n")?;
    for (finding, opt_in) in due {
        let keys: Vec<_> =
            finding.access_keys.iter().filter(|key| is_due(key)).map(|key| key.access_key_id.as_str()).collect();
        let user = escape(&finding.user_name);
        writeln!(out, "- [ ] {} of {user} in {}{}", keys.join(", "), finding.account, commands(&opt_in))?;
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
    for (finding, key) in plan.old_inactive_keys() {
        let Finding { account, user_name, user_id, .. } = finding;
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
