//! What went wrong in a sweep, gathered until everything that could be delivered is, and then raised as one error.

use crate::{
    account::Account,
    calls::{CallError, Failure},
    error::Error,
    evaluations::Undelivered,
    text::excerpt,
};
use tracing::warn;

/// How many unknown users are named, in the error and one by one in the log.
const NAMED: usize = 10;

type ErrorKind = fn(String) -> Error;

/// The problems of one sweep, and the counts that say how far it got.
#[derive(Debug)]
pub(crate) struct Problems {
    /// Users for whom there is a verdict.
    pub(crate) evaluated: usize,
    /// Deliveries made, well or badly.
    pub(crate) batches: usize,
    /// Users there are, as far as is known.
    listed: usize,
    /// Why the listing of users is not complete.
    listing: Option<CallError>,
    /// Why it is not known which results Config holds.
    held: Option<CallError>,
    unread: usize,
    named: Vec<String>,
    undelivered: Option<Undelivered>,
    denied: Option<CallError>,
    time_up: bool,
    in_vain: bool,
}

impl Problems {
    pub(crate) fn new(listed: usize, listing: Option<CallError>, held: Option<CallError>) -> Problems {
        let mut problems = Problems {
            evaluated: 0,
            batches: 0,
            listed,
            listing: None,
            held: None,
            unread: 0,
            named: Vec::new(),
            undelivered: None,
            denied: None,
            time_up: false,
            in_vain: false,
        };
        for error in listing.iter().chain(&held) {
            problems.note(error);
        }
        Problems { listing, held, ..problems }
    }

    /// Notes a user who could not be read. Says whether further reads are of no use.
    pub(crate) fn unread(&mut self, user_name: &str, error: &CallError) -> bool {
        self.unread += 1;
        if self.named.len() < NAMED {
            warn!(user = user_name, %error, "user unknown");
            self.named.push(format!("{} ({error})", excerpt(user_name)));
        }
        self.note(error);
        self.in_vain
    }

    /// Notes results that did not get through. Says whether further deliveries are of no use.
    pub(crate) fn undelivered(&mut self, undelivered: Undelivered) -> bool {
        warn!("{undelivered}");
        self.note(&undelivered.error);
        self.in_vain |= undelivered.in_vain();
        match &mut self.undelivered {
            Some(first) => first.results += undelivered.results,
            None => self.undelivered = Some(undelivered),
        }
        self.in_vain
    }

    fn note(&mut self, error: &CallError) {
        match error.kind {
            Failure::Denied => {
                self.in_vain = true;
                self.denied.get_or_insert_with(|| error.clone());
            }
            Failure::TimeUp => self.time_up = true,
            Failure::NotFound | Failure::Other => {}
        }
    }

    /// Users who were read in vain, or not reached.
    pub(crate) fn users_unknown(&self) -> usize {
        self.listed.saturating_sub(self.evaluated)
    }

    /// The error of the invocation, if anything is missing: of the type of the most far-reaching problem, and naming all.
    pub(crate) fn raise(self, account: &Account<'_>) -> Result<(), Error> {
        let unknown = self.users_unknown();
        let not_reached = unknown.saturating_sub(self.unread);
        let mut found: Vec<(ErrorKind, String)> = Vec::new();
        if let Some(error) = &self.denied {
            found.push((Error::AccessDenied, account.error(error).to_string()));
        }
        if self.time_up || not_reached > 0 && !self.in_vain {
            let text = "Time ran out: give the function more time or memory, or set keySource to report";
            found.push((Error::DeadlineExceeded, text.to_owned()));
        }
        if let Some(undelivered) = &self.undelivered {
            found.push((Error::DeliveryFailed, undelivered.to_string()));
        }
        if let Some(error) = &self.listing {
            found.push((Error::Incomplete, format!("The listing of users broke off after {}: {error}", self.listed)));
        }
        if unknown > 0 {
            let mut text = format!("{unknown} of {} users unknown, who keep the result they had", self.listed);
            if !self.named.is_empty() {
                text += &format!(": {}", self.named.join(", "));
            }
            found.push((Error::Incomplete, text));
        }
        if let Some(error) = &self.held {
            found.push((
                Error::AwsError,
                format!("Deleted users may keep a result, since it is not known who has one: {error}"),
            ));
        }
        let Some((kind, _)) = found.first() else {
            return Ok(());
        };
        Err(kind(found.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(". ")))
    }
}
