//! Reads the credentials that the rule does not cover: whether the root user has access keys, and all users' service-specific
//! credentials, with a call for each of the two in most accounts.

use crate::findings::other_credentials::{OtherCredentials, ServiceSpecificCredential};
use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Pages},
};
use aws_sdk_iam::types::{ServiceSpecificCredentialMetadata, StatusType, SummaryKeyType};
use chrono::{DateTime, Utc};
use futures_util::future::join;
use policy::access_key::KeyStatus;

pub(crate) const GET_ACCOUNT_SUMMARY: &str = "iam:GetAccountSummary";
pub(crate) const LIST_SERVICE_SPECIFIC_CREDENTIALS: &str = "iam:ListServiceSpecificCredentials";

/// The most on a page.
const A_PAGE: i32 = 1000;

/// The services that have such credentials: "API keys for AWS services" in the IAM user guide has the first four; the API reference of
/// `CreateServiceSpecificCredential` adds CodeCommit and Keyspaces. There may be more by now.
const SERVICES: [&str; 6] = [
    "aws-external-anthropic.amazonaws.com",
    "bedrock.amazonaws.com",
    "cloudwatch.amazonaws.com",
    "logs.amazonaws.com",
    "codecommit.amazonaws.com",
    "cassandra.amazonaws.com",
];

impl OtherCredentials {
    pub(crate) async fn read(account: &Account<'_>, now: DateTime<Utc>) -> OtherCredentials {
        let why = |error: &CallError| Some(account.error(error).to_string());
        let (present, listed) = join(root_access_keys(account), service_specific_credentials(account, now)).await;
        let (credentials, missing) = match listed {
            Ok((credentials, refused)) => (Some(credentials), refused.map(|refused| only_known_services(&refused))),
            Err(error) => (None, why(&error)),
        };
        OtherCredentials {
            root_access_keys_error: present.as_ref().err().and_then(why),
            root_access_keys_present: present.ok(),
            root_access_keys: None,
            service_specific_credentials: credentials,
            service_specific_credentials_error: missing,
        }
    }
}

fn only_known_services(refused: &CallError) -> String {
    format!(
        "IAM does not list those of all services at once ({refused}), so only these were asked: {}.",
        SERVICES.join(", ")
    )
}

/// How many access keys the root user has.
///
/// # Errors
/// If the call fails, or the answer does not say it.
pub(crate) async fn root_access_keys(account: &Account<'_>) -> Result<u32, CallError> {
    let request = account.iam.get_account_summary();
    let answer = account.calls.call(GET_ACCOUNT_SUMMARY, account.ends.reads, || request.clone().send()).await?;
    let present = answer.summary_map.and_then(|map| map.get(&SummaryKeyType::AccountAccessKeysPresent).copied());
    let present = present.and_then(|number| u32::try_from(number).ok());
    present.ok_or_else(|| CallError::unexpected(GET_ACCOUNT_SUMMARY, "no AccountAccessKeysPresent"))
}

/// The service-specific credentials of all users. The API reference says that IAM lists those of every service unless a request names
/// one, but also that a listing for all users is of "the specified service", and nobody has tried. If IAM refuses the listing of every
/// service, this returns its error besides the credentials of the [`SERVICES`].
///
/// # Errors
/// If a page is missing.
pub(crate) async fn service_specific_credentials(
    account: &Account<'_>,
    now: DateTime<Utc>,
) -> Result<(Vec<ServiceSpecificCredential>, Option<CallError>), CallError> {
    let (mut credentials, refused) = match listed(account, None, now).await {
        Ok(credentials) => (credentials, None),
        Err(refused) if refused.code == "ValidationError" => {
            let mut credentials = Vec::new();
            for service in SERVICES {
                match listed(account, Some(service), now).await {
                    Ok(listed) => credentials.extend(listed),
                    // A service that this partition does not have.
                    Err(error) if error.code == "NotSupportedService" => {}
                    Err(error) => return Err(error),
                }
            }
            (credentials, Some(refused))
        }
        Err(error) => return Err(error),
    };
    credentials.sort_by(|a, b| a.rank().cmp(&b.rank()));
    Ok((credentials, refused))
}

async fn listed(
    account: &Account<'_>,
    service: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<ServiceSpecificCredential>, CallError> {
    let action = LIST_SERVICE_SPECIFIC_CREDENTIALS;
    let mut credentials = Vec::new();
    let mut pages = Pages::of(action);
    while pages.more() {
        let request = account.iam.list_service_specific_credentials().all_users(true).max_items(A_PAGE);
        let request = request.set_service_name(service.map(str::to_owned)).set_marker(pages.next());
        let page = account.calls.call(action, account.ends.reads, || request.clone().send()).await?;
        pages.turn_if(page.is_truncated, page.marker)?;
        // Without a list, even an empty one, it is no answer of IAM.
        let found = page.service_specific_credentials.ok_or_else(|| CallError::unexpected(action, "no list"))?;
        for metadata in found {
            credentials.push(ServiceSpecificCredential::new(metadata, now)?);
        }
    }
    Ok(credentials)
}

impl ServiceSpecificCredential {
    /// A credential as IAM lists it.
    fn new(
        found: ServiceSpecificCredentialMetadata,
        now: DateTime<Utc>,
    ) -> Result<ServiceSpecificCredential, CallError> {
        let fail = |what| Err(CallError::unexpected(LIST_SERVICE_SPECIFIC_CREDENTIALS, what));
        let time =
            |date: &aws_sdk_iam::primitives::DateTime| DateTime::from_timestamp(date.secs(), date.subsec_nanos());
        let status = match found.status {
            StatusType::Active => KeyStatus::Active,
            StatusType::Inactive => KeyStatus::Inactive,
            StatusType::Expired => KeyStatus::Expired,
            _ => return fail("a credential in an unknown status"),
        };
        // The SDK puts an empty text, or 1970, in the place of what is missing.
        let names = [&found.user_name, &found.service_name, &found.service_specific_credential_id];
        let create_date = time(&found.create_date).filter(|date| *date > DateTime::UNIX_EPOCH);
        let Some(create_date) = create_date.filter(|_| names.iter().all(|name| !name.is_empty())) else {
            return fail("a credential without a user, a service, an id or a date");
        };
        let expiration_date = match &found.expiration_date {
            None => None,
            Some(date) => match time(date) {
                None => return fail("a date out of range"),
                expires => expires,
            },
        };
        Ok(ServiceSpecificCredential {
            user_name: found.user_name,
            service_name: found.service_name,
            service_specific_credential_id: found.service_specific_credential_id,
            status,
            create_date,
            age_days: (now - create_date).num_days(),
            expiration_date,
        })
    }
}
