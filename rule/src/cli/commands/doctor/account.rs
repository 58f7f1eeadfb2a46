//! The checks of one account: its role, its recorder, its runbooks, and its part of what the hub deploys.

use super::{Caller, Check, function::Function, pack::Pack, permissions, recorder, remediation};
use crate::{args::connection::Session, manual};
use access_key_rotation::{aws::account::Account, error::Error};
use aws_sdk_ssm::types::{DocumentDescription, DocumentStatus};

/// What `templates/member.yaml` makes.
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
    /// All checks of an account. One whose role cannot be assumed is not known by anything else than the hub.
    pub(super) async fn examine(&self, id: &str) -> Vec<Check> {
        let Session { accounts, home, now, until, .. } = self.session;
        let calls = self.session.calls();
        let mut checks = match accounts.open(id, home, *now, &calls, (*until, *until)).await {
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
        let remedy = match (error, self.deployed) {
            (Error::AccessDenied(_), Some(_)) => {
                format!(
                    "Deploy templates/member.yaml there, with the ARN of your role as CommandLineRoleArn ({}), and allow \
                     yourself sts:AssumeRole on it.",
                    manual::ROLES
                )
            }
            (Error::AccessDenied(_), None) => {
                "Before the rollout, name a role that you may assume in every account, as with --role-name \
                 OrganizationAccountAccessRole."
                    .to_owned()
            }
            _ => return Check::unknown("role", error.to_string(), "Run it again, with credentials that last."),
        };
        let name = self.role_name;
        let seen =
            format!("{name} in account {id} cannot be assumed: it is not there, or does not trust whoever runs this");
        Check::failed("role", seen, remedy)
    }

    async fn inside(&self, account: &Account<'_>) -> Vec<Check> {
        let is_current = account.id == self.session.home.account;
        let (caller, role) = match is_current {
            true => (Caller::Current, "the current account, with the credentials at hand".to_owned()),
            false => (Caller::Role(self.role_name), format!("{} can be assumed", self.role_name)),
        };
        let mut checks =
            vec![Check::ok("role", role), recorder::check(account, &self.session.home.region, &caller).await];
        if let Some((function, _)) = self.deployed {
            if is_current {
                let why = "the current account: only the function itself has the function's role (templates/hub.yaml)";
                checks.push(Check::skipped("permissions", why));
            } else {
                checks.extend(permissions::check(account, self.role_name).await);
            }
            checks.extend(runbooks(account, &caller).await);
            checks.push(remediation::check(account, &function.name, &caller).await);
        }
        checks
    }
}

async fn runbooks(account: &Account<'_>, caller: &Caller<'_>) -> Vec<Check> {
    let ssm = aws_sdk_ssm::Client::new(&account.settings);
    let redeploy = &format!(
        "Look at this account's instance of the StackSet of templates/member.yaml, and deploy it again ({}).",
        manual::ROLES
    );
    let mut checks = Vec::new();
    for document in RUNBOOKS {
        let request = ssm.describe_document().name(document);
        let answer = account.calls.call("ssm:DescribeDocument", account.reads_end, || request.clone().send()).await;
        let check = match answer.map(|answer| answer.document.unwrap_or_else(|| DocumentDescription::builder().build()))
        {
            Ok(found) => match &found.status {
                Some(DocumentStatus::Active) => versions(document, &found),
                Some(status @ (DocumentStatus::Failed | DocumentStatus::Deleting)) => {
                    Check::failed(NAME, format!("its status is {status}"), redeploy)
                }
                // It is being deployed.
                Some(status) => Check::unknown(NAME, format!("its status is {status}"), "Run it again in a minute."),
                None => Check::unknown(NAME, "ssm:DescribeDocument: an answer without a status", "Run it again."),
            },
            Err(error) if error.code == "InvalidDocument" => Check::failed(NAME, "there is no such document", redeploy),
            Err(error) => Check::unknown(NAME, error.to_string(), caller.remedy(&error)),
        };
        checks.push(check.of(document));
    }
    checks
}

/// Only the default version is run, and CloudFormation has been seen to leave an earlier one the default.
fn versions(name: &str, document: &DocumentDescription) -> Check {
    match (&document.default_version, &document.latest_version) {
        (Some(default), Some(latest)) if default == latest => Check::ok(NAME, format!("Active, version {default}")),
        (Some(default), Some(latest)) => Check::failed(
            NAME,
            format!("version {default} is run, since it is the default; the latest is {latest}"),
            format!(
                "aws ssm update-document-default-version --name {name} --document-version {latest} (for all accounts at once: {})",
                manual::UPDATE
            ),
        ),
        _ => Check::unknown(NAME, "ssm:DescribeDocument: an answer without versions", "Run it again."),
    }
}
