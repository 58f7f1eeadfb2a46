//! The histories of a simulation, each made by chance from its seed: as many as a test wants, those of some seconds
//! (`SIMULATE_SECONDS`), or the one that failed (`SIMULATE_SEED`).

use std::{
    env,
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// Says which history failed.
struct Replay<'a> {
    seed: u64,
    failed: &'a AtomicBool,
}

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.failed.store(true, Relaxed);
            println!("To repeat this history: SIMULATE_SEED={} tests/run simulate", self.seed);
        }
    }
}

/// Runs histories on all processors until one fails, and says how many there were.
pub(crate) fn each_history(number: u64, run: impl Fn(u64) + Sync) {
    let variable = |name| env::var(name).ok().map(|value| value.parse::<u64>().expect("a number"));
    let (only, seconds) = (variable("SIMULATE_SEED"), variable("SIMULATE_SECONDS"));
    #[expect(clippy::disallowed_methods, reason = "seeds that no run had before")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
    let (first, most) = match (only, seconds) {
        (Some(seed), _) => (seed, 1),
        (None, Some(_)) => (now.as_secs() * 1_000_000, u64::MAX),
        (None, None) => (0, number),
    };
    let end = seconds.filter(|_| only.is_none()).map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let work = || {
        while !failed.load(Relaxed) && end.is_none_or(|end| Instant::now() < end) {
            let history = next.fetch_add(1, Relaxed);
            if history >= most {
                break;
            }
            let _replay = Replay { seed: first + history, failed: &failed };
            run(first + history);
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    println!("{} histories from seed {first}", next.load(Relaxed).min(most));
}
