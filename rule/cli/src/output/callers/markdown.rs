//! Who uses keys, in Markdown.

use super::{HEADS, advice, cells, creator, last_use_as_sentence, remarks, user};
use crate::{callers::key_history::Histories, findings::filtered, output::markdown::escape};
use std::io::{self, Write};

/// How much of an agent to show whose class is unknown.
const AGENT: usize = 200;

pub(crate) fn write(histories: &Histories, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "# Who uses the access keys\n")?;
    contents(histories, "##", out)
}

/// A section of another document.
pub(crate) fn write_section(histories: &Histories, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n## Who uses the stale keys\n")?;
    contents(histories, "###", out)
}

fn contents(histories: &Histories, heading: &str, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "By CloudTrail's events of {} days, read on {}. An agent is what the caller says of itself.",
        histories.days,
        histories.read_at.date_naive()
    )?;
    for sentence in filtered::sentences(histories.filtered.as_ref()) {
        writeln!(out, "\n**{}**", escape(&sentence))?;
    }
    for key in &histories.keys {
        writeln!(
            out,
            "\n{heading} {} of {} in {}\n",
            escape(&key.access_key_id),
            escape(user(key)),
            escape(&key.account_id)
        )?;
        writeln!(out, "{}\n", escape(&format!("{}{}", last_use_as_sentence(key), creator(key))))?;
        if !key.callers.is_empty() {
            writeln!(out, "| {} |\n|{}", HEADS.join(" | "), "---|".repeat(HEADS.len()))?;
            for caller in &key.callers {
                writeln!(out, "|{}", cells(caller, AGENT).map(|cell| format!(" {} |", escape(&cell))).concat())?;
            }
            writeln!(out)?;
        }
        for sentence in remarks(key) {
            writeln!(out, "- {}", escape(&sentence))?;
        }
        if let Some(advice) = advice(key) {
            // Its links would not work with escapes, and nobody else wrote it.
            writeln!(out, "- {advice}")?;
        }
    }
    Ok(())
}
