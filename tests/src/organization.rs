//! The organization: who is in it, and who administers it.

use std::collections::{BTreeMap, BTreeSet};

/// An organization with all features. There is at most one in a world.
pub struct Organization {
    pub(crate) management: String,
    pub(crate) administrators: BTreeSet<String>,
    pub(crate) members: BTreeMap<String, Member>,
}

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) state: &'static str,
}

impl Organization {
    /// The id of each organization here.
    pub(crate) const ID: &str = "o-exampleorgid";

    pub(crate) fn new(management: &str) -> Organization {
        let mut organization = Organization {
            management: management.to_owned(),
            administrators: BTreeSet::new(),
            members: BTreeMap::new(),
        };
        organization.add_account(management, "management", "ACTIVE");
        organization
    }

    /// Adds an account, or gives it another name and state. The states are `PENDING_ACTIVATION`, `ACTIVE`, `SUSPENDED`,
    /// `PENDING_CLOSURE` and `CLOSED`.
    pub fn add_account(&mut self, id: &str, name: &str, state: &'static str) {
        self.members.insert(id.to_owned(), Member { name: name.to_owned(), state });
    }

    /// Registers a delegated administrator, for every service that has one.
    pub fn delegate_to(&mut self, id: &str) {
        self.administrators.insert(id.to_owned());
    }

    /// Whether the account may look at the organization as a whole.
    pub(crate) fn is_administered_by(&self, id: &str) -> bool {
        id == self.management || self.administrators.contains(id)
    }
}
