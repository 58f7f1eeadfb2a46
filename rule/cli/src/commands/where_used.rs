//! `where`: who uses a key, from where, and what could replace it.

use crate::{
    args::{
        connection::Connection,
        filter::Filter,
        order::Order,
        outputs::Outputs,
        rule_options::RuleOptions,
        runbook_days::RunbookDays,
        scope::Scope,
        targets::{Targets, tell_left_out},
    },
    callers::{
        chosen::{Chosen, by_id, key_id, of_users, stale_keys_in_use},
        history,
        key_history::Histories,
        lookup::{MOST_DAYS, MOST_EVENTS, Window},
    },
    command_result::CommandResult,
    findings::{
        filtered,
        finding::Finding,
        organization_scan::{Reader, scan_accounts},
    },
    output::{
        Format,
        callers::{csv, markdown, table},
        html,
        messages::note,
        one_of,
    },
};
use clap::{Arg, value_parser};
use std::{
    io::{self, Write},
    slice,
};

const FORMATS: &[(Format, &str)] = &[
    (Format::Table, "The callers of each key"),
    (Format::Markdown, "The same in Markdown"),
    (Format::Json, "The same with every agent in full"),
    (Format::Csv, "Every caller, one on each line"),
    (Format::Html, "A page for your browser"),
];

/// Show who uses access keys, from where and with what, and what could replace each key. It reads CloudTrail's events in every
/// enabled Region, two calls a second in each.
///
/// Without KEY and --user, it looks up every stale key that is in use, exempt or not. With --user, it looks up every key of these
/// users. CloudTrail's history has neither data events, such
/// as reads of S3 objects, nor mail that SES sends: a key without an event may be in use.
///
/// Exit status: 0 - everything was read; 1 - failed or incomplete; 2 - wrong usage.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
        access-key-rotation where AKIAIOSFODNN7EXAMPLE --profile security --account 111122223333\n  \
        access-key-rotation where --organization --profile security --format html --output callers.html")]
#[command(mut_args(of_stale_keys))]
#[command(mut_arg("format", |arg| arg.value_parser(one_of(FORMATS))))]
pub(crate) struct Args {
    /// Look up these keys, by id
    #[arg(value_name = "KEY", value_parser = key_id, conflicts_with = "user")]
    keys: Vec<String>,
    /// Look so many days back (1 to 90). CloudTrail has no older events
    #[arg(long, default_value_t = MOST_DAYS, value_parser = value_parser!(u16).range(1..=i64::from(MOST_DAYS)))]
    days: u16,
    /// Read at most this number of events of a key in each Region, the latest first (1 to 100000). A second reads 100
    #[arg(long, value_name = "NUMBER", default_value_t = MOST_EVENTS as u32, value_parser = value_parser!(u32).range(1..=100_000))]
    most_events: u32,
    #[command(flatten)]
    outputs: Outputs,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    rule: RuleOptions<false>,
    #[command(flatten)]
    order: Order,
    #[command(flatten)]
    connection: Connection,
}

/// Keys that are named, and those of users who are named, are looked up as they are.
fn of_stale_keys(arg: Arg) -> Arg {
    let is_of_stale_keys = ["owner", "priority", "min_age", "sort", "top"].contains(&arg.get_id().as_str());
    if is_of_stale_keys { arg.conflicts_with_all(["keys", "user"]) } else { arg }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<CommandResult> {
    let Args { keys, days, most_events, outputs, filter, targets, rule, order, connection } = args;
    let outputs = outputs.open(FORMATS)?;
    let session = connection.open().await?;
    let mut filtered = None;
    let (wanted, mut errors) = if keys.is_empty() && filter.user.is_empty() {
        let quiet_days = order.quiet_days;
        let scope = Scope { days: RunbookDays::DEFAULT, targets, rule, order, connection };
        let mut result = scan_accounts(&session, &scope, None, Reader::Where).await?;
        tell_left_out(&result.left_out);
        let keys_of = |findings: &[Finding]| stale_keys_in_use(findings.iter(), quiet_days, session.now);
        let has_key = |finding: &Finding| !keys_of(slice::from_ref(finding)).is_empty();
        filtered::apply(&filter, &mut result, has_key, has_key);
        let errors = result.command_result().errors;
        filtered = result.filtered.take();
        (keys_of(&result.findings), errors)
    } else {
        let resolved = targets.resolve(&session).await?;
        tell_left_out(&resolved.left_out);
        let Chosen { keys, errors, .. } = if keys.is_empty() {
            of_users(&session, resolved.accounts, &filter.user).await
        } else {
            by_id(&session, &targets, resolved.accounts, &keys).await
        };
        (keys, errors)
    };
    if outputs.has(&[Format::Csv]) {
        // It has no place for this.
        for sentence in filtered::sentences(filtered.as_ref()) {
            note(&sentence);
        }
    }
    let window = Window { now: session.now, days, most_events: most_events as usize };
    let histories = Histories { filtered, ..history::read(&session, wanted, &window).await };
    errors.extend(histories.missing());
    outputs.write(move |format, out| write(&histories, format, out)).await?;
    Ok(CommandResult { errors, violations: false })
}

fn write(histories: &Histories, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => table::write(histories, out),
        Format::Markdown => markdown::write(histories, out),
        Format::Csv => csv::write(histories, out),
        Format::Html => html::write_callers(histories, out),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, histories)?;
            writeln!(out)
        }
    }
}
