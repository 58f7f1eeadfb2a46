//! The checks of one account: its role, its recorder, its runbooks, and its part of what the hub deploys.

use super::{
    function::Function,
    pack::Pack,
    permissions, recorder, remediation,
    report::{Caller, Check},
    script_log,
};
use crate::{args::connection::Session, manual};
use access_key_rotation::{
    aws::account::Account,
    coverage::account::{Coverage, State},
    error::Error,
};

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
        let calls = self.session.calls_in(id);
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
        let (caller, role) = if is_current {
            (Caller::Current, "the current account, with your own credentials".to_owned())
        } else {
            (Caller::Role(self.role_name), format!("{} can be assumed", self.role_name))
        };
        let mut checks = vec![Check::ok("role", role)];
        checks.extend(recorder::check(account, &self.session.home.region, &caller).await);
        if let Some((function, pack)) = self.deployed {
            if is_current {
                let why = "not tested in this account, where you use your own credentials";
                checks.push(Check::skipped("permissions", why));
            } else {
                checks.extend(permissions::check(account, self.role_name, self.session.now).await);
            }
            checks.extend(remediation::runbooks(account, &caller).await);
            checks.push(script_log::check(account, &caller).await);
            match &function.arn {
                Some(arn) => {
                    let coverage = Coverage::read(account, None, arn, self.session.now).await;
                    checks.push(covered(coverage, pack.excludes(&account.id)));
                    checks.push(remediation::exceptions(account, arn, &caller).await);
                }
                None => checks
                    .extend(["coverage", "remediation"].map(|check| Check::skipped(check, "the function is unknown"))),
            }
        }
        checks
    }
}

/// Says what the command `coverage` says of the account. `excluded`: whether the pack excludes the account; `None` if that is unknown.
fn covered(coverage: Coverage, excluded: Option<bool>) -> Check {
    const NAME: &str = "coverage";
    let several = coverage.several_rules();
    let has_several = several.is_some();
    let why = coverage.why.into_iter().chain(several).collect::<Vec<_>>().join("; ");
    let remedy = || format!("What to do is in {}.", manual::COVERAGE);
    match (coverage.state, excluded) {
        (State::Evaluated | State::Unknown, _) if has_several => Check::failed(
            NAME,
            format!("{why}, so AWS Config reports everything twice"),
            format!("Leave the account one pack: which, and how, is in {}.", manual::COVERAGE),
        ),
        (State::Evaluated, _) => Check::ok(NAME, "AWS Config evaluated the rule in time"),
        (State::NoRule, Some(true)) => Check::skipped(NAME, format!("{why}, and the pack excludes the account")),
        (State::NoRule, None) => {
            Check::skipped(NAME, format!("{why}, and whether the pack excludes the account is unknown"))
        }
        (State::Overdue | State::NoRule, _) => Check::failed(NAME, why, remedy()),
        (State::Unreachable, _) => Check::unknown(NAME, why, remedy()),
        (State::Unknown, _) => Check::skipped(NAME, why),
    }
}
