//! The tags of a user, with which whoever may tag them can ask for an exemption.

use crate::terms::{assert_annotation, parameters, time};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use policy::{
    access_key::{AccessKey, KeyState, KeyStatus, LastUsed},
    annotation::is_exemption,
    assessment::{Assessment, assess},
    exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_UNTIL, EXEMPTION_TAGS, Exemption},
    exposure::Exposure,
    parameters::Parameters,
    skip_until::is_routine,
    user::{Tags, User},
    verdict::Compliance,
};

/// The input is a line with the time now, `maxAccessKeyAge`, `warnBeforeDays` and `maxExemptionDays`, a line for each access key
/// (status, creation and, if it is known, last use or `never`), an empty line, and a line for each tag (`NAME=VALUE`).
pub(crate) fn tags(input: &[u8]) -> bool {
    let text = String::from_utf8_lossy(input);
    let mut lines = text.split('\n');
    let [now, limit, warn, most] = lines.next().unwrap_or_default().split(' ').collect::<Vec<_>>()[..] else {
        return false;
    };
    let (Some(now), Some(parameters)) = (time(now), parameters(limit, warn, most)) else { return false };
    let keys = lines.by_ref().take_while(|line| !line.is_empty()).enumerate();
    let Some(keys) = keys.map(|(number, line)| key(number, line)).collect::<Option<Vec<_>>>() else {
        return false;
    };
    let tags: Tags =
        lines.filter_map(|tag| tag.split_once('=')).map(|(name, value)| (name.into(), value.into())).collect();

    let exemption = Exemption::read(&tags, now.date_naive(), parameters.max_exemption_days);
    let expected = by_definition(&tags, now.date_naive(), &parameters);
    assert_exemption(&exemption, expected, &tags);
    let assessed_at = |now| assess(user(), keys.clone(), Some(tags.clone()), Exposure::NotExposed, &parameters, now);
    let assessment = assessed_at(now);
    assert_assessment(&assessment, &keys, &exemption, &parameters, now);
    if let Some((until, _)) = expected {
        let after = until.and_time(NaiveTime::MIN).and_utc() + TimeDelta::days(1);
        let assessment = assessed_at(after);
        assert!(!assessment.is_exempt(), "exempt at {after}: {assessment:?}");
    }
    assessment.is_exempt()
}

fn user() -> User {
    User { name: "bot".to_owned(), id: "AIDABOT".to_owned(), arn: String::new(), created: DateTime::<Utc>::MIN_UTC }
}

fn key(number: usize, line: &str) -> Option<AccessKey> {
    let mut fields = line.split(' ');
    let id = format!("AKIAIOSFODNN7EXAMP{number:02}");
    let status = match fields.next()? {
        "Active" => KeyStatus::Active,
        "Inactive" => KeyStatus::Inactive,
        "Expired" => KeyStatus::Expired,
        _ => return None,
    };
    let created = time(fields.next()?)?;
    let last_used = match fields.next() {
        None => None,
        Some(at) => {
            let at = if at == "never" { None } else { Some(time(at)?) };
            Some(LastUsed { at, region: "us-east-1".to_owned(), service: "s3".to_owned() })
        }
    };
    Some(AccessKey { id, status, created, last_used: last_used.map(Box::new) })
}

/// The last day of a valid exemption, and the only key that it covers.
fn by_definition<'a>(
    tags: &'a Tags,
    today: NaiveDate,
    parameters: &Parameters,
) -> Option<(NaiveDate, Option<&'a str>)> {
    let tag = |name| tags.get(name).map(|value| value.trim());
    let parts: Vec<_> = tag(EXEMPT_UNTIL)?.split('-').collect();
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let ([4, 2, 2], true) =
        (&parts.iter().map(|part| part.len()).collect::<Vec<_>>()[..], parts.iter().all(|part| digits(part)))
    else {
        return None;
    };
    let until = NaiveDate::from_ymd_opt(parts[0].parse().ok()?, parts[1].parse().ok()?, parts[2].parse().ok()?)?;
    let days = (until - today).num_days();
    let is_owned = tag(EXEMPT_OWNER).is_some_and(|owner| !owner.is_empty());
    let key = tag(EXEMPT_KEY);
    let holds = is_owned && key != Some("") && (0..=i64::from(parameters.max_exemption_days)).contains(&days);
    holds.then_some((until, key))
}

fn assert_exemption(exemption: &Exemption, expected: Option<(NaiveDate, Option<&str>)>, tags: &Tags) {
    match exemption {
        Exemption::Absent => assert!(!EXEMPTION_TAGS.iter().any(|name| tags.contains_key(*name)), "{tags:?}"),
        Exemption::Valid { until, owner, key, .. } => {
            assert_eq!(Some((*until, key.as_deref())), expected, "{tags:?}");
            assert!(!owner.is_empty());
        }
        Exemption::Void(why) => {
            assert_eq!(expected, None, "{tags:?}: {why}");
            assert_annotation(why);
            assert!(why.contains(" void: ") || why.starts_with("Exemption expired on "), "{why}");
            assert!(!exemption.covers(""), "{why}");
        }
    }
}

fn assert_assessment(
    assessment: &Assessment,
    keys: &[AccessKey],
    exemption: &Exemption,
    parameters: &Parameters,
    now: DateTime<Utc>,
) {
    let older = |key: &AccessKey, days: i64| now - key.created > TimeDelta::days(days);
    let (limit, warn) = (i64::from(parameters.max_access_key_age), i64::from(parameters.warn_before_days));
    let active = keys.iter().filter(|key| key.status == KeyStatus::Active);
    let mut stale: Vec<_> = active.clone().filter(|key| older(key, limit)).collect();
    stale.sort_by_key(|key| (key.created, &key.id));
    let violations: Vec<_> = stale.iter().filter(|key| !exemption.covers(&key.id)).map(|key| key.id.clone()).collect();
    assert_annotation(assessment.verdict.annotation.as_deref().unwrap());
    let said = assessment.said().unwrap();
    let found: Vec<_> = assessment.keys_in(KeyState::Violation).into_iter().map(|key| key.id.clone()).collect();
    let (is_exempt, is_due_soon) = (assessment.is_exempt(), assessment.is_due_soon());
    assert_eq!(found, violations, "{said}");
    assert_eq!(assessment.verdict.compliance == Compliance::NonCompliant, !violations.is_empty(), "{said}");
    assert_eq!(is_exempt, !stale.is_empty() && violations.is_empty(), "{said}");
    assert_eq!(is_exemption(said), is_exempt, "{said}");
    assert_eq!(is_due_soon, stale.is_empty() && active.clone().any(|key| older(key, limit - warn)), "{said}");
    if let Some(first) = violations.first() {
        assert!(said.starts_with(&format!("{first} is stale: created ")), "{said}");
    }
    if let (Exemption::Void(why), false, false) = (exemption, violations.is_empty(), said.contains("...")) {
        assert!(said.contains(why.as_str()), "{said} does not say: {why}");
    }
    if let (Exemption::Valid { until, .. }, true) = (exemption, is_exempt) {
        assert!(said.starts_with(&format!("Exempt until {until} (owner: ")), "{said}");
    }
    // A result that says until when spares the user's next reads, so nothing that a tag says may look like it.
    if is_routine(said) || assessment.skip_until.is_some() {
        assert!(stale.is_empty() && !is_due_soon && !keys.iter().any(|key| older(key, limit)), "{said}");
    }
}
