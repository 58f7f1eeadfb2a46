//! The rule, deployed to a world: roles and the rule in each account, and the function in this process.

use access_key_rotation::{
    aws::{
        account::{Accounts, settings},
        home::Home,
    },
    config_service::delivery::Destination,
    error::Error,
    handler::{Invocation, handle},
    metrics::Metrics,
    notices::NoticeSettings,
};
use aws_config::SdkConfig;
use chrono::{DateTime, Utc};
use local_aws::{Credentials, LocalAws, REGION, Recorder, World};
use serde_json::Value;
use std::{collections::BTreeSet, time::Duration};

/// The name of the Config rule.
pub const RULE: &str = "access-key-rotation";
/// The function's role, in the hub account.
pub const FUNCTION_ROLE: &str = "access-key-rotation-function";
/// The role that the function assumes in every other account.
pub const EVALUATION_ROLE: &str = "access-key-rotation-evaluation";

/// The runbooks that `templates/member.yaml` creates in every account.
pub const RUNBOOKS: [&str; 4] = [
    "AccessKeyRotation-DeactivateStaleKeys",
    "AccessKeyRotation-ReactivateKey",
    "AccessKeyRotation-DeleteDeactivatedKeys",
    "AccessKeyRotation-RemediateUser",
];

/// Creates the rule and the roles in the hub account and the member accounts. Returns the credentials that the function runs
/// with.
pub fn deploy(world: &mut World, hub: &str, members: &[&str]) -> Credentials {
    for id in members.iter().chain([&hub]) {
        let account = world.account(id);
        account.add_rule(RULE);
        account.add_role(EVALUATION_ROLE, &format!("arn:aws:iam::{hub}:role/{FUNCTION_ROLE}"));
    }
    world.credentials(hub, FUNCTION_ROLE)
}

/// Creates an organization of `accounts`, each with its id and name. The hub manages it, and `doctor` finds nothing wrong in
/// it. The evaluation role also trusts `user`, as with the parameter `CommandLineRoleArn` of `templates/member.yaml`.
pub fn organize(world: &mut World, hub: &str, accounts: &[(&str, String)], user: &str) {
    for (id, name) in accounts {
        let account = world.account(id);
        account.set_recorder(Some(Recorder::of_everything()));
        RUNBOOKS.iter().for_each(|name| account.add_document(name, "Active"));
        account.add_role(EVALUATION_ROLE, user);
        account.set_rule_function(RULE, &function_arn(hub));
        let organization = world.organization(hub);
        organization.add_account(id, name, "ACTIVE");
        organization.set_pack((hub, REGION, RULE), id, "CREATE_SUCCESSFUL", None);
    }
    world.account(hub).add_function(RULE);
    world.account(hub).let_config_invoke(RULE, None);
    world.account(hub).reserve_concurrency(RULE, Some(20));
}

/// The ARN of the function in the hub account.
pub fn function_arn(hub: &str) -> String {
    format!("arn:aws:lambda:{REGION}:{hub}:function:access-key-rotation")
}

/// The rule's settings for clients with these credentials.
pub async fn client_settings(aws: &LocalAws, credentials: Credentials) -> SdkConfig {
    let credentials = aws_credential_types::Credentials::new(
        credentials.access_key_id,
        credentials.secret_access_key,
        credentials.session_token,
        None,
        "local AWS",
    );
    let settings = match aws.http_client() {
        Some(client) => settings().http_client(client),
        None => settings(),
    };
    settings
        .endpoint_url(aws.endpoint())
        .region(aws_config::Region::new(REGION))
        .credentials_provider(credentials)
        .load()
        .await
}

/// The accounts as a function with these credentials opens them, each other one through the evaluation role.
///
/// # Errors
/// None: the role's name is valid.
pub async fn accounts(aws: &LocalAws, credentials: Credentials) -> Result<Accounts, Error> {
    accounts_with(client_settings(aws, credentials).await)
}

fn accounts_with(settings: SdkConfig) -> Result<Accounts, Error> {
    Accounts::new(settings, Some(EVALUATION_ROLE.to_owned()))
}

/// The function's handler in this process, with real clients over HTTP and a clock that the caller sets.
#[derive(Debug)]
pub struct InProcess {
    accounts: Accounts,
    home: Home,
    /// How long an invocation may take.
    pub timeout: Duration,
    /// Where notices go.
    pub notices: Option<NoticeSettings>,
    /// The ids of users who are known to be shielded.
    pub known_shielded: BTreeSet<String>,
}

impl InProcess {
    /// A function in the hub account, with the credentials from [`deploy`].
    ///
    /// # Errors
    /// If `hub` is not the id of an account.
    pub async fn start(aws: &LocalAws, hub: &str, credentials: Credentials) -> Result<InProcess, Error> {
        InProcess::with(client_settings(aws, credentials).await, hub)
    }

    /// A function in the hub account, whose clients have these settings.
    ///
    /// # Errors
    /// If `hub` is not the id of an account.
    pub fn with(settings: SdkConfig, hub: &str) -> Result<InProcess, Error> {
        Ok(InProcess {
            accounts: accounts_with(settings)?,
            home: Home::from_function_arn(&function_arn(hub))?,
            timeout: Duration::from_secs(900),
            notices: None,
            known_shielded: BTreeSet::new(),
        })
    }

    /// Handles an event at `now`. Returns the metrics along with the outcome, even if that is an error.
    pub async fn invoke(&self, event: &Value, now: DateTime<Utc>) -> (Result<(), Error>, Metrics) {
        let metrics = Metrics::with_known_shielded(self.known_shielded.clone());
        let invocation = Invocation {
            home: self.home.clone(),
            now,
            remaining: self.timeout,
            results: Destination::Config,
            notices: self.notices.clone(),
        };
        (handle(event, &invocation, &self.accounts, &metrics).await, metrics)
    }
}
