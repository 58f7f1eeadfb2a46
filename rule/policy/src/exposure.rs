//! Whether AWS found an access key of a user in public.
//!
//! It has no effect on a verdict. It comes first in the annotation and in the order of findings, and its notice is sent at once.

use crate::{annotation::is_exposed, milestone::start_of, recorded_result::RecordedResult};
use chrono::{DateTime, Utc};

/// Whether AWS has quarantined a user, as it does if it finds one of the user's access keys in public.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// A policy `AWSCompromisedKeyQuarantine…` is attached to the user. It does not say which key was found.
    Exposed,
    /// None is.
    NotExposed,
    /// IAM did not say.
    Unknown,
    /// Nobody asked, as for a credential report.
    NotRead,
}

impl Exposure {
    /// `None` if that is unknown.
    pub fn is_exposed(self) -> Option<bool> {
        match self {
            Exposure::Exposed => Some(true),
            Exposure::NotExposed => Some(false),
            Exposure::Unknown | Exposure::NotRead => None,
        }
    }

    /// Whether a notice is to be sent: at once, and then on each day in UTC. The recorded result says whether the exposure was known
    /// when the last notices were sent.
    pub fn is_to_tell(self, recorded: Option<&RecordedResult>, now: DateTime<Utc>) -> bool {
        let told_at =
            recorded.filter(|recorded| is_exposed(&recorded.annotation)).and_then(RecordedResult::notified_at);
        self == Exposure::Exposed && told_at.is_none_or(|at| at < start_of(now.date_naive()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access_key::{AccessKey, KeyStatus, LastUsed},
        assessment::assess,
        exemption::{EXEMPT_OWNER, EXEMPT_UNTIL},
        parameters::Parameters,
        user::{Tags, User},
        verdict::{Compliance, Verdict},
    };
    use chrono::TimeDelta;

    const NOW: &str = "2026-03-01T12:00:00Z";

    /// The verdict on a user with keys of these ages in days, used the day before.
    fn verdict(exposure: Exposure, keys: &[(i64, KeyStatus)], is_exempt: bool) -> Verdict {
        let now: DateTime<Utc> = NOW.parse().unwrap();
        let used =
            LastUsed { at: Some(now - TimeDelta::days(1)), region: "us-east-1".to_owned(), service: "sts".to_owned() };
        let key = |(number, (days, status)): (usize, &(i64, KeyStatus))| AccessKey {
            id: format!("AKIAIOSFODNN7EXAMPL{number}"),
            status: *status,
            created: now - TimeDelta::days(*days),
            last_used: Some(Box::new(used.clone())),
        };
        let keys = keys.iter().enumerate().map(key).collect();
        let user = User {
            name: "bot".to_owned(),
            id: "AIDABOT".to_owned(),
            arn: "arn:aws:iam::111122223333:user/bot".to_owned(),
            created: now - TimeDelta::days(5000),
        };
        let tags = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments")];
        let tags: Tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let tags = if is_exempt { tags } else { Tags::new() };
        assess(user, keys, Some(tags), exposure, &Parameters::default(), now).verdict
    }

    #[test]
    fn an_exposure_comes_first_in_the_annotation_and_changes_no_verdict() {
        use KeyStatus::{Active, Inactive};
        const DO: &str = "Deactivate this user's keys now: AWS found one in public.";
        const STALE: &str =
            "is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), last used 2026-02-28 by sts in us-east-1";
        for (keys, is_exempt, expected) in [
            (&[(134, Active)][..], false, format!("{DO} AKIAIOSFODNN7EXAMPL0 {STALE}.")),
            (
                &[(134, Active), (200, Active)],
                false,
                "One is public: deactivate all. AKIAIOSFODNN7EXAMPL1 is stale: created 2025-08-13, due 2025-11-11 (limit 90 \
                 days), last used 2026-02-28 by sts in us-east-1; also stale: AKIAIOSFODNN7EXAMPL0 (created 2025-10-18, last \
                 used 2026-02-28)."
                    .to_owned(),
            ),
            (
                &[(134, Active)],
                true,
                format!(
                    "Exempt until 2026-06-01 (owner: payments): AKIAIOSFODNN7EXAMPL0 was created 2025-10-18, due 2026-01-16 (limit \
                     90 days). {}",
                    DO.trim_end_matches('.')
                ),
            ),
            (&[(3, Active)], false, DO.to_owned()),
            (
                &[(80, Active)],
                false,
                format!(
                    "{DO} AKIAIOSFODNN7EXAMPL0 (created 2025-12-11) is due on 2026-03-11 (limit 90 days). Rotate it before then."
                ),
            ),
            (
                &[(3, Inactive)],
                false,
                "AWS found a key of this user in public. Find out what it did, then detach the quarantine policy.".to_owned(),
            ),
        ] {
            let exposed = verdict(Exposure::Exposed, keys, is_exempt);
            assert_eq!(exposed.annotation.unwrap(), format!("EXPOSED: bot: {expected}"));
            assert_eq!(exposed.compliance, verdict(Exposure::NotExposed, keys, is_exempt).compliance);
        }
    }

    #[test]
    fn a_violator_of_unknown_exposure_is_said_to_be_one() {
        for (keys, end) in [
            (
                &[(134, KeyStatus::Active)][..],
                "us-east-1. Exposure unknown. Create a new key, switch to it, deactivate this one.",
            ),
            (
                &[(134, KeyStatus::Active), (200, KeyStatus::Active)],
                "(created 2025-10-18, last used 2026-02-28). Exposure unknown: rotate them now.",
            ),
        ] {
            let unknown = verdict(Exposure::Unknown, keys, false);
            let annotation = unknown.annotation.unwrap();
            assert!(annotation.starts_with("bot: AKIA") && annotation.ends_with(end), "{annotation}");
            assert_eq!(verdict(Exposure::NotRead, keys, false), verdict(Exposure::NotExposed, keys, false));
        }
        let young = [(3, KeyStatus::Active)];
        assert_eq!(verdict(Exposure::Unknown, &young, false), verdict(Exposure::NotExposed, &young, false));
    }

    #[test]
    fn a_notice_that_was_not_sent_costs_the_name_and_leaves_exposed() {
        let mut verdict = verdict(Exposure::Exposed, &[(134, KeyStatus::Active), (200, KeyStatus::Active)], false);
        verdict.notice_not_sent();
        let annotation = verdict.annotation.unwrap();
        assert!(
            annotation.starts_with("EXPOSED: One is public") && annotation.ends_with("Notice not sent yet."),
            "{annotation}"
        );
    }

    #[test]
    fn an_exposure_is_told_at_once_and_then_on_each_day() {
        let at = |time: &str| time.parse::<DateTime<Utc>>().unwrap();
        let recorded = |invoked: &str, annotation: &str| RecordedResult {
            user_id: "AIDABOT".to_owned(),
            compliance: Compliance::Compliant,
            annotation: annotation.to_owned(),
            recorded: None,
            invoked: Some(at(invoked)),
        };
        let now = at(NOW);
        for (recorded, is_to_tell) in [
            (None, true),
            (Some(recorded("2026-03-01T06:00:00Z", "No access key becomes stale before 2026-05-01.")), true),
            (Some(recorded("2026-03-01T06:00:00Z", "bot: EXPOSED is a word.")), true),
            (Some(recorded("2026-03-01T00:00:00Z", "EXPOSED: bot: Deactivate its keys.")), false),
            (Some(recorded("2026-02-28T23:59:59Z", "EXPOSED: bot: Deactivate its keys.")), true),
            (Some(recorded("2026-03-01T06:00:00Z", "EXPOSED: Deactivate its keys. Notice not sent yet.")), true),
        ] {
            assert_eq!(Exposure::Exposed.is_to_tell(recorded.as_ref(), now), is_to_tell, "{recorded:?}");
            for exposure in [Exposure::NotExposed, Exposure::Unknown, Exposure::NotRead] {
                assert!(!exposure.is_to_tell(recorded.as_ref(), now));
            }
        }
    }
}
