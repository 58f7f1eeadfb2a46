//! Users whose access key AWS found in public: they come first, are told at once, and no verdict changes.

use crate::{
    cli::{Cli, csv_rows},
    notices::with_bus,
    support::*,
    transcript::Transcript,
};
use access_key_rotation::error::Error;
use chrono::TimeDelta;
use local_aws::{ComplianceType::*, FaultKind, events};
use serde_json::{Value, json};

pub(crate) const QUARANTINE: &str = "arn:aws:iam::aws:policy/AWSCompromisedKeyQuarantineV3";
const DO: &str = "Deactivate this user's keys now: AWS found one in public.";

impl Deployment {
    fn quarantine(&self, user: &str) {
        assert!(
            self.member(
                |account| account.attach_policies(user, &["arn:aws:iam::aws:policy/ReadOnlyAccess", QUARANTINE])
            )
        );
    }

    /// The notices of exposures, each as user and day.
    fn exposures(&self) -> Vec<(String, String)> {
        let of = |event: Value| {
            let detail = &event["detail"];
            let day = detail["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            (event["detail-type"] == "Access Key Exposed")
                .then(|| (detail["userName"].as_str().unwrap().to_owned(), day))
        };
        self.notices().into_iter().filter_map(of).collect()
    }

    fn annotation(&self, user: &str) -> String {
        self.result(user).1.unwrap()
    }
}

fn exposure(user: &str, day: &str) -> (String, String) {
    (user.to_owned(), day.to_owned())
}

/// One user of each kind: a stale key, a young one, an exempt one, and a stale one that nobody found.
async fn with_users() -> Deployment {
    let deployment = with_bus().await;
    for (name, age) in [("stale", 100), ("young", 3), ("exempt", 100), ("other", 100)] {
        deployment.user_with_key_of(name, days(age));
    }
    deployment.member(|account| {
        account.tag_user("exempt", "access-key-rotation:exempt-until", "2026-06-01");
        account.tag_user("exempt", "access-key-rotation:exempt-owner", "payments");
        account.tag_user("young", "team", "payments");
    });
    deployment
}

#[tokio::test(start_paused = true)]
async fn an_exposed_user_is_told_at_once_and_each_day_until_it_ends_whatever_the_verdict() {
    let deployment = with_users().await;
    deployment.sweep(&[]).await;
    let before = ["stale", "young", "exempt", "other"].map(|user| deployment.result(user));
    assert!(deployment.exposures().is_empty());
    for user in ["stale", "young", "exempt"] {
        deployment.quarantine(user);
    }
    // On the same day, and then a day later.
    for hours in [1, 1, 22, 1] {
        deployment.aws.world().advance(TimeDelta::hours(hours));
        deployment.sweep(&[]).await;
    }
    let mut told = deployment.exposures();
    told.sort();
    let days = ["2026-03-01", "2026-03-02"];
    let expected: Vec<_> =
        ["exempt", "stale", "young"].iter().flat_map(|user| days.map(|day| exposure(user, day))).collect();
    assert_eq!(told, expected);
    for (user, before) in ["stale", "young", "exempt", "other"].into_iter().zip(&before) {
        let after = deployment.result(user);
        assert_eq!(after.0, before.0, "{user}");
        assert_eq!(after.1.unwrap().starts_with("EXPOSED: "), user != "other", "{user}");
    }
    assert_eq!(deployment.annotation("young"), format!("EXPOSED: young: {DO}"));

    for user in ["stale", "young", "exempt"] {
        deployment.member(|account| account.attach_policies(user, &[]));
    }
    deployment.aws.world().advance(TimeDelta::days(2));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.exposures().len(), expected.len());
    assert_eq!(deployment.result("young"), before[1]);
    assert_eq!(deployment.result("stale"), before[0]);
}

#[tokio::test(start_paused = true)]
async fn the_notice_of_an_exposure_names_the_users_keys() {
    let deployment = with_users().await;
    let (id, key) = deployment.member(|account| {
        let user = account.user("young").unwrap().clone();
        account.use_key(&user.keys[0].id, today() - days(1), "us-east-1", "sts");
        (user.id, user.keys[0].id.clone())
    });
    deployment.quarantine("young");
    deployment.sweep(&[]).await;
    let notices = deployment.notices();
    let [notice] = &notices.iter().filter(|event| event["detail-type"] == "Access Key Exposed").collect::<Vec<_>>()[..]
    else {
        panic!("{notices:?}")
    };
    let expected = json!({
        "id": format!("{MEMBER}/{id}/exposed/2026-03-01"),
        "account": MEMBER,
        "userName": "young",
        "userId": id,
        "owner": "payments",
        "exposed": true,
        "compliance": "COMPLIANT",
        "accessKeyId": null,
        "accessKeys": [{
            "accessKeyId": key, "status": "Active", "created": "2026-02-26T12:00:00Z", "description": null,
            "lastUsed": { "date": "2026-02-28T12:00:00Z", "service": "sts", "region": "us-east-1" },
        }],
        "message": format!(
            "AWS found an access key of user young in account {MEMBER} in public. Deactivate {key} now, find out in CloudTrail what \
             it did, and then detach the quarantine policy."
        ),
    });
    assert_eq!(notice["detail"], expected);
    let overdue = notices.iter().find(|event| event["detail"]["userName"] == "stale").unwrap();
    assert_eq!(overdue["detail"]["exposed"], false);
}

#[tokio::test(start_paused = true)]
async fn an_exposure_costs_three_calls_however_many_users_there_are() {
    let deployment = Deployment::start().await;
    deployment.member(|account| populate(account, today(), 300, 1, 0));
    deployment.sweep(&[]).await;
    deployment.clear_calls();
    deployment.sweep(&[]).await;
    assert_eq!(deployment.calls_of("ListEntitiesForPolicy"), 3);
    assert_eq!(deployment.calls_of("ListAttachedUserPolicies"), 0);
}

/// A partition that does not have the policies is like an account without such users.
#[tokio::test(start_paused = true)]
async fn a_policy_that_does_not_exist_has_no_users() {
    let deployment = with_users().await;
    deployment.fault(Some("ListEntitiesForPolicy"), None, FaultKind::NoSuchEntity);
    deployment.sweep(&[]).await;
    assert!(deployment.annotation("stale").starts_with("stale: AKIA"), "{}", deployment.annotation("stale"));
    assert!(!deployment.annotation("stale").contains("xposure"));
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_denied_is_raised_and_unknown_and_changes_no_verdict() {
    let deployment = with_users().await;
    deployment.quarantine("young");
    deployment.fault(Some("ListEntitiesForPolicy"), None, FaultKind::AccessDenied);
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert!(matches!(error, Error::AccessDenied(_)), "{error}");
    assert!(error.to_string().contains("may not call iam:ListEntitiesForPolicy"), "{error}");
    assert!(error.to_string().contains("It is unknown whether AWS found access keys of users in public"), "{error}");
    deployment.assert_all_right(90);
    assert!(deployment.annotation("stale").contains(" Exposure unknown. "), "{}", deployment.annotation("stale"));
    assert!(deployment.annotation("young").starts_with("No access key becomes stale before"));
    assert!(deployment.exposures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_breaks_off_knows_those_whom_it_had() {
    let deployment = with_users().await;
    for user in ["stale", "young", "exempt"] {
        deployment.quarantine(user);
    }
    deployment.fault(Some("ListEntitiesForPolicy"), None, FaultKind::ShortPages(1));
    deployment.sweep(&[]).await;
    assert_eq!(deployment.exposures().len(), 3, "all pages");

    let deployment = with_users().await;
    for user in ["stale", "young", "exempt"] {
        deployment.quarantine(user);
    }
    deployment.fault(Some("ListEntitiesForPolicy"), None, FaultKind::ShortPages(1));
    deployment.fault(Some("ListEntitiesForPolicy"), None, FaultKind::BreakOffAfterPages(1));
    let error = deployment.sweep_with(&[]).await.0.unwrap_err();
    assert!(matches!(error, Error::Incomplete(_)), "{error}");
    assert_eq!(deployment.exposures(), [exposure("exempt", "2026-03-01")], "in the order of names");
    assert!(deployment.annotation("other").contains(" Exposure unknown. "));
    deployment.assert_all_right(90);
}

#[tokio::test(start_paused = true)]
async fn a_user_is_exposed_by_id_under_whatever_name() {
    let deployment = with_users().await;
    deployment.quarantine("young");
    deployment.aws.world().after_calls_of("ListAccessKeys", 0, |world| {
        let account = world.account(MEMBER);
        account.rename_user("young", "young-too");
        account.create_user("young", today() - days(1));
    });
    deployment.sweep(&[]).await;
    assert_eq!(deployment.exposures(), [exposure("young-too", "2026-03-01")]);
    deployment.sweep(&[]).await;
    assert_eq!(deployment.exposures().len(), 1);
    assert!(!deployment.annotation("young").contains("EXPOSED"));
}

#[tokio::test(start_paused = true)]
async fn a_change_takes_it_from_the_item_and_asks_only_if_the_item_does_not_say() {
    let deployment = with_users().await;
    deployment.quarantine("stale");
    deployment.change("stale").await;
    assert!(deployment.annotation("stale").starts_with(&format!("EXPOSED: stale: {DO} AKIA")));
    assert_eq!(deployment.exposures(), [exposure("stale", "2026-03-01")]);
    assert_eq!(deployment.calls_of("ListAttachedUserPolicies"), 0);
    deployment.change("stale").await;
    assert_eq!(deployment.exposures().len(), 1, "told once a day");
    deployment.member(|account| account.attach_policies("stale", &[]));
    deployment.change("stale").await;
    assert!(deployment.annotation("stale").starts_with("stale: AKIA"));

    deployment.quarantine("young");
    let oversized =
        |user: &str| events::oversized_change(&mut deployment.aws.world(), MEMBER, RULE, user, &[]).unwrap();
    let (event, fine) = (oversized("young"), oversized("other"));
    deployment.send(&event).await.0.unwrap();
    deployment.send(&fine).await.0.unwrap();
    assert_eq!(deployment.calls_of("ListAttachedUserPolicies"), 2);
    assert_eq!(deployment.annotation("young"), format!("EXPOSED: young: {DO}"));
    assert!(deployment.annotation("other").starts_with("other: AKIA"));
}

#[tokio::test(start_paused = true)]
async fn a_change_whose_exposure_is_denied_has_its_verdict_and_is_raised() {
    let deployment = with_users().await;
    deployment.fault(Some("ListAttachedUserPolicies"), None, FaultKind::AccessDenied);
    let event = events::oversized_change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
    let error = deployment.send(&event).await.0.unwrap_err();
    assert!(matches!(error, Error::AccessDenied(_)), "{error}");
    assert_eq!(deployment.result("stale").0, NonCompliant);
    assert!(deployment.annotation("stale").contains(" Exposure unknown. "));
}

/// The name may pass to another user between two calls: then the policies of the other one say nothing.
#[tokio::test(start_paused = true)]
async fn the_policies_of_another_user_of_the_name_do_not_count() {
    let deployment = with_users().await;
    let event = events::oversized_change(&mut deployment.aws.world(), MEMBER, RULE, "stale", &[]).unwrap();
    deployment.aws.world().after_calls_of("ListAttachedUserPolicies", 0, |world| {
        let account = world.account(MEMBER);
        account.rename_user("stale", "stale-too");
        account.create_user("stale", today());
        account.attach_policies("stale", &[QUARANTINE]);
    });
    deployment.send(&event).await.0.unwrap();
    assert!(
        deployment.annotation("stale-too").starts_with("stale-too: AKIA"),
        "{}",
        deployment.annotation("stale-too")
    );
}

/// The command line, with an exposed user whose key is young, one whose key is stale, and a violation in production.
async fn cli() -> Cli {
    let cli = Cli::start().await;
    let mut world = cli.deployment.aws.world();
    let account = world.account(HUB);
    for (user, age) in [("young", 3), ("stale", 100), ("production", 200), ("fine", 5)] {
        let key = user_with_key(account, user, age);
        account.use_key(&key, midnight() - days(1), "us-east-1", "sts");
    }
    for (user, tag, value) in
        [("young", "owner", "payments"), ("stale", "owner", "etl"), ("production", "environment", "production")]
    {
        account.tag_user(user, tag, value);
    }
    for user in ["young", "stale"] {
        account.attach_policies(user, &[QUARANTINE]);
    }
    drop(world);
    cli
}

#[tokio::test]
async fn scan_and_plan_begin_with_exposed_users_and_say_what_to_do() {
    let cli = cli().await;
    let mut transcript = Transcript::by_the_clock();
    for arguments in [&["scan"][..], &["plan"], &["plan", "--format", "table"]] {
        let (status, out, error) = cli.run(arguments).await;
        assert_eq!(status, Some(3), "{error}");
        transcript.add(arguments.join(" "), &out, &error);
    }
    insta::assert_snapshot!(transcript);
}

#[tokio::test]
async fn json_csv_and_page_have_who_is_exposed() {
    let cli = cli().await;
    let (_, out, _) = cli.scan(&["--format", "json"]).await;
    let scan: Value = serde_json::from_str(&out).unwrap();
    let users: Vec<_> =
        scan["users"].as_array().unwrap().iter().map(|user| (&user["userName"], &user["exposed"])).collect();
    let expected = [("stale", true), ("young", true), ("production", false), ("fine", false)];
    let expected = expected.map(|(user, exposed)| (json!(user), json!(exposed)));
    assert_eq!(users, expected.iter().map(|(user, exposed)| (user, exposed)).collect::<Vec<_>>());
    assert_eq!(scan["accounts"][0]["usersExposed"], 2);
    assert_eq!(
        (&scan["users"][1]["owner"], &scan["users"][1]["compliance"]),
        (&json!("payments"), &json!("COMPLIANT"))
    );

    let (_, out, _) = cli.scan(&["--format", "csv"]).await;
    let rows = csv_rows(&out);
    assert_eq!(rows.iter().map(|row| row["exposed"].as_str()).collect::<Vec<_>>(), ["true", "true", "false", "false"]);

    let (_, page, _) = cli.scan(&["--format", "html"]).await;
    let [stale, young, production] =
        ["stale", "young", "production"].map(|user| page.find(&format!("<bdi>{user}</bdi>")).unwrap());
    assert!(stale < young && young < production);
    assert!(page.contains("Users exposed"));
}

#[tokio::test]
async fn a_scan_that_may_not_ask_says_unknown_and_is_incomplete() {
    let cli = cli().await;
    cli.deployment.fault(Some("ListEntitiesForPolicy"), None, FaultKind::AccessDenied);
    let (status, out, error) = cli.scan(&[]).await;
    assert_eq!(status, Some(1));
    assert!(out.contains(": 4 users evaluated, 2 non-compliant, 0 exempt, exposure unknown, incomplete"), "{out}");
    assert!(error.contains("may not call iam:ListEntitiesForPolicy"), "{error}");
    let (_, out, _) = cli.scan(&["--format", "json"]).await;
    let scan: Value = serde_json::from_str(&out).unwrap();
    assert!(scan["accounts"][0]["usersExposed"].is_null());
    assert!(scan["users"].as_array().unwrap().iter().all(|user| user["exposed"].is_null()));
}
