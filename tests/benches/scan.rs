//! The cost of scanning an organization, in time, calls and memory, if each answer of AWS takes 30 ms.
//!
//! `cargo bench --profile dev --bench scan`

#![allow(
    clippy::disallowed_methods,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that cannot go on ends"
)]

use chrono::Utc;
use deployment::deploy;
use local_aws::{Fault, FaultKind, LocalAws, REGION, World};
use programs::build_command_line;
use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, process::Command};

const HUB: &str = "111122223333";

async fn scan(accounts: u64, users: usize, per_second: &str) {
    let members: Vec<_> = (0..accounts).map(|n| format!("{:012}", 600_000_000_000 + n)).collect();
    let ids: Vec<_> = members.iter().map(String::as_str).collect();
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &ids);
    for id in ids {
        world.organization(HUB).add_account(id, "workload", "ACTIVE");
        world.account(id).populate(Utc::now(), users, |n| if n % 100 == 0 { 120 } else { 10 }).unwrap();
    }
    let kind = FaultKind::Latency(Duration::from_millis(30));
    world.faults.add(Fault { account: None, action: None, user: None, kind });
    let aws = LocalAws::start(world).await.unwrap();
    let started = Instant::now();
    let mut child = Command::new(build_command_line().unwrap())
        .args(["scan", "--organization", "--format", "json", "--calls-per-second", per_second])
        .env("AWS_ENDPOINT_URL", aws.endpoint())
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", credentials.access_key_id)
        .env("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key)
        .env("AWS_SESSION_TOKEN", credentials.session_token.unwrap_or_default())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Most of the output is still to be written then, and all findings are in memory.
    let mut out = child.stdout.take().unwrap();
    let mut text = vec![0];
    out.read_exact(&mut text).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    let memory = peak(child.id().unwrap());
    out.read_to_end(&mut text).await.unwrap();
    let status = child.wait().await.unwrap().code();
    let calls = aws.world().calls().len();
    println!(
        "{accounts} accounts of {users} users, {per_second} calls a second: {calls} calls, {took:.1} s, {memory}, {} bytes of JSON, \
         {status:?}",
        text.len()
    );
}

/// The most memory that a process had, as Linux says it.
fn peak(process: u32) -> String {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("memory unknown");
    line.trim().to_owned()
}

#[tokio::main]
async fn main() {
    build_command_line().unwrap();
    scan(200, 50, "50").await;
    scan(5000, 20, "1000").await;
    scan(1, 5000, "50").await;
    scan(1, 5000, "1000").await;
}
