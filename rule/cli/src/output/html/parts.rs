//! What several sections of the page are made of: untrusted text, numbers, tables and charts.

use crate::output::visible::visible;
use maud::{Markup, Render, html};
use std::fmt::Display;

/// Stands for an unknown number.
pub(super) const UNKNOWN: &str = "unknown";

/// Untrusted text. The templates escape HTML; this also replaces invisible characters.
pub(super) struct Theirs<'a>(pub(super) &'a str);

impl Render for Theirs<'_> {
    fn render_to(&self, page: &mut String) {
        visible(self.0).render_to(page);
    }
}

/// `1 user`, `1,500 users`.
pub(super) fn number(number: impl Display, what: &str) -> String {
    let number = grouped(number);
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// `1,500`.
pub(super) fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The heads of a table's columns.
pub(super) fn heads(names: &[&str]) -> Markup {
    html! { @for name in names { th scope="col" { (name) } } }
}

/// A number of users. If the scan is incomplete, it is only a lower bound.
pub(super) fn known(count: usize, complete: bool) -> Markup {
    html! {
        @if complete {
            (grouped(count))
        } @else if count == 0 {
            // A word does not fit in the size of the numbers.
            small { (UNKNOWN) }
        } @else {
            small { "at least" } " " (grouped(count))
        }
    }
}

/// The cell of a table with a number, in which a zero does not stand out.
pub(super) fn count_cell(count: usize) -> Markup {
    html! { td.number { @if count == 0 { span.faint { "0" } } @else { (grouped(count)) } } }
}

/// A number with its name, for a list. `evidence --verify` finds the number by the `field` of the data that it repeats.
pub(super) fn tile(name: &str, field: Option<&str>, value: &Markup, style: &str) -> Markup {
    html! { div class=(style) { dt { (name) } dd data-value=[field] { (value) } } }
}

/// A box in which a wide table scrolls, also with the keyboard.
pub(super) fn scrolling(name: &str, table: &Markup) -> Markup {
    html! { div.scrolling role="group" aria-label=(name) tabindex="0" { (table) } }
}

/// Some rows of a chart, with a name if there are other groups.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    /// The class of the bars.
    pub(super) style: &'a str,
    pub(super) rows: Vec<(String, usize)>,
}

/// A table with a bar next to each number.
pub(super) fn chart(caption: &str, what: &str, groups: &[Group<'_>]) -> Markup {
    let most = groups.iter().flat_map(|group| &group.rows).map(|(_, count)| *count).max().unwrap_or_default().max(1);
    // An attribute, since the page's policy forbids inline styles.
    let width = |count: usize| format!("{:.1}%", count as f64 * 100.0 / most as f64);
    html! {
        table.chart {
            caption { (caption) }
            thead { tr { th scope="col" { (what) } th scope="col" { "Access keys" } } }
            @for Group { name, style, rows } in groups {
                tbody class=(style) {
                    @if !name.is_empty() { tr { th scope="rowgroup" colspan="2" { (name) } } }
                    @for (name, count) in rows {
                        tr {
                            th scope="row" { (name) }
                            td {
                                svg aria-hidden="true" { rect width=(width(*count)) height="100%" {} }
                                " " (grouped(count))
                            }
                        }
                    }
                }
            }
        }
    }
}
