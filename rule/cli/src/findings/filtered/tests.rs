use super::*;
use crate::findings::{
    finding::{Terms, compliant, used_key},
    scan_result::AccountScan,
};
use clap::Parser;
use policy::verdict::Compliance;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    filter: Filter,
}

fn filter(options: &str) -> Filter {
    Options::parse_from(["scan"].into_iter().chain(options.split_whitespace())).filter
}

/// A user with a key of so many days, used so many days ago; a negative number: no use on record. Older than 90 days, it is in violation.
fn user(name: &str, age: i64, used: Option<i64>) -> Finding {
    let is_stale = age > 90;
    let id = format!("AKIA{name}");
    let key = used_key(&id, age, used);
    Finding {
        compliance: if is_stale { Compliance::NonCompliant } else { Compliance::Compliant },
        violations: if is_stale { vec![id] } else { Vec::new() },
        production: is_stale.then_some(false),
        in_use: used.filter(|_| is_stale).map(|days| (0..=45).contains(&days)),
        ..compliant(name, vec![key])
    }
}

fn owned(owner: &str, finding: Finding) -> Finding {
    Finding { owner: Some(owner.to_owned()), ..finding }
}

fn population() -> Vec<Finding> {
    vec![
        owned("payments", user("busy", 200, Some(1))),
        owned("Platform", user("idle", 400, Some(60))),
        user("no-owner", 300, Some(-1)),
        Finding { production: Some(true), ..user("not-read", 100, None) },
        Finding { production: None, due_soon: true, ..user("tags-denied", 85, None) },
        Finding { exposed: Some(true), production: Some(false), ..owned("payments", user("leaked", 5, Some(0))) },
        Finding { account: "444455556666".to_owned(), ..user("young", 10, None) },
    ]
}

fn filtered(options: &str) -> ScanResult {
    let mut result = ScanResult::new(Terms::by_default(), None);
    for account in ["111122223333", "444455556666"] {
        let findings = population().into_iter().filter(|finding| finding.account == account).collect();
        result.add(AccountScan { account: account.to_owned(), findings, ..AccountScan::default() });
    }
    let mut result = result.finish();
    apply(&filter(options), &mut result, |finding| finding.is_violation() || finding.is_exposed(), |_| true);
    result
}

fn names(result: &ScanResult) -> Vec<&str> {
    result.findings.iter().map(|finding| finding.user_name.as_str()).collect()
}

#[test]
fn a_filter_shows_whom_it_names_and_counts_whom_it_cannot_tell() {
    for (options, expected, unknown) in [
        ("--user busy young", &["busy", "young"][..], 0),
        // Whose tags were not read, though there is something to say of them, may be one of them.
        ("--owner PAYMENTS", &["leaked", "busy"], 1),
        ("--owner platform payments", &["leaked", "busy", "idle"], 1),
        ("--owner -", &["not-read", "no-owner"], 1),
        ("--owner payments --user busy", &["busy"], 0),
        ("--priority exposed", &["leaked"], 0),
        ("--priority production", &["not-read"], 1),
        ("--priority in-use", &["not-read", "busy"], 0),
        ("--priority idle", &["idle", "no-owner"], 0),
        ("--priority production idle", &["not-read", "idle", "no-owner"], 1),
        ("--min-age 300", &["idle", "no-owner"], 0),
        ("--min-age 301 --owner payments", &[], 0),
        ("--user nobody", &[], 0),
    ] {
        let result = filtered(options);
        let of = result.filtered.as_ref().unwrap();
        assert_eq!((names(&result).as_slice(), of.users_unknown), (expected, unknown), "{options}");
        assert_eq!((of.users_evaluated, of.users_non_compliant), (7, 4), "{options}");
        let known = of.errors().iter().all(|error| !error.contains("could not be read"));
        assert_eq!(known, unknown == 0, "{options}");
    }
}

#[test]
fn an_unknown_exposure_is_not_no_exposure() {
    let mut result = ScanResult::new(Terms::by_default(), None);
    let findings = vec![Finding { exposed: None, ..user("young", 1, None) }];
    result.add(AccountScan { account: "111122223333".to_owned(), findings, ..AccountScan::default() });
    let mut result = result.finish();
    apply(&filter("--priority exposed"), &mut result, |_| true, |_| true);
    assert_eq!(result.accounts[0].users_exposed, None);
    assert_eq!(result.command_result().errors.len(), 1);
}

#[test]
fn the_counts_are_about_whom_the_filter_shows_and_it_says_of_how_many() {
    let result = filtered("--owner payments paymnts --min-age 6");
    assert_eq!(
        sentences(result.filtered.as_ref()),
        [
            "The filter --owner payments paymnts --min-age 6 shows 1 of 7 users, and 1 of 4 in violation.",
            "--owner paymnts: no user with something to do has this owner. Known owners: Platform, payments.",
            "1 user is left out, since what the filter asks could not be read.",
        ]
    );
    let counts = |n: usize| {
        let account = &result.accounts[n];
        (account.users_evaluated, account.users_non_compliant, account.users_exempt, account.users_exposed)
    };
    assert_eq!([counts(0), counts(1)], [(1, 1, Some(0), Some(0)), (0, 0, Some(0), Some(0))]);
    let nobody = filtered("--user nobody");
    assert_eq!(
        sentences(nobody.filtered.as_ref()),
        ["The filter --user nobody shows nobody of 7 users, of whom 4 are in violation."]
    );
    let result = nobody.command_result();
    assert_eq!(
        (result.errors, result.violations),
        (vec!["--user nobody: no such user was evaluated".to_owned()], false)
    );
    let hostile = Filter { owner: vec!["\u{1b}[2J\n".to_owned()], ..Filter::default() };
    let sentences = Filtered::of(&hostile, &population()).sentences();
    assert!(sentences.iter().all(|sentence| !sentence.contains(char::is_control)), "{sentences:?}");
}

#[test]
fn users_are_in_the_order_that_is_asked_for_and_equals_by_priority() {
    for (order, expected) in [
        ("priority", ["leaked", "not-read", "busy", "idle", "no-owner", "tags-denied", "young"]),
        ("age", ["idle", "no-owner", "busy", "not-read", "tags-denied", "young", "leaked"]),
        ("last-used", ["leaked", "busy", "idle", "no-owner", "not-read", "tags-denied", "young"]),
        ("owner", ["leaked", "busy", "idle", "not-read", "no-owner", "tags-denied", "young"]),
        ("account", ["leaked", "not-read", "busy", "idle", "no-owner", "tags-denied", "young"]),
        ("user", ["busy", "idle", "leaked", "no-owner", "not-read", "tags-denied", "young"]),
    ] {
        let result = filtered(&format!("--sort {order}"));
        assert_eq!((names(&result).as_slice(), result.filtered.is_none()), (&expected[..], true), "{order}");
    }
}

#[test]
fn the_first_users_are_those_with_something_to_do_and_the_exit_status_is_about_all() {
    let result = filtered("--sort age --top 2");
    assert_eq!(names(&result), ["idle", "no-owner"]);
    let result = filtered("--sort user --top 4");
    assert_eq!(names(&result), ["busy", "idle", "leaked", "no-owner"]);
    let result = filtered("--sort last-used --top 1");
    assert_eq!((names(&result).as_slice(), result.command_result().violations), (&["leaked"][..], true));
    assert!(!filtered("--owner payments --priority exposed --top 1").command_result().violations);
}
