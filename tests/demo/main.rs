//! The rule on one machine: AWS Config's events make it sweep an organization of several accounts, before and after some keys
//! are rotated.

#![expect(clippy::print_stderr, reason = "a program that talks to people")]

mod callers;
mod organization;
mod report;
mod rotating;
mod serve;

use chrono::{DateTime, TimeDelta};
use clap::Parser;
use deployment::{InProcess, RULE, deploy};
use local_aws::{LocalAws, World, events};
use organization::Organization;
use report::{Report, Sweep};
use std::{
    error::Error,
    io::{Write, stdout},
    time::Instant,
};

/// Sweep a made-up organization with the rule, on a local AWS.
#[derive(Parser)]
#[command(name = "demo")]
struct Options {
    /// Make this number of accounts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=200))]
    accounts: u16,
    /// Make this number of IAM users in all accounts together, at most 5,000 in each account
    #[arg(long, default_value_t = 1500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    users: u32,
    /// Give a stale key to this percentage of users
    #[arg(long, value_name = "PERCENT", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=100))]
    non_compliant: u8,
    /// Print one JSON document instead of tables
    #[arg(long)]
    json: bool,
    /// Keep the local AWS up on this port of 127.0.0.1 until you press Ctrl-C, and print commands to try in another terminal. 0
    /// means any free port
    #[arg(long, value_name = "PORT")]
    serve: Option<u16>,
}

/// The time between the two sweeps. It includes midnight UTC, so that an exemption ends.
struct Pause {
    time: TimeDelta,
    said: &'static str,
}

/// The same world each time. A served world has the system's clock after the pause, since the command line uses that clock.
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
        return Err("an AWS account has 5,000 IAM users at most: pass more --accounts or fewer --users".into());
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

    // Not println!, which panics if the reader closes the pipe.
    if options.json {
        writeln!(stdout(), "{}", report.json())?;
    } else {
        write!(stdout(), "{report}")?;
    }
    if options.serve.is_some() {
        serve::serve(&aws, &organization, &report.after).await?;
    }
    Ok(())
}

/// Sends the scheduled event for each account in turn.
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

/// Creates a user in each account and deletes another. AWS Config sends a notification for each change. Returns their number.
async fn change(aws: &LocalAws, rule: &InProcess, organization: &Organization) -> Result<usize, Box<dyn Error>> {
    let mut changes = 0;
    for account in &organization.accounts {
        let (made, gone) = {
            let mut world = aws.world();
            let now = world.now();
            let first = world.account(account).users().next().ok_or("an account without users")?;
            let (name, id) = (first.name.clone(), first.id.clone());
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
