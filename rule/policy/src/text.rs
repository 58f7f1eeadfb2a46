//! Text in printable ASCII, cut to the length that its place allows.

use chrono::{DateTime, SecondsFormat, Utc};

/// `text` in printable ASCII: white space becomes a space, any other character becomes `?`.
pub fn ascii(text: &str) -> String {
    let printable = |c: char| match c {
        ' '..='~' => c,
        c if c.is_whitespace() => ' ',
        _ => '?',
    };
    text.chars().map(printable).collect()
}

/// `text` in one line of at most `most` characters: white space becomes a space, and what nobody can see, or what changes the direction
/// of the text, becomes `?`. Letters of all languages stay.
pub fn visible(text: &str, most: usize) -> String {
    let visible = |c: char| match c {
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' => '?',
        '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}' => '?',
        c if c.is_whitespace() => ' ',
        c if c.is_control() => '?',
        c => c,
    };
    text.chars().map(visible).take(most).collect()
}

/// At most `most` bytes of an ASCII `text`, cut between words, with an ellipsis if anything was cut.
#[expect(clippy::string_slice, reason = "each byte of ASCII is a character")]
pub fn fit(text: &str, most: usize) -> String {
    const ELLIPSIS: &str = "...";
    if text.len() <= most {
        return text.to_owned();
    }
    let head = &text[..most - ELLIPSIS.len()];
    let end = match head.rfind(' ') {
        // A word that is longer than half the space is cut in the middle: half a name is better than none.
        Some(space) if space >= most / 2 => space,
        _ => head.len(),
    };
    format!("{}{ELLIPSIS}", head[..end].trim_end_matches([' ', ',', ';', ':']))
}

/// A number of things: `1 user`, `2 users`.
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// A time in UTC to the second, as in `2026-03-01T12:00:00Z`.
pub fn seconds(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The beginning of a text from outside, for an error message.
pub fn excerpt(text: &str) -> String {
    fit(&ascii(text), 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_cut_between_words() {
        assert_eq!(fit("one two three", 13), "one two three");
        assert_eq!(fit("one two, three", 12), "one two...");
        assert_eq!(fit("incomprehensibilities", 10), "incompr...");
        assert_eq!(fit("an incomprehensibility", 10), "an inco...", "cut in the middle instead of losing most of it");
        assert_eq!(fit("seven incomprehensibilities", 10), "seven...");
    }

    #[test]
    fn other_characters_become_spaces_or_question_marks() {
        assert_eq!(ascii("a\tb\nc\u{a0}d\u{7}\u{e9}~"), "a b c d??~");
    }

    #[test]
    fn letters_of_all_languages_stay_visible() {
        assert_eq!(
            visible("J\u{fc}rgen\t\u{5c71}\u{7530}\u{a0}\u{7}\u{202e}x", 100),
            "J\u{fc}rgen \u{5c71}\u{7530} ??x"
        );
        assert_eq!(visible("\u{e9}t\u{e9}", 2), "\u{e9}t");
    }

    proptest! {
        #[test]
        fn always_fits_and_is_printable(text in any::<String>(), most in 8usize..300) {
            let cut = fit(&ascii(&text), most);
            prop_assert!(cut.len() <= most);
            prop_assert!(cut.bytes().all(|b| (b' '..=b'~').contains(&b)));
        }
    }
}
