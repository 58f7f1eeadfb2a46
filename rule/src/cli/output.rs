//! Where a command's output goes: standard output, or a file that is there whole or not at all.

use std::{
    io::{self, BufWriter, Write},
    path::Path,
};
use tempfile::NamedTempFile;
use tokio::task::spawn_blocking;

/// Writes to standard output or, if there is one, to the file, which only its owner may read; off the async threads, so that Ctrl-C is heard meanwhile.
/// Whoever closes the pipe has seen enough, and that is no error.
///
/// # Errors
/// What could not be written.
pub(crate) async fn write<W>(file: Option<&Path>, render: W) -> Result<(), String>
where
    W: FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static,
{
    let Some(path) = file else {
        let done = spawn_blocking(|| {
            let mut out = BufWriter::new(io::stdout().lock());
            render(&mut out).and_then(|()| out.flush())
        });
        return match done.await.map_err(io::Error::other).flatten() {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("standard output: {error}")),
            _ => Ok(()),
        };
    };
    let problem = |error: io::Error| format!("{}: {error}", path.display());
    if path.exists() && !path.is_file() {
        // A device or a directory would be replaced.
        return Err(format!("{}: not a file; leave out --output to write to standard output", path.display()));
    }
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    // The path stays here: should this future be dropped, the file is removed.
    let (file, temporary) = NamedTempFile::new_in(directory).map_err(problem)?.into_parts();
    let done = spawn_blocking(move || {
        let mut out = BufWriter::new(file);
        render(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    });
    done.await.map_err(io::Error::other).flatten().map_err(problem)?;
    temporary.persist(path).map_err(|error| problem(error.error))
}

/// Writes a text that is at hand.
///
/// # Errors
/// As for [`write()`].
pub(crate) async fn print(text: String) -> Result<(), String> {
    write(None, move |out| out.write_all(text.as_bytes())).await
}
