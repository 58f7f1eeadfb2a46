//! The rule against a local AWS: its handler in process, in memory and on paused time, where a test needs its own clock; the real
//! programs, over HTTP, where the process itself matters.

#![cfg(unix)] // It also runs shells, interrupts programs, and talks to Python over a socket.
#![allow(clippy::disallowed_methods, reason = "the system's clock is the one that the released programs have")]
#![allow(
    clippy::cast_possible_wrap,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

mod account_scan;
mod at_least_once;
mod at_once;
mod aws_cli;
mod aws_cli_config;
mod aws_cli_iam;
mod aws_cli_records;
mod aws_cli_secrets;
mod board;
mod budget;
mod change;
mod cli;
mod cloudformation;
mod confirmation;
mod coverage;
mod coverage_exclusions;
mod credentials;
mod cut_answers;
mod delivery;
mod demo;
mod deployed;
mod doctor;
mod doctor_checks;
mod doctor_defects;
mod doctor_denials;
mod doctor_exclusions;
mod doctor_script_log;
mod environment;
mod evaluate;
mod evidence;
mod evidence_verify;
mod exempt;
mod exempt_file;
mod exempt_file_at_once;
mod exposed;
mod failing;
mod fault_matrix;
mod fields;
mod filter;
mod function;
mod growth;
mod html;
mod ministack;
mod names;
mod notices;
mod notices_failing;
mod offline;
mod organization;
mod other_credentials;
mod outputs;
mod pack_command;
mod permissions;
mod plan;
mod profiles;
mod python;
mod rdklib;
mod recorded_results;
mod records;
mod reference;
mod runbooks;
mod runbooks_deleting;
mod runbooks_failing;
mod runbooks_rotating;
mod shell;
mod shielded;
mod simulation;
mod since;
mod stable;
mod support;
mod sweep;
mod tls;
mod transcript;
mod where_used;
