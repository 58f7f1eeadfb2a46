//! What went wrong in a sweep, gathered until everything that could be delivered is, and then raised as one error.

use crate::{
    account::Account,
    calls::{CallError, Calls, Failure},
    error::Error,
    evaluations::Undelivered,
    judge::READS_AT_A_TIME,
    text::excerpt,
};
use tracing::warn;

/// How many unknown users are named, in the error and one by one in the log.
const NAMED: usize = 10;

type ErrorKind = fn(String) -> Error;

/// The problems of one sweep, and the counts that say how far it got.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    /// Users there are, as far as is known.
    pub(crate) listed: usize,
    /// Users for whom there is a verdict.
    pub(crate) evaluated: usize,
    /// Deliveries made, well or badly.
    pub(crate) batches: usize,
    /// Why the listing of users is not complete.
    listing: Option<CallError>,
    /// Why it is not known which results Config holds.
    held: Option<CallError>,
    unread: usize,
    named: Vec<String>,
    undelivered: Option<Undelivered>,
    denials: Vec<CallError>,
    time_up: bool,
    halted: bool,
}

impl Problems {
    pub(crate) fn new(listed: usize, listing: Option<CallError>, held: Option<CallError>) -> Problems {
        let mut problems = Problems { listed, held, ..Problems::default() };
        if let Some(error) = listing {
            problems.listing_broken_off(error);
        }
        // That time was up for the results is no reason to say so of the sweep.
        problems.denials.extend(problems.held.iter().filter(|error| error.kind == Failure::Denied).cloned());
        problems
    }

    /// Notes that users may be missing from the listing.
    pub(crate) fn listing_broken_off(&mut self, error: CallError) {
        self.note(&error);
        self.listing.get_or_insert(error);
    }

    /// Notes a user who could not be read. Says whether reads are to end: an action that was never granted and that one
    /// user after the other is denied is denied for the whole account.
    pub(crate) fn unread(&mut self, user_name: &str, error: &CallError, calls: &Calls) -> bool {
        self.unread += 1;
        if self.named.len() < NAMED {
            warn!(user = user_name, %error, "user unknown");
            self.named.push(format!("{} ({error})", excerpt(user_name)));
        }
        self.note(error);
        let denied = self.denials.iter().filter(|denial| denial.action == error.action).count();
        let halt = error.kind == Failure::Denied && denied >= READS_AT_A_TIME && !calls.granted(error.action);
        self.halted |= halt;
        halt
    }

    /// Notes results that did not get through. Says whether reads are to end, since no delivery can succeed.
    pub(crate) fn undelivered(&mut self, undelivered: Undelivered) -> bool {
        warn!("{undelivered}");
        self.note(&undelivered.error);
        let halt = undelivered.in_vain();
        self.halted |= halt;
        match &mut self.undelivered {
            Some(first) => first.results += undelivered.results,
            None => self.undelivered = Some(undelivered),
        }
        halt
    }

    fn note(&mut self, error: &CallError) {
        match error.kind {
            Failure::Denied => self.denials.push(error.clone()),
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
        // What was granted for others is denied for some only, who are named below.
        if let Some(error) = self.denials.iter().find(|error| !account.calls.granted(error.action)) {
            found.push((Error::AccessDenied, account.error(error).to_string()));
        }
        if self.time_up || not_reached > 0 && !self.halted {
            let text = "Time ran out: give the function more time or memory or, if most calls were reads of users, set \
                        keySource to report.";
            found.push((Error::DeadlineExceeded, text.to_owned()));
        }
        if let Some(undelivered) = &self.undelivered {
            found.push((Error::DeliveryFailed, format!("{undelivered}.")));
        }
        if let Some(error) = &self.listing {
            found.push((Error::Incomplete, format!("The listing of users broke off: {error}.")));
        }
        if unknown > 0 {
            let mut text = format!("{unknown} of {} users unknown", self.listed);
            if !self.named.is_empty() {
                text += &format!(": {}", self.named.join(", "));
            }
            found.push((Error::Incomplete, text + "."));
        }
        if let Some(error) = &self.held {
            let text = format!("Deleted users may keep a result, since it is not known who has one: {error}.");
            found.push((Error::AwsError, text));
        }
        let Some((kind, _)) = found.first() else {
            return Ok(());
        };
        let texts: Vec<_> = found.iter().map(|(_, text)| text.as_str()).collect();
        Err(kind(texts.join(" ")))
    }
}
