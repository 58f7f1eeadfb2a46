//! Identifiers that look like those of AWS, and are the same in each run.

use fastrand::Rng;

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8] = b"0123456789abcdef";

/// A user's unique id: `AIDA` and 17 characters.
pub(crate) fn user_id(rng: &mut Rng) -> String {
    format!("AIDA{}", text(rng, BASE32, 17))
}

/// A role's unique id: `AROA` and 17 characters.
pub(crate) fn role_id(rng: &mut Rng) -> String {
    format!("AROA{}", text(rng, BASE32, 17))
}

/// A long-term access key's id: `AKIA` and 16 characters.
pub(crate) fn access_key_id(rng: &mut Rng) -> String {
    format!("AKIA{}", text(rng, BASE32, 16))
}

/// A service-specific credential's id: `ACCA` and 17 characters.
pub(crate) fn service_specific_credential_id(rng: &mut Rng) -> String {
    format!("ACCA{}", text(rng, BASE32, 17))
}

/// A session's access key id: `ASIA` and 16 characters.
pub(crate) fn session_key_id(rng: &mut Rng) -> String {
    format!("ASIA{}", text(rng, BASE32, 16))
}

/// A Config rule's id: `config-rule-` and 6 characters.
pub(crate) fn config_rule_id(rng: &mut Rng) -> String {
    format!("config-rule-{}", text(rng, LOWER, 6))
}

/// A secret access key, 40 characters.
pub(crate) fn secret(rng: &mut Rng) -> String {
    text(rng, BASE64, 40)
}

/// The end of a secret's ARN, 6 characters.
pub(crate) fn secret_suffix(rng: &mut Rng) -> String {
    text(rng, BASE32, 6)
}

/// An opaque token of `length` characters.
pub(crate) fn token(rng: &mut Rng, length: usize) -> String {
    text(rng, BASE64, length)
}

/// A request's id: a UUID.
pub(crate) fn request_id(rng: &mut Rng) -> String {
    let lengths = [8, 4, 4, 4, 12];
    lengths.map(|length| text(rng, HEX, length)).join("-")
}

fn text(rng: &mut Rng, alphabet: &[u8], length: usize) -> String {
    (0..length).map(|_| char::from(alphabet[rng.usize(..alphabet.len())])).collect()
}
