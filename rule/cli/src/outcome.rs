//! The outcome of a command.

/// The outcome of a command, apart from its output. It decides the exit status.
#[derive(Default)]
pub(crate) struct Outcome {
    /// Failures and missing data, for standard error.
    pub(crate) errors: Vec<String>,
    /// Whether there are violations or failed checks.
    pub(crate) violations: bool,
}
