//! What the rule decides about a user's access keys, and why. It knows nothing of AWS's APIs, and makes no call.

pub mod access_key;
pub mod annotation;
pub mod assessment;
pub mod exemption;
pub mod exposure;
pub mod milestone;
pub mod parameters;
pub mod priority;
pub mod recorded_result;
pub mod rotation;
pub mod skip_until;
pub mod text;
pub mod user;
pub mod verdict;
