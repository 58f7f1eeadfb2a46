//! `exempt`: sets, removes and lists exemptions, and makes them equal to a file. Only this command writes to AWS.

mod apply;
mod check;
mod compare;
mod export;
mod file;
mod list;
mod progress;
mod write;
mod yaml;

use crate::{
    args::{
        connection::{Connection, account_id},
        rule_options::RuleOptions,
        targets::Targets,
    },
    command_result::CommandResult,
    output::{Format, one_of},
};
use anyhow::{anyhow, bail};
use chrono::{NaiveDate, TimeDelta, Utc};
use clap::{ArgGroup, value_parser};
use file::tag_value;
use policy::{
    exemption::{EXEMPTION_TAGS, Exemption, day},
    user::Tags,
};
use std::path::PathBuf;

/// Exempt a user until a day, end or list exemptions, or keep them in a file.
///
/// An exemption is a set of tags on the IAM user. A new one replaces the earlier one completely. With the service control policy of
/// templates/prevention.yaml, only its ExemptionRoles may write these tags.
///
/// Exit status: 0 - done; 1 - failed, or not everything could be read; 2 - wrong usage; 3 - --check found something.
#[derive(clap::Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["until", "remove", "list", "apply", "check", "export"]),
    group = ArgGroup::new("of_many").args(["list", "apply", "check", "export"]).conflicts_with("user"),
    after_help = "Example:\n  \
        access-key-rotation exempt billing-export --until 2027-01-31 --owner finance-platform --profile administration\n  \
        access-key-rotation exempt billing-export --remove --profile administration\n  \
        access-key-rotation exempt --list --organization --profile security\n  \
        access-key-rotation exempt --export --organization --profile security > exemptions.yaml\n  \
        access-key-rotation exempt --check exemptions.yaml --organization --profile security\n  \
        access-key-rotation exempt --apply exemptions.yaml --profile administration"
)]
pub(crate) struct Args {
    /// The name of the IAM user
    #[arg(required_unless_present = "of_many")]
    user: Option<String>,
    /// Exempt the user until the end of this day, in UTC
    #[arg(long, value_name = "YYYY-MM-DD", requires = "owner", value_parser = last_day_given)]
    until: Option<String>,
    /// The person or team responsible for the exemption
    #[arg(long, value_name = "WHO", requires = "until", value_parser = tag_value)]
    owner: Option<String>,
    /// The reason for the exemption
    #[arg(long, value_name = "TEXT", requires = "until", value_parser = tag_value)]
    reason: Option<String>,
    /// Exempt only this access key
    #[arg(long, value_name = "ID", requires = "until", value_parser = tag_value)]
    key: Option<String>,
    /// End the user's exemption by removing its tags
    #[arg(long)]
    remove: bool,
    /// List the users with exemption tags, the next to end first, void ones last
    #[arg(long)]
    list: bool,
    /// Make the exemption tags equal to this file, in all accounts that it names. If anything is wrong with it, write nothing. List
    /// users who have tags but no entry
    #[arg(long, value_name = "FILE", conflicts_with = "account")]
    apply: Option<PathBuf>,
    /// With --apply, also remove the exemption tags of users without an entry
    #[arg(long, requires = "apply")]
    prune: bool,
    /// With --apply, check everything and say what would be written
    #[arg(long, requires = "apply")]
    dry_run: bool,
    /// Compare this file with the tags: list what differs, what ends soon, and users and keys that are gone
    #[arg(long, value_name = "FILE", conflicts_with = "account")]
    check: Option<PathBuf>,
    /// With --check, list exemptions that end within this many days (0 to 3650)
    #[arg(long, requires = "check", default_value_t = 14, value_parser = value_parser!(u16).range(0..=3650))]
    days: u16,
    /// Print such a file of the exemptions that users have
    #[arg(long)]
    export: bool,
    /// Print the list in this format
    #[arg(long, value_parser = one_of(list::FORMATS), default_value = "table", requires = "list")]
    format: Format,
    /// Work on this account instead of the current one
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: Option<String>,
    /// Work on every account of your organization. With --apply and --check, look there for users without an entry
    #[arg(long, conflicts_with_all = ["account", "user"])]
    organization: bool,
    /// Leave out these accounts of the organization
    #[arg(long, num_args = 1.., value_name = "ID", value_parser = account_id, requires = "organization")]
    exclude: Vec<String>,
    #[command(flatten)]
    rule: RuleOptions<false>,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    // Checks the new exemption or the file before any call.
    let new = exemption_tags(&args)?;
    let path = args.apply.as_deref().or(args.check.as_deref());
    let file = path.map(|path| file::read(path).map(|file| (path, file))).transpose()?;
    let session = args.connection.open().await?;
    let parameters = &args.rule.parameters;
    if let Some(user) = &args.user {
        let id = args.account.as_deref().unwrap_or(&session.home.account);
        let calls = session.calls_in(id);
        let account = session.open(id, &calls).await?;
        write::write(&session, &account, parameters, user, new).await?;
        return Ok(CommandResult::default());
    }
    let Args { organization, ref exclude, prune, dry_run, days, .. } = args;
    let targets =
        Targets { account: args.account.clone().into_iter().collect(), organization, exclude: exclude.clone() };
    match &file {
        Some((path, file)) if args.apply.is_some() => {
            apply::apply(&session, (path, file), &targets, parameters, apply::How { prune, dry_run }).await
        }
        Some((path, file)) => check::check(&session, (path, file), &targets, parameters, days).await,
        None if args.export => export::export(&session, &targets, parameters).await,
        None => list::list(&session, &targets, parameters, args.format).await,
    }
}

/// The tags of the new exemption, which the rule would accept. There are none for `--remove` and `--list`.
#[expect(clippy::disallowed_methods, reason = "what is wrong is said before anything connects")]
fn exemption_tags(args: &Args) -> anyhow::Result<Tags> {
    let given = EXEMPTION_TAGS.into_iter().zip([&args.until, &args.owner, &args.reason, &args.key]);
    let tags: Tags = given.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect();
    let (today, most) = (Utc::now().date_naive(), args.rule.parameters.max_exemption_days);
    match Exemption::read(&tags, today, most) {
        Exemption::Absent | Exemption::Valid { .. } => Ok(tags),
        Exemption::Void(why) => bail!(
            "{why}. Nothing was written. Pass --until a day from {today} to {} as YYYY-MM-DD",
            last_day(today, most)
        ),
    }
}

fn last_day(today: NaiveDate, most: u16) -> NaiveDate {
    today.checked_add_signed(TimeDelta::days(most.into())).unwrap_or(NaiveDate::MAX)
}

/// Parses the last day of an exemption. Whether the rule would accept it depends on other options.
fn last_day_given(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    day(text).map(|_| text.to_owned()).map_err(|why| anyhow!(why))
}
