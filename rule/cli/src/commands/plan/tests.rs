//! The expected plans are in `tests/fixtures/plan`.

use super::{
    contents::Plan,
    markdown,
    rotation::opt_in,
    steps::{Step, steps},
};
use crate::{
    args::filter::Filter,
    findings::{
        finding::{Finding, Key, Terms, Used, compliant},
        record::{Record, State},
        rotation::{Rotation, Stage},
        scan_result::{AccountScan, ScanResult},
    },
};
use chrono::TimeDelta;
use policy::{
    access_key::{
        KeyState,
        KeyStatus::{self, Active, Expired, Inactive},
    },
    verdict::Compliance,
};

/// An access key: id, status, age in days, and how many days ago it was used; `None`: not read.
type Spec<'a> = (&'a str, KeyStatus, i64, Option<Option<i64>>);

fn finding(user: &str, keys: &[Spec<'_>], violations: &[&str]) -> Finding {
    let now = Terms::by_default().scanned_at;
    let key = |(id, status, age, used): &Spec<'_>| Key {
        access_key_id: (*id).to_owned(),
        description: None,
        status: *status,
        create_date: now - TimeDelta::days(*age),
        age_days: *age,
        last_used: used.map(|ago| Used {
            date: ago.map(|ago| now - TimeDelta::days(ago)),
            region: "eu-west-1".to_owned(),
            service_name: "s3".to_owned(),
        }),
        record: None,
        state: if violations.contains(id) { KeyState::Violation } else { KeyState::Current },
        exempt_until: None,
    };
    Finding {
        compliance: Compliance::NonCompliant,
        annotation: Some(format!("{} is old.", violations.join(" and "))),
        production: Some(false),
        violations: violations.iter().map(|id| (*id).to_owned()).collect(),
        ..compliant(user, keys.iter().map(key).collect())
    }
}

/// The action and the key of each step.
fn outline(finding: &Finding) -> Vec<String> {
    let step = |step: &Step| {
        let Some(arguments) = &step.command else { return "people".to_owned() };
        let key = arguments.iter().position(|argument| argument == "--access-key-id").map(|at| &arguments[at + 1]);
        let verb = arguments[1].split('-').next().unwrap();
        let status = arguments.last().filter(|last| *last == "Inactive").map_or("", |_| " off");
        assert_eq!(step.changes, verb != "get", "{step:?}");
        format!("{verb}{status} {}", key.map_or("", String::as_str)).trim_end().to_owned()
    };
    steps(finding, &plan()).iter().map(step).collect()
}

#[test]
fn no_more_steps_than_the_keys_need_and_none_out_of_order() {
    let used = Some(Some(1));
    let never = Some(None);
    let retire = ["get A", "update off A", "delete A"];
    for (what, keys, violations, expected) in [
        ("not used", &[("A", Active, 100, never)][..], &["A"][..], retire.to_vec()),
        (
            "neither used",
            &[("A", Active, 100, never), ("B", Active, 200, never)],
            &["B", "A"],
            [&["get B", "update off B", "delete B"], &retire[..]].concat(),
        ),
        (
            "used, and room for another",
            &[("A", Active, 100, used)],
            &["A"],
            [&["create", "people"], &retire[..]].concat(),
        ),
        (
            "used, and an inactive one in the way",
            &[("A", Active, 100, used), ("B", Inactive, 300, None)],
            &["A"],
            [&["get B", "delete B", "people", "create", "people"], &retire[..]].concat(),
        ),
        (
            "used, and an expired one in the way",
            &[("A", Active, 100, used), ("B", Expired, 300, None)],
            &["A"],
            [&["get B", "delete B", "people", "create", "people"], &retire[..]].concat(),
        ),
        (
            "used, and a new one there",
            &[("A", Active, 100, used), ("B", Active, 5, None)],
            &["A"],
            [&["people"], &retire[..]].concat(),
        ),
        (
            "used, and an exempt one there",
            &[("A", Active, 100, used), ("B", Active, 300, used)],
            &["A"],
            [&["people"], &retire[..]].concat(),
        ),
        (
            "both used: the one whose last use is longer ago goes first, and makes room",
            &[("B", Active, 300, used), ("A", Active, 100, Some(Some(40)))],
            &["B", "A"],
            [&["people"], &retire[..], &["people"]].concat(),
        ),
        (
            "one used: the other goes first, and makes room",
            &[("A", Active, 100, never), ("B", Active, 300, used)],
            &["B", "A"],
            [&retire[..], &["people"]].concat(),
        ),
    ] {
        assert_eq!(outline(&finding("bot", keys, violations)), expected, "{what}");
    }
}

#[test]
fn nothing_is_switched_to_an_exempt_key() {
    let text = |other| {
        let keys = [("A", Active, 100, Some(Some(1))), ("B", Active, other, None)];
        steps(&finding("bot", &keys, &["A"]), &plan()).remove(0).what
    };
    assert!(text(5).contains("Switch everything that uses A to B"));
    assert!(text(91).contains("to a role"));
    assert!(text(90).contains("Switch everything that uses A to B"), "not older than the limit");
}

/// A user whose only key is old and not active.
fn old(user: &str, status: KeyStatus) -> Finding {
    let mut finding = finding(user, &[("AKIASIX", status, 300, None)], &[]);
    finding.compliance = Compliance::Compliant;
    finding.annotation = None;
    finding.old_inactive_keys = vec!["AKIASIX".to_owned()];
    finding.access_keys[0].state = KeyState::OldInactive;
    finding
}

fn plan_of(findings: Vec<Finding>) -> Plan {
    plan_without(&[], findings)
}

/// With accounts whose data are incomplete.
fn plan_without(incomplete: &[&str], findings: Vec<Finding>) -> Plan {
    let mut result = ScanResult::new(Terms::by_default(), None);
    result.add(AccountScan { account: "111122223333".to_owned(), findings, ..AccountScan::default() });
    for account in incomplete {
        let error = Some("denied".to_owned());
        result.add(AccountScan { account: (*account).to_owned(), error, ..AccountScan::default() });
    }
    Plan::new(result, &Filter::default()).0
}

fn plan() -> Plan {
    let used = Some(Some(10));
    let mut violations = vec![
        finding("billing-export", &[("AKIAONE", Active, 400, used)], &["AKIAONE"]),
        finding("it's", &[("AKIATWO", Active, 200, Some(None))], &["AKIATWO"]),
        finding("blocked", &[("AKIAFIVE", Active, 95, used), ("AKIASIX", Inactive, 300, None)], &["AKIAFIVE"]),
        finding("backup", &[("AKIATHREE", Active, 100, used), ("AKIAFOUR", Active, 3, None)], &["AKIATHREE"]),
    ];
    violations[0].production = Some(true);
    violations[0].in_use = Some(true);
    violations[0].owner = Some("payments".to_owned());
    violations[1].owner = Some("<b>plat_form</b>\n# `x`".to_owned());
    violations[2].old_inactive_keys = vec!["AKIASIX".to_owned()];
    violations[2].access_keys[1].state = KeyState::OldInactive;
    violations[3].owner = Some("payments".to_owned());
    let smtp = violations[3].access_keys[0].last_used.as_mut().unwrap();
    smtp.service_name = "ses-smtp".to_owned();
    violations[3].access_keys[0].description = Some("<i>mail</i> \u{202e}relay\n# `x`".to_owned());
    let mut expired = old("-rf", Expired);
    expired.access_keys[0].description = Some("*relay*".to_owned());
    plan_without(&["444455556666"], [violations, vec![expired]].concat())
}

fn written(plan: &Plan) -> String {
    let mut out = Vec::new();
    markdown::write(plan, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn unknown_parts_of_a_last_use_are_left_out() {
    let mut finding = finding("bot", &[("A", Active, 100, Some(Some(10)))], &["A"]);
    for key in &mut finding.access_keys {
        key.last_used.as_mut().unwrap().region = "N/A".to_owned();
    }
    assert!(written(&plan_of(vec![finding])).contains("(last used on 2026-02-19 by s3)"));
}

#[test]
fn the_checklist_matches_the_fixture() {
    let expected = include_str!("../../../../../tests/fixtures/plan/plan.md");
    assert_eq!(written(&plan()), expected);
}

#[test]
fn a_plan_without_violations_says_so_and_names_incomplete_accounts() {
    let text = written(&plan_without(&["444455556666"], vec![old("blocked", Inactive), old("-rf", Expired)]));
    assert!(
        text.contains(
            "Users in violation on 2026-03-01: 0.\nOld inactive keys: 2.\n**Account 444455556666 is incomplete"
        ),
        "{text}"
    );
    assert!(!text.contains("## No owner") && text.contains("\n## Old inactive keys\n"), "{text}");
    let none = written(&plan_without(&["444455556666"], Vec::new()));
    assert!(none.contains("Old inactive keys: 0.\n") && !none.contains("\n## "), "{none}");
}

/// The runbook deactivates each stale key that is not in use now, so it is no way for one of two keys that are needed.
#[test]
fn a_runbook_is_named_only_where_it_leaves_the_user_a_key() {
    let (used, long_ago, never) = (Some(Some(1)), Some(Some(40)), Some(None));
    for (keys, violations, expected) in [
        (&[("A", Active, 100, used)][..], &["A"][..], 2),
        (&[("A", Active, 100, used), ("B", Active, 5, None)], &["A"], 2),
        (&[("A", Active, 100, never), ("B", Active, 200, never)], &["B", "A"], 4),
        (&[("A", Active, 100, long_ago), ("B", Active, 300, used)], &["B", "A"], 0),
        (&[("A", Active, 100, never), ("B", Active, 300, long_ago)], &["B", "A"], 0),
    ] {
        let steps = steps(&finding("bot", keys, violations), &plan());
        assert_eq!(steps.iter().filter(|step| step.runbook.is_some()).count(), expected, "{keys:?}");
    }
}

/// Whatever the two keys of a user are, no key that was ever used is switched off or deleted before a step that replaces it.
#[test]
fn no_key_that_was_used_goes_before_another_took_its_place() {
    let mut plans = 0;
    for status in [Active, Inactive, Expired] {
        for [age_a, age_b] in [[100, 300], [300, 100], [100, 5]] {
            for [used_a, used_b] in [None, Some(None), Some(Some(1)), Some(Some(60))]
                .into_iter()
                .flat_map(|a| [None, Some(None), Some(Some(1)), Some(Some(60))].map(|b| [a, b]))
            {
                let keys = [("A", Active, age_a, used_a), ("B", status, age_b, used_b)];
                let violations: &[&str] = if status == Active && age_b > 90 { &["A", "B"] } else { &["A"] };
                let outline = outline(&finding("bot", &keys, violations));
                plans += 1;
                for (id, used) in [("A", used_a), ("B", used_b)] {
                    let place = |action: &str| outline.iter().position(|step| *step == format!("{action} {id}"));
                    let Some(off) = place("update off") else {
                        let is_off = id == "B" && status != Active;
                        assert!(place("delete").is_none() || is_off, "{keys:?}: {outline:?}");
                        continue;
                    };
                    assert!(place("get") < Some(off) && Some(off) < place("delete"), "{keys:?}: {outline:?}");
                    assert!(used.is_some(), "the last use is unknown: {keys:?}: {outline:?}");
                    let is_replaced = off >= 2 && outline[off - 2] == "people";
                    assert!(used == Some(None) || is_replaced, "{keys:?}: {outline:?}");
                }
            }
        }
    }
    assert_eq!(plans, 3 * 3 * 16);
}

#[test]
fn a_key_that_ses_used_is_told_to_change_the_smtp_password_for_its_region() {
    let advice = |service: &str, region: &str| {
        let mut finding = finding("bot", &[("A", Active, 100, Some(Some(1)))], &["A"]);
        let used = finding.access_keys[0].last_used.as_mut().unwrap();
        (used.service_name, used.region) = (service.to_owned(), region.to_owned());
        steps(&finding, &plan()).into_iter().map(|step| step.what).find(|what| what.contains("SMTP password"))
    };
    for service in ["ses", "ses-smtp"] {
        assert!(advice(service, "eu-west-1").unwrap().contains("new secret access key for eu-west-1."), "{service}");
        assert!(advice(service, "N/A").unwrap().contains("for the Region that it sends in."), "{service}");
    }
    assert_eq!(advice("s3", "eu-west-1"), None);
}

/// A finding whose last key has that record.
fn with_record(mut finding: Finding, state: State, deletable_from: Option<&str>) -> Finding {
    let since = Some("2026-02-01T12:00:00Z".parse().unwrap());
    let deletable_from = deletable_from.map(|day| day.parse().unwrap());
    finding.access_keys.last_mut().unwrap().record =
        Some(Record { state, since, execution: Some("7a4c6d1f".to_owned()), deletable_from });
    finding
}

#[test]
fn an_active_key_with_a_record_is_asked_about_and_the_runbook_is_told_again() {
    let finding = finding("bot", &[("A", Active, 100, Some(None))], &["A"]);
    let none = steps(&finding, &plan());
    assert!(none.iter().all(|step| !format!("{step:?}").contains("Again") && !step.what.starts_with("Find out")));
    for state in [State::Reactivated, State::Deactivated, State::Deactivating, State::Unreadable] {
        let finding = with_record(finding.clone(), state, None);
        let steps = steps(&finding, &plan());
        assert!(steps[0].what.starts_with("Find out why A is on"), "{state:?}");
        let runbooks: Vec<_> = steps.iter().filter_map(|step| Some(step.runbook.as_ref()?.last()?.as_str())).collect();
        assert!(runbooks[0].ends_with("QuietDays=7,Again=true"), "{runbooks:?}");
        assert!(!runbooks[1].contains("Again"), "{runbooks:?}");
        let text = written(&plan_of(vec![finding]));
        assert!(text.contains(&format!("\nRecord of A: {}", state.as_str())), "{text}");
    }
}

#[test]
fn what_a_runbook_deactivated_is_left_to_the_runbook() {
    let used = ("A", Active, 100, Some(Some(1)));
    let finding = finding("bot", &[used, ("B", Inactive, 300, None)], &["A"]);
    let recorded = with_record(finding.clone(), State::Deactivated, Some("2026-03-03"));
    let room = steps(&recorded, &plan()).into_iter().nth(1).unwrap();
    let start = "start-automation-execution --document-name AccessKeyRotation-DeleteDeactivatedKeys \
                 --parameters ResourceId=AIDAbot,GraceDays=30,DryRun=false";
    assert_eq!(room.command.unwrap()[1..].join(" "), start);
    assert!(room.what.starts_with("B may be deleted from 2026-03-03 by AccessKeyRotation-DeleteDeactivatedKeys."));
    let left = |finding: &Finding| {
        let mut finding = finding.clone();
        finding.old_inactive_keys = vec!["B".to_owned()];
        finding
    };
    let by_hand = left(&with_record(finding, State::Reactivated, None));
    let mut plan = plan_of(vec![left(&recorded), by_hand]);
    plan.records_unknown = vec!["444455556666: _unknown_.".to_owned()];
    let text = written(&plan);
    let lines: Vec<_> = text.lines().filter(|line| line.starts_with("- [ ] B of bot")).collect();
    assert!(
        lines[0].contains(", may be deleted from 2026-03-03 by AccessKeyRotation-DeleteDeactivatedKeys) *changes*")
    );
    assert!(lines[0].contains(start) && lines[1].contains("aws iam delete-access-key"), "{lines:?}");
    assert!(text.contains("\n**444455556666: \\_unknown\\_. What a runbook deactivated or rotates"), "{text}");
}

/// A user whose key rotates by itself, and is in violation.
fn rotates(keys: &[Spec<'_>], rotation: Option<Stage>) -> Finding {
    let rotation = rotation.map(|state| Rotation {
        state,
        changed: Some(Terms::by_default().scanned_at - TimeDelta::days(2)),
        execution: None,
        secret: Some("arn".to_owned()),
        new_key: Some("NEW".to_owned()),
        reason: Some("Secrets Manager refuses | it".to_owned()),
    });
    Finding { rotates_into: Some("prod/mail".to_owned()), rotation, ..finding("bot", keys, &["A"]) }
}

/// A hand would take the key from the consumer that reads it from the secret.
#[test]
fn a_key_that_rotates_by_itself_has_no_step_by_hand() {
    let (used, start) = (Some(Some(1)), "--document-name AccessKeyRotation-RotateKey --parameters ResourceId=AIDAbot");
    let (old, new) = (("A", Active, 100, used), ("NEW", Active, 3, None));
    for (finding, expected) in [
        (rotates(&[old], None), vec![("It was due to rotate on", true)]),
        (
            rotates(&[old, new], None),
            vec![("There is no room", false), ("Then start AccessKeyRotation-RotateKey", true)],
        ),
        (rotates(&[old, new], Some(Stage::Created)), vec![("Wait. A run ended.", false)]),
        (rotates(&[old, new], Some(Stage::Switched)), vec![("Find out what still uses it", false)]),
        (rotates(&[old, new], Some(Stage::Unreadable)), vec![("Look at the parameter", false)]),
        (rotates(&[old], Some(Stage::Blocked)), vec![("Fix what holds the rotation up", true)]),
    ] {
        let steps = steps(&finding, &plan());
        let said: Vec<_> = steps.iter().map(|step| (step.what.as_str(), step.changes)).collect();
        assert_eq!(said.len(), expected.len(), "{said:?}");
        for ((what, changes), (begins, expected)) in said.into_iter().zip(expected) {
            assert!(what.starts_with(begins) && changes == expected, "{what}");
        }
        for command in steps.iter().filter_map(|step| step.command.as_ref()) {
            assert!(command.join(" ").ends_with(start), "{command:?}");
        }
        assert_eq!(opt_in(&finding), None);
    }
    let text = written(&plan_of(vec![rotates(&[old], Some(Stage::Blocked))]));
    assert!(text.contains("refuses \\| it. |\n"), "{text}");
}

#[test]
fn a_key_that_is_worth_it_has_the_commands_that_make_it_rotate_by_itself() {
    let due = |mut finding: Finding| {
        finding.access_keys[0].state = KeyState::DueSoon;
        (finding.compliance, finding.violations) = (Compliance::Compliant, Vec::new());
        finding
    };
    let stale = |user, used| finding(user, &[("A", Active, 100, used)], &["A"]);
    let (used, never) = (Some(Some(1)), Some(None));
    for (what, finding, expected) in [
        ("in use", stale("a,b", used), true),
        ("never used", stale("bot", never), false),
        ("not read", stale("bot", None), false),
        ("due soon", due(stale("bot", None)), true),
        ("tags not read", Finding { production: None, ..due(stale("bot", None)) }, false),
    ] {
        assert_eq!(opt_in(&finding).is_some(), expected, "{what}");
    }
    let [user, secret] = opt_in(&stale("a,b", used)).unwrap();
    assert_eq!(user.join(" "), "iam tag-user --user-name=a,b --tags Key=access-key-rotation:secret,Value=SECRET");
    assert_eq!(secret.last().unwrap(), "Key=access-key-rotation:user,Value=\"a,b\"");
    let text = written(&plan_of(vec![due(stale("bot", None))]));
    assert!(text.contains("\n- [ ] A of bot in 111122223333<br>`aws iam tag-user"), "{text}");
}

#[test]
fn a_plan_for_some_people_says_whom_it_leaves_out() {
    let owned = |user: &str, owner: Option<&str>, production| {
        let owner = owner.map(str::to_owned);
        Finding { owner, production, ..finding(user, &[("A", Active, 100, Some(None))], &["A"]) }
    };
    let findings = || {
        vec![
            owned("a", Some("payments"), Some(false)),
            owned("b", Some("platform"), Some(false)),
            owned("c", None, Some(false)),
            owned("d", None, None),
        ]
    };
    for (user, owner, expected, unknown) in [
        (&[][..], &[][..], &["a", "b", "c", "d"][..], 0),
        (&[], &["payments"], &["a"], 1),
        (&["b", "d"], &[], &["b", "d"], 0),
        (&["b", "d"], &["platform"], &["b"], 1),
        (&["a"], &["platform"], &[], 0),
    ] {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let mut result = ScanResult::new(Terms::by_default(), None);
        result.add(AccountScan { findings: findings(), ..AccountScan::default() });
        let filter = Filter { user: texts(user), owner: texts(owner), ..Filter::default() };
        let (plan, _) = Plan::new(result.finish(), &filter);
        let users: Vec<_> = plan.findings.iter().map(|finding| finding.user_name.as_str()).collect();
        assert_eq!(
            (users.as_slice(), plan.filtered.as_ref().map_or(0, |filtered| filtered.users_unknown)),
            (expected, unknown),
            "{user:?} {owner:?}"
        );
        assert_eq!(written(&plan).contains(" is left out"), unknown == 1);
    }
}
