//! Compares a scan with an earlier one. A key that could not be evaluated now is neither fixed nor open.

use crate::findings::finding::{AccountSummary, Finding, Key, Since, Terms};
use anyhow::{Context, anyhow, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use policy::access_key::KeyStatus;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, IgnoredAny, SeqAccess, Visitor},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

/// A key in violation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Violation {
    pub(crate) account: String,
    pub(crate) user_name: String,
    pub(crate) access_key_id: String,
    #[serde(skip)]
    pub(crate) create_date: DateTime<Utc>,
}

/// What `--since` adds to a scan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Comparison {
    /// When the earlier scan was made.
    pub(crate) scanned_at: DateTime<Utc>,
    /// Rotated, deactivated, deleted.
    pub(crate) fixed: Vec<Violation>,
    /// Still stale, but exempt now.
    pub(crate) exempt: Vec<Violation>,
    /// In violation now, but not before.
    pub(crate) new: Vec<Violation>,
    /// In violation before and now.
    pub(crate) open: Vec<Violation>,
    /// In violation before, but not evaluated now.
    pub(crate) unknown: Vec<Violation>,
    /// Accounts that the earlier scan did not cover completely. New violations in them may be old.
    pub(crate) new_accounts: Vec<String>,
}

/// The violations of an earlier scan.
#[derive(Debug)]
pub(crate) struct Earlier {
    /// Whether both scans evaluated credential reports. A user without a line in a report may still exist, and a key with
    /// another date may be the same key, reactivated.
    credential_report: bool,
    complete: BTreeSet<String>,
    violations: Violations,
    comparison: Comparison,
}

/// By account and user: the id, which survives a rename, or the name, since a credential report has no ids.
type Violations = BTreeMap<(String, String), Vec<Violation>>;

impl Earlier {
    /// Reads what `--format json` wrote.
    ///
    /// # Errors
    /// If the file cannot be read, is not a scan, or was made with another limit.
    pub(crate) fn read(path: &Path, terms: &Terms) -> anyhow::Result<Earlier> {
        let file = File::open(path).map_err(anyhow::Error::from);
        file.and_then(|file| Earlier::parse(BufReader::new(file), terms))
            .with_context(|| format!("--since {}", path.display()))
    }

    /// Parses what [`Earlier::read`] reads.
    pub(crate) fn parse(document: impl Read, terms: &Terms) -> anyhow::Result<Earlier> {
        let document: Document = serde_json::from_reader(document).map_err(|error| {
            // It may quote the file.
            anyhow!("not the output of scan --format json: {}", error.to_string().replace(char::is_control, "?"))
        })?;
        let Document { terms: then, filter, accounts, users: Users(violations) } = document;
        if filter.is_some() {
            bail!("a filter left users out of it, who would look fixed. Pass a scan that you made without a filter");
        }
        if then.credential_report != terms.credential_report {
            bail!("cannot compare a scan of AWS with a scan of credential reports, which have no key ids");
        }
        if then.scanned_at > terms.scanned_at {
            let seconds = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
            bail!(
                "made at {}, which is later than this scan at {}",
                seconds(then.scanned_at),
                seconds(terms.scanned_at)
            );
        }
        if then.max_access_key_age != terms.max_access_key_age {
            let (then, now) = (then.max_access_key_age, terms.max_access_key_age);
            bail!("made with --max-access-key-age {then}, but this scan has {now}");
        }
        let comparison = Comparison {
            scanned_at: then.scanned_at,
            fixed: Vec::new(),
            exempt: Vec::new(),
            new: Vec::new(),
            open: Vec::new(),
            unknown: Vec::new(),
            new_accounts: Vec::new(),
        };
        let complete = accounts.into_iter().filter(|account| account.error.is_none()).map(|account| account.account);
        Ok(Earlier { credential_report: then.credential_report, complete: complete.collect(), violations, comparison })
    }

    /// Compares a user who was evaluated now, and marks the finding.
    pub(crate) fn compare(&mut self, finding: &mut Finding) {
        let before = self.violations.remove(&identity(&finding.account, &finding.user_id, &finding.user_name));
        let before = before.unwrap_or_default();
        for violation in &before {
            let same =
                |key: &&Key| key.access_key_id == violation.access_key_id && key.create_date == violation.create_date;
            let is_active = |key: &Key| key.access_key_id == violation.access_key_id && key.status == KeyStatus::Active;
            let list = match finding.access_keys.iter().find(same) {
                None if self.credential_report && finding.access_keys.iter().any(is_active) => {
                    &mut self.comparison.unknown
                }
                Some(key) if finding.violates(key) => &mut self.comparison.open,
                Some(key) if key.status == KeyStatus::Active => &mut self.comparison.exempt,
                _ => &mut self.comparison.fixed,
            };
            list.push(violation.clone());
        }
        let is_new = |key: &&Key| {
            finding.violates(key)
                && !before.iter().any(|violation| {
                    violation.access_key_id == key.access_key_id && violation.create_date == key.create_date
                })
        };
        let new = finding.access_keys.iter().filter(is_new).map(|key| Violation {
            account: finding.account.clone(),
            user_name: finding.user_name.clone(),
            access_key_id: key.access_key_id.clone(),
            create_date: key.create_date,
        });
        let open = self.comparison.new.len();
        self.comparison.new.extend(new);
        if finding.is_violation() {
            finding.since = Some(if self.comparison.new.len() == open { Since::Open } else { Since::New });
        }
    }

    /// Records that an account is done, completely or not.
    pub(crate) fn account_done(&mut self, account: &AccountSummary) {
        if !self.complete.contains(&account.account) {
            self.comparison.new_accounts.push(account.account.clone());
        }
        if account.error.is_some() || self.credential_report {
            return;
        }
        // Users who were not evaluated no longer exist.
        let gone = self.violations.extract_if(.., |(id, _), _| *id == account.account);
        self.comparison.fixed.extend(gone.flat_map(|(_, keys)| keys));
    }

    pub(crate) fn finish(self) -> Comparison {
        let mut comparison = self.comparison;
        comparison.unknown.extend(self.violations.into_values().flatten());
        let Comparison { fixed, exempt, new, open, unknown, new_accounts, .. } = &mut comparison;
        for list in [fixed, exempt, new, open, unknown] {
            list.sort();
        }
        new_accounts.sort();
        comparison
    }
}

fn identity(account: &str, user_id: &Option<String>, user_name: &str) -> (String, String) {
    (account.to_owned(), user_id.as_deref().unwrap_or(user_name).to_owned())
}

#[derive(Deserialize)]
struct Document {
    #[serde(flatten)]
    terms: Terms,
    /// What left users out.
    #[serde(default)]
    filter: Option<IgnoredAny>,
    accounts: Vec<AccountSummary>,
    users: Users,
}

/// The users in violation. Reading skips all others.
struct Users(Violations);

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Users, D::Error> {
        struct List;

        impl<'de> Visitor<'de> for List {
            type Value = Users;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of users")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut users: A) -> Result<Users, A::Error> {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct User {
                    account: String,
                    user_name: String,
                    user_id: Option<String>,
                    violations: Vec<String>,
                    #[serde(default)]
                    access_keys: Vec<Key>,
                }
                let mut all = Violations::new();
                while let Some(user) = users.next_element::<User>()? {
                    let texts = [&user.account, &user.user_name].into_iter().chain(&user.violations);
                    if texts.into_iter().any(|text| text.contains(char::is_control)) {
                        // A terminal would obey it.
                        return Err(A::Error::custom(
                            "a user has a control character in account, userName or violations",
                        ));
                    }
                    if !user.violations.is_empty() {
                        // A user who is renamed during a scan can be listed twice.
                        let keys = all.entry(identity(&user.account, &user.user_id, &user.user_name)).or_default();
                        for id in &user.violations {
                            let key = user.access_keys.iter().find(|key| key.access_key_id == *id);
                            let key =
                                key.ok_or_else(|| A::Error::custom(format!("{id} is not among the accessKeys")))?;
                            let create_date = key.create_date;
                            let is_it =
                                |known: &Violation| known.access_key_id == *id && known.create_date == create_date;
                            if !keys.iter().any(is_it) {
                                keys.push(Violation {
                                    account: user.account.clone(),
                                    user_name: user.user_name.clone(),
                                    access_key_id: id.clone(),
                                    create_date,
                                });
                            }
                        }
                    }
                }
                Ok(Users(all))
            }
        }

        deserializer.deserialize_seq(List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A user who is renamed while a scan lists users can be listed twice.
    #[test]
    fn a_user_who_is_listed_twice_keeps_all_violations_and_each_counts_once() {
        let key = |id: &str| json!({ "accessKeyId": id, "status": "Active", "createDate": "2025-03-01T12:00:00Z", "ageDays": 365 });
        let user = |name: &str, ids: &[&str]| {
            let keys: Vec<_> = ids.iter().map(|id| key(id)).collect();
            json!({ "account": "111122223333", "userName": name, "userId": "AIDA", "violations": ids, "accessKeys": keys })
        };
        let terms = Terms::by_default();
        let document = json!({
            "scannedAt": terms.scanned_at, "maxAccessKeyAge": 90, "warnBeforeDays": 14, "quietDays": 45,
            "credentialReport": false, "accounts": [],
            "users": [user("anna", &["AKIAONE", "AKIATWO"]), user("anna-maria", &["AKIATWO", "AKIATHREE"])],
        });
        let earlier = Earlier::parse(document.to_string().as_bytes(), &terms).unwrap();
        let unknown: Vec<_> = earlier.finish().unknown.into_iter().map(|violation| violation.access_key_id).collect();
        assert_eq!(unknown, ["AKIAONE", "AKIATWO", "AKIATHREE"]);
    }
}
