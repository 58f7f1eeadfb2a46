//! Until when a user can be skipped: the proof that none of the user's access keys becomes stale before a certain day.
//!
//! A `CreateDate` never changes, and a key that is created later is new. So one reading of a user's keys, in any status, gives
//! a day before which none of them can become stale, whatever keys are created, deactivated, reactivated or deleted in the
//! meantime. The annotation of a compliant user gives that day. AWS Config keeps the annotation, and the next sweep reads it
//! back: until then, the user need not be read.

use crate::{
    access_key::{AccessKey, day},
    annotation::days,
    parameters::Parameters,
    recorded_result::RecordedResult,
    user::User,
    verdict::Compliance,
};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

/// IAM is eventually consistent: a key that was created within this time may be missing from a listing.
const CONSISTENT_WITHIN: Days = Days::new(1);
/// For a user without keys, the day moves with every reading, and would be another result each time. It is written only if it
/// spares at least this many days of reads.
const WORTH_A_RESULT: Days = Days::new(7);

/// The day before which none of a user's access keys becomes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SkipUntil {
    limit: u16,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// From the age of the oldest key, or of the user.
    Until(NaiveDate),
    /// From a reading on that day that found no key.
    KeylessOn(NaiveDate),
    /// From a reading that found no key and is not worth remembering.
    Keyless,
}

impl SkipUntil {
    /// From a user's access keys, in any status, as read at `now`. None may be past the limit.
    pub(crate) fn of_keys<'a>(
        keys: impl Iterator<Item = &'a AccessKey>,
        parameters: &Parameters,
        now: DateTime<Utc>,
    ) -> SkipUntil {
        let limit = parameters.max_access_key_age;
        let kind = match keys.map(|key| key.created).min() {
            // If IAM's clock is ahead of ours, the key counts as created now.
            Some(oldest) => Kind::Until(first_day(oldest.min(now), limit)),
            None => {
                let kind = Kind::KeylessOn(day(now));
                let lasts = SkipUntil { limit, kind }.day(parameters);
                if lasts.is_some_and(|until| until >= day(now) + WORTH_A_RESULT) { kind } else { Kind::Keyless }
            }
        };
        SkipUntil { limit, kind }
    }

    /// From the user's own age: no key is older than its user.
    pub(crate) fn of_user(user: &User, parameters: &Parameters) -> SkipUntil {
        let limit = parameters.max_access_key_age;
        SkipUntil { limit, kind: Kind::Until(first_day(user.created, limit)) }
    }

    /// From a recorded result, if it is compliant. Its annotation must be, word for word, what this module writes for today's limit,
    /// and must not claim more than a reading at the time of the result could prove.
    pub(crate) fn of_recorded(result: &RecordedResult, parameters: &Parameters) -> Option<SkipUntil> {
        let limit = parameters.max_access_key_age;
        let annotation = Some(result.annotation.as_str()).filter(|_| result.compliance == Compliance::Compliant)?;
        let kind = match annotation.strip_prefix(UNTIL) {
            Some(rest) => Kind::Until(leading_day(rest)?),
            None => Kind::KeylessOn(leading_day(annotation.strip_prefix(KEYLESS_ON)?)?),
        };
        let skip = SkipUntil { limit, kind };
        let provable = first_day(result.recorded?, limit);
        (skip.annotation() == annotation && skip.until()? <= provable).then_some(skip)
    }

    /// Whether the user need not be read: it is too early to warn of a key that falls due.
    pub(crate) fn holds(self, parameters: &Parameters, now: DateTime<Utc>) -> bool {
        self.day(parameters).is_some_and(|until| day(now) < until)
    }

    /// The annotation of the user's result.
    pub(crate) fn annotation(self) -> String {
        let limit = days(self.limit);
        match (self.kind, self.until()) {
            (Kind::KeylessOn(on), Some(until)) => {
                format!("{KEYLESS_ON}{on}. None becomes stale before {until} (limit {limit}).")
            }
            (_, Some(until)) => format!("{UNTIL}{until} (limit {limit})."),
            (_, None) => KEYLESS.to_owned(),
        }
    }

    /// The day before which no key becomes stale.
    fn until(self) -> Option<NaiveDate> {
        match self.kind {
            Kind::Until(until) => Some(until),
            // Counted from the beginning of the day of the reading: a key may have been created right after it.
            Kind::KeylessOn(on) => {
                on.checked_add_days(Days::new(self.limit.into()))?.checked_sub_days(CONSISTENT_WITHIN)
            }
            Kind::Keyless => None,
        }
    }

    /// The first day on which the user must be read again.
    pub(crate) fn day(self, parameters: &Parameters) -> Option<NaiveDate> {
        self.until()?.checked_sub_days(Days::new(parameters.warn_before_days.into()))
    }
}

/// Whether an annotation calls for no action.
pub fn is_routine(annotation: &str) -> bool {
    [UNTIL, KEYLESS_ON, KEYLESS].iter().any(|beginning| annotation.starts_with(beginning))
}

const UNTIL: &str = "No access key becomes stale before ";
const KEYLESS_ON: &str = "The user had no access key on ";
const KEYLESS: &str = "The user has no access key.";

/// The day on which a key created at that time reaches the limit, minus the time that IAM may take to list a new key.
fn first_day(created: DateTime<Utc>, limit: u16) -> NaiveDate {
    let due = created.checked_add_signed(TimeDelta::days(limit.into())).unwrap_or(DateTime::<Utc>::MAX_UTC);
    day(due).checked_sub_days(CONSISTENT_WITHIN).unwrap_or(NaiveDate::MIN)
}

/// Reads `YYYY-MM-DD` at the beginning of a text.
fn leading_day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.get(..10)?, "%Y-%m-%d").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access_key::KeyStatus,
        assessment::{assess, assess_unread},
        exposure::Exposure,
    };
    use proptest::prelude::*;

    fn at(time: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(time).unwrap().to_utc()
    }

    fn now() -> DateTime<Utc> {
        at("2026-03-01T12:00:00Z")
    }

    fn with(max_access_key_age: u16, warn_before_days: u16) -> Parameters {
        Parameters { max_access_key_age, warn_before_days, ..Parameters::default() }
    }

    fn result(compliance: Compliance, annotation: &str) -> RecordedResult {
        RecordedResult {
            user_id: "AIDABOT".to_owned(),
            compliance,
            annotation: annotation.to_owned(),
            recorded: Some(now()),
            invoked: None,
        }
    }

    /// From a compliant result that was recorded now.
    fn recorded(annotation: &str, parameters: &Parameters) -> Option<SkipUntil> {
        SkipUntil::of_recorded(&result(Compliance::Compliant, annotation), parameters)
    }

    fn is_believed(annotation: &str) -> bool {
        recorded(annotation, &Parameters::default()).is_some()
    }

    fn user(created: DateTime<Utc>) -> User {
        User { name: "bot".to_owned(), id: "AIDABOT".to_owned(), arn: String::new(), created }
    }

    const UNTIL_MAY: &str = "No access key becomes stale before 2026-05-29 (limit 90 days).";
    const KEYLESS_TODAY: &str =
        "The user had no access key on 2026-03-01. None becomes stale before 2026-05-29 (limit 90 days).";

    #[test]
    fn only_annotations_that_the_rule_writes_are_believed() {
        for annotation in [UNTIL_MAY, KEYLESS_TODAY, "No access key becomes stale before 2026-03-02 (limit 90 days)."] {
            assert!(is_believed(annotation), "{annotation}");
        }
        for (what, annotation) in [
            ("nothing", ""),
            ("the annotation of the first version", "COMPLIANT"),
            ("more than a reading today can prove", "No access key becomes stale before 2026-05-30 (limit 90 days)."),
            ("a date in another format", "No access key becomes stale before 2026-5-29 (limit 90 days)."),
            ("a date that does not exist", "No access key becomes stale before 2026-02-30 (limit 90 days)."),
            ("a year with a sign", "No access key becomes stale before +026-05-29 (limit 90 days)."),
            ("another limit", "No access key becomes stale before 2026-05-29 (limit 91 days)."),
            ("a limit with a zero", "No access key becomes stale before 2026-05-29 (limit 090 days)."),
            ("an extra word", "No access key becomes stale before 2026-05-29 (limit 90 days). Promise."),
            ("no full stop", "No access key becomes stale before 2026-05-29 (limit 90 days)"),
            ("something before it", " No access key becomes stale before 2026-05-29 (limit 90 days)."),
            ("cut off", "No access key becomes stale before 2026-05"),
            ("not ASCII", "No access key becomes stale before 2026-05-2\u{665} (limit 90 days)."),
            (
                "dates that do not fit together",
                "The user had no access key on 2026-02-28. None becomes stale before 2026-05-29 (limit 90 days).",
            ),
            (
                "a reading tomorrow",
                "The user had no access key on 2026-03-02. None becomes stale before 2026-05-30 (limit 90 days).",
            ),
            ("no date", KEYLESS),
            ("an exemption", "Exempt until 2026-06-01 (owner: x): AKIAIOSFODNN7EXAMPLE was created 2025-10-18"),
        ] {
            assert!(!is_believed(annotation), "{what}: {annotation}");
        }
        assert!(recorded(UNTIL_MAY, &with(91, 14)).is_none(), "another limit today");
        let one_day = "No access key becomes stale before 2026-03-01 (limit 1 day).";
        assert!(recorded(one_day, &with(1, 0)).is_some());
        let of = |result| SkipUntil::of_recorded(&result, &Parameters::default());
        assert!(of(result(Compliance::NonCompliant, UNTIL_MAY)).is_none(), "not compliant");
        assert!(of(RecordedResult { recorded: None, ..result(Compliance::Compliant, UNTIL_MAY) }).is_none(), "no time");
    }

    #[test]
    fn a_user_is_read_again_once_it_is_time_to_warn() {
        let skip = recorded(UNTIL_MAY, &Parameters::default()).unwrap();
        for (time, warn, spares) in [
            ("2026-03-01T12:00:00Z", 14, true),
            ("2026-05-14T23:59:59Z", 14, true),
            ("2026-05-15T00:00:00Z", 14, false),
            ("2026-05-28T23:59:59Z", 0, true),
            ("2026-05-29T00:00:00Z", 0, false),
            ("2026-03-01T12:00:00Z", 365, false),
        ] {
            assert_eq!(skip.holds(&with(90, warn), at(time)), spares, "{time}, {warn}");
        }
    }

    #[test]
    fn a_moving_day_is_written_only_if_it_spares_enough_reads() {
        for (limit, warn, annotation) in
            [(90, 14, KEYLESS_TODAY), (90, 83, KEYLESS), (90, 82, KEYLESS_TODAY), (1, 0, KEYLESS), (10, 14, KEYLESS)]
        {
            assert_eq!(
                SkipUntil::of_keys([].iter(), &with(limit, warn), now()).annotation(),
                annotation,
                "{limit}, {warn}"
            );
        }
    }

    #[test]
    fn a_key_created_in_the_future_proves_no_more_than_one_created_now() {
        let key = |created| AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            status: KeyStatus::Active,
            created,
            last_used: None,
        };
        let until = |created| SkipUntil::of_keys([key(created)].iter(), &Parameters::default(), now()).annotation();
        assert_eq!(until(now() + TimeDelta::days(3)), UNTIL_MAY);
        assert_eq!(until(now()), UNTIL_MAY);
    }

    #[test]
    fn only_an_annotation_that_calls_for_no_action_is_routine() {
        for annotation in [UNTIL_MAY, KEYLESS_TODAY, KEYLESS] {
            assert!(is_routine(annotation), "{annotation}");
        }
        for annotation in ["", "AKIA... is due on 2026-03-15", "Exempt until 2026-06-01", "Delete AKIA..."] {
            assert!(!is_routine(annotation), "{annotation}");
        }
    }

    proptest! {
        /// Keys are read now, or created from a day before now onwards, and evaluated at any later time before the day.
        #[test]
        fn before_the_day_no_key_is_stale_or_falls_due_soon(
            ages in proptest::collection::vec(0i64..400 * 86_400, 0..3),
            made_later in proptest::collection::vec(-86_400i64..400 * 86_400, 0..3),
            later in 0i64..400 * 86_400,
            limit in 1u16..400,
            warn in 0u16..60,
        ) {
            let parameters = with(limit, warn);
            let key = |seconds: i64| AccessKey {
                id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
                status: KeyStatus::Active,
                created: now() - TimeDelta::seconds(seconds),
                last_used: None,
            };
            let keys: Vec<_> = ages.into_iter().filter(|age| *age <= i64::from(limit) * 86_400).map(key).collect();
            let annotation = SkipUntil::of_keys(keys.iter(), &parameters, now()).annotation();
            prop_assert_eq!(recorded(&annotation, &parameters).is_none(), annotation == KEYLESS);
            let then = now() + TimeDelta::seconds(later);
            let bot = user(now() - TimeDelta::days(5000));
            let recorded = result(Compliance::Compliant, &annotation);
            if assess_unread(&bot, Some(&recorded), &parameters, then).is_some() {
                let made = made_later.into_iter().filter(|ago| *ago <= later).map(|ago| key(-ago));
                let keys: Vec<_> = keys.into_iter().chain(made).collect();
                let assessment = assess(bot, keys, None, Exposure::NotExposed, &parameters, then);
                prop_assert_eq!(assessment.verdict.compliance, Compliance::Compliant);
                prop_assert!(!assessment.is_due_soon());
            }
        }

        #[test]
        fn a_believed_annotation_is_one_that_the_rule_writes(text in any::<String>(), day in any::<(u16, u8, u8)>(), limit in 1u16..200) {
            let (year, month, date) = day;
            let texts = [
                text.clone(),
                format!("{UNTIL}{text}"),
                format!("{KEYLESS_ON}{text}"),
                format!("{UNTIL}{year:04}-{:02}-{:02} (limit {limit} days).", month % 13, date % 32),
            ];
            for text in texts {
                if let Some(skip) = recorded(&text, &Parameters::default()) {
                    prop_assert_eq!(skip.annotation(), text);
                }
            }
        }
    }
}
