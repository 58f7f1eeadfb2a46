//! The findings of a scan for each user and account: the document that `--format json` prints and `--since` reads.

use crate::{
    args::{order::Order, runbook_days::RunbookDays},
    findings::{other_credentials::OtherCredentials, record::Record, rotation::Rotation},
};
use access_key_rotation::coverage::account::{Coverage, State, several_rules};
use chrono::{DateTime, NaiveDate, Utc};
use policy::{
    access_key::{AccessKey, KeyState, KeyStatus, LastUsed, was_used_within},
    assessment::{AssessedKey, Assessment},
    exemption::Exemption,
    parameters::Parameters,
    priority::{self, Priority},
    rotation::secret,
    verdict::Compliance,
};
use serde::{Deserialize, Serialize};

/// A user's state since an earlier scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Since {
    /// A key is newly in violation.
    New,
    /// All keys in violation were already in violation before.
    Open,
}

/// One user. Times are in UTC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Finding {
    /// Twelve digits.
    pub(crate) account: String,
    pub(crate) user_name: String,
    /// `AIDA…`; a credential report has none.
    pub(crate) user_id: Option<String>,
    pub(crate) arn: String,
    pub(crate) compliance: Compliance,
    pub(crate) annotation: Option<String>,
    /// What the annotation says besides the keys' ids and dates, for a place that shows these; empty if there is nothing to do.
    #[serde(skip)]
    pub(crate) to_do: String,
    /// Whether an exemption makes the user compliant; `None` for a violation in a credential report, which shows no exemptions.
    pub(crate) exempt: Option<bool>,
    /// Whether a key of a compliant user is due soon (`--warn-before-days`).
    pub(crate) due_soon: bool,
    /// Whether AWS found a key of the user in public; `None` if that is unknown, as in a credential report.
    #[serde(default)]
    pub(crate) exposed: Option<bool>,
    /// Whether the user has the production tag; `None` if the tags were not read, since no key is stale.
    pub(crate) production: Option<bool>,
    /// Whether a key in violation, or a stale key of an exempt user, was used within `--quiet-days`; `None` if that is unknown.
    pub(crate) in_use: Option<bool>,
    /// The value of the owner tag, if the user has one and the tags were read.
    pub(crate) owner: Option<String>,
    /// Ids of the keys in violation, oldest first.
    pub(crate) violations: Vec<String>,
    /// Ids of the keys that are older than the limit, but not active, oldest first. Somebody should delete them.
    pub(crate) old_inactive_keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Since>,
    /// The secret that the user's tag names, into which the keys rotate by themselves if the secret names the user too; `None` if
    /// there is none, or the tags were not read.
    #[serde(default)]
    pub(crate) rotates_into: Option<String>,
    /// The rotation that is under way; `None` if there is none, or the records were not read.
    #[serde(default)]
    pub(crate) rotation: Option<Rotation>,
    pub(crate) access_keys: Vec<Key>,
}

/// An access key of a [`Finding`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Key {
    /// `AKIA…`; `access key 1` or `2` from a credential report, which has no ids.
    pub(crate) access_key_id: String,
    /// The user's own words, if there are any and the tags were read.
    #[serde(default)]
    pub(crate) description: Option<String>,
    pub(crate) status: KeyStatus,
    pub(crate) create_date: DateTime<Utc>,
    /// Whole days.
    pub(crate) age_days: i64,
    /// `None` if it was not read, since the key is not stale.
    pub(crate) last_used: Option<Used>,
    /// What the runbooks recorded of it; `None` if there is no record, or they were not read.
    #[serde(default)]
    pub(crate) record: Option<Record>,
    /// What the policy says about it.
    #[serde(skip)]
    pub(crate) state: KeyState,
    /// The last day of the exemption that covers it, stale or not, if the tags were read.
    #[serde(skip)]
    pub(crate) exempt_until: Option<NaiveDate>,
}

/// The last use of a key. Without a date, IAM has no use on record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Used {
    pub(crate) date: Option<DateTime<Utc>>,
    pub(crate) region: String,
    pub(crate) service_name: String,
}

/// One account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AccountSummary {
    pub(crate) account: String,
    /// The name in AWS Organizations, with `--organization`.
    pub(crate) name: Option<String>,
    pub(crate) users_evaluated: usize,
    pub(crate) users_non_compliant: usize,
    /// `None` for a credential report, which shows no exemptions.
    pub(crate) users_exempt: Option<usize>,
    /// `None` if that is unknown for a user, or if nobody is known to be and something is missing.
    #[serde(default)]
    pub(crate) users_exposed: Option<usize>,
    /// Keys of all users that are older than the limit, but not active.
    #[serde(default)]
    pub(crate) old_inactive_keys: usize,
    #[serde(flatten)]
    pub(crate) other_credentials: OtherCredentials,
    /// Why the runbooks' records of keys are unknown; `None` if they were read, and for a credential report.
    #[serde(default)]
    pub(crate) records_error: Option<String>,
    /// Why their records of rotations are unknown; likewise.
    #[serde(default)]
    pub(crate) rotations_error: Option<String>,
    /// The missing data, and the reason.
    pub(crate) error: Option<String>,
    /// When AWS Config last evaluated the rule, in `evidence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) coverage: Option<Covered>,
    /// How the parameters of the account's rules differ from those of this reading; `None` if there is no rule, or they were not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) parameter_differences: Option<Vec<String>>,
}

/// The coverage of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Covered {
    pub(crate) state: State,
    pub(crate) rule: Option<String>,
    /// Further rules that invoke the function. Earlier versions did not write them.
    #[serde(default)]
    pub(crate) other_rules: Vec<String>,
    pub(crate) last_evaluated: Option<DateTime<Utc>>,
    /// Why the account is not covered.
    pub(crate) why: Option<String>,
}

impl Covered {
    /// Why the account is not covered, and the rules that invoke the function if there are several.
    pub(crate) fn remarks(&self) -> String {
        let several = several_rules(self.rule.as_deref(), &self.other_rules);
        self.why.iter().cloned().chain(several).collect::<Vec<_>>().join("; ")
    }
}

impl From<Coverage> for Covered {
    fn from(coverage: Coverage) -> Covered {
        let Coverage { state, rule, other_rules, last_evaluated, why, .. } = coverage;
        Covered { state, rule, other_rules, last_evaluated, why }
    }
}

/// The time and the limits of a scan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Terms {
    pub(crate) scanned_at: DateTime<Utc>,
    /// Days, as are the next five.
    pub(crate) max_access_key_age: u16,
    pub(crate) warn_before_days: u16,
    pub(crate) quiet_days: u16,
    #[serde(default)]
    pub(crate) grace_days: u16,
    #[serde(default)]
    pub(crate) rotate_after_days: u16,
    #[serde(default)]
    pub(crate) settle_days: u16,
    /// Whether the scan evaluated credential reports, which have no key ids, no tags and so no exemptions.
    pub(crate) credential_report: bool,
}

impl Terms {
    /// Those of a scan with every default.
    #[cfg(test)]
    pub(crate) fn by_default() -> Terms {
        Terms {
            scanned_at: "2026-03-01T12:00:00Z".parse().unwrap(),
            max_access_key_age: 90,
            warn_before_days: 14,
            quiet_days: 45,
            grace_days: 30,
            rotate_after_days: 75,
            settle_days: 7,
            credential_report: false,
        }
    }

    pub(crate) fn new(parameters: &Parameters, order: &Order, days: RunbookDays, now: DateTime<Utc>) -> Terms {
        let RunbookDays { grace_days, rotate_after_days, settle_days } = days;
        Terms {
            scanned_at: now,
            max_access_key_age: parameters.max_access_key_age,
            warn_before_days: parameters.warn_before_days,
            quiet_days: order.quiet_days,
            grace_days,
            rotate_after_days,
            settle_days,
            credential_report: false,
        }
    }
}

/// Sorts findings; see [`Finding::rank`].
pub(crate) type Rank = (priority::Rank, DateTime<Utc>, String, String);

impl Finding {
    pub(crate) fn new(account: &str, assessment: Assessment, order: &Order, terms: &Terms) -> Finding {
        let ids = |state| assessment.keys_in(state).into_iter().map(|key| key.id.clone()).collect::<Vec<_>>();
        let (violations, old_inactive_keys) = (ids(KeyState::Violation), ids(KeyState::OldInactive));
        let exemptions_are_known = !terms.credential_report || violations.is_empty();
        let (exempt, due_soon) = (assessment.is_exempt(), assessment.is_due_soon());
        let in_use = assessment.is_in_use(terms.quiet_days, terms.scanned_at);
        let annotation = assessment.said().map(str::to_owned);
        let to_do = assessment.to_do(terms.max_access_key_age, terms.quiet_days, terms.scanned_at);
        let exposed = assessment.exposure.is_exposed();
        let Assessment { user, verdict, exemption, keys, tags, .. } = assessment;
        Finding {
            account: account.to_owned(),
            user_name: user.name,
            user_id: Some(user.id).filter(|id| !id.is_empty()),
            arn: user.arn,
            compliance: verdict.compliance,
            annotation,
            to_do,
            exempt: exemptions_are_known.then_some(exempt),
            due_soon,
            exposed,
            production: tags.as_ref().map(|tags| order.is_production(tags)),
            in_use,
            owner: tags.as_ref().and_then(|tags| order.owner(tags)),
            violations,
            old_inactive_keys,
            since: None,
            rotates_into: tags.as_ref().and_then(secret).map(str::to_owned),
            rotation: None,
            access_keys: keys.into_iter().map(|key| Key::assessed(key, &exemption, terms.scanned_at)).collect(),
        }
    }

    /// How urgent it is.
    pub(crate) fn priority(&self) -> Priority {
        Priority { exposed: self.exposed, production: self.production, in_use: self.in_use }
    }

    /// The keys that are older than the limit, but not active, oldest first.
    pub(crate) fn old_inactive_keys(&self) -> impl Iterator<Item = &Key> {
        let key = |id: &String| self.access_keys.iter().find(|key| key.access_key_id == *id);
        self.old_inactive_keys.iter().filter_map(key)
    }

    /// Whether the key is in violation.
    pub(crate) fn violates(&self, key: &Key) -> bool {
        self.violations.contains(&key.access_key_id)
    }

    /// The owner, or what stands for a user whose tags name none, and for one whose tags were not read.
    pub(crate) fn owner_or<'a>(&'a self, nobody: &'a str, unread: &'a str) -> &'a str {
        self.owner.as_deref().unwrap_or(if self.tags_are_read() { nobody } else { unread })
    }

    /// Whether the user's tags were read, so that it is known whether they name an owner or a secret.
    pub(crate) fn tags_are_read(&self) -> bool {
        self.production.is_some()
    }

    /// Whether the user's key rotates by itself, as far as the user's side tells, or does so now.
    pub(crate) fn takes_part(&self) -> bool {
        self.rotates_into.is_some() || self.rotation.is_some()
    }

    pub(crate) fn is_exposed(&self) -> bool {
        self.exposed == Some(true)
    }

    pub(crate) fn is_violation(&self) -> bool {
        self.compliance == Compliance::NonCompliant
    }

    /// The most urgent first, as [`Priority::rank`] has it. Among equals, older keys come before younger ones.
    pub(crate) fn rank(&self) -> Rank {
        let matters = |key: &&Key| {
            if self.violations.is_empty() { key.status == KeyStatus::Active } else { self.violates(key) }
        };
        let oldest = self.access_keys.iter().filter(matters).map(|key| key.create_date).min();
        (
            self.priority().rank(self.is_violation(), self.exempt == Some(true) || self.due_soon),
            oldest.unwrap_or(DateTime::<Utc>::MAX_UTC),
            self.account.clone(),
            self.user_name.clone(),
        )
    }
}

impl Key {
    /// Whether the key was used within so many days; `None` if its last use is not known.
    pub(crate) fn is_in_use(&self, within_days: u16, now: DateTime<Utc>) -> Option<bool> {
        self.last_used.as_ref().map(|used| was_used_within(used.date, within_days, now))
    }

    fn assessed(key: AssessedKey, exemption: &Exemption, now: DateTime<Utc>) -> Key {
        let AssessedKey { key, state, description, .. } = key;
        let exempt_until = match exemption {
            Exemption::Valid { until, .. } if exemption.covers(&key.id) => Some(*until),
            _ => None,
        };
        Key { state, exempt_until, ..Key::new(key, description, now) }
    }

    pub(crate) fn new(key: AccessKey, description: Option<String>, now: DateTime<Utc>) -> Key {
        Key {
            description,
            access_key_id: key.id,
            status: key.status,
            create_date: key.created,
            age_days: (now - key.created).num_days(),
            last_used: key.last_used.map(|used| Used::from(*used)),
            record: None,
            state: KeyState::Current,
            exempt_until: None,
        }
    }
}

impl AccountSummary {
    /// Counts the account's users.
    pub(crate) fn count(&mut self, findings: &[&Finding]) {
        let count = |counts: fn(&Finding) -> bool| findings.iter().filter(|finding| counts(finding)).count();
        // Users who could not be evaluated may be exposed.
        let exposed: Option<usize> = findings.iter().map(|finding| finding.exposed.map(usize::from)).sum();
        self.users_evaluated = findings.len();
        self.users_non_compliant = count(Finding::is_violation);
        self.users_exempt = self.users_exempt.map(|_| count(|finding| finding.exempt == Some(true)));
        self.users_exposed = exposed.filter(|exposed| *exposed > 0 || self.error.is_none());
        self.old_inactive_keys = findings.iter().map(|finding| finding.old_inactive_keys.len()).sum();
    }

    /// Counts those of the account's users alone whom a filter shows. Whose exposure is unknown may be among those that it does not.
    pub(crate) fn narrow(&mut self, findings: &[&Finding]) {
        let is_unknown = self.users_exposed.is_none();
        self.count(findings);
        self.users_exposed = self.users_exposed.filter(|exposed| *exposed > 0 || !is_unknown);
        let is_shown = |user: &str| findings.iter().any(|finding| finding.user_name == user);
        if let Some(credentials) = &mut self.other_credentials.service_specific_credentials {
            credentials.retain(|credential| is_shown(&credential.user_name));
        }
    }

    /// That the runbooks' records are unknown, and why.
    pub(crate) fn records_sentence(&self) -> Option<String> {
        let (of_what, error) = match (&self.records_error, &self.rotations_error) {
            (Some(error), Some(_)) => ("access keys and rotations", error),
            (Some(error), None) => ("access keys", error),
            (None, Some(error)) => ("rotations", error),
            (None, None) => return None,
        };
        Some(format!("{}: the runbooks' records of {of_what} are unknown. {error}", self.account))
    }
}

impl From<LastUsed> for Used {
    fn from(LastUsed { at, region, service }: LastUsed) -> Used {
        Used { date: at, region, service_name: service }
    }
}

impl Used {
    /// What a rotation changes besides the key, if SES used it last. An SMTP password of SES is derived from the secret access key for
    /// one Region ("Obtaining Amazon SES SMTP credentials" in the SES developer guide).
    pub(crate) fn smtp_advice(&self) -> Option<String> {
        self.date.filter(|_| ["ses", "ses-smtp"].contains(&self.service_name.as_str()))?;
        let region = if self.region == "N/A" { "the Region that it sends in" } else { &self.region };
        Some(format!(
            "Amazon SES used it last. If something sends mail by SMTP with it, the SMTP password changes with the key: derive the new \
             one from the new secret access key for {region}. The SMTP user name is the new access key id."
        ))
    }
}

/// An active key of so many days, last used so many days ago; `None`: not read, a negative number: no use on record. Older than 90 days, it
/// is in violation.
#[cfg(test)]
pub(crate) fn used_key(access_key_id: &str, age: i64, used: Option<i64>) -> Key {
    let now = Terms::by_default().scanned_at;
    Key {
        access_key_id: access_key_id.to_owned(),
        description: None,
        status: KeyStatus::Active,
        create_date: now - chrono::TimeDelta::days(age),
        age_days: age,
        last_used: used.map(|days| Used {
            date: (days >= 0).then(|| now - chrono::TimeDelta::days(days)),
            region: "us-east-1".to_owned(),
            service_name: "s3".to_owned(),
        }),
        record: None,
        state: if age > 90 { KeyState::Violation } else { KeyState::Current },
        exempt_until: None,
    }
}

/// A compliant user with these keys.
#[cfg(test)]
pub(crate) fn compliant(user_name: &str, access_keys: Vec<Key>) -> Finding {
    Finding {
        account: "111122223333".to_owned(),
        user_name: user_name.to_owned(),
        user_id: Some(format!("AIDA{user_name}")),
        arn: format!("arn:aws:iam::111122223333:user/{user_name}"),
        compliance: Compliance::Compliant,
        annotation: None,
        to_do: String::new(),
        exempt: Some(false),
        due_soon: false,
        exposed: Some(false),
        production: None,
        in_use: Some(false),
        owner: None,
        violations: Vec::new(),
        old_inactive_keys: Vec::new(),
        since: None,
        rotates_into: None,
        rotation: None,
        access_keys,
    }
}
