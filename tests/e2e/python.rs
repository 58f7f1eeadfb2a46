//! Python programs, each in a fork of a process that has imported what they need: `tests/rollout/fork.py`.

use crate::deployed::python;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    sync::OnceLock,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
};

struct Server {
    directory: TempDir,
    /// It ends with its standard input, which is held here, and so with the tests.
    _process: Child,
}

fn socket() -> PathBuf {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let server = SERVER.get_or_init(|| {
        let directory = TempDir::new().unwrap();
        let mut command = python();
        command.args(["-B", "tests/rollout/fork.py"]).arg(directory.path().join("socket"));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, "ready\n", "tests/run installs what tests/rollout/fork.py needs");
        Server { directory, _process: process }
    });
    server.directory.path().join("socket")
}

/// Runs a program, which is named by its path in the repository, in this environment and no other. Gives what it prints, or
/// the text of its error.
pub(crate) async fn run(
    program: &str,
    arguments: &[&str],
    environment: &[(&str, &str)],
    input: &str,
) -> Result<String, String> {
    let environment: BTreeMap<_, _> = environment.iter().copied().collect();
    let arguments = [&[program], arguments].concat();
    let request = json!({ "arguments": arguments, "environment": environment, "input": input }).to_string() + "\n";
    let mut stream = UnixStream::connect(socket()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let text = |field: &str| answer[field].as_str().unwrap().to_owned();
    if answer["status"] != 0 {
        return Err(text("error"));
    }
    assert_eq!(text("error"), "", "{program} succeeded");
    Ok(text("output"))
}
