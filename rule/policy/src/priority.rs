//! What comes first among findings, and who answers for a user: one place for the function, the command line and its pages.

use crate::user::Tags;

/// How urgent a finding is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// Whether the user is in production; `None` if the tags were not read.
    pub production: Option<bool>,
    /// Whether a key that the finding is about is in use; `None` if that is unknown.
    pub in_use: Option<bool>,
}

impl Priority {
    /// In words. A use that is unknown is asked about.
    pub fn as_str(self) -> &'static str {
        match (self.production == Some(true), self.in_use) {
            (true, Some(true)) => "production, in use",
            (true, Some(false)) => "production",
            (true, None) => "production, in use?",
            (false, Some(true)) => "in use",
            (false, Some(false)) => "idle",
            (false, None) => "in use?",
        }
    }

    /// Sorts the most urgent first: production, then keys that are or, in a violation, may be in use, then idle keys.
    pub fn rank(self, is_violation: bool) -> (bool, bool) {
        (self.production != Some(true), self.in_use == Some(false) || self.in_use.is_none() && !is_violation)
    }
}

/// Whether a user has this tag. Ignores case, since IAM ignores it in the names of tags, and people mix it in values.
pub fn has_tag(tags: &Tags, name: &str, value: &str) -> bool {
    tags.iter().any(|(tag, given)| tag.eq_ignore_ascii_case(name) && given.trim().eq_ignore_ascii_case(value))
}

/// The owner that a user's tags name, if they name one. Ignores the case of the tag's name, as IAM does.
pub fn owner<'a>(tags: &'a Tags, tag_name: &str) -> Option<&'a str> {
    let (_, owner) = tags.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(tag_name))?;
    Some(owner.trim()).filter(|owner| !owner.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_comes_first_then_keys_that_are_or_may_be_in_use() {
        let order = [
            (true, Some(true)),
            (true, None),
            (true, Some(false)),
            (false, Some(true)),
            (false, None),
            (false, Some(false)),
        ];
        let ranks = order.map(|(production, in_use)| Priority { production: Some(production), in_use }.rank(true));
        assert!(ranks.is_sorted(), "{ranks:?}");
        let idle = Priority { production: None, in_use: Some(false) };
        let unknown = Priority { production: None, in_use: None };
        assert_eq!(unknown.rank(false), idle.rank(false));
        assert!(unknown.rank(true) < idle.rank(true));
    }

    #[test]
    fn tags_are_found_in_any_case() {
        let tags: Tags = [("Environment", " PRODUCTION "), ("Owner", " payments "), ("empty", " ")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        assert!(has_tag(&tags, "environment", "production") && !has_tag(&tags, "environment", "prod"));
        assert_eq!(
            [owner(&tags, "owner"), owner(&tags, "EMPTY"), owner(&tags, "team")],
            [Some("payments"), None, None]
        );
    }
}
