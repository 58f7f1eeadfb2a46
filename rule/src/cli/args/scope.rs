//! What `scan` and `plan` have in common: which accounts they are about, the rule's parameters, and the order in which to act.

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
