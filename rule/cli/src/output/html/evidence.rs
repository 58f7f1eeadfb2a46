//! What an auditor asks first: the control, who read what and when, how to compare a copy, and who is exempt.

use super::parts::{Theirs, grouped, heads, known, number, scrolling};
use crate::{
    findings::{
        exemptions::{Exempted, SetBy},
        finding::AccountSummary,
    },
    output::evidence::{
        Evidence,
        controls::{CONTROLS, LIMIT},
    },
};
use chrono::{NaiveDate, TimeDelta};
use maud::{Markup, html};

/// The sections before the totals.
pub(super) fn before_totals(evidence: &Evidence) -> Markup {
    html! { (limit(evidence)) (about(evidence)) (controls()) }
}

/// Says so if the limit is not that of the controls.
fn limit(evidence: &Evidence) -> Markup {
    let limit = evidence.result.terms.max_access_key_age;
    html! {
        @if limit > LIMIT {
            section.notice.alert aria-labelledby="limit" {
                h2 #limit { "The limit is " (number(limit, "day")) ", not " (LIMIT) }
                p {
                    "The controls below ask for rotation every " (LIMIT) " days or less. A user with a key between the two ages is \
                     compliant here."
                }
            }
        }
    }
}

fn about(evidence: &Evidence) -> Markup {
    let Evidence { result, read_by, region, organization, parameters, population_sha256, sha256, .. } = evidence;
    let scope = if *organization {
        "every account of the organization that is open and not excluded"
    } else {
        "only the accounts that the reader named"
    };
    let table = html! {
        table.facts {
            tbody {
                tr { th scope="row" { "Read on" } td { (result.terms.scanned_at.format("%Y-%m-%d at %H:%M:%S")) " UTC" } }
                tr { th scope="row" { "Read by" } td.id { (Theirs(read_by)) } }
                tr { th scope="row" { "Program" } td { "access-key-rotation " (env!("CARGO_PKG_VERSION")) } }
                tr { th scope="row" { "Scope" } td { (number(result.accounts.len(), "account")) ": " (scope) } }
                @if *organization { tr { th scope="row" { "Left out" } td { (left_out(evidence)) } } }
                tr { th scope="row" { "AWS Config" } td { "asked in " (Theirs(region)) } }
                tr {
                    th scope="row" { "Parameters" }
                    td {
                        @for (number, (name, value)) in parameters.iter().enumerate() {
                            @if number > 0 { ", " }
                            span.whole { (name) "=" (Theirs(value)) }
                        }
                        ". " (compared(&result.accounts))
                    }
                }
                tr { th scope="row" { "SHA-256 of the data" } td.id data-value="sha256" { (sha256) } }
                @if let Some(hash) = population_sha256 {
                    tr { th scope="row" { "SHA-256 of the population" } td.id data-value="populationSha256" { (hash) } }
                }
            }
        }
    };
    html! {
        section aria-labelledby="about" {
            h2 #about { "About this document" }
            p {
                "The program read the keys of every user from IAM at this time, and decided with the code of the AWS Config rule. It \
                 does not repeat results that AWS Config holds. A user or an account that could not be read is unknown, never compliant."
            }
            (scrolling("About this document", &table))
        }
    }
}

/// In how many accounts the rule has the same parameters, and how it differs in the others.
fn compared(accounts: &[AccountSummary]) -> Markup {
    let known = || accounts.iter().filter_map(|account| Some((account, account.parameter_differences.as_ref()?)));
    let different: Vec<_> = known().filter(|(_, differences)| !differences.is_empty()).collect();
    let (known, all) = (known().count(), accounts.len());
    html! {
        "Same as the rule's parameters in AWS Config in " (grouped(known - different.len())) " of " (number(all, "account")) "."
        @if known < all { " Unknown in " (number(all - known, "account")) ", since there is no rule or it could not be read." }
        @for (account, differences) in different {
            " " span.mark.alert { "different" } " in " (Theirs(&account.account)) ": " bdi { (Theirs(&differences.join("; "))) } "."
        }
    }
}

fn left_out(evidence: &Evidence) -> Markup {
    let left_out = &evidence.result.left_out;
    html! {
        @if left_out.is_empty() { "no account" }
        @for (number, account) in left_out.iter().enumerate() {
            @if number > 0 { ", " }
            (Theirs(&account.account))
            @if let Some(name) = &account.name { " (" bdi { (Theirs(name)) } ")" }
            " " (account.why)
        }
    }
}

fn controls() -> Markup {
    let table = html! {
        table.list.cards {
            thead { tr { (heads(&["Standard", "Control", "Text", "Source"])) } }
            tbody {
                @for control in &CONTROLS {
                    tr {
                        th scope="row" { (control.standard) }
                        td.whole { (control.control) }
                        td { (control.text) }
                        td { a href=(control.address) { (control.source) } }
                    }
                    "\n"
                }
            }
        }
    };
    html! {
        section aria-labelledby="control" {
            h2 #control { "The control" }
            p {
                "The document shows what was found. Whether that satisfies a control is for the auditor to judge. The controls have no \
                 exemptions: an exempt user has a key that is older than the limit."
            }
            (scrolling("The control", &table))
        }
    }
}

/// The table of exemptions.
pub(super) fn exemptions(evidence: &Evidence) -> Markup {
    let result = &evidence.result;
    let complete = result.is_complete();
    // Unlike an exemption's last day, a sum with a long warning period cannot be out of range.
    let soon = result.terms.scanned_at.date_naive() + TimeDelta::days(result.terms.warn_before_days.into());
    let table = html! {
        table.list.cards {
            thead { tr { (heads(&["Account", "User", "Ends", "Owner", "Access key", "State", "Reason"])) } }
            tbody { @for user in &result.exemptions { (exemption(user, soon)) "\n" } }
        }
    };
    html! {
        section aria-labelledby="exemptions" {
            h2 #exemptions { "Exemptions" }
            p {
                "Users with exemption tags: " (known(result.exemptions.len(), complete))
                ". Those that end soon come first, and void ones last. An exemption without an access key covers all keys of its user. \
                 Who set it made the last call of TagUser with this last day, which is not known to CloudTrail if it is older than 90 \
                 days, or was not read."
            }
            @if !result.exemptions.is_empty() {
                details open {
                    summary { (number(result.exemptions.len(), "user")) " with exemption tags" }
                    (scrolling("Exemptions", &table))
                }
            }
        }
    }
}

fn exemption(user: &Exempted, soon: NaiveDate) -> Markup {
    let value = |value: &Option<String>| html! { bdi { (Theirs(value.as_deref().unwrap_or("–"))) } };
    html! {
        tr {
            td { (Theirs(&user.account)) }
            th scope="row" { bdi { (Theirs(&user.user_name)) } }
            td {
                span.whole { (value(&user.until)) }
                @if user.ends.is_some_and(|ends| ends <= soon) { " " span.mark.warn { "ends soon" } }
            }
            td { (value(&user.owner)) }
            td.id { (value(&user.key)) }
            td.why {
                @if user.valid { "valid" } @else { span.mark.alert { "void" } " " bdi { (Theirs(&user.state)) } }
                "; "
                @match &user.set_by {
                    Some(SetBy { arn, at }) => { "set on " (at.format("%Y-%m-%d")) " by " span.id { (Theirs(arn)) } },
                    None => "who set it is not known to CloudTrail",
                }
            }
            td { (value(&user.reason)) }
        }
    }
}
