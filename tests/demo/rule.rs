//! What AWS Config makes the rule do.

use crate::{organization::Organization, say};
use deployment::{InProcess, RULE};
use local_aws::{LocalAws, events};
use std::{error::Error, time::Instant};

/// Sends the scheduled event for each account in turn.
pub(crate) async fn sweep(aws: &LocalAws, rule: &InProcess, organization: &Organization) -> Result<(), Box<dyn Error>> {
    for account in &organization.accounts {
        let started = Instant::now();
        let event = events::scheduled(&mut aws.world(), account, RULE, &[]);
        let now = aws.world().now();
        let (outcome, metrics) = rule.invoke(&event, now).await;
        outcome?;
        let line = metrics.line(now, started.elapsed());
        say(&format!(
            "  {account}: {} users, {} with a stale key, {} exempt; {} AWS calls, {:.1} s",
            line["UsersEvaluated"],
            line["UsersNonCompliant"],
            line["UsersExempt"],
            line["AwsCalls"],
            started.elapsed().as_secs_f64()
        ))?;
    }
    Ok(())
}

/// Creates a user in each account and deletes another. AWS Config sends a notification for each change.
pub(crate) async fn change(
    aws: &LocalAws,
    rule: &InProcess,
    organization: &Organization,
) -> Result<(), Box<dyn Error>> {
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
        }
    }
    Ok(())
}
