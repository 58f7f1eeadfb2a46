//! The credentials, the Region, and the role in other accounts.

use super::{profile::Profile, verbosity::Verbosity};
use crate::output::messages::{self, Level, detail};
use access_key_rotation::aws::{
    account::{Account, Accounts, settings},
    client::Calls,
    home::{Home, is_account_id},
};
use anyhow::{Context, anyhow, bail};
use aws_config::{Region, SdkConfig};
use aws_sdk_sts::config::{ProvideCredentials, SharedCredentialsProvider};
use chrono::{DateTime, Utc};
use clap::value_parser;
use futures_util::{StreamExt, stream};
use std::{collections::BTreeMap, time::Duration};
use tokio::time::Instant;

/// An account of 5,000 users takes a minute or two, an organization of hundreds of accounts several minutes.
const LONGEST: Duration = Duration::from_secs(4 * 3600);

/// How many accounts to read at a time.
const ACCOUNTS_AT_A_TIME: usize = 8;

const NO_CREDENTIALS: &str = "no AWS credentials (pass --profile NAME, or run aws sso login or aws configure)";

/// How to reach AWS.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct Connection {
    /// Use this profile from your AWS CLI configuration, whatever credentials the environment has
    #[arg(long)]
    pub(crate) profile: Option<String>,
    /// Use this Region: your home Region, where AWS Config records IAM users
    #[arg(long)]
    pub(crate) region: Option<String>,
    /// Assume this role in accounts other than the current one. In the management account, OrganizationAccountAccessRole needs no
    /// deployment. If the role has a path, put the path in front: /security/NAME
    #[arg(long, value_name = "NAME", default_value = "access-key-rotation-evaluation")]
    pub(crate) role_name: String,
    /// Make at most this number of calls a second in each account (5 to 1000). Lower it if other tools are throttled. At 5, a scan
    /// reads at most 18,000 users in a role's session of one hour
    #[arg(long, value_name = "NUMBER", default_value_t = 50, value_parser = value_parser!(u32).range(5..=1000))]
    pub(crate) calls_per_second: u32,
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
}

/// A tested connection: the credentials work.
pub(crate) struct Session {
    pub(crate) config: SdkConfig,
    pub(crate) accounts: Accounts,
    /// The account of the credentials, and the Region.
    pub(crate) home: Home,
    /// The ARN of the credentials' user or of the role's session.
    pub(crate) caller: String,
    pub(crate) now: DateTime<Utc>,
    /// The deadline for calls.
    pub(crate) until: Instant,
    calls_per_second: u32,
}

impl Connection {
    /// Asks AWS whose credentials these are.
    ///
    /// # Errors
    /// If a setting is missing, or AWS rejects the credentials.
    pub(crate) async fn open(&self) -> anyhow::Result<Session> {
        let until = Instant::now() + LONGEST;
        let profile = Profile::named(self.profile.as_deref()).await?;
        let mut loader = settings();
        if let Some(profile) = &profile {
            loader = loader.profile_name(&profile.name);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let mut config = loader.load().await;
        let explicit = profile.filter(|profile| profile.is_explicit);
        if let Some(profile) = &explicit {
            let credentials = SharedCredentialsProvider::new(profile.credentials(&config));
            config = config.to_builder().credentials_provider(credentials).build();
        }
        let region =
            config.region().context("no Region. Pass --region, or set AWS_REGION or the profile's region")?.to_string();
        // One attempt: without credentials, a retry does not help.
        let missing = || match &explicit {
            Some(Profile { name, .. }) => format!(
                "--profile {name}: no credentials (run aws sso login --profile {name} or aws configure --profile {name})"
            ),
            None => NO_CREDENTIALS.to_owned(),
        };
        let provider = config.credentials_provider().with_context(missing)?;
        provider.provide_credentials().await.with_context(missing)?;
        self.identified(config, region, until).await
    }

    #[expect(clippy::disallowed_methods, reason = "a command's `now` is when it has its connection")]
    async fn identified(&self, config: SdkConfig, region: String, until: Instant) -> anyhow::Result<Session> {
        let sts = aws_sdk_sts::Client::new(&config);
        let identity = watched(Calls::default(), "the current account")
            .call("sts:GetCallerIdentity", until, || sts.get_caller_identity().send())
            .await
            .map_err(|error| {
                if error.is_answer() {
                    anyhow!("{error}. Check your credentials with: aws sts get-caller-identity")
                } else {
                    anyhow!("{error}")
                }
            })?;
        let partition = identity.arn.as_deref().and_then(|arn| arn.split(':').nth(1)).map(str::to_owned);
        let (Some(partition), Some(caller), Some(account)) = (partition, identity.arn, identity.account) else {
            bail!("sts:GetCallerIdentity: cannot understand the response");
        };
        Ok(Session {
            accounts: Accounts::new(config.clone(), Some(self.role_name.clone()))
                .map_err(|_| {
                    anyhow!("--role-name {}: not the name of an IAM role, such as NAME or /PATH/NAME", self.role_name)
                })?
                .of_person(caller.clone()),
            config,
            home: Home { partition, region, account },
            caller,
            now: Utc::now(),
            until,
            calls_per_second: self.calls_per_second,
        })
    }
}

impl Session {
    /// The calls to the current account, with their limit.
    pub(crate) fn calls(&self) -> Calls {
        self.calls_in(&self.home.account)
    }

    /// The calls to one account, with their limit.
    pub(crate) fn calls_in(&self, account: &str) -> Calls {
        watched(Calls::at_most(self.calls_per_second), account)
    }

    /// Reads accounts side by side, each at its own rate. The results are in the order of the accounts' ids.
    pub(crate) async fn read_accounts<T>(
        &self,
        accounts: BTreeMap<String, Option<String>>,
        read: impl AsyncFn(String, Option<String>) -> T,
    ) -> Vec<T> {
        let read = &read;
        let reads = stream::iter(accounts).map(|(id, name)| async move {
            let result = read(id.clone(), name).await;
            // Frees the account's clients, since there may be hundreds of accounts.
            self.accounts.forget(&id);
            (id, result)
        });
        let results: BTreeMap<_, _> = reads.buffer_unordered(ACCOUNTS_AT_A_TIME).collect().await;
        results.into_values().collect()
    }

    /// Opens an account: the current one with the given credentials, any other through the role.
    ///
    /// # Errors
    /// If the role cannot be assumed.
    pub(crate) async fn open<'a>(&self, id: &str, calls: &'a Calls) -> anyhow::Result<Account<'a>> {
        Ok(self.accounts.open(id, &self.home, self.now, calls, self.until.into()).await?)
    }
}

/// With --verbose, says each call.
fn watched(calls: Calls, account: &str) -> Calls {
    if !messages::is(Level::Verbose) {
        return calls;
    }
    calls.watched(account, |account, action, answer| detail(&format!("{account}: {action}: {answer}")))
}

/// A session with these settings, as of this time.
#[cfg(test)]
pub(crate) async fn session(config: SdkConfig, now: DateTime<Utc>) -> Session {
    let connection = Connection {
        profile: None,
        region: None,
        role_name: "access-key-rotation-evaluation".to_owned(),
        calls_per_second: 50,
        verbosity: Verbosity::default(),
    };
    let (region, until) = (config.region().unwrap().to_string(), Instant::now() + LONGEST);
    Session { now, ..connection.identified(config, region, until).await.unwrap() }
}

/// Parses an account id.
pub(crate) fn account_id(text: &str) -> anyhow::Result<String> {
    if is_account_id(text) { Ok(text.to_owned()) } else { bail!("an account id has twelve digits") }
}
