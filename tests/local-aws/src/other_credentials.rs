//! Long-lived credentials that are no access keys of users: those of the root user, and service-specific ones.

use chrono::{DateTime, SubsecRound, Utc};

use crate::account::Account;
use crate::error::AwsError;
use crate::ids;
use crate::user::KeyStatus;

/// A credential of a user for one service.
#[derive(Clone, Debug)]
pub struct ServiceSpecificCredential {
    /// The id, `ACCA…`.
    pub id: String,
    /// The service, such as `codecommit.amazonaws.com`.
    pub service: String,
    /// Whether the credential can be used.
    pub status: KeyStatus,
    /// When it was created, to the second.
    pub created: DateTime<Utc>,
    /// When it expires, to the second; `None` if never.
    pub expires: Option<DateTime<Utc>>,
}

/// What `ListServiceSpecificCredentials` says for all users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllUsers {
    /// Credentials of every service, or of the one in the request.
    OfEveryService,
    /// `ValidationError` without a service.
    OfOneService,
}

impl Account {
    /// Creates an active service-specific credential and returns its id, `ACCA…`.
    ///
    /// # Errors
    /// `NoSuchEntity` if there is no such user.
    pub fn create_service_specific_credential(
        &mut self,
        user: &str,
        service: &str,
        created: DateTime<Utc>,
        expires: Option<DateTime<Utc>>,
    ) -> Result<String, AwsError> {
        let id = ids::service_specific_credential_id(&mut self.rng);
        let credential = ServiceSpecificCredential {
            id: id.clone(),
            service: service.to_owned(),
            status: KeyStatus::Active,
            created: created.trunc_subsecs(0),
            expires: expires.map(|expires| expires.trunc_subsecs(0)),
        };
        self.existing_user(user)?.service_specific_credentials.push(credential);
        Ok(id)
    }

    /// Sets the status of a service-specific credential.
    pub fn set_service_specific_credential_status(&mut self, user: &str, id: &str, status: KeyStatus) -> bool {
        let Ok(user) = self.existing_user(user) else { return false };
        let credential = user.service_specific_credentials.iter_mut().find(|credential| credential.id == id);
        credential.map(|credential| credential.status = status).is_some()
    }

    /// Creates an active access key of the root user, who has two at most.
    pub fn create_root_access_key(&mut self, created: DateTime<Utc>) {
        self.root_access_keys.push(created.trunc_subsecs(0));
    }

    /// Sets how the account answers `ListServiceSpecificCredentials` for all users. AWS's API reference says
    /// [`AllUsers::OfEveryService`] in one place, and is open to the other in another.
    pub fn list_service_specific_credentials(&mut self, all_users: AllUsers) {
        self.all_users = all_users;
    }
}
