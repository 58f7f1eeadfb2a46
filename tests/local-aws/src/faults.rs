//! Faults that tests inject, by account, action and user.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

use crate::error::AwsError;
use crate::paging::PageFaults;
use crate::service::Service;

/// A fault. A part that is `None` fits every call.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The account of the caller, twelve digits.
    pub account: Option<String>,
    /// The action, such as `ListUsers`.
    pub action: Option<String>,
    /// The parameter `UserName`, or the owner of the access key in the request.
    pub user: Option<String>,
    /// What happens.
    pub kind: FaultKind,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum FaultKind {
    /// Random throttling, with the service's name for it: `Throttling` in IAM and STS, `ThrottlingException` in Config.
    Throttle {
        /// The share of calls, from 0 to 1.
        probability: f64,
    },
    /// Throttling above a rate of calls, by tokio's clock. A refused call takes no token. All calls that the fault fits share one
    /// bucket, which is full at first.
    TokenBucket {
        /// The tokens that are added each second.
        per_second: f64,
        /// The tokens that the bucket holds.
        burst: f64,
    },
    /// HTTP 500 at random: `ServiceFailure` in IAM, `InternalFailure` elsewhere.
    ServerError {
        /// The share of calls, from 0 to 1.
        probability: f64,
    },
    /// Answers come later by this time. The state is read and changed after the delay.
    Latency(Duration),
    /// No policy allows the caller the action.
    AccessDenied,
    /// The policy of the KMS key does not let the caller use it: GetSecretValue and PutSecretValue are denied for secrets that
    /// have a key of the customer's.
    KmsAccessDenied,
    /// IAM does not know the user, as shortly after the user was created or renamed: it is eventually consistent.
    NoSuchEntity,
    /// This many calls succeed; all later ones are server errors.
    BreakOffAfterCalls(usize),
    /// `PutEvaluations` answers 200 with evaluations in `FailedEvaluations`, which it does not store.
    FailedEvaluations {
        /// In how many calls. Calls without any of the evaluations do not count.
        times: u32,
        /// Which evaluations.
        which: Failing,
    },
    /// `PutEvents` answers 200 without taking the first events of a call, up to this number.
    FailedEntries {
        /// In how many calls.
        times: u32,
        /// How many events.
        first: usize,
        /// Their `ErrorCode`.
        code: &'static str,
    },
    /// Listings return this many pages; all later ones are server errors.
    BreakOffAfterPages(u32),
    /// Listings have at most this many items a page (at least one), and of every three pages the second is empty.
    ShortPages(usize),
    /// From the second page on, listings answer with the token of the page itself as that of the next page.
    RepeatedMarker,
    /// AWS acts, and the connection is closed without an answer.
    Reset,
    /// This many calls are answered. AWS acts on the next one without an answer, and neither acts on later ones nor answers them.
    SilentAfterCalls(usize),
    /// AWS acts, and the body of its answer ends early, though the HTTP response is complete: a proxy or a server cut it.
    CutBody(Cut),
    /// Something on the way answers in AWS's place, with status 200 and this body. AWS does not get the call.
    Intercepted(&'static str),
    /// The first calls have one of these faults each, in this order. They are not about evaluations or events.
    InTurn(Vec<FaultKind>),
}

/// Which evaluations of a call fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failing {
    /// The first ones, up to this number.
    First(usize),
    /// The ones with these resource ids.
    Ids(Vec<String>),
}

/// Where a body ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// After half of its bytes.
    Half,
    /// Before the last occurrence of this text, if it occurs.
    Before(&'static str),
}

/// Longer than anybody waits.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// The faults in force.
#[derive(Default)]
pub struct Faults(Vec<Armed>);

struct Armed {
    fault: Fault,
    bucket: Option<Bucket>,
    calls: usize,
}

/// Tokens that calls take, by tokio's clock.
pub(crate) struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// A call, as the faults see it.
pub(crate) struct Target<'a> {
    pub(crate) service: Service,
    pub(crate) account: &'a str,
    pub(crate) action: &'a str,
    pub(crate) user: Option<&'a str>,
    /// The ARN of the caller.
    pub(crate) principal: &'a str,
    /// The resource of the action, as AWS names it in a denial.
    pub(crate) resource: &'a str,
}

/// The effects of the faults on one call.
#[derive(Default)]
pub(crate) struct Effects {
    pub(crate) latency: Duration,
    pub(crate) damage: Option<Damage>,
    pub(crate) error: Option<AwsError>,
    pub(crate) kms_denied: bool,
    pub(crate) pages: PageFaults,
}

/// What happens to an answer on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Damage {
    Reset,
    Silence,
    Cut(Cut),
    Intercepted(&'static str),
}

impl Cut {
    /// What is left of a body.
    pub(crate) fn of(self, body: &str) -> &str {
        let end = match self {
            Cut::Half => body.len() / 2,
            Cut::Before(text) => body.rfind(text).unwrap_or(body.len()),
        };
        // Not within a character.
        body.get(..end).unwrap_or_default()
    }
}

impl Faults {
    /// Puts a fault in force.
    pub fn add(&mut self, fault: Fault) {
        self.0.push(Armed { fault, bucket: None, calls: 0 });
    }

    /// Ends all faults.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many calls the faults in force have fitted so far, whether or not they were answered.
    pub fn calls(&self) -> usize {
        self.0.iter().map(|armed| armed.calls).sum()
    }

    /// The effects on a call. If several faults cause errors, the one that was added first decides.
    pub(crate) fn effects(&mut self, target: &Target<'_>, rng: &mut Rng) -> Effects {
        let mut effects = Effects::default();
        for armed in self.0.iter_mut().filter(|armed| armed.fault.fits(target)) {
            armed.affect(target, rng, &mut effects);
        }
        effects
    }

    /// Whether each of the evaluations with these resource ids fails, in the same order.
    pub(crate) fn failing(&mut self, account: &str, ids: &[&str]) -> Vec<bool> {
        let mut failing = vec![false; ids.len()];
        for Fault { account: only, action, kind, .. } in self.0.iter_mut().map(|armed| &mut armed.fault) {
            let FaultKind::FailedEvaluations { times, which } = kind else { continue };
            let fits = fits(only, account) && fits(action, "PutEvaluations");
            let hits = |(n, id): (usize, &&str)| match which {
                Failing::First(count) => n < *count,
                Failing::Ids(listed) => listed.iter().any(|listed| listed == id),
            };
            let hits: Vec<bool> = ids.iter().enumerate().map(hits).collect();
            if !fits || *times == 0 || !hits.contains(&true) {
                continue;
            }
            *times -= 1;
            failing.iter_mut().zip(hits).for_each(|(failing, hit)| *failing |= hit);
        }
        failing
    }

    /// The error of each of so many events of a call, if it fails.
    pub(crate) fn failing_entries(&mut self, account: &str, entries: usize) -> Vec<Option<&'static str>> {
        let mut failing = vec![None; entries];
        for Fault { account: only, kind, .. } in self.0.iter_mut().map(|armed| &mut armed.fault) {
            let FaultKind::FailedEntries { times, first, code } = kind else { continue };
            if fits(only, account) && *times > 0 {
                *times -= 1;
                failing.iter_mut().take(*first).for_each(|failing| *failing = Some(*code));
            }
        }
        failing
    }
}

fn fits(wanted: &Option<String>, actual: &str) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == actual)
}

impl Fault {
    fn fits(&self, target: &Target<'_>) -> bool {
        fits(&self.account, target.account)
            && fits(&self.action, target.action)
            && (self.user.is_none() || self.user.as_deref() == target.user)
    }
}

impl Armed {
    fn affect(&mut self, target: &Target<'_>, rng: &mut Rng, effects: &mut Effects) {
        let turn = self.calls;
        self.calls += 1;
        let kind = match &mut self.fault.kind {
            FaultKind::InTurn(kinds) => kinds.get_mut(turn),
            kind => Some(kind),
        };
        let Some(kind) = kind else { return };
        match kind {
            FaultKind::Latency(latency) => effects.latency += *latency,
            FaultKind::BreakOffAfterPages(pages) => effects.pages.break_off_after = Some(*pages),
            FaultKind::ShortPages(items) => effects.pages.at_most = Some((*items).max(1)),
            FaultKind::KmsAccessDenied => effects.kms_denied = true,
            FaultKind::RepeatedMarker => effects.pages.repeated_marker = true,
            FaultKind::Reset => effects.damage = Some(Damage::Reset),
            FaultKind::SilentAfterCalls(calls) if turn < *calls => {}
            FaultKind::SilentAfterCalls(calls) if turn == *calls => effects.damage = Some(Damage::Silence),
            FaultKind::SilentAfterCalls(_) => effects.latency = NEVER,
            FaultKind::CutBody(cut) => effects.damage = Some(Damage::Cut(*cut)),
            FaultKind::Intercepted(body) => effects.damage = Some(Damage::Intercepted(body)),
            FaultKind::FailedEvaluations { .. } | FaultKind::FailedEntries { .. } | FaultKind::InTurn(_) => {}
            _ if effects.error.is_some() => {}
            FaultKind::Throttle { probability } => {
                effects.error = (rng.f64() < *probability).then(|| AwsError::throttling(target.service));
            }
            FaultKind::ServerError { probability } => {
                effects.error = (rng.f64() < *probability).then(|| AwsError::server_error(target.service));
            }
            FaultKind::TokenBucket { per_second, burst } => {
                let taken = self.bucket.get_or_insert_with(|| Bucket::full(*burst)).take(*per_second, *burst);
                effects.error = (!taken).then(|| AwsError::throttling(target.service));
            }
            FaultKind::AccessDenied => {
                let action = format!("{}:{}", target.service, target.action);
                effects.error =
                    Some(AwsError::access_denied(target.service, target.principal, &action, target.resource));
            }
            FaultKind::NoSuchEntity => {
                let message = format!("The user with name {} cannot be found.", target.user.unwrap_or_default());
                effects.error = Some(AwsError::new(404, "NoSuchEntity", message));
            }
            FaultKind::BreakOffAfterCalls(calls) if turn < *calls => {}
            FaultKind::BreakOffAfterCalls(_) => effects.error = Some(AwsError::server_error(target.service)),
        }
    }
}

impl Bucket {
    pub(crate) fn full(burst: f64) -> Bucket {
        Bucket { tokens: burst, filled: Instant::now() }
    }

    /// Takes a token, and returns whether there was one.
    pub(crate) fn take(&mut self, per_second: f64, burst: f64) -> bool {
        let now = Instant::now();
        let added = (now - self.filled).as_secs_f64() * per_second;
        self.tokens = (self.tokens + added).min(burst);
        self.filled = now;
        let taken = self.tokens >= 1.0;
        if taken {
            self.tokens -= 1.0;
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target<'a>(action: &'a str, user: Option<&'a str>) -> Target<'a> {
        let (account, principal, resource) = ("1", "arn:aws:iam::1:user/administrator", "*");
        Target { service: Service::Iam, account, action, user, principal, resource }
    }

    fn fault(action: Option<&str>, user: Option<&str>, kind: FaultKind) -> Fault {
        Fault { account: None, action: action.map(str::to_owned), user: user.map(str::to_owned), kind }
    }

    #[test]
    fn a_fault_fits_by_action_and_user() {
        let mut faults = Faults::default();
        faults.add(fault(Some("ListAccessKeys"), Some("alice"), FaultKind::AccessDenied));
        let mut code = |action, user| faults.effects(&target(action, user), &mut Rng::with_seed(0)).error;
        assert_eq!(code("ListAccessKeys", Some("alice")).unwrap().code, "AccessDenied");
        assert!(code("ListAccessKeys", Some("bob")).is_none());
        assert!(code("ListAccessKeys", None).is_none());
        assert!(code("ListUserTags", Some("alice")).is_none());
    }

    #[test]
    fn a_bucket_allows_its_burst_and_then_its_rate() {
        let mut faults = Faults::default();
        faults.add(fault(None, None, FaultKind::TokenBucket { per_second: 0.001, burst: 3.0 }));
        let refused =
            (0..10).filter(|_| faults.effects(&target("ListUsers", None), &mut Rng::with_seed(0)).error.is_some());
        assert_eq!(refused.count(), 7);
    }

    #[test]
    fn random_throttling_hits_its_share_of_calls() {
        let (mut faults, mut rng) = (Faults::default(), Rng::with_seed(0));
        faults.add(fault(None, None, FaultKind::Throttle { probability: 0.3 }));
        let hits = (0..1000).filter(|_| faults.effects(&target("ListUsers", None), &mut rng).error.is_some()).count();
        assert!((250..350).contains(&hits), "{hits}");
    }

    #[test]
    fn calls_that_a_fault_does_not_fit_do_not_count_until_it_breaks_off() {
        let mut faults = Faults::default();
        faults.add(fault(Some("TagUser"), None, FaultKind::BreakOffAfterCalls(1)));
        let mut fails = |action| faults.effects(&target(action, None), &mut Rng::with_seed(0)).error.is_some();
        let calls = ["ListUsers", "TagUser", "TagUser", "ListUsers", "TagUser"];
        assert_eq!(calls.map(&mut fails), [false, false, true, false, true]);
    }

    #[test]
    fn faults_in_turn_end_with_the_last_one() {
        let mut faults = Faults::default();
        let kinds = vec![FaultKind::Throttle { probability: 1.0 }, FaultKind::AccessDenied];
        faults.add(fault(Some("ListUsers"), None, FaultKind::InTurn(kinds)));
        let mut code = || faults.effects(&target("ListUsers", None), &mut Rng::with_seed(0)).error.map(|e| e.code);
        assert_eq!([code(), code(), code()], [Some("Throttling"), Some("AccessDenied"), None]);
        assert_eq!(faults.calls(), 3);
    }

    #[test]
    fn evaluations_fail_as_often_as_they_should() {
        let mut faults = Faults::default();
        let which = Failing::Ids(vec!["b".to_owned()]);
        faults.add(fault(None, None, FaultKind::FailedEvaluations { times: 1, which }));
        assert_eq!(faults.failing("1", &["a", "c"]), [false, false]);
        assert_eq!(faults.failing("1", &["a", "b"]), [false, true]);
        assert_eq!(faults.failing("1", &["a", "b"]), [false, false]);
    }
}
