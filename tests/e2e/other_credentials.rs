//! The long-lived credentials that the rule does not cover: a scan and an auditor's document name them, and say what was not read.

use crate::{
    cli::{Cli, csv_rows},
    support::*,
    transcript::Transcript,
};
use local_aws::{AllUsers, Cut, Fault, FaultKind, KeyStatus};
use serde_json::{Value, json};

const LIST: &str = "ListServiceSpecificCredentials";
const SUMMARY: &str = "GetAccountSummary";
const GIT: &str = "codecommit.amazonaws.com";
const BEDROCK: &str = "bedrock.amazonaws.com";

/// In the hub: two users with three credentials, and an access key of the root user. Gives the credentials' ids.
async fn start() -> (Cli, [String; 3]) {
    let cli = Cli::start().await;
    let ids = {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        for user in ["git", "model"] {
            account.create_user(user, midnight() - days(1000));
        }
        let mut create = |user, service, age, expires: Option<i64>| {
            let expires = expires.map(|ahead| midnight() + days(ahead));
            account.create_service_specific_credential(user, service, midnight() - days(age), expires).unwrap()
        };
        let ids = [
            create("model", BEDROCK, 500, Some(30)),
            create("model", BEDROCK, 20, None),
            create("git", GIT, 700, None),
        ];
        account.set_service_specific_credential_status("git", &ids[2], KeyStatus::Inactive);
        account.create_root_access_key(midnight() - days(4000));
        ids
    };
    (cli, ids)
}

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

#[tokio::test]
async fn they_are_named_in_every_format_without_a_verdict() {
    let (cli, [ending, endless, git]) = start().await;
    let mut transcript = Transcript::by_the_clock();
    for format in ["table", "csv"] {
        let (status, out, error) = cli.scan(&["--format", format]).await;
        assert_eq!(status, Some(0), "they are no violation");
        // The rows of CSV are about users alone.
        transcript.add(format!("scan --format {format}"), if format == "csv" { "" } else { &out }, &error);
    }
    insta::assert_snapshot!(transcript);

    let credential = |user: &str, service: &str, id: &str, status: &str, age: i64, expires: Option<i64>| {
        json!({
            "userName": user,
            "serviceName": service,
            "serviceSpecificCredentialId": id,
            "status": status,
            "createDate": format!("{}T00:00:00Z", day(-age)),
            "ageDays": age,
            "expirationDate": expires.map(|ahead| format!("{}T00:00:00Z", day(ahead))),
        })
    };
    let expected = json!([
        credential("model", BEDROCK, &endless, "Active", 20, None),
        credential("model", BEDROCK, &ending, "Active", 500, Some(30)),
        credential("git", GIT, &git, "Inactive", 700, None),
    ]);
    for command in ["scan", "evidence"] {
        let (status, out, error) = cli.run(&[command, "--format", "json"]).await;
        let account = &parsed(&out)["accounts"][0];
        assert_eq!(account["serviceSpecificCredentials"], expected, "{command}: {error}");
        assert_eq!([&account["rootAccessKeysPresent"], &account["rootAccessKeys"]], [&json!(1), &Value::Null]);
        let errors = [&account["rootAccessKeysError"], &account["serviceSpecificCredentialsError"]];
        assert_eq!((status, errors), (Some(0), [&Value::Null; 2]), "{command}");

        let (_, page, _) = cli.run(&[command, "--format", "html"]).await;
        assert_eq!(page.matches("the root user has an access key, which the rule does not cover").count(), 1, "{page}");
        let (_, section) = page.split_once("<h2 id=\"service-credentials\">").unwrap();
        let rows = [&endless, &ending, &git].map(|id| section.find(id.as_str()).unwrap());
        assert!(rows.is_sorted() && section.contains("never") && section.contains(&day(30)), "{section}");
        assert!(page.contains("href=\"#service-credentials\"") && !page.contains("Not read"), "{page}");
    }

    // Where there are none, nothing is said.
    let (_, out, _) = cli.scan(&["--account", MEMBER, "--role-name", EVALUATION_ROLE]).await;
    assert!(!out.contains("root") && !out.contains("redential"), "{out}");
    let (_, out, _) = cli.scan(&["--account", MEMBER, "--role-name", EVALUATION_ROLE, "--format", "json"]).await;
    let account = &parsed(&out)["accounts"][0];
    assert_eq!([&account["rootAccessKeysPresent"], &account["serviceSpecificCredentials"]], [&json!(0), &json!([])]);
}

#[tokio::test]
async fn all_pages_are_read_with_one_listing_an_account_and_none_for_a_plan() {
    let cli = Cli::start().await;
    for n in 0..1200 {
        let mut world = cli.deployment.aws.world();
        let account = world.account(HUB);
        let name = format!("user-{n:04}");
        account.create_user(&name, midnight() - days(100));
        for service in [GIT, BEDROCK] {
            account.create_service_specific_credential(&name, service, midnight() - days(50), None).unwrap();
        }
    }
    let (_, out, _) = cli.scan(&["--format", "json"]).await;
    assert_eq!(parsed(&out)["accounts"][0]["serviceSpecificCredentials"].as_array().unwrap().len(), 2400);
    assert_eq!([SUMMARY, LIST].map(|action| cli.deployment.calls_of(action)), [1, 3]);
    cli.deployment.clear_calls();
    cli.run(&["plan", "--calls-per-second", "1000"]).await;
    assert_eq!([SUMMARY, LIST].map(|action| cli.deployment.calls_of(action)), [0, 0]);
}

/// Whatever fails, nothing is taken for "none". They have no verdict, so the exit status says what it says without them.
#[tokio::test]
async fn what_cannot_be_read_is_said_and_is_never_none() {
    let (cli, ids) = start().await;
    let empty = "<ListServiceSpecificCredentialsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
                 <ListServiceSpecificCredentialsResult><IsTruncated>false</IsTruncated></ListServiceSpecificCredentialsResult>\
                 </ListServiceSpecificCredentialsResponse>";
    let absurd = "<ListServiceSpecificCredentialsResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\
                  <ListServiceSpecificCredentialsResult><ServiceSpecificCredentials><member><Status>Active</Status></member>\
                  </ServiceSpecificCredentials></ListServiceSpecificCredentialsResult></ListServiceSpecificCredentialsResponse>";
    for kind in [
        FaultKind::AccessDenied,
        FaultKind::BreakOffAfterPages(0),
        FaultKind::RepeatedMarker,
        FaultKind::Intercepted(empty),
        FaultKind::Intercepted(absurd),
        FaultKind::CutBody(Cut::Before("<member>")),
    ] {
        let what = format!("{kind:?}");
        cli.deployment.aws.world().faults.clear();
        cli.deployment.fault(Some(LIST), None, kind);
        let (status, out, error) = cli.scan(&[]).await;
        let sentence = format!("{HUB}: the service-specific credentials were not read. ");
        assert_eq!((status, error.as_str(), out.matches(&sentence).count()), (Some(0), "", 1), "{what}: {out}");
        assert!(out.contains("the root user has an access key") && !out.contains(&ids[0]), "{what}: {out}");
        let (status, out, _) = cli.scan(&["--format", "json"]).await;
        let account = &parsed(&out)["accounts"][0];
        assert_eq!((status, &account["error"]), (Some(0), &Value::Null), "{what}");
        assert_eq!(account["serviceSpecificCredentials"], Value::Null, "{what}");
        let error = account["serviceSpecificCredentialsError"].as_str().unwrap();
        assert!(error.contains("iam:ListServiceSpecificCredentials"), "{what}: {error}");
    }
    let map = |entries: &str| {
        format!(
            "<GetAccountSummaryResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><GetAccountSummaryResult>{entries}\
             </GetAccountSummaryResult></GetAccountSummaryResponse>"
        )
    };
    for kind in [
        FaultKind::AccessDenied,
        FaultKind::Intercepted(map("").leak()),
        FaultKind::Intercepted(map("<SummaryMap><entry><key>Users</key><value>3</value></entry></SummaryMap>").leak()),
        FaultKind::Intercepted(
            map("<SummaryMap><entry><key>AccountAccessKeysPresent</key><value>-1</value></entry></SummaryMap>").leak(),
        ),
    ] {
        let what = format!("{kind:?}");
        cli.deployment.aws.world().faults.clear();
        cli.deployment.fault(Some(SUMMARY), None, kind);
        let (status, out, error) = cli.scan(&[]).await;
        let sentence = format!("{HUB}: whether the root user has access keys was not read. ");
        assert_eq!((status, error.as_str(), out.matches(&sentence).count()), (Some(0), "", 1), "{what}: {out}");
        assert!(!out.contains("the root user has an access key") && out.contains(&ids[0]), "{what}: {out}");
        let (_, out, _) = cli.scan(&["--format", "json"]).await;
        let account = &parsed(&out)["accounts"][0];
        assert_eq!(account["rootAccessKeysPresent"], Value::Null, "{what}");
        assert!(account["rootAccessKeysError"].as_str().unwrap().contains("iam:GetAccountSummary"), "{what}");
    }

    cli.deployment.aws.world().faults.clear();
    for action in [SUMMARY, LIST] {
        let action = Some(action.to_owned());
        let fault = Fault { account: Some(HUB.to_owned()), action, user: None, kind: FaultKind::AccessDenied };
        cli.deployment.aws.world().faults.add(fault);
    }
    let (status, out, error) = cli.scan(&["--format", "csv"]).await;
    assert_eq!((status, error.matches("not read").count(), csv_rows(&out).len()), (Some(0), 2, 2), "{error}");
    for command in ["scan", "evidence"] {
        let (_, page, _) = cli.run(&[command, "--format", "html"]).await;
        assert!(page.contains("Not read: other long-lived credentials"), "{page}");
        assert_eq!(page.matches("may not call iam:").count(), 2, "{page}");
        assert!(!page.contains("service-credentials"), "{page}");
    }
}

/// AWS's guide shows this action for all users only with a service, so it may need one.
#[tokio::test]
async fn where_iam_lists_one_service_at_a_time_the_known_services_are_asked_and_the_list_says_so() {
    let (cli, ids) = start().await;
    cli.deployment.aws.world().account(HUB).list_service_specific_credentials(AllUsers::OfOneService);
    let (status, out, error) = cli.scan(&["--format", "json"]).await;
    let account = &parsed(&out)["accounts"][0];
    let listed = account["serviceSpecificCredentials"].as_array().unwrap();
    assert_eq!((status, error.as_str(), listed.len()), (Some(0), "", 3));
    assert_eq!(cli.deployment.calls_of(LIST), 1 + 6);
    let said = account["serviceSpecificCredentialsError"].as_str().unwrap();
    assert!(said.contains("ValidationError") && said.contains(GIT) && said.contains(BEDROCK), "{said}");
    let (_, out, _) = cli.scan(&[]).await;
    assert!(out.contains(&ids[0]), "{out}");
    assert_eq!(out.matches("service-specific credentials may be missing").count(), 1, "{out}");
    let (_, page, _) = cli.scan(&["--format", "html"]).await;
    assert!(page.contains(&ids[0]) && page.contains("service-specific credentials may be missing"), "{page}");

    // One service that cannot be read makes the list unknown.
    cli.deployment.fault(
        Some(LIST),
        None,
        FaultKind::InTurn(vec![FaultKind::Latency(Default::default()), FaultKind::AccessDenied]),
    );
    let (_, out, _) = cli.scan(&["--format", "json"]).await;
    let account = &parsed(&out)["accounts"][0];
    assert_eq!(account["serviceSpecificCredentials"], Value::Null, "{account}");
    assert!(account["serviceSpecificCredentialsError"].as_str().unwrap().contains("AccessDenied"), "{account}");
}
