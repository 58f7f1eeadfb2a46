//! What is done and what is not, while `exempt --apply` writes.

use crate::output::destination;
use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    io::{Write, stderr},
};

/// How many changes to name that failed or were interrupted.
const NAMED: usize = 100;

/// An account and a user.
type Whose = (String, String);

/// The changes that are left. Dropped before its end, by Ctrl-C, it says which.
pub(super) struct Progress {
    left: RefCell<BTreeMap<Whose, String>>,
    failed: RefCell<BTreeMap<Whose, String>>,
    advice: RefCell<BTreeSet<&'static str>>,
    written: Cell<usize>,
}

/// What failed.
pub(super) struct Errors {
    pub(super) number: usize,
    /// Each with its reason, up to a bound, and then what to do.
    pub(super) lines: Vec<String>,
}

impl Progress {
    /// Begins with the changes to make: whose they are, and what they change.
    pub(super) fn of(changes: BTreeMap<Whose, String>) -> Progress {
        Progress {
            left: RefCell::new(changes),
            failed: RefCell::default(),
            advice: RefCell::default(),
            written: Cell::default(),
        }
    }

    /// Says that a change is written and confirmed.
    pub(super) async fn done(&self, account: &str, user: &str) {
        let says = self.left.borrow_mut().remove(&(account.to_owned(), user.to_owned())).unwrap_or_default();
        self.written.set(self.written.get() + 1);
        // If nobody reads it, the change is as good as before.
        let _ = destination::print(format!("Done: {says}\n")).await;
    }

    pub(super) fn failed(&self, account: &str, user: &str, why: &str, advice: &'static str) {
        let whose = (account.to_owned(), user.to_owned());
        let says = self.left.borrow_mut().remove(&whose).unwrap_or_default();
        self.failed.borrow_mut().insert(whose, format!("{says}: {why}"));
        self.advice.borrow_mut().insert(advice);
    }

    /// Says that none of the account's changes could be made.
    pub(super) fn not_opened(&self, account: &str, why: &str) {
        let users: Vec<_> = self.left.borrow().keys().filter(|(id, _)| id == account).cloned().collect();
        users.iter().for_each(|(account, user)| self.failed(account, user, why, ""));
    }

    /// How many changes were written, and those that failed.
    pub(super) fn end(self) -> (usize, Errors) {
        let failed = self.failed.take();
        let number = failed.len();
        let mut lines: Vec<_> = failed.into_values().take(NAMED).collect();
        if number > NAMED {
            lines.push(format!("{} more failed", number - NAMED));
        }
        lines.extend(self.advice.take().into_iter().filter(|advice| !advice.is_empty()).map(str::to_owned));
        (self.written.get(), Errors { number, lines })
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let (left, failed) = (self.left.borrow(), self.failed.borrow());
        if left.is_empty() {
            return;
        }
        let written = self.written.get();
        let mut text = format!(
            "interrupted: {written} done, {} failed, {} not done, or written and not confirmed. Run the same command again: it \
             writes what is missing",
            failed.len(),
            left.len()
        );
        for says in left.values().take(NAMED) {
            text += &format!("\n  not done: {says}");
        }
        if left.len() > NAMED {
            text += &format!("\n  {} more not done", left.len() - NAMED);
        }
        // A closed standard error is no reason to panic.
        let _ = writeln!(stderr(), "access-key-rotation: {text}");
    }
}
