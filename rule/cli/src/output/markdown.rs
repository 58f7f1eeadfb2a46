//! Text in Markdown.

use super::visible::on_one_line;

/// Escapes untrusted text, so that it cannot become Markdown or HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in on_one_line(text).chars() {
        if r"\`*_[]<>#&|!~".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
