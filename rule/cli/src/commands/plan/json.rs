//! The plan for programs.

use super::{contents::Plan, rotation::opt_in, steps::Step};
use crate::{
    callers::key_history::Histories,
    findings::{
        board::{Entry, Place},
        filtered::Filtered,
        finding::{Finding, Key, Terms},
    },
    output::aws_cli::command,
};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;
use std::io::{self, Write};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    #[serde(flatten)]
    terms: &'a Terms,
    incomplete: &'a [String],
    records_unknown: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<&'a Filtered>,
    keys: Vec<OnBoard<'a>>,
    users: Vec<ToDo<'a>>,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    histories: Option<&'a Histories>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct User<'a> {
    account: &'a str,
    user_name: &'a str,
    user_id: Option<&'a str>,
    owner: Option<&'a str>,
}

/// A key on the board.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnBoard<'a> {
    #[serde(flatten)]
    user: User<'a>,
    access_key_id: &'a str,
    create_date: DateTime<Utc>,
    state: Place,
    from: Option<NaiveDate>,
    next: Option<String>,
    to_do: Option<String>,
}

/// What a person must do about a user in violation, or can do about any other.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ToDo<'a> {
    #[serde(flatten)]
    user: User<'a>,
    priority: &'static str,
    steps: Vec<StepToDo>,
    opt_in: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StepToDo {
    what: String,
    runbook: Option<String>,
    command: Option<String>,
    changes: bool,
}

pub(super) fn write(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        terms: &plan.terms,
        incomplete: &plan.incomplete,
        records_unknown: &plan.records_unknown,
        filter: plan.filtered.as_ref(),
        keys: plan.entries().map(|(finding, key, entry)| on_board(finding, key, entry)).collect(),
        users: plan.findings.iter().filter_map(|finding| to_do(finding, plan)).collect(),
        histories: plan.histories.as_ref(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

impl User<'_> {
    fn of(finding: &Finding) -> User<'_> {
        User {
            account: &finding.account,
            user_name: &finding.user_name,
            user_id: finding.user_id.as_deref(),
            owner: finding.owner.as_deref(),
        }
    }
}

fn on_board<'a>(finding: &'a Finding, key: &'a Key, entry: Entry) -> OnBoard<'a> {
    OnBoard {
        user: User::of(finding),
        access_key_id: &key.access_key_id,
        create_date: key.create_date,
        state: entry.place,
        from: entry.on,
        next: entry.next,
        to_do: entry.to_do,
    }
}

/// `None` if there is nothing to do.
fn to_do<'a>(finding: &'a Finding, plan: &Plan) -> Option<ToDo<'a>> {
    let text = |arguments: Option<Vec<String>>| arguments.map(|arguments| command(&arguments));
    let step = |Step { what, runbook, command, changes }| StepToDo {
        what,
        runbook: text(runbook),
        command: text(command),
        changes,
    };
    let steps: Vec<_> = plan.steps(finding).into_iter().map(step).collect();
    let opt_in: Vec<_> = opt_in(finding).iter().flatten().map(|arguments| command(arguments)).collect();
    (!steps.is_empty() || !opt_in.is_empty()).then(|| ToDo {
        user: User::of(finding),
        priority: finding.priority().as_str(),
        steps,
        opt_in,
    })
}
