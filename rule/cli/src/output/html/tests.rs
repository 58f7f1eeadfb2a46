use super::*;
use crate::{
    args::targets::LeftOut,
    findings::{
        comparison::{Comparison, Violation},
        exemptions::{Exempted, SetBy},
        finding::{Covered, Finding, Key, Since, Used, compliant},
        other_credentials::{OtherCredentials, ServiceSpecificCredential},
        scan_result::AccountScan,
    },
    output::evidence::EvidenceTotals,
};
use access_key_rotation::coverage::account::State;
use chrono::TimeDelta;
use policy::{
    access_key::{KeyState, KeyStatus},
    verdict::Compliance,
};

const ACCOUNT: &str = "111122223333";

/// A compliant user with active keys of that many seconds.
pub(super) fn finding(name: &str, seconds: &[i64]) -> Finding {
    let key = |(number, seconds): (usize, &i64)| Key {
        access_key_id: format!("AKIA{name}{number}"),
        description: None,
        status: KeyStatus::Active,
        create_date: Terms::by_default().scanned_at - TimeDelta::seconds(*seconds),
        age_days: seconds / 86_400,
        last_used: None,
        record: None,
        state: KeyState::Current,
        exempt_until: None,
    };
    compliant(name, seconds.iter().enumerate().map(key).collect())
}

pub(super) fn violation(name: &str, days: i64) -> Finding {
    let mut finding = finding(name, &[days * 86_400]);
    finding.compliance = Compliance::NonCompliant;
    finding.to_do = format!("Do something about {name}.");
    finding.violations = vec![finding.access_keys[0].access_key_id.clone()];
    finding
}

fn due_soon(name: &str, days: i64) -> Finding {
    Finding { to_do: "Rotate it.".to_owned(), due_soon: true, ..finding(name, &[days * 86_400]) }
}

pub(super) fn page_by(terms: Terms, findings: Vec<Finding>, error: Option<&str>) -> String {
    let mut result = ScanResult::new(terms, None);
    result.add(account(Some("R&D"), findings, error));
    page_of(result.finish())
}

fn account(name: Option<&str>, findings: Vec<Finding>, error: Option<&str>) -> AccountScan {
    let (name, error) = (name.map(str::to_owned), error.map(str::to_owned));
    AccountScan { account: ACCOUNT.to_owned(), name, findings, error, ..AccountScan::default() }
}

pub(super) fn page_of(result: ScanResult) -> String {
    let mut page = Vec::new();
    write(&result, None, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

pub(super) fn page(findings: Vec<Finding>) -> String {
    page_by(Terms::by_default(), findings, None)
}

/// The page without markup, a space for each tag, and without style and script.
pub(super) fn text(page: &str) -> String {
    let (_, body) = page.split_once("<body>").unwrap();
    let (body, _) = body.split_once("<script>").unwrap();
    let text: Vec<_> = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect();
    text.join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn assert_says(page: &str, said: &[&str]) {
    let text = text(page);
    for said in said {
        assert!(text.contains(said), "{said:?} is missing: {text}");
    }
}

#[test]
fn untrusted_text_never_becomes_markup() {
    let hostile = "<script>alert(1)</script>\"'&lt;\u{202e}\u{7}\r";
    let shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;'&amp;lt;\u{fffd}\u{fffd}\u{fffd}";
    let h = || hostile.to_owned();
    let used = Used { date: Some(Terms::by_default().scanned_at), region: h(), service_name: h() };
    let key = Key {
        access_key_id: h(),
        description: Some(h()),
        status: KeyStatus::Inactive,
        create_date: Terms::by_default().scanned_at,
        age_days: 0,
        last_used: Some(used),
        record: None,
        state: KeyState::Current,
        exempt_until: None,
    };
    let root = finding("root", &[0]).access_keys.remove(0);
    let credential = ServiceSpecificCredential {
        user_name: h(),
        service_name: h(),
        service_specific_credential_id: h(),
        status: KeyStatus::Active,
        create_date: Terms::by_default().scanned_at,
        age_days: 0,
        expiration_date: None,
    };
    let finding = Finding {
        account: h(),
        to_do: h(),
        owner: Some(h()),
        violations: vec![h()],
        old_inactive_keys: vec![h()],
        access_keys: vec![key],
        ..violation(hostile, 91)
    };
    let lost = || {
        let create_date = Terms::by_default().scanned_at;
        vec![Violation { account: h(), user_name: h(), access_key_id: h(), create_date }]
    };
    let hostile_coverage = Covered {
        state: State::Overdue,
        rule: Some(h()),
        other_rules: vec![h()],
        last_evaluated: None,
        why: Some(h()),
    };
    let mut result = ScanResult::new(Terms::by_default(), None);
    result.add(AccountScan {
        account: h(),
        name: Some(h()),
        findings: vec![finding],
        coverage: Some(hostile_coverage),
        other_credentials: OtherCredentials {
            service_specific_credentials: Some(vec![credential]),
            service_specific_credentials_error: Some(h()),
            ..OtherCredentials::of_report(Some(vec![root]))
        },
        error: Some(h()),
        ..AccountScan::default()
    });
    result.comparison = Some(Comparison {
        scanned_at: Terms::by_default().scanned_at,
        fixed: lost(),
        exempt: lost(),
        new: lost(),
        open: lost(),
        unknown: lost(),
        new_accounts: vec![h()],
    });
    let page = page_of(result);
    assert!(!page.contains("alert(1)</") && !page.contains(['\u{202e}', '\u{7}', '\r']), "{page}");
    assert_eq!(page.matches("<script>").count(), 1, "the page's own");
    // Notice, account, coverage, user and key, owner, the choices of account and owner, new accounts, three each for four lists, the old key and its command, the root
    // user, and a credential with its account and what may be missing.
    let command = "aws iam delete-access-key '--user-name=";
    assert!(page.contains(command), "{page}");
    assert_eq!(page.matches(shown).count(), 3 + 2 + 1 + 9 + 1 + 5 + 1 + 12 + 4 + 1 + 4 + 2, "{page}");
}

#[test]
fn untrusted_text_in_an_auditors_document_never_becomes_markup() {
    let hostile = "<script>alert(1)</script>\u{202e}";
    let h = || hostile.to_owned();
    let mut result = ScanResult::new(Terms::by_default(), None);
    result.exemptions.push(Exempted {
        account: h(),
        user_name: h(),
        user_id: h(),
        until: Some(h()),
        owner: Some(h()),
        reason: Some(h()),
        key: Some(h()),
        valid: false,
        state: h(),
        set_by: Some(SetBy { arn: h(), at: Terms::by_default().scanned_at }),
        ends: None,
        created: None,
    });
    result.left_out.push(LeftOut { account: h(), name: Some(h()), why: "excluded" });
    let evidence = Evidence {
        read_by: h(),
        region: h(),
        organization: true,
        parameters: [("maxAccessKeyAge", h())].into(),
        totals: EvidenceTotals::of(&result),
        population_sha256: None,
        sha256: String::new(),
        result,
    };
    let mut page = Vec::new();
    write(&evidence.result, Some(&evidence), &mut page).unwrap();
    let page = String::from_utf8(page).unwrap();
    assert!(!page.contains("alert(1)</") && !page.contains('\u{202e}'), "{page}");
    // Eight in the exemption, two of the account that is left out, reader, Region, parameter.
    assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;\u{fffd}").count(), 8 + 2 + 3, "{page}");
}

#[test]
fn right_to_left_text_does_not_turn_its_neighbours() {
    let owner = "\u{5d0}\u{5d1}\u{5d2} 12";
    let page = page(vec![Finding { owner: Some(owner.to_owned()), ..violation("bot", 91) }]);
    assert!(page.contains(&format!("<td><bdi>{owner}</bdi></td>")), "{page}");
}

#[test]
fn users_are_listed_with_the_most_urgent_first() {
    let findings = vec![
        finding("young", &[86_400]),
        due_soon("soon", 80),
        Finding { exempt: Some(true), due_soon: false, ..due_soon("exempt", 300) },
        violation("idle", 900),
        Finding { in_use: Some(true), ..violation("used", 100) },
        Finding { production: Some(true), ..violation("production", 91) },
        finding("keyless", &[]),
    ];
    let page = page(findings);
    let names: Vec<_> = page.split("<th scope=\"rowgroup\"><bdi>").skip(1).collect();
    let names: Vec<_> = names.iter().map(|rest| rest.split_once('<').unwrap().0).collect();
    assert_eq!(names, ["production", "used", "idle", "exempt", "soon"]);
    assert_says(
        &page,
        &[
            "2 other users are compliant and not listed.",
            "5 users: violations",
            "Users non-compliant 3 Users exposed 0 Users exempt 1 Users with keys due soon 1 Old inactive keys 0 Users evaluated 7",
        ],
    );
}

#[test]
fn unread_values_are_not_shown_as_absent() {
    let unread = page(vec![due_soon("soon", 80)]);
    let rows = unread.split_once("<tbody data-state").unwrap().1;
    assert_eq!(rows.matches("not read").count(), 2, "owner and last use: {rows}");
    assert!(!rows.contains("idle") && !rows.contains("no use on record"), "{rows}");
    let mut read = Finding { production: Some(false), ..violation("bot", 91) };
    read.access_keys[0].last_used = Some(Used { date: None, region: "N/A".to_owned(), service_name: "N/A".to_owned() });
    let read = page(vec![read]);
    let rows = read.split_once("<tbody data-state").unwrap().1;
    assert!(!rows.contains("not read") && rows.contains("no use on record") && rows.contains("idle"), "{rows}");
}

#[test]
fn an_incomplete_page_says_so_first_and_does_not_look_like_a_clean_one() {
    for (findings, evaluated, violations) in [
        (vec![], 0, "unknown"),
        (vec![finding("young", &[86_400])], 1, "unknown"),
        (vec![violation("bot", 91)], 1, "at least 1"),
    ] {
        let incomplete = page_by(Terms::by_default(), findings.clone(), Some("sts:AssumeRole is denied"));
        assert!(incomplete.contains("<title>Incomplete: "), "{incomplete}");
        assert_says(
            &incomplete,
            &[
                "Incomplete: 1 of 1 account ",
                "111122223333 ( R&amp;D ): sts:AssumeRole is denied",
                &format!("Users non-compliant {violations} Users exposed unknown Users exempt unknown"),
                &format!("111122223333 R&amp;D {evaluated} {violations} unknown unknown incomplete"),
                "More users are unknown, since the scan is incomplete.",
            ],
        );
        assert!(text(&incomplete).find("Incomplete") < text(&incomplete).find("In total"));
        let complete = text(&page(findings));
        assert!(!complete.contains("incomplete.") && !complete.contains(" unknown "), "{complete}");
    }
}

#[test]
fn a_page_without_findings_says_how_many_are_compliant() {
    let young = |number: usize| page((0..number).map(|n| finding(&format!("u{n}"), &[])).collect());
    assert_says(&young(0), &["No users were evaluated."]);
    assert_says(&young(1), &["The only user who was evaluated is compliant"]);
    assert_says(&young(1234), &["All 1,234 users who were evaluated are compliant", "Users evaluated 1,234"]);
    assert!(!young(1).contains("id=\"findings\"") && !young(1).contains("id=\"controls\""));
}

#[test]
fn one_is_singular() {
    let one = page(vec![violation("bot", 91), finding("young", &[])]);
    assert!(one.contains("<title>1 non-compliant IAM user, 2026-03-01</title>"), "{one}");
    assert_says(&one, &["1 account ", "1 user: violations", "1 other user is compliant and not listed."]);
    let terms = Terms { max_access_key_age: 1, warn_before_days: 1, quiet_days: 1, ..Terms::by_default() };
    let days = page_by(terms, vec![violation("bot", 2)], None);
    assert_says(
        &days,
        &["older than 1 day is stale", "within 1 day are listed", "within 1 day before the scan.", "2 days"],
    );
    assert_eq!([number(0, "key"), number(1, "key"), number(1_000_000, "key")], ["0 keys", "1 key", "1,000,000 keys"]);
}

#[test]
fn a_credential_report_knows_neither_exemptions_nor_owners() {
    let terms = Terms { credential_report: true, ..Terms::by_default() };
    let page = page_by(terms, vec![violation("bot", 91)], None);
    assert_says(&page, &["From a credential report alone", "Users exempt unknown", "1 1 unknown 0 complete"]);
    assert!(!text(&page).contains("whom the credential report cleared"));
}

#[test]
fn changes_since_an_earlier_scan_are_counted_and_named() {
    let mut result = ScanResult::new(Terms::by_default(), None);
    result.add(account(None, vec![Finding { since: Some(Since::New), ..violation("bot", 91) }], None));
    let list = |names: &[&str]| -> Vec<Violation> {
        let violation = |name: &&str| Violation {
            account: ACCOUNT.to_owned(),
            user_name: (*name).to_owned(),
            access_key_id: format!("AKIA{name}"),
            create_date: Terms::by_default().scanned_at,
        };
        names.iter().map(violation).collect()
    };
    result.comparison = Some(Comparison {
        scanned_at: Terms::by_default().scanned_at - TimeDelta::days(1),
        fixed: list(&["f1", "f2"]),
        exempt: list(&["e1"]),
        new: list(&["n1", "n2", "n3"]),
        open: list(&["o1", "o2", "o3", "o4"]),
        unknown: list(&["u1", "u2", "u3", "u4", "u5"]),
        new_accounts: vec!["444455556666".to_owned()],
    });
    let page = page_of(result);
    assert_says(
        &page,
        &[
            "Since the scan on 2026-02-28 at 12:00 UTC",
            "Fixed 2 Exempt now 1 New 3 Still open 4 Unknown 5",
            "The earlier scan did not cover these accounts completely, so new violations there may be old: 444455556666.",
            "Fixed: 2 access keys",
            "Exempt now: 1 access key Account User Access key 111122223333 e1 AKIAe1",
            "111122223333 u5 AKIAu5",
            "111122223333 bot new non-compliant",
        ],
    );
}

#[test]
fn a_browser_lays_out_the_first_users_and_takes_the_others_as_text() {
    let findings = |number: usize| (0..number).map(|n| violation(&format!("user-{n:05}"), 400)).collect();
    let few: String = page(findings(200));
    assert!(!few.contains("<noscript"), "{}", few.len());
    let many = page(findings(2_200));
    let (_, rest) = many.split_once("<noscript id=\"rest\" data-users=\"2000\"><table").unwrap();
    let (rest, after) = rest.split_once("</table></noscript>").unwrap();
    assert_eq!((rest.matches("<tbody ").count(), after.matches("<tbody ").count()), (2_000, 0));
    assert_eq!(many.matches("<th scope=\"col\">What to do</th>").count(), 2, "both tables have heads");
    // 20,000 of them are 10 MB.
    let each = (many.len() - few.len()) / 2_000;
    assert!(each < 500, "{each} bytes a user");
}

#[test]
fn what_to_do_is_not_said_again_where_a_key_rotates_by_itself() {
    let rotates = |mut finding: Finding| {
        finding.access_keys[0].state = KeyState::Violation;
        Finding { rotates_into: Some("prod/mail".to_owned()), production: Some(false), ..finding }
    };
    let said = text(&page(vec![rotates(violation("bot", 91))]));
    assert!(!said.contains("Do something about bot.") && said.contains("stale: It rotates by itself into"), "{said}");
    let exposed = Finding { exposed: Some(true), ..violation("leaked", 91) };
    assert_says(&page(vec![rotates(exposed)]), &["Do something about leaked."]);
}
