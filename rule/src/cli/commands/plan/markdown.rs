//! The plan as a checklist for each owner.

use super::{Plan, Step, command, line, steps};
use crate::findings::finding::Finding;
use std::io::{self, Write};

/// Sorts the owners, and the violations of each owner, by priority.
pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let number = plan.violations.len();
    let (age, day) = (plan.terms.max_access_key_age, plan.terms.scanned_at.date_naive());
    writeln!(out, "# Access keys older than {age} days\n")?;
    writeln!(out, "Users in violation on {day}: {number}.")?;
    for account in &plan.incomplete {
        writeln!(out, "**Account {account} is incomplete. It may have more violations.**")?;
    }
    if number == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "\nThe most urgent come first: production, then keys in use, then idle keys, and older keys before younger ones.\n\
         Run each command with credentials for the account in the heading. Commands marked *changes* change something."
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
            let Finding { account, user_name, annotation, .. } = finding;
            writeln!(out, "\n### {} in {account} ({})\n", escape(user_name), finding.priority())?;
            writeln!(out, "{}\n", escape(annotation.as_deref().unwrap_or_default()))?;
            for step in steps(finding, plan) {
                match &step {
                    Step::Do(what) => writeln!(out, "- [ ] {what}")?,
                    Step::Look(what, arguments) => writeln!(out, "- [ ] {what}<br>`{}`", command(arguments))?,
                    Step::Change(what, arguments) | Step::Later(what, arguments) => {
                        writeln!(out, "- [ ] {what} *changes*<br>`{}`", command(arguments))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Escapes untrusted text, so that it cannot become Markdown or HTML.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in line(text).chars() {
        if r"\`*_[]<>#&|!~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
