//! AWS for one process, on loopback or in memory: IAM, STS, Config, Organizations, EventBridge, SSM, CloudTrail, Secrets
//! Manager, Lambda and Account Management with their real wire protocols, AWS's limits and errors, and the Lambda Runtime API for a function's
//! binary. The AWS SDKs and the AWS CLI work with it if `AWS_ENDPOINT_URL` is set to [`LocalAws::endpoint`].
//!
//! The account, the service and the principal of a request come from the credential scope of its `Authorization` header
//! and from `X-Amz-Security-Token`. **The signature is verified only for a key that CreateAccessKey made**, since nobody else
//! knows its secret. For all others, any secret access key will do:
//!
//! - `AKIALOCAL` followed by the twelve-digit account id: that account's administrator, `user/administrator`, whom no
//!   listing of users shows. The account must exist.
//! - An assumed role's session, from `AssumeRole` or [`World::credentials`]; or one that was issued elsewhere, once
//!   [`World::accept_foreign_credentials`] has set its role.
//! - An IAM user's active access key. Users have no policies here, so every action except `GetCallerIdentity` is denied.
//!   Each call counts as a use of the key.
//!
//! Administrators and roles may call every action that no [`FaultKind::AccessDenied`] denies. All accounts are in the partition
//! `aws`. Their Config, SSM and Lambda resources exist in [`REGION`] only, except for the organization's packs, parameters and
//! secrets.
mod account;
mod account_management;
mod authentication;
mod cloud_trail;
mod config;
mod config_rule;
mod constraints;
mod error;
mod event_bus;
pub mod events;
mod faults;
mod functions;
mod iam;
mod identity;
mod ids;
mod in_memory;
mod json;
pub mod lambda;
mod organization;
mod organizations;
mod other_credentials;
mod paging;
mod regional;
mod request;
mod resources;
mod respond;
mod response;
mod secrets_manager;
mod server;
mod service;
mod signature;
mod ssm;
mod sts;
mod user;
mod world;

pub use account::Account;
pub use cloud_trail::{KeyUses, TrailEvent};
pub use config_rule::{ComplianceType, Delivery, EvaluationResult};
pub use error::AwsError;
pub use faults::{Cut, Failing, Fault, FaultKind, Faults};
pub use identity::Credentials;
pub use organization::Organization;
pub use other_credentials::{AllUsers, ServiceSpecificCredential};
pub use regional::Recorder;
pub use secrets_manager::secret::{Secret, SecretValue, SecretVersion};
pub use server::LocalAws;
pub use user::{AccessKey, KeyStatus, LastUsed, User};
pub use world::{Call, Outcome, World};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The Region of the Config rules.
pub const REGION: &str = "us-east-1";

/// A test that fails while it holds a lock must not take the server down with it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
