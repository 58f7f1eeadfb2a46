//! Where a command's output goes: standard output, or a file that is there whole or not at all.

use anyhow::{Context, bail};
use std::{
    fs::{File, canonicalize},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, TempPath};
use tokio::task::spawn_blocking;

/// A place to write to. Until it is written, and if this is dropped before, nothing is seen of a new file.
pub(crate) enum Output {
    Standard,
    File { path: PathBuf, file: File, temporary: TempPath },
}

impl Output {
    /// Standard output or, if a path is given, a file, which only its owner may read. To be called first, so that no long work
    /// is lost to a path that cannot be written.
    ///
    /// # Errors
    /// Why it cannot be written.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Output> {
        let Some(path) = path else { return Ok(Output::Standard) };
        let named = || path.display().to_string();
        if path.exists() && !path.is_file() {
            // A device or a directory would be replaced.
            bail!("{}: not a file; leave out --output to write to standard output", path.display());
        }
        if path.is_symlink() && !path.exists() {
            bail!("{}: a link to nothing", path.display());
        }
        // What a link points to is replaced, not the link.
        let path = canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let (file, temporary) = NamedTempFile::new_in(directory).with_context(named)?.into_parts();
        Ok(Output::File { path, file, temporary })
    }

    /// Writes, off the async threads, so that Ctrl-C is heard meanwhile. Whoever closes the pipe has seen enough, and that is no
    /// error.
    ///
    /// # Errors
    /// What could not be written.
    pub(crate) async fn write<W>(self, render: W) -> anyhow::Result<()>
    where
        W: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
    {
        match self {
            Output::Standard => {
                let done = spawn_blocking(|| {
                    let mut out = BufWriter::new(io::stdout().lock());
                    render(&mut out).and_then(|()| out.flush())
                });
                match done.await.map_err(io::Error::other).flatten() {
                    Err(error) if error.kind() != io::ErrorKind::BrokenPipe => bail!("standard output: {error}"),
                    _ => Ok(()),
                }
            }
            // The temporary path stays here, to be removed if this future is dropped.
            Output::File { path, file, temporary } => {
                let named = || path.display().to_string();
                let done = spawn_blocking(move || {
                    let mut out = BufWriter::new(file);
                    render(&mut out)?;
                    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
                });
                done.await.map_err(io::Error::other).flatten().with_context(named)?;
                temporary.persist(&path).map_err(|error| error.error).with_context(named)?;
                Ok(())
            }
        }
    }
}

/// Writes a text to standard output.
///
/// # Errors
/// As for [`Output::write`].
pub(crate) async fn print(text: String) -> anyhow::Result<()> {
    Output::Standard.write(move |out| out.write_all(text.as_bytes())).await
}
