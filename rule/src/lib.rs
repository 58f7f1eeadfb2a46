//! An AWS Config custom rule that reports IAM users whose access keys are too old and says what to do about them.
//!
//! [`policy`] decides, and knows nothing of AWS. Above it, each built on the ones before it: [`aws`] makes calls and reads IAM,
//! [`config_service`] speaks AWS Config's protocol, [`user`] evaluates one user, [`notices`] tells owners, `sweep` evaluates an account
//! for AWS Config and [`scan`] for people, and [`coverage`] finds accounts in which AWS Config does not evaluate the rule. [`handler`]
//! runs the phases of an invocation in order. Times are arguments: no code here asks the system clock for the date.

/// Credentials and clients for each account, the AWS calls, and the reads of IAM.
pub mod aws {
    pub mod account;
    pub mod client;
    pub mod event_bus;
    pub mod home;
    mod http;
    pub mod iam;
    pub mod organization;
    pub mod quarantine;
}

/// AWS Config's protocol: the event, the results that it recorded, and the delivery of new ones.
pub mod config_service {
    pub mod delivery;
    pub mod event;
    pub mod organization_packs;
    pub mod recorded_results;
    pub mod rules;
}

/// Whether AWS Config has evaluated the rule in each account, and when.
pub mod coverage {
    pub mod account;
    pub mod check;
}

pub mod environment;
pub mod error;
pub mod handler;
pub mod metrics;
pub mod notices;
pub mod permissions;
pub mod scan;
mod sweep;
pub mod user;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Ignores poisoning: no code that holds a lock here can leave its data half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
