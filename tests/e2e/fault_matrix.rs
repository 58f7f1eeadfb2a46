//! What a fault of AWS does: each action that the function calls, with each fault, in each kind of invocation. The outcomes are
//! the manual's table.

mod cell;
mod table;

use cell::{Cell, Invocation, Run};
use futures_util::{StreamExt, stream};
use local_aws::{Cut, FaultKind};
use std::{collections::BTreeSet, time::Duration};
use table::Row;

/// The actions, in the order in which a sweep calls them first.
const ACTIONS: [&str; 9] = [
    "sts:AssumeRole",
    "iam:ListUsers",
    "config:GetComplianceDetailsByConfigRule",
    "iam:ListAccessKeys",
    "iam:GetUser",
    "iam:GetAccessKeyLastUsed",
    "config:GetComplianceDetailsByResource",
    "events:PutEvents",
    "config:PutEvaluations",
];
/// Those that answer page by page.
const LISTINGS: [&str; 4] = [
    "iam:ListUsers",
    "config:GetComplianceDetailsByConfigRule",
    "config:GetComplianceDetailsByResource",
    "iam:ListAccessKeys",
];

/// Most cells wait for a deadline or for the next attempt.
const CELLS_AT_A_TIME: usize = 64;

/// How long a call waits for its answer here, instead of 20 s.
const ATTEMPT: Duration = Duration::from_secs(3);
/// How long an invocation takes that AWS throttles to its end.
const DEADLINE: Duration = Duration::from_secs(20);

/// A fault of all calls of an action.
#[derive(Clone, Debug)]
struct Fault {
    /// As the manual says it.
    name: &'static str,
    /// `None`: no fault of AWS. A user's name passes to another user just before the first call.
    kind: Option<FaultKind>,
    /// How long the invocation may take.
    timeout: Duration,
}

impl Fault {
    fn new(name: &'static str, kind: FaultKind) -> Fault {
        Fault { name, kind: Some(kind), timeout: Duration::from_secs(900) }
    }
}

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

#[tokio::test(start_paused = true)]
async fn the_manual_says_what_each_fault_of_each_action_does() {
    assert_eq!(ACTIONS.map(str::to_owned).into_iter().collect::<BTreeSet<_>>(), actions_in_the_manual());
    let events = ACTIONS.into_iter().flat_map(|action| Invocation::ALL.map(|invocation| Cell { action, invocation }));
    let sound = stream::iter(events).map(async |cell| (cell, cell.run(None).await)).buffer_unordered(CELLS_AT_A_TIME);
    let sound: Vec<(Cell, Run)> = sound.collect().await;
    let faulty = sound.iter().flat_map(|(cell, sound)| {
        let called = sound.calls > 0;
        faults(cell.action).into_iter().map(move |fault| async move {
            let outcome = match called {
                true => cell.run(Some(&fault)).await.outcome(sound),
                false => "–".to_owned(),
            };
            (*cell, fault.name, outcome)
        })
    });
    let outcomes: Vec<_> = stream::iter(faulty).buffer_unordered(CELLS_AT_A_TIME).collect().await;

    let outcome = |action: &str, invocation: Invocation, fault: &str| {
        let is_it = |(cell, name, _): &&(Cell, &str, String)| {
            (cell.action, cell.invocation, *name) == (action, invocation, fault)
        };
        outcomes.iter().find(is_it).unwrap().2.clone()
    };
    let rows = ACTIONS.into_iter().flat_map(|action| {
        let row = move |fault: Fault| Row {
            actions: vec![action],
            faults: vec![fault.name],
            outcomes: Invocation::ALL.map(|invocation| outcome(action, invocation, fault.name)),
        };
        faults(action).into_iter().map(row)
    });
    let expected = table::render(rows.collect());
    let section = section("What a fault does");
    let actual: Vec<_> = section.lines().filter(|line| line.starts_with('|')).collect();
    assert!(actual.join("\n") == expected, "The table in rule/README.md should be:\n{expected}");
}

/// The actions of the function. `permissions.rs` compares them with the calls and with the templates.
fn actions_in_the_manual() -> BTreeSet<String> {
    let section = section("Permissions");
    let (function, _) = section.split_once("\nThe [coverage]").unwrap();
    let services = ["iam:", "config:", "sts:", "events:"];
    let is_action = |word: &&str| services.iter().any(|service| word.starts_with(service));
    function.split('`').filter(is_action).map(str::to_owned).collect()
}

fn section(title: &str) -> &'static str {
    let manual = include_str!("../../rule/README.md");
    let (_, rest) = manual.split_once(&format!("\n## {title}\n")).unwrap();
    rest.split_once("\n## ").unwrap().0
}
