//! How long the runbooks wait, which they do not tell: their parameters with the same names.

use clap::value_parser;

#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Runbooks")]
pub(crate) struct RunbookDays {
    /// The GraceDays of your runbooks: they may delete a key this many days after its deactivation (1 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = RunbookDays::DEFAULT.grace_days, value_parser = value_parser!(u16).range(1..=3650))]
    pub(crate) grace_days: u16,
    /// The RotateAfterDays of your runbooks: they replace a key that rotates by itself at this age (2 to 3650)
    #[arg(long, value_name = "DAYS", default_value_t = RunbookDays::DEFAULT.rotate_after_days, value_parser = value_parser!(u16).range(2..=3650))]
    pub(crate) rotate_after_days: u16,
    /// The SettleDays of your runbooks: they deactivate the old key once nobody has used it for this many days (1 to 365)
    #[arg(long, value_name = "DAYS", default_value_t = RunbookDays::DEFAULT.settle_days, value_parser = value_parser!(u16).range(1..=365))]
    pub(crate) settle_days: u16,
}

impl RunbookDays {
    /// The runbooks' own defaults.
    pub(crate) const DEFAULT: RunbookDays = RunbookDays { grace_days: 30, rotate_after_days: 75, settle_days: 7 };
}
