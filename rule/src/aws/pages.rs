//! Listings that AWS returns page by page. Each is read to its end, within a bound.

use super::calls::{CallError, Failure};

/// The most pages of a listing. Pages may be short, but no listing here has more items: an account has at most 5,000 users, an
/// organization a few thousand accounts.
const MOST_PAGES: usize = 20_000;

/// Follows the token of the next page, and never counts the items on a page.
#[derive(Debug)]
pub struct Pages {
    action: &'static str,
    next: Option<String>,
    turned: usize,
}

impl Pages {
    /// Starts a listing by an action such as `iam:ListUsers`.
    pub fn of(action: &'static str) -> Pages {
        Pages { action, next: None, turned: 0 }
    }

    /// Whether there is another page to request.
    pub fn more(&self) -> bool {
        self.turned == 0 || self.next.is_some()
    }

    /// The `NextToken` or `Marker` of the next request.
    pub fn next(&self) -> Option<String> {
        self.next.clone()
    }

    /// Records the `NextToken` of a page.
    ///
    /// # Errors
    /// If the listing has no end: the same token again, or too many pages.
    pub fn turn(&mut self, next_token: Option<String>) -> Result<(), CallError> {
        let next = next_token.filter(|token| !token.is_empty());
        self.turned += 1;
        if next.is_some() && (next == self.next || self.turned >= MOST_PAGES) {
            return Err(self.without_end());
        }
        self.next = next;
        Ok(())
    }

    /// The same for IAM's `IsTruncated` and `Marker`.
    ///
    /// # Errors
    /// If the listing has no end, or the next page has no marker.
    pub fn turn_if(&mut self, is_truncated: bool, marker: Option<String>) -> Result<(), CallError> {
        match is_truncated && marker.as_deref().is_none_or(str::is_empty) {
            true => Err(self.without_end()),
            false => self.turn(marker.filter(|_| is_truncated)),
        }
    }

    fn without_end(&self) -> CallError {
        let code = "unexpected answer (the listing has no end)".to_owned();
        CallError { action: self.action, kind: Failure::Other, code }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(tokens: &[&str]) -> (usize, bool) {
        let mut tokens = tokens.iter().map(|token| (*token).to_owned());
        let mut pages = Pages::of("config:Describe");
        let mut asked = 0;
        while pages.more() {
            asked += 1;
            if pages.turn(tokens.next()).is_err() {
                return (asked, false);
            }
        }
        (asked, true)
    }

    #[test]
    fn a_listing_ends_with_a_page_without_a_token() {
        assert_eq!(follow(&[]), (1, true));
        assert_eq!(follow(&["a", "b"]), (3, true));
        assert_eq!(follow(&["a", "", "c"]), (2, true));
    }

    #[test]
    fn a_listing_without_an_end_is_an_error() {
        assert_eq!(follow(&["a", "b", "b"]), (3, false));
        let different: Vec<_> = (0..2 * MOST_PAGES).map(|number| number.to_string()).collect();
        assert_eq!(follow(&different.iter().map(String::as_str).collect::<Vec<_>>()), (MOST_PAGES, false));
        assert!(Pages::of("iam:ListUsers").turn_if(true, None).is_err());
        assert!(Pages::of("iam:ListUsers").turn_if(true, Some(String::new())).is_err());
    }

    #[test]
    fn a_marker_is_ignored_if_the_listing_is_not_truncated() {
        let mut pages = Pages::of("iam:ListUsers");
        assert!(pages.turn_if(false, Some("a".to_owned())).is_ok() && !pages.more());
    }
}
