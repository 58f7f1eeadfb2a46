//! Who uses one key: an entry of the document that `where --format json` prints.

use super::{
    lookup::Window,
    note::{Seen, note},
    replacement::replacement,
    rows::{Caller, Callers, Rows},
};
use crate::findings::{filtered::Filtered, finding::Used};
use access_key_rotation::aws::client::CallError;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A key whose callers are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) account: String,
    /// `None` if IAM does not say whose key it is.
    pub(crate) user_name: Option<String>,
    pub(crate) access_key_id: String,
    pub(crate) created: Option<DateTime<Utc>>,
    /// `None` if it could not be read.
    pub(crate) last_used: Option<Used>,
}

/// Who uses a key.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyHistory {
    pub(crate) access_key_id: String,
    pub(crate) account_id: String,
    pub(crate) user_name: Option<String>,
    pub(crate) last_used: Option<Used>,
    /// The ARN of whoever called `CreateAccessKey`; `None` if CloudTrail does not know it, or did not say.
    pub(crate) created_by: Option<String>,
    /// Those with the most events first.
    pub(crate) callers: Vec<Caller>,
    pub(crate) regions_read: Vec<String>,
    pub(crate) regions_not_read: Vec<NotRead>,
    pub(crate) note: Option<String>,
    /// What could take the key's place, in one line.
    pub(crate) replacement: Option<String>,
}

/// A Region that was not read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct NotRead {
    /// `None`: which other Regions there are is not known.
    pub(crate) region: Option<String>,
    pub(crate) why: String,
}

/// A key while its events are read.
pub(super) struct Reading {
    wanted: Wanted,
    pub(super) rows: Rows,
    pub(super) created_by: Option<String>,
    /// Why it is not known who created the key.
    pub(super) creation_error: Option<CallError>,
    pub(super) regions_read: Vec<String>,
    pub(super) regions_cut: Vec<String>,
    pub(super) regions_not_read: Vec<NotRead>,
}

impl Reading {
    pub(super) fn of(wanted: Wanted) -> Reading {
        Reading {
            wanted,
            rows: Rows::default(),
            created_by: None,
            creation_error: None,
            regions_read: Vec::new(),
            regions_cut: Vec::new(),
            regions_not_read: Vec::new(),
        }
    }

    pub(super) fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    pub(super) fn wanted_mut(&mut self) -> &mut Wanted {
        &mut self.wanted
    }

    pub(super) fn finish(mut self, window: &Window) -> KeyHistory {
        for regions in [&mut self.regions_read, &mut self.regions_cut] {
            regions.sort_unstable();
        }
        self.regions_not_read.sort_unstable();
        let (latest, unreadable) = (self.rows.latest, self.rows.unreadable);
        let Callers { listed, left_out } = self.rows.finish();
        let note = note(&Seen {
            window,
            last_used: self.wanted.last_used.as_ref(),
            latest,
            left_out,
            unreadable,
            regions_cut: &self.regions_cut,
            reads_are_missing: !self.regions_not_read.is_empty(),
            creation_error: self.creation_error.as_ref(),
        });
        let replacement = replacement(listed.iter().map(|caller| (&caller.agent, &caller.address, caller.events)));
        let Wanted { account, user_name, access_key_id, last_used, .. } = self.wanted;
        KeyHistory {
            access_key_id,
            account_id: account,
            user_name,
            last_used,
            created_by: self.created_by,
            callers: listed,
            regions_read: self.regions_read,
            regions_not_read: self.regions_not_read,
            note,
            replacement,
        }
    }
}

impl KeyHistory {
    /// The Regions that were not read, together if it is for the same reason: in one sentence each.
    pub(crate) fn not_read_sentences(&self) -> Vec<String> {
        not_read_sentences(&self.regions_not_read)
    }
}

fn not_read_sentences<'a>(regions: impl IntoIterator<Item = &'a NotRead>) -> Vec<String> {
    let mut by_reason: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for NotRead { region, why } in regions {
        by_reason.entry(why).or_default().push(region.as_deref().unwrap_or("any other Region"));
    }
    by_reason.iter().map(|(why, regions)| format!("Not read: {}. {why}", regions.join(", "))).collect()
}

/// Who uses several keys: the document that `where --format json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Histories {
    pub(crate) read_at: DateTime<Utc>,
    pub(crate) days: u16,
    pub(crate) most_events: usize,
    /// `None`: no key is left out.
    #[serde(rename = "filter", skip_serializing_if = "Option::is_none")]
    pub(crate) filtered: Option<Filtered>,
    pub(crate) keys: Vec<KeyHistory>,
}

impl Histories {
    /// What could not be read: one line for each account and reason.
    pub(crate) fn missing(&self) -> Vec<String> {
        let mut accounts: BTreeMap<&str, BTreeSet<&NotRead>> = BTreeMap::new();
        for key in self.keys.iter().filter(|key| !key.regions_not_read.is_empty()) {
            accounts.entry(&key.account_id).or_default().extend(&key.regions_not_read);
        }
        let lines = accounts.into_iter().flat_map(|(account, regions)| {
            not_read_sentences(regions).into_iter().map(move |sentence| format!("account {account}: {sentence}"))
        });
        lines.collect()
    }
}
