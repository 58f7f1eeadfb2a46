//! The expected plans are in `tests/fixtures/plan`.

use super::*;
use crate::findings::finding::{Used, compliant};
use access_key_rotation::policy::{
    access_key::KeyStatus::{self, Active, Expired, Inactive},
    decision::Compliance,
};

fn terms() -> Terms {
    Terms {
        scanned_at: "2026-03-01T12:00:00Z".parse().unwrap(),
        max_access_key_age: 90,
        warn_before_days: 14,
        quiet_days: 45,
        credential_report: false,
    }
}

/// An access key: id, status, age in days, and how many days ago it was used; `None`: not read.
type Spec<'a> = (&'a str, KeyStatus, i64, Option<Option<i64>>);

fn finding(user: &str, keys: &[Spec<'_>], violations: &[&str]) -> Finding {
    let now = terms().scanned_at;
    let key = |(id, status, age, used): &Spec<'_>| Key {
        access_key_id: (*id).to_owned(),
        status: *status,
        create_date: now - TimeDelta::days(*age),
        age_days: *age,
        last_used: used.map(|ago| Used {
            date: ago.map(|ago| now - TimeDelta::days(ago)),
            region: "eu-west-1".to_owned(),
            service_name: "s3".to_owned(),
        }),
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
    let what = |arguments: &[String]| {
        let key = arguments.iter().position(|argument| argument == "--access-key-id").map(|at| &arguments[at + 1]);
        let verb = arguments[1].split('-').next().unwrap();
        let status = arguments.last().filter(|last| *last == "Inactive").map_or("", |_| " off");
        format!("{verb}{status} {}", key.map_or("", String::as_str)).trim_end().to_owned()
    };
    let step = |step: &Step| match step {
        Step::Do(_) => "people".to_owned(),
        Step::Look(_, arguments) => what(arguments),
        Step::Change(_, arguments) => format!("now {}", what(arguments)),
        Step::Later(_, arguments) => format!("later {}", what(arguments)),
    };
    steps(finding, &plan()).iter().map(step).collect()
}

#[test]
fn no_more_steps_than_the_keys_need_and_none_out_of_order() {
    let used = Some(Some(1));
    let never = Some(None);
    let retire = ["get A", "now update off A", "later delete A"];
    for (what, keys, violations, expected) in [
        ("not used", &[("A", Active, 100, never)][..], &["A"][..], retire.to_vec()),
        (
            "neither used",
            &[("A", Active, 100, never), ("B", Active, 200, never)],
            &["B", "A"],
            [&["get B", "now update off B", "later delete B"], &retire[..]].concat(),
        ),
        (
            "used, and room for another",
            &[("A", Active, 100, used)],
            &["A"],
            [&["now create", "people"], &retire[..]].concat(),
        ),
        (
            "used, and an inactive one in the way",
            &[("A", Active, 100, used), ("B", Inactive, 300, None)],
            &["A"],
            [&["get B", "later delete B", "people", "now create", "people"], &retire[..]].concat(),
        ),
        (
            "used, and an expired one in the way",
            &[("A", Active, 100, used), ("B", Expired, 300, None)],
            &["A"],
            [&["get B", "later delete B", "people", "now create", "people"], &retire[..]].concat(),
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
        match &steps(&finding("bot", &keys, &["A"]), &plan())[0] {
            Step::Do(what) => what.clone(),
            step => panic!("{step:?}"),
        }
    };
    assert!(text(5).contains("Switch everything that uses A to B"));
    assert!(text(91).contains("to a role"));
    assert!(text(90).contains("Switch everything that uses A to B"), "not older than the limit");
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
    violations[3].owner = Some("payments".to_owned());
    Plan { terms: terms(), violations, incomplete: vec!["444455556666".to_owned()], grace_days: 30 }
}

fn written(write: fn(&Plan, &mut dyn io::Write) -> io::Result<()>, plan: &Plan) -> String {
    let mut out = Vec::new();
    write(plan, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn unknown_parts_of_a_last_use_are_left_out() {
    let mut finding = finding("bot", &[("A", Active, 100, Some(Some(10)))], &["A"]);
    for key in &mut finding.access_keys {
        key.last_used.as_mut().unwrap().region = "N/A".to_owned();
    }
    let plan = Plan { violations: vec![finding], ..plan() };
    assert!(written(markdown::write, &plan).contains("(last used on 2026-02-19 by s3)"));
}

#[test]
fn the_checklist_matches_the_fixture() {
    let expected = include_str!("../../../../../tests/fixtures/plan/plan.md");
    assert_eq!(written(markdown::write, &plan()), expected);
}

#[test]
fn the_script_matches_the_fixture() {
    let expected = include_str!("../../../../../tests/fixtures/plan/plan.sh");
    assert_eq!(written(script::write, &plan()), expected);
}

#[test]
fn a_plan_without_violations_says_so_and_names_incomplete_accounts() {
    let plan = Plan { violations: Vec::new(), ..plan() };
    let text = written(markdown::write, &plan);
    assert!(text.contains("Users in violation on 2026-03-01: 0.\n**Account 444455556666 is incomplete"), "{text}");
    assert!(!written(script::write, &plan).contains("in_account 1"));
}
