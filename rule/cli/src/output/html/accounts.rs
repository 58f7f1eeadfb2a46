//! What the scan found in each account.

use super::parts::{Theirs, UNKNOWN, grouped, heads, known, number, scrolling};
use crate::findings::finding::{AccountSummary, Covered};
use access_key_rotation::coverage::account::State;
use maud::{Markup, html};

/// The table of accounts.
pub(super) fn accounts(accounts: &[AccountSummary]) -> Markup {
    let with_coverage = accounts.iter().any(|account| account.coverage.is_some());
    let table = html! {
        table.accounts.list.cards {
            thead {
                tr {
                    (heads(&["Account", "Name"]))
                    th.number scope="col" { "Evaluated" }
                    th.number scope="col" { "Non-compliant" }
                    th.number scope="col" { "Exempt" }
                    th.number scope="col" { "Old inactive keys" }
                    th scope="col" { "State" }
                    @if with_coverage { th scope="col" { "Evaluated by AWS Config" } }
                }
            }
            tbody { @for summary in accounts { (account(summary, with_coverage)) "\n" } }
        }
    };
    html! {
        section aria-labelledby="accounts" {
            h2 #accounts { "Accounts" }
            details open { summary { (number(accounts.len(), "account")) } (scrolling("Accounts", &table)) }
        }
    }
}

fn account(summary: &AccountSummary, with_coverage: bool) -> Markup {
    let AccountSummary { account, name, users_evaluated, users_non_compliant, users_exempt, error, coverage, .. } =
        summary;
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
            td.number { (known(summary.old_inactive_keys, complete)) }
            td { @if complete { "complete" } @else { span.mark.alert { "incomplete" } } }
            @if with_coverage { td.why { (coverage.as_ref().map_or_else(|| html! { (UNKNOWN) }, covered)) } }
        }
    }
}

/// When AWS Config last evaluated the rule, or why the account is not covered.
fn covered(coverage: &Covered) -> Markup {
    html! {
        @if coverage.state == State::Evaluated {
            @match coverage.last_evaluated {
                Some(at) => (at.format("%Y-%m-%d at %H:%M")),
                None => "not yet, since the rule is new",
            }
        } @else {
            span.mark.alert { (coverage.state.name()) }
            " " bdi { (Theirs(coverage.why.as_deref().unwrap_or_default())) }
        }
    }
}
