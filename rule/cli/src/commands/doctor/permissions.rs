//! Tests whether the assumed role may do each action that rule/REFERENCE.md lists under "Permissions".

use super::report::{Check, is_denial};
use crate::{
    callers::{
        lookup::LOOKUP_EVENTS,
        regions::{self, LIST_REGIONS},
    },
    findings::{
        credential_listing::{
            GET_ACCOUNT_SUMMARY, LIST_SERVICE_SPECIFIC_CREDENTIALS, root_access_keys, service_specific_credentials,
        },
        record::PATH,
        records::GET_PARAMETERS_BY_PATH,
        rotation::USERS_PATH,
    },
    manual,
};
use access_key_rotation::{
    aws::{
        account::Account,
        client::{CallError, Failure},
        iam::{GET_ACCESS_KEY_LAST_USED, GET_USER, LIST_ACCESS_KEYS, LIST_USERS},
        quarantine::{LIST_ATTACHED_USER_POLICIES, LIST_ENTITIES_FOR_POLICY, list_exposed_users},
    },
    config_service::event::IAM_USER,
};
use chrono::{DateTime, Utc};

const NAME: &str = "permissions";
const GET_RESULTS: &str = "config:GetComplianceDetailsByConfigRule";
const GET_RESULT: &str = "config:GetComplianceDetailsByResource";
const PUT_RESULTS: &str = "config:PutEvaluations";

/// How many users to try: some may have no key, and policies may shield some.
const USERS: usize = 20;
const USERS_A_PAGE: i32 = 20;
/// A page of users may be empty and still have a next page.
const MOST_PAGES: usize = 10;

/// A check for each action.
pub(super) async fn check(account: &Account<'_>, role_name: &str, now: DateTime<Utc>) -> Vec<Check> {
    let role = Role(role_name);
    let mut checks = role.on_users(account).await;
    checks.extend(role.on_results(account).await);
    checks.extend(role.on_other_credentials(account, now).await);
    checks.push(role.on_records(account).await);
    checks.extend(role.on_events(account).await);
    checks
}

/// The name of the role that the checks are about.
struct Role<'a>(&'a str);

impl Role<'_> {
    async fn on_users(&self, account: &Account<'_>) -> Vec<Check> {
        let Account { iam, calls, ends, .. } = account;
        let (users, listed) = match some_users(account).await {
            Ok(users) => (users, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        let keys = first(&users, async |name| {
            let request = iam.list_access_keys().user_name(name);
            let answer = calls.call(LIST_ACCESS_KEYS, ends.reads, || request.clone().send()).await?;
            let keys: Vec<_> = answer.access_key_metadata.into_iter().filter_map(|key| key.access_key_id).collect();
            Ok((!keys.is_empty(), keys))
        });
        let keys = keys.await;
        let user = first(&users, async |name| {
            let request = iam.get_user().user_name(name);
            calls.call(GET_USER, ends.reads, || request.clone().send()).await.map(|_| (true, ()))
        });
        let user = user.await;
        let policies = first(&users, async |name| {
            let request = iam.list_attached_user_policies().user_name(name);
            calls.call(LIST_ATTACHED_USER_POLICIES, ends.reads, || request.clone().send()).await.map(|_| (true, ()))
        });
        let policies = policies.await;
        let exposed = list_exposed_users(account, ends.reads).await.broken_off.map_or(Ok(()), Err);
        let skip = |action, why: &str| Check::skipped(NAME, why).of(action);
        let nobody = if listed.is_ok() { "no user to test it on" } else { "no known user to test it on" };
        let (ids, no_key) = match &keys {
            Some(Ok(ids)) => (ids.as_slice(), "no access key to test it on"),
            Some(Err(_)) => (&[][..], "no known access key to test it on"),
            None => (&[][..], nobody),
        };
        let last_used = first(ids, async |id| {
            let request = iam.get_access_key_last_used().access_key_id(id);
            calls.call(GET_ACCESS_KEY_LAST_USED, ends.reads, || request.clone().send()).await.map(|_| (true, ()))
        });
        let last_used = last_used.await.map_or_else(
            || skip(GET_ACCESS_KEY_LAST_USED, no_key),
            |answer| self.check(GET_ACCESS_KEY_LAST_USED, answer, &[]),
        );
        vec![
            self.check(LIST_USERS, listed, &[]),
            keys.map_or_else(|| skip(LIST_ACCESS_KEYS, nobody), |answer| self.check(LIST_ACCESS_KEYS, answer, &[])),
            user.map_or_else(|| skip(GET_USER, nobody), |answer| self.check(GET_USER, answer, &[])),
            last_used,
            self.check(LIST_ENTITIES_FOR_POLICY, exposed, &[]),
            policies.map_or_else(
                || skip(LIST_ATTACHED_USER_POLICIES, nobody),
                |answer| self.check(LIST_ATTACHED_USER_POLICIES, answer, &[]),
            ),
        ]
    }

    async fn on_results(&self, account: &Account<'_>) -> Vec<Check> {
        let Account { config, calls, ends, .. } = account;
        // The pack gives the rule another name. Only AWS Config's error code matters here.
        let request = config.get_compliance_details_by_config_rule().config_rule_name("access-key-rotation").limit(1);
        let read = calls.call(GET_RESULTS, ends.reads, || request.clone().send()).await;
        // No user has this id.
        let request = config.get_compliance_details_by_resource().resource_type(IAM_USER).resource_id("AIDA");
        let read_one = calls.call(GET_RESULT, ends.reads, || request.clone().send()).await;
        // According to AWS Config's API reference, a test run updates and sends nothing, and accepts any token. This one also
        // has no results.
        let request = config.put_evaluations().result_token("TESTMODE").test_mode(true);
        let put = calls.call(PUT_RESULTS, ends.reads, || request.clone().send()).await;
        vec![
            self.check(GET_RESULTS, read, &["NoSuchConfigRuleException"]),
            self.check(GET_RESULT, read_one, &["InvalidParameterValueException"]),
            self.check(
                PUT_RESULTS,
                put,
                &["InvalidResultTokenException", "InvalidParameterValueException", "NoSuchConfigRuleException"],
            ),
        ]
    }

    /// Reads what a scan reads: IAM may list one service at a time, and a refusal of every service at once is no denial.
    async fn on_other_credentials(&self, account: &Account<'_>, now: DateTime<Utc>) -> [Check; 2] {
        [
            self.check(GET_ACCOUNT_SUMMARY, root_access_keys(account).await, &[]),
            self.check(LIST_SERVICE_SPECIFIC_CREDENTIALS, service_specific_credentials(account, now).await, &[]),
        ]
    }

    async fn on_records(&self, account: &Account<'_>) -> Check {
        let ssm = aws_sdk_ssm::Client::new(&account.settings);
        let read = async |path| {
            let request = ssm.get_parameters_by_path().path(path).max_results(1);
            account.calls.call(GET_PARAMETERS_BY_PATH, account.ends.reads, || request.clone().send()).await
        };
        // The role may list each of the two paths, or not.
        let answer = match read(PATH).await {
            Ok(_) => read(USERS_PATH).await,
            error => error,
        };
        self.check(GET_PARAMETERS_BY_PATH, answer, &[])
    }

    /// In the home Region only: a policy that denies another is found by `where`, which names the Region.
    async fn on_events(&self, account: &Account<'_>) -> Vec<Check> {
        let trail = aws_sdk_cloudtrail::Client::new(&account.settings);
        let request = trail.lookup_events().max_results(1);
        let events = account.calls.call(LOOKUP_EVENTS, account.ends.reads, || request.clone().send()).await;
        vec![self.check(LOOKUP_EVENTS, events, &[]), self.check(LIST_REGIONS, regions::enabled(account).await, &[])]
    }

    /// `answers`: errors that only a caller with the permission gets.
    fn check<T>(&self, action: &'static str, answer: Result<T, CallError>, answers: &[&str]) -> Check {
        let role = self.0;
        let check = match answer {
            Ok(_) => Check::ok(NAME, format!("allowed to {role}")),
            Err(error) if answers.contains(&error.code.as_str()) => {
                Check::ok(NAME, format!("allowed to {role} ({})", error.code))
            }
            Err(error) if is_denial(&error) => Check::failed(
                NAME,
                format!("denied to {role} ({})", error.code),
                format!(
                    "Deploy the current templates/member.yaml in this account ({}), and check that no service control policy \
                     or permissions boundary denies the action.",
                    manual::ROLES
                ),
            ),
            Err(error) => Check::unknown(
                NAME,
                error.code,
                "Run the doctor again. If that does not help, check the state of this account in AWS.",
            ),
        };
        check.of(action)
    }
}

async fn some_users(account: &Account<'_>) -> Result<Vec<String>, CallError> {
    let mut users = Vec::new();
    let mut marker = None;
    for _ in 0..MOST_PAGES {
        let request = account.iam.list_users().max_items(USERS_A_PAGE).set_marker(marker);
        let page = account.calls.call(LIST_USERS, account.ends.reads, || request.clone().send()).await?;
        users.extend(page.users.into_iter().map(|user| user.user_name));
        marker = page.marker.filter(|_| page.is_truncated);
        if users.len() >= USERS || marker.is_none() {
            break;
        }
    }
    users.truncate(USERS);
    Ok(users)
}

/// Makes a call for one user or key after the other, until one has what the check needs, or fails other than by a denial, which
/// may concern only this one. Returns the best answer, or `None` if there was nobody.
async fn first<T>(
    names: &[String],
    call: impl AsyncFn(&str) -> Result<(bool, T), CallError>,
) -> Option<Result<T, CallError>> {
    let mut best = None;
    for name in names {
        match call(name).await {
            Ok((true, answer)) => return Some(Ok(answer)),
            Ok((false, answer)) => best = Some(Ok(answer)),
            Err(error) if error.kind == Failure::NotFound => {}
            Err(error) if is_denial(&error) => best = best.or(Some(Err(error))),
            Err(error) => return best.filter(Result::is_ok).or(Some(Err(error))),
        }
    }
    best
}
