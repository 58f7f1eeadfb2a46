//! The rule's parameters and the order in which to act, as options.

use crate::finding::{TagNames, Terms};
use access_key_rotation::policy::parameters::Parameters;
use chrono::{DateTime, Utc};
use clap::value_parser;

/// By which limits users are judged.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "The rule's parameters")]
pub(crate) struct Limits {
    /// An active access key older than this is stale, in days, 1 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 90, value_parser = value_parser!(u16).range(1..=3650))]
    pub(crate) max_access_key_age: u16,
    /// Tell of keys that fall due within so many days, 0 to 365
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = value_parser!(u16).range(0..=365))]
    pub(crate) warn_before_days: u16,
    /// How far ahead an exemption may end, in days, 1 to 3650
    #[arg(long, value_name = "DAYS", default_value_t = 365, value_parser = value_parser!(u16).range(1..=3650))]
    pub(crate) max_exemption_days: u16,
}

impl Limits {
    pub(crate) fn parameters(&self) -> Parameters {
        Parameters {
            max_access_key_age: self.max_access_key_age,
            warn_before_days: self.warn_before_days,
            max_exemption_days: self.max_exemption_days,
            ..Parameters::default()
        }
    }
}

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

    pub(crate) fn terms(&self, limits: &Limits, now: DateTime<Utc>) -> Terms {
        Terms {
            scanned_at: now,
            max_access_key_age: limits.max_access_key_age,
            warn_before_days: limits.warn_before_days,
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
