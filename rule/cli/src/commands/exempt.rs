//! `exempt`: sets, removes and lists exemptions. Only this command writes to AWS.

mod list;
mod write;

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
use clap::ArgGroup;
use policy::{
    exemption::{EXEMPTION_TAGS, Exemption, day},
    user::Tags,
};

/// The longest tag value that IAM accepts, in characters (`tagValueType` in its service model).
const VALUE_LIMIT: usize = 256;

/// Exempt a user for a limited time, end an exemption, or list exemptions.
///
/// An exemption is a set of tags on the IAM user. A new exemption replaces the earlier one completely. If the service control
/// policy of templates/prevention.yaml is attached, only its ExemptionRoles may write these tags.
///
/// Exit status: 0 - done; 1 - failed, or the list is incomplete; 2 - wrong usage.
#[derive(clap::Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["until", "remove", "list"]),
    after_help = "Example:\n  \
        access-key-rotation exempt billing-export --until 2027-01-31 --owner finance-platform --profile administration\n  \
        access-key-rotation exempt billing-export --remove --profile administration\n  \
        access-key-rotation exempt --list --organization --profile security"
)]
pub(crate) struct Args {
    /// The name of the IAM user
    #[arg(required_unless_present = "list")]
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
    /// List the users who have exemption tags, valid or not: those whose exemption ends soon first, and void ones last
    #[arg(long, conflicts_with = "user")]
    list: bool,
    /// Print the list in this format
    #[arg(long, value_parser = one_of(list::FORMATS), default_value = "table", requires = "list")]
    format: Format,
    /// Work on this account instead of the current one
    #[arg(long, value_name = "ID", value_parser = account_id)]
    account: Option<String>,
    /// List the users of every account of your organization
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
    // Checks the new exemption before any call: the arguments have all of it.
    let new = exemption_tags(&args)?;
    let session = args.connection.open().await?;
    let parameters = &args.rule.parameters;
    let Some(user) = &args.user else {
        let Args { account, organization, exclude, .. } = args;
        let targets = Targets { account: account.into_iter().collect(), organization, exclude };
        return list::list(&session, &targets, parameters, args.format).await;
    };
    let calls = session.calls();
    let account = session.open(args.account.as_deref().unwrap_or(&session.home.account), &calls).await?;
    write::write(&session, &account, parameters, user, new).await?;
    Ok(CommandResult::default())
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

/// Parses a tag value that IAM accepts: `[\p{L}\p{Z}\p{N}_.:/=+\-@]*` ("Tag" in the IAM API reference).
fn tag_value(text: &str) -> anyhow::Result<String> {
    let text = text.trim();
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() && !c.is_control() || "_.:/=+-@".contains(c);
    if text.is_empty() {
        bail!("the value is empty");
    }
    if let Some(other) = text.chars().find(|c| !allowed(*c)) {
        bail!("IAM tags accept letters, digits, spaces and _.:/=+-@, but not {other:?}");
    }
    match text.chars().count() {
        length if length > VALUE_LIMIT => {
            bail!("the value has {length} characters, but IAM accepts at most {VALUE_LIMIT}")
        }
        _ => Ok(text.to_owned()),
    }
}
