//! The page's table of exemptions.

use super::{
    heads, known, scrolling,
    text::{Theirs, number},
};
use crate::{findings::exemptions::Exempted, output::evidence::Evidence};
use chrono::{NaiveDate, TimeDelta};
use maud::{Markup, html};

pub(super) fn section(evidence: &Evidence) -> Markup {
    let result = &evidence.result;
    let complete = result.accounts.iter().all(|account| account.error.is_none());
    // Unlike an exemption's last day, a sum with a long warning period cannot be out of range.
    let soon = result.terms.scanned_at.date_naive() + TimeDelta::days(result.terms.warn_before_days.into());
    let table = html! {
        table {
            thead { tr { (heads(&["Account", "User", "Ends", "Owner", "Access key", "State", "Reason"])) } }
            tbody { @for user in &result.exemptions { (row(user, soon)) "\n" } }
        }
    };
    html! {
        section aria-labelledby="exemptions" {
            h2 #exemptions { "Exemptions" }
            p {
                "Users with exemption tags: " (known(result.exemptions.len(), complete))
                ". Those that end soon come first, and void ones last. An exemption without an access key covers all keys of its user."
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

fn row(user: &Exempted, soon: NaiveDate) -> Markup {
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
            td { @if user.valid { "valid" } @else { span.mark.alert { "void" } " " bdi { (Theirs(&user.state)) } } }
            td { (value(&user.reason)) }
        }
    }
}
