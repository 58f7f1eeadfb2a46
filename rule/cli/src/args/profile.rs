//! The profile of the AWS CLI's configuration that `--profile` or the environment names.
//!
//! As in the AWS CLI (botocore's `create_credential_resolver`), a profile that `--profile` names wins over every credential in
//! the environment, and one that a variable names does not. A profile that does not exist is an error in any case. The Region
//! in the environment wins over the profile's.

use anyhow::{Context, bail};
use aws_config::{
    SdkConfig,
    profile::{self, ProfileFileCredentialsProvider},
    provider_config::ProviderConfig,
};
use std::env;

/// What the AWS CLI reads, in its order. The SDK knows only the second.
const VARIABLES: [&str; 2] = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"];

/// How many of the profiles that exist an error names.
const MOST_NAMED: usize = 20;

/// A profile that exists.
pub(super) struct Profile {
    pub(super) name: String,
    /// Whether it was named by `--profile`, and not by the environment.
    pub(super) is_explicit: bool,
}

impl Profile {
    /// The profile that the option or else the environment names.
    ///
    /// # Errors
    /// If there is no such profile, or the files cannot be read.
    pub(super) async fn named(option: Option<&str>) -> anyhow::Result<Option<Profile>> {
        let variable = || VARIABLES.into_iter().find_map(|name| Some((name, env::var(name).ok()?)));
        let Some((source, name)) = option.map(|name| ("--profile", name.to_owned())).or_else(variable) else {
            return Ok(None);
        };
        // Where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE say, or in ~/.aws.
        let profiles = profile::load(&Default::default(), &Default::default(), &Default::default(), None)
            .await
            .with_context(|| format!("{source} {name}: cannot read the profiles"))?;
        if profiles.get_profile(&name).is_none() {
            let mut known: Vec<_> = profiles.profiles().collect();
            known.sort_unstable();
            let known = match known[..] {
                [] => "there are none".to_owned(),
                [.., _] if known.len() > MOST_NAMED => format!("{}, ...", known[..MOST_NAMED].join(", ")),
                _ => known.join(", "),
            };
            bail!("{source} {name:?}: no such profile ({known})");
        }
        Ok(Some(Profile { name, is_explicit: option.is_some() }))
    }

    /// The profile's own credentials, and nothing else if it has none: no keys, token or role of the environment, the
    /// container or the instance, unless the profile names them as its `credential_source`.
    pub(super) fn credentials(&self, config: &SdkConfig) -> ProfileFileCredentialsProvider {
        let mut settings = ProviderConfig::without_region()
            .with_region(config.region().cloned())
            .with_use_fips(config.use_fips())
            .with_use_dual_stack(config.use_dual_stack());
        if let Some(client) = config.http_client() {
            settings = settings.with_http_client(client);
        }
        if let Some(retries) = config.retry_config() {
            settings = settings.with_retry_config(retries.clone());
        }
        if let Some(timeouts) = config.timeout_config() {
            settings = settings.with_timeout_config(timeouts.clone());
        }
        ProfileFileCredentialsProvider::builder().profile_name(&self.name).configure(&settings).build()
    }
}
