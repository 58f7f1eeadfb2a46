//! The tools, and how each of them runs.

use crate::{
    ACCOUNT,
    population::{EXEMPT, Population},
};
use deployment::{RULE, function_arn};
use local_aws::{
    REGION, events,
    lambda::{Function, FunctionConfig},
};
use programs::{build, build_released_command_line, start};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::process::Command;

const CHECK: &str = "iam_rotate_access_key_90_days";
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers");
const OUTPUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers");

/// What decides on the keys.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Tool {
    Rule,
    Scan,
    Rdklib,
    /// Cloud Custodian with this policy.
    Custodian(&'static str),
    Prowler,
}

pub(crate) const TOOLS: [Tool; 6] =
    [Tool::Rule, Tool::Scan, Tool::Rdklib, Tool::Custodian("keys"), Tool::Custodian("report"), Tool::Prowler];

/// What a run cost: seconds, seconds of processor, and bytes.
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    pub(crate) processor: f64,
    pub(crate) bytes: f64,
}

pub(crate) struct Run {
    pub(crate) cost: Cost,
    /// The names of the users whom it reports.
    pub(crate) found: BTreeSet<String>,
    /// Whether it tells that it could not read something: by its exit status, an invocation that fails, or the metric that an
    /// alarm watches.
    pub(crate) tells: bool,
}

impl Tool {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Tool::Rule => "this rule",
            Tool::Scan => "`scan`",
            Tool::Rdklib => "a rule on rdklib",
            Tool::Custodian("report") => "Cloud Custodian, report",
            Tool::Custodian(_) => "Cloud Custodian, keys",
            Tool::Prowler => "Prowler",
        }
    }

    /// Its virtual environment and its pinned packages, if it has any. Prowler pins other versions of what the others need.
    fn packages(self) -> Option<(&'static str, &'static str)> {
        match self {
            Tool::Rule | Tool::Scan => None,
            Tool::Rdklib | Tool::Custodian(_) => Some(("venv", "requirements.txt")),
            Tool::Prowler => Some(("prowler", "prowler.txt")),
        }
    }

    /// Runs once, from the start of the process.
    pub(crate) async fn run(self, on: &Population) -> Run {
        match self {
            Tool::Rule | Tool::Rdklib => {
                let event = events::scheduled(&mut on.aws.world(), ACCOUNT, RULE, self.parameters());
                let binary = build().unwrap();
                let started = Instant::now();
                let function = match self {
                    Tool::Rule => start(on.aws.endpoint(), ACCOUNT, &on.credentials, binary, &[]).await,
                    _ => Function::start(rdklib(on)).await,
                };
                let function = function.unwrap();
                let response = function.invoke(event.to_string().as_bytes()).await;
                let cost = Cost {
                    seconds: started.elapsed().as_secs_f64(),
                    processor: function.processor_time().unwrap().as_secs_f64(),
                    bytes: function.peak_resident_bytes().unwrap() as f64,
                };
                let logs = function.logs();
                let counts = logs.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
                let unknown = counts.filter_map(|line| line["UsersUnknown"].as_u64()).any(|users| users > 0);
                Run { cost, found: non_compliant(on), tells: response.is_err() || unknown }
            }
            Tool::Scan => {
                let file = format!("{OUTPUT}/scan.json");
                let (cost, status) = command_line(on, &["scan", "--format", "json", "--output", &file]).await;
                let scan: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
                let users = scan["users"].as_array().unwrap().iter();
                let found = users.filter(|user| user["compliance"] == "NON_COMPLIANT").map(|user| &user["userName"]);
                Run { cost, found: found.map(name).collect(), tells: !matches!(status, 0 | 3) }
            }
            Tool::Custodian(policy) => {
                let resources = format!("{OUTPUT}/{policy}/stale-keys-by-{policy}/resources.json");
                let _ = fs::remove_file(&resources);
                let (cost, status) = custodian(on, policy).await;
                let found = fs::read_to_string(resources).unwrap_or_else(|_| "[]".to_owned());
                let found: Vec<Value> = serde_json::from_str(&found).unwrap();
                Run { cost, found: found.iter().map(|user| name(&user["UserName"])).collect(), tells: status != 0 }
            }
            Tool::Prowler => {
                let output = format!("{OUTPUT}/findings");
                let file = format!("{output}/keys.csv");
                // Prowler adds to a file that exists.
                let _ = fs::remove_file(&file);
                let (prowler, muted) = (format!("{OUTPUT}/prowler/bin/prowler"), format!("{FILES}/mutelist.yml"));
                let check = [&prowler, "aws", "--region", REGION, "--checks", CHECK, "--mutelist-file", &muted];
                let written = ["--output-formats", "csv", "--output-directory", &output, "--output-filename", "keys"];
                let (cost, status) = measure(on, &[&check[..], &written].concat()).await;
                // 3: something is not as it should be.
                Run { cost, found: failed(Path::new(&file)), tells: !matches!(status, 0 | 3) }
            }
        }
    }

    fn parameters(self) -> &'static [(&'static str, &'static str)] {
        match self {
            // The local AWS has no endpoint of the name that rdklib assumes a role at, so the rule uses its own credentials.
            Tool::Rdklib => &[("ExemptUsers", EXEMPT), ("AssumeRoleMode", "False")],
            _ => &[],
        }
    }
}

/// Runs the command line. Gives its cost, and its exit status.
pub(crate) async fn command_line(on: &Population, arguments: &[&str]) -> (Cost, i64) {
    let binary = build_released_command_line().unwrap();
    measure(on, &[&[binary.to_str().unwrap()], arguments].concat()).await
}

/// Runs a policy of Cloud Custodian. Gives its cost, and its exit status.
pub(crate) async fn custodian(on: &Population, policy: &str) -> (Cost, i64) {
    let (output, file) = (format!("{OUTPUT}/{policy}"), format!("{FILES}/{policy}.yml"));
    let custodian = format!("{OUTPUT}/venv/bin/custodian");
    measure(on, &[&custodian, "run", "--cache-period", "0", "--region", REGION, "-s", &output, &file]).await
}

/// Runs `peers/runbooks.py` with the role of the rotation, which must succeed. CloudTrail tells the runbook which keys it made.
pub(crate) async fn runbooks(on: &mut Population, arguments: &[&str]) {
    on.credentials = on.aws.world().credentials(ACCOUNT, "access-key-rotation-rotation");
    let (python, script) = (format!("{OUTPUT}/venv/bin/python"), format!("{FILES}/runbooks.py"));
    let (_, status) = measure(on, &[&[python.as_str(), &script], arguments].concat()).await;
    assert_eq!(status, 0, "{arguments:?}");
}

fn environment(on: &Population) -> Vec<(String, String)> {
    let credentials = &on.credentials;
    [
        ("AWS_ENDPOINT_URL", on.aws.endpoint().as_str()),
        ("AWS_ACCESS_KEY_ID", &credentials.access_key_id),
        ("AWS_SECRET_ACCESS_KEY", &credentials.secret_access_key),
        ("AWS_SESSION_TOKEN", credentials.session_token.as_deref().unwrap_or_default()),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("HOME", OUTPUT),
        ("PATH", &format!("{OUTPUT}/venv/bin:/usr/local/bin:/usr/bin:/bin")),
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The rule of `peers/rule.py` as a Lambda function.
fn rdklib(on: &Population) -> FunctionConfig {
    FunctionConfig {
        binary: PathBuf::from(format!("{FILES}/bootstrap.py")),
        arn: function_arn(ACCOUNT),
        timeout: Duration::from_secs(900),
        env: environment(on),
    }
}

/// Runs a command. Gives its cost, and its exit status. What it prints is in the file `log`.
async fn measure(on: &Population, command: &[&str]) -> (Cost, i64) {
    let output = Command::new("python3")
        .arg(format!("{FILES}/measure.py"))
        .args(command)
        .env_clear()
        .envs(environment(on))
        .output()
        .await
        .unwrap();
    fs::write(format!("{OUTPUT}/log"), &output.stderr).unwrap();
    let (seconds, processor, bytes, status) = serde_json::from_slice(&output.stdout).unwrap();
    (Cost { seconds, processor, bytes }, status)
}

fn name(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// The users of Prowler's findings that are neither passed nor muted. Prowler writes no file if it has no findings.
fn failed(file: &Path) -> BTreeSet<String> {
    let Ok(mut findings) = csv::ReaderBuilder::new().delimiter(b';').from_path(file) else { return BTreeSet::new() };
    let findings = findings.deserialize().map(|finding| finding.unwrap());
    findings
        .filter(|finding: &BTreeMap<String, String>| finding["STATUS"] == "FAIL" && finding["MUTED"] == "False")
        .map(|finding| finding["RESOURCE_UID"].rsplit('/').next().unwrap().to_owned())
        .collect()
}

/// The users whom the Config rule holds as in violation.
fn non_compliant(on: &Population) -> BTreeSet<String> {
    on.account(|account| {
        let results = account.results(RULE);
        let violates = |id| results.get(id).is_some_and(|result| result.compliance.as_str() == "NON_COMPLIANT");
        account.users().filter(|user| violates(&user.id)).map(|user| user.name.clone()).collect()
    })
}

/// Installs the tools' packages in virtual environments, unless they are there.
pub(crate) async fn install(tools: &[Tool]) {
    let run = async |program: &str, arguments: &[&str]| {
        let status = Command::new(program).args(arguments).status().await.unwrap();
        assert!(status.success(), "{program} {arguments:?}: {status}");
    };
    for (name, requirements) in tools.iter().filter_map(|tool| tool.packages()).collect::<BTreeSet<_>>() {
        let venv = format!("{OUTPUT}/{name}");
        let python = format!("{venv}/bin/python");
        if !Path::new(&python).exists() {
            run("python3", &["-m", "venv", &venv]).await;
        }
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        run(&python, &[&quiet[..], &[&format!("{FILES}/{requirements}")]].concat()).await;
    }
}

/// The versions of the tools that are pinned.
pub(crate) fn versions() -> String {
    let pinned = ["requirements.txt", "prowler.txt"]
        .map(|file| fs::read_to_string(format!("{FILES}/{file}")).unwrap_or_default())
        .concat();
    let is_tool = |line: &&str| ["rdklib=", "c7n=", "prowler="].iter().any(|tool| line.starts_with(tool));
    pinned.lines().filter(is_tool).collect::<Vec<_>>().join(", ")
}
