//! What a second listing of users says about the users of the first one.
//!
//! IAM lists access keys by the user's name, which may pass to another user between two calls. A name that belonged to the same user
//! before and after the keys were read is taken to have been that user's in between: no call tells more.

use policy::user::User;

/// What is known about a user before the second listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known<'a> {
    /// The name under which access keys were read; `None` if none were, since the user was not listed at first, or was not to be
    /// found under the name a moment later.
    pub(super) read_under: Option<&'a str>,
    /// Whether the user, or the user's first result, is so new that IAM may not yet list the user everywhere.
    pub(super) is_new: bool,
}

/// What becomes of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// The keys that were read are this user's.
    Confirmed(User),
    /// To be read again, under this name.
    ReadAgain(User),
    /// The user is gone.
    Gone,
    /// IAM's answers do not agree: the user is new, and was listed only once.
    NotYetConsistent,
    /// The listing broke off before the user.
    Unknown,
}

/// Decides what becomes of a user. `found` is the user with this id in the second listing, which may have broken off.
pub(super) fn reconcile(known: Known<'_>, found: Option<&User>, is_complete: bool) -> Became {
    match found {
        Some(user) if known.read_under == Some(&user.name) => Became::Confirmed(user.clone()),
        Some(user) => Became::ReadAgain(user.clone()),
        None if !is_complete => Became::Unknown,
        None if known.is_new => Became::NotYetConsistent,
        None => Became::Gone,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn user(name: &str) -> User {
        let created = DateTime::from_timestamp(0, 0).unwrap();
        User { name: name.to_owned(), id: "AIDAONE".to_owned(), arn: String::new(), created }
    }

    #[test]
    fn a_read_is_confirmed_by_the_same_name_alone_and_only_a_complete_listing_shows_who_is_gone() {
        let read = |is_new| Known { read_under: Some("app"), is_new };
        let unread = |is_new| Known { read_under: None, is_new };
        let read_again = |name| Became::ReadAgain(user(name));
        let confirmed = || Became::Confirmed(user("app"));
        for (known, found, is_complete, expected) in [
            (read(false), Some("app"), true, confirmed()),
            (read(false), Some("app"), false, confirmed()),
            (read(true), Some("app"), true, confirmed()),
            (read(false), Some("app-old"), true, read_again("app-old")),
            (read(false), Some("app-old"), false, read_again("app-old")),
            (read(false), None, true, Became::Gone),
            (read(false), None, false, Became::Unknown),
            (read(true), None, true, Became::NotYetConsistent),
            (read(true), None, false, Became::Unknown),
            (unread(false), Some("app"), true, read_again("app")),
            (unread(false), Some("app-old"), false, read_again("app-old")),
            (unread(false), None, true, Became::Gone),
            (unread(false), None, false, Became::Unknown),
            (unread(true), None, true, Became::NotYetConsistent),
        ] {
            let became = reconcile(known, found.map(user).as_ref(), is_complete);
            assert_eq!(became, expected, "{known:?}, {found:?}, {is_complete}");
        }
    }
}
