//! What a command tells `main`.

/// What a command tells `main` besides its output. It decides the exit status.
#[derive(Default)]
pub(crate) struct CommandResult {
    /// Failures and missing data, for standard error.
    pub(crate) errors: Vec<String>,
    /// Whether there are violations or failed checks.
    pub(crate) violations: bool,
}
