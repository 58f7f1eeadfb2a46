//! The programs as users have them: built, and the function started in a process of its own.

use deployment::{EVALUATION_ROLE, function_arn};
use local_aws::{
    Credentials,
    lambda::{Function, FunctionConfig},
};
use serde_json::Value;
use std::{io, path::PathBuf, process::Command, time::Duration};

/// Builds the function's release binary, unless it is up to date. Returns its path.
///
/// # Errors
/// If cargo fails, with its output.
pub fn build() -> io::Result<PathBuf> {
    cargo_build("bootstrap", &["--release", "--package", "access-key-rotation"])
}

/// Builds the command line, unless it is up to date. Returns its path.
///
/// # Errors
/// If cargo fails, with its output.
pub fn build_command_line() -> io::Result<PathBuf> {
    cargo_build("access-key-rotation", &["--workspace"])
}

/// Builds the command line as it is released, unless it is up to date. Returns its path.
///
/// # Errors
/// If cargo fails, with its output.
pub fn build_released_command_line() -> io::Result<PathBuf> {
    cargo_build("access-key-rotation", &["--release", "--package", "access-key-rotation-cli"])
}

/// Builds the demo, unless it is up to date. Returns its path.
///
/// # Errors
/// If cargo fails, with its output.
pub fn build_demo() -> io::Result<PathBuf> {
    cargo_build("access-key-rotation-demo", &["--workspace"])
}

fn cargo_build(binary: &str, options: &[&str]) -> io::Result<PathBuf> {
    let output = Command::new("cargo")
        .args(["build", "--locked", "--bin", binary, "--message-format", "json"])
        .args(options)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut messages = messages.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let executable = messages.find_map(|message| {
        let is_binary = message["target"]["name"] == binary;
        message["executable"].as_str().filter(|_| is_binary).map(PathBuf::from)
    });
    executable.ok_or_else(|| io::Error::other(format!("cargo did not build {binary}")))
}

/// Starts the function's binary with AWS at `endpoint`, the credentials from [`deployment::deploy`], the most verbose log level, and the
/// variables in `env`.
///
/// # Errors
/// If it does not ask for its first event.
pub async fn start(
    endpoint: String,
    hub: &str,
    credentials: &Credentials,
    binary: PathBuf,
    env: &[(&str, String)],
) -> io::Result<Function> {
    let settings = [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", credentials.access_key_id.clone()),
        ("AWS_SECRET_ACCESS_KEY", credentials.secret_access_key.clone()),
        ("AWS_SESSION_TOKEN", credentials.session_token.clone().unwrap_or_default()),
        ("AWS_LAMBDA_LOG_LEVEL", "TRACE".to_owned()),
        ("EVALUATION_ROLE_NAME", EVALUATION_ROLE.to_owned()),
    ];
    let config = FunctionConfig {
        binary,
        arn: function_arn(hub),
        timeout: Duration::from_secs(900),
        env: settings.iter().chain(env).map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
    };
    Function::start(config).await
}

/// The variable with which the function reads the root certificates from one file, as on Amazon Linux. Debian also has each of
/// them in a file of its own, and a start that reads both takes almost twice as long.
pub fn roots_in_one_file() -> (&'static str, String) {
    ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt".to_owned())
}
