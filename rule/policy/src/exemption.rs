//! Exemptions: tags on the IAM user that say how long the exemption lasts and who is responsible for it.

use crate::{
    text::{ascii, fit},
    user::Tags,
};
use chrono::{NaiveDate, TimeDelta};

/// The tag with the last day of the exemption, in UTC, as `YYYY-MM-DD`.
pub const EXEMPT_UNTIL: &str = "access-key-rotation:exempt-until";
/// The tag with the owner, who is responsible for the exemption.
pub const EXEMPT_OWNER: &str = "access-key-rotation:exempt-owner";
/// The optional tag with the reason.
pub const EXEMPT_REASON: &str = "access-key-rotation:exempt-reason";
/// The optional tag with the id of the only access key that the exemption covers. Without it, the exemption covers all of the
/// user's keys.
pub const EXEMPT_KEY: &str = "access-key-rotation:exempt-key";

/// All exemption tags.
pub const EXEMPTION_TAGS: [&str; 4] = [EXEMPT_UNTIL, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_KEY];

/// What each exemption tag holds, for the manual.
pub const EXEMPTION_TAG_VALUES: [(&str, &str); 4] = [
    (EXEMPT_UNTIL, "the last day on which the exemption is valid, in UTC, as `YYYY-MM-DD`"),
    (EXEMPT_OWNER, "the person or team responsible for the exemption"),
    (EXEMPT_REASON, "optional: the reason"),
    (EXEMPT_KEY, "optional: the id of the only access key that the exemption covers"),
];

/// What a user's tags say about an exemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exemption {
    /// There is no exemption tag.
    Absent,
    /// The exemption holds today.
    Valid {
        /// The last day of the exemption, in UTC.
        until: NaiveDate,
        /// Who is responsible for it.
        owner: String,
        /// The reason, if there is one.
        reason: Option<String>,
        /// The only key that it covers; `None` if it covers all of the user's keys.
        key: Option<String>,
    },
    /// There is an exemption, but it does not hold. The text says why, without a full stop.
    Void(String),
}

impl Exemption {
    /// Reads the exemption from a user's tags on `today`, in UTC. It may end at most `max_days` later.
    pub fn read(tags: &Tags, today: NaiveDate, max_days: u16) -> Exemption {
        let [until, owner, reason, key] =
            EXEMPTION_TAGS.map(|name| tags.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()));
        if !EXEMPTION_TAGS.iter().any(|name| tags.contains_key(*name)) {
            return Exemption::Absent;
        }
        let Some(until) = until else {
            return Exemption::Void(format!("Exemption void: no {EXEMPT_UNTIL}"));
        };
        let until = match day(until) {
            Ok(until) => until,
            Err(why) => {
                let given = fit(&ascii(until), 24);
                return Exemption::Void(format!("Exemption void: exempt-until {given:?} is {why}"));
            }
        };
        let Some(owner) = owner else {
            return Exemption::Void(format!("Exemption until {until} void: no {EXEMPT_OWNER}"));
        };
        if until < today {
            return Exemption::Void(format!("Exemption expired on {until} (owner: {})", short(owner)));
        }
        if key.is_none() && tags.contains_key(EXEMPT_KEY) {
            // An empty tag does not mean all keys: its author wanted to exempt fewer.
            return Exemption::Void(format!("Exemption until {until} void: {EXEMPT_KEY} is empty"));
        }
        if until.signed_duration_since(today) > TimeDelta::days(max_days.into()) {
            return Exemption::Void(format!("Exemption void: {until} is more than {max_days} days ahead"));
        }
        Exemption::Valid { until, owner: short(owner), reason: reason.map(ascii), key: key.map(str::to_owned) }
    }

    /// Whether it is valid and covers the access key with this id.
    pub fn covers(&self, key_id: &str) -> bool {
        match self {
            Exemption::Valid { key, .. } => key.as_deref().is_none_or(|only| only == key_id),
            _ => false,
        }
    }
}

fn short(owner: &str) -> String {
    fit(&ascii(owner), 64)
}

/// Reads `YYYY-MM-DD` and no other format: chrono alone would also accept `+2026-1-5`.
///
/// # Errors
/// What the text is instead of a day.
pub fn day(text: &str) -> Result<NaiveDate, &'static str> {
    let shape = text.len() == 10
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() });
    if !shape {
        return Err("not YYYY-MM-DD");
    }
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| "no such day")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX_DAYS: u16 = 365;

    fn read(tags: &[(&str, &str)]) -> Exemption {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Exemption::read(&tags, day("2026-03-01").unwrap(), MAX_DAYS)
    }

    fn until(day: &str) -> Exemption {
        read(&[(EXEMPT_UNTIL, day), (EXEMPT_OWNER, "payments")])
    }

    #[test]
    fn an_exemption_holds_through_its_last_day_unless_that_is_too_far_ahead() {
        for (day, holds) in [
            ("2026-02-28", false),
            ("2026-03-01", true),
            ("2026-03-02", true),
            ("2027-03-01", true),
            ("2027-03-02", false),
        ] {
            assert_eq!(until(day).covers("AKIAANY"), holds, "{day}");
        }
    }

    #[test]
    fn a_void_exemption_says_what_is_wrong() {
        let void = |text: &str| Exemption::Void(text.to_owned());
        for (tags, expected) in [
            (
                vec![(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "payments")],
                void("Exemption expired on 2026-02-28 (owner: payments)"),
            ),
            (
                vec![(EXEMPT_UNTIL, "2027-03-02"), (EXEMPT_OWNER, "payments")],
                void("Exemption void: 2027-03-02 is more than 365 days ahead"),
            ),
            (
                vec![(EXEMPT_UNTIL, "2026-06-01")],
                void("Exemption until 2026-06-01 void: no access-key-rotation:exempt-owner"),
            ),
            (
                vec![(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, " ")],
                void("Exemption until 2026-06-01 void: no access-key-rotation:exempt-owner"),
            ),
            (vec![(EXEMPT_OWNER, "payments")], void("Exemption void: no access-key-rotation:exempt-until")),
            (vec![(EXEMPT_REASON, "because")], void("Exemption void: no access-key-rotation:exempt-until")),
            (vec![(EXEMPT_UNTIL, "")], void("Exemption void: no access-key-rotation:exempt-until")),
            (
                vec![(EXEMPT_UNTIL, "forever"), (EXEMPT_OWNER, "x")],
                void("Exemption void: exempt-until \"forever\" is not YYYY-MM-DD"),
            ),
        ] {
            assert_eq!(read(&tags), expected, "{tags:?}");
        }
    }

    #[test]
    fn only_one_date_format_is_accepted() {
        for text in ["2026-3-02", "20260302", "02-03-2026", "2026/03/02", "+026-03-02", "2026-03-02T00:00:00Z"] {
            let Exemption::Void(why) = until(text) else { panic!("{text}") };
            assert!(why.ends_with("is not YYYY-MM-DD"), "{text}: {why}");
        }
        for text in ["2026-02-30", "2027-02-29", "2026-13-01", "2026-00-10", "2026-04-31"] {
            assert_eq!(until(text), Exemption::Void(format!("Exemption void: exempt-until \"{text}\" is no such day")));
        }
    }

    #[test]
    fn an_exemption_for_one_key_covers_only_that_key() {
        let exemption = read(&[(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments"), (EXEMPT_KEY, "AKIAONE")]);
        assert!(exemption.covers("AKIAONE"));
        assert!(!exemption.covers("AKIATWO"));
    }

    #[test]
    fn an_empty_key_tag_does_not_exempt_all_keys() {
        let exemption = read(&[(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments"), (EXEMPT_KEY, " ")]);
        let why = "Exemption until 2026-06-01 void: access-key-rotation:exempt-key is empty";
        assert_eq!(exemption, Exemption::Void(why.to_owned()));
    }

    #[test]
    fn other_tags_and_other_spellings_are_no_exemption() {
        assert_eq!(
            read(&[("team", "payments"), ("Access-Key-Rotation:Exempt-Until", "2026-06-01")]),
            Exemption::Absent
        );
    }
}
