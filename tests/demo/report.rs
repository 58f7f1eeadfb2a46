//! The output: compliance as the AWS Config console shows it, and the changes.

use crate::organization::Organization;
use comfy_table::{ContentArrangement, Table, presets};
use deployment::RULE;
use local_aws::{ComplianceType, LocalAws};
use policy::{annotation::is_exemption, skip_until::is_routine};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fmt,
    io::{IsTerminal, stdout},
};

/// How many compliant users of each kind to show.
const EXAMPLES: usize = 4;

/// Compliance and annotation by account and user.
pub(crate) type Results = BTreeMap<(String, String), (ComplianceType, String)>;

/// The cost of a sweep of all accounts.
pub(crate) struct Sweep {
    pub(crate) calls: u64,
    pub(crate) seconds: f64,
}

/// The outcome of the demo.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) sweeps: Vec<Sweep>,
    pub(crate) changes: usize,
    /// The time between the two sweeps, such as `A day later`.
    pub(crate) later: &'static str,
    pub(crate) before: Results,
    pub(crate) after: Results,
}

/// Reads the results that AWS Config holds for all users.
pub(crate) fn results(aws: &LocalAws, organization: &Organization) -> Results {
    let mut world = aws.world();
    let mut results = Results::new();
    for id in &organization.accounts {
        let account = world.account(id);
        for user in account.users() {
            if let Some(result) = account.results(RULE).get(&user.id) {
                let annotation = result.annotation.clone().unwrap_or_default();
                results.insert((id.clone(), user.name.clone()), (result.compliance, annotation));
            }
        }
    }
    results
}

impl Report {
    pub(crate) fn json(&self) -> Value {
        let rows = |results: &Results| -> Vec<Value> {
            let row = |((account, user), (compliance, annotation)): (&(String, String), &(ComplianceType, String))| json!({ "account": account, "user": user, "compliance": compliance.as_str(), "annotation": annotation });
            results.iter().map(row).collect()
        };
        json!({
            "sweeps": self.sweeps.iter().map(|sweep| json!({ "calls": sweep.calls, "seconds": sweep.seconds })).collect::<Vec<_>>(),
            "changeNotifications": self.changes,
            "before": { "totals": totals(&self.before), "results": rows(&self.before) },
            "after": { "totals": totals(&self.after), "results": rows(&self.after) },
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut compliance = table(["Account", "User", "Compliance", "Annotation"]);
        let violations = self.before.iter().filter(|(_, (verdict, _))| *verdict == ComplianceType::NonCompliant);
        let compliant = || self.before.iter().filter(|(_, (verdict, _))| *verdict == ComplianceType::Compliant);
        let exempt = compliant().filter(|(_, (_, said))| is_exemption(said)).take(EXAMPLES);
        let described = compliant().filter(|(_, (_, said))| !is_exemption(said) && !is_routine(said)).take(EXAMPLES);
        let others = compliant().filter(|(_, (_, said))| is_routine(said)).take(EXAMPLES);
        let shown = violations.chain(exempt).chain(described).chain(others);
        for ((account, user), (verdict, annotation)) in shown {
            compliance.add_row([account, user, verdict.as_str(), annotation]);
        }
        writeln!(f, "\nCompliance in AWS Config after the first sweep and {} changes\n", self.changes)?;
        write_table(f, &compliance)?;
        writeln!(f, "... and {} more compliant users", self.before.len() - compliance.row_count())?;

        let mut changed = table(["Account", "User", "Before", "After", "Annotation now"]);
        for (key @ (account, user), (after, annotation)) in &self.after {
            let before = self.before.get(key).map(|(before, _)| *before);
            if before != Some(*after) {
                let before = before.map_or("-", ComplianceType::as_str);
                changed.add_row([account, user, before, after.as_str(), annotation]);
            }
        }
        writeln!(f, "\n{}, after some rotations: what the second sweep changed\n", self.later)?;
        write_table(f, &changed)?;

        let mut numbers = table(["", "Users", "NON_COMPLIANT", "COMPLIANT", "AWS calls", "Seconds"]);
        for ((name, results), sweep) in [("before", &self.before), ("after", &self.after)].into_iter().zip(&self.sweeps)
        {
            let totals = [ComplianceType::NonCompliant, ComplianceType::Compliant]
                .map(|verdict| count(results, verdict).to_string());
            let [non_compliant, compliant] = totals;
            numbers.add_row([
                name.to_owned(),
                results.len().to_string(),
                non_compliant,
                compliant,
                sweep.calls.to_string(),
                format!("{:.1}", sweep.seconds),
            ]);
        }
        writeln!(f)?;
        write_table(f, &numbers)
    }
}

fn count(results: &Results, verdict: ComplianceType) -> usize {
    results.values().filter(|(recorded, _)| *recorded == verdict).count()
}

fn totals(results: &Results) -> Value {
    json!({
        "users": results.len(),
        "NON_COMPLIANT": count(results, ComplianceType::NonCompliant),
        "COMPLIANT": count(results, ComplianceType::Compliant),
    })
}

fn write_table(f: &mut fmt::Formatter<'_>, table: &Table) -> fmt::Result {
    table.lines().try_for_each(|line| writeln!(f, "{}", line.trim_end()))
}

/// A table that fits the terminal, or plain columns without a terminal.
fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.set_header(header);
    if stdout().is_terminal() {
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic)
    } else {
        table.load_style(presets::NOTHING)
    };
    table
}
