//! The limits of the service models, and AWS's messages for requests that break them.

use std::ops::RangeInclusive;

use crate::error::AwsError;

/// Collects every constraint that a request breaks: AWS names all of them at once.
#[derive(Default)]
pub(crate) struct Violations(Vec<String>);

impl Violations {
    /// Requires a value. Returns it, or an empty string if it is missing.
    pub(crate) fn required<'a>(&mut self, field: &str, value: Option<&'a str>) -> &'a str {
        if value.is_none() {
            self.0.push(format!("Value null at '{field}' failed to satisfy constraint: Member must not be null"));
        }
        value.unwrap_or_default()
    }

    /// The length of a string, in characters.
    pub(crate) fn length(&mut self, field: &str, value: &str, range: RangeInclusive<usize>) {
        self.count(field, value, value.chars().count(), range);
    }

    /// The length of a list.
    pub(crate) fn size(&mut self, field: &str, count: usize, range: RangeInclusive<usize>) {
        self.count(field, "[...]", count, range);
    }

    fn count(&mut self, field: &str, shown: &str, count: usize, range: RangeInclusive<usize>) {
        if count < *range.start() {
            self.add(field, shown, &format!("have length greater than or equal to {}", range.start()));
        } else if count > *range.end() {
            self.add(field, shown, &format!("have length less than or equal to {}", range.end()));
        }
    }

    pub(crate) fn number(&mut self, field: &str, value: i64, range: RangeInclusive<i64>) {
        if value < *range.start() {
            self.add(field, &value.to_string(), &format!("have value greater than or equal to {}", range.start()));
        } else if value > *range.end() {
            self.add(field, &value.to_string(), &format!("have value less than or equal to {}", range.end()));
        }
    }

    /// `pattern` is the text that AWS shows, and `allowed` its meaning for one character.
    pub(crate) fn pattern(&mut self, field: &str, value: &str, pattern: &str, allowed: impl Fn(char) -> bool) {
        if !value.chars().all(allowed) {
            self.add(field, value, &format!("satisfy regular expression pattern: {pattern}"));
        }
    }

    pub(crate) fn one_of(&mut self, field: &str, value: &str, values: &[&str]) {
        if !values.contains(&value) {
            self.add(field, value, &format!("satisfy enum value set: [{}]", values.join(", ")));
        }
    }

    pub(crate) fn add(&mut self, field: &str, shown: &str, must: &str) {
        self.0.push(format!("Value '{shown}' at '{field}' failed to satisfy constraint: Member must {must}"));
    }

    /// An error with `code` if a constraint was broken: `ValidationError` in IAM and STS, `ValidationException` in Config.
    pub(crate) fn finish(self, code: &'static str) -> Result<(), AwsError> {
        if self.0.is_empty() {
            return Ok(());
        }
        let errors = if self.0.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {errors} detected: {}", self.0.len(), self.0.join("; "));
        Err(AwsError::new(400, code, message))
    }
}

/// The characters of user and session names: `[\w+=,.@-]`.
pub(crate) fn name_character(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)
}

/// The characters of tags: `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
pub(crate) fn tag_character(c: char) -> bool {
    c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || "_.:/=+-@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_broken_constraint_is_named() {
        let mut violations = Violations::default();
        violations.number("maxItems", 1001, 1..=1000);
        violations.required("userName", None);
        let error = violations.finish("ValidationError").unwrap_err();
        assert_eq!(
            error.message,
            "2 validation errors detected: Value '1001' at 'maxItems' failed to satisfy constraint: Member must have value \
             less than or equal to 1000; Value null at 'userName' failed to satisfy constraint: Member must not be null"
        );
    }

    #[test]
    fn length_counts_characters_not_bytes() {
        let mut violations = Violations::default();
        violations.length("annotation", &"ä".repeat(256), 1..=256);
        assert!(violations.finish("ValidationException").is_ok());
    }

    #[test]
    fn tags_accept_letters_and_spaces_of_any_script_but_no_control_characters() {
        assert!("Straße 東京\u{a0}1.0_:/=+-@".chars().all(tag_character));
        assert!(!["\n", "\t", "#", "!", ";"].iter().any(|text| text.chars().all(tag_character)));
    }
}
