//! What the command line says, as a text for a snapshot, the same in every run.

use crate::support::midnight;
use chrono::NaiveDate;
use std::fmt::{self, Display};

/// What was asked, and what was said to it; lines of standard error begin with `! `.
#[derive(Default)]
pub(crate) struct Transcript {
    text: String,
    names: Vec<(String, String)>,
    by_the_clock: bool,
}

impl Transcript {
    /// Days are written as seen from today, since the users in the test are.
    pub(crate) fn by_the_clock() -> Transcript {
        Transcript { by_the_clock: true, ..Transcript::default() }
    }

    /// Writes `[name]` where a text has `value`, which is another one in each run.
    pub(crate) fn naming(mut self, name: &str, value: &str) -> Transcript {
        self.names.push((value.to_owned(), format!("[{name}]")));
        self
    }

    pub(crate) fn add(&mut self, asked: impl Display, out: &str, error: &str) {
        let mut entry = format!("$ {asked}\n{out}");
        entry.extend(error.lines().map(|line| format!("! {line}\n")));
        for (value, name) in &self.names {
            entry = entry.replace(value, name);
        }
        if self.by_the_clock {
            entry = seen_from_today(&entry);
        }
        // A file that tempfile made and was not asked to name.
        while let Some(at) = entry.find("/.tmp") {
            entry.replace_range(at..at + "/.tmpXXXXXX".len(), "/[random]");
        }
        self.text.extend(entry.lines().map(|line| format!("{}\n", line.trim_end())));
        self.text.push('\n');
    }
}

impl Display for Transcript {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// `[today-91]` for a date, and `[time]` for one with a time. Tests make keys so many days before [`midnight`].
fn seen_from_today(text: &str) -> String {
    const DATE: &str = "0000-00-00";
    let (mut seen, mut rest) = (String::new(), text);
    while let Some(first) = rest.chars().next() {
        let date = rest.get(..DATE.len()).filter(|date| has_form(date, DATE));
        let Some(date) = date.and_then(|date| date.parse::<NaiveDate>().ok()) else {
            seen.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        rest = &rest[DATE.len()..];
        if let Some(form) =
            ["T00:00:00", " 00:00:00", " at 00:00:00", " at 00:00"].iter().find(|form| has_form(rest, form))
        {
            rest = rest[form.len()..].trim_start_matches(|fraction: char| fraction.is_ascii_digit() || fraction == '.');
            rest = ["Z", " UTC"].iter().find_map(|zone| rest.strip_prefix(zone)).unwrap_or(rest);
            seen.push_str("[time]");
        } else {
            seen.push_str(&format!("[today{:+}]", (date - midnight().date_naive()).num_days()));
        }
    }
    seen
}

/// Whether a text begins in this form, in which 0 is any digit.
fn has_form(text: &str, form: &str) -> bool {
    let mut text = text.chars();
    form.chars().all(|expected| {
        text.next().is_some_and(|found| if expected == '0' { found.is_ascii_digit() } else { found == expected })
    })
}
