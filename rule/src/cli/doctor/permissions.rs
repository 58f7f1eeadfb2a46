//! What the evaluation role may do, found by trying: the actions that the README lists under "Permissions".

use super::{Check, is_denial};
use access_key_rotation::{
    account::Account,
    calls::{CallError, Failure},
};

const NAME: &str = "permissions";
const LIST_USERS: &str = "iam:ListUsers";
const LIST_ACCESS_KEYS: &str = "iam:ListAccessKeys";
const GET_USER: &str = "iam:GetUser";
const GET_ACCESS_KEY_LAST_USED: &str = "iam:GetAccessKeyLastUsed";
const GENERATE_REPORT: &str = "iam:GenerateCredentialReport";
const GET_REPORT: &str = "iam:GetCredentialReport";
const GET_RESULTS: &str = "config:GetComplianceDetailsByConfigRule";
const PUT_RESULTS: &str = "config:PutEvaluations";

/// How many users are tried: some may have no key, and policies may shield some.
const USERS: usize = 20;
const USERS_A_PAGE: i32 = 20;
/// Pages of users may be empty and yet have a next one.
const MOST_PAGES: usize = 10;

/// A check for each action.
pub(super) async fn check(account: &Account<'_>) -> Vec<Check> {
    let mut checks = on_users(account).await;
    checks.extend(on_report(account).await);
    checks.extend(on_results(account).await);
    checks
}

async fn on_users(account: &Account<'_>) -> Vec<Check> {
    let Account { iam, calls, reads_end, .. } = account;
    let (users, listed) = match some_users(account).await {
        Ok(users) => (users, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    };
    let keys = first(&users, async |name| {
        let request = iam.list_access_keys().user_name(name);
        let answer = calls.call(LIST_ACCESS_KEYS, *reads_end, || request.clone().send()).await?;
        let key = answer.access_key_metadata.into_iter().find_map(|key| key.access_key_id);
        Ok((key.is_some(), key))
    });
    let keys = keys.await;
    let user = first(&users, async |name| {
        let request = iam.get_user().user_name(name);
        calls.call(GET_USER, *reads_end, || request.clone().send()).await.map(|_| (true, ()))
    });
    let user = user.await;
    let skip = |action, why: &str| Check::skipped(NAME, why).of(action);
    let nobody = if listed.is_ok() { "no user to try it on" } else { "no user is known to try it on" };
    let last_used = match &keys {
        Some(Ok(Some(key))) => {
            let request = iam.get_access_key_last_used().access_key_id(key);
            let answer = calls.call(GET_ACCESS_KEY_LAST_USED, *reads_end, || request.clone().send()).await;
            of(GET_ACCESS_KEY_LAST_USED, answer, &["NoSuchEntity"])
        }
        Some(Ok(None)) => skip(GET_ACCESS_KEY_LAST_USED, "no access key to try it on"),
        Some(Err(_)) => skip(GET_ACCESS_KEY_LAST_USED, "no access key is known to try it on"),
        None => skip(GET_ACCESS_KEY_LAST_USED, nobody),
    };
    vec![
        of(LIST_USERS, listed, &[]),
        keys.map_or_else(|| skip(LIST_ACCESS_KEYS, nobody), |answer| of(LIST_ACCESS_KEYS, answer, &[])),
        user.map_or_else(|| skip(GET_USER, nobody), |answer| of(GET_USER, answer, &[])),
        last_used,
    ]
}

async fn some_users(account: &Account<'_>) -> Result<Vec<String>, CallError> {
    let mut users = Vec::new();
    let mut marker = None;
    for _ in 0..MOST_PAGES {
        let request = account.iam.list_users().max_items(USERS_A_PAGE).set_marker(marker);
        let page = account.calls.call(LIST_USERS, account.reads_end, || request.clone().send()).await?;
        users.extend(page.users.into_iter().map(|user| user.user_name));
        marker = page.marker.filter(|_| page.is_truncated);
        if users.len() >= USERS || marker.is_none() {
            break;
        }
    }
    users.truncate(USERS);
    Ok(users)
}

/// Makes a call about one user after the other until one has what is looked for, or fails otherwise than by a denial: that
/// may be about one user. Gives the best of the answers; `None` if there was nobody.
async fn first<T>(
    users: &[String],
    call: impl AsyncFn(&str) -> Result<(bool, T), CallError>,
) -> Option<Result<T, CallError>> {
    let mut best = None;
    for user in users {
        match call(user).await {
            Ok((true, answer)) => return Some(Ok(answer)),
            Ok((false, answer)) => best = Some(Ok(answer)),
            Err(error) if error.kind == Failure::NotFound => {}
            Err(error) if is_denial(&error) => best = best.or(Some(Err(error))),
            Err(error) => return best.filter(Result::is_ok).or(Some(Err(error))),
        }
    }
    best
}

async fn on_report(account: &Account<'_>) -> Vec<Check> {
    let Account { iam, calls, reads_end, .. } = account;
    let generated = calls.call(GENERATE_REPORT, *reads_end, || iam.generate_credential_report().send()).await;
    let read = calls.call(GET_REPORT, *reads_end, || iam.get_credential_report().send()).await;
    vec![
        of(GENERATE_REPORT, generated, &["LimitExceeded"]),
        of(GET_REPORT, read, &["ReportNotPresent", "ReportInProgress", "ReportExpired"]),
    ]
}

async fn on_results(account: &Account<'_>) -> Vec<Check> {
    let Account { config, calls, reads_end, .. } = account;
    // The pack gives the rule a name of its own; what matters is which error AWS Config answers.
    let request = config.get_compliance_details_by_config_rule().config_rule_name("access-key-rotation").limit(1);
    let read = calls.call(GET_RESULTS, *reads_end, || request.clone().send()).await;
    // By AWS Config's API reference a test run updates and sends nothing, and takes any token. It has no result besides.
    let request = config.put_evaluations().result_token("TESTMODE").test_mode(true);
    let put = calls.call(PUT_RESULTS, *reads_end, || request.clone().send()).await;
    vec![
        of(GET_RESULTS, read, &["NoSuchConfigRuleException"]),
        of(
            PUT_RESULTS,
            put,
            &["InvalidResultTokenException", "InvalidParameterValueException", "NoSuchConfigRuleException"],
        ),
    ]
}

/// `answers`: errors that only those get who are allowed to ask.
fn of<T>(action: &'static str, answer: Result<T, CallError>, answers: &[&str]) -> Check {
    let check = match answer {
        Ok(_) => Check::ok(NAME, "allowed"),
        Err(error) if answers.contains(&error.code.as_str()) => Check::ok(NAME, format!("allowed ({})", error.code)),
        Err(error) if is_denial(&error) => Check::failed(
            NAME,
            format!("denied ({})", error.code),
            "Deploy the current templates/member.yaml there (README, step 3), and check that no service control policy or \
             permissions boundary denies it.",
        ),
        Err(error) => Check::unknown(
            NAME,
            error.code,
            "Run it again; if that does not help, look at this account's state in AWS.",
        ),
    };
    check.of(action)
}
