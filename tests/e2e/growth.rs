//! The cost of a sweep grows with the users and the violations, and no faster. `cargo bench` measures the rest.

use crate::{function::bootstrap, support::*};
use chrono::Utc;
use local_aws::{LocalAws, World, events};
use std::collections::BTreeMap;

/// What the function takes for itself, and for each user, in bytes of memory.
const MEMORY: (u64, u64) = (11 * 1024 * 1024, 600);

#[tokio::test]
async fn calls_and_memory_are_linear_in_users_and_violations() {
    for (users, per_cent) in [(100, 0), (100, 1), (100, 10), (100, 100), (1000, 0), (1000, 10), (1000, 100), (5000, 10)]
    {
        let mut world = World::live_clock();
        let credentials = deploy(&mut world);
        populate(world.account(MEMBER), Utc::now(), users, per_cent, 0);
        let aws = LocalAws::start(world).await.unwrap();
        let violations = users * per_cent / 100;
        // One to assume the role, at least a page of users, of violations and of other results, three of exposed users, and a delivery.
        let pages = 8 + users / 500 + users / 100;
        let first = pages + users + 2 * violations;
        let later = pages + 3 * violations + violations / 100;
        for (what, most) in [("first", first), ("later", later)] {
            aws.world().clear_calls();
            let event = events::scheduled(&mut aws.world(), MEMBER, RULE, &[]);
            let function = programs::start(aws.endpoint(), HUB, &credentials, bootstrap(), &[]).await.unwrap();
            function.invoke(event.to_string().as_bytes()).await.unwrap();
            let mut actions = BTreeMap::new();
            aws.world().calls().iter().for_each(|call| *actions.entry(call.action.clone()).or_insert(0) += 1);
            let calls: usize = actions.values().sum();
            assert!(calls <= most, "{users} users, {per_cent} %, {what} sweep: more than {most} calls: {actions:?}");
            let memory = function.peak_resident_bytes().unwrap();
            let most = MEMORY.0 + MEMORY.1 * users as u64;
            assert!(memory <= most, "{users} users, {per_cent} %, {what} sweep: {memory} bytes of {most}");
        }
    }
}
