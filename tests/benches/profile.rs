#![allow(clippy::unwrap_used, missing_docs)]
use chrono::{TimeDelta, Utc};
use local_aws::{
    LocalAws, World,
    deployment::{RULE, deploy, start},
    events,
};
use std::process::Command;

const HUB: &str = "111122223333";
const MEMBER: &str = "444455556666";

fn control(pid: u32, arg: &str) {
    if std::env::var("PLAIN").is_ok() {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let f: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        println!("{arg} user {} sys {} (10 ms ticks)", f[11], f[12]);
        return;
    }
    let out = Command::new("callgrind_control").arg(arg).arg(pid.to_string()).output().unwrap();
    println!("{arg}: {}", String::from_utf8_lossy(&out.stdout).trim());
}

#[tokio::main]
async fn main() {
    let binary = std::env::var("PROFILED").unwrap();
    let users: usize = std::env::var("USERS").ok().and_then(|n| n.parse().ok()).unwrap_or(1000);
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, HUB, &[MEMBER]);
    let account = world.account(MEMBER);
    let day = TimeDelta::days;
    account.create_user("bot", Utc::now());
    for n in 0..users {
        let name = format!("user-{n:04}");
        account.create_user(&name, Utc::now() - day(1000));
        account.create_key(&name, Utc::now() - day(if n % 100 == 0 { 120 } else { 10 })).unwrap();
    }
    let aws = LocalAws::start(world).await.unwrap();
    let log = std::env::var("LEVEL").unwrap_or("INFO".into());
    let function = start(
        aws.endpoint(),
        HUB,
        &credentials,
        binary.into(),
        &[("AWS_LAMBDA_LOG_LEVEL", log), ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt".into())],
    )
    .await
    .unwrap();
    let pid = function.process_id();
    control(pid, "-d");
    let change = async || {
        let event = events::change(&mut aws.world(), MEMBER, RULE, "bot", &[]).unwrap().to_string();
        function.invoke(event.as_bytes()).await.unwrap();
    };
    for _ in 0..20 {
        change().await;
    }
    control(pid, "-z");
    for _ in 0..std::env::var("N").ok().and_then(|n| n.parse().ok()).unwrap_or(100) {
        change().await;
    }
    control(pid, "-d");
    for _ in 0..2 {
        control(pid, "-z");
        let event = events::scheduled(&mut aws.world(), MEMBER, RULE, &[]);
        function.invoke(event.to_string().as_bytes()).await.unwrap();
        control(pid, "-d");
    }
    println!("{} calls", aws.world().calls().len());
}
