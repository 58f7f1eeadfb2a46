//! The options that set the priority of findings.

use anyhow::bail;
use clap::value_parser;
use policy::{
    priority::{has_tag, owner},
    user::Tags,
};

/// The priority: production first, then keys in use, then idle keys, and older keys before younger ones.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Priority")]
pub(crate) struct Order {
    /// List users with this tag first, since they are in production
    #[arg(long, value_name = "NAME=VALUE", default_value = "environment=production", value_parser = name_and_value)]
    production_tag: (String, String),
    /// Read a user's owner from this tag
    #[arg(long, value_name = "NAME", default_value = "owner")]
    owner_tag: String,
    /// Count a key as in use if it was used within this many days (0 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = 45, value_parser = value_parser!(u16).range(0..=3650))]
    pub(crate) quiet_days: u16,
}

impl Order {
    /// Whether the tags say so.
    pub(crate) fn is_production(&self, tags: &Tags) -> bool {
        let (name, value) = &self.production_tag;
        has_tag(tags, name, value)
    }

    /// The owner that the tags name.
    pub(crate) fn owner(&self, tags: &Tags) -> Option<String> {
        owner(tags, &self.owner_tag).map(str::to_owned)
    }
}

fn name_and_value(text: &str) -> anyhow::Result<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => bail!("write the tag as NAME=VALUE"),
    }
}
