//! The organization's conformance packs, and the accounts that they exclude.

use crate::aws::client::{CallError, Calls, Pages};
use aws_sdk_config::types::OrganizationConformancePack;
use std::collections::BTreeSet;
use tokio::time::Instant;

const DESCRIBE_PACKS: &str = "config:DescribeOrganizationConformancePacks";
/// The parameter of `conformance-pack/access-key-rotation.yaml` that has the function's ARN.
const FUNCTION_ARN: &str = "FunctionArn";

/// A conformance pack that an account deployed to the organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganizationPack {
    /// Its name.
    pub name: String,
    /// The value of its parameter `FunctionArn`, if it has one.
    pub function: Option<String>,
    /// The ids of the accounts that it excludes, at most 1,000.
    pub excluded: BTreeSet<String>,
}

/// The organization's conformance packs, in the client's Region. Nobody but the account that deployed a pack sees it, and only the
/// management account and delegated administrators may ask (`DescribeOrganizationConformancePacks` in AWS Config's API reference).
///
/// # Errors
/// The call that failed: nothing is known of the packs then.
pub async fn organization_packs(
    config: &aws_sdk_config::Client,
    calls: &Calls,
    until: Instant,
) -> Result<Vec<OrganizationPack>, CallError> {
    let mut packs = Vec::new();
    let mut pages = Pages::of(DESCRIBE_PACKS);
    while pages.more() {
        let request = config.describe_organization_conformance_packs().set_next_token(pages.next());
        let page = calls.call(DESCRIBE_PACKS, until, || request.clone().send()).await?;
        packs.extend(page.organization_conformance_packs.unwrap_or_default().into_iter().map(decode));
        pages.turn(page.next_token)?;
    }
    Ok(packs)
}

fn decode(pack: OrganizationConformancePack) -> OrganizationPack {
    let parameters = pack.conformance_pack_input_parameters.unwrap_or_default();
    let function = parameters.into_iter().find(|parameter| parameter.parameter_name == FUNCTION_ARN);
    OrganizationPack {
        name: pack.organization_conformance_pack_name,
        function: function.map(|parameter| parameter.parameter_value),
        excluded: pack.excluded_accounts.unwrap_or_default().into_iter().collect(),
    }
}

/// The accounts that each of the packs with such a function excludes. Without such a pack, nobody is excluded.
pub fn excluded_accounts(packs: Vec<OrganizationPack>, is_ours: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let ours = packs.into_iter().filter(|pack| pack.function.as_deref().is_some_and(&is_ours));
    ours.map(|pack| pack.excluded).reduce(|one, other| &one & &other).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn excluded(packs: &[(Option<&str>, &[&str])]) -> Vec<String> {
        let packs = packs.iter().map(|(function, excluded)| OrganizationPack {
            name: "any".to_owned(),
            function: function.map(str::to_owned),
            excluded: excluded.iter().map(|id| (*id).to_owned()).collect(),
        });
        excluded_accounts(packs.collect(), |function| function == "ours").into_iter().collect()
    }

    #[test]
    fn an_account_is_excluded_if_each_pack_with_the_function_excludes_it() {
        assert_eq!(excluded(&[]), [""; 0]);
        assert_eq!(excluded(&[(Some("other"), &["1"]), (None, &["1"])]), [""; 0]);
        assert_eq!(excluded(&[(Some("other"), &["3"]), (Some("ours"), &["1", "2"])]), ["1", "2"]);
        assert_eq!(excluded(&[(Some("ours"), &["1", "2"]), (Some("ours"), &["2", "3"])]), ["2"]);
        assert_eq!(excluded(&[(Some("ours"), &["1"]), (Some("ours"), &[])]), [""; 0]);
    }
}
