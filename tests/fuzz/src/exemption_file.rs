//! A file of exemptions, which anybody may propose for review.

use crate::{
    exempt::{
        file::{Entry, parse},
        yaml::written,
    },
    terms::assert_error,
};
use access_key_rotation::aws::home::is_account_id;
use std::{collections::BTreeSet, fmt::Write};

/// The input is the file.
pub(crate) fn exemption_file(input: &[u8]) -> bool {
    let file = match parse(input) {
        Ok(file) => file,
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            mistakes.iter().for_each(|mistake| assert_error(&mistake.to_string()));
            assert!(mistakes.iter().all(|mistake| mistake.place.line > 0 && mistake.place.column > 0), "{mistakes:?}");
            return false;
        }
    };
    let users: BTreeSet<_> =
        file.entries.iter().map(|entry| (entry.account(), entry.user().to_ascii_lowercase())).collect();
    assert_eq!(users.len(), file.entries.len(), "a user stands twice");
    for entry in &file.entries {
        assert!(is_account_id(entry.account()), "{entry:?}");
        assert!(!entry.user().is_empty() && entry.ends().is_some(), "{entry:?}");
        for (name, value) in &entry.tags() {
            assert!(value.chars().count() <= 256 && !value.contains(char::is_control), "{name}: {value:?}");
        }
    }
    // What was read can be written, and is the same when it is read again.
    let again = parse(text(&file.entries).as_bytes()).unwrap();
    assert_eq!(
        again.entries.iter().map(summary).collect::<Vec<_>>(),
        file.entries.iter().map(summary).collect::<Vec<_>>()
    );
    true
}

fn summary(entry: &Entry) -> (&str, &str, Vec<(String, String)>) {
    (entry.account(), entry.user(), entry.tags().into_iter().collect())
}

fn text(entries: &[Entry]) -> String {
    let mut text = String::from("AccessKeyRotation:");
    if entries.is_empty() {
        text += " []";
    }
    for entry in entries {
        write!(text, "\n- Account: {}\n  User: {}", written(entry.account()), written(entry.user())).unwrap();
        for (name, value) in entry.tags() {
            let field = match name.rsplit_once('-').unwrap().1 {
                "until" => "ExemptUntil",
                "owner" => "ExemptOwner",
                "reason" => "ExemptReason",
                _ => "Key",
            };
            write!(text, "\n  {field}: {}", written(&value)).unwrap();
        }
    }
    text
}
