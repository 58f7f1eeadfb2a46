//! What an invocation can fail with. Each kind has a stable `errorType`, which alarms and failure destinations can tell apart.

use lambda_runtime::Diagnostic;
use thiserror::Error;

/// The error of one invocation. Its text is the `errorMessage` that Lambda reports; it says what to do, and never holds the
/// result token, a credential, or the event's text.
#[derive(Debug, Error)]
pub enum Error {
    /// The event is not one that AWS Config sends to this function. No AWS call was made.
    #[error("{0}")]
    InvalidEvent(String),
    /// `ruleParameters` holds an unknown name or a value out of range. No AWS call was made.
    #[error("{0}")]
    InvalidParameters(String),
    /// AWS denied an action without which nothing in the account can be judged or delivered.
    #[error("{0}")]
    AccessDenied(String),
    /// Some users could not be read, or not all of them be listed: they keep the result they had.
    #[error("{0}")]
    Incomplete(String),
    /// AWS Config did not take some results.
    #[error("{0}")]
    DeliveryFailed(String),
    /// Time ran out: what was known was delivered, the rest keeps the result it had.
    #[error("{0}")]
    DeadlineExceeded(String),
    /// Any other failure of an AWS call that the whole invocation needs.
    #[error("{0}")]
    AwsError(String),
}

impl Error {
    /// The `errorType` that Lambda reports.
    pub fn error_type(&self) -> &'static str {
        match self {
            Error::InvalidEvent(_) => "InvalidEvent",
            Error::InvalidParameters(_) => "InvalidParameters",
            Error::AccessDenied(_) => "AccessDenied",
            Error::Incomplete(_) => "Incomplete",
            Error::DeliveryFailed(_) => "DeliveryFailed",
            Error::DeadlineExceeded(_) => "DeadlineExceeded",
            Error::AwsError(_) => "AwsError",
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}
