//! The second and third step of a sweep: reads the users who need it within the time for reads, and confirms whose access keys were
//! read. What became of each user is in one map, from which [`Unread`] is made.

use super::{
    plan::Pending,
    reconcile::{Became, Known, reconcile},
    state::{Result, State, Unconfirmed, Unknown},
    unread::Unread,
};
use crate::{
    aws::{
        client::{CallError, Failure},
        iam::{GET_ACCESS_KEY_LAST_USED, GET_USER, LIST_ACCESS_KEYS, Listing, list_users},
        quarantine::{ExposedUsers, list_exposed_users},
    },
    user::{CONTROLS, Confirm, Evaluated, Evaluator, control, not_yet_consistent},
};
use futures_util::{Stream, StreamExt, future::join, stream};
use policy::{access_key::KeyState, exposure::Exposure, recorded_result::RecordedResult, user::User, verdict::Verdict};
use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::{BTreeMap, HashMap},
};
use tokio::{
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
    task::yield_now,
    time::timeout_at,
};

/// How many users are read at a time: at 30 ms an answer, 5,000 in ten seconds.
const READS_AT_A_TIME: usize = 16;
/// How many users with a stale key have the last use of their keys read at a time. The others wait without delaying anybody.
const LAST_USES_AT_A_TIME: usize = 16;
/// After this many failures in a row, the last use of keys is no longer read.
const LAST_USE_FAILURES: u32 = 16;

/// Reads of one account.
pub(crate) struct Reader<'a> {
    evaluator: Evaluator<'a>,
    /// By id.
    states: RefCell<HashMap<String, State>>,
    /// Why a listing of users is incomplete.
    listing: RefCell<Option<CallError>>,
    /// Known once the users are listed.
    exposed: OnceCell<ExposedUsers>,
    /// By action: some for whom it was granted. See [`control`].
    granted: RefCell<BTreeMap<&'static str, Vec<String>>>,
    /// Names of some users who were read without a call of an action that others need, or who could be read earlier.
    readable: RefCell<Vec<String>>,
    last_use_failures: Cell<u32>,
    stopped: Cell<bool>,
    stop: Notify,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(evaluator: Evaluator<'a>) -> Reader<'a> {
        Reader {
            evaluator,
            states: RefCell::default(),
            listing: RefCell::default(),
            exposed: OnceCell::new(),
            granted: RefCell::default(),
            readable: RefCell::default(),
            last_use_failures: Cell::new(0),
            stopped: Cell::new(false),
            stop: Notify::new(),
        }
    }

    /// Lists the users, and those who are exposed. If a listing breaks off, this is an error at the end.
    pub(crate) async fn list(&self) -> (Listing, &ExposedUsers) {
        let account = self.evaluator.account;
        let (listing, exposed) =
            join(list_users(account, account.ends.reads), list_exposed_users(account, account.extras_end())).await;
        self.listing.replace(listing.broken_off.clone());
        (listing, self.exposed.get_or_init(|| exposed))
    }

    fn exposure(&self, user_id: &str) -> Exposure {
        self.exposed.get().map_or(Exposure::NotRead, |exposed| exposed.exposure(user_id))
    }

    /// Records a user who is to be read.
    pub(crate) fn pending(&self, user: &User) {
        self.set(&user.id, State::Pending);
    }

    /// Records a user who needs no read.
    pub(crate) fn skip(&self, user: &User, verdict: &Verdict) {
        self.evaluator.metrics.verdict(verdict, false);
        some(&mut self.readable.borrow_mut(), &user.name);
        self.set(&user.id, State::Evaluated);
    }

    /// Confirms whose keys were read, and reads again who was renamed. Returns the ids of users who are gone: those of `without_user`
    /// too, results whose users were not listed.
    pub(crate) async fn confirm(
        &self,
        without_user: Vec<RecordedResult>,
        evaluated: &UnboundedSender<Result>,
    ) -> Vec<String> {
        let (again, gone) = self.list_again(without_user, evaluated).await;
        again.iter().for_each(|pending| self.pending(&pending.user));
        self.read(stream::iter(again), Confirm::Now, evaluated).await;
        gone
    }

    /// Reads users as they come, as long as there is time for reads. With [`Confirm::Later`], most are left to [`Reader::confirm`].
    pub(crate) async fn read(
        &self,
        users: impl Stream<Item = Pending>,
        confirm: Confirm,
        evaluated: &UnboundedSender<Result>,
    ) {
        let (with_stale_key, stale) = unbounded_channel();
        let reads = async {
            let each = users
                .for_each_concurrent(READS_AT_A_TIME, |user| self.read_keys(user, confirm, &with_stale_key, evaluated));
            tokio::select! {
                biased;
                () = self.end_of_reads() => {}
                () = each => {}
            }
            drop(with_stale_key);
        };
        let last_uses =
            received(stale).for_each_concurrent(LAST_USES_AT_A_TIME, |result| self.read_last_uses(result, evaluated));
        join(reads, last_uses).await;
    }

    /// Reads a user's keys and, if a key is stale, whose they are.
    async fn read_keys(
        &self,
        pending: Pending,
        confirm: Confirm,
        with_stale_key: &UnboundedSender<Result>,
        evaluated: &UnboundedSender<Result>,
    ) {
        let User { name, id, .. } = &pending.user;
        match self.evaluator.read(&pending.user, self.exposure(id), confirm).await {
            Ok(Some(found)) => {
                self.grant(LIST_ACCESS_KEYS, name);
                if found.assessment.tags.is_some() {
                    self.grant(GET_USER, name);
                }
                if self.evaluator.needs_last_use(&found.assessment) {
                    drop(with_stale_key.send((found, pending.recorded)));
                } else {
                    self.keep((found, pending.recorded), evaluated);
                }
            }
            Ok(None) => self.set(&id.clone(), State::NotFound(Box::new(pending))),
            Err(error) => self.set(id, State::unread(name.clone(), error)),
        }
    }

    /// Reads the last use of a user's stale keys, unless that has failed too often.
    async fn read_last_uses(&self, (found, recorded): Result, evaluated: &UnboundedSender<Result>) {
        if self.last_use_failures.get() >= LAST_USE_FAILURES {
            let (action, code) = (GET_ACCESS_KEY_LAST_USED, "skipped after failures for other users".to_owned());
            let why = CallError { action, kind: Failure::Other, code };
            self.keep((Evaluated { unknown_use: Some(why), ..found }, recorded), evaluated);
            return;
        }
        let user = found.assessment.user.clone();
        match self.evaluator.complete(found).await {
            Some(found) => {
                let failures = self.last_use_failures.get();
                self.last_use_failures.set(if found.unknown_use.is_some() { failures + 1 } else { 0 });
                self.keep((found, recorded), evaluated);
            }
            None => self.set(&user.id.clone(), State::NotFound(Box::new(Pending { user, recorded }))),
        }
    }

    /// Sends a user with a verdict on, or keeps it until it is known whose keys they are.
    fn keep(&self, result: Result, evaluated: &UnboundedSender<Result>) {
        let Evaluated { assessment, unknown_use, .. } = &result.0;
        let User { id, name, created, .. } = &assessment.user;
        if assessment.tags.is_none() {
            some(&mut self.readable.borrow_mut(), name);
            let (id, name, created) = (id.clone(), name.clone(), *created);
            let (Evaluated { assessment, .. }, recorded) = result;
            let keys = assessment.into_keys().into_boxed_slice();
            self.set(&id, State::Unconfirmed(Box::new(Unconfirmed { name, created, keys, recorded })));
            return;
        }
        let state = match unknown_use {
            Some(error) => State::WithoutLastUse(Box::new(Unknown { name: name.clone(), error: error.clone() })),
            None => {
                let violations = assessment.keys_in(KeyState::Violation);
                violations.into_iter().for_each(|key| self.grant(GET_ACCESS_KEY_LAST_USED, &key.id));
                State::Evaluated
            }
        };
        self.set(id, state);
        self.send(result, evaluated);
    }

    fn send(&self, result: Result, evaluated: &UnboundedSender<Result>) {
        let (Evaluated { assessment, .. }, _) = &result;
        self.evaluator.metrics.verdict(&assessment.verdict, assessment.is_exempt());
        drop(evaluated.send(result));
    }

    /// Lists the users again, in time of its own, and decides what became of each user whose keys were read by name, or who was not
    /// found. Returns the users to read again, and the ids of those who are gone.
    async fn list_again(
        &self,
        without_user: Vec<RecordedResult>,
        evaluated: &UnboundedSender<Result>,
    ) -> (Vec<Pending>, Vec<String>) {
        let (mut again, mut gone) = (Vec::new(), Vec::new());
        let open = self.take_open();
        if open.is_empty() && without_user.is_empty() {
            return (again, gone);
        }
        let account = self.evaluator.account;
        let Listing { users, broken_off } = list_users(account, account.ends.confirmation).await;
        let found = |id: &str| users.binary_search_by(|user| user.id.as_str().cmp(id)).ok().map(|at| &users[at]);
        let is_complete = broken_off.is_none();
        for (id, state) in open {
            let (name, created, keys, recorded) = match state {
                State::Unconfirmed(read) => (read.name, read.created, Some(read.keys), read.recorded),
                State::NotFound(pending) => (pending.user.name, pending.user.created, None, pending.recorded),
                _ => continue,
            };
            let is_new = self.evaluator.is_fresh(created);
            let read_under = keys.as_ref().map(|_| name.as_str());
            let state = match (reconcile(Known { read_under, is_new }, found(&id), is_complete), keys) {
                (Became::Confirmed(user), Some(keys)) => {
                    let assessed = self.evaluator.assess(user, keys.into_vec(), None, self.exposure(&id));
                    self.send((assessed, recorded), evaluated);
                    State::Evaluated
                }
                (Became::ReadAgain(user), _) => {
                    again.push(Pending { user, recorded });
                    State::Pending
                }
                (Became::Gone, _) => {
                    gone.push(id.clone());
                    State::Gone
                }
                (Became::NotYetConsistent, _) => State::unread(name, not_yet_consistent()),
                (Became::Unknown | Became::Confirmed(_), _) => {
                    State::unread(name, broken_off.clone().unwrap_or_else(not_yet_consistent))
                }
            };
            self.set(&id, state);
            // Lets the result go on to its delivery, or thousands would wait on the channel beside those that are still to come.
            yield_now().await;
        }
        for recorded in without_user {
            let is_new = recorded.recorded.is_some_and(|recorded| self.evaluator.is_fresh(recorded));
            match reconcile(Known { read_under: None, is_new }, found(&recorded.user_id), is_complete) {
                Became::ReadAgain(user) => again.push(Pending { user, recorded: Some(Box::new(recorded)) }),
                Became::Gone => gone.push(recorded.user_id),
                // The result stays. The next sweep decides.
                Became::NotYetConsistent | Became::Unknown | Became::Confirmed(_) => {}
            }
        }
        if let Some(error) = broken_off {
            self.listing.borrow_mut().get_or_insert(error);
        }
        (again, gone)
    }

    /// Takes the users of whom a second listing decides, in the order of their ids.
    fn take_open(&self) -> Vec<(String, State)> {
        let mut states = self.states.borrow_mut();
        let is_open = |state: &State| matches!(state, State::Unconfirmed(_) | State::NotFound(_));
        let mut open: Vec<_> = states.extract_if(|_, state| is_open(state)).collect();
        open.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        open
    }

    /// Ends when the time for reads is up, or when reads are stopped.
    async fn end_of_reads(&self) {
        let _ = timeout_at(self.evaluator.account.ends.reads, self.stop.notified()).await;
    }

    /// Stops reads, because their results cannot be delivered.
    pub(crate) fn stop(&self) {
        self.stopped.set(true);
        self.stop.notify_one();
    }

    /// What is missing after all reads, with whether each denied action is granted for others.
    pub(crate) async fn finish(self) -> Unread {
        let Evaluator { account, metrics, .. } = self.evaluator;
        let (states, listing) = (self.states.into_inner(), self.listing.into_inner());
        let mut unread = Unread::of(states, listing, self.stopped.get(), &metrics.known_shielded);
        unread.exposure = self.exposed.into_inner().and_then(|exposed| exposed.broken_off);
        let (mut granted, readable) = (self.granted.into_inner(), self.readable.into_inner());
        for action in unread.denied() {
            let subjects = granted.remove(action).unwrap_or_else(|| match action {
                // It asks about keys.
                GET_ACCESS_KEY_LAST_USED => Vec::new(),
                _ => readable.clone(),
            });
            unread.control(action, control(account, action, &subjects).await);
        }
        metrics.unknown(unread.users_unknown());
        unread
    }

    fn set(&self, id: &str, state: State) {
        self.states.borrow_mut().insert(id.to_owned(), state);
    }

    fn grant(&self, action: &'static str, subject: &str) {
        some(self.granted.borrow_mut().entry(action).or_default(), subject);
    }
}

/// What arrives on a channel.
pub(crate) fn received<T>(mut receiver: UnboundedReceiver<T>) -> impl Stream<Item = T> {
    stream::poll_fn(move |context| receiver.poll_recv(context))
}

/// Keeps the first few.
fn some(subjects: &mut Vec<String>, subject: &str) {
    if subjects.len() < CONTROLS {
        subjects.push(subject.to_owned());
    }
}
