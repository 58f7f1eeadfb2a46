//! What the command line evaluates, in process: a scan while users change, other tags, a rehearsal.

use crate::support::*;
use access_key_rotation::{
    aws::home::Home,
    config_service::delivery::Destination,
    handler::{Invocation, handle},
    metrics::Metrics,
    scan::{Scan, scan},
    user::Evaluator,
};
use deployment::{accounts, function_arn};
use local_aws::{Account, FaultKind, events};
use policy::{
    assessment::Assessment,
    exemption::{EXEMPT_OWNER, EXEMPT_UNTIL},
    parameters::Parameters,
    user::{Tags, User},
};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};
use tokio::time::Instant;

async fn with_evaluator<T>(deployment: &Deployment, evaluate: impl AsyncFnOnce(Evaluator<'_>) -> T) -> T {
    let credentials = deployment.aws.world().credentials(HUB, FUNCTION_ROLE);
    let accounts = accounts(&deployment.aws, credentials).await.unwrap();
    let home = Home::from_function_arn(&function_arn(HUB)).unwrap();
    let (metrics, parameters) = (Metrics::default(), Parameters::default());
    let end = Instant::now() + Duration::from_secs(300);
    let account = accounts.open(MEMBER, &home, today(), &metrics.calls, end.into()).await.unwrap();
    let evaluator = Evaluator {
        account: &account,
        parameters: &parameters,
        now: today(),
        metrics: &metrics,
        uses_of_exempt_keys: false,
        has_notices: false,
    };
    evaluate(evaluator).await
}

/// Scans the member, and acts on it when the users are listed and before their keys are.
async fn act_between_listing_and_reads(deployment: &Deployment, act: impl FnOnce(&mut Account)) -> Scan {
    deployment.fault(Some("ListAccessKeys"), None, FaultKind::Latency(Duration::from_secs(2)));
    let act = async {
        deployment.called("ListUsers", 1).await;
        deployment.member(act);
    };
    tokio::join!(with_evaluator(deployment, scan), act).0
}

#[tokio::test(start_paused = true)]
async fn a_user_who_changes_while_the_scan_runs_is_found_once_and_as_is_true_in_the_end() {
    let deployment = Deployment::start().await;
    let ids = deployment.member(|account| {
        populate(account, today(), 10, 10, 0);
        account.users().map(|user| user.id.clone()).collect::<Vec<_>>()
    });
    let scan = act_between_listing_and_reads(&deployment, |account| {
        account.rename_user("user-0000", "renamed");
        account.delete_user("user-0001");
        // Two names that lend their keys to whoever had them before.
        account.rename_user("user-0002", "old-name");
        account.rename_user("user-0003", "user-0002");
        account.delete_user("user-0004");
        account.create_user("user-0004", today());
    })
    .await;
    scan.complete.unwrap();
    let found: Vec<_> = scan.users.into_iter().map(|user| user.assessment).collect();
    let of_now: BTreeMap<_, _> = deployment.member(|account| {
        let listed = account.users().filter(|user| ids.contains(&user.id));
        listed.map(|user| (user.id.clone(), (user.name.clone(), user.keys[0].id.clone()))).collect()
    });
    assert_eq!(found.len(), 8, "the two who are gone are not among them: {found:?}");
    for Assessment { user, keys, .. } in found {
        assert_eq!((user.name, keys[0].key.id.clone()), of_now[&user.id]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_user_is_evaluated_as_if_with_other_tags() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 1, 100, 0));
    let tags = [(EXEMPT_UNTIL, "2026-06-01"), (EXEMPT_OWNER, "payments")];
    let tags = tags.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let user = |name: &str| User { name: name.to_owned(), id: String::new(), arn: String::new(), created: today() };
    let (exempt, nobody, denied) = with_evaluator(&deployment, async |evaluator| {
        let exempt = evaluator.with_tags(user("user-0000"), tags).await;
        let nobody = evaluator.with_tags(user("nobody"), Tags::new()).await;
        deployment.fault(Some("ListAccessKeys"), None, FaultKind::AccessDenied);
        (exempt, nobody, evaluator.with_tags(user("user-0000"), Tags::new()).await)
    })
    .await;
    assert!(exempt.unwrap().unwrap().assessment.is_exempt());
    assert_eq!(nobody, Ok(None));
    assert_eq!(denied.unwrap_err().code, "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_lists_the_results_and_delivers_none() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 3, 100, 0));
    let event = events::scheduled(&mut deployment.aws.world(), MEMBER, RULE, &[]);
    let credentials = deployment.aws.world().credentials(HUB, FUNCTION_ROLE);
    let accounts = accounts(&deployment.aws, credentials).await.unwrap();
    let invocation = Invocation {
        home: Home::from_function_arn(&function_arn(HUB)).unwrap(),
        now: today(),
        remaining: Duration::from_secs(300),
        results: Destination::List(Mutex::default()),
        notices: None,
    };
    handle(&event, &invocation, &accounts, &Metrics::default()).await.unwrap();
    assert_eq!(invocation.results.into_list().len(), 3);
    assert!(deployment.recorded().is_empty());
}
