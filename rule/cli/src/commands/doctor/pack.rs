//! Checks the conformance pack and its Region: that AWS Config records IAM users there, the pack's status in each account, and
//! that no other Region has it.

use super::report::{Caller, Check, is_denial};
use crate::{args::connection::Session, manual};
use access_key_rotation::{
    aws::{
        client::{CallError, Calls, Pages},
        home::Home,
    },
    config_service::{event::IAM_USER, organization_packs::organization_packs},
};
use aws_sdk_config::{
    config::ProvideCredentials,
    types::{
        OrganizationConformancePackDetailedStatus as Detail, OrganizationConformancePackStatus as PackStatus,
        OrganizationResourceDetailedStatus as InAccount, OrganizationResourceStatus as Overall,
    },
};
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};

const NAME: &str = "pack";
const STATUSES: &str = "config:DescribeOrganizationConformancePackStatuses";
const DETAILS: &str = "config:GetOrganizationConformancePackDetailedStatus";
/// How many Regions to ask at a time.
const REGIONS_AT_A_TIME: usize = 8;
/// The most accounts that AWS Config puts on a page.
const ACCOUNTS_A_PAGE: i32 = 100;

/// The status in each account, or why it is unknown.
type Accounts = Result<BTreeMap<String, Detail>, &'static str>;

/// The conformance pack.
pub(super) struct Pack {
    name: String,
    accounts: Accounts,
    /// The accounts that it excludes; `None` if they are unknown.
    excluded: Option<BTreeSet<String>>,
    /// The checks that are not about a single account.
    pub(super) checks: Vec<Check>,
}

impl Pack {
    pub(super) async fn read(session: &Session, name: &str) -> Pack {
        let calls = session.calls();
        let pack = |accounts, excluded, checks| Pack { name: name.to_owned(), accounts, excluded, checks };
        let config = aws_sdk_config::Client::new(&session.config);
        let status = status(&config, &calls, session, name).await;
        let overall = |accounts| overall(&status, accounts, session, name);
        let (accounts, excluded) = match &status {
            Ok(Some(_)) => {
                (accounts(&config, &calls, session, name).await, excluded(&config, &calls, session, name).await)
            }
            Ok(None) => (Ok(Err("the pack does not exist")), Ok(BTreeSet::new())),
            // Other Regions would not say more.
            Err(_) => {
                const WHY: &str = "the pack is unknown";
                return pack(Err(WHY), None, vec![overall(None), Check::skipped(NAME, WHY).of("other Regions")]);
            }
        };
        let elsewhere = elsewhere(session, &calls, name).await;
        let unread =
            |error: CallError, of| Check::unknown(NAME, error.to_string(), Caller::Current.remedy(&error)).of(of);
        let (accounts, mut checks) = match accounts {
            Ok(accounts) => {
                let overall = overall(accounts.as_ref().ok());
                (accounts, vec![overall])
            }
            Err(error) => {
                let checks = vec![overall(None), unread(error, "accounts")];
                (Err("the status of the pack in the accounts is unknown"), checks)
            }
        };
        let excluded = excluded.map_err(|error| checks.push(unread(error, "exclusions"))).ok();
        checks.push(elsewhere);
        pack(accounts, excluded, checks)
    }

    /// Whether it excludes the account; `None` if that is unknown.
    pub(super) fn excludes(&self, id: &str) -> Option<bool> {
        self.excluded.as_ref().map(|excluded| excluded.contains(id))
    }

    pub(super) fn of_account(&self, id: &str) -> Check {
        let accounts = match &self.accounts {
            Ok(accounts) => accounts,
            Err(why) => return Check::skipped(NAME, *why),
        };
        let name = &self.name;
        let (excludes, detail) = (self.excludes(id), accounts.get(id));
        if excludes == Some(true) && detail.is_none_or(|detail| detail.status == InAccount::DeleteSuccessful) {
            return Check::skipped(NAME, format!("{name} excludes this account"));
        }
        let Some(detail) = detail else {
            let seen = format!("{name} was not deployed to this account");
            return if excludes.is_none() {
                Check::skipped(NAME, format!("{seen}, and whether it excludes the account is unknown"))
            } else {
                Check::failed(NAME, seen, format!("Repeat the command in {}.", manual::PACK))
            };
        };
        match &detail.status {
            InAccount::CreateSuccessful | InAccount::UpdateSuccessful => Check::ok(NAME, detail.status.as_str()),
            status @ InAccount::DeleteInProgress if excludes == Some(true) => undecided(status.as_str()),
            status @ (InAccount::CreateFailed
            | InAccount::UpdateFailed
            | InAccount::DeleteFailed
            | InAccount::DeleteInProgress
            | InAccount::DeleteSuccessful) => {
                let seen = failure(status.as_str(), &detail.error_code, &detail.error_message);
                let remedy = format!("See {}, then repeat the command in {}.", manual::TROUBLESHOOTING, manual::PACK);
                Check::failed(NAME, seen, remedy)
            }
            status => undecided(status.as_str()),
        }
    }
}

/// `accounts`: their own statuses, if they were read. For a delegated administrator, the overall status may stay in progress although
/// every account is done (hashicorp/terraform-provider-aws issue 24545).
fn overall(
    status: &Result<Option<PackStatus>, CallError>,
    accounts: Option<&BTreeMap<String, Detail>>,
    session: &Session,
    name: &str,
) -> Check {
    let check = match status {
        Err(error) if error.code == "OrganizationAccessDeniedException" => Check::unknown(
            NAME,
            format!("account {} cannot manage the organization's conformance packs", session.home.account),
            format!(
                "Run the doctor in the account that deployed the pack, the delegated administrator ({}).",
                manual::ADMINISTRATORS
            ),
        ),
        Err(error) => Check::unknown(NAME, error.to_string(), Caller::Current.remedy(error)),
        Ok(None) => {
            let seen = format!("this account has not deployed an organization conformance pack {name} in this Region");
            Check::failed(NAME, seen, format!("Deploy it ({}), or pass its name with --pack-name.", manual::PACK))
        }
        Ok(Some(pack)) => match &pack.status {
            Overall::CreateSuccessful | Overall::UpdateSuccessful => Check::ok(NAME, pack.status.as_str()),
            status @ (Overall::CreateFailed
            | Overall::UpdateFailed
            | Overall::DeleteFailed
            | Overall::DeleteInProgress
            | Overall::DeleteSuccessful) => {
                let seen = failure(status.as_str(), &pack.error_code, &pack.error_message);
                Check::failed(
                    NAME,
                    seen,
                    format!("Fix the accounts in which it failed, then repeat the command in {}.", manual::PACK),
                )
            }
            status @ (Overall::CreateInProgress | Overall::UpdateInProgress)
                if accounts.is_some_and(|accounts| !accounts.is_empty() && accounts.values().all(is_done)) =>
            {
                Check::ok(NAME, format!("{status}, but no account is in progress any more"))
            }
            status => undecided(status.as_str()),
        },
    };
    check.of("home Region")
}

fn is_done(detail: &Detail) -> bool {
    matches!(
        detail.status,
        InAccount::CreateSuccessful | InAccount::UpdateSuccessful | InAccount::CreateFailed | InAccount::UpdateFailed
    )
}

/// In progress, or a status that this version does not know.
fn undecided(status: &str) -> Check {
    Check::unknown(NAME, status, "Run the doctor again in a few minutes.")
}

/// For example `CREATE_FAILED, CODE: MESSAGE`.
fn failure(status: &str, code: &Option<String>, message: &Option<String>) -> String {
    let why: Vec<_> = [code, message].into_iter().flatten().map(String::as_str).collect();
    if why.is_empty() { status.to_owned() } else { format!("{status}, {}", why.join(": ")) }
}

/// `None` if this account has not deployed the pack in the client's Region.
async fn status(
    config: &aws_sdk_config::Client,
    calls: &Calls,
    session: &Session,
    name: &str,
) -> Result<Option<PackStatus>, CallError> {
    let request = config.describe_organization_conformance_pack_statuses().organization_conformance_pack_names(name);
    match calls.call(STATUSES, session.until, || request.clone().send()).await {
        Ok(answer) => Ok(answer.organization_conformance_pack_statuses.unwrap_or_default().into_iter().next()),
        Err(error) if error.code == "NoSuchOrganizationConformancePackException" => Ok(None),
        Err(error) => Err(error),
    }
}

async fn accounts(
    config: &aws_sdk_config::Client,
    calls: &Calls,
    session: &Session,
    name: &str,
) -> Result<Accounts, CallError> {
    let mut accounts = BTreeMap::new();
    let mut pages = Pages::of(DETAILS);
    while pages.more() {
        let request = config
            .get_organization_conformance_pack_detailed_status()
            .organization_conformance_pack_name(name)
            .limit(ACCOUNTS_A_PAGE)
            .set_next_token(pages.next());
        let page = calls.call(DETAILS, session.until, || request.clone().send()).await?;
        let details = page.organization_conformance_pack_detailed_statuses.unwrap_or_default();
        accounts.extend(details.into_iter().map(|detail| (detail.account_id.clone(), detail)));
        pages.turn(page.next_token)?;
    }
    Ok(Ok(accounts))
}

/// The accounts that the pack excludes.
async fn excluded(
    config: &aws_sdk_config::Client,
    calls: &Calls,
    session: &Session,
    name: &str,
) -> Result<BTreeSet<String>, CallError> {
    let packs = organization_packs(config, calls, session.until).await?;
    Ok(packs.into_iter().find(|pack| pack.name == name).map(|pack| pack.excluded).unwrap_or_default())
}

/// With the pack in two Regions, AWS Config would report everything twice.
async fn elsewhere(session: &Session, calls: &Calls, name: &str) -> Check {
    let home = &session.home.region;
    let ask = async |region: &'static Region| {
        let settings = session.config.to_builder().region(aws_config::Region::new(region.name)).build();
        (region, status(&aws_sdk_config::Client::new(&settings), calls, session, name).await)
    };
    let others = recording(&session.home.partition).filter(|region| region.name != home);
    let answers: Vec<_> = stream::iter(others).map(ask).buffered(REGIONS_AT_A_TIME).collect().await;

    let refuses =
        |error: &CallError| ["UnrecognizedClientException", "InvalidClientTokenId"].contains(&error.code.as_str());
    // A Region that is not enabled accepts no credentials. But opt-in Regions do not accept sessions of STS's global endpoint
    // either ("Managing AWS STS in an AWS Region"). If no opt-in Region accepts these credentials, they may be such a session.
    let takes = |answer: &Result<_, CallError>| answer.as_ref().err().is_none_or(is_denial);
    let taken = answers.iter().any(|(region, answer)| region.opt_in && takes(answer));
    let home_opts_in = recording(&session.home.partition).any(|region| region.opt_in && region.name == home);
    let proven = taken || home_opts_in || is_long_term(session).await;

    let (mut found, mut refusing, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for (region, answer) in &answers {
        match answer {
            Ok(Some(_)) => found.push(region.name.to_owned()),
            Ok(None) => {}
            Err(error) if refuses(error) && region.opt_in => refusing.push(region.name),
            Err(error) => unknown.push(format!("{} ({})", region.name, error.code)),
        }
    }
    let check = if !found.is_empty() {
        Check::failed(
            NAME,
            format!("{name} is also in {}, so AWS Config reports everything twice", found.join(", ")),
            "Delete it there: run aws configservice delete-organization-conformance-pack with that --region.",
        )
    } else if !unknown.is_empty() {
        Check::unknown(
            NAME,
            format!("cannot check whether {name} is also in {}", unknown.join(", ")),
            "If a policy denies it, run the doctor in an account to which the policy does not apply.",
        )
    } else {
        let (asked, refusing) = (answers.len() - refusing.len(), refusing.join(", "));
        let seen = format!("{name} is in none of the {asked} other Regions that record IAM users");
        if refusing.is_empty() {
            Check::ok(NAME, seen)
        } else if proven {
            Check::ok(NAME, format!("{seen}; not enabled: {refusing}"))
        } else {
            Check::skipped(
                NAME,
                format!(
                    "{seen}; not checked, since they are not enabled or do not accept your session: {refusing} (set \
                     AWS_STS_REGIONAL_ENDPOINTS=regional for a session that every enabled Region accepts)"
                ),
            )
        }
    };
    check.of("other Regions")
}

/// Whether the credentials are a user's access key, which every enabled Region accepts.
async fn is_long_term(session: &Session) -> bool {
    let Some(provider) = session.config.credentials_provider() else { return false };
    provider.provide_credentials().await.is_ok_and(|credentials| credentials.session_token().is_none())
}

/// A Region that records IAM users.
struct Region {
    name: &'static str,
    partition: &'static str,
    /// Whether an account must enable it first ("Enable or disable AWS Regions in your account", AWS Account Management).
    opt_in: bool,
}

const fn region(partition: &'static str, name: &'static str) -> Region {
    Region { name, partition, opt_in: false }
}

const fn opt_in(name: &'static str) -> Region {
    Region { name, partition: "aws", opt_in: true }
}

/// The Regions in which AWS Config records IAM users: those where it was available before February 2022.
///
/// The developer guide says so under "Recording AWS Resources" (select-resources.html), the API reference under `RecordingGroup`.
/// The later Regions are those that the guide leaves out for the managed rules that IAM users trigger, such as
/// iam-user-group-membership-check.
const RECORDING: [Region; 26] = [
    opt_in("af-south-1"),
    opt_in("ap-east-1"),
    region("aws", "ap-northeast-1"),
    region("aws", "ap-northeast-2"),
    region("aws", "ap-northeast-3"),
    region("aws", "ap-south-1"),
    region("aws", "ap-southeast-1"),
    region("aws", "ap-southeast-2"),
    opt_in("ap-southeast-3"),
    region("aws", "ca-central-1"),
    region("aws", "eu-central-1"),
    region("aws", "eu-north-1"),
    opt_in("eu-south-1"),
    region("aws", "eu-west-1"),
    region("aws", "eu-west-2"),
    region("aws", "eu-west-3"),
    opt_in("me-south-1"),
    region("aws", "sa-east-1"),
    region("aws", "us-east-1"),
    region("aws", "us-east-2"),
    region("aws", "us-west-1"),
    region("aws", "us-west-2"),
    region("aws-cn", "cn-north-1"),
    region("aws-cn", "cn-northwest-1"),
    region("aws-us-gov", "us-gov-east-1"),
    region("aws-us-gov", "us-gov-west-1"),
];

const NOT_RECORDING: [&str; 12] = [
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "mx-central-1",
];

/// The Regions of a partition that record IAM users.
fn recording(partition: &str) -> impl Iterator<Item = &'static Region> {
    RECORDING.iter().filter(move |region| region.partition == partition)
}

/// Whether AWS Config records IAM users in the home Region.
pub(super) fn home_region(home: &Home) -> Check {
    const NAME: &str = "region";
    let region = &home.region;
    if recording(&home.partition).any(|known| known.name == region) {
        Check::ok(NAME, format!("AWS Config records {IAM_USER} in {region}"))
    } else if NOT_RECORDING.contains(&region.as_str()) {
        Check::failed(
            NAME,
            format!(
                "AWS Config does not record {IAM_USER} in {region}, where it was not available before February 2022"
            ),
            format!("Choose another home Region ({}), and pass it with --region.", manual::DEPLOYMENT),
        )
    } else {
        Check::unknown(
            NAME,
            format!("this version does not know whether AWS Config records {IAM_USER} in {region}"),
            "Look it up in \"Recording AWS Resources\" in AWS Config's developer guide.",
        )
    }
}
