//! Who uses keys, in every format but the page.

pub(crate) mod csv;
pub(crate) mod markdown;
pub(crate) mod table;

use crate::{
    callers::{key_history::KeyHistory, rows::Caller},
    findings::finding::Used,
};
use policy::text::count;

/// How many services or Regions a cell names.
const MOST_IN_A_CELL: usize = 5;

/// When and where a key was used last, as IAM says it.
pub(crate) fn last_use(key: &KeyHistory) -> String {
    match &key.last_used {
        None => "last use not known".to_owned(),
        Some(Used { date: None, .. }) => "no use on record".to_owned(),
        Some(Used { date: Some(date), region, service_name }) => {
            format!("last used on {} ({service_name} in {region})", date.date_naive())
        }
    }
}

/// The same, for the beginning of a paragraph.
pub(crate) fn last_use_as_sentence(key: &KeyHistory) -> String {
    let text = last_use(key);
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

/// The user's name.
pub(crate) fn user(key: &KeyHistory) -> &str {
    key.user_name.as_deref().unwrap_or("an unknown user")
}

/// The names, or the first of them.
pub(crate) fn some<'a>(names: impl ExactSizeIterator<Item = &'a String>) -> String {
    let more = names.len().saturating_sub(MOST_IN_A_CELL);
    let mut text = names.take(MOST_IN_A_CELL).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(" and {more} more"));
    }
    text
}

/// The class of the agent; if it is unknown, with what it calls itself.
fn agent(caller: &Caller, most: usize) -> String {
    if caller.agent_class != "unknown" {
        return caller.agent_class.to_owned();
    }
    let shown: String = caller.user_agent.chars().take(most).collect();
    let more = if shown.len() < caller.user_agent.len() { "…" } else { "" };
    format!("unknown: \"{shown}{more}\"")
}

/// How many of the events are errors.
pub(crate) fn errors(caller: &Caller) -> String {
    match caller.errors {
        0 => "-".to_owned(),
        errors => format!("{errors} ({} %)", (errors * 100).div_ceil(caller.events.max(1))),
    }
}

/// The heads of a table of callers.
pub(crate) const HEADS: [&str; 9] =
    ["Address", "Class", "Agent", "Services", "Regions", "First", "Last", "Events", "Errors"];

/// A caller under these heads: untrusted text, with at most so much of an agent whose class is unknown.
fn cells(caller: &Caller, most: usize) -> [String; 9] {
    [
        caller.source_ip.clone(),
        caller.address_class.to_owned(),
        agent(caller, most),
        some(caller.services.iter()),
        some(caller.regions.iter()),
        caller.first.date_naive().to_string(),
        caller.last.date_naive().to_string(),
        caller.events.to_string(),
        errors(caller),
    ]
}

/// Who created the key, after its last use: untrusted text.
fn creator(key: &KeyHistory) -> String {
    key.created_by.as_ref().map(|creator| format!(", created by {creator}")).unwrap_or_default()
}

/// What the rows do not say, a sentence each: untrusted text.
pub(crate) fn remarks(key: &KeyHistory) -> Vec<String> {
    key.note.iter().cloned().chain(key.not_read_sentences()).collect()
}

/// The advice, in our own words.
pub(crate) fn advice(key: &KeyHistory) -> Option<String> {
    Some(format!("To replace it: {}", key.replacement.as_ref()?))
}

/// How many keys there are.
pub(crate) fn number(keys: &[KeyHistory]) -> String {
    let callers = keys.iter().map(|key| key.callers.len()).sum();
    format!("{}, {}", count(keys.len(), "key"), count(callers, "caller"))
}
