//! Shows the product on an AWS that runs in this program, with an organization that is made up.

mod callers;
mod command_line;
mod commands;
mod organization;
mod rotating;
mod rule;

use chrono::TimeDelta;
use clap::Parser;
use command_line::CommandLine;
use deployment::{InProcess, deploy};
use local_aws::{LocalAws, World};
use organization::Organization;
use rotating::Runbooks;
use std::{
    error::Error,
    io::{self, Write, stdout},
};

/// See access-key-rotation work: the rule, a scan, a page, and a key that rotates into a secret. The AWS with its users is made up, and
/// runs in this program: it needs no account, and ends with Ctrl-C.
#[derive(Parser)]
#[command(name = "access-key-rotation-demo", version)]
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
}

/// Not println!, which panics if the reader closes the pipe.
fn say(text: &str) -> io::Result<()> {
    writeln!(stdout(), "{text}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    if options.users.div_ceil(options.accounts.into()) > 5000 {
        return Err("an AWS account has 5,000 IAM users at most: pass more --accounts or fewer --users".into());
    }
    let command_line = CommandLine::find()?;
    let mut world = World::live_clock();
    // The command line goes by the system's clock, so yesterday is the first day.
    world.advance(-TimeDelta::days(1));
    let organization = Organization::seed(&mut world, options.accounts, options.users, options.non_compliant);
    let members: Vec<_> = organization.accounts.iter().map(String::as_str).collect();
    let hub = members[0];
    let credentials = deploy(&mut world, hub, &members);
    organization.organize(&mut world);
    let aws = LocalAws::start(world).await?;
    let function = InProcess::start(&aws, hub, credentials).await?;

    say(&format!(
        "{} made-up IAM users in {} accounts, on an AWS that runs in this program.\n\n\
         The AWS Config rule evaluates each account, as it did yesterday:",
        options.users, options.accounts
    ))?;
    rule::sweep(&aws, &function, &organization).await?;
    rule::change(&aws, &function, &organization).await?;
    say("Today, after some keys were rotated. Whoever cannot have a stale key yet is not read again:")?;
    aws.world().advance(TimeDelta::days(1));
    organization.rotate_some(&mut aws.world());
    rule::sweep(&aws, &function, &organization).await?;
    organization.prepare(&mut aws.world());

    say("\nThe command line scans the same accounts, without AWS Config:\n")?;
    command_line.scan(&aws.endpoint(), hub)?;
    say("\nA runbook rotates the key of a user into a secret:")?;
    let runbooks = Runbooks::find();
    rotating::pass(&aws, hub, &runbooks, 0).await?;
    say(&commands::text(&mut aws.world(), &organization, &command_line, &aws.endpoint()))?;
    rotating::serve(&aws, hub, &runbooks).await?;
    Ok(())
}
