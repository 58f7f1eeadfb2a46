//! The errors of an invocation. Each kind has a stable `errorType`, by which alarms and failure destinations can tell it from
//! the others.

use lambda_runtime::Diagnostic;
use policy::parameters;
use thiserror::Error;

/// Each `errorType`, and what it means, for the manual.
pub const ERROR_TYPES: [(&str, &str); 9] = [
    (
        "InvalidEvent",
        "The event is not one from AWS Config for this function: its accounts differ, it is from another Region, or the message type \
         is unknown.",
    ),
    ("InvalidParameters", "A parameter is wrong. The message names it, its value and what is allowed."),
    (
        "AccessDenied",
        "AWS denies an action for the whole account. The message names the role, the action and the template.",
    ),
    (
        "Incomplete",
        "Some users are unknown, the listing of users is incomplete, or the last use of some keys is unknown. The message counts and \
         names them.",
    ),
    ("DeliveryFailed", "AWS Config did not accept some results."),
    (
        "DeadlineExceeded",
        "The time ran out. The function delivered what it knew, and the next sweep continues with the remaining users.",
    ),
    ("AwsError", "Another call to AWS failed."),
    (
        "NoticeFailed",
        "Some [notices](../templates/NOTICES.md) did not reach the event bus. All results were delivered.",
    ),
    (
        "NotYetConsistent",
        "IAM's answers about some users do not agree yet: the users are new, or somebody has just renamed or deleted them. Nothing \
         else is missing, and Lambda's retry settles it.",
    ),
];

/// The error of one invocation. Its text is the `errorMessage` that Lambda reports. It says what to do, and never contains the
/// result token, a credential, or the event's text.
#[derive(Debug, Error)]
pub enum Error {
    /// The event is not one that AWS Config sends to this function. No AWS call was made.
    #[error("{0}")]
    InvalidEvent(String),
    /// `ruleParameters` holds an unknown name or a value out of range. No AWS call was made.
    #[error(transparent)]
    InvalidParameters(#[from] parameters::InvalidParameters),
    /// AWS denied an action that every evaluation or every delivery in the account needs.
    #[error("{0}")]
    AccessDenied(String),
    /// Some users could not be read or listed and keep their previous results, or the last use of some keys is unknown.
    #[error("{0}")]
    Incomplete(String),
    /// AWS Config did not accept some results.
    #[error("{0}")]
    DeliveryFailed(String),
    /// Time ran out. All results so far were delivered; the other users keep their previous results.
    #[error("{0}")]
    DeadlineExceeded(String),
    /// Some notices did not reach the event bus. All results were delivered.
    #[error("{0}")]
    NoticeFailed(String),
    /// Any other failure of an AWS call that the whole invocation needs.
    #[error("{0}")]
    AwsError(String),
    /// IAM's answers about some users, who are new or were just renamed, do not agree yet. Nothing else is missing, and Lambda's
    /// retry is expected to settle it.
    #[error("{0}")]
    NotYetConsistent(String),
}

impl Error {
    /// Combines errors into one, which has the type of the most serious error and the texts of all.
    ///
    /// # Errors
    /// The combined error, if there is any.
    pub fn of_all(mut errors: Vec<Error>) -> Result<(), Error> {
        errors.sort_by_key(Error::rank);
        let text = errors.iter().map(Error::to_string).collect::<Vec<_>>().join(" ");
        match errors.into_iter().next() {
            None => Ok(()),
            Some(first) => Err(first.with_text(text)),
        }
    }

    fn rank(&self) -> usize {
        match self {
            Error::InvalidEvent(_) | Error::InvalidParameters(_) => 0,
            Error::AccessDenied(_) => 1,
            Error::DeadlineExceeded(_) => 2,
            Error::DeliveryFailed(_) => 3,
            Error::Incomplete(_) => 4,
            Error::AwsError(_) => 5,
            Error::NoticeFailed(_) => 6,
            Error::NotYetConsistent(_) => 7,
        }
    }

    /// The same type of error, with another text.
    #[must_use]
    pub fn with_text(self, text: String) -> Error {
        match self {
            Error::InvalidEvent(_) => Error::InvalidEvent(text),
            Error::InvalidParameters(_) => self,
            Error::AccessDenied(_) => Error::AccessDenied(text),
            Error::Incomplete(_) => Error::Incomplete(text),
            Error::DeliveryFailed(_) => Error::DeliveryFailed(text),
            Error::DeadlineExceeded(_) => Error::DeadlineExceeded(text),
            Error::AwsError(_) => Error::AwsError(text),
            Error::NoticeFailed(_) => Error::NoticeFailed(text),
            Error::NotYetConsistent(_) => Error::NotYetConsistent(text),
        }
    }

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
            Error::NoticeFailed(_) => "NoticeFailed",
            Error::NotYetConsistent(_) => "NotYetConsistent",
        }
    }
}

impl From<Error> for Diagnostic {
    fn from(error: Error) -> Diagnostic {
        Diagnostic { error_type: error.error_type().to_owned(), error_message: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_type_has_a_meaning() {
        let with_text = [
            Error::InvalidEvent,
            Error::AccessDenied,
            Error::Incomplete,
            Error::DeliveryFailed,
            Error::DeadlineExceeded,
            Error::AwsError,
            Error::NoticeFailed,
            Error::NotYetConsistent,
        ];
        let mut types: Vec<_> = with_text.iter().map(|error| error(String::new()).error_type()).collect();
        types.insert(1, Error::from(parameters::Parameters::parse(Some("[]")).unwrap_err()).error_type());
        assert_eq!(types, ERROR_TYPES.map(|(name, _)| name));
    }
}
