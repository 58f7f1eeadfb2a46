use super::*;
use crate::{
    annotation::{ANNOTATION_LIMIT, is_exemption},
    exemption::{EXEMPT_KEY, EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_UNTIL},
};
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
    AccessKey { id: id.to_owned(), status, created: now() - age, last_used: None }
}

fn active(id: &str, days: i64) -> AccessKey {
    key(id, KeyStatus::Active, TimeDelta::days(days))
}

fn inactive(id: &str, days: i64) -> AccessKey {
    key(id, KeyStatus::Inactive, TimeDelta::days(days))
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

fn user() -> User {
    User {
        name: "bot".to_owned(),
        id: "AIDABOT".to_owned(),
        arn: "arn:aws:iam::111122223333:user/bot".to_owned(),
        created: now() - TimeDelta::days(5000),
    }
}

fn assessed(keys: &[AccessKey], given: &Tags, parameters: &Parameters, now: DateTime<Utc>) -> Assessment {
    assess(user(), keys.to_vec(), Some(given.clone()), Exposure::NotExposed, parameters, now)
}

fn of(keys: &[AccessKey], last_uses: &[(&str, LastUsed)], given: &[(&str, &str)]) -> Assessment {
    let mut keys = keys.to_vec();
    for key in &mut keys {
        key.last_used = last_uses.iter().find(|(id, _)| *id == key.id).map(|(_, used)| Box::new(used.clone()));
    }
    assessed(&keys, &tags(given), &Parameters::default(), now())
}

/// The ids of keys in violation, oldest first.
fn violations(assessment: &Assessment) -> Vec<&str> {
    assessment.keys_in(KeyState::Violation).into_iter().map(|key| key.id.as_str()).collect()
}

/// Checks the compliance and returns the annotation, without the user's name.
fn says(compliance: Compliance, assessment: &Assessment) -> &str {
    assert_eq!(assessment.verdict.compliance, compliance, "{assessment:?}");
    let text = assessment.verdict.annotation.as_deref().unwrap();
    assert_eq!(is_exemption(text), assessment.is_exempt(), "{text}");
    let said = assessment.said().unwrap();
    assert!([said.to_owned(), format!("bot: {said}")].contains(&text.to_owned()), "{text}");
    said
}

/// The annotation of a user with this name.
fn annotation_of(name: &str, keys: &[AccessKey], given: &[(&str, &str)]) -> String {
    let user = User { name: name.to_owned(), ..user() };
    let assessment =
        assess(user, keys.to_vec(), Some(tags(given)), Exposure::NotExposed, &Parameters::default(), now());
    let text = assessment.verdict.annotation.clone().unwrap();
    assert_eq!(is_exemption(&text), assessment.is_exempt(), "{text}");
    text
}

#[test]
fn json_has_the_words_of_iam_and_of_aws_config() {
    let json = |value: Value| value.as_str().unwrap().to_owned();
    for status in [KeyStatus::Active, KeyStatus::Inactive, KeyStatus::Expired] {
        assert_eq!(json(serde_json::to_value(status).unwrap()), status.as_str());
    }
    for compliance in [Compliance::Compliant, Compliance::NonCompliant, Compliance::NotApplicable] {
        assert_eq!(json(serde_json::to_value(compliance).unwrap()), compliance.as_str());
    }
}

/// The runbooks in templates/member.yaml decide the same cases: see tests/rollout/test_decisions.py.
#[test]
fn the_rule_decides_as_the_runbooks_do() {
    let shared: Value = serde_json::from_str(include_str!("../../../../tests/decisions.json")).unwrap();
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
                AccessKey { id: text(&key[0]), status, created: at(&text(&key[2])), last_used: None }
            })
            .collect();
        let tags =
            case["tags"].as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect();
        let assessment = assessed(&keys, &tags, &parameters, now);
        let mut expected: Vec<_> = case["stale"].as_array().unwrap().iter().map(text).collect();
        let mut violations = violations(&assessment);
        expected.sort();
        violations.sort_unstable();
        assert_eq!(violations, expected, "{}", case["name"]);
        assert_eq!(assessment.verdict.compliance == Compliance::NonCompliant, !expected.is_empty(), "{}", case["name"]);
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
        let keys = [key(FIRST, status, age)];
        let assessment = assessed(&keys, &Tags::new(), &parameters, now());
        let expected = if is_stale { Compliance::NonCompliant } else { Compliance::Compliant };
        assert_eq!(assessment.verdict.compliance, expected, "{status:?} key of {age} with a limit of {limit} days");
        assert_eq!(super::is_stale(&keys[0], &parameters, now()), is_stale);
        let is_old_inactive = status != KeyStatus::Active && age > day(limit.into());
        assert_eq!(assessment.has(KeyState::OldInactive), is_old_inactive);
    }
}

#[test]
fn stale_keys_come_oldest_first() {
    let assessment = of(&[active(FIRST, 91), active("AKIAYOUNG", 10), active(SECOND, 400)], &[], &[]);
    assert_eq!(violations(&assessment), [SECOND, FIRST]);
}

#[test]
fn a_compliant_users_annotation_says_what_comes_next() {
    let old_inactive = |what: &str| format!("Delete {what}");
    for (keys, due_soon, expected) in [
        (
            vec![],
            false,
            "The user had no access key on 2026-03-01. None becomes stale before 2026-05-29 (limit 90 days).".to_owned(),
        ),
        (vec![active(FIRST, 76)], false, "No access key becomes stale before 2026-03-14 (limit 90 days).".to_owned()),
        (
            vec![active(FIRST, 3), inactive(SECOND, 80)],
            false,
            "No access key becomes stale before 2026-03-10 (limit 90 days).".to_owned(),
        ),
        (vec![inactive(FIRST, 90)], false, "No access key becomes stale before 2026-02-28 (limit 90 days).".to_owned()),
        (
            vec![key(FIRST, KeyStatus::Active, TimeDelta::days(76) + TimeDelta::seconds(1))],
            true,
            "AKIAIOSFODNN7EXAMPLE (created 2025-12-15) is due on 2026-03-15 (limit 90 days). Rotate it before then.".to_owned(),
        ),
        (
            vec![active(FIRST, 80), active(SECOND, 88), active("AKIAYOUNG", 3)],
            true,
            "AKIAI44QH8DHBEXAMPLE (created 2025-12-03) is due on 2026-03-03, AKIAIOSFODNN7EXAMPLE (created 2025-12-11) on \
             2026-03-11 (limit 90 days). Rotate them before then."
                .to_owned(),
        ),
        (
            vec![active(FIRST, 3), inactive(SECOND, 400)],
            false,
            old_inactive("AKIAI44QH8DHBEXAMPLE (inactive, created 2025-01-25) once nothing needs it. It is older than 90 days."),
        ),
        (
            vec![inactive(FIRST, 91), key(SECOND, KeyStatus::Expired, TimeDelta::days(400))],
            false,
            old_inactive(
                "AKIAI44QH8DHBEXAMPLE (expired, created 2025-01-25) and AKIAIOSFODNN7EXAMPLE (inactive, created 2025-11-30) \
                 once nothing needs them. They are older than 90 days.",
            ),
        ),
        (
            vec![active(FIRST, 80), inactive(SECOND, 400)],
            true,
            "AKIAIOSFODNN7EXAMPLE (created 2025-12-11) is due on 2026-03-11 (limit 90 days). Rotate it before then. Delete \
             AKIAI44QH8DHBEXAMPLE (inactive, created 2025-01-25) once nothing needs it. It is older than 90 days."
                .to_owned(),
        ),
    ] {
        let assessment = of(&keys, &[], &[]);
        assert_eq!(says(Compliance::Compliant, &assessment), expected);
        assert_eq!(assessment.is_due_soon(), due_soon, "{expected}");
    }
}

#[test]
fn a_violation_says_which_key_its_dates_its_last_use_and_what_to_do() {
    let one = [active(FIRST, 134)];
    let both = [active(SECOND, 400), active(FIRST, 134)];
    let nowhere = LastUsed { at: Some(now()), ..unused() };
    for (keys, last_uses, expected) in [
        (
            &one[..],
            vec![(FIRST, used("2026-02-27T08:00:00Z"))],
            "AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), last used 2026-02-27 by s3 in \
             us-east-1. Create a new key, switch to it, deactivate this one.",
        ),
        (
            &one[..],
            vec![(FIRST, unused())],
            "AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), no use on record. Deactivate it, \
             then delete it.",
        ),
        (
            &one[..],
            vec![(FIRST, nowhere)],
            "AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), last used 2026-03-01. Create a \
             new key, switch to it, deactivate this one.",
        ),
        (
            &one[..],
            vec![],
            "AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), last use unknown. Create a new \
             key, switch to it, deactivate this one.",
        ),
        (
            &both[..],
            vec![(SECOND, used("2025-12-01T00:00:00Z")), (FIRST, unused())],
            "AKIAI44QH8DHBEXAMPLE is stale: created 2025-01-25, due 2025-04-25 (limit 90 days), last used 2025-12-01 by s3 in \
             us-east-1; also stale: AKIAIOSFODNN7EXAMPLE (created 2025-10-18, no use on record). Deactivate what is unused, rotate \
             the rest.",
        ),
    ] {
        assert_eq!(says(Compliance::NonCompliant, &of(keys, &last_uses, &[])), expected);
    }
}

#[test]
fn the_advice_fits_the_users_keys_and_their_last_use() {
    let old = || active(FIRST, 134);
    let other = || active(SECOND, 400);
    let recently = || used("2026-02-27T08:00:00Z");
    let unknown = vec![];
    for (keys, last_uses, expected) in [
        (vec![old()], vec![(FIRST, recently())], "Create a new key, switch to it, deactivate this one."),
        (vec![old()], unknown.clone(), "Create a new key, switch to it, deactivate this one."),
        (vec![old(), active(SECOND, 3)], vec![(FIRST, recently())], "Switch to the newer key, deactivate this one."),
        (vec![old(), active(SECOND, 3)], unknown.clone(), "Switch to the newer key, deactivate this one."),
        (vec![old(), active(SECOND, 90)], unknown.clone(), "Switch to the newer key, deactivate this one."),
        (
            vec![old(), inactive(SECOND, 400)],
            vec![(FIRST, recently())],
            "Delete the inactive key, create a new one, switch to it, deactivate this one.",
        ),
        (vec![old(), inactive(SECOND, 400)], vec![(FIRST, unused())], "Deactivate it, then delete it."),
        (vec![other(), old()], vec![(SECOND, unused()), (FIRST, unused())], "Deactivate them, then delete them."),
        (
            vec![other(), old()],
            vec![(SECOND, recently()), (FIRST, recently())],
            "Stop using one, then rotate the other.",
        ),
        (vec![other(), old()], unknown, "Find out first which of them are in use."),
        (vec![other(), old()], vec![(SECOND, unused())], "Find out first which of them are in use."),
    ] {
        let assessment = of(&keys, &last_uses, &[]);
        let text = says(Compliance::NonCompliant, &assessment);
        assert!(text.ends_with(expected), "{expected}: {text}");
    }
    let exempt = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "x"), (EXEMPT_KEY, SECOND)];
    let assessment = of(&[other(), old()], &[(FIRST, recently())], &exempt);
    let text = says(Compliance::NonCompliant, &assessment);
    assert!(text.ends_with("Deactivate it as soon as nothing uses it."), "{text}");
}

#[test]
fn what_to_do_is_of_today_and_repeats_neither_keys_nor_their_last_use() {
    let to_do = |assessment: &Assessment| assessment.to_do(90, 45, now());
    let recent = || used("2026-02-27T00:00:00Z");
    let old = || used("2025-06-01T00:00:00Z");
    let one = [active("A", 100)];
    assert_eq!(to_do(&of(&one, &[("A", recent())], &[])), "Create a new key, switch to it, deactivate this one.");
    for idle in [old(), unused()] {
        assert_eq!(to_do(&of(&one, &[("A", idle)], &[])), "Deactivate it, then delete it.");
    }
    // The last use is unknown.
    assert_eq!(to_do(&of(&one, &[], &[])), "Create a new key, switch to it, deactivate this one.");
    let two = [active("A", 100), active("B", 200)];
    assert_eq!(to_do(&of(&two, &[("A", recent()), ("B", old())], &[])), "Deactivate what is unused, rotate the rest.");
    assert_eq!(to_do(&of(&two, &[("A", recent())], &[])), "Find out first which of them are in use.");
    let void = to_do(&of(&one, &[("A", recent())], &[(EXEMPT_UNTIL, "soon"), (EXEMPT_OWNER, "web")]));
    assert!(
        void.contains("\"soon\"") && void.ends_with("Create a new key, switch to it, deactivate this one."),
        "{void}"
    );
    let exempt = [(EXEMPT_UNTIL, "2026-04-01"), (EXEMPT_OWNER, "web"), (EXEMPT_REASON, "migration")];
    assert_eq!(to_do(&of(&one, &[], &exempt)), "Exempt until 2026-04-01 (owner: web). Reason: migration.");
    assert_eq!(to_do(&of(&[active("A", 80)], &[], &[])), "Rotate it before 2026-03-11.");
    assert_eq!(
        to_do(&of(&[active("A", 80), active("B", 85)], &[], &[])),
        "Rotate them before 2026-03-06 and 2026-03-11."
    );
    assert_eq!(
        to_do(&of(&[active("A", 80), inactive("B", 300)], &[], &[])),
        "Rotate it before 2026-03-11. Delete the old inactive key once nothing needs it."
    );
    assert_eq!(to_do(&of(&[active("A", 1)], &[], &[])), "");
    let mut leaked = of(&one, &[("A", recent())], &[]);
    leaked.exposure = Exposure::Exposed;
    assert_eq!(to_do(&leaked), "Deactivate this user's keys now: AWS found one in public.");
    leaked.exposure = Exposure::Unknown;
    assert_eq!(to_do(&leaked), "Exposure unknown. Create a new key, switch to it, deactivate this one.");
}

#[test]
fn the_advice_on_two_keys_is_not_cut() {
    // Most services and Regions have shorter names.
    let used = || LastUsed { at: Some(now()), region: "eu-central-1".to_owned(), service: "secretsmanager".to_owned() };
    for last_uses in
        [vec![(SECOND, used()), (FIRST, used())], vec![(SECOND, used()), (FIRST, unused())], vec![(SECOND, used())]]
    {
        let assessment = of(&[active(SECOND, 400), active(FIRST, 134)], &last_uses, &[]);
        let text = says(Compliance::NonCompliant, &assessment);
        assert!(!text.ends_with("..."), "{text}");
    }
}

#[test]
fn no_advice_begins_with_deactivation_while_the_last_use_is_unknown() {
    for keys in [vec![active(FIRST, 134)], vec![active(FIRST, 134), active(SECOND, 400)]] {
        let assessment = of(&keys, &[], &[]);
        let text = says(Compliance::NonCompliant, &assessment);
        assert!(text.contains("last use unknown") && !text.contains("Deactivate"), "{text}");
    }
}

#[test]
fn an_exempt_user_is_compliant_and_the_annotation_says_why() {
    let given = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments"), (EXEMPT_REASON, "vendor migration")];
    let assessment = of(&[active(FIRST, 134)], &[], &given);
    assert!(assessment.is_exempt() && violations(&assessment).is_empty());
    assert_eq!(
        says(Compliance::Compliant, &assessment),
        "Exempt until 2026-06-01 (owner: payments): AKIAIOSFODNN7EXAMPLE was created 2025-10-18, due 2026-01-16 (limit 90 \
         days). Reason: vendor migration"
    );
    let both = of(&[active(FIRST, 134), active(SECOND, 400)], &[], &given[..2]);
    assert_eq!(
        says(Compliance::Compliant, &both),
        "Exempt until 2026-06-01 (owner: payments): AKIAI44QH8DHBEXAMPLE was created 2025-01-25, due 2025-04-25 (limit 90 \
         days), AKIAIOSFODNN7EXAMPLE 2025-10-18"
    );
}

#[test]
fn an_exemption_that_does_not_hold_is_explained() {
    let given = [(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "payments")];
    assert_eq!(
        says(Compliance::NonCompliant, &of(&[active(FIRST, 134)], &[(FIRST, unused())], &given)),
        "AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), no use on record. Exemption expired \
         on 2026-02-28 (owner: payments). Deactivate it, then delete it."
    );
}

#[test]
fn an_exemption_for_one_key_does_not_cover_the_other() {
    let given = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments"), (EXEMPT_KEY, SECOND)];
    let assessment = of(&[active(SECOND, 400), active(FIRST, 134)], &[(FIRST, unused())], &given);
    assert_eq!(violations(&assessment), [FIRST]);
    let text = says(Compliance::NonCompliant, &assessment);
    assert!(text.starts_with("AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18"), "{text}");
    assert!(text.contains("The exemption covers only AKIAI44QH8DHBEXAMPLE."), "{text}");
    assert!(of(&[active(SECOND, 400)], &[], &given).is_exempt());
}

const EXEMPT: [(&str, &str); 2] = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments")];

#[test]
fn what_calls_for_action_or_is_read_in_each_sweep_begins_with_the_users_name() {
    let stale = [active(FIRST, 134)];
    for (keys, given, begins) in [
        (&stale[..], &[][..], "deploy-bot@ci: AKIAIOSFODNN7EXAMPLE is stale: created "),
        (
            &stale,
            &EXEMPT,
            "deploy-bot@ci: Exempt until 2026-06-01 (owner: payments): AKIAIOSFODNN7EXAMPLE was created ",
        ),
        (&[active(FIRST, 80)], &[], "deploy-bot@ci: AKIAIOSFODNN7EXAMPLE (created 2025-12-11) is due on "),
        (&[inactive(FIRST, 91)], &[], "deploy-bot@ci: Delete AKIAIOSFODNN7EXAMPLE (inactive, "),
        (
            &[active(FIRST, 80), inactive(SECOND, 400)],
            &[],
            "deploy-bot@ci: AKIAIOSFODNN7EXAMPLE (created 2025-12-11) is due on ",
        ),
    ] {
        let text = annotation_of("deploy-bot@ci", keys, given);
        assert!(text.starts_with(begins) && text.matches("deploy-bot@ci").count() == 1, "{text}");
    }
}

/// These are believed for months. A user who is renamed meanwhile is not read.
#[test]
fn what_spares_a_user_reads_names_nobody() {
    for keys in [&[][..], &[active(FIRST, 3)], &[inactive(FIRST, 3)]] {
        let [one, other] = ["bot", "deploy-bot@ci"].map(|name| annotation_of(name, keys, &[]));
        assert_eq!(one, other);
        assert!(!one.contains("bot"), "{one}");
    }
}

#[test]
fn a_name_costs_neither_the_advice_nor_a_part_of_itself() {
    let longest = "n".repeat(64);
    for (keys, given, is_room) in [
        (&[active(FIRST, 134)][..], &[][..], true),
        (&[active(SECOND, 400), active(FIRST, 134)], &[], false),
        (&[active(FIRST, 134)], &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "payments")], false),
        (&[active(FIRST, 134)], &EXEMPT, true),
    ] {
        let without = annotation_of("", keys, given);
        let without = without.strip_prefix(": ").unwrap_or(&without);
        let expected = if is_room { format!("{longest}: {without}") } else { without.to_owned() };
        assert_eq!(annotation_of(&longest, keys, given), expected);
    }
    let said = annotation_of("", &[active(FIRST, 134)], &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "payments")]);
    let said = said.strip_prefix(": ").unwrap();
    let longest = 256 - ": ".len() - said.len();
    for (length, is_room) in [(longest, true), (longest + 1, false)] {
        let name = "n".repeat(length);
        let text =
            annotation_of(&name, &[active(FIRST, 134)], &[(EXEMPT_UNTIL, "2026-02-28"), (EXEMPT_OWNER, "payments")]);
        assert_eq!(text, if is_room { format!("{name}: {said}") } else { said.to_owned() });
    }
}

#[test]
fn the_name_comes_before_the_whole_reason_for_an_exemption() {
    let reason = "the vendor takes nothing but access keys ".repeat(6);
    let given = [EXEMPT[0], EXEMPT[1], (EXEMPT_REASON, &reason)];
    let text = annotation_of("bot", &[active(FIRST, 134)], &given);
    assert!(
        text.starts_with("bot: Exempt until 2026-06-01 (owner: payments): AKIAIOSFODNN7EXAMPLE was created "),
        "{text}"
    );
    assert!(
        text.contains(". Reason: the vendor ") && text.ends_with("...") && text.len() <= ANNOTATION_LIMIT,
        "{text}"
    );
}

#[test]
fn a_notice_that_was_not_sent_costs_neither_the_name_nor_the_advice() {
    let mut assessment = of(&[active(FIRST, 134)], &[(FIRST, unused())], &[]);
    assessment.verdict.notice_not_sent();
    assert_eq!(
        assessment.verdict.annotation.unwrap(),
        "bot: AKIAIOSFODNN7EXAMPLE is stale: created 2025-10-18, due 2026-01-16 (limit 90 days), no use on record. Deactivate it, \
         then delete it. Notice not sent yet."
    );
}

#[test]
fn a_notice_that_was_not_sent_costs_a_long_name_and_no_advice() {
    let longest = User { name: "n".repeat(64), ..user() };
    let key = AccessKey { last_used: Some(used("2026-02-27T08:00:00Z").into()), ..active(FIRST, 134) };
    let mut assessment = assess(longest, vec![key], None, Exposure::NotExposed, &Parameters::default(), now());
    let before = assessment.verdict.annotation.clone().unwrap();
    assessment.verdict.notice_not_sent();
    let after = assessment.verdict.annotation.clone().unwrap();
    assert!(before.starts_with("nnn") && before.len() + " Notice not sent yet.".len() > ANNOTATION_LIMIT, "{before}");
    assert_eq!(after, format!("{} Notice not sent yet.", before.split_once(": ").unwrap().1));
    assessment.verdict.notice_not_sent();
    assert_eq!(assessment.verdict.annotation.unwrap(), after, "said once");
}

#[test]
fn days_end_at_midnight_utc() {
    let given = tags(&[(EXEMPT_UNTIL, "2026-03-01"), (EXEMPT_OWNER, "payments")]);
    for (time, exempt) in
        [("2026-03-01T00:00:00Z", true), ("2026-03-01T23:59:59Z", true), ("2026-03-02T00:00:00Z", false)]
    {
        let assessment = assessed(&[active(FIRST, 134)], &given, &Parameters::default(), at(time));
        assert_eq!(assessment.is_exempt(), exempt, "{time}");
    }
}

proptest! {
    #[test]
    fn an_annotation_is_1_to_256_printable_ascii_characters_and_names_the_oldest_key(
        tag_values in proptest::collection::vec(proptest::option::of(any::<String>()), 4),
        until in "20[0-9]{2}-[01][0-9]-[0-3][0-9]",
        ages in proptest::collection::vec((0i64..200_000, 0usize..4), 0..4),
        name in "[A-Za-z0-9_+=,.@-]{1,64}",
        service in any::<String>(),
        region in any::<String>(),
        was_used in proptest::option::of(any::<bool>()),
        max_access_key_age in 1u16..3651,
        warn_before_days in 0u16..366,
        exposure in 0usize..4,
    ) {
        let exposure = [Exposure::Exposed, Exposure::NotExposed, Exposure::Unknown, Exposure::NotRead][exposure];
        let parameters = Parameters { max_access_key_age, warn_before_days, ..Parameters::default() };
        let names = [EXEMPT_OWNER, EXEMPT_REASON, EXEMPT_KEY, EXEMPT_UNTIL];
        let mut given: Tags = names.iter().zip(tag_values)
            .filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect();
        if given.contains_key(EXEMPT_UNTIL) {
            given.insert(EXEMPT_UNTIL.to_owned(), until);
        }
        let statuses = [KeyStatus::Active, KeyStatus::Active, KeyStatus::Inactive, KeyStatus::Expired];
        let keys: Vec<_> = ages.iter().enumerate()
            .map(|(n, (days, status))| key(&format!("AKIAIOSFODNN7EXAMPL{n}"), statuses[*status], TimeDelta::days(*days)))
            .collect();
        let used = was_used.map(|was_used| Box::new(LastUsed { at: was_used.then(now), region, service }));
        let keys: Vec<_> = keys.into_iter().map(|key| AccessKey { last_used: used.clone(), ..key }).collect();
        let user = User { name, ..user() };
        let assessment = assess(user.clone(), keys, Some(given), exposure, &parameters, now());
        let text = assessment.verdict.annotation.clone().unwrap();
        let said = assessment.said().unwrap();
        let rest = text.strip_prefix("EXPOSED: ").unwrap_or(&text);
        prop_assert_eq!(rest.len() < text.len(), exposure == Exposure::Exposed);
        prop_assert!(rest == said || rest == format!("{}: {said}", user.name), "{text:?}, {said:?}");
        prop_assert_eq!(is_exemption(&text), assessment.is_exempt());
        prop_assert!((1..=ANNOTATION_LIMIT).contains(&text.len()), "{} characters", text.len());
        prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
        if let Some(oldest) = violations(&assessment).first() {
            let at = said.find(oldest).unwrap();
            prop_assert_eq!(at == 0, exposure != Exposure::Exposed, "{}", said);
        }
    }
}

#[test]
fn milestones_are_those_after_the_last_notice() {
    let assessment = of(&[active(FIRST, 134), active(SECOND, 80)], &[], &[]);
    let milestones = |notified_at| {
        let milestones = assessment.milestones(notified_at);
        milestones.map(|(key, milestone)| (key.key.id.as_str(), milestone.milestone)).collect::<Vec<_>>()
    };
    assert_eq!(milestones(None), [(FIRST, 44), (SECOND, 14)]);
    assert_eq!(milestones(Some(at("2026-02-28T12:00:00Z"))), [(FIRST, 44)]);
    assert_eq!(milestones(Some(at("2026-03-01T00:00:00Z"))), []);
}

#[test]
fn in_use_is_about_the_keys_of_the_verdict() {
    let recently = || used("2026-02-27T08:00:00Z");
    let long_ago = || used("2025-02-27T08:00:00Z");
    let exempt = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "x"), (EXEMPT_KEY, SECOND)];
    let both = [active(FIRST, 134), active(SECOND, 400)];
    for (keys, last_uses, tags, expected) in [
        (&both[..], vec![(FIRST, recently()), (SECOND, long_ago())], &[][..], Some(true)),
        (&both[..], vec![(FIRST, unused()), (SECOND, long_ago())], &[], Some(false)),
        (&both[..], vec![(FIRST, long_ago())], &[], None),
        (&both[..], vec![(FIRST, recently())], &[], Some(true)),
        (&both[..], vec![(FIRST, long_ago()), (SECOND, recently())], &exempt, Some(false)),
        (&both[1..], vec![(SECOND, recently())], &exempt, Some(true)),
        (&both[1..], vec![], &exempt, None),
        (&[][..], vec![], &[], None),
    ] {
        assert_eq!(of(keys, &last_uses, tags).is_in_use(45, now()), expected, "{last_uses:?}, {tags:?}");
    }
}
