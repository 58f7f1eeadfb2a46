//! All schedules of an organization at once: more events than the function has concurrency, through Lambda's queue, while IAM throttles
//! each account. `tests/benches/at_once.rs` measures the same on a larger organization.

use crate::support::*;
use deployment::InProcess;
use local_aws::{
    Failing, Fault, FaultKind, LocalAws, Outcome, World, events,
    lambda::asynchronous::{AsyncInvocation, AsyncMetrics, Waiting, run},
};
use serde_json::Value;

const ACCOUNTS: usize = 20;
const USERS: usize = 20;
const CONCURRENCY: usize = 3;
/// Lambda may deliver an event more than once.
const TWICE: usize = 4;

struct Organization {
    aws: LocalAws,
    accounts: Vec<String>,
    /// Each is an execution environment.
    functions: Vec<InProcess>,
}

impl Organization {
    async fn start() -> Organization {
        let accounts: Vec<_> = (0..ACCOUNTS).map(|n| format!("{:012}", 600_000_000_000 + n)).collect();
        let mut world = World::new(today());
        let credentials = deployment::deploy(&mut world, HUB, &accounts.iter().map(String::as_str).collect::<Vec<_>>());
        for id in &accounts {
            populate(world.account(id), today(), USERS, 10, 0);
            let kind = FaultKind::TokenBucket { per_second: 20.0, burst: 4.0 };
            world.faults.add(Fault {
                account: Some(id.clone()),
                action: Some("ListAccessKeys".to_owned()),
                user: None,
                kind,
            });
        }
        let aws = LocalAws::in_memory(world);
        let mut functions = Vec::new();
        for _ in 0..CONCURRENCY {
            functions.push(InProcess::start(&aws, HUB, credentials.clone()).await.unwrap());
        }
        Organization { aws, accounts, functions }
    }

    /// Sends every account's scheduled event at once, some of them twice.
    async fn sweep(&self) -> AsyncMetrics {
        let accounts: Vec<_> = self.accounts.iter().chain(&self.accounts[..TWICE]).collect();
        let events: Vec<Value> = {
            let mut world = self.aws.world();
            accounts.iter().map(|id| events::scheduled(&mut world, id, RULE, &[])).collect()
        };
        let settings = AsyncInvocation::of_the_template(Waiting::back_off(true));
        run(&settings, events.len(), &self.functions, async |event, function| {
            function.invoke(&events[event], today()).await.0.is_ok()
        })
        .await
    }

    fn assert_all_right(&self) {
        for id in &self.accounts {
            let mut world = self.aws.world();
            let account = world.account(id);
            assert_eq!(account.results(RULE).len(), USERS, "{id}");
            for user in account.users() {
                let result = &account.results(RULE)[&user.id];
                assert_eq!(result.compliance, definition(user, today(), 90), "{id} {}", user.name);
            }
        }
    }

    fn calls(&self, action: &str, throttled: bool) -> usize {
        let outcome = if throttled { Outcome::Error("Throttling".to_owned()) } else { Outcome::Ok };
        let world = self.aws.world();
        world.calls().iter().filter(|call| call.action == action && call.outcome == outcome).count()
    }
}

#[tokio::test(start_paused = true)]
async fn every_account_has_all_results_though_most_events_find_the_function_busy() {
    let organization = Organization::start().await;
    // AWS Config does not take the results of one account at first, so that the first invocation for it fails.
    let which = Failing::First(1);
    let kind = FaultKind::FailedEvaluations { times: 6, which };
    let account = organization.accounts.last().cloned();
    organization.aws.world().faults.add(Fault { account, action: None, user: None, kind });

    let first = organization.sweep().await;
    assert_eq!((first.successes, first.errors.len()), (ACCOUNTS + TWICE, 1), "{first:?}");
    assert!(first.dropped.is_empty(), "{first:?}");
    assert!(first.throttles.len() >= ACCOUNTS + TWICE - CONCURRENCY, "{first:?}");
    organization.assert_all_right();
    assert!(organization.calls("ListAccessKeys", true) > 0, "IAM throttles nobody");

    organization.aws.world().clear_calls();
    let later = organization.sweep().await;
    assert_eq!((later.successes, later.errors.len()), (ACCOUNTS + TWICE, 0), "{later:?}");
    organization.assert_all_right();
    assert_eq!(organization.calls("ListAccessKeys", false), (ACCOUNTS + TWICE) * USERS / 10, "those in violation");
}
