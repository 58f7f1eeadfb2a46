//! An organization whose schedules all arrive at once: how long the function takes, what Lambda's queue does with the events, and which
//! alarms of `templates/hub.yaml` fire. Prints the table of the manual.
//!
//! `cargo bench --profile dev --bench at_once --config 'profile.dev.package.local-aws.opt-level=2'`, or with other numbers of accounts
//! and users: `… -- 100 200`.
//!
//! Real: for each account one invocation of the release binary, 20 processes at a time, over HTTP, with IAM's throttling in each
//! account. Modelled: the waits of Lambda's queue, which take hours, with the measured times of the invocations
//! (`local_aws::lambda::asynchronous`).

#![allow(
    clippy::disallowed_methods,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that cannot go on ends"
)]

use chrono::Utc;
use deployment::{RULE, deploy};
use local_aws::{
    Fault, FaultKind, LocalAws, Outcome, World, events,
    lambda::{
        Function,
        asynchronous::{AsyncInvocation, AsyncMetrics, Waiting, run, simulate},
    },
};
use programs::{build, start};
use std::{
    env, fs,
    sync::Mutex,
    time::{Duration, Instant},
};

const HUB: &str = "111122223333";
/// How many processes run at a time, as with `ReservedConcurrency=20`.
const PROCESSES: usize = 20;
const LATENCY: Duration = Duration::from_millis(30);
/// AWS does not publish the rates of IAM. This is low: a sweep of 200 users takes ten seconds because of it.
const READS_PER_SECOND: f64 = 20.0;
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// An attempt at an event: how long it took, and whether it succeeded.
type Attempt = (Duration, bool);

struct Organization {
    aws: LocalAws,
    accounts: Vec<String>,
    users: usize,
    credentials: local_aws::Credentials,
}

impl Organization {
    async fn start(accounts: usize, users: usize) -> Organization {
        let accounts: Vec<_> = (0..accounts).map(|n| format!("{:012}", 600_000_000_000 + n)).collect();
        let mut world = World::live_clock();
        let credentials = deploy(&mut world, HUB, &accounts.iter().map(String::as_str).collect::<Vec<_>>());
        let fault = |account: Option<&String>, action: Option<&str>, kind| Fault {
            account: account.cloned(),
            action: action.map(str::to_owned),
            user: None,
            kind,
        };
        world.faults.add(fault(None, None, FaultKind::Latency(LATENCY)));
        for id in &accounts {
            // Every hundredth key is stale.
            world
                .account(id)
                .populate(Utc::now(), users, |n| if n % 100 == 0 { 120 } else { (n % 85) as i64 })
                .unwrap();
            let kind = FaultKind::TokenBucket { per_second: READS_PER_SECOND, burst: READS_PER_SECOND };
            world.faults.add(fault(Some(id), Some("ListAccessKeys"), kind));
        }
        let aws = LocalAws::start(world).await.unwrap();
        Organization { aws, accounts, users, credentials }
    }

    /// Sweeps every account with the release binary, and prints what that took. Returns each account's attempts.
    async fn sweep(&self, sweep: &str) -> Vec<Vec<Attempt>> {
        let mut functions: Vec<Function> = Vec::new();
        for _ in 0..PROCESSES.min(self.accounts.len()) {
            let function = start(self.aws.endpoint(), HUB, &self.credentials, build().unwrap(), &[]);
            functions.push(function.await.unwrap());
        }
        self.aws.world().clear_calls();
        let attempts: Vec<_> = self.accounts.iter().map(|_| Mutex::new(Vec::new())).collect();
        let settings = AsyncInvocation::of_the_template(Waiting::InLine);
        let metrics = run(&settings, self.accounts.len(), &functions, async |account, function| {
            let event = events::scheduled(&mut self.aws.world(), &self.accounts[account], RULE, &[]).to_string();
            let started = Instant::now();
            let outcome = function.invoke(event.as_bytes()).await;
            attempts[account].lock().unwrap().push((started.elapsed(), outcome.is_ok()));
            outcome.is_ok()
        })
        .await;
        let attempts: Vec<_> = attempts.into_iter().map(|attempts| attempts.into_inner().unwrap()).collect();
        self.report(sweep, &metrics, &attempts, &functions);
        attempts
    }

    fn report(&self, sweep: &str, metrics: &AsyncMetrics, attempts: &[Vec<Attempt>], functions: &[Function]) {
        let mut times: Vec<_> = attempts.iter().flatten().map(|(took, _)| took.as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        let world = self.aws.world();
        let calls = world.calls().len();
        let throttling = Outcome::Error("Throttling".to_owned());
        let throttled = world.calls().iter().filter(|call| call.outcome == throttling).count();
        let processor: Duration = functions.iter().map(|function| function.processor_time().unwrap()).sum();
        let memory = functions.iter().map(|function| function.peak_resident_bytes().unwrap()).max().unwrap_or_default();
        drop(world);
        let (results, wrong) = self.results();
        println!(
            "| {sweep} | {:.0} s | {:.1} s, at most {:.1} s | {} | {calls}, of which IAM throttled {throttled} | {:.0} s | {:.0} MiB | \
             {results} of {}, {wrong} wrong |",
            metrics.last_success.as_secs_f64(),
            times[times.len() / 2],
            times[times.len() - 1],
            metrics.errors.len(),
            processor.as_secs_f64(),
            memory as f64 / MEBIBYTE,
            self.accounts.len() * self.users
        );
    }

    /// How many results AWS Config holds, and how many of them are not those of [`populate`].
    fn results(&self) -> (usize, usize) {
        let mut world = self.aws.world();
        let (mut results, mut wrong) = (0, 0);
        for id in &self.accounts {
            let account = world.account(id);
            for (n, user) in account.users().enumerate() {
                let expected = if n % 100 == 0 { "NON_COMPLIANT" } else { "COMPLIANT" };
                if let Some(result) = account.results(RULE).get(&user.id) {
                    results += 1;
                    wrong += usize::from(result.compliance.as_str() != expected);
                }
            }
        }
        (results, wrong)
    }
}

/// The alarms that fire, by the thresholds of `templates/hub.yaml`. CloudWatch's periods are counted from the arrival of the events.
fn alarms(metrics: &AsyncMetrics) -> String {
    let periods: Vec<_> = metrics.throttles.iter().map(|time| time.as_secs() / 600).collect();
    let throttled_for_an_hour = periods.iter().any(|first| (*first..first + 6).all(|period| periods.contains(&period)));
    let alarms = [
        ("errors", !metrics.errors.is_empty()),
        ("throttles", throttled_for_an_hour),
        ("async-event-age", metrics.oldest > Duration::from_secs(7200)),
        ("failed-events", !metrics.dropped.is_empty()),
    ];
    let firing: Vec<_> = alarms.iter().filter(|(_, fires)| *fires).map(|(name, _)| format!("`{name}`")).collect();
    if firing.is_empty() { "none".to_owned() } else { firing.join(", ") }
}

/// Prints a row for each kind of wait, with the attempts that were measured.
fn model(sweep: &str, concurrency: usize, attempts: &[Vec<Attempt>]) {
    for (waits, waiting) in [
        ("in line", Waiting::InLine),
        ("1 s to 5 min, random", Waiting::back_off(true)),
        ("1 s to 5 min, the same for all", Waiting::back_off(false)),
    ] {
        let settings = AsyncInvocation::of_the_template(waiting);
        let attempt = |event: usize, failures: u32| attempts[event][failures as usize];
        let metrics = simulate(&settings, attempts.len(), concurrency, attempt);
        println!(
            "| {sweep} | {concurrency} | {waits} | {} of {} | {} | {} | {} | {} |",
            metrics.successes,
            attempts.len(),
            minutes(metrics.last_success),
            minutes(metrics.oldest),
            metrics.throttles.len(),
            alarms(&metrics),
        );
    }
}

fn minutes(time: Duration) -> String {
    format!("{:.1} min", time.as_secs_f64() / 60.0)
}

/// The day, the processors, and how busy they are.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    format!(
        "{}, {} x {}, load {}",
        Utc::now().format("%Y-%m-%d"),
        std::thread::available_parallelism().unwrap(),
        model.map_or("unknown processor", |(_, model)| model),
        read("/proc/loadavg").split(' ').next().unwrap_or_default(),
    )
}

#[tokio::main]
async fn main() {
    build().unwrap();
    let numbers: Vec<usize> = env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (accounts, users) = if let [accounts, users] = numbers[..] { (accounts, users) } else { (1000, 200) };
    println!("{accounts} accounts of {users} users, {} processes; {}\n", PROCESSES.min(accounts), machine());
    let organization = Organization::start(accounts, users).await;
    println!("| Sweep | Time | One account | Errors | AWS calls | Processor | Memory of a process | Results |");
    println!("|---|---|---|---|---|---|---|---|");
    let first = organization.sweep("first").await;
    let later = organization.sweep("later").await;
    println!("\nLambda's queue:\n");
    println!(
        "| Sweep | Concurrency | Waits of throttled events | Accounts evaluated | Last result | Oldest event | Throttles | Alarms |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    for (sweep, attempts) in [("first", first), ("later", later)] {
        for concurrency in [20, 5] {
            model(sweep, concurrency, &attempts);
        }
    }
}
