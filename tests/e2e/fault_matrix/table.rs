//! The manual's table, in which rows that say the same are one.

/// What some faults of some actions do, in each kind of invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) actions: Vec<&'static str>,
    pub(super) faults: Vec<&'static str>,
    pub(super) outcomes: [String; 3],
}

/// The table in Markdown. What every action takes is its first row.
pub(super) fn render(rows: Vec<Row>) -> String {
    let is_taken = |row: &Row| row.outcomes.iter().all(|outcome| outcome == "all results" || outcome == "–");
    let is_taken_by_all = |fault: &str| rows.iter().filter(|row| row.faults == [fault]).all(is_taken);
    let (taken, rows): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(|row| is_taken_by_all(row.faults[0]));
    let mut faults: Vec<&str> = Vec::new();
    for row in &taken {
        faults.extend(row.faults.iter().filter(|fault| !faults.contains(fault)).copied().collect::<Vec<_>>());
    }
    let rows = merge(rows, |a, b| a.actions == b.actions && a.outcomes == b.outcomes);
    let rows = merge(rows, |a, b| a.faults == b.faults && a.outcomes == b.outcomes);

    let mut lines = vec![
        "| Action | Fault | Change | First sweep | Later sweep |".to_owned(),
        "|---|---|---|---|---|".to_owned(),
        format!("| any | {} | all results | all results | all results |", faults.join(", ")),
    ];
    lines.extend(rows.iter().map(|row| {
        let actions: Vec<_> = row.actions.iter().map(|action| format!("`{action}`")).collect();
        format!("| {} | {} | {} |", actions.join(", "), row.faults.join(", "), row.outcomes.join(" | "))
    }));
    lines.join("\n")
}

/// Each row joins the first one before it that says the same.
fn merge(rows: Vec<Row>, say_the_same: impl Fn(&Row, &Row) -> bool) -> Vec<Row> {
    let mut merged: Vec<Row> = Vec::new();
    for row in rows {
        match merged.iter_mut().find(|other| say_the_same(other, &row)) {
            None => merged.push(row),
            Some(other) => {
                for action in row.actions {
                    if !other.actions.contains(&action) {
                        other.actions.push(action);
                    }
                }
                for fault in row.faults {
                    if !other.faults.contains(&fault) {
                        other.faults.push(fault);
                    }
                }
            }
        }
    }
    merged
}
