//! What the function's processor time goes to: how many instructions the release binary executes until it asks for its first
//! event, for a change notification, and for sweeps. The counts repeat to a per cent or two, whatever else the machine does.
//!
//! Needs Valgrind. It has no SHA instructions, so hashing for signatures counts several times what it costs on a processor.
//!
//! `CARGO_PROFILE_RELEASE_STRIP=false CARGO_PROFILE_RELEASE_DEBUG=line-tables-only cargo bench --profile dev --bench profile`
//! builds the function with symbols, so that `callgrind_annotate --threshold=100 target/profile/callgrind.N` shows where.

#![allow(
    clippy::disallowed_methods,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that cannot go on ends"
)]

use chrono::Utc;
use deployment::{RULE, deploy};
use local_aws::{LocalAws, World, events};
use programs::{build, roots_in_one_file, start};
use std::{env, fs, path::Path, process::Command};

const HUB: &str = "111122223333";
const MEMBER: &str = "444455556666";
const USERS: usize = 1000;
const CHANGES: u64 = 100;

/// Ends a phase of the profiled process: has Valgrind write its counts to the next file. Returns the number of instructions.
fn end_phase(process_id: u32, folder: &Path, number: u32) -> u64 {
    let status = Command::new("callgrind_control").arg("--dump").arg(process_id.to_string()).output().unwrap().status;
    assert!(status.success(), "callgrind_control: {status}");
    let counts = fs::read_to_string(folder.join(format!("callgrind.{number}"))).unwrap();
    counts.lines().find_map(|line| line.strip_prefix("summary: ")).unwrap().parse().unwrap()
}

#[tokio::main]
async fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/profile");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let script = folder.join("bootstrap");
    let command = format!(
        "#!/bin/sh\nPATH='{}' exec valgrind --quiet --tool=callgrind --callgrind-out-file='{}' '{}'\n",
        env::var("PATH").unwrap(),
        folder.join("callgrind").display(),
        build().unwrap().display()
    );
    fs::write(&script, command).unwrap();
    let status = Command::new("chmod").arg("+x").arg(&script).status().unwrap();
    assert!(status.success(), "chmod: {status}");

    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    let account = world.account(MEMBER);
    account.create_user("bot", Utc::now());
    account.populate(Utc::now(), USERS, |n| if n % 100 == 0 { 120 } else { 10 }).unwrap();
    let aws = LocalAws::start(world).await.unwrap();
    let function = start(aws.endpoint(), HUB, &credentials, script, &[roots_in_one_file()]).await.unwrap();
    let mut numbers = 1..;
    let mut instructions = || end_phase(function.process_id(), &folder, numbers.next().unwrap());
    println!("start to first poll: {} instructions", instructions());

    let change = || events::change(&mut aws.world(), MEMBER, RULE, "bot", &[]).unwrap();
    // The first assumes the role and opens the connection.
    function.invoke(change().to_string().as_bytes()).await.unwrap();
    println!("first change event: {} instructions", instructions());
    for _ in 0..CHANGES {
        function.invoke(change().to_string().as_bytes()).await.unwrap();
    }
    println!("warm change event: {} instructions (mean of {CHANGES})", instructions() / CHANGES);
    for which in ["first", "later"] {
        aws.world().clear_calls();
        let event = events::scheduled(&mut aws.world(), MEMBER, RULE, &[]);
        function.invoke(event.to_string().as_bytes()).await.unwrap();
        let calls = aws.world().calls().len();
        println!("{which} sweep of {USERS} users: {} instructions, {calls} calls", instructions());
    }
}
