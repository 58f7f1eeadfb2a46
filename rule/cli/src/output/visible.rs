//! Untrusted text, such as a tag, in a form that shows what it has.

/// Replaces invisible characters, including those that reverse the direction of the text. Line ends stay.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(shown).collect()
}

/// Visible text on one line.
pub(crate) fn on_one_line(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).collect();
    visible(&line)
}

fn shown(c: char) -> char {
    match c {
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            char::REPLACEMENT_CHARACTER
        }
        c if c.is_control() && c != '\n' => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_or_turns_text_around_is_replaced() {
        assert_eq!(visible("a\u{1b}[2J\u{9b}\u{202e}\u{200b}\nb"), "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\nb");
        assert_eq!(on_one_line("a\n# b\u{2029}c\r\u{7}"), "a # b c \u{fffd}");
    }
}
