//! What a command comes to.

/// What a command came to, besides what it printed. It makes the exit status.
#[derive(Default)]
pub(crate) struct Outcome {
    /// What failed or is not complete, for standard error.
    pub(crate) errors: Vec<String>,
    /// Whether there are violations, or checks that failed.
    pub(crate) violations: bool,
}
