//! An AWS Config custom rule that tells which IAM users hold access keys that are too old, and what to do about it.
//!
//! The phases of an invocation, each a module: [`event`] (what Config asks) → [`parameters`] → [`account`] (whose
//! credentials) → [`inventory`] (reads) → [`verdict`] (the policy, without AWS) → [`evaluations`] (results to Config).
//! [`handler`] puts them in a row; [`sweep`] does so for a whole account, where the credential [`report`] spares reads, and
//! [`mod@user`] for one user. [`scan`] is a sweep without AWS Config, for the command line. [`calls`] bounds and counts every
//! call, [`metrics`] is what an invocation counts. Times are arguments: nothing here asks a clock what day it is.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod account;
pub mod calls;
pub mod error;
pub mod evaluations;
pub mod event;
pub mod exemption;
pub mod handler;
pub mod inventory;
mod judge;
pub mod metrics;
pub mod parameters;
mod problems;
pub mod report;
pub mod scan;
pub mod sweep;
mod text;
pub mod user;
pub mod verdict;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing that is done under a lock here can leave it half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
