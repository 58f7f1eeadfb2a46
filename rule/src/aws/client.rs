//! Calls AWS. Every call is counted, has a deadline, and is retried if AWS throttles it or fails to answer it. Every listing is read
//! to its end, within a bound, and an answer that ends early is a failure.
//!
//! The SDK's own retries are off. They give up after a fixed number of attempts, and all clients of the process share one quota
//! for them. Under throttling, a sweep must slow down for as long as there is time, and lose no user: if 60 % of the calls are
//! throttled, ten attempts lose six users in a thousand.

use super::http::NoConnection;
use crate::lock;
use aws_sdk_iam::{
    config::{
        ConfigBag, Intercept, RuntimeComponents, http::HttpResponse,
        interceptors::AfterDeserializationInterceptorContextRef,
    },
    error::{BoxError, ProvideErrorMetadata, SdkError},
};
use std::{
    collections::BTreeMap,
    error::Error,
    fmt,
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

/// How often a call is sent in all if AWS does not answer it properly (5xx, no connection, no answer in time).
const ATTEMPTS: u32 = 8;
/// The longest wait before the first retry. The bound doubles with each further retry, and the wait is random below it.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LONGEST_DELAY: Duration = Duration::from_secs(3);

/// The most pages of a listing. Pages may be short, but no listing here has more items: an account has at most 5,000 users, an
/// organization a few thousand accounts.
const MOST_PAGES: usize = 20_000;

/// Makes the calls of one invocation in one account, and counts them.
#[derive(Debug, Default)]
pub struct Calls {
    made: AtomicU64,
    throttled: AtomicU64,
    /// If the rate is limited: the time between two calls, and when the next one may be made.
    rate: Option<(Duration, Mutex<Instant>)>,
    actions: Mutex<BTreeMap<&'static str, Action>>,
    watched: Option<Watched>,
}

/// Who is told of each answer, and the account to name.
#[derive(Debug)]
struct Watched {
    account: String,
    tell: Tell,
}

/// Takes an account's id, an action such as `iam:ListUsers`, and what AWS answered to it.
pub type Tell = fn(&str, &str, &str);

/// How AWS has answered calls of one action. AWS throttles each action separately.
#[derive(Debug, Default)]
struct Action {
    granted: bool,
    pace: Pace,
}

/// How long each call of a throttled action is delayed, so that all calls together approach the rate that AWS allows.
#[derive(Debug, Default)]
struct Pace {
    pause: Duration,
    raised: Option<Instant>,
}

impl Pace {
    const LEAST: Duration = Duration::from_millis(10);
    /// With 16 calls at a time, 8 calls a second.
    const MOST: Duration = Duration::from_secs(2);

    /// Lengthens the pause by half, but only once for calls that were in flight together.
    fn slower(&mut self, now: Instant) {
        if self.raised.is_none_or(|raised| now - raised > self.pause) {
            self.pause = (self.pause * 3 / 2).clamp(Pace::LEAST, Pace::MOST);
            self.raised = Some(now);
        }
    }

    fn faster(&mut self) {
        self.pause -= self.pause / 128;
    }
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    /// The action as in an IAM policy, such as `iam:ListUsers`.
    pub action: &'static str,
    /// The kind of failure.
    pub kind: Failure,
    /// AWS's error code, or a description if there is none.
    pub code: String,
}

/// The kinds of failure that callers distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A policy does not allow it, or the credentials are no longer valid.
    Denied,
    /// The resource does not exist.
    NotFound,
    /// Time ran out while AWS throttled the call or did not answer.
    TimeUp,
    /// AWS's answers do not agree yet, because somebody has just changed what they are about. A retry settles it.
    NotYetConsistent,
    /// Anything else.
    Other,
}

impl CallError {
    /// For an answer that AWS does not give, with what is wrong about it.
    pub fn unexpected(action: &'static str, what: &str) -> CallError {
        CallError { action, kind: Failure::Other, code: format!("unexpected answer ({what})") }
    }

    /// Whether AWS answered: its codes are words, the descriptions of other failures are not.
    pub fn is_answer(&self) -> bool {
        !self.code.contains(' ')
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.action, self.code)
    }
}

impl Error for CallError {}

impl Calls {
    /// Makes at most `per_second` calls a second.
    pub fn at_most(per_second: u32) -> Calls {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Calls { rate: Some((interval, Mutex::new(Instant::now()))), ..Calls::default() }
    }

    /// Tells of each answer, with the account.
    pub fn watched(self, account: &str, tell: Tell) -> Calls {
        Calls { watched: Some(Watched { account: account.to_owned(), tell }), ..self }
    }

    fn tell(&self, action: &str, answer: impl FnOnce() -> String) {
        if let Some(Watched { account, tell }) = &self.watched {
            tell(account, action, &answer());
        }
    }

    /// How many requests were sent, including retries.
    pub fn made(&self) -> u64 {
        self.made.load(Relaxed)
    }

    /// How many of them AWS throttled.
    pub fn throttled(&self) -> u64 {
        self.throttled.load(Relaxed)
    }

    /// Whether AWS has allowed the action at least once. If so, a denial is about one resource, not about the account.
    pub fn granted(&self, action: &str) -> bool {
        self.actions().get(action).is_some_and(|action| action.granted)
    }

    fn actions(&self) -> MutexGuard<'_, BTreeMap<&'static str, Action>> {
        lock(&self.actions)
    }

    /// Sends a request until AWS answers it or refuses it for good, but no later than `until`.
    pub async fn call<T, E, F>(
        &self,
        action: &'static str,
        until: Instant,
        send: impl Fn() -> F,
    ) -> Result<T, CallError>
    where
        E: ProvideErrorMetadata,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let fail = |kind, code: &str| Err(CallError { action, kind, code: code.to_owned() });
        let mut throttled = 0;
        let mut stumbled = 0;
        // If time runs out, AWS's last error says more than the missing answer.
        let mut last = "no answer in time".to_owned();
        loop {
            let pause = self.actions().entry(action).or_default().pace.pause;
            if !pause.is_zero() {
                sleep_until((Instant::now() + pause.mul_f64(0.5 + fastrand::f64())).min(until)).await;
            }
            self.keep_rate(until).await;
            if Instant::now() >= until {
                return fail(Failure::TimeUp, &last);
            }
            self.made.fetch_add(1, Relaxed);
            let Ok(answer) = timeout_at(until, send()).await else {
                self.tell(action, || "no answer in time".to_owned());
                return fail(Failure::TimeUp, &last);
            };
            let error = match answer {
                Ok(output) => {
                    self.tell(action, || "answered".to_owned());
                    let mut actions = self.actions();
                    let state = actions.entry(action).or_default();
                    state.granted = true;
                    state.pace.faster();
                    return Ok(output);
                }
                Err(error) => error,
            };
            let (nature, code) = classify(&error);
            self.tell(action, || code.clone());
            match nature {
                Nature::Throttled => {
                    throttled += 1;
                    self.throttled.fetch_add(1, Relaxed);
                    self.actions().entry(action).or_default().pace.slower(Instant::now());
                }
                Nature::Transient if stumbled + 1 < ATTEMPTS => stumbled += 1,
                Nature::Transient => return fail(Failure::Other, &code),
                Nature::Final(kind) => return fail(kind, &code),
            }
            let delay = backoff(throttled + stumbled);
            if Instant::now() + delay >= until {
                return fail(Failure::TimeUp, &code);
            }
            last = code;
            self.tell(action, || format!("again in {} ms", delay.as_millis()));
            sleep(delay).await;
        }
    }

    async fn keep_rate(&self, until: Instant) {
        if let Some((interval, next)) = &self.rate {
            let turn = {
                let mut next = lock(next);
                let turn = (*next).max(Instant::now());
                *next = turn + *interval;
                turn
            };
            sleep_until(turn.min(until)).await;
        }
    }
}

/// How long to wait before the `repetition`-th retry (from 1): a random time up to a bound that doubles.
pub(crate) fn backoff(repetition: u32) -> Duration {
    let bound = FIRST_DELAY.saturating_mul(1 << repetition.saturating_sub(1).min(10)).min(LONGEST_DELAY);
    bound.mul_f64(0.5 + fastrand::f64() / 2.0)
}

enum Nature {
    Throttled,
    Transient,
    Final(Failure),
}

fn classify<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> (Nature, String) {
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    let code = match (error.as_service_error().and_then(ProvideErrorMetadata::code), error) {
        (Some(code), _) => code.to_owned(),
        (None, SdkError::TimeoutError(_)) => "no answer in time".to_owned(),
        (None, SdkError::DispatchFailure(failure)) => failure
            .as_connector_error()
            .and_then(|error| NoConnection::among(error))
            .map_or_else(|| "no connection or no credentials".to_owned(), NoConnection::to_string),
        (None, SdkError::ConstructionFailure(_)) => "the request could not be built".to_owned(),
        (None, _) if status >= 400 => format!("HTTP status {status}"),
        (None, _) => "unexpected answer".to_owned(),
    };
    let nature = match code.as_str() {
        "Throttling" | "ThrottlingException" | "RequestLimitExceeded" | "TooManyRequestsException" => Nature::Throttled,
        _ if status == 429 => Nature::Throttled,
        "AccessDenied" | "AccessDeniedException" => Nature::Final(Failure::Denied),
        // The role was deleted and created again, or its sessions were revoked: every call will fail.
        "InvalidClientTokenId" | "UnrecognizedClientException" | "ExpiredToken" | "ExpiredTokenException" => {
            Nature::Final(Failure::Denied)
        }
        "NoSuchEntity" => Nature::Final(Failure::NotFound),
        "RequestTimeout" | "RequestTimeoutException" => Nature::Transient,
        _ if status >= 500 => Nature::Transient,
        _ => match error {
            SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => Nature::Transient,
            // An answer that the SDK cannot read, such as the page of a proxy.
            SdkError::ServiceError(_) if status < 400 => Nature::Transient,
            _ => Nature::Final(Failure::Other),
        },
    };
    (nature, code)
}

/// A listing that AWS returns page by page. Follows the token of the next page, and never counts the items on a page. The SDK's own
/// paginators end without an error at a repeated token.
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
        if is_truncated && marker.as_deref().is_none_or(str::is_empty) {
            return Err(self.without_end());
        }
        self.turn(marker.filter(|_| is_truncated))
    }

    fn without_end(&self) -> CallError {
        CallError::unexpected(self.action, "the listing has no end")
    }
}

/// Fails a call whose answer is empty, or is XML without the end of its first element.
///
/// The SDK's reader of XML takes the end of the text for the end of every element, and its reader of JSON takes no text for an
/// object without members. So a list that something on the way has cut would look like a shorter list, and its last users as if
/// they were gone; and results that AWS Config never got would look delivered.
#[derive(Debug)]
pub(super) struct WholeAnswers;

impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match (context.output_or_error(), context.response().body().bytes()) {
            // An error says nothing about users or keys, and is classified as it is.
            (Ok(_), Some(body)) if !is_whole(body) => Err("the answer ends early".into()),
            _ => Ok(()),
        }
    }
}

/// Whether a document is an object of JSON, whose end the SDK checks, or ends with the end of its first element.
fn is_whole(document: &[u8]) -> bool {
    let mut rest = document.trim_ascii();
    // The XML declaration, comments.
    while rest.starts_with(b"<?") || rest.starts_with(b"<!") {
        rest = rest.splitn(2, |byte| *byte == b'>').nth(1).unwrap_or_default().trim_ascii_start();
    }
    let Some(first) = rest.strip_prefix(b"<") else { return rest.starts_with(b"{") };
    let name = first.split(|byte| b" >/\n\r\t".contains(byte)).next().unwrap_or_default();
    rest.strip_suffix(b">").and_then(|rest| rest.strip_suffix(name)).is_some_and(|rest| rest.ends_with(b"</"))
}

#[cfg(test)]
mod tests;
