use super::*;
use crate::exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL};
use proptest::prelude::*;
use serde_json::Value;

const FIRST: &str = "AKIAIOSFODNN7EXAMPLE";
const SECOND: &str = "AKIAI44QH8DHBEXAMPLE";

fn now() -> DateTime<Utc> {
    at("2026-03-01T12:00:00Z")
}

fn at(time: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(time).unwrap().to_utc()
}

fn key(id: &str, status: KeyStatus, age: TimeDelta) -> AccessKey {
    AccessKey { id: id.to_owned(), status, created: now() - age }
}

fn active(id: &str, days: i64) -> AccessKey {
    key(id, KeyStatus::Active, TimeDelta::days(days))
}

fn used(day: &str) -> LastUsed {
    LastUsed { at: Some(at(day)), region: "us-east-1".to_owned(), service: "s3".to_owned() }
}

fn unused() -> LastUsed {
    LastUsed { at: None, region: "N/A".to_owned(), service: "N/A".to_owned() }
}

fn tags(tags: &[(&str, &str)]) -> Tags {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn stale(found: &[(AccessKey, LastUsed)], given: &[(&str, &str)]) -> (Compliance, String) {
    let keys: Vec<_> = found.iter().map(|(key, _)| key.clone()).collect();
    let verdict = with_stale_keys(found, &keys, &tags(given), &Parameters::default(), now());
    (verdict.compliance, verdict.annotation.unwrap())
}

/// The runbooks in templates/member.yaml decide the same cases: see tests/rollout/test_decisions.py.
#[test]
fn decides_as_the_runbooks_do() {
    let shared: Value = serde_json::from_str(include_str!("../../../tests/decisions.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let now = at(&text(&shared["now"]));
    for case in shared["verdicts"].as_array().unwrap() {
        let number = |name: &str| {
            let value = case["parameters"].get(name).unwrap_or(&shared["parameters"][name]);
            u16::try_from(value.as_u64().unwrap()).unwrap()
        };
        let parameters = Parameters {
            max_access_key_age: number("maxAccessKeyAge"),
            max_exemption_days: number("maxExemptionDays"),
            ..Parameters::default()
        };
        let keys: Vec<_> = case["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| {
                let status = match key[1].as_str().unwrap() {
                    "Active" => KeyStatus::Active,
                    "Inactive" => KeyStatus::Inactive,
                    other => {
                        assert_eq!(other, "Expired");
                        KeyStatus::Expired
                    }
                };
                AccessKey { id: text(&key[0]), status, created: at(&text(&key[2])) }
            })
            .collect();
        let tags =
            case["tags"].as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
        let stale: Vec<_> = stale_keys(&keys, &parameters, now).into_iter().map(|key| (key, unused())).collect();
        let verdict = if stale.is_empty() {
            without_stale_keys(&keys, &parameters, now)
        } else {
            with_stale_keys(&stale, &keys, &tags, &parameters, now)
        };
        let mut expected: Vec<_> = case["stale"].as_array().unwrap().iter().map(text).collect();
        let mut violations = verdict.violations.clone();
        expected.sort();
        violations.sort();
        assert_eq!(violations, expected, "{}", case["name"]);
        assert_eq!(verdict.compliance == Compliance::NonCompliant, !expected.is_empty(), "{}", case["name"]);
    }
}

#[test]
fn a_key_is_stale_from_the_first_second_beyond_the_limit() {
    let day = TimeDelta::days;
    let second = TimeDelta::seconds;
    for (limit, age, status, is_stale) in [
        (90, day(90) - second(1), KeyStatus::Active, false),
        (90, day(90), KeyStatus::Active, false),
        (90, day(90) + second(1), KeyStatus::Active, true),
        (90, day(90) + second(1), KeyStatus::Inactive, false),
        (90, day(90) + second(1), KeyStatus::Expired, false),
        (90, day(4000), KeyStatus::Active, true),
        (90, second(-1), KeyStatus::Active, false),
        (1, day(1), KeyStatus::Active, false),
        (1, day(1) + second(1), KeyStatus::Active, true),
        (3650, day(3650), KeyStatus::Active, false),
        (3650, day(3650) + second(1), KeyStatus::Active, true),
    ] {
        let parameters = Parameters { max_access_key_age: limit, ..Parameters::default() };
        let found = stale_keys(&[key(FIRST, status, age)], &parameters, now());
        assert_eq!(!found.is_empty(), is_stale, "{status:?} key of {age} with a limit of {limit} days");
    }
}

#[test]
fn stale_keys_come_oldest_first() {
    let keys = [active(FIRST, 91), active("AKIAYOUNG", 10), active(SECOND, 400)];
    let ids: Vec<_> = stale_keys(&keys, &Parameters::default(), now()).into_iter().map(|key| key.id).collect();
    assert_eq!(ids, [SECOND, FIRST]);
}

#[test]
fn a_compliant_user_is_told_of_a_key_that_falls_due_soon() {
    for (keys, expected) in [
        (vec![], None),
        (vec![active(FIRST, 76)], None),
        (vec![key(FIRST, KeyStatus::Inactive, TimeDelta::days(80))], None),
        (
            vec![key(FIRST, KeyStatus::Active, TimeDelta::days(76) + TimeDelta::seconds(1))],
            Some("AKIAIOSFODNN7EXAMPLE falls due on 2026-03-15 (76 of 90 days old). Rotate before then."),
        ),
        (
            vec![active(FIRST, 80), active(SECOND, 88), active("AKIAYOUNG", 3)],
            Some(
                "AKIAI44QH8DHBEXAMPLE falls due on 2026-03-03 (88 of 90 days old); AKIAIOSFODNN7EXAMPLE on \
                 2026-03-11. Rotate before then.",
            ),
        ),
    ] {
        let verdict = without_stale_keys(&keys, &Parameters::default(), now());
        assert_eq!(verdict.compliance, Compliance::Compliant);
        assert_eq!(verdict.annotation.as_deref(), expected, "{keys:?}");
    }
}

#[test]
fn a_violation_says_which_key_how_old_last_used_and_what_to_do() {
    assert_eq!(
        stale(&[(active(FIRST, 134), used("2026-02-27T08:00:00Z"))], &[]),
        (
            Compliance::NonCompliant,
            "AKIAIOSFODNN7EXAMPLE is 134 days old (limit 90, due 2026-01-16), last used 2026-02-27 by s3 in \
             us-east-1. Create a new key, switch to it, deactivate this one."
                .to_owned()
        )
    );
    assert_eq!(
        stale(&[(active(FIRST, 134), unused())], &[]).1,
        "AKIAIOSFODNN7EXAMPLE is 134 days old (limit 90, due 2026-01-16), no use on record. Deactivate it, then \
         delete it."
    );
    let nowhere = LastUsed { at: Some(now()), ..unused() };
    assert!(stale(&[(active(FIRST, 134), nowhere)], &[]).1.contains("last used 2026-03-01. Create"));
    let both = [(active(SECOND, 400), used("2025-12-01T00:00:00Z")), (active(FIRST, 134), unused())];
    assert_eq!(
        stale(&both, &[]).1,
        "AKIAI44QH8DHBEXAMPLE is 400 days old (limit 90, due 2025-04-25), last used 2025-12-01 by s3 in us-east-1; \
         also stale: AKIAIOSFODNN7EXAMPLE (134 days, no use on record). Deactivate and delete one, then replace the \
         other."
    );
}

#[test]
fn the_advice_fits_the_keys_that_the_user_has() {
    let old = active(FIRST, 134);
    let used = used("2026-02-27T08:00:00Z");
    let inactive = key(SECOND, KeyStatus::Inactive, TimeDelta::days(400));
    for (violations, keys, expected) in [
        (vec![(old.clone(), used.clone())], vec![old.clone()], "Create a new key, switch to it, deactivate this one."),
        (
            vec![(old.clone(), used.clone())],
            vec![old.clone(), active(SECOND, 3)],
            "Switch to the newer key, deactivate this one.",
        ),
        (
            vec![(old.clone(), used.clone())],
            vec![old.clone(), inactive.clone()],
            "Delete the inactive key, create a new one, switch to it, deactivate this one.",
        ),
        (
            vec![(old.clone(), used.clone())],
            vec![old.clone(), active(SECOND, 400)],
            "Deactivate it as soon as nothing uses it.",
        ),
        (vec![(old.clone(), unused())], vec![old.clone(), inactive], "Deactivate it, then delete it."),
        (
            vec![(active(SECOND, 400), used), (old.clone(), unused())],
            vec![active(SECOND, 400), old.clone()],
            "Deactivate and delete one, then replace the other.",
        ),
        (
            vec![(active(SECOND, 400), unused()), (old.clone(), unused())],
            vec![active(SECOND, 400), old],
            "Deactivate them, then delete them.",
        ),
    ] {
        let text = with_stale_keys(&violations, &keys, &Tags::new(), &Parameters::default(), now()).annotation.unwrap();
        assert!(text.ends_with(expected), "{expected}: {text}");
    }
}

#[test]
fn an_exemption_makes_compliant_and_says_so() {
    let given = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments"), (EXEMPT_REASON, "vendor migration")];
    let found = [(active(FIRST, 134), used("2026-02-27T08:00:00Z"))];
    let verdict = with_stale_keys(&found, &[], &tags(&given), &Parameters::default(), now());
    assert!(verdict.exempt && verdict.violations.is_empty());
    assert_eq!(verdict.compliance, Compliance::Compliant);
    assert_eq!(
        verdict.annotation.unwrap(),
        "Exempt until 2026-06-01 (owner: payments): AKIAIOSFODNN7EXAMPLE is 134 days old (limit 90, due \
         2026-01-16), last used 2026-02-27 by s3 in us-east-1. Reason: vendor migration"
    );
}

#[test]
fn an_exemption_that_does_not_hold_is_explained() {
    let found = [(active(FIRST, 134), unused())];
    let (compliance, text) = stale(&found, &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "payments")]);
    assert_eq!(compliance, Compliance::NonCompliant);
    assert_eq!(
        text,
        "AKIAIOSFODNN7EXAMPLE is 134 days old (limit 90, due 2026-01-16), no use on record. Exemption expired on \
         2026-02-28 (owner: payments). Deactivate it, then delete it."
    );
}

#[test]
fn an_exemption_for_one_key_leaves_the_other() {
    let given = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments"), (EXEMPT_KEY, SECOND)];
    let both = [(active(SECOND, 400), unused()), (active(FIRST, 134), unused())];
    let verdict = with_stale_keys(&both, &[], &tags(&given), &Parameters::default(), now());
    assert_eq!(verdict.compliance, Compliance::NonCompliant);
    assert_eq!(verdict.violations, [FIRST]);
    let text = verdict.annotation.unwrap();
    assert!(text.starts_with("AKIAIOSFODNN7EXAMPLE is 134 days old"), "{text}");
    assert!(text.contains("The exemption covers only AKIAI44QH8DHBEXAMPLE."), "{text}");
    assert_eq!(keys_named(&text), BTreeSet::from([FIRST]));

    let covered = with_stale_keys(&both[..1], &[], &tags(&given), &Parameters::default(), now());
    assert!(covered.exempt);
}

#[test]
fn what_a_tag_quotes_is_not_a_key_that_the_annotation_names() {
    let given = [(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, SECOND)];
    let (_, text) = stale(&[(active(FIRST, 134), unused())], &given);
    assert!(text.contains(SECOND));
    assert_eq!(keys_named(&text), BTreeSet::from([FIRST]));
}

#[test]
fn days_end_at_midnight_utc() {
    let given = tags(&[(EXEMPT_UNTIL, "2026-03-01"), (EXEMPT_OWNER, "payments")]);
    let found = [(active(FIRST, 134), unused())];
    for (time, exempt) in
        [("2026-03-01T00:00:00Z", true), ("2026-03-01T23:59:59Z", true), ("2026-03-02T00:00:00Z", false)]
    {
        assert_eq!(with_stale_keys(&found, &[], &given, &Parameters::default(), at(time)).exempt, exempt, "{time}");
    }
}

proptest! {
    #[test]
    fn any_annotation_can_be_searched_for_keys(text in any::<String>()) {
        for key in keys_named(&text) {
            prop_assert!(key.len() >= 16);
        }
    }

    #[test]
    fn an_annotation_is_1_to_256_printable_ascii_characters_and_names_the_oldest_key(
        tag_values in proptest::collection::vec(proptest::option::of(any::<String>()), 4),
        until in "20[0-9]{2}-[01][0-9]-[0-3][0-9]",
        ages in proptest::collection::vec(0i64..200_000, 1..4),
        service in any::<String>(),
        region in any::<String>(),
        was_used in any::<bool>(),
        max_access_key_age in 1u16..3651,
        warn_before_days in 0u16..366,
    ) {
        let parameters = Parameters { max_access_key_age, warn_before_days, ..Parameters::default() };
        let names = [EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_KEY, EXEMPT_UNTIL];
        let mut given: Tags = names.iter().zip(tag_values)
            .filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect();
        if given.contains_key(EXEMPT_UNTIL) {
            given.insert(EXEMPT_UNTIL.to_owned(), until);
        }
        let keys: Vec<_> = ages.iter().enumerate().map(|(n, days)| active(&format!("AKIAIOSFODNN7EXAMPL{n}"), *days)).collect();
        let used = LastUsed { at: was_used.then(now), region, service };
        let found: Vec<_> = stale_keys(&keys, &parameters, now()).into_iter().map(|key| (key, used.clone())).collect();
        let verdict = match found.is_empty() {
            true => without_stale_keys(&keys, &parameters, now()),
            false => with_stale_keys(&found, &keys, &given, &parameters, now()),
        };
        if let Some(text) = &verdict.annotation {
            prop_assert!((1..=ANNOTATION_LIMIT).contains(&text.len()), "{} characters", text.len());
            prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
        }
        if let Some(oldest) = verdict.violations.first() {
            prop_assert!(verdict.annotation.unwrap().starts_with(oldest.as_str()));
        }
    }
}
