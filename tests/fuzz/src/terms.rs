//! What several targets share: the terms of an evaluation, and what every text must keep to.

use crate::{
    args::{order::Order, runbook_days::RunbookDays},
    findings::finding::Terms,
};
use chrono::{DateTime, Datelike, Utc};
use clap::Parser;
use policy::parameters::Parameters;
use std::sync::LazyLock;

/// Now, where the input does not say it.
pub(crate) const NOW: &str = "2026-03-01T12:00:00Z";

/// The defaults of the command line.
pub(crate) static ORDER: LazyLock<Order> = LazyLock::new(|| {
    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        order: Order,
    }
    Options::parse_from(["scan"]).order
});

const DAYS: RunbookDays = RunbookDays { grace_days: 30, rotate_after_days: 75, settle_days: 7 };

/// A scan with the defaults, of AWS or of credential reports.
pub(crate) fn scan(credential_report: bool) -> Terms {
    Terms { credential_report, ..Terms::new(&Parameters::default(), &ORDER, DAYS, NOW.parse().unwrap()) }
}

/// A time that a clock may show.
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (2000..2300).contains(&time.year()).then_some(time)
}

/// Parameters that the rule accepts.
pub(crate) fn parameters(limit: &str, warn: &str, most: &str) -> Option<Parameters> {
    let given = serde_json::json!({ "maxAccessKeyAge": limit, "warnBeforeDays": warn, "maxExemptionDays": most });
    Parameters::parse(Some(&given.to_string())).ok()
}

/// An annotation as AWS Config takes it.
pub(crate) fn assert_annotation(text: &str) {
    assert!((1..=256).contains(&text.len()), "{} characters: {text}", text.len());
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{text:?}");
}

/// An error that is safe to show in a terminal, and says something.
pub(crate) fn assert_error(text: &str) {
    assert!(!text.trim().is_empty());
    assert!(!text.contains(char::is_control), "{text:?}");
}
