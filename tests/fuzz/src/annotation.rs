//! An annotation that AWS Config holds, which a later sweep takes for its memory. Whoever administers an account can write there
//! what they like.

use crate::terms::{assert_annotation, parameters, time};
use chrono::{DateTime, TimeDelta, Timelike, Utc};
use policy::{
    access_key::{AccessKey, KeyStatus, LastUses},
    clearance::{Clearance, is_routine},
    decision::{Compliance, decide},
    exemption::Tags,
    parameters::Parameters,
};
use std::slice;

/// The input is a line with the time when AWS Config recorded the annotation, the time now, `maxAccessKeyAge` and
/// `warnBeforeDays`, and after it the annotation.
pub(crate) fn annotation(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let Some((terms, annotation)) = text.split_once('\n') else { return false };
    let [recorded, now, limit, warn] = terms.split(' ').collect::<Vec<_>>()[..] else { return false };
    let (Some(recorded), Some(now)) = (time(recorded), time(now)) else { return false };
    let Some(parameters) = parameters(limit, warn, "") else { return false };

    assert_what_is_written_is_remembered(recorded, now, &parameters);
    let Some(clearance) = Clearance::remembered(annotation, recorded, &parameters) else { return false };
    assert_eq!(clearance.annotation(), annotation);
    assert_annotation(annotation);
    assert!(is_routine(annotation), "{annotation}");
    assert_proves_no_more_than_a_reading(clearance, recorded, now, &parameters);
    true
}

/// Whatever the annotation claims, it clears no key that IAM may have listed too late for the most favorable reading: one that
/// found nothing, at the moment when AWS Config recorded it.
fn assert_proves_no_more_than_a_reading(
    clearance: Clearance,
    recorded: DateTime<Utc>,
    now: DateTime<Utc>,
    parameters: &Parameters,
) {
    let unlisted = key(recorded - TimeDelta::days(1));
    let days = i64::from(parameters.max_access_key_age) - i64::from(parameters.warn_before_days);
    let due_soon = unlisted.created + TimeDelta::days(days);
    let midnight = due_soon - TimeDelta::seconds(due_soon.num_seconds_from_midnight().into());
    for then in [now, due_soon, midnight - TimeDelta::seconds(1), midnight, due_soon + TimeDelta::seconds(1)] {
        if clearance.spares_read(parameters, then) {
            let verdict = decide(slice::from_ref(&unlisted), &LastUses::new(), &Tags::new(), parameters, then);
            assert!(
                verdict.compliance == Compliance::Compliant && !verdict.due_soon,
                "{clearance:?} at {then}: {verdict:?}"
            );
        }
    }
}

/// A user who was read at one time and recorded at another is remembered as read.
fn assert_what_is_written_is_remembered(read: DateTime<Utc>, later: DateTime<Utc>, parameters: &Parameters) {
    let (read, recorded) = (read.min(later), read.max(later));
    let age = (recorded - read).min(TimeDelta::days(parameters.max_access_key_age.into()));
    for keys in [vec![], vec![key(read)], vec![key(read - age), key(read)]] {
        let clearance = Clearance::of_keys(&keys, parameters, read);
        let annotation = clearance.annotation();
        assert_annotation(&annotation);
        assert!(is_routine(&annotation), "{annotation}");
        match Clearance::remembered(&annotation, recorded, parameters) {
            Some(remembered) => assert_eq!(remembered, clearance),
            None => assert_eq!(annotation, "The user has no access key."),
        }
        if clearance.spares_read(parameters, recorded) {
            let verdict = decide(&keys, &LastUses::new(), &Tags::new(), parameters, recorded);
            assert!(verdict.compliance == Compliance::Compliant && !verdict.due_soon, "{clearance:?}: {verdict:?}");
        }
    }
}

fn key(created: DateTime<Utc>) -> AccessKey {
    AccessKey { id: "AKIAIOSFODNN7EXAMPLE".to_owned(), status: KeyStatus::Active, created }
}
