//! A table with a bar next to each number.

use super::text::grouped;
use maud::{Markup, html};

/// Some rows of a chart, with a name if there are other groups.
pub(super) struct Group<'a> {
    pub(super) name: &'a str,
    /// The class of the bars.
    pub(super) style: &'a str,
    pub(super) rows: Vec<(String, usize)>,
}

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
