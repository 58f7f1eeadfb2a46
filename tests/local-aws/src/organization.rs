//! The organization: its accounts and its administrators.

use std::collections::{BTreeMap, BTreeSet};

/// Conformance packs by name.
pub(crate) type Packs = BTreeMap<String, Pack>;

static NO_PACKS: Packs = BTreeMap::new();

/// An organization with all features. There is at most one in a world.
pub struct Organization {
    pub(crate) management: String,
    pub(crate) administrators: BTreeSet<String>,
    pub(crate) members: BTreeMap<String, Member>,
    /// By the account that deployed them, and the Region.
    packs: BTreeMap<(String, String), Packs>,
    /// Whether accounts have a `Status` instead of a `State`, as before AWS retired it.
    pub(crate) has_status: bool,
    /// Whether the overall status of a pack stays in progress.
    pub(crate) pack_status_sticks: bool,
}

pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) state: &'static str,
}

/// A conformance pack of the organization.
#[derive(Default)]
pub(crate) struct Pack {
    /// Its state in each account.
    pub(crate) deployments: BTreeMap<String, Deployment>,
    /// The value of its parameter `FunctionArn`, if it has one.
    pub(crate) function: String,
    pub(crate) excluded: BTreeSet<String>,
}

/// A conformance pack in one account.
pub(crate) struct Deployment {
    pub(crate) status: &'static str,
    /// AWS's code and message, if it failed.
    pub(crate) error: Option<(String, String)>,
}

impl Organization {
    /// The id of every organization here.
    pub(crate) const ID: &str = "o-exampleorgid";

    pub(crate) fn new(management: &str) -> Organization {
        let mut organization = Organization {
            management: management.to_owned(),
            administrators: BTreeSet::new(),
            members: BTreeMap::new(),
            packs: BTreeMap::new(),
            has_status: false,
            pack_status_sticks: false,
        };
        organization.add_account(management, "management", "ACTIVE");
        organization
    }

    /// Adds an account, or changes its name and state. The states are `PENDING_ACTIVATION`, `ACTIVE`, `SUSPENDED`,
    /// `PENDING_CLOSURE` and `CLOSED`; any other stands for one that AWS adds later.
    pub fn add_account(&mut self, id: &str, name: &str, state: &'static str) {
        self.members.insert(id.to_owned(), Member { name: name.to_owned(), state });
    }

    /// Answers with the `Status` of accounts and without their `State`, as AWS did before September 2026.
    pub fn answer_with_status(&mut self) {
        self.has_status = true;
    }

    /// Registers a delegated administrator for every service that allows one.
    pub fn delegate_to(&mut self, id: &str) {
        self.administrators.insert(id.to_owned());
    }

    /// Sets the state of a conformance pack in one account: a status such as `CREATE_SUCCESSFUL` and, if it failed, AWS's code
    /// and message. `administrator` is the account that deployed the pack.
    pub fn set_pack(
        &mut self,
        (administrator, region, name): (&str, &str, &str),
        account: &str,
        status: &'static str,
        error: Option<(&str, &str)>,
    ) {
        let packs = self.packs.entry((administrator.to_owned(), region.to_owned())).or_default();
        let error = error.map(|(code, message)| (code.to_owned(), message.to_owned()));
        let pack = packs.entry(name.to_owned()).or_default();
        pack.deployments.insert(account.to_owned(), Deployment { status, error });
    }

    /// Sets the function of a conformance pack and the accounts that it excludes, which it leaves. It makes the pack if there is none.
    pub fn exclude_from_pack(
        &mut self,
        (administrator, region, name): (&str, &str, &str),
        function: &str,
        accounts: &[&str],
    ) {
        let packs = self.packs.entry((administrator.to_owned(), region.to_owned())).or_default();
        let pack = packs.entry(name.to_owned()).or_default();
        function.clone_into(&mut pack.function);
        pack.excluded = accounts.iter().map(|id| (*id).to_owned()).collect();
        pack.deployments.retain(|id, _| !pack.excluded.contains(id));
    }

    /// Leaves the overall status of each pack in progress, as a delegated administrator may see it, whatever becomes of the accounts.
    pub fn stick_pack_status(&mut self) {
        self.pack_status_sticks = true;
    }

    /// Deletes a conformance pack, and returns whether it existed.
    pub fn delete_pack(&mut self, (administrator, region, name): (&str, &str, &str)) -> bool {
        let packs = self.packs.get_mut(&(administrator.to_owned(), region.to_owned()));
        packs.is_some_and(|packs| packs.remove(name).is_some())
    }

    /// The packs that an account deployed in a Region.
    pub(crate) fn packs(&self, administrator: &str, region: &str) -> &Packs {
        self.packs.get(&(administrator.to_owned(), region.to_owned())).unwrap_or(&NO_PACKS)
    }

    /// Whether the account may read the data of the whole organization.
    pub(crate) fn is_administered_by(&self, id: &str) -> bool {
        id == self.management || self.administrators.contains(id)
    }
}
