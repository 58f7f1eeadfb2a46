//! Notices: what the owner of an access key should hear, and on which day.
//!
//! A key has milestones: it is due in so many days, it is overdue since so many days, or its exemption ends in so many days. A
//! milestone begins at the start of a day in UTC. The first evaluation after that tells it.

use crate::{
    access_key::{AccessKey, KeyStatus, day},
    exemption::Exemption,
    parameters::Parameters,
};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};

/// The days left at which a notice is due, besides `warnBeforeDays`.
const DAYS_LEFT: [i64; 4] = [7, 3, 1, 0];

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The key falls due within `warnBeforeDays`.
    DueSoon,
    /// The key is stale, and no exemption covers it.
    Overdue,
    /// The exemption of a stale key ends within `warnBeforeDays`.
    ExemptionEnding,
}

/// The latest milestone that an access key has reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Milestone {
    /// What it is about.
    pub kind: Kind,
    /// Days left until the key is due or its exemption ends, or days since the key was due. In UTC.
    pub days: i64,
    /// The number of days that brought the notice about: `warnBeforeDays`, 7, 3, 1 or 0 days left, or each day overdue.
    pub milestone: i64,
    /// When it began. A notice that was sent before that does not cover it.
    pub begins: DateTime<Utc>,
}

impl Milestone {
    /// Whether there is a notice to send, if the last one was sent at `notified_at`. Without one, none was sent yet.
    pub fn is_after(&self, notified_at: Option<DateTime<Utc>>) -> bool {
        notified_at.is_none_or(|at| at < self.begins)
    }
}

impl Kind {
    /// A word for it in the event's id.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::DueSoon => "due-soon",
            Kind::Overdue => "overdue",
            Kind::ExemptionEnding => "exemption-ending",
        }
    }

    /// The `DetailType` of the event.
    pub fn detail_type(self) -> &'static str {
        match self {
            Kind::DueSoon => "Access Key Due Soon",
            Kind::Overdue => "Access Key Overdue",
            Kind::ExemptionEnding => "Access Key Exemption Ending",
        }
    }
}

/// The latest milestone of a key at `now`.
pub(crate) fn reached(
    key: &AccessKey,
    exemption: &Exemption,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Option<Milestone> {
    if key.status != KeyStatus::Active {
        return None;
    }
    let today = day(now);
    let due = key.due(parameters.max_access_key_age);
    let left = |until: NaiveDate| until.signed_duration_since(today).num_days();
    let (kind, days, milestone, begins) = match exemption {
        _ if now <= due => {
            let (days, milestone, since) = before(day(due), left(day(due)), parameters)?;
            (Kind::DueSoon, days, milestone, start_of(since))
        }
        Exemption::Valid { until, .. } if exemption.covers(&key.id) => {
            let (days, milestone, since) = before(*until, left(*until), parameters)?;
            (Kind::ExemptionEnding, days, milestone, start_of(since))
        }
        // It becomes overdue in the course of its day.
        _ => (Kind::Overdue, -left(day(due)), -left(day(due)), start_of(today).max(due)),
    };
    Some(Milestone { kind, days, milestone, begins })
}

/// Days left until a day, the milestone that this has reached, and the day on which it began. `None` if it is too early.
fn before(until: NaiveDate, left: i64, parameters: &Parameters) -> Option<(i64, i64, NaiveDate)> {
    let warn = i64::from(parameters.warn_before_days);
    let milestone = DAYS_LEFT.into_iter().chain([warn]).filter(|days| (left..=warn).contains(days)).min()?;
    let since = until.checked_sub_days(Days::new(milestone.try_into().ok()?))?;
    Some((left, milestone, since))
}

pub(crate) fn start_of(day: NaiveDate) -> DateTime<Utc> {
    day.and_time(NaiveTime::MIN).and_utc()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        exemption::{EXEMPT_OWNER, EXEMPT_UNTIL},
        user::Tags,
    };
    use chrono::TimeDelta;

    fn at(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    /// A key that falls due on 2026-03-31 at 14:00.
    fn key(status: KeyStatus) -> AccessKey {
        AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            status,
            created: at("2025-12-31T14:00:00Z"),
            last_used: None,
        }
    }

    fn new_at(now: &str, notified_at: Option<&str>, exemption: &Exemption) -> Option<(Kind, i64, i64, String)> {
        let milestone = reached(&key(KeyStatus::Active), exemption, &Parameters::default(), at(now))?;
        let is_new = milestone.is_after(notified_at.map(at));
        is_new.then(|| (milestone.kind, milestone.days, milestone.milestone, day(milestone.begins).to_string()))
    }

    fn exempt_until(until: &str) -> Exemption {
        let tags = [(EXEMPT_UNTIL, until), (EXEMPT_OWNER, "payments")];
        let tags: Tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Exemption::read(&tags, at("2026-05-01T00:00:00Z").date_naive(), 365)
    }

    fn for_another_key(exemption: Exemption) -> Exemption {
        let Exemption::Valid { until, owner, reason, .. } = exemption else { panic!("{exemption:?}") };
        Exemption::Valid { until, owner, reason, key: Some("AKIAI44QH8DHBEXAMPLE".to_owned()) }
    }

    #[test]
    fn a_milestone_is_reached_at_the_start_of_its_day() {
        for (now, expected) in [
            ("2026-03-16T23:59:59Z", None),
            ("2026-03-17T00:00:00Z", Some((Kind::DueSoon, 14, 14, "2026-03-17"))),
            ("2026-03-23T23:59:59Z", Some((Kind::DueSoon, 8, 14, "2026-03-17"))),
            ("2026-03-24T00:00:00Z", Some((Kind::DueSoon, 7, 7, "2026-03-24"))),
            ("2026-03-29T12:00:00Z", Some((Kind::DueSoon, 2, 3, "2026-03-28"))),
            ("2026-03-30T12:00:00Z", Some((Kind::DueSoon, 1, 1, "2026-03-30"))),
            ("2026-03-31T14:00:00Z", Some((Kind::DueSoon, 0, 0, "2026-03-31"))),
            ("2026-03-31T14:00:01Z", Some((Kind::Overdue, 0, 0, "2026-03-31"))),
            ("2026-04-01T00:00:00Z", Some((Kind::Overdue, 1, 1, "2026-04-01"))),
            ("2026-06-29T14:00:00Z", Some((Kind::Overdue, 90, 90, "2026-06-29"))),
        ] {
            let expected = expected.map(|(kind, days, milestone, since)| (kind, days, milestone, since.to_owned()));
            assert_eq!(new_at(now, None, &Exemption::Absent), expected, "{now}");
        }
    }

    #[test]
    fn each_milestone_is_new_once_however_often_the_user_is_evaluated() {
        for (hours, expected) in [(1, 14 + 8), (7, 14 + 8), (24, 14 + 7), (72, 9)] {
            let (mut notified_at, mut now, mut notices) = (None, at("2026-03-01T02:00:00Z"), Vec::new());
            while now < at("2026-04-15T00:00:00Z") {
                let milestone = reached(&key(KeyStatus::Active), &Exemption::Absent, &Parameters::default(), now);
                let milestone = milestone.filter(|milestone| milestone.is_after(notified_at));
                notices.extend(milestone.map(|milestone| (milestone.kind.detail_type(), milestone.milestone)));
                (notified_at, now) = (Some(now), now + TimeDelta::hours(hours));
            }
            let mut distinct = notices.clone();
            distinct.dedup();
            assert_eq!(distinct, notices, "every {hours} hours");
            if hours <= 24 {
                assert_eq!(notices[..4], [14, 7, 3, 1].map(|days| (Kind::DueSoon.detail_type(), days)), "{hours}");
            }
            assert!(notices.len() <= expected, "every {hours} hours: {notices:?}");
            assert_eq!(notices.last().unwrap().0, Kind::Overdue.detail_type());
        }
    }

    #[test]
    fn a_milestone_that_was_missed_comes_late_with_the_days_that_are_left() {
        let notified_at = Some("2026-03-22T10:00:00Z");
        let expected = Some((Kind::DueSoon, 5, 7, "2026-03-24".to_owned()));
        assert_eq!(new_at("2026-03-26T10:00:00Z", notified_at, &Exemption::Absent), expected);
        assert_eq!(new_at("2026-03-26T11:00:00Z", Some("2026-03-26T10:00:00Z"), &Exemption::Absent), None);
    }

    #[test]
    fn the_end_of_an_exemption_has_milestones_too() {
        let exemption = exempt_until("2026-06-10");
        for (now, expected) in [
            ("2026-05-26T23:59:59Z", None),
            ("2026-05-27T06:00:00Z", Some((Kind::ExemptionEnding, 14, 14, "2026-05-27"))),
            ("2026-06-10T23:59:59Z", Some((Kind::ExemptionEnding, 0, 0, "2026-06-10"))),
        ] {
            let expected = expected.map(|(kind, days, milestone, since)| (kind, days, milestone, since.to_owned()));
            assert_eq!(new_at(now, None, &exemption), expected, "{now}");
        }
        // Of a key that is not stale yet, its own day counts. A void exemption covers nothing, and one for another key not this one.
        assert_eq!(new_at("2026-03-17T00:00:00Z", None, &exemption).unwrap().0, Kind::DueSoon);
        for other in [exempt_until("2026-04-30"), for_another_key(exemption)] {
            assert_eq!(new_at("2026-05-01T00:00:00Z", None, &other).unwrap().0, Kind::Overdue, "{other:?}");
        }
    }

    #[test]
    fn only_active_keys_and_days_within_the_warning_have_milestones() {
        for status in [KeyStatus::Inactive, KeyStatus::Expired] {
            let milestone =
                reached(&key(status), &Exemption::Absent, &Parameters::default(), at("2026-05-01T00:00:00Z"));
            assert_eq!(milestone, None);
        }
        for (warn, expected) in [(0, None), (2, None), (3, Some(3)), (5, Some(5)), (30, Some(7))] {
            let parameters = Parameters { warn_before_days: warn, ..Parameters::default() };
            let now = at("2026-03-28T00:00:00Z") - TimeDelta::days(if warn == 3 { 0 } else { 2 });
            let milestone = reached(&key(KeyStatus::Active), &Exemption::Absent, &parameters, now);
            assert_eq!(milestone.map(|milestone| milestone.milestone), expected, "{warn}");
        }
    }
}
