//! What `scan` and `plan` have in common: whom they are about, by which limits, and in which order.

use crate::{
    args::{connection::Connection, order::Order, rule_options::RuleOptions, targets::Targets},
    findings::{
        comparison::Earlier,
        finding::Terms,
        organization_scan::{OrganizationScan, survey},
    },
};
use chrono::{DateTime, Utc};
use std::path::Path;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Scope {
    #[command(flatten)]
    targets: Targets,
    #[command(flatten)]
    pub(crate) rule: RuleOptions<false>,
    #[command(flatten)]
    pub(crate) order: Order,
    #[command(flatten)]
    connection: Connection,
}

impl Scope {
    pub(crate) fn terms(&self, now: DateTime<Utc>) -> Terms {
        self.order.terms(&self.rule.parameters, now)
    }

    /// Scans the accounts, and compares with an earlier scan if there is one.
    ///
    /// # Errors
    /// Why nothing could be scanned; what is missing of an account is in its summary.
    pub(crate) async fn survey(&self, since: Option<&Path>) -> Result<OrganizationScan, String> {
        let session = self.connection.open().await?;
        let terms = self.terms(session.now);
        let earlier = since.map(|path| Earlier::read(path, &terms)).transpose()?;
        let targets = self.targets.resolve(&session).await?;
        let with = (&self.rule.parameters, &self.order.tag_names());
        survey(&session, targets, with, OrganizationScan::new(terms, earlier)?).await
    }
}
