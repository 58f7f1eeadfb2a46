//! Pages of a listing, and the opaque tokens that lead from one page to the next: `Marker` in IAM, `NextToken` in Config.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::AwsError;
use crate::service::Service;

/// The effects of faults on the pages of a listing.
#[derive(Clone, Copy, Default)]
pub(crate) struct PageFaults {
    /// The most items on a page; of every three pages, the second is then empty.
    pub(crate) at_most: Option<usize>,
    /// The number of pages after which all are server errors.
    pub(crate) break_off_after: Option<u32>,
    /// Whether a page names itself as the next page.
    pub(crate) repeated_marker: bool,
}

/// Where a page starts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// The key of the last item before the page.
    pub(crate) after: Option<String>,
    /// How many pages came before.
    page: u32,
}

/// One listing. A token of another listing (another action, account or user) does not fit it.
pub(crate) struct Listing {
    pub(crate) service: Service,
    pub(crate) name: String,
    pub(crate) size: usize,
    pub(crate) faults: PageFaults,
}

pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    /// The token of the next page, if there is one.
    pub(crate) next: Option<String>,
}

impl<T> Page<T> {
    pub(crate) fn map<U>(self, convert: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(convert).collect(), next: self.next }
    }
}

impl Listing {
    /// The position that a token stands for; `None` if the token is of another listing.
    pub(crate) fn position(&self, token: Option<&str>) -> Option<Position> {
        let Some(token) = token else {
            return Some(Position { after: None, page: 0 });
        };
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let rest = text.strip_prefix(&self.fingerprint())?.strip_prefix('\n')?;
        let (page, after) = rest.split_once('\n')?;
        let after = Some(after.to_owned()).filter(|after| !after.is_empty());
        Some(Position { after, page: page.parse().ok()? })
    }

    fn token(&self, position: &Position) -> String {
        let after = position.after.as_deref().unwrap_or_default();
        URL_SAFE_NO_PAD.encode(format!("{}\n{}\n{after}", self.fingerprint(), position.page))
    }

    /// A hash of the name, which contains the request and may be longer than a marker's 320 characters in IAM.
    fn fingerprint(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.name.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// The page at `position`, from `items` that begin there. `key` gives the item after which the next page starts.
    pub(crate) fn page<T>(
        &self,
        position: Position,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
    ) -> Result<Page<T>, AwsError> {
        if self.faults.break_off_after.is_some_and(|pages| position.page >= pages) {
            return Err(AwsError::server_error(self.service));
        }
        let size = match self.faults.at_most {
            Some(_) if position.page % 3 == 1 => 0,
            Some(at_most) => self.size.min(at_most),
            None => self.size,
        };
        let mut items = items.peekable();
        let page: Vec<T> = items.by_ref().take(size).collect();
        let next = (items.peek().is_some() || self.faults.repeated_marker).then(|| {
            if self.faults.repeated_marker && position.page > 0 {
                return self.token(&position);
            }
            let after = page.last().map(key).or(position.after);
            self.token(&Position { after, page: position.page + 1 })
        });
        Ok(Page { items: page, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(size: usize, faults: PageFaults) -> Listing {
        Listing { service: Service::Iam, name: "ListUsers 1".to_owned(), size, faults }
    }

    /// Reads the numbers below ten through all their pages.
    fn walk(listing: &Listing) -> Result<Vec<Vec<u32>>, AwsError> {
        let (mut pages, mut token) = (Vec::new(), None);
        loop {
            let position = listing.position(token.as_deref()).unwrap();
            let start = position.after.as_ref().map_or(0, |after| after.parse::<u32>().unwrap() + 1);
            let page = listing.page(position, start..10, u32::to_string)?;
            pages.push(page.items);
            token = page.next;
            if token.is_none() {
                return Ok(pages);
            }
        }
    }

    #[test]
    fn pages_cover_everything_once() {
        let pages = walk(&listing(4, PageFaults::default())).unwrap();
        assert_eq!(pages, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
        assert_eq!(walk(&listing(10, PageFaults::default())).unwrap().len(), 1);
    }

    #[test]
    fn short_pages_are_sometimes_empty() {
        let faults = PageFaults { at_most: Some(3), ..PageFaults::default() };
        let pages = walk(&listing(100, faults)).unwrap();
        assert_eq!(pages, [vec![0, 1, 2], vec![], vec![3, 4, 5], vec![6, 7, 8], vec![], vec![9]]);
    }

    #[test]
    fn a_listing_breaks_off_after_its_pages() {
        let faults = PageFaults { break_off_after: Some(2), ..PageFaults::default() };
        assert_eq!(walk(&listing(3, faults)).unwrap_err().status, 500);
        assert_eq!(walk(&listing(5, faults)).unwrap().len(), 2);
    }

    #[test]
    fn a_repeated_marker_leads_to_the_same_page() {
        let listing = listing(4, PageFaults { repeated_marker: true, ..PageFaults::default() });
        let page = |token: Option<&str>| listing.page(listing.position(token).unwrap(), 0..10, u32::to_string).unwrap();
        let second = page(None).next.unwrap();
        assert_eq!(page(Some(&second)).next, Some(second));
    }

    #[test]
    fn a_token_of_another_listing_is_refused() {
        let users = listing(1, PageFaults::default());
        let other = Listing { name: "ListUsers 2".to_owned(), ..listing(1, PageFaults::default()) };
        let token = users.page(users.position(None).unwrap(), 0..2, u32::to_string).unwrap().next;
        assert!(users.position(token.as_deref()).is_some());
        assert!(other.position(token.as_deref()).is_none());
        assert!(users.position(Some("not a token")).is_none());
    }

    #[test]
    fn a_token_of_the_longest_names_fits_a_marker() {
        let name = format!("ListUsers 123456789012 /{}/", "p".repeat(510));
        let listing = Listing { name, ..listing(1, PageFaults::default()) };
        let users = ["u".repeat(64), "v".repeat(64)];
        let token = listing.page(listing.position(None).unwrap(), users.iter(), |user| (*user).clone()).unwrap().next;
        assert!(token.unwrap().len() <= 320);
    }
}
