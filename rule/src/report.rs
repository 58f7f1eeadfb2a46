//! The credential report: it can prove that a user needs no closer look, and is never the evidence of a violation.
//!
//! Columns and sentinels: "Get credential reports for your AWS account" in the IAM user guide. A key's `last_rotated` is the
//! time it was "created or last changed"; whether switching a key off and on moves it is not documented, so that it proves
//! nothing under [`KeySource::Live`].

use crate::{
    parameters::{KeySource, Parameters},
    verdict::{older_than, unremarkable_age},
};
use chrono::{DateTime, TimeDelta, Utc};
use std::{cmp::Ordering, collections::HashMap};

/// The column that has something to say of users with more than two access keys or certificates, which the report leaves out.
/// Not every report has it.
pub const ADDITIONAL: &str = "additional_credentials_info";

/// A user, as `ListUsers` tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// `UserName`
    pub name: String,
    /// `UserId`, `AIDA…`: Config's resource id.
    pub id: String,
    /// `Arn`
    pub arn: String,
    /// `CreateDate`
    pub created: DateTime<Utc>,
}

/// What a report says of one user's access keys.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Row {
    user_created: DateTime<Utc>,
    slots: [Slot; 2],
}

/// One of the two places for an access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Empty,
    /// A key in any status, created or last changed then.
    Key(DateTime<Utc>),
    /// Something that is not understood, which proves nothing.
    Unreadable,
}

/// A credential report that is complete and well-formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    generated: DateTime<Utc>,
    rows: HashMap<String, Row>,
}

impl Report {
    /// Reads the CSV of a report that AWS dates `generated`.
    ///
    /// # Errors
    /// What is wrong with it, if it is not a well-formed report; the caller then does without.
    pub fn parse(content: &[u8], generated: DateTime<Utc>) -> Result<Report, String> {
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(content);
        let header = reader.headers().map_err(|error| error.to_string())?.clone();
        let column =
            |name: &str| header.iter().position(|column| column == name).ok_or_else(|| format!("no column {name}"));
        let (arn, user_created) = (column("arn")?, column("user_creation_time")?);
        let slots = [
            (column("access_key_1_active")?, column("access_key_1_last_rotated")?),
            (column("access_key_2_active")?, column("access_key_2_last_rotated")?),
        ];
        let additional = column(ADDITIONAL).ok();
        let mut rows = HashMap::new();
        for record in reader.records() {
            let record = record.map_err(|error| error.to_string())?;
            match record.len().cmp(&header.len()) {
                Ordering::Less => return Err("a row that is cut off".to_owned()),
                Ordering::Equal => {}
                // A user's name may hold a comma, and AWS does not say that it is quoted.
                Ordering::Greater => continue,
            }
            // A row that cannot be tied to a user is as good as none.
            let Some(user_created) = time(&record[user_created]) else { continue };
            let slots = match additional.map(|additional| &record[additional]) {
                None | Some("" | "N/A") => {
                    slots.map(|(active, last_rotated)| slot(&record[active], &record[last_rotated]))
                }
                Some(_) => [Slot::Unreadable; 2],
            };
            if rows.insert(record[arn].to_owned(), Row { user_created, slots }).is_some() {
                return Err("two rows for one user".to_owned());
            }
        }
        Ok(Report { generated, rows })
    }
}

/// Tells the users who need no closer look from the suspects.
#[derive(Debug)]
pub struct Screen<'a> {
    report: Option<&'a Report>,
    source: KeySource,
    unremarkable_age: i64,
    now: DateTime<Utc>,
}

impl<'a> Screen<'a> {
    /// Without a report, or with one that is too old, nobody is cleared.
    pub fn new(report: Option<&'a Report>, parameters: &Parameters, now: DateTime<Utc>) -> Screen<'a> {
        let unremarkable_age = unremarkable_age(parameters);
        // A key made since the report is at most as old as the report itself, which therefore must be young.
        let recent = |report: &&Report| {
            !older_than(unremarkable_age.min(1), report.generated, now)
                && report.generated <= now + TimeDelta::minutes(5)
        };
        Screen { report: report.filter(recent), source: parameters.key_source, unremarkable_age, now }
    }

    /// Whether it is proved that none of the user's keys is older than the age that calls for a word. Anyone else is to be
    /// read live.
    pub fn clears(&self, user: &User) -> bool {
        let Some(row) = self.report.and_then(|report| report.rows.get(&user.arn)) else {
            // Made since the report, or left out of it: so few that no other proof is worth having.
            return false;
        };
        if row.user_created != user.created {
            // Deleted and made again since: the row is about somebody else.
            return false;
        }
        let young = |created| !older_than(self.unremarkable_age, created, self.now);
        young(user.created)
            || row.slots.iter().all(|slot| *slot == Slot::Empty)
            || self.source == KeySource::Report
                && row.slots.iter().all(|slot| match slot {
                    Slot::Empty => true,
                    Slot::Key(last_rotated) => young(*last_rotated),
                    Slot::Unreadable => false,
                })
    }
}

fn slot(active: &str, last_rotated: &str) -> Slot {
    match (active, last_rotated) {
        ("false", "N/A") => Slot::Empty,
        ("true" | "false", date) => time(date).map_or(Slot::Unreadable, Slot::Key),
        _ => Slot::Unreadable,
    }
}

/// A time as the report has it; `None` if it is none.
pub fn time(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &str = "user,arn,user_creation_time,password_enabled,access_key_1_active,access_key_1_last_rotated,\
                          access_key_2_active,access_key_2_last_rotated,cert_1_active";
    const EMPTY: &str = "false,N/A,false,N/A";

    fn now() -> DateTime<Utc> {
        time("2026-03-01T12:00:00+00:00").unwrap()
    }

    fn user(created: &str) -> User {
        User {
            name: "bot".to_owned(),
            id: "AIDABOT".to_owned(),
            arn: "arn:aws:iam::111122223333:user/bot".to_owned(),
            created: time(created).unwrap(),
        }
    }

    fn report(slots: &str, generated: &str) -> Report {
        let csv = format!(
            "{HEADER}\n<root_account>,arn:aws:iam::111122223333:root,2015-01-01T00:00:00+00:00,not_supported,{EMPTY},false\n\
             bot,arn:aws:iam::111122223333:user/bot,2019-06-25T08:37:33+00:00,false,{slots},false"
        );
        Report::parse(csv.as_bytes(), time(generated).unwrap()).unwrap()
    }

    fn clears(source: KeySource, slots: &str, generated: &str, user: &User) -> bool {
        let parameters = Parameters { key_source: source, ..Parameters::default() };
        Screen::new(Some(&report(slots, generated)), &parameters, now()).clears(user)
    }

    #[test]
    fn clears_by_proof_only() {
        use KeySource::{Live, Report};
        let recent = "2026-03-01T08:00:00+00:00";
        let old_user = user("2019-06-25T08:37:33+00:00");
        for (what, source, slots, generated, cleared) in [
            ("no key", Live, EMPTY, recent, true),
            ("no key, but the report is older than a day", Live, EMPTY, "2026-02-28T11:59:59+00:00", false),
            ("no key, but the report is from tomorrow", Live, EMPTY, "2026-03-02T12:00:00+00:00", false),
            ("a young key", Live, "true,2026-02-01T00:00:00+00:00,false,N/A", recent, false),
            ("a young key", Report, "true,2026-02-01T00:00:00+00:00,false,N/A", recent, true),
            ("a key of 76 days", Report, "true,2025-12-15T12:00:00+00:00,false,N/A", recent, true),
            ("a key of 76 days and a second", Report, "true,2025-12-15T11:59:59+00:00,false,N/A", recent, false),
            ("an old inactive key", Report, "false,2025-01-01T00:00:00+00:00,false,N/A", recent, false),
            (
                "an old second key",
                Report,
                "true,2026-02-01T00:00:00+00:00,true,2025-01-01T00:00:00+00:00",
                recent,
                false,
            ),
            ("an unreadable date", Report, "true,no_information,false,N/A", recent, false),
            ("an active key without a date", Report, "true,N/A,false,N/A", recent, false),
            ("an unknown status", Report, "N/A,N/A,false,N/A", recent, false),
            ("an unknown status", Live, "false,N/A,not_supported,N/A", recent, false),
        ] {
            assert_eq!(clears(source, slots, generated, &old_user), cleared, "{what}, {source:?}");
        }
    }

    #[test]
    fn a_user_younger_than_the_limit_has_no_old_key() {
        let slots = "true,2019-06-25T08:37:33+00:00,false,N/A";
        let csv =
            |created: &str| format!("{HEADER}\nbot,arn:aws:iam::111122223333:user/bot,{created},false,{slots},false");
        for (created, cleared) in [("2025-12-15T12:00:00+00:00", true), ("2025-12-15T11:59:59+00:00", false)] {
            let report = Report::parse(csv(created).as_bytes(), now()).unwrap();
            let screen = Screen::new(Some(&report), &Parameters::default(), now());
            assert_eq!(screen.clears(&user(created)), cleared, "{created}");
        }
    }

    #[test]
    fn without_a_row_of_their_own_nobody_is_cleared() {
        let made_again = user("2026-02-20T00:00:00+00:00");
        assert!(!clears(KeySource::Report, EMPTY, "2026-03-01T08:00:00+00:00", &made_again), "another creation time");
        let unknown = User { arn: "arn:aws:iam::111122223333:user/else".to_owned(), ..made_again };
        assert!(!clears(KeySource::Report, EMPTY, "2026-03-01T08:00:00+00:00", &unknown), "no row");
        let screen = Screen::new(None, &Parameters::default(), now());
        assert!(!screen.clears(&user("2026-02-28T00:00:00+00:00")), "no report");
    }

    #[test]
    fn nobody_is_cleared_when_every_key_calls_for_a_word() {
        let parameters = Parameters { max_access_key_age: 10, warn_before_days: 14, ..Parameters::default() };
        let report = report(EMPTY, "2026-03-01T12:00:00+00:00");
        let screen = Screen::new(Some(&report), &parameters, now());
        assert!(!screen.clears(&user("2019-06-25T08:37:33+00:00")));
    }

    #[test]
    fn columns_are_found_by_name() {
        let csv = "additional,access_key_2_last_rotated,access_key_2_active,access_key_1_last_rotated,access_key_1_active,\
                   user_creation_time,arn\nx,N/A,false,N/A,false,2019-06-25T08:37:33+00:00,arn:aws:iam::111122223333:user/bot";
        let report = Report::parse(csv.as_bytes(), now()).unwrap();
        assert!(Screen::new(Some(&report), &Parameters::default(), now()).clears(&user("2019-06-25T08:37:33+00:00")));
    }

    #[test]
    fn keys_that_the_report_leaves_out_are_not_proved_young() {
        for (additional, cleared) in [("N/A", true), ("", true), ("1 access key: iam:ListAccessKeys", false)] {
            let csv = format!(
                "{HEADER},{ADDITIONAL}\nbot,arn:aws:iam::111122223333:user/bot,2019-06-25T08:37:33+00:00,false,\
                 true,2026-02-01T00:00:00+00:00,true,2026-02-01T00:00:00+00:00,false,{additional}"
            );
            let report = Report::parse(csv.as_bytes(), now()).unwrap();
            let parameters = Parameters { key_source: KeySource::Report, ..Parameters::default() };
            let screen = Screen::new(Some(&report), &parameters, now());
            assert_eq!(screen.clears(&user("2019-06-25T08:37:33+00:00")), cleared, "{additional:?}");
        }
    }

    #[test]
    fn a_row_with_a_comma_in_the_name_is_as_good_as_none() {
        let other = format!("o,b,arn:aws:iam::111122223333:user/o,b,2019-06-25T08:37:33+00:00,false,{EMPTY},false");
        let row = format!("bot,arn:aws:iam::111122223333:user/bot,2019-06-25T08:37:33+00:00,false,{EMPTY},false");
        let report = Report::parse(format!("{HEADER}\n{other}\n{row}").as_bytes(), now()).unwrap();
        assert_eq!(report.rows.len(), 1);
        assert!(Screen::new(Some(&report), &Parameters::default(), now()).clears(&user("2019-06-25T08:37:33+00:00")));
    }

    #[test]
    fn a_report_that_is_not_whole_is_none() {
        let row = format!("bot,arn:aws:iam::111122223333:user/bot,2019-06-25T08:37:33+00:00,false,{EMPTY},false");
        for (what, csv) in [
            ("nothing", Vec::new()),
            ("a column missing", b"user,arn,user_creation_time".to_vec()),
            ("cut off in a row", format!("{HEADER}\n{}", &row[..row.len() - 8]).into_bytes()),
            ("the same user twice", format!("{HEADER}\n{row}\n{row}").into_bytes()),
            ("not text", [HEADER.as_bytes(), b"\n\xff", row.as_bytes()].concat()),
        ] {
            assert!(Report::parse(&csv, now()).is_err(), "{what}");
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(content in any::<Vec<u8>>(), row in any::<String>()) {
            let _ = Report::parse(&content, now());
            let _ = Report::parse(format!("{HEADER}\n{row}").as_bytes(), now());
        }
    }
}
