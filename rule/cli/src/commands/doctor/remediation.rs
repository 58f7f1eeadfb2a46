//! Finds users whom AWS Config no longer remediates by itself: after too many attempts, it adds a remediation exception.

use super::{Caller, Check};
use access_key_rotation::{
    aws::{account::Account, client::CallError, client::Pages},
    config_service::rules::rules_that_invoke,
    coverage::account::{in_words, is_function},
};

const NAME: &str = "remediation";
const EXCEPTIONS: &str = "config:DescribeRemediationExceptions";
/// The most exceptions that AWS Config puts on a page.
const EXCEPTIONS_A_PAGE: i32 = 100;
/// How many users to name, and to put into the command. The count has all of them.
const MOST_NAMED: usize = 20;

pub(super) async fn check(account: &Account<'_>, function: &str, caller: &Caller<'_>) -> Check {
    let unknown = |error: &CallError| Check::unknown(NAME, error.to_string(), caller.remedy(error));
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
        return match rules.is_empty() {
            true => Check::skipped(NAME, format!("no AWS Config rule in this account invokes {}", in_words(function))),
            false => Check::ok(NAME, format!("no remediation exceptions for {}", rules.join(", "))),
        };
    };
    let named = &users[..users.len().min(MOST_NAMED)];
    let more = users.len() - named.len();
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    let keys = named.iter().map(|id| format!("ResourceType=AWS::IAM::User,ResourceId={id}")).collect::<Vec<_>>();
    Check::failed(
        NAME,
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
