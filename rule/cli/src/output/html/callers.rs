//! The page of `where`: who uses each key.

use super::{
    foot, head,
    parts::{Theirs, grouped, heads, number, scrolling},
};
use crate::{
    callers::{
        key_history::{Histories, KeyHistory},
        rows::Caller,
    },
    findings::filtered,
    output::callers::{HEADS, advice, errors, last_use_as_sentence, remarks, some, user},
};
use maud::{DOCTYPE, Markup, html};
use std::io::{self, Write};

pub(crate) fn write_callers(histories: &Histories, out: &mut dyn Write) -> io::Result<()> {
    let keys = &histories.keys;
    let day = histories.read_at.date_naive();
    let title = format!("Who uses {}, {day}", number(keys.len(), "access key"));
    let missing = histories.missing();
    let top = html! {
        header {
            h1 { "Who uses " (number(keys.len(), "access key")) }
            p {
                "By CloudTrail's events of " (number(histories.days, "day")) ", read on " (day)
                ". An agent is what the caller says of itself. CloudTrail's history has neither data events, such as reads of S3 objects, \
                 nor mail that SES sends."
            }
            @for sentence in filtered::sentences(histories.filtered.as_ref()) { p { (Theirs(&sentence)) } }
        }
    };
    writeln!(out, "{}\n<html lang=\"en\">\n{}\n<body>", DOCTYPE.into_string(), head(&title).into_string())?;
    writeln!(out, "{}\n<main>", top.into_string())?;
    if !missing.is_empty() {
        let notice = html! {
            section.notice.alert aria-labelledby="incomplete" {
                h2 #incomplete { "Incomplete" }
                ul { @for sentence in &missing { li { bdi { (Theirs(sentence)) } } } }
            }
        };
        writeln!(out, "{}", notice.into_string())?;
    }
    for key in keys {
        writeln!(out, "{}", section(key).into_string())?;
    }
    writeln!(out, "</main>\n{}\n</body>\n</html>", foot().into_string())
}

fn section(key: &KeyHistory) -> Markup {
    html! {
        section aria-labelledby=(key.access_key_id) {
            h2 id=(key.access_key_id) {
                code { (Theirs(&key.access_key_id)) } " of " bdi { (Theirs(user(key))) } " in " (Theirs(&key.account_id))
            }
            p {
                (Theirs(&last_use_as_sentence(key)))
                @if let Some(creator) = &key.created_by { ", created by " bdi { (Theirs(creator)) } }
            }
            @if !key.callers.is_empty() { (scrolling("Callers", &table(&key.callers))) }
            @for sentence in remarks(key) { p { bdi { (Theirs(&sentence)) } } }
            @if let Some(advice) = advice(key) { p { (advice) } }
        }
    }
}

fn table(callers: &[Caller]) -> Markup {
    html! {
        table.callers.list.cards {
            thead { tr { (heads(&HEADS)) } }
            tbody {
                @for caller in callers {
                    tr {
                        th scope="row" { span.id { bdi { (Theirs(&caller.source_ip)) } } }
                        td { (caller.address_class) }
                        td.agent { (caller.agent_class) " " br; span.faint { bdi { (Theirs(&caller.user_agent)) } } }
                        td { (Theirs(&some(caller.services.iter()))) }
                        td { (Theirs(&some(caller.regions.iter()))) }
                        td.whole { (caller.first.date_naive()) }
                        td.whole { (caller.last.date_naive()) }
                        td.number { (grouped(caller.events)) }
                        td.number.whole { (errors(caller)) }
                    }
                }
            }
        }
    }
}
