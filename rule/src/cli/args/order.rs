//! The order in which to act, as options.

use crate::findings::finding::{TagNames, Terms};
use access_key_rotation::policy::parameters::Parameters;
use chrono::{DateTime, Utc};
use clap::value_parser;

/// What comes first: production before the rest, keys in use before idle ones, older before younger.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "What comes first")]
pub(crate) struct Order {
    /// The tag of users in production, who come first
    #[arg(long, value_name = "NAME=VALUE", default_value = "environment=production", value_parser = name_and_value)]
    production_tag: (String, String),
    /// The tag that names a user's owner
    #[arg(long, value_name = "NAME", default_value = "owner")]
    owner_tag: String,
    /// A key is in use if it was used within so many days, 0 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 45, value_parser = value_parser!(u16).range(0..=3650))]
    quiet_days: u16,
}

impl Order {
    pub(crate) fn tag_names(&self) -> TagNames {
        TagNames { production: self.production_tag.clone(), owner: self.owner_tag.clone() }
    }

    pub(crate) fn terms(&self, parameters: &Parameters, now: DateTime<Utc>) -> Terms {
        Terms {
            scanned_at: now,
            max_access_key_age: parameters.max_access_key_age,
            warn_before_days: parameters.warn_before_days,
            quiet_days: self.quiet_days,
            credential_report: false,
        }
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a tag is NAME=VALUE".to_owned()),
    }
}
