//! Accounts: their credentials, and the clients that use them.

use super::{
    client::{CallError, Calls, Failure, WholeAnswers},
    home::Home,
    http::http_client,
};
use crate::{error::Error, lock};
use aws_config::{BehaviorVersion, ConfigLoader, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_iam::config::{Credentials, SharedCredentialsProvider};
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::HashMap, sync::Mutex, time::Duration};
use tokio::time::Instant;

/// How long an assumed role's credentials last: the most that AWS allows for role chaining.
const SESSION: Duration = Duration::from_secs(3600);
/// Cached credentials are used only if they outlast the longest Lambda invocation (15 minutes) by a few minutes.
const LEAST_LEFT: TimeDelta = TimeDelta::minutes(20);
/// The longest wait for what does not change the compliance: some 25 attempts while AWS throttles.
const FOR_EXTRAS: Duration = Duration::from_secs(60);
/// A warm function keeps clients for at most this many accounts, at some 40 kB each.
const CACHED_ACCOUNTS: usize = 200;

/// What helps the function if a call is denied.
const DEPLOY: &str = "Deploy the current template there";
/// The administrators' role that AWS Organizations creates with an account, and that trusts the management account ("Accessing
/// member accounts" in its user guide). An account that was invited does not have it.
const ORGANIZATION_ROLE: &str = "OrganizationAccountAccessRole";

/// One account, with clients that act in it, for one invocation.
#[derive(Debug)]
pub struct Account<'a> {
    /// Twelve digits.
    pub id: String,
    /// `aws`, `aws-cn`, `aws-us-gov`, …
    pub partition: String,
    /// IAM, with credentials of this account.
    pub iam: aws_sdk_iam::Client,
    /// AWS Config, in the rule's Region, with credentials of this account.
    pub config: aws_sdk_config::Client,
    /// Settings for clients of other services: the rule's Region, with credentials of this account.
    pub settings: SdkConfig,
    /// Makes and counts the calls.
    pub calls: &'a Calls,
    /// When its work ends.
    pub ends: Ends,
    /// Whose calls these are, as an error names them.
    principal: String,
    /// What helps if one is denied.
    remedy: &'static str,
}

/// When each phase of the work on an account ends, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// Reads of users and of results.
    pub reads: Instant,
    /// The second listing of users, which confirms whose access keys were read.
    pub confirmation: Instant,
    /// Deliveries of results: just before Lambda ends the invocation.
    pub deliveries: Instant,
}

impl From<Instant> for Ends {
    /// One end for all, for work that delivers nothing.
    fn from(end: Instant) -> Ends {
        Ends { reads: end, confirmation: end, deliveries: end }
    }
}

impl Account<'_> {
    /// When to give up what does not change the compliance. Half of the time for reads is kept for what does.
    pub(crate) fn extras_end(&self) -> Instant {
        let now = Instant::now();
        now + FOR_EXTRAS.min(self.ends.reads.saturating_duration_since(now) / 2)
    }

    /// The invocation's error for a failed call that it cannot do without.
    pub fn error(&self, error: &CallError) -> Error {
        match error.kind {
            Failure::Denied => Error::AccessDenied(format!(
                "{} may not call {} in account {} ({}). {}, and check that no service control policy or permissions \
                 boundary denies it.",
                self.principal, error.action, self.id, error.code, self.remedy
            )),
            Failure::TimeUp => Error::DeadlineExceeded(format!("Time ran out in account {}: {error}.", self.id)),
            Failure::NotFound | Failure::NotYetConsistent | Failure::Other => {
                Error::AwsError(format!("{error} in account {}.", self.id))
            }
        }
    }
}

/// The clients for each account, created once and kept as long as their credentials are valid.
#[derive(Debug)]
pub struct Accounts {
    shared: SdkConfig,
    sts: aws_sdk_sts::Client,
    /// With its path, without a slash in front.
    evaluation_role: Option<String>,
    /// The ARN of the person at the command line; `None` for the function.
    person: Option<String>,
    cache: Mutex<HashMap<String, Clients>>,
}

#[derive(Clone, Debug)]
struct Clients {
    iam: aws_sdk_iam::Client,
    config: aws_sdk_config::Client,
    settings: SdkConfig,
    /// `MAX_UTC` for the function's own credentials, which the SDK renews.
    expires: DateTime<Utc>,
}

/// The SDK's settings. The caller adds a Region or credentials if the environment has none.
pub fn settings() -> ConfigLoader {
    // Pinned, because `latest()` changes timeouts and retries with each update of the SDK.
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .retry_config(RetryConfig::disabled())
        .http_client(http_client())
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(20)).build())
}

impl Accounts {
    /// `evaluation_role`: the role to assume in accounts other than the function's own, as `NAME` or `/PATH/NAME`.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] if it is not a role's name with or without a path (IAM's model: a name has 1 to 64 letters, digits and
    /// `+=,.@_-`, a path 512 characters at most; this accepts the characters of a name in a path).
    pub fn new(shared: SdkConfig, evaluation_role: Option<String>) -> Result<Accounts, Error> {
        let evaluation_role = evaluation_role.map(|role| role.strip_prefix('/').map(str::to_owned).unwrap_or(role));
        let is_name = |name: &str| {
            (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@_-".contains(&b))
        };
        let is_role = |role: &str| role.len() <= 512 && role.split('/').all(is_name);
        if evaluation_role.as_deref().is_some_and(|role| !is_role(role)) {
            return Err(Error::AccessDenied(
                "EVALUATION_ROLE_NAME is not the name of an IAM role, such as access-key-rotation-evaluation or \
                 /security/access-key-rotation-evaluation."
                    .to_owned(),
            ));
        }
        let sts = aws_sdk_sts::config::Builder::from(&shared).interceptor(WholeAnswers).build();
        let sts = aws_sdk_sts::Client::from_conf(sts);
        Ok(Accounts { shared, sts, evaluation_role, person: None, cache: Mutex::default() })
    }

    /// Errors advise this person, by the ARN of their user or their role's session, instead of those who deploy the function.
    #[must_use]
    pub fn of_person(self, arn: String) -> Accounts {
        Accounts { person: Some(arn), ..self }
    }

    /// The settings for clients with the function's own credentials.
    pub fn own_settings(&self) -> &SdkConfig {
        &self.shared
    }

    /// Opens an account: the function's own with its own credentials, any other through the evaluation role.
    ///
    /// # Errors
    /// [`Error::AccessDenied`] if the role cannot be assumed, otherwise the error of the failed call.
    pub async fn open<'a>(
        &self,
        id: &str,
        home: &Home,
        now: DateTime<Utc>,
        calls: &'a Calls,
        ends: Ends,
    ) -> Result<Account<'a>, Error> {
        let role_arn = self.role_arn(id, home)?;
        let clients = match self.cached(id, now) {
            Some(clients) => clients,
            None => {
                let credentials = match &role_arn {
                    Some(role_arn) => Some(self.assume(role_arn, id, calls, ends.reads).await?),
                    None => None,
                };
                self.keep(id, self.clients(credentials), now)
            }
        };
        let (principal, remedy) = match (&self.person, role_arn) {
            (None, Some(role)) => (format!("The role {role} (in templates/member.yaml)"), DEPLOY),
            (None, None) => ("The function's role (in templates/hub.yaml)".to_owned(), DEPLOY),
            (Some(_), Some(role)) => (format!("The role {role}"), "Allow it, or pass another role with --role-name"),
            (Some(person), None) => (person.clone(), "Allow it, or use other credentials"),
        };
        let Clients { iam, config, settings, .. } = clients;
        let (id, partition) = (id.to_owned(), home.partition.clone());
        Ok(Account { id, partition, iam, config, settings, calls, ends, principal, remedy })
    }

    fn role_arn(&self, account: &str, home: &Home) -> Result<Option<String>, Error> {
        if account == home.account {
            return Ok(None);
        }
        let Some(role) = &self.evaluation_role else {
            return Err(Error::AccessDenied(format!(
                "Set EVALUATION_ROLE_NAME to the role to assume in account {account}, which is not the function's own account."
            )));
        };
        Ok(Some(format!("arn:{}:iam::{account}:role/{role}", home.partition)))
    }

    async fn assume(
        &self,
        role_arn: &str,
        account: &str,
        calls: &Calls,
        until: Instant,
    ) -> Result<(Credentials, DateTime<Utc>), Error> {
        let request = self
            .sts
            .assume_role()
            .role_arn(role_arn)
            .role_session_name("access-key-rotation")
            .duration_seconds(SESSION.as_secs().try_into().unwrap_or(i32::MAX));
        let answer =
            calls.call("sts:AssumeRole", until, || request.clone().send()).await.map_err(|error| match error.kind {
                // Not an error of the caller's own credentials, such as their expiry.
                Failure::Denied if error.code == "AccessDenied" => {
                    Error::AccessDenied(self.not_assumed(role_arn, account, &error.code))
                }
                Failure::TimeUp => Error::DeadlineExceeded(format!("Time ran out: {error} on {role_arn}.")),
                _ => Error::AwsError(format!("{error} on {role_arn}.")),
            })?;
        let incomplete = || Error::AwsError(format!("sts:AssumeRole on {role_arn}: the answer has no credentials."));
        let given = answer.credentials.ok_or_else(incomplete)?;
        let expires = DateTime::from_timestamp(given.expiration.secs(), 0).ok_or_else(incomplete)?;
        // The SDK does not learn the expiry: the cache below renews the credentials, by the invocation's clock.
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            None,
            "evaluation role",
        );
        Ok((credentials, expires))
    }

    fn not_assumed(&self, role_arn: &str, account: &str, code: &str) -> String {
        let Some(person) = &self.person else {
            return format!(
                "sts:AssumeRole on {role_arn} is denied ({code}): the role does not exist or does not trust the function's role. \
                 Deploy templates/member.yaml in account {account}."
            );
        };
        let advice = match self.evaluation_role.as_deref() {
            Some(ORGANIZATION_ROLE) => format!(
                "Only accounts that AWS Organizations created have {ORGANIZATION_ROLE}, and only the management account may \
                 assume it there. Pass --role-name with another role"
            ),
            _ => format!(
                "Pass --role-name with a role that you may assume there (from the management account: --role-name \
                 {ORGANIZATION_ROLE})"
            ),
        };
        format!("Cannot assume {role_arn} ({code}): it does not exist, or does not trust {person}. {advice}.")
    }

    fn clients(&self, credentials: Option<(Credentials, DateTime<Utc>)>) -> Clients {
        let (settings, expires) = match credentials {
            Some((credentials, expires)) => {
                let provider = SharedCredentialsProvider::new(credentials);
                (self.shared.to_builder().credentials_provider(provider).build(), expires)
            }
            None => (self.shared.clone(), DateTime::<Utc>::MAX_UTC),
        };
        Clients {
            iam: aws_sdk_iam::Client::from_conf(
                aws_sdk_iam::config::Builder::from(&settings).interceptor(WholeAnswers).build(),
            ),
            config: aws_sdk_config::Client::from_conf(
                aws_sdk_config::config::Builder::from(&settings).interceptor(WholeAnswers).build(),
            ),
            settings,
            expires,
        }
    }

    /// Forgets an account's credentials: those of a role that was deleted and created again are no longer valid.
    pub fn forget(&self, id: &str) {
        lock(&self.cache).remove(id);
    }

    fn cached(&self, account: &str, now: DateTime<Utc>) -> Option<Clients> {
        let cache = lock(&self.cache);
        cache.get(account).filter(|clients| clients.good_at(now)).cloned()
    }

    fn keep(&self, account: &str, clients: Clients, now: DateTime<Utc>) -> Clients {
        let mut cache = lock(&self.cache);
        cache.retain(|_, clients| clients.good_at(now));
        if cache.len() >= CACHED_ACCOUNTS
            && let Some(first_to_expire) = cache.iter().min_by_key(|(_, c)| c.expires).map(|(id, _)| id.clone())
        {
            cache.remove(&first_to_expire);
        }
        cache.insert(account.to_owned(), clients.clone());
        clients
    }
}

impl Clients {
    fn good_at(&self, now: DateTime<Utc>) -> bool {
        self.expires - now > LEAST_LEFT
    }
}
