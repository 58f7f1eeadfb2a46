//! The errors of AWS.

use std::fmt;

use crate::service::Service;

/// An error that AWS returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsError {
    /// The HTTP status.
    pub status: u16,
    /// The error code, such as `NoSuchEntity`.
    pub code: &'static str,
    /// The error message.
    pub message: String,
}

impl AwsError {
    pub(crate) fn new(status: u16, code: &'static str, message: impl Into<String>) -> AwsError {
        AwsError { status, code, message: message.into() }
    }

    /// The request was not signed.
    pub(crate) fn missing_authentication(service: Service) -> AwsError {
        let message = "Request is missing Authentication Token";
        if service.is_json() {
            AwsError::new(400, "MissingAuthenticationTokenException", message)
        } else {
            AwsError::new(403, "MissingAuthenticationToken", message)
        }
    }

    /// The access key does not exist, or the session token does not belong to it.
    pub(crate) fn invalid_client_token(service: Service) -> AwsError {
        let message = "The security token included in the request is invalid.";
        if service.is_json() {
            AwsError::new(400, "UnrecognizedClientException", message)
        } else {
            AwsError::new(403, "InvalidClientTokenId", message)
        }
    }

    /// Another secret access key signed the request.
    pub(crate) fn wrong_signature(service: Service) -> AwsError {
        let message = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                       Access Key and signing method. Consult the service documentation for details.";
        if service.is_json() {
            AwsError::new(400, "InvalidSignatureException", message)
        } else {
            AwsError::new(403, "SignatureDoesNotMatch", message)
        }
    }

    /// The session has expired.
    pub(crate) fn expired_token(service: Service) -> AwsError {
        let message = "The security token included in the request is expired";
        if service.is_json() {
            AwsError::new(400, "ExpiredTokenException", message)
        } else {
            AwsError::new(403, "ExpiredToken", message)
        }
    }

    /// `principal` is an ARN, and `action` has the form `iam:ListUsers`.
    pub(crate) fn access_denied(service: Service, principal: &str, action: &str, resource: &str) -> AwsError {
        let message = format!(
            "User: {principal} is not authorized to perform: {action} on resource: {resource} \
             because no identity-based policy allows the {action} action"
        );
        if service.is_json() {
            AwsError::new(400, "AccessDeniedException", message)
        } else {
            AwsError::new(403, "AccessDenied", message)
        }
    }

    /// For an action that a service with JSON does not have here.
    pub(crate) fn unknown_operation() -> AwsError {
        AwsError::new(400, "UnknownOperationException", "")
    }

    pub(crate) fn throttling(service: Service) -> AwsError {
        match service {
            Service::Config | Service::Ssm | Service::Events | Service::CloudTrail | Service::SecretsManager => {
                AwsError::new(400, "ThrottlingException", "Rate exceeded")
            }
            Service::Lambda | Service::Account => AwsError::new(429, "TooManyRequestsException", "Rate exceeded"),
            Service::Organizations => AwsError::new(400, "TooManyRequestsException", "Rate exceeded"),
            Service::Iam | Service::Sts => AwsError::new(400, "Throttling", "Rate exceeded"),
        }
    }

    pub(crate) fn server_error(service: Service) -> AwsError {
        let message = "The request processing has failed because of an unknown error, exception or failure.";
        match service {
            Service::Iam => AwsError::new(500, "ServiceFailure", message),
            Service::Sts | Service::Config | Service::CloudTrail => AwsError::new(500, "InternalFailure", message),
            Service::Ssm => AwsError::new(500, "InternalServerError", message),
            Service::Events => AwsError::new(500, "InternalException", message),
            Service::Account => AwsError::new(500, "InternalServerException", message),
            Service::SecretsManager => AwsError::new(500, "InternalServiceError", message),
            Service::Organizations | Service::Lambda => AwsError::new(500, "ServiceException", message),
        }
    }

    pub(crate) fn no_such_entity(message: impl Into<String>) -> AwsError {
        AwsError::new(404, "NoSuchEntity", message)
    }

    pub(crate) fn limit_exceeded(message: impl Into<String>) -> AwsError {
        AwsError::new(409, "LimitExceeded", message)
    }
}

impl fmt::Display for AwsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for AwsError {}
