//! The function beside what others use: a rule on rdklib, Cloud Custodian, and Prowler. Prints the table of the manual. Each sweep is a
//! new process on the same users, and each answer of AWS takes 30 ms.
//!
//! `cargo bench --profile dev --bench peers`, or with other numbers of users: `… --bench peers -- 100 500`, or only with the peers
//! whose names contain a word: `… --bench peers -- prowler 1000`. Installs their pinned packages in `target/peers`. Prowler's are
//! many, and it takes at least 15 minutes to read 5,000 users.

#![allow(
    clippy::disallowed_methods,
    clippy::cast_possible_wrap,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    reason = "a measurement that cannot go on ends"
)]

use chrono::{TimeDelta, Utc};
use deployment::{RULE, deploy, function_arn};
use local_aws::{
    Credentials, Fault, FaultKind, KeyStatus, LocalAws, REGION, World, events,
    lambda::{Function, FunctionConfig},
};
use programs::{build, start};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::process::Command;

const ACCOUNT: &str = "111122223333";
const EXEMPT: &str = "user-0050";
const SWITCHED: &str = "user-0100";
const MEBIBYTE: f64 = 1024.0 * 1024.0;
const CHECK: &str = "iam_rotate_access_key_90_days";
const BENCHES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const OUTPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers");

/// What decides on the keys.
#[derive(Clone, Copy, PartialEq)]
enum Peer {
    Function,
    Rdklib,
    /// Cloud Custodian with this policy.
    Custodian(&'static str),
    Prowler,
}

/// What one sweep cost: seconds, seconds of processor, and bytes.
struct Cost(f64, f64, f64);

impl Peer {
    fn name(self) -> &'static str {
        match self {
            Peer::Function => "This function",
            Peer::Rdklib => "A rule on rdklib",
            Peer::Custodian("report") => "Cloud Custodian, credential report",
            Peer::Custodian(_) => "Cloud Custodian, keys",
            Peer::Prowler => "Prowler",
        }
    }

    /// Its virtual environment and its pinned packages, if it has any. Prowler pins other versions of what the others need.
    fn packages(self) -> Option<(&'static str, &'static str)> {
        match self {
            Peer::Function => None,
            Peer::Rdklib | Peer::Custodian(_) => Some(("venv", "requirements.txt")),
            Peer::Prowler => Some(("prowler", "prowler.txt")),
        }
    }

    /// Runs one sweep from the start of the process. Returns its cost, and the names of the users whom it reports.
    async fn sweep(self, aws: &LocalAws, credentials: &Credentials) -> (Cost, BTreeSet<String>) {
        match self {
            Peer::Function | Peer::Rdklib => {
                let event = events::scheduled(&mut aws.world(), ACCOUNT, RULE, self.parameters());
                let binary = build().unwrap();
                let started = Instant::now();
                let function = match self {
                    Peer::Function => start(aws.endpoint(), ACCOUNT, credentials, binary, &[]).await,
                    _ => Function::start(rdklib(aws, credentials)).await,
                };
                let function = function.unwrap();
                let response = function.invoke(event.to_string().as_bytes()).await.unwrap();
                let seconds = started.elapsed().as_secs_f64();
                // rdklib returns errors instead of failing.
                assert!(response.get("customerErrorCode").is_none(), "{response}\n{}", function.logs());
                let processor = function.processor_time().unwrap().as_secs_f64();
                (Cost(seconds, processor, function.peak_resident_bytes().unwrap() as f64), non_compliant(aws))
            }
            Peer::Custodian(policy) => {
                let output = format!("{OUTPUT}/{policy}");
                let file = format!("{BENCHES}/{policy}.yml");
                let custodian = format!("{OUTPUT}/venv/bin/custodian");
                let run = [&custodian, "run", "--cache-period", "0", "--region", REGION, "-s", &output, &file];
                let cost = measure(aws, credentials, &run).await;
                let found: Vec<Value> = read(Path::new(&format!("{output}/stale-keys-by-{policy}/resources.json")));
                (cost, found.iter().map(|user| user["UserName"].as_str().unwrap().to_owned()).collect())
            }
            Peer::Prowler => {
                let output = format!("{OUTPUT}/findings");
                let file = format!("{output}/keys.csv");
                // Prowler adds to a file that exists.
                let _ = fs::remove_file(&file);
                let (prowler, muted) = (format!("{OUTPUT}/prowler/bin/prowler"), format!("{BENCHES}/mutelist.yml"));
                let check = [&prowler, "aws", "--region", REGION, "--checks", CHECK, "--mutelist-file", &muted];
                let written = ["--output-formats", "csv", "--output-directory", &output, "--output-filename", "keys"];
                let run = [&check[..], &written, &["--ignore-exit-code-3"]].concat();
                (measure(aws, credentials, &run).await, failed(&file))
            }
        }
    }

    fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // The local AWS has no endpoint of the name that rdklib assumes a role at, so the rule uses its own credentials.
            Peer::Rdklib => &[("ExemptUsers", EXEMPT), ("AssumeRoleMode", "False")],
            _ => &[],
        }
    }
}

fn environment(aws: &LocalAws, credentials: &Credentials) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", aws.endpoint().as_str()),
        ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", credentials.session_token.as_deref().unwrap_or_default()),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", OUTPUT),
        ("PATH", &format!("{OUTPUT}/venv/bin:/usr/local/bin:/usr/bin:/bin")),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The rule of `peers/rule.py` as a Lambda function.
fn rdklib(aws: &LocalAws, credentials: &Credentials) -> FunctionConfig {
    FunctionConfig {
        binary: PathBuf::from(format!("{BENCHES}/bootstrap.py")),
        arn: function_arn(ACCOUNT),
        timeout: Duration::from_secs(900),
        env: [environment(aws, credentials), vec![("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned())]].concat(),
    }
}

/// Runs a command, which must succeed.
async fn measure(aws: &LocalAws, credentials: &Credentials, command: &[&str]) -> Cost {
    let output = Command::new("python3")
        .arg(format!("{BENCHES}/measure.py"))
        .args(command)
        .env_clear()
        .envs(environment(aws, credentials))
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let [seconds, processor, bytes] = serde_json::from_slice(&output.stdout).unwrap();
    Cost(seconds, processor, bytes)
}

fn read(path: &Path) -> Vec<Value> {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The users of Prowler's findings that are neither passed nor muted.
fn failed(file: &str) -> BTreeSet<String> {
    let mut findings = csv::ReaderBuilder::new().delimiter(b';').from_path(file).unwrap();
    let findings = findings.deserialize().map(|finding| finding.unwrap());
    findings
        .filter(|finding: &BTreeMap<String, String>| finding["STATUS"] == "FAIL" && finding["MUTED"] == "False")
        .map(|finding| finding["RESOURCE_UID"].rsplit('/').next().unwrap().to_owned())
        .collect()
}

/// The users whom the Config rule holds as in violation.
fn non_compliant(aws: &LocalAws) -> BTreeSet<String> {
    let mut world = aws.world();
    let account = world.account(ACCOUNT);
    let results = account.results(RULE);
    let violates = |id| results.get(id).is_some_and(|result| result.compliance.as_str() == "NON_COMPLIANT");
    account.users().filter(|user| violates(&user.id)).map(|user| user.name.clone()).collect()
}

/// An account with old users, each with a key. Every hundredth key is stale; somebody switched one of them off and on. One more is
/// stale and its user is exempt. Returns the names of those whom a sweep should report.
fn populate(world: &mut World, users: usize) -> BTreeSet<String> {
    let account = world.account(ACCOUNT);
    let name = |n: usize| format!("user-{n:04}");
    let age = |n| if n % 100 == 0 || name(n) == EXEMPT { 120 } else { 10 };
    account.populate(Utc::now(), users, age).unwrap();
    if let Some(switched) = account.user(SWITCHED) {
        let key = switched.keys[0].id.clone();
        account.set_key_status(SWITCHED, &key, KeyStatus::Inactive);
        account.set_key_status(SWITCHED, &key, KeyStatus::Active);
    }
    let until = (Utc::now() + TimeDelta::days(30)).format("%Y-%m-%d").to_string();
    account.tag_user(EXEMPT, "access-key-rotation:exempt-until", &until);
    account.tag_user(EXEMPT, "access-key-rotation:exempt-owner", "team-a");
    (0..users).step_by(100).map(name).collect()
}

/// Runs a first and a later sweep, and prints a row for each.
async fn compare(peer: Peer, users: usize) {
    let mut world = World::live_clock();
    let credentials = deploy(&mut world, ACCOUNT, &[]);
    let stale = populate(&mut world, users);
    let kind = FaultKind::Latency(Duration::from_millis(30));
    world.faults.add(Fault { account: None, action: None, user: None, kind });
    let aws = LocalAws::start(world).await.unwrap();
    for sweep in ["first", "later"] {
        aws.world().clear_calls();
        let (Cost(seconds, processor, bytes), found) = peer.sweep(&aws, &credentials).await;
        let calls = aws.world().calls().len();
        let list = |names: Vec<&String>, what| {
            if names.is_empty() {
                String::new()
            } else {
                format!("; {what} {}", names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
        };
        let missed = list(stale.difference(&found).collect(), "misses");
        let wrong = list(found.difference(&stale).collect(), "wrongly reports");
        let name = peer.name();
        println!(
            "| {users} | {name} | {sweep} | {calls} | {seconds:.1} s | {processor:.2} s | {:.0} MiB | {} of {}{missed}{wrong} |",
            bytes / MEBIBYTE,
            found.intersection(&stale).count(),
            stale.len(),
        );
    }
}

/// Installs packages in a virtual environment, unless they are there.
async fn install((name, requirements): (&str, &str)) {
    let run = async |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).status().await.unwrap();
        assert!(status.success(), "{program} {arguments:?}: {status}");
    };
    let venv = format!("{OUTPUT}/{name}");
    let python = format!("{venv}/bin/python");
    if !Path::new(&python).exists() {
        run("python3", &["-m", "venv", &venv]).await;
    }
    let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    run(&python, &[&quiet[..], &[&format!("{BENCHES}/{requirements}")]].concat()).await;
}

/// A line on what was measured and where: the peers' versions, the processors, and how busy they are.
fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let load = read("/proc/loadavg");
    let pinned = ["requirements.txt", "prowler.txt"].map(|file| read(&format!("{BENCHES}/{file}"))).concat();
    let is_peer = |line: &&str| ["rdklib=", "c7n=", "prowler="].iter().any(|peer| line.starts_with(peer));
    let pinned: Vec<_> = pinned.lines().filter(is_peer).collect();
    format!(
        "{}, {}, {} x {}, load {} at the start",
        Utc::now().format("%Y-%m-%d"),
        pinned.join(", "),
        std::thread::available_parallelism().unwrap(),
        model.map_or("unknown processor", |(_, model)| model),
        load.split(' ').next().unwrap_or_default(),
    )
}

#[tokio::main]
async fn main() {
    // Cargo adds options of its own.
    let arguments: Vec<_> = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let counts: Vec<usize> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![1000, 5000] } else { counts };
    let words: Vec<_> = arguments.iter().filter(|argument| argument.parse::<usize>().is_err()).collect();
    let named = |peer: &Peer| words.iter().any(|word| peer.name().to_lowercase().contains(&word.to_lowercase()));
    let mut peers =
        vec![Peer::Function, Peer::Rdklib, Peer::Custodian("report"), Peer::Custodian("keys"), Peer::Prowler];
    peers.retain(|peer| words.is_empty() || named(peer));
    assert!(!peers.is_empty(), "no peer has a name with {words:?} in it");
    for packages in peers.iter().filter_map(|peer| peer.packages()).collect::<BTreeSet<_>>() {
        install(packages).await;
    }
    build().unwrap();
    println!("{}\n", machine());
    println!("| Users | | Sweep | AWS calls | Time | Processor | Memory | Stale keys found |");
    println!("|---|---|---|---|---|---|---|---|");
    for users in counts {
        for peer in &peers {
            compare(*peer, users).await;
        }
    }
}
