//! The cost of the function: time, memory and calls of the release binary, if each answer of AWS takes 30 ms.
//!
//! `cargo bench --profile dev`: only the function is a release build, because the local AWS is not measured.

#![allow(
    clippy::disallowed_methods,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that cannot go on ends"
)]

use chrono::{TimeDelta, Utc};
use deployment::{InProcess, RULE, deploy};
use local_aws::{Account, Fault, FaultKind, LocalAws, World, events, lambda::Function};
use programs::{build, roots_in_one_file, start};
use std::time::{Duration, Instant};

const HUB: &str = "111122223333";
const MEMBER: &str = "444455556666";
const USERS: usize = 5000;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Starts the function several times, with more variables in its environment.
async fn starts(what: &str, env: &[(&str, String)]) {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    let aws = LocalAws::start(world).await.unwrap();
    let mut starts = Vec::new();
    for _ in 0..25 {
        let function = start(aws.endpoint(), HUB, &credentials, build().unwrap(), env).await.unwrap();
        starts.push(function.start_to_first_poll());
    }
    starts.sort_unstable();
    println!("start to first poll, {what}: {:?} (median of 25; slowest {:?})", starts[12], starts[24]);
}

/// Users older than the limit, each with a key. Of every hundred keys, `in_violation` are stale.
fn populate(account: &mut Account, users: usize, in_violation: usize) {
    let age = |n| if n * in_violation % 100 < in_violation { 120 } else { 10 };
    account.populate(Utc::now(), users, age).unwrap();
}

/// Runs one sweep, and prints its cost and its results.
async fn sweep(what: &str, aws: &LocalAws, function: &Function) {
    aws.world().clear_calls();
    let event = events::scheduled(&mut aws.world(), MEMBER, RULE, &[]);
    let processor = function.processor_time().unwrap();
    let started = Instant::now();
    function.invoke(event.to_string().as_bytes()).await.unwrap();
    let took = started.elapsed().as_secs_f64();
    let processor = (function.processor_time().unwrap() - processor).as_secs_f64();
    let resident = function.peak_resident_bytes().unwrap() as f64 / MEBIBYTE;
    let mut world = aws.world();
    let calls = world.calls().len();
    let results = world.account(MEMBER).results(RULE);
    let found = results.values().filter(|result| result.compliance.as_str() == "NON_COMPLIANT").count();
    println!(
        "{what}: {calls} calls, {took:.2} s, {processor:.2} s of processor, {resident:.1} MiB, {found} violations of {}",
        results.len()
    );
}

/// Runs a first sweep, a second, and a third with a new function.
async fn sweeps(what: &str, users: usize, faults: &[FaultKind]) {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    populate(world.account(MEMBER), users, 1);
    for kind in faults {
        let action = matches!(kind, FaultKind::TokenBucket { .. }).then(|| "ListAccessKeys".to_owned());
        world.faults.add(Fault { account: None, action, user: None, kind: kind.clone() });
    }
    let aws = LocalAws::start(world).await.unwrap();
    let start = async || start(aws.endpoint(), HUB, &credentials, build().unwrap(), &[]).await.unwrap();
    let function = start().await;
    sweep(&format!("{what}, first sweep"), &aws, &function).await;
    sweep(&format!("{what}, second sweep"), &aws, &function).await;
    sweep(&format!("{what}, third sweep, new function"), &aws, &start().await).await;
}

/// Runs a first sweep and a later one for each number of users and each share of violations, each with a new function.
async fn growth() {
    println!("users, violations: calls, processor, memory of the first sweep; of a later one");
    for users in [100, 1000, USERS] {
        for in_violation in [0, 1, 10, 100] {
            let mut world = World::live_clock();
            let credentials = deploy(&mut world, HUB, &[MEMBER]);
            populate(world.account(MEMBER), users, in_violation);
            let aws = LocalAws::start(world).await.unwrap();
            for what in ["first", "later"] {
                let function = start(aws.endpoint(), HUB, &credentials, build().unwrap(), &[]).await.unwrap();
                sweep(&format!("{users} users, {in_violation} % in violation, {what} sweep"), &aws, &function).await;
            }
        }
    }
}

/// Runs a first sweep and a later one with what Lambda gives a function of 128 MB: 128/1769 of a processor ("Configure Lambda
/// function memory" in the AWS Lambda developer guide).
async fn with_the_share_of_128_mb() {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    populate(world.account(MEMBER), USERS, 1);
    let kind = FaultKind::Latency(Duration::from_millis(30));
    world.faults.add(Fault { account: None, action: None, user: None, kind });
    let aws = LocalAws::start(world).await.unwrap();
    let function = start(aws.endpoint(), HUB, &credentials, build().unwrap(), &[]).await.unwrap();
    match limit_processor(function.process_id(), 128 * 100_000 / 1769) {
        Ok(()) => {
            sweep("5000 users, 30 ms an answer, 7.2 % of a processor, first sweep", &aws, &function).await;
            sweep("5000 users, 30 ms an answer, 7.2 % of a processor, later sweep", &aws, &function).await;
        }
        Err(error) => println!("the share of a 128 MB function was not measured: cgroup: {error}"),
    }
}

/// Gives a process so many microseconds of processor in every 100,000, by Linux's cgroups, version 2 or 1.
fn limit_processor(process_id: u32, microseconds: u32) -> std::io::Result<()> {
    let root = std::path::Path::new("/sys/fs/cgroup");
    let unified = root.join("cgroup.controllers").exists();
    let group =
        if unified { root.to_owned() } else { root.join("cpu") }.join(format!("access-key-rotation-{process_id}"));
    std::fs::create_dir(&group)?;
    if unified {
        std::fs::write(group.join("cpu.max"), format!("{microseconds} 100000"))?;
    } else {
        std::fs::write(group.join("cpu.cfs_quota_us"), microseconds.to_string())?;
    }
    std::fs::write(group.join("cgroup.procs"), process_id.to_string())
}

/// Runs a month of daily sweeps. Every user rotates the only key when it is 85 days old.
async fn month() {
    let mut world = World::new(Utc::now());
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    let (now, day) = (world.now(), TimeDelta::days);
    let account = world.account(MEMBER);
    account.populate(now, USERS, |n| (n % 85) as i64).unwrap();
    let aws = LocalAws::start(world).await.unwrap();
    let rule = InProcess::start(&aws, HUB, credentials).await.unwrap();
    let mut calls = 0;
    for _ in 0..30 {
        let event = events::scheduled(&mut aws.world(), MEMBER, RULE, &[]);
        let now = aws.world().now();
        let (outcome, metrics) = rule.invoke(&event, now).await;
        outcome.unwrap();
        calls += metrics.calls.made();
        let mut world = aws.world();
        world.advance(day(1));
        let now = world.now();
        let account = world.account(MEMBER);
        let due = account.users().filter(|user| now - user.keys[0].created >= day(85));
        let due: Vec<_> = due.map(|user| (user.name.clone(), user.keys[0].id.clone())).collect();
        for (user, key) in due {
            account.create_key(&user, now).unwrap();
            account.delete_key(&user, &key);
        }
    }
    println!(
        "{USERS} users, 30 daily sweeps, every key rotated after 85 days: {calls} calls; one read per user and day: {}",
        USERS * 30
    );
}

#[tokio::main]
async fn main() {
    starts("root certificates as on this machine", &[]).await;
    starts("root certificates in one file, as on Amazon Linux", &[roots_in_one_file()]).await;

    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    world.account(MEMBER).create_user("bot", Utc::now());
    let aws = LocalAws::start(world).await.unwrap();
    let function = start(aws.endpoint(), HUB, &credentials, build().unwrap(), &[]).await.unwrap();
    let mut took = Vec::new();
    let mut processor = Duration::ZERO;
    for n in 0..1100 {
        let event = events::change(&mut aws.world(), MEMBER, RULE, "bot", &[]).unwrap().to_string();
        if n == 100 {
            processor = function.processor_time().unwrap();
        }
        let started = Instant::now();
        function.invoke(event.as_bytes()).await.unwrap();
        took.push(started.elapsed());
    }
    let processor = (function.processor_time().unwrap() - processor) / 1000;
    let warm = &mut took[100..];
    warm.sort_unstable();
    println!("warm change event: {:?} (median of 1000), {processor:?} of processor (mean)", warm[500]);
    let resident = function.peak_resident_bytes().unwrap() as f64 / MEBIBYTE;
    println!("after 1100 change events: {resident:.1} MiB");

    let members: Vec<_> = (0..100).map(|n| format!("{:012}", 600_000_000_000_u64 + n)).collect();
    let mut world = World::live_clock();
    let ids: Vec<_> = members.iter().map(String::as_str).collect();
    let credentials = deploy(&mut world, HUB, &ids);
    let events: Vec<_> = ids
        .iter()
        .map(|id| {
            world.account(id).create_user("bot", Utc::now());
            events::scheduled(&mut world, id, RULE, &[])
        })
        .collect();
    let aws = LocalAws::start(world).await.unwrap();
    let function = start(aws.endpoint(), HUB, &credentials, build().unwrap(), &[]).await.unwrap();
    for event in events {
        function.invoke(event.to_string().as_bytes()).await.unwrap();
    }
    let resident = function.peak_resident_bytes().unwrap() as f64 / MEBIBYTE;
    println!("after sweeps of 100 accounts: {resident:.1} MiB");

    let latency = FaultKind::Latency(Duration::from_millis(30));
    let bucket = FaultKind::TokenBucket { per_second: 100.0, burst: 100.0 };
    for users in [0, 3, 16, USERS] {
        sweeps(&format!("{users} users, 30 ms an answer"), users, std::slice::from_ref(&latency)).await;
    }
    sweeps("5000 users, 100 reads a second admitted", USERS, &[latency, bucket]).await;
    with_the_share_of_128_mb().await;
    growth().await;
    month().await;
}
