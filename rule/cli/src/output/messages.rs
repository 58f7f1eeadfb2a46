//! What a command says on standard error besides errors.

use super::visible::on_one_line;
use std::{
    io::{Write, stderr},
    sync::atomic::{AtomicU8, Ordering::Relaxed},
};

/// How much to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Errors alone.
    Quiet,
    Usual,
    /// Also every account and every call.
    Verbose,
}

/// Of the whole process, which runs one command.
static LEVEL: AtomicU8 = AtomicU8::new(Level::Usual as u8);

pub(crate) fn set(level: Level) {
    LEVEL.store(level as u8, Relaxed);
}

pub(crate) fn is(level: Level) -> bool {
    LEVEL.load(Relaxed) == level as u8
}

/// Says what an output has no place for.
pub(crate) fn note(text: &str) {
    if !is(Level::Quiet) {
        say(text);
    }
}

/// Says what is asked of AWS.
pub(crate) fn detail(text: &str) {
    if is(Level::Verbose) {
        say(text);
    }
}

fn say(text: &str) {
    // A closed standard error is no reason to fail.
    let _ = writeln!(stderr(), "access-key-rotation: {}", on_one_line(text));
}
