//! The whole job on one machine: an organization of several accounts, swept by AWS Config's events, before and after some
//! keys are rotated.

mod organization;
mod report;
mod serve;

use chrono::{DateTime, TimeDelta};
use clap::Parser;
use local_aws::{
    LocalAws, World,
    deployment::{InProcess, RULE, deploy},
    events,
};
use organization::Organization;
use report::{Report, Sweep};
use std::{
    error::Error,
    io::{Write, stdout},
    time::Instant,
};

/// Sweeps a made-up organization with the rule, on AWS for one process on loopback.
#[derive(Parser)]
#[command(name = "demo")]
struct Options {
    /// Accounts in the organization
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=200))]
    accounts: u16,
    /// IAM users in all accounts together (5,000 an account at most)
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,
    /// Users with a stale key, in per cent
    #[arg(long, value_name = "PERCENT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=100))]
    non_compliant: u8,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// Keep AWS up on this port of 127.0.0.1 until Ctrl-C (0: any free port), and print commands to try in another terminal
    #[arg(long, value_name = "PORT")]
    serve: Option<u16>,
}

/// What lies between the two sweeps. Midnight UTC does, so that an exemption ends.
struct Pause {
    time: TimeDelta,
    said: &'static str,
}

/// A world that is the same each time. One that is served has the system's clock after the pause, since the command line goes by
/// that clock.
fn begin(serves: bool) -> (World, Pause) {
    if serves {
        let pause = Pause { time: TimeDelta::days(1), said: "A day later" };
        let mut world = World::live_clock();
        world.advance(-pause.time);
        return (world, pause);
    }
    let evening = DateTime::from_timestamp(1_772_404_200, 0).unwrap_or_default(); // 2026-03-01T22:30:00Z
    (World::new(evening), Pause { time: TimeDelta::hours(2), said: "Two hours later" })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if options.users.div_ceil(options.accounts.into()) > 5000 {
        return Err("an AWS account has 5,000 IAM users at most: give more --accounts or fewer --users".into());
    }
    let (mut world, pause) = begin(options.serve.is_some());
    let organization = Organization::seed(&mut world, options.accounts, options.users, options.non_compliant);
    let members: Vec<_> = organization.accounts.iter().map(String::as_str).collect();
    let hub = members[0];
    let credentials = deploy(&mut world, hub, &members);
    if options.serve.is_some() {
        serve::prepare(&mut world, &organization);
    }
    let aws = match options.serve {
        Some(port) => LocalAws::start_on(world, port).await?,
        None => LocalAws::start(world).await?,
    };
    let rule = InProcess::start(&aws, hub, credentials).await?;

    eprintln!("{} IAM users in {} accounts, on {}", options.users, options.accounts, aws.endpoint());
    let mut report = Report { later: pause.said, ..Report::default() };
    report.sweeps.push(sweep(&aws, &rule, &organization).await?);
    report.changes = change(&aws, &rule, &organization).await?;
    report.before = report::results(&aws, &organization);

    eprintln!(
        "{}: keys rotated, an exemption expired. Users who cannot have a stale key yet are not read again",
        pause.said
    );
    aws.world().advance(pause.time);
    organization.rotate_some(&mut aws.world());
    report.sweeps.push(sweep(&aws, &rule, &organization).await?);
    report.after = report::results(&aws, &organization);

    // Not println!, which panics when the reader has seen enough.
    match options.json {
        true => writeln!(stdout(), "{}", report.json())?,
        false => write!(stdout(), "{report}")?,
    }
    if options.serve.is_some() {
        serve::serve(&aws, &organization, &report.after).await?;
    }
    Ok(())
}

/// Sends every account the scheduled event, one after the other.
async fn sweep(aws: &LocalAws, rule: &InProcess, organization: &Organization) -> Result<Sweep, Box<dyn Error>> {
    let mut sweep = Sweep { calls: 0, seconds: 0.0 };
    for account in &organization.accounts {
        let started = Instant::now();
        let event = events::scheduled(&mut aws.world(), account, RULE, &[]);
        let now = aws.world().now();
        let (outcome, metrics) = rule.invoke(&event, now).await;
        outcome?;
        let line = metrics.line(now, started.elapsed());
        eprintln!(
            "  account {account}: {} users evaluated, {} non-compliant, {} exempt, {} AWS calls, {:.1} s",
            line["UsersEvaluated"],
            line["UsersNonCompliant"],
            line["UsersExempt"],
            line["AwsCalls"],
            started.elapsed().as_secs_f64()
        );
        sweep.calls += metrics.calls.made();
        sweep.seconds += started.elapsed().as_secs_f64();
    }
    Ok(sweep)
}

/// Makes a user in each account and deletes one: Config sends a change notification for each. Gives their number.
async fn change(aws: &LocalAws, rule: &InProcess, organization: &Organization) -> Result<usize, Box<dyn Error>> {
    let mut changes = 0;
    for account in &organization.accounts {
        let (made, gone) = {
            let mut world = aws.world();
            let now = world.now();
            let (name, id) = organization.first_user(world.account(account)).ok_or("an account without users")?;
            world.account(account).create_user("new-service", now);
            world.account(account).delete_user(&name);
            let made = events::change(&mut world, account, RULE, "new-service", &[]).ok_or("no new user")?;
            (made, events::deleted(&mut world, account, RULE, &id, &name, &[]))
        };
        for event in [made, gone] {
            let now = aws.world().now();
            rule.invoke(&event, now).await.0?;
            changes += 1;
        }
    }
    eprintln!("  {changes} change notifications: a new user and a deleted one in each account");
    Ok(changes)
}
