//! The options of `scan`, `plan` and `where` that choose users among those of the accounts, and sort them.

use clap::{ValueEnum, value_parser};
use serde::Serialize;
use std::fmt;

/// Which users to show. The exit status is about them, whatever --top is.
#[derive(Clone, Debug, Default, clap::Args, Serialize)]
#[command(next_help_heading = "Filter and order")]
#[serde(rename_all = "camelCase")]
pub(crate) struct Filter {
    /// Only these users, by name
    #[arg(long, num_args = 1.., value_name = "NAME")]
    pub(crate) user: Vec<String>,
    /// Only users with one of these owners, as the owner tag names them, in any case; "-" stands for users without an owner
    #[arg(long, num_args = 1.., value_name = "OWNER")]
    pub(crate) owner: Vec<String>,
    /// Only users with one of these priorities
    #[arg(long, num_args = 1.., value_name = "WHICH")]
    pub(crate) priority: Vec<Urgency>,
    /// Only users with an access key, active or not, that is at least this many days old
    #[arg(long, value_name = "DAYS")]
    #[serde(rename = "minAgeDays")]
    pub(crate) min_age: Option<u16>,
    /// List the users in this order
    #[arg(long, value_name = "ORDER", default_value = "priority")]
    #[serde(skip)]
    pub(crate) sort: Sort,
    /// Only the first users of this order with something to do, at most this number. It does not change the exit status
    #[arg(long, value_name = "NUMBER", value_parser = value_parser!(u32).range(1..))]
    pub(crate) top: Option<u32>,
}

/// A priority to filter by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Urgency {
    /// AWS found a key of the user in public
    Exposed,
    /// The user has the production tag
    Production,
    /// A stale key is in use, or its last use could not be read
    InUse,
    /// No stale key is in use
    Idle,
}

/// How to sort users. Equals are in the order of priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// The most urgent first
    #[default]
    Priority,
    /// The user with the oldest access key first
    Age,
    /// The latest use first, and keys without a known use last
    LastUsed,
    /// By owner, and users without one last
    Owner,
    /// By account id
    Account,
    /// By name
    User,
}

impl Urgency {
    /// As an option's value.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Filter {
    /// Whether it can leave a user out.
    pub(crate) fn narrows(&self) -> bool {
        let Filter { user, owner, priority, min_age, sort: _, top } = self;
        !user.is_empty() || !owner.is_empty() || !priority.is_empty() || min_age.is_some() || top.is_some()
    }

    /// Whether it asks for what only tags tell.
    pub(crate) fn needs_tags(&self) -> bool {
        !self.owner.is_empty() || self.priority.contains(&Urgency::Production) || self.sort == Sort::Owner
    }
}

/// As options of the command line: somebody's text, which may act on a terminal.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Filter { user, owner, priority, min_age, sort: _, top } = self;
        let named =
            |name: &str, values: &[String]| (!values.is_empty()).then(|| format!("--{name} {}", values.join(" ")));
        let priority: Vec<_> = priority.iter().map(|urgency| urgency.name()).collect();
        let options = [
            named("user", user),
            named("owner", owner),
            named("priority", &priority),
            min_age.map(|days| format!("--min-age {days}")),
            top.map(|number| format!("--top {number}")),
        ];
        f.write_str(&options.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}
