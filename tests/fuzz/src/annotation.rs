//! An annotation that AWS Config recorded, and that lets a later sweep skip a user. Whoever administers an account can write there
//! what they like.

use crate::terms::{assert_annotation, parameters, time};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use policy::{
    access_key::{AccessKey, KeyStatus},
    assessment::{assess, assess_unread},
    exposure::Exposure,
    parameters::Parameters,
    recorded_result::RecordedResult,
    skip_until::is_routine,
    user::User,
    verdict::{Compliance, Verdict},
};

/// The input is a line with the time when AWS Config recorded the annotation, the time now, `maxAccessKeyAge` and
/// `warnBeforeDays`, and after it the annotation.
pub(crate) fn annotation(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let Some((terms, annotation)) = text.split_once('\n') else { return false };
    let [recorded, now, limit, warn] = terms.split(' ').collect::<Vec<_>>()[..] else { return false };
    let (Some(recorded), Some(now)) = (time(recorded), time(now)) else { return false };
    let Some(parameters) = parameters(limit, warn, "") else { return false };

    assert_what_is_written_is_believed(recorded, now, &parameters);
    let result = compliant(annotation, recorded);
    let Some(verdict) = unread(&result, &parameters, recorded) else { return false };
    assert_eq!(verdict.annotation.as_deref(), Some(annotation));
    assert_annotation(annotation);
    assert!(is_routine(annotation), "{annotation}");
    assert_proves_no_more_than_a_reading(&result, now, &parameters);
    true
}

/// Whatever the annotation claims, nobody is skipped who has a key that IAM may have listed too late for the most favorable reading:
/// one that found nothing, at the moment when AWS Config recorded it.
fn assert_proves_no_more_than_a_reading(result: &RecordedResult, now: DateTime<Utc>, parameters: &Parameters) {
    let unlisted = key(result.recorded.unwrap() - TimeDelta::days(1));
    let days = i64::from(parameters.max_access_key_age) - i64::from(parameters.warn_before_days);
    let due_soon = unlisted.created + TimeDelta::days(days);
    let midnight = due_soon - TimeDelta::seconds(due_soon.num_seconds_from_midnight().into());
    for then in [now, due_soon, midnight - TimeDelta::seconds(1), midnight, due_soon + TimeDelta::seconds(1)] {
        if unread(result, parameters, then).is_some() {
            assert_nothing_to_do(vec![unlisted.clone()], parameters, then);
        }
    }
}

/// The result of a user who was read at one time and recorded at another is believed.
fn assert_what_is_written_is_believed(read: DateTime<Utc>, later: DateTime<Utc>, parameters: &Parameters) {
    let (read, recorded) = (read.min(later), read.max(later));
    let age = (recorded - read).min(TimeDelta::days(parameters.max_access_key_age.into()));
    for keys in [vec![], vec![key(read)], vec![key(read - age), key(read)]] {
        let assessment = assess(user(), keys.clone(), None, Exposure::NotExposed, parameters, read);
        let annotation = assessment.verdict.annotation.unwrap();
        assert_annotation(&annotation);
        let Some(until) = assessment.skip_until else { continue };
        assert!(is_routine(&annotation), "{annotation}");
        let verdict = unread(&compliant(&annotation, recorded), parameters, recorded);
        assert_eq!(verdict.is_some(), recorded.date_naive() < until, "{annotation}");
        if let Some(verdict) = verdict {
            assert_eq!(verdict.annotation, Some(annotation));
            assert_nothing_to_do(keys, parameters, recorded);
        }
    }
}

fn assert_nothing_to_do(keys: Vec<AccessKey>, parameters: &Parameters, then: DateTime<Utc>) {
    let assessment = assess(user(), keys, None, Exposure::NotExposed, parameters, then);
    let is_compliant = assessment.verdict.compliance == Compliance::Compliant;
    assert!(is_compliant && !assessment.is_due_soon(), "at {then}: {assessment:?}");
}

fn unread(result: &RecordedResult, parameters: &Parameters, then: DateTime<Utc>) -> Option<Verdict> {
    assess_unread(&user(), Some(result), parameters, then)
}

fn compliant(annotation: &str, recorded: DateTime<Utc>) -> RecordedResult {
    let (user_id, annotation) = ("AIDABOT".to_owned(), annotation.to_owned());
    RecordedResult { user_id, compliance: Compliance::Compliant, annotation, recorded: Some(recorded), invoked: None }
}

/// So old that the user's own age proves nothing.
fn user() -> User {
    User { name: "bot".to_owned(), id: "AIDABOT".to_owned(), arn: String::new(), created: DateTime::<Utc>::MIN_UTC }
}

fn key(created: DateTime<Utc>) -> AccessKey {
    AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), status: KeyStatus::Active, created, last_used: None }
}
