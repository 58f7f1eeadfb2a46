//! The options that `scan`, `plan` and `evidence` share: accounts, the rule's parameters, priority, and how long the runbooks wait.

use crate::args::{
    connection::Connection, order::Order, rule_options::RuleOptions, runbook_days::RunbookDays, targets::Targets,
};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    pub(crate) days: RunbookDays,
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) rule: RuleOptions<false>,
    #[command(flatten)]
    pub(crate) order: Order,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
