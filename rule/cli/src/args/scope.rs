//! The options that `scan` and `plan` share: accounts, the rule's parameters, and priority.

use crate::args::{connection::Connection, order::Order, rule_options::RuleOptions, targets::Targets};

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    pub(crate) targets: Targets,
    #[command(flatten)]
    pub(crate) rule: RuleOptions<false>,
    #[command(flatten)]
    pub(crate) order: Order,
    #[command(flatten)]
    pub(crate) connection: Connection,
}
