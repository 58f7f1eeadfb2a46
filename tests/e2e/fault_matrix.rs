//! What a fault of AWS does: each action that the function calls, with each fault, in each kind of invocation. The outcomes are
//! the manual's table.

mod cell;
mod table;

use crate::{deployed, support::*};
use cell::{Cell, Fault, Invocation, Left};
use local_aws::{Cut, FaultKind};
use std::{collections::BTreeSet, time::Duration};
use table::Row;

/// The actions, in the order in which a sweep calls them first.
const ACTIONS: [&str; 11] = [
    "sts:AssumeRole",
    "iam:ListUsers",
    "iam:ListEntitiesForPolicy",
    "config:GetComplianceDetailsByConfigRule",
    "iam:ListAccessKeys",
    "iam:GetUser",
    "iam:GetAccessKeyLastUsed",
    "iam:ListAttachedUserPolicies",
    "config:GetComplianceDetailsByResource",
    "events:PutEvents",
    "config:PutEvaluations",
];
/// Those that answer page by page.
const LISTINGS: [&str; 6] = [
    "iam:ListUsers",
    "iam:ListEntitiesForPolicy",
    "config:GetComplianceDetailsByConfigRule",
    "config:GetComplianceDetailsByResource",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
];

/// How long an invocation takes that AWS throttles to its end.
const DEADLINE: Duration = Duration::from_secs(20);

fn faults(action: &str) -> Vec<Fault> {
    let throttled = FaultKind::Throttle { probability: 1.0 };
    let server_error = FaultKind::ServerError { probability: 1.0 };
    let unanswered = FaultKind::Latency(Duration::from_secs(3600));
    let cut = FaultKind::CutBody(Cut::Half);
    let page = FaultKind::Intercepted("<html><head><title>Sign in</title></head><body><p>Sign in.</p></body></html>");
    let empty = FaultKind::Intercepted("");
    let each = [&throttled, &server_error, &unanswered, &FaultKind::Reset, &cut, &page, &empty].map(FaultKind::clone);
    let mut faults = vec![
        Fault { name: "a user is renamed", kind: None, timeout: Duration::from_secs(900) },
        Fault { timeout: DEADLINE, ..Fault::new("throttled", throttled) },
        Fault::new("no answer", unanswered),
        Fault::new("HTTP 500", server_error),
        Fault::new("connection lost", FaultKind::Reset),
        Fault::new("answer cut", cut),
        Fault::new("answer of a proxy", page),
        Fault::new("empty answer", empty),
        Fault::new("denied", FaultKind::AccessDenied),
        Fault::new("a fault that passes", FaultKind::InTurn(each.to_vec())),
        Fault::new("slow", FaultKind::Latency(Duration::from_millis(500))),
    ];
    if LISTINGS.contains(&action) {
        faults.push(Fault::new("short and empty pages", FaultKind::ShortPages(1)));
        faults.push(Fault::new("same marker again", FaultKind::RepeatedMarker));
    }
    faults
}

/// The table, in Markdown. `reference.rs` compares it with the manual's.
pub(crate) async fn table() -> String {
    let mut actions = &deployed::most_actions(EVALUATION_ROLE) & &deployed::most_actions(FUNCTION_ROLE);
    actions.extend(["sts:AssumeRole", "events:PutEvents"].map(str::to_owned));
    assert_eq!(ACTIONS.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), actions);
    let mut left = Left::default();
    let mut rows = Vec::new();
    for action in ACTIONS {
        let mut sound = Vec::new();
        for invocation in Invocation::ALL {
            let cell = Cell { action, invocation };
            sound.push((cell, cell.run(None, &mut left).await));
        }
        for fault in faults(action) {
            let mut outcomes = Vec::new();
            for (cell, sound) in &sound {
                let is_called = sound.calls > 0;
                outcomes.push(if is_called {
                    cell.run(Some(&fault), &mut left).await.outcome(sound)
                } else {
                    "–".to_owned()
                });
            }
            rows.push(Row { actions: vec![action], faults: vec![fault.name], outcomes: outcomes.try_into().unwrap() });
        }
    }
    table::render(rows)
}
