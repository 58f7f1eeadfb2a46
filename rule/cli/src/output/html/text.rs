//! Words and numbers on the page.

use crate::output::visible::visible;
use maud::Render;
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
