//! An earlier scan, from whoever kept the file.

use crate::{
    findings::{
        comparison::{Comparison, Earlier, Violation},
        finding::{AccountSummary, Finding, Since},
    },
    terms::{assert_error, scan},
};
use chrono::{DateTime, Utc};
use policy::verdict::Compliance;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeSet, sync::LazyLock};

/// A scan of now.
#[derive(Deserialize)]
struct Now {
    accounts: Vec<AccountSummary>,
    users: Vec<Finding>,
}

/// The same users in two accounts. In the second, they have ids, one is exempt, and not all users are known.
static NOW: LazyLock<Now> = LazyLock::new(|| {
    let mut now: Now = serde_json::from_str(include_str!("../../fixtures/scan/findings.json")).unwrap();
    let mut account = now.accounts[0].clone();
    account.account = "444455556666".to_owned();
    account.error = Some("1 of 7 users unknown".to_owned());
    let mut users = now.users.clone();
    for user in &mut users {
        user.account.clone_from(&account.account);
        user.user_id = Some(format!("AIDA{}", user.user_name.to_ascii_uppercase()));
    }
    users[0].compliance = Compliance::Compliant;
    users[0].exempt = Some(true);
    users[0].violations.clear();
    now.accounts.push(account);
    now.users.extend(users);
    now
});

/// The input is what `scan --format json` printed.
pub(crate) fn earlier_scan(input: &[u8]) -> bool {
    [false, true].map(|credential_report| compare(input, credential_report)).contains(&true)
}

fn compare(input: &[u8], credential_report: bool) -> bool {
    let terms = scan(credential_report);
    let mut earlier = match Earlier::parse(input, &terms) {
        Ok(earlier) => earlier,
        Err(error) => {
            assert_error(&format!("{error:#}"));
            return false;
        }
    };
    let mut users = NOW.users.clone();
    for account in &NOW.accounts {
        for finding in users.iter_mut().filter(|finding| finding.account == account.account) {
            earlier.compare(finding);
        }
        earlier.account_done(account);
    }
    // What is not read may be anything.
    let document: Value = serde_json::from_str(&String::from_utf8_lossy(input)).unwrap();
    assert_eq!(document["credentialReport"], credential_report);
    assert_eq!(document["maxAccessKeyAge"], 90);
    assert_compared(&document, &earlier.finish(), &users, credential_report);
    true
}

fn assert_compared(document: &Value, comparison: &Comparison, users: &[Finding], credential_report: bool) {
    let Comparison { scanned_at, fixed, exempt, new, open, unknown, new_accounts } = comparison;
    assert!(*scanned_at <= scan(credential_report).scanned_at);
    // Every key that was in violation is somewhere, once, even if its user was listed twice.
    let earlier = document["users"].as_array().unwrap().iter().flat_map(violations).collect::<BTreeSet<_>>();
    let mut before: Vec<Identified> = earlier.into_iter().map(|(_, key)| key).collect();
    let after = [fixed, exempt, open, unknown].into_iter().flatten();
    let mut after: Vec<_> =
        after.map(|key| (key.account.clone(), key.access_key_id.clone(), key.create_date)).collect();
    before.sort();
    after.sort();
    assert_eq!(after, before);
    // Every key that is in violation is new or open, once.
    let found = |finding: &Finding| {
        let account = finding.account.clone();
        finding.violations.iter().map(move |id| (account.clone(), id.clone())).collect::<Vec<_>>()
    };
    let mut now: Vec<_> = users.iter().flat_map(found).collect();
    let mut told: Vec<_> =
        [new, open].into_iter().flatten().map(|key| (key.account.clone(), key.access_key_id.clone())).collect();
    now.sort();
    told.sort();
    assert_eq!(told, now);
    for finding in users {
        let news = new.iter().any(|key| key.account == finding.account && finding.user_name == key.user_name);
        let expected = if news { Since::New } else { Since::Open };
        assert_eq!(finding.since, finding.is_violation().then_some(expected), "{finding:?}");
    }
    // Nobody is gone from an account of which not all is known, and a report never tells.
    let incomplete = |account: &str| NOW.accounts.iter().all(|other| other.account != account || other.error.is_some());
    let evaluated = |key: &Violation| {
        let was = document["users"].as_array().unwrap().iter().filter(|user| user["account"] == *key.account);
        let was: Vec<_> = was.filter(|user| user["userName"] == *key.user_name).map(identity).collect();
        users.iter().any(|user| {
            user.account == key.account && was.contains(&user.user_id.as_deref().unwrap_or(&user.user_name))
        })
    };
    for key in [fixed, exempt, open, unknown].into_iter().flatten() {
        // The table shows these as they are.
        let texts = [&key.account, &key.user_name, &key.access_key_id];
        assert!(!texts.iter().any(|text| text.contains(char::is_control)), "{key:?}");
    }
    for key in fixed {
        assert!(evaluated(key) || !incomplete(&key.account) && !credential_report, "{key:?} is not fixed");
    }
    for account in NOW.accounts.iter().map(|account| &account.account) {
        let complete = document["accounts"].as_array().unwrap().iter();
        let mut complete = complete.filter(|before| before["account"] == **account && before["error"].is_null());
        assert_eq!(new_accounts.contains(account), complete.next().is_none(), "{account}");
    }
}

/// The id, or the name.
fn identity(user: &Value) -> &str {
    user["userId"].as_str().or(user["userName"].as_str()).unwrap()
}

/// Account, id and creation of a key.
type Identified = (String, String, DateTime<Utc>);

/// A user's keys in violation, each with the user.
fn violations(user: &Value) -> Vec<(&str, Identified)> {
    let violation = |id: &Value| {
        let key = user["accessKeys"].as_array().unwrap().iter().find(|key| key["accessKeyId"] == *id).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (identity(user), (text(&user["account"]), text(id), text(&key["createDate"]).parse().unwrap()))
    };
    user["violations"].as_array().unwrap().iter().map(violation).collect()
}
