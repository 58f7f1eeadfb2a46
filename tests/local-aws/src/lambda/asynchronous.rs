//! Lambda's queue of asynchronous invocations: who waits for how long, and who is given up.
//!
//! Source: "How Lambda handles errors and retries with asynchronous invocation" in the Lambda developer guide. It says how long a
//! throttled event waits ("exponentially from 1 second ... to a maximum of 5 minutes"), but not whether waits are random. It also says
//! that Lambda waits longer if the queue is long; that is left out, since no number is given.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use fastrand::Rng;
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep_until};

/// The settings of the queue.
#[derive(Clone, Debug)]
pub struct AsyncInvocation {
    /// `MaximumRetryAttempts`: how often an event is tried again after an error of the function.
    pub retries: u32,
    /// The wait before the first such retry. Before the second, it is twice as long.
    pub retry_after: Duration,
    /// `MaximumEventAgeInSeconds`
    pub longest_age: Duration,
    /// How events wait that find no free execution environment.
    pub waiting: Waiting,
}

/// How events wait that find no free execution environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// In line: as soon as an environment is free, the next event starts. Nothing is throttled.
    InLine,
    /// The event is throttled, and tries again after a wait, which doubles from the first time to the longest.
    BackOff {
        /// The first wait.
        first: Duration,
        /// The longest wait.
        longest: Duration,
        /// Whether each wait is a random time from half of it to the whole.
        random: bool,
    },
}

impl AsyncInvocation {
    /// What `templates/hub.yaml` sets, with AWS's own wait before a retry.
    pub fn of_the_template(waiting: Waiting) -> AsyncInvocation {
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        AsyncInvocation { retries: 2, retry_after: minutes(1), longest_age: minutes(360), waiting }
    }
}

impl Waiting {
    /// AWS's waits.
    pub fn back_off(random: bool) -> Waiting {
        Waiting::BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(300), random }
    }
}

/// What CloudWatch would show. Times count from the arrival of the events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AsyncMetrics {
    /// `Throttles`: when each attempt was throttled.
    pub throttles: Vec<Duration>,
    /// `Errors`: when each invocation that failed began.
    pub errors: Vec<Duration>,
    /// `AsyncEventAge`: the longest that an event had waited when it was tried.
    pub oldest: Duration,
    /// `AsyncEventsDropped`: the numbers of the events that were given up.
    pub dropped: Vec<usize>,
    /// How many invocations succeeded.
    pub successes: usize,
    /// When the last of them ended.
    pub last_success: Duration,
}

/// Events that all arrive at the time zero.
struct Queue<'a> {
    settings: &'a AsyncInvocation,
    events: Vec<Event>,
    /// When an event is to be tried, and its number.
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    /// The numbers of the environments that are free.
    free: Vec<usize>,
    rng: Rng,
    metrics: AsyncMetrics,
}

#[derive(Clone, Copy, Default)]
struct Event {
    throttles: u32,
    failures: u32,
    began: Duration,
}

impl Queue<'_> {
    fn new(settings: &AsyncInvocation, events: usize, environments: usize) -> Queue<'_> {
        Queue {
            settings,
            events: vec![Event::default(); events],
            due: (0..events).map(|event| Reverse((Duration::ZERO, event))).collect(),
            free: (0..environments).collect(),
            rng: Rng::with_seed(0),
            metrics: AsyncMetrics::default(),
        }
    }

    /// The next time at which an event is tried, unless an invocation ends before.
    fn next(&self) -> Option<Duration> {
        let in_line = self.settings.waiting == Waiting::InLine && self.free.is_empty();
        self.due.peek().filter(|_| !in_line).map(|Reverse((time, _))| *time)
    }

    /// An event that starts now, and its environment. All other events that are due go back to the queue, or are given up.
    fn start(&mut self, now: Duration) -> Option<(usize, usize)> {
        while self.next().is_some_and(|time| time <= now) {
            let Reverse((_, number)) = self.due.pop()?;
            let event = &mut self.events[number];
            self.metrics.oldest = self.metrics.oldest.max(now);
            if now > self.settings.longest_age {
                self.metrics.dropped.push(number);
            } else if let Some(environment) = self.free.pop() {
                event.began = now;
                return Some((number, environment));
            } else if let Waiting::BackOff { first, longest, random } = self.settings.waiting {
                let wait = first.saturating_mul(1 << event.throttles.min(20)).min(longest);
                let share = if random { 0.5 + self.rng.f64() / 2.0 } else { 1.0 };
                // It is given up when it is too old, not only at its next attempt.
                let end = self.settings.longest_age + Duration::from_millis(1);
                event.throttles += 1;
                self.metrics.throttles.push(now);
                self.due.push(Reverse(((now + wait.mul_f64(share)).min(end), number)));
            }
        }
        None
    }

    fn end(&mut self, (number, environment): (usize, usize), now: Duration, succeeded: bool) {
        self.free.push(environment);
        if succeeded {
            self.metrics.successes += 1;
            self.metrics.last_success = now;
            return;
        }
        let event = &mut self.events[number];
        event.failures += 1;
        self.metrics.errors.push(event.began);
        if event.failures > self.settings.retries {
            self.metrics.dropped.push(number);
        } else {
            self.due.push(Reverse((now + self.settings.retry_after * event.failures, number)));
        }
    }
}

/// Invokes a function for so many events, by tokio's clock. `invoke` gets the number of the event and a free environment, and says
/// whether the function succeeded.
pub async fn run<E>(
    settings: &AsyncInvocation,
    events: usize,
    environments: &[E],
    invoke: impl AsyncFn(usize, &E) -> bool,
) -> AsyncMetrics {
    let started = Instant::now();
    let mut queue = Queue::new(settings, events, environments.len());
    let mut running = FuturesUnordered::new();
    loop {
        while let Some(run) = queue.start(started.elapsed()) {
            let invocation = invoke(run.0, &environments[run.1]);
            running.push(async move { (run, invocation.await) });
        }
        let next = queue.next();
        // The order of a random choice would differ from one run to the next.
        tokio::select! {
            biased;
            Some((run, succeeded)) = running.next() => queue.end(run, started.elapsed(), succeeded),
            () = sleep_until(started + next.unwrap_or_default()), if next.is_some() => {}
            else => return queue.metrics,
        }
    }
}

/// The same in no time, for invocations of which it is known how long they take. `invoke` gets the number of the event and how
/// often it has failed, and says whether the function succeeds.
pub fn simulate(
    settings: &AsyncInvocation,
    events: usize,
    environments: usize,
    invoke: impl Fn(usize, u32) -> (Duration, bool),
) -> AsyncMetrics {
    let mut queue = Queue::new(settings, events, environments);
    let mut running = BinaryHeap::new();
    let mut now = Duration::ZERO;
    loop {
        while let Some(run) = queue.start(now) {
            let (takes, succeeded) = invoke(run.0, queue.events[run.0].failures);
            running.push(Reverse((now + takes, run, succeeded)));
        }
        let ends = running.peek().map(|Reverse((end, ..))| *end);
        match (ends, queue.next()) {
            (None, None) => return queue.metrics,
            (Some(end), next) if next.is_none_or(|next| end <= next) => {
                now = end;
                if let Some(Reverse((_, run, succeeded))) = running.pop() {
                    queue.end(run, now, succeeded);
                }
            }
            (_, next) => now = next.unwrap_or(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    fn seconds(seconds: &[u64]) -> Vec<Duration> {
        seconds.iter().map(|seconds| Duration::from_secs(*seconds)).collect()
    }

    #[test]
    fn a_throttled_event_tries_again_after_waits_that_double() {
        let settings = AsyncInvocation::of_the_template(Waiting::back_off(false));
        let metrics = simulate(&settings, 2, 1, |_, _| (TEN, true));
        assert_eq!(metrics.throttles, seconds(&[0, 1, 3, 7]));
        let oldest = Duration::from_secs(15);
        let expected = AsyncMetrics { oldest, successes: 2, last_success: oldest + TEN, ..metrics.clone() };
        assert_eq!(metrics, expected);
    }

    #[test]
    fn random_waits_are_as_long_at_most() {
        let settings = AsyncInvocation::of_the_template(Waiting::back_off(true));
        let metrics = simulate(&settings, 2, 1, |_, _| (Duration::from_secs(3600), true));
        let waits: Vec<_> = metrics.throttles.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(waits.len() > 12 && metrics.successes == 2);
        for (n, wait) in (0..).zip(waits) {
            let whole = Duration::from_secs(1 << n.min(20)).min(Duration::from_secs(300));
            assert!(wait >= whole / 2 && wait <= whole, "{n}: {wait:?}");
        }
    }

    #[test]
    fn an_event_in_line_starts_when_another_ends() {
        let settings = AsyncInvocation::of_the_template(Waiting::InLine);
        let metrics = simulate(&settings, 5, 2, |_, _| (TEN, true));
        let expected = AsyncMetrics { oldest: TEN * 2, successes: 5, last_success: TEN * 3, ..AsyncMetrics::default() };
        assert_eq!(metrics, expected);
    }

    #[test]
    fn a_failed_event_is_tried_twice_more_and_given_up() {
        let settings = AsyncInvocation::of_the_template(Waiting::back_off(false));
        let metrics = simulate(&settings, 2, 2, |event, failures| (TEN, event == 0 && failures == 1));
        assert_eq!(metrics.errors, seconds(&[0, 0, 70, 200]));
        assert_eq!((metrics.dropped, metrics.successes, metrics.last_success), (vec![1], 1, TEN * 8));
    }

    #[test]
    fn an_event_that_is_too_old_is_given_up() {
        let settings = AsyncInvocation::of_the_template(Waiting::back_off(false));
        let metrics = simulate(&settings, 2, 1, |_, _| (Duration::from_secs(7 * 3600), true));
        assert_eq!((metrics.dropped, metrics.successes), (vec![1], 1));
        assert_eq!(metrics.oldest.as_secs(), 6 * 3600);
    }

    #[tokio::test(start_paused = true)]
    async fn each_environment_has_one_event_at_a_time() {
        let settings = AsyncInvocation::of_the_template(Waiting::back_off(true));
        let environments = [tokio::sync::Mutex::new(()), tokio::sync::Mutex::new(())];
        let metrics = run(&settings, 20, &environments, async |_, environment| {
            let _alone = environment.try_lock().unwrap();
            tokio::time::sleep(TEN).await;
            true
        })
        .await;
        assert_eq!((metrics.successes, metrics.dropped.len(), metrics.errors.len()), (20, 0, 0));
        assert!(!metrics.throttles.is_empty());
    }
}
