//! The options that `scan`, `plan` and `evidence` share: accounts, the rule's parameters, priority, and how long the runbooks wait.

use crate::args::{connection::Connection, order::Order, rule_options::RuleOptions, targets::Targets};
use clap::value_parser;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Scope {
    /// Wait this number of days between the deactivation and the deletion of a key (1 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = value_parser!(u16).range(1..=3650))]
    pub(crate) grace_days: u16,
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) rule: RuleOptions<false>,
    #[command(flatten)]
    pub(crate) order: Order,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
