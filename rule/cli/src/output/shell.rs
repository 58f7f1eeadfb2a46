//! Quoting for a POSIX shell.

/// Quotes any text as one word of a shell command.
pub(crate) fn quoted(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./:=+@,".contains(&byte)) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_stays_one_word() {
        assert_eq!(quoted("file://a/b-c.yaml"), "file://a/b-c.yaml");
        assert_eq!(quoted("a+=,.@-_b"), "a+=,.@-_b");
        assert_eq!(quoted("it's mine; $(x)"), r"'it'\''s mine; $(x)'");
        assert_eq!(quoted(""), "''");
    }
}
