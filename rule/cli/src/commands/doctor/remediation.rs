//! Checks the runbooks, and finds users for whom AWS Config no longer starts one by itself: after too many attempts, it adds a
//! remediation exception.

use super::report::{Caller, Check};
use crate::manual;
use access_key_rotation::{
    aws::{
        account::Account,
        client::{CallError, Pages},
    },
    config_service::rules::rules_that_invoke,
    coverage::account::{in_words, is_function},
};
use aws_sdk_ssm::types::{DocumentDescription, DocumentStatus};

const RUNBOOKS: &str = "runbooks";
const REMEDIATION: &str = "remediation";
/// The runbooks that `templates/member.yaml` creates.
const DOCUMENTS: [&str; 4] = [
    "AccessKeyRotation-DeactivateStaleKeys",
    "AccessKeyRotation-ReactivateKey",
    "AccessKeyRotation-DeleteDeactivatedKeys",
    "AccessKeyRotation-RemediateUser",
];
const EXCEPTIONS: &str = "config:DescribeRemediationExceptions";
/// The most exceptions that AWS Config puts on a page.
const EXCEPTIONS_A_PAGE: i32 = 100;
/// How many users to name, and to put into the command. The count has all of them.
const MOST_NAMED: usize = 20;

pub(super) async fn exceptions(account: &Account<'_>, function: &str, caller: &Caller<'_>) -> Check {
    let unknown = |error: &CallError| Check::unknown(REMEDIATION, error.to_string(), caller.remedy(error));
    let rules = match rules_that_invoke(account, |arn| is_function(arn, function)).await {
        Ok(rules) => rules.into_iter().map(|rule| rule.name).collect::<Vec<_>>(),
        Err(error) => return unknown(&error),
    };
    let mut found = Vec::new();
    for rule in &rules {
        match excepted(account, rule).await {
            Ok(users) if users.is_empty() => {}
            Ok(users) => found.push((rule, users)),
            Err(error) => return unknown(&error),
        }
    }
    let Some((rule, users)) = found.first() else {
        return if rules.is_empty() {
            Check::skipped(REMEDIATION, format!("no AWS Config rule in this account invokes {}", in_words(function)))
        } else {
            Check::ok(REMEDIATION, format!("no remediation exceptions for {}", rules.join(", ")))
        };
    };
    let named = &users[..users.len().min(MOST_NAMED)];
    let more = users.len() - named.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let keys = named.iter().map(|id| format!("ResourceType=AWS::IAM::User,ResourceId={id}")).collect::<Vec<_>>();
    Check::failed(
        REMEDIATION,
        format!(
            "{rule} has {} remediation exceptions, so AWS Config starts nothing for {}{more}",
            users.len(),
            named.join(", ")
        ),
        format!(
            "Find out why the runs failed (aws configservice describe-remediation-execution-status --config-rule-name \
             {rule}), then run: aws configservice delete-remediation-exceptions --config-rule-name {rule} --resource-keys {}",
            keys.join(" ")
        ),
    )
}

/// The ids of the users for whom the rule has an exception.
async fn excepted(account: &Account<'_>, rule: &str) -> Result<Vec<String>, CallError> {
    let Account { config, calls, ends, .. } = account;
    let mut users = Vec::new();
    let mut pages = Pages::of(EXCEPTIONS);
    while pages.more() {
        let request = config
            .describe_remediation_exceptions()
            .config_rule_name(rule)
            .limit(EXCEPTIONS_A_PAGE)
            .set_next_token(pages.next());
        let page = calls.call(EXCEPTIONS, ends.reads, || request.clone().send()).await?;
        users
            .extend(page.remediation_exceptions.unwrap_or_default().into_iter().map(|exception| exception.resource_id));
        pages.turn(page.next_token)?;
    }
    Ok(users)
}

pub(super) async fn runbooks(account: &Account<'_>, caller: &Caller<'_>) -> Vec<Check> {
    let ssm = aws_sdk_ssm::Client::new(&account.settings);
    let redeploy = &format!(
        "Check this account's stack instance of templates/member.yaml, and deploy it again ({}).",
        manual::ROLES
    );
    let mut checks = Vec::new();
    for document in DOCUMENTS {
        let request = ssm.describe_document().name(document);
        let answer = account.calls.call("ssm:DescribeDocument", account.ends.reads, || request.clone().send()).await;
        let check = match answer.map(|answer| answer.document.unwrap_or_else(|| DocumentDescription::builder().build()))
        {
            Ok(found) => match &found.status {
                Some(DocumentStatus::Active) => versions(document, &found),
                Some(status @ (DocumentStatus::Failed | DocumentStatus::Deleting)) => {
                    Check::failed(RUNBOOKS, format!("its status is {status}"), redeploy)
                }
                // Its deployment is in progress.
                Some(status) => {
                    Check::unknown(RUNBOOKS, format!("its status is {status}"), "Run the doctor again in a minute.")
                }
                None => Check::unknown(
                    RUNBOOKS,
                    "ssm:DescribeDocument: the response has no status",
                    "Run the doctor again.",
                ),
            },
            Err(error) if error.code == "InvalidDocument" => {
                Check::failed(RUNBOOKS, "the document does not exist", redeploy)
            }
            Err(error) => Check::unknown(RUNBOOKS, error.to_string(), caller.remedy(&error)),
        };
        checks.push(check.of(document));
    }
    checks
}

/// Systems Manager runs only the default version, and CloudFormation sometimes leaves an earlier one as the default.
fn versions(name: &str, document: &DocumentDescription) -> Check {
    match (&document.default_version, &document.latest_version) {
        (Some(default), Some(latest)) if default == latest => Check::ok(RUNBOOKS, format!("Active, version {default}")),
        (Some(default), Some(latest)) => Check::failed(
            RUNBOOKS,
            format!("Systems Manager runs version {default}, the default, but the latest is {latest}"),
            format!(
                "aws ssm update-document-default-version --name {name} --document-version {latest} (for all accounts at once: {})",
                manual::OLD_RUNBOOKS
            ),
        ),
        _ => Check::unknown(RUNBOOKS, "ssm:DescribeDocument: the response has no versions", "Run the doctor again."),
    }
}
