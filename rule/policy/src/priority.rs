//! What comes first among findings, and who answers for a user: one place for the function, the command line and its pages.

use crate::user::Tags;

/// How urgent a finding is, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// Whether AWS found a key of the user in public; `None` if that is unknown.
    pub exposed: Option<bool>,
    /// Whether the user is in production; `None` if the tags were not read.
    pub production: Option<bool>,
    /// Whether a key that the finding is about is in use; `None` if that is unknown.
    pub in_use: Option<bool>,
}

/// Sorts findings; see [`Priority::rank`].
pub type Rank = (bool, bool, bool, bool, bool);

impl Priority {
    /// In words. A use that is unknown is asked about.
    pub fn as_str(self) -> &'static str {
        if self.exposed == Some(true) {
            return if self.production == Some(true) { "exposed, production" } else { "exposed" };
        }
        match (self.production == Some(true), self.in_use) {
            (true, Some(true)) => "production, in use",
            (true, Some(false)) => "production",
            (true, None) => "production, in use?",
            (false, Some(true)) => "in use",
            (false, Some(false)) => "idle",
            (false, None) => "in use?",
        }
    }

    /// Sorts the most urgent first: exposed users, whether or not a key of theirs is in violation, then violations, then users of whom
    /// there is something else to say. Among each, production comes first, then keys that are or, in a violation, may be in use, then
    /// idle keys.
    pub fn rank(self, is_violation: bool, is_noted: bool) -> Rank {
        (
            self.exposed != Some(true),
            !is_violation,
            !is_noted,
            self.production != Some(true),
            self.in_use == Some(false) || self.in_use.is_none() && !is_violation,
        )
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
    fn exposed_users_come_first_then_production_then_keys_that_are_or_may_be_in_use() {
        let exposed = Priority { exposed: Some(true), production: None, in_use: Some(false) };
        let order = [
            (true, Some(true)),
            (true, None),
            (true, Some(false)),
            (false, Some(true)),
            (false, None),
            (false, Some(false)),
        ];
        let ranks = order.map(|(production, in_use)| {
            Priority { exposed: Some(false), production: Some(production), in_use }.rank(true, false)
        });
        assert!(ranks.is_sorted(), "{ranks:?}");
        assert!(exposed.rank(false, false) < ranks[0]);
        let idle = Priority { exposed: None, production: None, in_use: Some(false) };
        let unknown = Priority { exposed: None, production: None, in_use: None };
        assert_eq!(unknown.rank(false, true), idle.rank(false, true));
        assert!(unknown.rank(true, false) < idle.rank(true, false));
        assert!(idle.rank(true, false) < unknown.rank(false, true), "violations come before the rest");
        let production = Priority { production: Some(true), ..idle };
        assert!(idle.rank(false, true) < production.rank(false, false));
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
