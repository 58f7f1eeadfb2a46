//! The rule and the command line beside what others use: a rule on rdklib, Cloud Custodian, and Prowler. Prints the table of the
//! manual, with a column for each tool. Each run is a new process on the same users, and each answer of AWS takes 30 ms.
//!
//! `cargo bench --profile dev --bench peers`, or with another number of users: `… --bench peers -- 500`, or only with the tools
//! whose names contain a word: `… --bench peers -- prowler 1000`. Installs their pinned packages in `target/peers`. Prowler's are
//! many, and it takes at least 15 minutes to read 5,000 users.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that cannot go on ends"
)]

mod population;
mod tool;

use chrono::{TimeDelta, Utc};
use population::{Population, Refused, add_secret, consume};
use serde_json::Value;
use std::{collections::BTreeSet, env, fs};
use tool::{Run, TOOLS, Tool, command_line, custodian, install, runbooks, versions};

const ACCOUNT: &str = "111122223333";
const MEBIBYTE: f64 = 1024.0 * 1024.0;
/// So few users tell what a tool does if AWS refuses a read.
const FEW: usize = 200;

/// A row of the table, with a cell for each tool.
struct Row(&'static str, Vec<String>);

/// What the tools find, and what it costs. The rule remembers, so it has a second row for later sweeps.
async fn sweeps(tools: &[Tool], users: usize) -> Vec<Row> {
    let what = ["stale keys found", "calls", "seconds", "processor seconds", "MiB"];
    let what = [&what[..], &["later: calls", "later: seconds", "later: processor seconds"]].concat();
    let mut rows: Vec<_> = what.into_iter().map(|what| Row(what, Vec::new())).collect();
    for tool in tools {
        let on = Population::start(users, Refused::Nothing).await;
        let first = tool.run(&on).await;
        assert!(!first.tells, "{}", tool.name());
        let mut cells = vec![found(&first, &on)];
        cells.extend(cost(&first, on.calls(None)));
        if *tool == Tool::Rule {
            on.aws.world().clear_calls();
            let later = tool.run(&on).await;
            assert_eq!(later.found, first.found);
            cells.extend(cost(&later, on.calls(None)).into_iter().take(3));
        } else {
            cells.extend(["the same".to_owned(), "the same".to_owned(), "the same".to_owned()]);
        }
        eprintln!("{}: {cells:?}", tool.name());
        rows.iter_mut().zip(cells).for_each(|(row, cell)| row.1.push(cell));
    }
    rows
}

fn cost(run: &Run, calls: usize) -> [String; 4] {
    let cost = &run.cost;
    let mebibytes = cost.bytes / MEBIBYTE;
    [calls.to_string(), format!("{:.1}", cost.seconds), format!("{:.2}", cost.processor), format!("{mebibytes:.0}")]
}

/// How many stale keys a tool found, and what it missed and reported wrongly.
fn found(run: &Run, on: &Population) -> String {
    let list = |names: Vec<&String>, what| {
        if names.is_empty() {
            String::new()
        } else {
            format!("; {what} {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
        }
    };
    let missed = list(on.stale.difference(&run.found).collect(), "misses");
    let wrong = list(run.found.difference(&on.stale).collect(), "wrongly reports");
    format!("{} of {}{missed}{wrong}", run.found.intersection(&on.stale).count(), on.stale.len())
}

/// What the tools say if AWS refuses a read.
async fn refusals(tools: &[Tool], refused: Refused, what: &'static str) -> Row {
    let mut cells = Vec::new();
    for tool in tools {
        let on = Population::start(FEW, refused).await;
        let run = tool.run(&on).await;
        let says = match (run.tells, run.found == on.stale) {
            (true, _) => "tells; ",
            (false, true) => "not affected; ",
            (false, false) => "says nothing; ",
        };
        cells.push(format!("{says}{}", found(&run, &on)));
        eprintln!("{what}: {}: {:?}", tool.name(), cells.last());
    }
    Row(what, cells)
}

/// Asks `where` who uses the stale keys.
async fn callers(users: usize) {
    let on = Population::start(users, Refused::Nothing).await;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers/where.json");
    let (cost, status) = command_line(&on, &["where", "--format", "json", "--output", file]).await;
    assert_eq!(status, 0);
    let histories: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let keys = histories["keys"].as_array().unwrap();
    let named = keys.iter().filter(|key| key["callers"].as_array().is_some_and(|callers| !callers.is_empty())).count();
    println!(
        "`where` names the callers of {named} of {} stale keys in use, in {} Regions: {} lookups, {} other calls, {:.1} s",
        keys.len(),
        keys[0]["regionsRead"].as_array().unwrap().len(),
        on.calls(Some("LookupEvents")),
        on.calls(None) - on.calls(Some("LookupEvents")),
        cost.seconds,
    );
}

/// Lets the runbook and Cloud Custodian switch off stale keys.
async fn deactivations(users: usize) {
    let print = |who, on: &Population| {
        let [(in_use, all_in_use), (idle, all_idle)] = on.switched_off();
        println!(
            "{who} switches off {in_use} of {all_in_use} stale keys in use, and {idle} of {all_idle} that nobody uses: {} calls",
            on.calls(None)
        );
    };
    let mut on = Population::start(users, Refused::Nothing).await;
    let is_stale = |name: &String| on.stale.contains(name);
    let ids = on.account(|account| {
        let users = account.users().filter(|user| is_stale(&user.name));
        users.map(|user| user.id.clone()).collect::<Vec<_>>()
    });
    let arguments = [vec!["deactivate", "0"], ids.iter().map(String::as_str).collect()].concat();
    runbooks(&mut on, &arguments).await;
    print("The runbook", &on);
    let on = Population::start(users, Refused::Nothing).await;
    let (_, status) = custodian(&on, "disable").await;
    assert_eq!(status, 0);
    print("Cloud Custodian", &on);
}

/// Lets days pass until a key in a secret was replaced, and the old key is deleted. A consumer uses the secret each day.
async fn rotation() {
    let mut on = Population::start(FEW, Refused::Nothing).await;
    on.account(add_secret);
    let mut used = BTreeSet::new();
    let (mut days, mut failed) = (0, 0);
    let is_done = |on: &Population, used: &BTreeSet<String>| {
        let keys = on.account(|account| account.user("shop-mailer").map_or(0, |user| user.keys.len()));
        used.len() == 2 && keys == 1
    };
    while !is_done(&on, &used) {
        assert!(days < 60, "the key does not rotate");
        days += 1;
        let ahead = {
            let mut world = on.aws.world();
            world.advance(TimeDelta::days(1));
            match consume(&mut world) {
                Some(key) => drop(used.insert(key)),
                None => failed += 1,
            }
            (world.now() - Utc::now()).num_seconds().to_string()
        };
        runbooks(&mut on, &["rotate", &ahead]).await;
    }
    println!(
        "A key rotates into a secret: {} calls of the daily runs in {days} days; the consumer failed on {failed} of them",
        on.calls(None)
    );
}

/// A line on what was measured and where: the tools' versions, the processors, and how busy they are.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!(
        "{}, {}, {} x {}, load {}",
        Utc::now().format("%Y-%m-%d"),
        versions(),
        std::thread::available_parallelism().unwrap(),
        model.map_or("unknown processor", |(_, model)| model),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    )
}

#[tokio::main]
async fn main() {
    // Cargo adds options of its own.
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let users = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(5000);
    let words: Vec<_> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let named = |tool: &Tool| words.iter().any(|word| tool.name().to_lowercase().contains(&word.to_lowercase()));
    let tools: Vec<_> = TOOLS.into_iter().filter(|tool| words.is_empty() || named(tool)).collect();
    assert!(!tools.is_empty(), "no tool has a name with {words:?} in it");
    // The runbooks use boto3 of the others' packages.
    install(&TOOLS).await;
    println!("{} at the start\n", machine());
    let mut rows = vec![
        refusals(&tools, Refused::KeysOfOne, "AWS refuses the keys of one user").await,
        refusals(&tools, Refused::Report, "AWS refuses the credential report").await,
    ];
    rows.extend(sweeps(&tools, users).await);
    let names: Vec<_> = tools.iter().map(|tool| tool.name()).collect();
    println!("| {users} users | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for Row(what, cells) in rows {
        println!("| {what} | {} |", cells.join(" | "));
    }
    println!();
    callers(users).await;
    deactivations(users).await;
    rotation().await;
    println!("\n{} at the end", machine());
}
