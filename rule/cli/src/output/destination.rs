//! The destination of a command's output: standard output, or a file that is written completely or not at all.

use anyhow::{Context, anyhow, bail};
use std::{
    fs::{File, canonicalize},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};
use tempfile::{NamedTempFile, TempPath};
use tokio::task::spawn_blocking;

/// A place to write to. A new file appears only when it is complete.
pub(crate) enum Output {
    Standard,
    File { path: PathBuf, file: File, temporary: TempPath },
}

impl Output {
    /// Opens standard output or, with a path, a file that only its owner may read. Call this first, so that a bad path does not
    /// cost a long scan.
    ///
    /// # Errors
    /// If the path cannot be written.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Output> {
        let Some(path) = path else { return Ok(Output::Standard) };
        let named = || path.display().to_string();
        if path.exists() && !path.is_file() {
            // Writing would replace a device or a directory.
            bail!("{}: not a file. Leave out --output to write to standard output", path.display());
        }
        if path.is_symlink() && !path.exists() {
            bail!("{}: a link to a file that does not exist", path.display());
        }
        let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        // Writing replaces the target of a link, not the link. Two names of one file that does not exist yet are the same.
        let missing = || Some(canonicalize(directory).ok()?.join(path.file_name()?));
        let path = canonicalize(path).ok().or_else(missing).unwrap_or_else(|| path.to_owned());
        let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        let temporary = NamedTempFile::new_in(directory).map_err(|error| {
            // tempfile adds its file's name, which says nothing to you.
            let error = error.to_string();
            anyhow!("{}: {}", named(), error.split(" at path ").next().unwrap_or_default())
        });
        let (file, temporary) = temporary?.into_parts();
        Ok(Output::File { path, file, temporary })
    }

    /// Whether both would write to one file.
    pub(crate) fn is_same_file(&self, other: &Output) -> bool {
        matches!((self, other), (Output::File { path, .. }, Output::File { path: other, .. }) if path == other)
    }

    /// Writes on a blocking thread, so that Ctrl-C works meanwhile. A closed pipe is not an error: the reader has seen enough.
    ///
    /// # Errors
    /// If the output cannot be written.
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
            // The temporary path stays here, so that dropping this future removes the file.
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
/// If the output cannot be written.
pub(crate) async fn print(text: String) -> anyhow::Result<()> {
    Output::Standard.write(move |out| out.write_all(text.as_bytes())).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, sync::mpsc};
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_file_that_is_given_up_while_it_is_written_leaves_the_earlier_one_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("report.json");
        fs::write(&path, "earlier").unwrap();
        let (writes, began) = oneshot::channel();
        let (go_on, until) = mpsc::channel::<()>();
        let written = Output::open(Some(&path)).unwrap().write(move |out| {
            out.write_all(b"new")?;
            out.flush()?;
            writes.send(()).unwrap();
            // Ends with an error when the test drops the other end.
            until.recv().map_err(io::Error::other)
        });
        tokio::select! {
            outcome = written => panic!("{outcome:?}"),
            began = began => began.unwrap(),
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "earlier");
        drop(go_on);
    }
}
