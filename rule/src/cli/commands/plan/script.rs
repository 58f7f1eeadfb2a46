//! The plan as a script that asks before each step.

use super::{Plan, Step, command, line, steps};
use crate::{findings::finding::Finding, output::shell::quoted};
use std::io::{self, Write};

/// The functions of the script. An answer other than `y`, or none, skips the step.
const HEAD: &str = include_str!("script.sh");

/// The script takes a user's steps only with credentials for that user's account.
pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    out.write_all(HEAD.as_bytes())?;
    let (age, day) = (plan.terms.max_access_key_age, plan.terms.scanned_at.date_naive());
    let number = plan.violations.len();
    writeln!(out, "\n# Users in violation on {day} (access keys older than {age} days): {number}.")?;
    for account in &plan.incomplete {
        writeln!(out, "# Account {account} is incomplete. It may have more violations.")?;
    }
    for (position, finding) in plan.violations.iter().enumerate() {
        let Finding { account, user_name, annotation, owner, .. } = finding;
        let owner = owner.as_ref().map(|owner| format!(", owner: {}", line(owner))).unwrap_or_default();
        writeln!(out, "\n# {}{owner}", finding.priority())?;
        writeln!(out, "# {}", line(annotation.as_deref().unwrap_or_default()))?;
        writeln!(
            out,
            "if in_account {account} {}; then",
            quoted(&format!("{} of {number}: {}", position + 1, line(user_name)))
        )?;
        for step in steps(finding, plan) {
            match step {
                Step::Do(what) => writeln!(out, "    people {}", quoted(&what))?,
                Step::Look(what, arguments) => writeln!(out, "    look {} {}", quoted(&what), command(&arguments))?,
                Step::Change(what, arguments) => writeln!(out, "    ask {} {}", quoted(&what), command(&arguments))?,
                Step::Later(what, arguments) => writeln!(out, "    later {} {}", quoted(&what), command(&arguments))?,
            }
        }
        writeln!(out, "fi")?;
    }
    Ok(())
}
