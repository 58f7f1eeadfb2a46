//! The rule against AWS on loopback: its handler in process where a test needs its own clock, the real `bootstrap` where
//! the process itself matters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod aws_cli;
mod budget;
mod change;
mod credentials;
mod delivery;
mod demo;
mod failing;
mod function;
mod permissions;
mod properties;
mod support;
mod sweep;
mod tls;
