//! The progress of a scan: a bar on a terminal, nothing elsewhere.

use crate::output::messages::{self, Level, detail};
use access_key_rotation::metrics::Metrics;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use policy::text::count;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

const TICK: Duration = Duration::from_millis(200);

/// A bar, which hides itself if standard error is not a terminal, or has something else to show.
pub(crate) fn bar(length: usize) -> ProgressBar {
    if messages::is(Level::Usual) { ProgressBar::new(length as u64) } else { ProgressBar::hidden() }
}

/// Counts finished accounts and evaluated users.
pub(crate) struct Progress {
    /// Hides itself if standard error is not a terminal.
    bar: ProgressBar,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    running: BTreeMap<String, Arc<Metrics>>,
    failed: usize,
    users: u64,
}

impl Progress {
    /// The progress of a scan of this number of accounts.
    pub(crate) fn of(accounts: usize) -> Progress {
        let template = match accounts {
            1 => "{spinner} {elapsed}, {msg}",
            _ => "{bar:30} {pos} of {len} accounts, {msg}",
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar(accounts).with_style(style);
        Progress { bar, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the start of an account's scan, and the metrics that count its users.
    pub(crate) fn started(&self, account: &str, metrics: &Arc<Metrics>) {
        detail(&format!("{account}: begins"));
        self.state().running.insert(account.to_owned(), Arc::clone(metrics));
    }

    /// Records the end of an account's scan, and its number of users.
    pub(crate) fn done(&self, account: &str, users: usize, failed: bool) {
        let incomplete = if failed { ", incomplete" } else { "" };
        detail(&format!("{account}: ends, {} evaluated{incomplete}", count(users, "user")));
        let mut state = self.state();
        state.running.remove(account);
        state.failed += usize::from(failed);
        state.users += users as u64;
        self.bar.inc(1);
    }

    /// Shows the bar until the work is done, then clears it, since the output may go to the same terminal.
    pub(crate) async fn shown_during<T>(&self, work: impl Future<Output = T>) -> T {
        let mut ticks = tokio::time::interval(TICK);
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                result = &mut work => break result,
                _ = ticks.tick(), if !self.bar.is_hidden() => {
                    self.bar.set_message(self.message());
                    self.bar.tick();
                }
            }
        };
        self.bar.finish_and_clear();
        result
    }

    fn message(&self) -> String {
        let state = self.state();
        let users = state.users + state.running.values().map(|metrics| metrics.evaluated()).sum::<u64>();
        let failed = if state.failed > 0 { format!(", {} incomplete", state.failed) } else { String::new() };
        // An estimate from finished accounts. Before the first one, and with one account, there is nothing to estimate from.
        let left = match self.bar.position() {
            0 => String::new(),
            _ => format!(", {:#} left", HumanDuration(self.bar.eta())),
        };
        format!("{} evaluated{failed}{left}", count(usize::try_from(users).unwrap_or(usize::MAX), "user"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_said_from_the_first_finished_account_on() {
        let progress = Progress::of(3);
        progress.started("111122223333", &Arc::default());
        assert_eq!(progress.message(), "0 users evaluated");
        progress.done("111122223333", 7, true);
        let message = progress.message();
        assert!(message.starts_with("7 users evaluated, 1 incomplete, ") && message.ends_with(" left"), "{message}");
    }
}
