//! The page's list of users: those who call for a word, each with the keys and what to do about them.

use super::{
    Escaped, number, scrolling,
    totals::{State, Totals},
};
use crate::{
    findings::{
        finding::{AccountSummary, Finding, Key, Since, Terms},
        finding_store::FindingStore,
    },
    output::format::urgency,
};
use chrono::{DateTime, Utc};
use std::{
    collections::BTreeMap,
    io::{self, Write},
};

/// What the list of users is written with.
pub(super) struct Listing<'a> {
    pub(super) terms: &'a Terms,
    pub(super) accounts: &'a [AccountSummary],
    pub(super) totals: &'a Totals,
    /// Whether users may be marked as new since an earlier scan.
    pub(super) compared: bool,
}

/// Everyone who calls for a word, in the order in which to act. One is held at a time.
pub(super) fn users(findings: FindingStore, listing: &Listing<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Listing { terms, accounts, totals, compared } = listing;
    writeln!(out, "<section aria-labelledby=\"users\"><h2 id=\"users\">Users</h2>")?;
    let (listed, others) = (totals.listed(), totals.compliant);
    let said = match (listed, others) {
        (0, 0) => "No user was evaluated.".to_owned(),
        (0, 1) => "The one user who was evaluated is compliant, and no key falls due soon.".to_owned(),
        (0, _) => {
            format!("All {} who were evaluated are compliant, and no key falls due soon.", number(others, "user"))
        }
        (_, 1) => "1 other user is compliant and not listed.".to_owned(),
        (_, _) => format!("{} are compliant and not listed.", number(others, "other user")),
    };
    let complete = accounts.iter().all(|account| account.error.is_none());
    let unknown = if complete { "" } else { " More are unknown, since the scan is not complete." };
    writeln!(out, "<p>{said}{unknown}</p>")?;
    if listed == 0 {
        return writeln!(out, "</section>");
    }
    writeln!(
        out,
        "<p>Violations come first; among them production before the rest, keys in use before idle ones, older before \
         younger.</p>"
    )?;
    controls(*compared, out)?;
    writeln!(
        out,
        "{}<table id=\"findings\">\n<caption>{}: violations, exemptions, keys due soon</caption>\n<thead><tr>\
         <th scope=\"col\">Account</th><th scope=\"col\">User</th><th scope=\"col\">State</th><th scope=\"col\">Priority</th>\
         <th scope=\"col\">Owner</th><th scope=\"col\">Access key</th><th scope=\"col\" data-sort=\"age\">Age</th>\
         <th scope=\"col\" data-sort=\"used\">Last used</th><th scope=\"col\">What to do</th></tr></thead>",
        scrolling("Users"),
        number(listed, "user"),
    )?;
    let by_id: BTreeMap<_, _> = accounts.iter().map(|account| (account.account.as_str(), account)).collect();
    for finding in findings.ordered()? {
        let finding = finding?;
        // The compliant, of whom there is nothing to say, come last.
        let Some(state) = State::of(&finding) else { break };
        let name = by_id.get(finding.account.as_str()).and_then(|account| account.name.as_deref());
        user(&finding, state, name, terms, out)?;
    }
    writeln!(out, "</table></div></section>")
}

/// For the script, which shows them and adds the accounts.
fn controls(compared: bool, out: &mut dyn Write) -> io::Result<()> {
    let new: &[&str] = if compared { &["new"] } else { &[] };
    let states = [State::NonCompliant, State::Exempt, State::DueSoon].map(State::name);
    writeln!(
        out,
        "<search id=\"controls\" hidden><form>\n<div><label for=\"search\">Search</label>\
         <input id=\"search\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"></div>"
    )?;
    let choices = [
        ("account", "Account", Vec::new()),
        ("state", "State", [&states, new].concat()),
        ("priority", "Priority", vec!["production", "in use", "in use?", "idle"]),
    ];
    for (name, label, options) in choices {
        let options: String = options.into_iter().map(|option| format!("<option>{option}</option>")).collect();
        writeln!(
            out,
            "<div><label for=\"by-{name}\">{label}</label><select id=\"by-{name}\" name=\"{name}\">\
             <option value=\"\">all</option>{options}</select></div>"
        )?;
    }
    writeln!(out, "<button type=\"reset\">Show all</button>\n</form></search>\n<p id=\"shown\" role=\"status\"></p>")
}

/// A user, with a row for each access key.
fn user(
    finding: &Finding,
    state: State,
    account_name: Option<&str>,
    terms: &Terms,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (account, name) = (Escaped(&finding.account), Escaped(&finding.user_name));
    let is_new = finding.since == Some(Since::New);
    let priority = match state {
        State::NonCompliant => urgency(finding),
        // Whether other keys are in use was not asked.
        _ if finding.production == Some(true) => "production",
        _ => "–",
    };
    let owner = match (&finding.owner, finding.production) {
        (Some(owner), _) => format!("<bdi>{}</bdi>", Escaped(owner)),
        // The tags were read, and there is none.
        (None, Some(_)) => "–".to_owned(),
        (None, None) => "<span class=\"faint\">not read</span>".to_owned(),
    };
    let (.., oldest, _, _) = finding.rank();
    let age = (oldest < DateTime::<Utc>::MAX_UTC).then(|| (terms.scanned_at - oldest).num_seconds().to_string());
    let read = finding.access_keys.iter().filter_map(|key| key.last_used.as_ref());
    // The latest use; one that is not on record is before all others.
    let used = read.map(|used| used.date.map_or(0, |date| date.timestamp())).max().map(|at| at.to_string());
    writeln!(
        out,
        "<tbody data-account=\"{account}\" data-state=\"{}{}\" data-priority=\"{priority}\" data-age=\"{}\" \
         data-used=\"{}\">",
        state.name(),
        if is_new { " new" } else { "" },
        age.unwrap_or_default(),
        used.unwrap_or_default(),
    )?;
    let rows = finding.access_keys.len();
    let account_name = account_name.map(|name| format!(" <br><bdi>{}</bdi>", Escaped(name))).unwrap_or_default();
    write!(
        out,
        "<tr><td rowspan=\"{rows}\">{account}{account_name}</td><th scope=\"rowgroup\" rowspan=\"{rows}\"><bdi>{name}</bdi>{}\
         </th><td rowspan=\"{rows}\"><span class=\"mark {}\">{}</span></td><td rowspan=\"{rows}\">{priority}</td>\
         <td rowspan=\"{rows}\">{owner}</td>",
        if is_new { " <span class=\"mark alert\">new</span>" } else { "" },
        state.style(),
        state.name(),
    )?;
    let what = Escaped(finding.annotation.as_deref().unwrap_or_default());
    let what = format!("<td rowspan=\"{rows}\"><bdi>{what}</bdi></td></tr>");
    for (number, key) in finding.access_keys.iter().enumerate() {
        let (start, end) = if number == 0 { ("", what.as_str()) } else { ("<tr>", "</tr>") };
        access_key(key, finding.violations.contains(&key.access_key_id), (start, end), out)?;
    }
    writeln!(out, "</tbody>")
}

fn access_key(key: &Key, in_violation: bool, (start, end): (&str, &str), out: &mut dyn Write) -> io::Result<()> {
    let used = match &key.last_used {
        None => "<span class=\"faint\">not read</span>".to_owned(),
        Some(used) => match used.date {
            None => "no use on record".to_owned(),
            Some(date) => {
                let known =
                    [&used.service_name, &used.region].into_iter().filter(|text| !text.is_empty() && *text != "N/A");
                let known: Vec<_> = known.map(|text| format!("<bdi class=\"whole\">{}</bdi>", Escaped(text))).collect();
                format!("{}<br>{}", date.date_naive(), known.join(", "))
            }
        },
    };
    writeln!(
        out,
        "{start}<td><span class=\"id\">{}</span><br>{}</td><td class=\"age{}\">{}</td><td>{used}</td>{end}",
        Escaped(&key.access_key_id),
        Escaped(&key.status),
        if in_violation { " stale" } else { "" },
        number(key.age_days, "day"),
    )
}
