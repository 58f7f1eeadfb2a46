//! The page's table of accounts.

use super::{
    known, scrolling,
    text::{Theirs, UNKNOWN, grouped, number},
};
use crate::findings::finding::AccountSummary;
use maud::{Markup, html};

pub(super) fn section(accounts: &[AccountSummary]) -> Markup {
    let table = html! {
        table {
            thead {
                tr {
                    th scope="col" { "Account" }
                    th scope="col" { "Name" }
                    th.number scope="col" { "Evaluated" }
                    th.number scope="col" { "Non-compliant" }
                    th.number scope="col" { "Exempt" }
                    th scope="col" { "State" }
                }
            }
            tbody { @for account in accounts { (row(account)) "\n" } }
        }
    };
    html! {
        section aria-labelledby="accounts" {
            h2 #accounts { "Accounts" }
            details open { summary { (number(accounts.len(), "account")) } (scrolling("Accounts", &table)) }
        }
    }
}

fn row(summary: &AccountSummary) -> Markup {
    let AccountSummary { account, name, users_evaluated, users_non_compliant, users_exempt, error } = summary;
    let complete = error.is_none();
    html! {
        tr {
            th scope="row" { (Theirs(account)) }
            td { bdi { (Theirs(name.as_deref().unwrap_or("–"))) } }
            td.number { (grouped(users_evaluated)) }
            td.number { (known(*users_non_compliant, complete)) }
            td.number {
                @match users_exempt {
                    Some(exempt) => (known(*exempt, complete)),
                    None => (UNKNOWN),
                }
            }
            td { @if complete { "complete" } @else { span.mark.alert { "incomplete" } } }
        }
    }
}
