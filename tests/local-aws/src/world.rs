//! The state of all accounts, the clock, and the calls so far.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use fastrand::Rng;
use tokio::sync::watch;

use crate::account::Account;
use crate::faults::Faults;
use crate::identity::Sessions;
use crate::organization::Organization;

/// All state of the server.
pub struct World {
    /// The faults in force.
    pub faults: Faults,
    pub(crate) sessions: Sessions,
    pub(crate) rng: Rng,
    accounts: BTreeMap<String, Account>,
    organization: Option<Organization>,
    /// By Region: the code of the error that the Region returns to every request.
    refusals: BTreeMap<String, &'static str>,
    clock: Clock,
    started: DateTime<Utc>,
    calls: Vec<Call>,
    /// Tells whoever waits for a call that there is one more.
    recorded: watch::Sender<()>,
    acts: Vec<Act>,
}

/// Something that happens between two calls.
struct Act {
    /// Which calls count; `None` if all do.
    action: Option<&'static str>,
    /// How many calls come before it.
    after: usize,
    act: Box<dyn FnOnce(&mut World) + Send>,
}

enum Clock {
    Standing(DateTime<Utc>),
    Live { ahead: TimeDelta },
}

/// A request that was answered. Requests from unknown senders are not recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The account of the caller.
    pub account: String,
    /// The ARN of the caller.
    pub principal: String,
    /// The service as in an IAM policy: `iam`, `sts`, `config`, `organizations`, `events`, `ssm`, `cloudtrail`, `secretsmanager`,
    /// `lambda` or `account`.
    pub service: String,
    /// The action, such as `ListUsers`.
    pub action: String,
    /// The parameter that names the subject of the call, if there was one: the user's name, otherwise the access key id, the
    /// role's ARN, the name of the Config rule, the function, the document or the parameter, the name or ARN of the secret, or the
    /// path of parameters.
    pub subject: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
}

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A result.
    Ok,
    /// An error with that code.
    Error(String),
}

impl World {
    /// A world without accounts, whose clock stands still until you move it.
    ///
    /// The sessions of `AssumeRole` expire by this clock, but clients use the system's. For a client that caches credentials,
    /// the sessions of a world in the past have always expired.
    pub fn new(now: DateTime<Utc>) -> World {
        World::with_clock(Clock::Standing(now))
    }

    /// A world without accounts, whose clock is the system's.
    pub fn live_clock() -> World {
        World::with_clock(Clock::Live { ahead: TimeDelta::zero() })
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn with_clock(clock: Clock) -> World {
        let started = match clock {
            Clock::Standing(now) => now,
            Clock::Live { .. } => Utc::now(),
        };
        World {
            faults: Faults::default(),
            sessions: Sessions::default(),
            rng: Rng::with_seed(0),
            accounts: BTreeMap::new(),
            organization: None,
            refusals: BTreeMap::new(),
            clock,
            started,
            calls: Vec::new(),
            recorded: watch::Sender::default(),
            acts: Vec::new(),
        }
    }

    /// The time for all answers and limits, except for [`FaultKind::TokenBucket`](crate::FaultKind::TokenBucket) and
    /// [`FaultKind::Latency`](crate::FaultKind::Latency), which go by tokio's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> DateTime<Utc> {
        match self.clock {
            Clock::Standing(now) => now,
            Clock::Live { ahead } => Utc::now() + ahead,
        }
    }

    /// Moves the clock. A live clock continues from there.
    pub fn advance(&mut self, by: TimeDelta) {
        match &mut self.clock {
            Clock::Standing(now) => *now += by,
            Clock::Live { ahead } => *ahead += by,
        }
    }

    /// The account with that id of twelve digits, which is created if there is none.
    pub fn account(&mut self, id: &str) -> &mut Account {
        self.account_and_faults(id).0
    }

    pub(crate) fn account_and_faults(&mut self, id: &str) -> (&mut Account, &mut Faults) {
        let now = self.now();
        let account = self.accounts.entry(id.to_owned()).or_insert_with(|| Account::new(id, now));
        account.now = now;
        (account, &mut self.faults)
    }

    pub(crate) fn existing_account(&self, id: &str) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The organization that the account manages, which is created if there is none. At first, no account is in an
    /// organization.
    pub fn organization(&mut self, management: &str) -> &mut Organization {
        self.organization.get_or_insert_with(|| Organization::new(management))
    }

    /// The organization, if the account is in it.
    pub(crate) fn organization_of(&self, account: &str) -> Option<&Organization> {
        self.organization.as_ref().filter(|organization| organization.members.contains_key(account))
    }

    /// Makes a Region answer every request with an error: `UnrecognizedClientException` like a Region that is not enabled, or
    /// `AccessDeniedException` like a service control policy that allows only other Regions.
    pub fn refuse_region(&mut self, region: &str, code: &'static str) {
        self.refusals.insert(region.to_owned(), code);
    }

    pub(crate) fn refusal(&self, region: &str) -> Option<&'static str> {
        self.refusals.get(region).copied()
    }

    /// When the world began.
    pub(crate) fn started(&self) -> DateTime<Utc> {
        self.started
    }

    pub(crate) fn accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The calls so far, in the order in which they were answered.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&mut self) {
        self.calls.clear();
    }

    /// Lets something happen after so many more calls, just before AWS acts on the next one: somebody else acts at the same moment.
    pub fn after_calls(&mut self, calls: usize, act: impl FnOnce(&mut World) + Send + 'static) {
        self.acts.push(Act { action: None, after: calls, act: Box::new(act) });
    }

    /// The same, counting only calls of one action.
    pub fn after_calls_of(
        &mut self,
        action: &'static str,
        calls: usize,
        act: impl FnOnce(&mut World) + Send + 'static,
    ) {
        self.acts.push(Act { action: Some(action), after: calls, act: Box::new(act) });
    }

    /// Forgets what was to happen after more calls. Returns how much of it has not happened.
    pub fn forget_acts(&mut self) -> usize {
        std::mem::take(&mut self.acts).len()
    }

    /// Before AWS acts on a call: runs what is to happen by now.
    pub(crate) fn run_acts(&mut self, action: &str) {
        let mut due = Vec::new();
        for mut act in std::mem::take(&mut self.acts) {
            match act.action.is_none_or(|only| only == action) {
                true if act.after == 0 => due.push(act.act),
                counts => {
                    act.after -= usize::from(counts);
                    self.acts.push(act);
                }
            }
        }
        due.into_iter().for_each(|act| act(self));
    }

    /// Changes with each call that is recorded from now on.
    pub(crate) fn recorded(&self) -> watch::Receiver<()> {
        self.recorded.subscribe()
    }

    pub(crate) fn record(&mut self, call: Call) {
        self.calls.push(call);
        self.recorded.send_replace(());
    }
}
