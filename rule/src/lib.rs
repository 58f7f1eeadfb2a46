//! An AWS Config custom rule that reports IAM users whose access keys are too old, and says what to do about it.
//!
//! Four rooms, each below the next: [`policy`] decides and knows no AWS, [`aws`] makes calls and reads IAM, [`config`] speaks AWS
//! Config's protocol, [`evaluation`] applies the policy to what is read, for one user or a whole account. [`handler`] puts the
//! phases of an invocation in a row. Times are arguments: nothing here asks a clock what day it is.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

/// What the rule says, and why: without AWS.
pub mod policy {
    pub mod annotation;
    pub mod clearance;
    pub mod decision;
    pub mod exemption;
    pub mod parameters;
    pub(crate) mod text;
}

/// The accounts' credentials and clients, how calls are made, and what is read of IAM.
pub mod aws {
    pub mod account;
    pub mod calls;
    pub mod home;
    pub mod iam;
    pub mod organization;
    pub mod pages;
}

/// AWS Config's protocol: the event, the results that it holds, and the delivery of new ones.
pub mod config {
    pub mod delivery;
    pub mod event;
    pub mod results;
    pub mod rules;
}

/// The policy on what is read: one user, one account.
pub mod evaluation {
    pub mod account_scan;
    mod outcome;
    mod reads;
    pub mod sweep;
    pub mod user;
}

/// Whether AWS Config has evaluated the rule in each account, and when.
pub mod coverage {
    pub mod account;
    pub mod check;
}

pub mod error;
pub mod handler;
pub mod metrics;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Nothing that is done under a lock here can leave it half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
