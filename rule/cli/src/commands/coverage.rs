//! `coverage`: in which accounts AWS Config evaluated the rule in time, and what the results there say.

use crate::{
    args::{
        connection::{Connection, Session},
        function::{function, function_arn},
        outputs::Outputs,
        targets::{LeftOut, Resolved, Targets, left_out_line},
    },
    command_result::CommandResult,
    findings::finding::Covered,
    output::{
        Format,
        columns::{self, left, right},
        one_of,
    },
};
use access_key_rotation::{
    aws::{account::Account, iam::list_users},
    config_service::{
        organization_packs::{excluded_accounts, organization_packs},
        recorded_results::read_results,
    },
    coverage::account::{Coverage, State, is_function},
};
use chrono::{DateTime, SecondsFormat, Utc};
use policy::{annotation::is_exemption, recorded_result::RecordedResult, verdict::Compliance};
use serde::Serialize;
use std::{
    borrow::Cow,
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

const FORMATS: &[(Format, &str)] =
    &[(Format::Table, "A line for each account"), (Format::Json, "One object for each account")];

/// Find the accounts in which AWS Config does not evaluate the rule in time.
///
/// An account is covered if the rule's last evaluation is no older than its frequency and six hours. The security
/// account makes the same check twice a day.
///
/// Exit status: 0 - every account is covered; 1 - failed, or something could not be read; 2 - wrong usage; 3 - an account is not
/// covered.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  access-key-rotation coverage --profile security --organization")]
#[command(mut_arg("format", |arg| arg.value_parser(one_of(FORMATS))))]
pub(crate) struct Args {
    /// The rule's function: a name in the current account, or an ARN
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation", value_parser = function)]
    function_name: String,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OrganizationCoverage {
    checked_at: DateTime<Utc>,
    accounts: Vec<AccountCoverage>,
    left_out: Vec<LeftOut>,
}

/// The coverage of an account, and its users.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountCoverage {
    account: String,
    name: Option<String>,
    #[serde(flatten)]
    coverage: Covered,
    /// `None`: there is no rule, or they could not be counted.
    #[serde(flatten)]
    users: Option<Users>,
    /// Why the users could not be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The account's IAM users, by the results that AWS Config recorded.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Users {
    users: usize,
    users_non_compliant: usize,
    users_exempt: usize,
    /// Users without a result.
    users_unknown: usize,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let outputs = args.outputs.open(FORMATS)?;
    let session = &args.connection.open().await?;
    let function = &function_arn(&session.home, &args.function_name);
    let Resolved { accounts: targets, left_out } = args.targets.resolve(session).await?;
    // Who names accounts wants to know of them, whatever the pack excludes.
    let excluded =
        if args.targets.organization { excluded_by_pack(session, function).await } else { Ok(BTreeSet::new()) };
    let accounts = session.read_accounts(targets, async |id, name| read(session, id, name, function).await).await;
    let mut coverage = OrganizationCoverage { checked_at: session.now, accounts, left_out };
    coverage.leave_out(excluded);
    let command_result = coverage.command_result();
    outputs.write(move |format, out| coverage.write(format, out)).await?;
    Ok(command_result)
}

async fn read(session: &Session, id: String, name: Option<String>, function: &str) -> AccountCoverage {
    let calls = session.calls_in(&id);
    let account = match session.open(&id, &calls).await {
        Ok(account) => account,
        Err(error) => {
            let coverage = Coverage::unreachable(id.clone(), name.clone(), error.to_string());
            return AccountCoverage { account: id, name, coverage: coverage.into(), users: None, error: None };
        }
    };
    let coverage = Coverage::read(&account, name.clone(), function, session.now).await;
    let users = match &coverage.rule {
        Some(rule) => count(&account, rule).await.map(Some),
        None => Ok(None),
    };
    let error = users.as_ref().err().map(|error| format!("{error:#}"));
    AccountCoverage { account: id, name, coverage: coverage.into(), users: users.unwrap_or_default(), error }
}

/// # Errors
/// Why the exclusions are unknown.
async fn excluded_by_pack(session: &Session, function: &str) -> Result<BTreeSet<String>, String> {
    let calls = session.calls();
    let account = session.open(&session.home.account, &calls).await.map_err(|error| error.to_string())?;
    let packs = organization_packs(&account.config, &calls, session.until).await;
    let packs = packs.map_err(|error| account.error(&error).to_string())?;
    Ok(excluded_accounts(packs, |arn| is_function(arn, function)))
}

async fn count(account: &Account<'_>, rule: &str) -> anyhow::Result<Users> {
    let results = RefCell::new(BTreeMap::new());
    let keep = |result: RecordedResult| drop(results.borrow_mut().insert(result.user_id.clone(), result));
    read_results(account, rule, account.ends.reads, keep).await.map_err(|error| account.error(&error))?;
    let listing = list_users(account, account.ends.reads).await;
    if let Some(error) = listing.broken_off {
        return Err(account.error(&error).into());
    }
    let results = results.into_inner();
    let recorded: Vec<_> = listing.users.iter().filter_map(|user| results.get(&user.id)).collect();
    let count = |counts: fn(&RecordedResult) -> bool| recorded.iter().filter(|result| counts(result)).count();
    Ok(Users {
        users: listing.users.len(),
        users_non_compliant: count(|result| result.compliance == Compliance::NonCompliant),
        users_exempt: count(|result| result.compliance == Compliance::Compliant && is_exemption(&result.annotation)),
        users_unknown: listing.users.len() - recorded.len(),
    })
}

fn is_covered(account: &AccountCoverage) -> bool {
    account.coverage.state == State::Evaluated
}

impl OrganizationCoverage {
    /// Leaves out the accounts without a rule that the organization's conformance pack excludes. If its exclusions are unknown, so is
    /// whether an account without a rule should have one.
    fn leave_out(&mut self, excluded: Result<BTreeSet<String>, String>) {
        let has_no_rule = |account: &AccountCoverage| account.coverage.state == State::NoRule;
        match excluded {
            Ok(excluded) => {
                let is_excluded =
                    |account: &mut AccountCoverage| has_no_rule(account) && excluded.contains(&account.account);
                let left_out = self.accounts.extract_if(.., is_excluded);
                let left_out =
                    left_out.map(|AccountCoverage { account, name, .. }| LeftOut { account, name, why: "excluded" });
                self.left_out.extend(left_out);
                self.left_out.sort_by(|a, b| a.account.cmp(&b.account));
            }
            Err(error) => {
                for AccountCoverage { coverage, .. } in self.accounts.iter_mut().filter(|account| has_no_rule(account))
                {
                    let no_rule = coverage.why.take().unwrap_or_default();
                    coverage.state = State::Unknown;
                    coverage.why =
                        Some(format!("{no_rule}, and whether the pack excludes the account is unknown: {error}"));
                }
            }
        }
    }

    fn command_result(&self) -> CommandResult {
        let unread = self.accounts.iter().filter_map(|account| {
            let AccountCoverage { coverage, error, .. } = account;
            let unread = [State::Unreachable, State::Unknown].contains(&coverage.state);
            let why = if unread { &coverage.why } else { error };
            Some(format!("account {}: {}", account.account, why.as_ref()?))
        });
        CommandResult { errors: unread.collect(), violations: self.accounts.iter().any(|account| !is_covered(account)) }
    }

    fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Json => {
                serde_json::to_writer_pretty(&mut *out, self)?;
                writeln!(out)
            }
            _ => self.table(out),
        }
    }

    /// Accounts that are not covered come first.
    fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut columns = vec![
            left("Account", 12),
            left("State", 11),
            left("Last evaluated", 20),
            right("Users", 6),
            right("Non-compliant", 0),
            right("Exempt", 0),
            right("Unknown", 0),
            left("Why", 0),
        ];
        // Only AWS Organizations tells names.
        let has_names = self.accounts.iter().any(|account| account.name.is_some());
        if has_names {
            columns.insert(1, left("Name", 0));
        }
        let (covered, not_covered): (Vec<_>, Vec<_>) = self.accounts.iter().partition(|account| is_covered(account));
        let rows = not_covered.iter().chain(&covered).map(|account| {
            let AccountCoverage { account: id, name, coverage, users, .. } = account;
            let at = coverage.last_evaluated.map(|at| at.to_rfc3339_opts(SecondsFormat::Secs, true));
            let number = |number: fn(&Users) -> usize| {
                users.as_ref().map_or("-".into(), |users| number(users).to_string().into())
            };
            let mut row = vec![
                Cow::from(id),
                coverage.state.name().into(),
                at.map_or("-".into(), Cow::from),
                number(|users| users.users),
                number(|users| users.users_non_compliant),
                number(|users| users.users_exempt),
                number(|users| users.users_unknown),
                coverage.remarks().into(),
            ];
            if has_names {
                row.insert(1, name.as_deref().unwrap_or("-").into());
            }
            row
        });
        columns::write(&columns, rows, out)?;
        writeln!(out, "{} of {} accounts covered", covered.len(), self.accounts.len())?;
        let several = self.accounts.iter().filter(|account| !account.coverage.other_rules.is_empty()).count();
        if several > 0 {
            let accounts = if several == 1 { "account has" } else { "accounts have" };
            writeln!(out, "{several} {accounts} several rules, so AWS Config reports everything twice")?;
        }
        left_out_line(&self.left_out).map_or(Ok(()), |line| writeln!(out, "{line}"))
    }
}
