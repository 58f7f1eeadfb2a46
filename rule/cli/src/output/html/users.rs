//! The page's list of users: violations, exemptions and keys due soon, each with the keys and what to do about them. After them, the
//! old inactive keys.

use super::{
    parts::{Theirs, heads, number, scrolling},
    totals::{Totals, UserState},
};
use crate::{
    args::filter::Sort,
    findings::{
        board::{Board, Entry},
        finding::{Finding, Key, Since, Terms, Used},
        scan_result::ScanResult,
    },
    output::aws_cli::{before_deletion, deletion},
};
use chrono::{DateTime, Utc};
use maud::{Markup, PreEscaped, html};
use policy::access_key::KeyStatus;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

/// Marks the place of the users in the markup around them.
const USERS: &str = "<!-- users -->";
/// Marks the place of the rest of the users.
const REST: &str = "<!-- rest -->";
/// Marks the place of the keys in the markup around them.
const KEYS: &str = "<!-- keys -->";

/// How many users a browser lays out when it opens the page. It takes the rest as text, which costs it next to nothing: for people
/// without scripts it is a second table, and for the script it is a place to fetch more from. The script knows this number.
const SHOWN: usize = 200;

/// Writes the listed users, the most urgent first. Holds one at a time.
pub(super) fn write_users(result: &ScanResult, totals: &Totals, out: &mut dyn Write) -> io::Result<()> {
    let names = result.account_names();
    let around = users(result, totals, &names).into_string();
    let (before, after) = around.split_once(USERS).unwrap_or((&around, ""));
    let (between, after) = after.split_once(REST).unwrap_or((after, ""));
    writeln!(out, "{before}")?;
    let board = Board::of(result);
    for (number, (finding, state)) in listed(result).enumerate() {
        if number == SHOWN {
            let rest = totals.listed() - SHOWN;
            let columns = columns().into_string();
            writeln!(
                out,
                "{between}<noscript id=\"rest\" data-users=\"{rest}\"><table class=\"findings cards\">{columns}"
            )?;
        }
        let account_name = names.get(finding.account.as_str()).copied();
        writeln!(out, "{}", user(finding, state, account_name, &result.terms, &board).into_string())?;
    }
    writeln!(out, "{between}{}{after}", if totals.listed() > SHOWN { "</noscript>" } else { "" })
}

/// The users on the list.
fn listed(result: &ScanResult) -> impl Iterator<Item = (&Finding, UserState)> {
    result.findings.iter().filter_map(|finding| Some((finding, UserState::of(finding)?)))
}

fn columns() -> Markup {
    html! {
        thead {
            tr {
                (heads(&["Account", "User", "State", "Priority", "Owner", "Access key"]))
                th scope="col" data-sort="age" { "Age" }
                th scope="col" data-sort="used" { "Last used" }
                th scope="col" { "What to do" }
            }
        }
    }
}

fn users(result: &ScanResult, totals: &Totals, names: &BTreeMap<&str, &str>) -> Markup {
    let table = html! {
        table #findings.findings.cards {
            caption { (number(totals.listed(), "user")) ": violations, exposed keys, exemptions, keys due soon" }
            (columns())
            (PreEscaped(USERS))
        }
        (PreEscaped(REST))
    };
    html! {
        section aria-labelledby="users" {
            h2 #users { "Users" }
            p {
                @if result.filtered.is_some() && result.findings.is_empty() { "The filter shows nobody." } @else { (compliant(totals)) }
                @if !result.is_complete() { " More users are unknown, since the scan is incomplete." }
            }
            @if totals.listed() > 0 {
                @if result.sort == Sort::Priority {
                    p {
                    "Exposed users come first, then violations. Among each, production comes first, then keys in use, then idle keys, \
                     and older keys before younger ones."
                    }
                }
                (controls(result, names))
                (scrolling("Users", &table))
                button #more type="button" hidden {}
            }
        }
    }
}

/// The text about users who are not listed.
fn compliant(totals: &Totals) -> String {
    match (totals.listed(), totals.compliant) {
        (0, 0) => "No users were evaluated.".to_owned(),
        (0, 1) => "The only user who was evaluated is compliant, and no key is due soon.".to_owned(),
        (0, others) => {
            format!("All {} who were evaluated are compliant, and no key is due soon.", number(others, "user"))
        }
        (_, 1) => "1 other user is compliant and not listed.".to_owned(),
        (_, others) => format!("{} are compliant and not listed.", number(others, "other user")),
    }
}

/// The controls are hidden until the script shows them.
fn controls(result: &ScanResult, names: &BTreeMap<&str, &str>) -> Markup {
    let states =
        [UserState::NonCompliant, UserState::Exposed, UserState::Exempt, UserState::DueSoon].map(UserState::name);
    let new: &[&str] = if result.comparison.is_some() { &["new"] } else { &[] };
    let priorities = ["exposed", "production", "in use", "in use?", "idle"];
    let plain =
        |names: &[&str]| -> Vec<_> { names.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect() };
    let in_list: BTreeSet<_> = listed(result).map(|(finding, _)| finding.account.as_str()).collect();
    let account = |id: &str| match names.get(id) {
        Some(name) => (id.to_owned(), format!("{id} {name}")),
        None => (id.to_owned(), id.to_owned()),
    };
    let owners: BTreeSet<_> = listed(result).map(|(finding, _)| owner_name(finding)).collect();
    let choices = [
        ("account", "Account", in_list.into_iter().map(account).collect()),
        ("state", "State", plain(&[&states, new].concat())),
        ("priority", "Priority", plain(&priorities)),
        ("owner", "Owner", plain(&owners.into_iter().collect::<Vec<_>>())),
    ];
    html! {
        search #controls hidden {
            form {
                div {
                    label for="search" { "Search" }
                    input #search name="search" type="search" autocomplete="off" spellcheck="false";
                }
                @for (name, label, options) in choices {
                    div {
                        label for={ "by-" (name) } { (label) }
                        select id={ "by-" (name) } name=(name) {
                            option value="" { "all" }
                            @for (value, option) in &options { option value=(Theirs(value)) { (Theirs(option)) } }
                        }
                    }
                }
                button type="reset" { "Show all" }
            }
        }
        p #shown role="status" {}
    }
}

/// A user, with a row for each access key.
fn user(finding: &Finding, state: UserState, account_name: Option<&str>, terms: &Terms, board: &Board) -> Markup {
    let is_new = finding.since == Some(Since::New);
    let priority = match state {
        UserState::NonCompliant | UserState::Exposed => finding.priority().as_str(),
        // A scan does not check whether other keys are in use.
        _ if finding.production == Some(true) => "production",
        _ => "–",
    };
    let (.., oldest, _, _) = finding.rank();
    let age = (oldest < DateTime::<Utc>::MAX_UTC).then(|| (terms.scanned_at - oldest).num_seconds());
    // The latest use. A key without a use on record sorts before all others.
    let uses = finding.access_keys.iter().filter_map(|key| key.last_used.as_ref());
    let used = uses.map(|used| used.date.map_or(0, |date| date.timestamp())).max();
    let sorted = |value: Option<i64>| value.map(|value| value.to_string()).unwrap_or_default();
    let rows = Some(finding.access_keys.len()).filter(|rows| *rows > 1);
    // Which of the user's keys a sentence is about.
    let of = |key: &Key| rows.map(|_| format!("{}: ", key.access_key_id)).unwrap_or_default();
    let to_rotate =
        finding.access_keys.iter().filter(|key| key.status == KeyStatus::Active && state != UserState::Exempt);
    let smtp: Vec<_> =
        to_rotate.filter_map(|key| Some(format!("{}{}", of(key), key.last_used.as_ref()?.smtp_advice()?))).collect();
    let records: Vec<_> =
        finding.access_keys.iter().filter_map(|key| Some(format!("{}{}.", of(key), key.record_line()?))).collect();
    let rotations = rotations(finding, board);
    html! {
        tbody data-state={ (state.name()) @if is_new { " new" } } data-age=(sorted(age)) data-used=(sorted(used)) {
            @for (number, key) in finding.access_keys.iter().enumerate() {
                tr {
                    @if number == 0 {
                        td rowspan=[rows] {
                            (Theirs(&finding.account))
                            @if let Some(name) = account_name { " " br; bdi { (Theirs(name)) } }
                        }
                        th scope="rowgroup" rowspan=[rows] {
                            bdi { (Theirs(&finding.user_name)) }
                            @if is_new { " " span.mark.alert { "new" } }
                            @if finding.is_exposed() && state != UserState::Exposed { " " span.mark.alert { "exposed" } }
                        }
                        td rowspan=[rows] { span class={ "mark " (state.style()) } { (state.name()) } }
                        td rowspan=[rows] { (priority) }
                        td rowspan=[rows] { bdi { (Theirs(owner_name(finding))) } }
                    }
                    (access_key(key, finding.violates(key)))
                    @if number == 0 {
                        td rowspan=[rows] {
                            // Or it would ask for a rotation that comes by itself.
                            @if rotations.is_empty() || finding.is_exposed() || state == UserState::Exempt {
                                bdi { (Theirs(&finding.to_do)) }
                            }
                            @for line in &rotations { p { bdi { (Theirs(line)) } } }
                            @for advice in &smtp { p { (Theirs(advice)) } }
                            @for line in &records { p { (Theirs(line)) } }
                        }
                    }
                }
            }
        }
    }
}

/// For each key that rotates by itself: where it stands, what comes next, and what to do.
fn rotations(finding: &Finding, board: &Board) -> Vec<String> {
    let one = finding.access_keys.len() == 1;
    let line = |(_, key, entry): (&Finding, &Key, Entry)| {
        let day = entry.on.map(|day| format!("From {day}.")).unwrap_or_default();
        let texts = [entry.next.unwrap_or_default(), day, entry.to_do.unwrap_or_default()];
        let texts: Vec<_> = texts.iter().filter(|text| !text.is_empty()).map(String::as_str).collect();
        let place = entry.place.as_str();
        let of = if one { place.to_owned() } else { format!("{} ({place})", key.access_key_id) };
        format!("{of}: {}", texts.join(" "))
    };
    board.rotations(std::slice::from_ref(finding)).into_iter().map(line).collect()
}

/// What stands in the column of owners.
fn owner_name(finding: &Finding) -> &str {
    finding.owner_or("–", "not read")
}

/// Id and status, age, and last use.
fn access_key(key: &Key, in_violation: bool) -> Markup {
    html! {
        td {
            code { (Theirs(&key.access_key_id)) } " " br; (key.status.as_str())
            @if let Some(description) = &key.description { br; bdi { (Theirs(description)) } }
        }
        td class={ "age" @if in_violation { " stale" } } { (number(key.age_days, "day")) }
        td {
            @match &key.last_used {
                None => span.faint { "not read" },
                Some(Used { date: None, .. }) => "no use on record",
                Some(Used { date: Some(date), service_name, region }) => {
                    (date.date_naive()) " " br;
                    (known_parts(&[service_name, region]))
                },
            }
        }
    }
}

/// The service and the Region of a key's last use, as far as IAM knows them.
fn known_parts(parts: &[&String]) -> Markup {
    let known = parts.iter().filter(|text| !text.is_empty() && **text != "N/A");
    html! {
        @for (number, part) in known.enumerate() {
            @if number > 0 { ", " }
            bdi.whole { (Theirs(part)) }
        }
    }
}

/// Writes the old keys that are not active, each with the command that deletes it, in the order of their users, one at a time. Writes nothing if there are none.
pub(super) fn write_old_keys(result: &ScanResult, out: &mut dyn Write) -> io::Result<()> {
    let count: usize = result.accounts.iter().map(|account| account.old_inactive_keys).sum();
    if count == 0 {
        return Ok(());
    }
    let around = old_keys(count, &result.terms).into_string();
    let (before, after) = around.split_once(KEYS).unwrap_or((&around, ""));
    writeln!(out, "{before}")?;
    for finding in &result.findings {
        for key in finding.old_inactive_keys() {
            writeln!(out, "{}", old_key(finding, key, &result.terms).into_string())?;
        }
    }
    writeln!(out, "{after}")
}

fn old_keys(count: usize, terms: &Terms) -> Markup {
    let table = html! {
        table.list.cards {
            thead { tr { (heads(&["Account", "User", "Access key", "Status", "Age", "Command"])) } }
            tbody { (PreEscaped(KEYS)) }
        }
    };
    html! {
        section aria-labelledby="old-keys" {
            h2 #old-keys { "Old inactive keys" }
            p {
                "Keys that are older than " (number(terms.max_access_key_age, "day")) ", but not active. Their users are compliant unless \
                 they have other keys. " (before_deletion(terms))
            }
            details open { summary { (number(count, "key")) } (scrolling("Old inactive keys", &table)) }
        }
    }
}

fn old_key(finding: &Finding, key: &Key, terms: &Terms) -> Markup {
    html! {
        tr {
            td { (Theirs(&finding.account)) }
            th scope="row" { bdi { (Theirs(&finding.user_name)) } }
            td {
                code { (Theirs(&key.access_key_id)) }
                @if let Some(description) = &key.description { br; bdi { (Theirs(description)) } }
            }
            td { (key.status.as_str()) }
            td { (number(key.age_days, "day")) }
            td { code { (Theirs(&deletion(&finding.user_name, key, terms))) } }
        }
    }
}
