//! The data of an auditor's document, and the hash over it.

pub(crate) mod controls;

use crate::{
    args::{connection::Session, scope::Scope, targets::LeftOut},
    findings::{
        comparison::Comparison,
        exemptions::Exempted,
        finding::{AccountSummary, Finding, Terms},
        scan_result::ScanResult,
    },
    output::population,
};
use access_key_rotation::coverage::account::State;
use controls::{CONTROLS, Control};
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, io};

/// The name of the list of users.
pub(crate) const USERS: &str = "users";

/// A scan with coverage and exemptions, and what an auditor asks about it.
pub(crate) struct Evidence {
    pub(crate) result: ScanResult,
    /// The ARN of the reader.
    pub(crate) read_by: String,
    pub(crate) region: String,
    pub(crate) organization: bool,
    /// The rule's parameters in this evaluation, by name.
    pub(crate) parameters: BTreeMap<&'static str, String>,
    pub(crate) totals: EvidenceTotals,
    /// The hash of the file with the population, in hexadecimal; `None` if nobody asked for it.
    pub(crate) population_sha256: Option<String>,
    /// The hash over the data, in hexadecimal.
    pub(crate) sha256: String,
}

/// Lower bounds, unless `accounts_incomplete` is zero.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EvidenceTotals {
    users_evaluated: usize,
    users_non_compliant: usize,
    users_exempt: usize,
    users_exposed: Option<usize>,
    users_due_soon: usize,
    old_inactive_keys: usize,
    exemptions_valid: usize,
    exemptions_void: usize,
    accounts: usize,
    accounts_incomplete: usize,
    /// Accounts of which it is not proven that AWS Config evaluated the rule there in time.
    accounts_not_covered: usize,
}

/// Everything except the hash and the users.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Head<'a> {
    program_version: &'static str,
    read_by: &'a str,
    region: &'a str,
    organization: bool,
    left_out: &'a [LeftOut],
    #[serde(flatten)]
    terms: &'a Terms,
    parameters: &'a BTreeMap<&'static str, String>,
    controls: &'static [Control],
    totals: EvidenceTotals,
    #[serde(skip_serializing_if = "Option::is_none")]
    population_sha256: Option<&'a str>,
    accounts: &'a [AccountSummary],
    exemptions: &'a [Exempted],
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a Comparison>,
}

impl Evidence {
    /// With `population`, the data names its hash.
    ///
    /// # Errors
    /// If the data cannot be written as JSON.
    pub(crate) fn new(result: ScanResult, session: &Session, scope: &Scope, population: bool) -> io::Result<Evidence> {
        let population_sha256 = population.then(|| population::hash(&result.findings)).transpose()?;
        let totals = EvidenceTotals::of(&result);
        let values = scope.rule.values.iter();
        let mut evidence = Evidence {
            result,
            read_by: session.caller.clone(),
            region: session.home.region.clone(),
            organization: scope.targets.organization,
            parameters: values.map(|(parameter, value)| (parameter.name, value.clone())).collect(),
            totals,
            population_sha256,
            sha256: String::new(),
        };
        let Value::Object(fields) = serde_json::to_value(evidence.head())? else {
            return Err(io::Error::other("the data is no object"));
        };
        evidence.sha256 = canonical_hash(fields, |hash| {
            for finding in &evidence.result.findings {
                hash(&serde_json::to_value(finding)?);
            }
            Ok(())
        })?;
        Ok(evidence)
    }

    pub(crate) fn head(&self) -> Head<'_> {
        let ScanResult { terms, accounts, comparison, exemptions, left_out, .. } = &self.result;
        Head {
            program_version: env!("CARGO_PKG_VERSION"),
            read_by: &self.read_by,
            region: &self.region,
            organization: self.organization,
            left_out,
            terms,
            parameters: &self.parameters,
            controls: &CONTROLS,
            totals: self.totals,
            population_sha256: self.population_sha256.as_deref(),
            accounts,
            exemptions,
            since: comparison.as_ref(),
        }
    }
}

/// The SHA-256, in hexadecimal, of the data on one line with sorted names, as `jq -cS 'del(.sha256)'` prints it. `fields` has everything
/// except the hash and the users, whom `each_user` hands over one by one.
///
/// # Errors
/// Those of `each_user`.
pub(crate) fn canonical_hash(
    mut fields: Map<String, Value>,
    mut each_user: impl FnMut(&mut dyn FnMut(&Value)) -> io::Result<()>,
) -> io::Result<String> {
    let mut hash = Sha256::new();
    // Takes the place of the users among the sorted names.
    fields.insert(USERS.to_owned(), Value::Null);
    for (number, (name, value)) in fields.iter().enumerate() {
        hash.update(if number == 0 { "{" } else { "," });
        hash.update(as_jq(&name.as_str().into()) + ":");
        if name != USERS {
            hash.update(as_jq(value));
            continue;
        }
        let mut before = "[";
        each_user(&mut |user| {
            hash.update(before);
            hash.update(as_jq(user));
            before = ",";
        })?;
        hash.update(if before == "[" { "[]" } else { "]" });
    }
    hash.update("}\n");
    Ok(hexadecimal(hash))
}

pub(crate) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The text of a value as jq prints it: unlike serde_json, jq escapes the character DEL, which is found in strings alone.
fn as_jq(value: &Value) -> String {
    value.to_string().replace('\u{7f}', "\\u007f")
}

impl EvidenceTotals {
    pub(crate) fn of(result: &ScanResult) -> EvidenceTotals {
        let ScanResult { accounts, exemptions, findings, .. } = result;
        let count = |counts: fn(&Finding) -> bool| findings.iter().filter(|finding| counts(finding)).count();
        EvidenceTotals {
            users_evaluated: findings.len(),
            users_non_compliant: count(Finding::is_violation),
            users_exempt: count(|finding| finding.exempt == Some(true)),
            users_exposed: accounts.iter().map(|account| account.users_exposed).sum(),
            users_due_soon: count(|finding| finding.due_soon),
            old_inactive_keys: accounts.iter().map(|account| account.old_inactive_keys).sum(),
            exemptions_valid: exemptions.iter().filter(|user| user.valid).count(),
            exemptions_void: exemptions.iter().filter(|user| !user.valid).count(),
            accounts: accounts.len(),
            accounts_incomplete: accounts.iter().filter(|account| account.error.is_some()).count(),
            accounts_not_covered: accounts.iter().filter(|account| !is_covered(account)).count(),
        }
    }
}

/// Unknown is not covered.
fn is_covered(account: &AccountSummary) -> bool {
    account.coverage.as_ref().is_some_and(|coverage| coverage.state == State::Evaluated)
}
