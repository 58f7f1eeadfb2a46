//! Reads the runbooks' records of an account. They are in the Region of the runbooks: the home Region.

use crate::findings::{
    finding::Finding,
    record::{PATH, Record},
};
use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Failure, Pages},
};
use std::collections::BTreeMap;

pub(crate) const GET_PARAMETERS_BY_PATH: &str = "ssm:GetParametersByPath";

/// The values of the records, by key id.
#[derive(Debug, Default)]
pub(crate) struct Records(BTreeMap<String, String>);

impl Records {
    /// Reads the records of all keys of the account, also of keys that are gone.
    ///
    /// # Errors
    /// If a page is missing. That says nothing about any key.
    pub(crate) async fn read(account: &Account<'_>) -> Result<Records, CallError> {
        let ssm = aws_sdk_ssm::Client::new(&account.settings);
        let mut records = BTreeMap::new();
        let mut pages = Pages::of(GET_PARAMETERS_BY_PATH);
        while pages.more() {
            // Pages have ten parameters at most, which is also the default.
            let request = ssm.get_parameters_by_path().path(PATH).set_next_token(pages.next());
            let page =
                account.calls.call(GET_PARAMETERS_BY_PATH, account.ends.reads, || request.clone().send()).await?;
            // Without a list, even an empty one, it is no answer of Systems Manager.
            let parameters = page.parameters.ok_or_else(|| CallError {
                action: GET_PARAMETERS_BY_PATH,
                kind: Failure::Other,
                code: "unexpected answer".to_owned(),
            })?;
            for parameter in parameters {
                let name = parameter.name.unwrap_or_default();
                if let Some(id) = name.strip_prefix(PATH).and_then(|rest| rest.strip_prefix('/')) {
                    records.insert(id.to_owned(), parameter.value.unwrap_or_default());
                }
            }
            pages.turn(page.next_token)?;
        }
        Ok(Records(records))
    }

    /// Adds the record of each key that has one.
    pub(crate) fn add_to(&self, finding: &mut Finding, grace_days: u16) {
        for key in &mut finding.access_keys {
            let value = self.0.get(&key.access_key_id);
            key.record = value.map(|value| Record::read(value, finding.user_id.as_deref(), key, grace_days));
        }
    }
}
