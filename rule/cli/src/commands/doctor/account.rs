//! The checks of one account: its role, its recorder, its runbooks, and its part of what the hub deploys.

use super::{Caller, Check, function::Function, pack::Pack, permissions, recorder, remediation};
use crate::{args::connection::Session, manual};
use access_key_rotation::{
    aws::account::Account,
    coverage::account::{Coverage, State},
    error::Error,
};
use aws_sdk_ssm::types::{DocumentDescription, DocumentStatus};

/// The runbooks that `templates/member.yaml` creates.
const RUNBOOKS: [&str; 3] = [
    "AccessKeyRotation-DeactivateStaleKeys",
    "AccessKeyRotation-ReactivateKey",
    "AccessKeyRotation-DeleteDeactivatedKeys",
];

const NAME: &str = "runbooks";

pub(super) struct Examiner<'a> {
    pub(super) session: &'a Session,
    pub(super) role_name: &'a str,
    /// What the hub deploys; `None` before the rollout.
    pub(super) deployed: Option<&'a (Function, Pack)>,
}

impl Examiner<'_> {
    /// All checks of an account. If the role cannot be assumed, only the hub's checks remain.
    pub(super) async fn examine(&self, id: &str) -> Vec<Check> {
        let Session { accounts, home, now, until, .. } = self.session;
        let calls = self.session.calls();
        let mut checks = match accounts.open(id, home, *now, &calls, (*until).into()).await {
            Err(error) => vec![self.no_role(id, &error)],
            Ok(account) => self.inside(&account).await,
        };
        if let Some((function, pack)) = self.deployed {
            checks.push(function.of_account(id));
            checks.push(pack.of_account(id));
        }
        checks
    }

    fn no_role(&self, id: &str, error: &Error) -> Check {
        let name = self.role_name;
        let remedy = match (error, self.deployed) {
            (Error::AccessDenied(_), Some(_)) => {
                format!(
                    "Deploy templates/member.yaml in this account, with the ARN of your own role as CommandLineRoleArn ({}), \
                     and grant yourself sts:AssumeRole on {name}.",
                    manual::ROLES
                )
            }
            (Error::AccessDenied(_), None) => {
                "Before the rollout, pass a role that you may assume in every account, for example --role-name \
                 OrganizationAccountAccessRole."
                    .to_owned()
            }
            _ => {
                return Check::unknown(
                    "role",
                    error.to_string(),
                    "Run the doctor again, with credentials that last longer.",
                );
            }
        };
        let caller = &self.session.caller;
        let seen = format!("{name} in account {id} cannot be assumed: it does not exist, or does not trust {caller}");
        Check::failed("role", seen, remedy)
    }

    async fn inside(&self, account: &Account<'_>) -> Vec<Check> {
        let is_current = account.id == self.session.home.account;
        let (caller, role) = match is_current {
            true => (Caller::Current, "the current account, with your own credentials".to_owned()),
            false => (Caller::Role(self.role_name), format!("{} can be assumed", self.role_name)),
        };
        let mut checks = vec![Check::ok("role", role)];
        checks.extend(recorder::check(account, &self.session.home.region, &caller).await);
        if let Some((function, _)) = self.deployed {
            if is_current {
                let why = "the current account: only the function itself can use its role (templates/hub.yaml)";
                checks.push(Check::skipped("permissions", why));
            } else {
                checks.extend(permissions::check(account, self.role_name).await);
            }
            checks.extend(runbooks(account, &caller).await);
            match &function.arn {
                Some(arn) => {
                    checks.push(coverage(Coverage::read(account, None, arn, self.session.now).await));
                    checks.push(remediation::check(account, arn, &caller).await);
                }
                None => checks
                    .extend(["coverage", "remediation"].map(|check| Check::skipped(check, "the function is unknown"))),
            }
        }
        checks
    }
}

/// Says what the command `coverage` says of the account.
fn coverage(coverage: Coverage) -> Check {
    const NAME: &str = "coverage";
    let why = coverage.why.unwrap_or_default();
    let remedy = || format!("What to do is in {}.", manual::COVERAGE);
    match coverage.state {
        State::Evaluated => Check::ok(NAME, "AWS Config evaluated the rule in time"),
        State::Overdue | State::NoRule => Check::failed(NAME, why, remedy()),
        State::Unreachable => Check::unknown(NAME, why, remedy()),
        State::Unknown => Check::skipped(NAME, why),
    }
}

async fn runbooks(account: &Account<'_>, caller: &Caller<'_>) -> Vec<Check> {
    let ssm = aws_sdk_ssm::Client::new(&account.settings);
    let redeploy = &format!(
        "Check this account's stack instance of templates/member.yaml, and deploy it again ({}).",
        manual::ROLES
    );
    let mut checks = Vec::new();
    for document in RUNBOOKS {
        let request = ssm.describe_document().name(document);
        let answer = account.calls.call("ssm:DescribeDocument", account.ends.reads, || request.clone().send()).await;
        let check = match answer.map(|answer| answer.document.unwrap_or_else(|| DocumentDescription::builder().build()))
        {
            Ok(found) => match &found.status {
                Some(DocumentStatus::Active) => versions(document, &found),
                Some(status @ (DocumentStatus::Failed | DocumentStatus::Deleting)) => {
                    Check::failed(NAME, format!("its status is {status}"), redeploy)
                }
                // Its deployment is in progress.
                Some(status) => {
                    Check::unknown(NAME, format!("its status is {status}"), "Run the doctor again in a minute.")
                }
                None => {
                    Check::unknown(NAME, "ssm:DescribeDocument: the response has no status", "Run the doctor again.")
                }
            },
            Err(error) if error.code == "InvalidDocument" => {
                Check::failed(NAME, "the document does not exist", redeploy)
            }
            Err(error) => Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
        };
        checks.push(check.of(document));
    }
    checks
}

/// Systems Manager runs only the default version, and CloudFormation sometimes leaves an earlier one as the default.
fn versions(name: &str, document: &DocumentDescription) -> Check {
    match (&document.default_version, &document.latest_version) {
        (Some(default), Some(latest)) if default == latest => Check::ok(NAME, format!("Active, version {default}")),
        (Some(default), Some(latest)) => Check::failed(
            NAME,
            format!("Systems Manager runs version {default}, the default, but the latest is {latest}"),
            format!(
                "aws ssm update-document-default-version --name {name} --document-version {latest} (for all accounts at once: {})",
                manual::UPDATE
            ),
        ),
        _ => Check::unknown(NAME, "ssm:DescribeDocument: the response has no versions", "Run the doctor again."),
    }
}
