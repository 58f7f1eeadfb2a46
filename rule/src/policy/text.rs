//! Text for people: ASCII only, and never longer than where it goes.

/// `text` in printable ASCII: whatever else it holds becomes `?`, line ends and tabs become spaces.
pub(crate) fn ascii(text: &str) -> String {
    let printable = |c: char| match c {
        ' '..='~' => c,
        c if c.is_whitespace() => ' ',
        _ => '?',
    };
    text.chars().map(printable).collect()
}

/// At most `most` bytes of an ASCII `text`, cut at a word, with an ellipsis if anything was cut.
pub(crate) fn fit(text: &str, most: usize) -> String {
    const ELLIPSIS: &str = "...";
    if text.len() <= most {
        return text.to_owned();
    }
    let head = &text[..most - ELLIPSIS.len()];
    let end = match head.rfind(' ') {
        // A single word longer than half the space is cut in its middle: better half a name than none.
        Some(space) if space >= most / 2 => space,
        _ => head.len(),
    };
    format!("{}{ELLIPSIS}", head[..end].trim_end_matches([' ', ',', ';', ':']))
}

/// The beginning of somebody else's text, for an error message.
pub(crate) fn excerpt(text: &str) -> String {
    fit(&ascii(text), 40)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_at_a_word() {
        assert_eq!(fit("one two three", 13), "one two three");
        assert_eq!(fit("one two, three", 12), "one two...");
        assert_eq!(fit("incomprehensibilities", 10), "incompr...");
        assert_eq!(fit("an incomprehensibility", 10), "an inco...", "rather in the middle than to lose most of it");
        assert_eq!(fit("seven incomprehensibilities", 10), "seven...");
    }

    #[test]
    fn says_in_ascii_what_it_can() {
        assert_eq!(ascii("a\tb\nc\u{a0}d\u{7}\u{e9}~"), "a b c d??~");
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
