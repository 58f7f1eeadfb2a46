//! What the programs read from outside, for a fuzzer. Each target takes any bytes, panics if a property does not hold, and
//! returns whether the program accepted the input.
//!
//! `run` builds them with libFuzzer. Everywhere else they are a library, whose test replays the corpus.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a target panics if a property does not hold"
)]

mod annotation;
mod credential_report;
mod earlier_scan;
mod event;
mod exemption_file;
mod parameters;
#[cfg(test)]
mod replay;
mod tags;
mod terms;

/// What to do with an input.
pub type Target = fn(&[u8]) -> bool;

/// All targets.
pub const TARGETS: [(&str, Target); 7] = [
    ("event", event::event),
    ("parameters", parameters::parameters),
    ("tags", tags::tags),
    ("annotation", annotation::annotation),
    ("credential_report", credential_report::credential_report),
    ("earlier_scan", earlier_scan::earlier_scan),
    ("exemption_file", exemption_file::exemption_file),
];

// The command line is a program, not a library, so these are its own modules: those that read files, and those that they need.

#[expect(dead_code, reason = "the targets call a part of it")]
#[path = "../../../rule/cli/src/args"]
mod args {
    pub(crate) mod connection;
    pub(crate) mod filter;
    pub(crate) mod order;
    mod profile;
    pub(crate) mod rule_options;
    pub(crate) mod runbook_days;
    pub(crate) mod scope;
    pub(crate) mod targets;
    mod verbosity;
}

#[expect(dead_code, reason = "the targets call a part of it")]
#[path = "../../../rule/cli/src/findings"]
mod findings {
    pub(crate) mod comparison;
    pub(crate) mod exemptions;
    pub(crate) mod filtered;
    pub(crate) mod finding;
    pub(crate) mod other_credentials;
    pub(crate) mod record;
    pub(crate) mod report_scan;
    pub(crate) mod rotation;
    pub(crate) mod scan_result;
}

#[expect(dead_code, reason = "the targets call a part of it")]
#[path = "../../../rule/cli/src/output"]
mod output {
    pub(crate) mod messages;
    pub(crate) mod visible;
}

#[cfg_attr(not(test), expect(dead_code, reason = "the targets call a part of it"))]
#[path = "../../../rule/cli/src/command_result.rs"]
mod command_result;

#[expect(dead_code, reason = "the target calls a part of it")]
#[path = "../../../rule/cli/src/commands/exempt"]
mod exempt {
    pub(crate) mod file;
    pub(crate) mod yaml;
}
