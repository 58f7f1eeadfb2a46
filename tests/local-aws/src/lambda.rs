//! The Lambda Runtime API, version 2018-06-01, for one function. Its real binary runs as a child process, which gets one event
//! at a time.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use crate::lock;
use runtime_api::{Invocation, RuntimeApi};

pub mod asynchronous;
mod runtime_api;

pub use runtime_api::FunctionError;

/// How long a function may take from its start to its first poll, as in AWS.
const INIT_LIMIT: Duration = Duration::from_secs(10);
/// The time beyond its timeout that a function gets, so that it can handle the deadline itself first.
const MARGIN: Duration = Duration::from_secs(1);

/// A Lambda function with a running binary. The process is killed when this is dropped.
pub struct Function {
    api: Arc<RuntimeApi>,
    /// Locked during an invocation, so that there is only one at a time.
    child: tokio::sync::Mutex<Child>,
    process_id: u32,
    timeout: Duration,
    arn: String,
    output: Arc<Mutex<Vec<u8>>>,
    start_to_first_poll: Duration,
    _stop: oneshot::Sender<()>,
}

/// The configuration of a function.
#[derive(Clone, Debug)]
pub struct FunctionConfig {
    /// The binary, such as `bootstrap`.
    pub binary: PathBuf,
    /// `arn:aws:lambda:REGION:ACCOUNT:function:NAME`. The environment gets the Region and the name, too.
    pub arn: String,
    /// The function's timeout, which sets the deadline of an invocation.
    pub timeout: Duration,
    /// The environment, in addition to the variables that Lambda sets. The function inherits no others.
    pub env: Vec<(String, String)>,
}

impl Function {
    /// Starts the binary and waits until it asks for its first event.
    ///
    /// # Errors
    /// If the binary does not start, reports a failed initialization, exits, or does not poll within 10 s.
    pub async fn start(config: FunctionConfig) -> io::Result<Function> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?.to_string();
        let (api, first_poll) = RuntimeApi::new();
        let (stop, stopped) = oneshot::channel();
        let server = axum::serve(listener, runtime_api::router(Arc::clone(&api))).with_graceful_shutdown(async {
            // Dropping the sender ends the wait with an error.
            let _ = stopped.await;
        });
        tokio::spawn(server.into_future());

        let started = Instant::now();
        let mut child = Command::new(&config.binary)
            .env_clear()
            .envs(environment(&config.arn, &address))
            .envs(config.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let process_id = child.id().ok_or_else(|| io::Error::other("the function has no process id"))?;
        let output = Arc::new(Mutex::new(Vec::new()));
        collect(child.stdout.take(), &output);
        collect(child.stderr.take(), &output);
        let first_poll = tokio::select! {
            biased;
            result = first_poll => result.map_err(io::Error::other)?,
            status = child.wait() => Err(FunctionError::new("Runtime.ExitError", format!("the function exited: {}", status?))),
            () = tokio::time::sleep(INIT_LIMIT) => Err(FunctionError::new("Sandbox.Timedout", "initialization took over 10 s")),
        };
        if let Err(error) = first_poll {
            let output = String::from_utf8_lossy(&lock(&output)).into_owned();
            return Err(io::Error::other(format!("{error}\n{output}")));
        }
        Ok(Function {
            api,
            child: tokio::sync::Mutex::new(child),
            process_id,
            timeout: config.timeout,
            arn: config.arn,
            output,
            start_to_first_poll: started.elapsed(),
            _stop: stop,
        })
    }

    /// Invokes the function with an event, which need not be JSON, and returns its response.
    ///
    /// # Errors
    /// The function's own error. Or the function exited (`Runtime.ExitError`), ran a second longer than its timeout and was
    /// killed (`Sandbox.Timedout`), or answered with something other than JSON (`Runtime.InvalidResponse`).
    pub async fn invoke(&self, event: &[u8]) -> Result<Value, FunctionError> {
        let mut child = self.child.lock().await;
        let (invocation, answer) = Invocation::new(event, &self.arn, self.timeout);
        self.api.offer(invocation);
        let limit = self.timeout + MARGIN;
        let result = tokio::select! {
            biased;
            answer = answer => answer.unwrap_or_else(|_| Err(FunctionError::new("Runtime.ExitError", "no answer"))),
            status = child.wait() => {
                let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
                Err(FunctionError::new("Runtime.ExitError", format!("Runtime exited with error: {status}")))
            }
            () = tokio::time::sleep(limit) => {
                // It may have exited just now, which does not matter.
                let _ = child.start_kill();
                let seconds = self.timeout.as_secs_f64();
                Err(FunctionError::new("Sandbox.Timedout", format!("Task timed out after {seconds:.2} seconds")))
            }
        };
        self.api.withdraw();
        result
    }

    /// The id of the process.
    pub fn process_id(&self) -> u32 {
        self.process_id
    }

    /// The time from the start of the process to its first poll for an event.
    pub fn start_to_first_poll(&self) -> Duration {
        self.start_to_first_poll
    }

    /// The output of the function so far, to stdout and stderr.
    pub fn logs(&self) -> String {
        String::from_utf8_lossy(&lock(&self.output)).into_owned()
    }

    /// The peak memory of the process so far, in bytes: `VmHWM` in Linux's `/proc`.
    ///
    /// # Errors
    /// If the process is gone, or the system has no `/proc`.
    pub fn peak_resident_bytes(&self) -> io::Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process_id))?;
        let kilobytes = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|value| value.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| io::Error::other("no VmHWM: the process has exited"))
    }

    /// The processor time that the process has used so far: `utime` and `stime` of Linux's `/proc`, in ticks of 10 ms.
    ///
    /// # Errors
    /// If the process is gone, or the system has no `/proc`.
    pub fn processor_time(&self) -> io::Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process_id))?;
        // The name, in parentheses, may contain spaces. Of the fields after it, these are the 12th and 13th.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields.split_whitespace()).into_iter().flatten();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Ok(Duration::from_millis(ticks * 10))
    }
}

/// The environment that Lambda sets for a function in a custom runtime.
fn environment(arn: &str, runtime_api: &str) -> Vec<(&'static str, String)> {
    let name = arn.rsplit(':').next().unwrap_or_default();
    let region = arn.split(':').nth(3).unwrap_or_default();
    [
        ("AWS_LAMBDA_RUNTIME_API", runtime_api),
        ("AWS_LAMBDA_FUNCTION_NAME", name),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        ("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        ("AWS_LAMBDA_LOG_GROUP_NAME", &format!("/aws/lambda/{name}")),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "local"),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("_HANDLER", "bootstrap"),
        ("LAMBDA_TASK_ROOT", "/var/task"),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin"),
        ("LANG", "en_US.UTF-8"),
        ("TZ", ":UTC"),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .to_vec()
}

/// Appends the output of a pipe until the pipe is closed.
fn collect(pipe: Option<impl AsyncRead + Send + Unpin + 'static>, output: &Arc<Mutex<Vec<u8>>>) {
    let Some(mut pipe) = pipe else { return };
    let output = Arc::clone(output);
    tokio::spawn(async move {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = pipe.read(&mut buffer).await {
            lock(&output).extend_from_slice(&buffer[..length]);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_error_of_a_binary_that_exits_at_once_shows_its_output() {
        let config = FunctionConfig {
            binary: "/bin/ls".into(),
            arn: "arn:aws:lambda:us-east-1:123456789012:function:rule".to_owned(),
            timeout: Duration::from_secs(1),
            env: Vec::new(),
        };
        let error = Function::start(config).await.err().unwrap().to_string();
        assert!(error.starts_with("Runtime.ExitError: the function exited: exit status: 0"), "{error}");
    }

    #[test]
    fn the_environment_has_the_region_and_the_name_from_the_arn() {
        let environment = environment("arn:aws:lambda:us-east-1:123456789012:function:rule", "127.0.0.1:1");
        assert!(environment.contains(&("AWS_REGION", "us-east-1".to_owned())));
        assert!(environment.contains(&("AWS_LAMBDA_FUNCTION_NAME", "rule".to_owned())));
    }
}
