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
