//! What the function costs: time, memory and calls of the released binary, with an answer of AWS taking 30 ms.
//!
//! `cargo bench --profile dev`: only the function is a release build here; the local AWS is not what is measured.

#![allow(clippy::unwrap_used, missing_docs)]

use chrono::{TimeDelta, Utc};
use local_aws::{
    Account, Fault, FaultKind, LocalAws, World,
    deployment::{RULE, build, deploy, start},
    events,
    lambda::Function,
};
use std::time::{Duration, Instant};

const HUB: &str = "111122223333";
const MEMBER: &str = "444455556666";
const USERS: usize = 5000;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

async fn deployed(seed: impl FnOnce(&mut Account), faults: &[FaultKind]) -> (LocalAws, Function) {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    seed(world.account(MEMBER));
    for kind in faults {
        let action = matches!(kind, FaultKind::TokenBucket { .. }).then(|| "ListAccessKeys".to_owned());
        world.faults.add(Fault { account: None, action, user: None, kind: kind.clone() });
    }
    let aws = LocalAws::start(world).await.unwrap();
    let function = start(aws.endpoint(), HUB, &credentials, build().unwrap(), &[]).await.unwrap();
    (aws, function)
}

/// Users older than the limit, one in a hundred with a stale key, and a share of them without any key.
fn populate(account: &mut Account, keyless_per_cent: usize) {
    account.report_polls = 2;
    let day = TimeDelta::days;
    for n in 0..USERS {
        let name = format!("user-{n:04}");
        account.create_user(&name, Utc::now() - day(1000));
        let age = if n % 100 == 0 { 120 } else { 10 };
        if n % 100 == 0 || n * 37 % 100 >= keyless_per_cent {
            account.create_key(&name, Utc::now() - day(age)).unwrap();
        }
    }
}

async fn sweep(what: &str, keyless: usize, faults: &[FaultKind], parameters: &[&[(&str, &str)]]) {
    let (aws, function) = deployed(|account| populate(account, keyless), faults).await;
    for parameters in parameters {
        aws.world().clear_calls();
        let event = events::scheduled(&mut aws.world(), MEMBER, RULE, parameters);
        let started = Instant::now();
        function.invoke(event.to_string().as_bytes()).await.unwrap();
        let took = started.elapsed().as_secs_f64();
        let resident = function.peak_resident_bytes().unwrap() as f64 / MEBIBYTE;
        let mut world = aws.world();
        let calls = world.calls().len();
        let non_compliant = |account: &Account| {
            account.results(RULE).values().filter(|result| result.compliance.as_str() == "NON_COMPLIANT").count()
        };
        let found = non_compliant(world.account(MEMBER));
        println!(
            "{what:<44} {parameters:?}: {calls} calls, {took:.1} s, {resident:.1} MiB, {found} violations of {USERS}"
        );
    }
}

#[tokio::main]
async fn main() {
    let mut starts = Vec::new();
    for _ in 0..15 {
        let (_, function) = deployed(|_| {}, &[]).await;
        starts.push(function.start_to_first_poll());
    }
    starts.sort_unstable();
    println!("start to first poll: {:?} (median of 15; slowest {:?})", starts[7], starts[14]);

    let (aws, function) = deployed(|account| drop(account.create_user("bot", Utc::now())), &[]).await;
    for _ in 0..100 {
        let event = events::change(&mut aws.world(), MEMBER, RULE, "bot", &[]).unwrap();
        function.invoke(event.to_string().as_bytes()).await.unwrap();
    }
    let resident = function.peak_resident_bytes().unwrap() as f64 / MEBIBYTE;
    println!("after 100 change events: {resident:.1} MiB");

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
    let live: &[(&str, &str)] = &[];
    let report: &[(&str, &str)] = &[("keySource", "report")];
    let changes: &[(&str, &str)] = &[("keySource", "report"), ("deliver", "changes")];
    sweep("30 ms, every user with a key", 0, std::slice::from_ref(&latency), &[report, report, changes, live]).await;
    sweep("30 ms, half of the users without a key", 50, std::slice::from_ref(&latency), &[live]).await;
    sweep("30 ms, 100 reads a second admitted", 0, &[latency, bucket], &[live]).await;
}
