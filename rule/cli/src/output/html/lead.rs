//! The page in a sentence or two: how many users are compliant, and what to do about the others.

use super::{
    owners::Open,
    parts::{grouped, number},
};
use crate::findings::{
    finding::{Finding, Terms},
    scan_result::ScanResult,
};

pub(super) fn sentences(result: &ScanResult) -> String {
    let users = result.findings.len();
    let exposed = result.findings.iter().filter(|finding| finding.is_exposed()).count();
    let mut said = Vec::new();
    if exposed > 0 {
        said.push(format!("AWS found a key of {} in public.", number(exposed, "user")));
    }
    let violations: Vec<_> = result.findings.iter().filter(|finding| finding.is_violation()).collect();
    let read = if result.is_complete() { "" } else { ", as far as they were read" };
    match (users, violations.len()) {
        (0, _) => said.push("Nobody was evaluated.".to_owned()),
        (_, 0) => said.push(format!("Nobody of {} is in violation{read}.", number(users, "user"))),
        (_, violators) => {
            said.push(format!("{} of {} are compliant{read}.", share(users - violators, users), number(users, "user")));
            said.push(keys(&violations, &result.terms));
        }
    }
    said.join(" ")
}

/// In per cent, with one digit, and never 100 % of fewer than all.
fn share(part: usize, whole: usize) -> String {
    let tenths = part * 1000 / whole;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn keys(violations: &[&Finding], terms: &Terms) -> String {
    let mut keys = Open::default();
    violations.iter().for_each(|finding| keys.add(finding, terms));
    let users = violations.len();
    let mut parts = Vec::new();
    let are = |keys: usize| if keys == 1 { "is" } else { "are" };
    if keys.in_use > 0 {
        parts.push(format!("{} {} in use", number(keys.in_use, "key"), are(keys.in_use)));
    }
    if keys.idle > 0 {
        parts.push(format!("{} can be switched off today", number(keys.idle, "key")));
    }
    if keys.unknown > 0 {
        parts.push(format!("the last use of {} is unknown", number(keys.unknown, "key")));
    }
    parts.push(format!("the oldest is {} old", number(keys.oldest, "day")));
    format!("{} {} not; {}.", grouped(users), if users == 1 { "is" } else { "are" }, parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::{
        finding::{compliant, used_key},
        scan_result::AccountScan,
    };
    use policy::verdict::Compliance;

    /// A user with a key of so many days that is in violation, used so many days ago; a negative number: no use on record.
    fn violator(name: &str, age: i64, used: Option<i64>) -> Finding {
        let key = used_key(&format!("AKIA{name}"), age, used);
        let violations = vec![key.access_key_id.clone()];
        Finding { compliance: Compliance::NonCompliant, violations, ..compliant(name, vec![key]) }
    }

    fn said(findings: Vec<Finding>, error: Option<&str>) -> String {
        let mut result = ScanResult::new(Terms::by_default(), None);
        let error = error.map(str::to_owned);
        result.add(AccountScan { account: "111122223333".to_owned(), findings, error, ..AccountScan::default() });
        sentences(&result.finish())
    }

    #[test]
    fn the_page_begins_with_what_matters() {
        let young = |number: usize| (0..number).map(|n| compliant(&format!("young-{n}"), Vec::new()));
        assert_eq!(said(Vec::new(), None), "Nobody was evaluated.");
        assert_eq!(said(young(1).collect(), None), "Nobody of 1 user is in violation.");
        assert_eq!(
            said(young(2).collect(), Some("denied")),
            "Nobody of 2 users is in violation, as far as they were read."
        );
        let one = young(999).chain([violator("old", 623, Some(1))]).collect();
        assert_eq!(
            said(one, None),
            "99.9 % of 1,000 users are compliant. 1 is not; 1 key is in use; the oldest is 623 days old."
        );
        let many = young(2)
            .chain([violator("a", 91, Some(1)), violator("b", 400, Some(46)), violator("c", 92, Some(-1))])
            .chain([violator("d", 93, None)])
            .collect();
        assert_eq!(
            said(many, None),
            "33.3 % of 6 users are compliant. 4 are not; 1 key is in use; 2 keys can be switched off today; the last use of 1 key is \
             unknown; the oldest is 400 days old."
        );
        let exposed = Finding { exposed: Some(true), ..compliant("leaked", Vec::new()) };
        assert_eq!(said(vec![exposed], None), "AWS found a key of 1 user in public. Nobody of 1 user is in violation.");
    }

    #[test]
    fn fewer_than_all_are_never_100_per_cent() {
        assert_eq!([share(9999, 10_000), share(0, 3), share(2, 3)], ["99.9 %", "0.0 %", "66.6 %"]);
    }
}
