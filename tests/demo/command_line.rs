//! The command line that the user has: the one beside this program, or the one in PATH.

use local_aws::REGION;
use std::{
    env,
    ffi::OsString,
    io::{Error, Write, stdout},
    path::{Path, PathBuf},
    process::Command,
};

/// What the demo writes, into the folder where it was started.
const PAGE: &str = "access-key-rotation-demo.html";
/// Variables that would lead a program elsewhere than to the demo.
pub(crate) const OTHERS: [&str; 3] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"];

/// The program `access-key-rotation`.
pub(crate) struct CommandLine(PathBuf);

impl CommandLine {
    /// Finds it. If `cargo run` started the demo, Cargo builds it first.
    pub(crate) fn find() -> Result<CommandLine, Error> {
        let this = env::current_exe()?;
        if env::var("CARGO_PKG_NAME").is_ok_and(|name| name == env!("CARGO_PKG_NAME"))
            && let Some(cargo) = env::var_os("CARGO")
        {
            build(cargo)?;
        }
        let folders = env::var_os("PATH").unwrap_or_default();
        let folders = this.parent().map(Path::to_owned).into_iter().chain(env::split_paths(&folders));
        let name = format!("access-key-rotation{}", env::consts::EXE_SUFFIX);
        let found = folders.map(|folder| folder.join(&name)).find(|program| program.is_file());
        found.map(CommandLine).ok_or_else(|| {
            Error::other(format!("there is no {name} beside this program or in PATH: both are in one archive"))
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Scans all accounts as the administrator of one, for the terminal and as a page.
    pub(crate) fn scan(&self, endpoint: &str, account: &str) -> Result<(), Error> {
        let run = |arguments: &[&str]| {
            stdout().flush()?;
            let mut command = Command::new(&self.0);
            command
                // Nobody else uses this IAM.
                .args(["scan", "--organization", "--calls-per-second", "1000"])
                .args(arguments)
                .env("AWS_ENDPOINT_URL", endpoint)
                .env("AWS_REGION", REGION)
                .env("AWS_ACCESS_KEY_ID", format!("AKIALOCAL{account}"))
                .env("AWS_SECRET_ACCESS_KEY", "any");
            for name in OTHERS {
                command.env_remove(name);
            }
            for (name, _) in env::vars_os() {
                if name.to_string_lossy().starts_with("ACCESS_KEY_ROTATION_") {
                    command.env_remove(name);
                }
            }
            match command.status()?.code() {
                // Without or with findings.
                Some(0 | 3) => Ok(()),
                _ => Err(Error::other(format!("{} failed", self.0.display()))),
            }
        };
        run(&["--top", "10"])?;
        run(&["--output", PAGE])?;
        writeln!(
            stdout(),
            "\nOpen the page of the same scan in your browser:\n  {}",
            env::current_dir()?.join(PAGE).display()
        )
    }
}

/// Builds it from the same repository, into the folder that the demo is in.
fn build(cargo: OsString) -> Result<(), Error> {
    let mut command = Command::new(cargo);
    command.args(["build", "--locked", "--workspace", "--bin", "access-key-rotation"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    if command.status()?.success() { Ok(()) } else { Err(Error::other("Cargo did not build access-key-rotation")) }
}
