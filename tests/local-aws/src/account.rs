//! One AWS account: its users, roles and Config rules.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use fastrand::Rng;

use crate::cloud_trail::Trail;
use crate::config_rule::{ConfigRule, Delivery, EvaluationResult, ResultToken};
use crate::error::AwsError;
use crate::ids;
use crate::other_credentials::AllUsers;
use crate::regional::Regional;
use crate::secrets_manager::secret::Secrets;
use crate::ssm::parameters::Parameters;
use crate::user::{AccessKey, KeyStatus, LastUsed, User};

// Quotas that IAM does not raise.
pub(crate) const USERS_PER_ACCOUNT: usize = 5000;
pub(crate) const ACCESS_KEYS_PER_USER: usize = 2;

static NO_RESULTS: BTreeMap<String, EvaluationResult> = BTreeMap::new();

/// An account. Its methods change the state directly: no fault applies, and no call is recorded.
///
/// Methods that change something by its name return whether it existed.
pub struct Account {
    pub(crate) regional: Regional,
    pub(crate) parameters: Parameters,
    pub(crate) secrets: Secrets,
    pub(crate) trail: Trail,
    pub(crate) credential_report: Option<CredentialReport>,
    /// When each access key of the root user was created.
    pub(crate) root_access_keys: Vec<DateTime<Utc>>,
    pub(crate) all_users: AllUsers,
    /// How long a new access key does not work.
    pub(crate) key_delay: TimeDelta,
    pub(crate) result_tokens: HashMap<String, ResultToken>,
    pub(crate) rng: Rng,
    /// The world's time at the last access to this account.
    pub(crate) now: DateTime<Utc>,
    created: DateTime<Utc>,
    id: String,
    /// By lower-case name: IAM does not distinguish names by case.
    users: BTreeMap<String, User>,
    /// Access key id to the lower-case name of its user.
    key_owners: HashMap<String, String>,
    roles: BTreeMap<String, Role>,
    rules: BTreeMap<String, ConfigRule>,
}

pub(crate) struct Role {
    pub(crate) id: String,
    /// ARNs of the roles and account roots that may assume the role.
    pub(crate) trusted: Vec<String>,
}

/// A report on the account at one time.
pub(crate) struct CredentialReport {
    pub(crate) generated: DateTime<Utc>,
    pub(crate) csv: String,
}

impl Account {
    pub(crate) fn new(id: &str, now: DateTime<Utc>) -> Account {
        let seed = id.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(byte.into()));
        Account {
            regional: Regional::default(),
            parameters: Parameters::default(),
            secrets: Secrets::default(),
            trail: Trail::default(),
            credential_report: None,
            root_access_keys: Vec::new(),
            all_users: AllUsers::OfEveryService,
            key_delay: TimeDelta::zero(),
            result_tokens: HashMap::new(),
            rng: Rng::with_seed(seed),
            now,
            created: now.trunc_subsecs(0),
            id: id.to_owned(),
            users: BTreeMap::new(),
            key_owners: HashMap::new(),
            roles: BTreeMap::new(),
            rules: BTreeMap::new(),
        }
    }

    /// The account's id, twelve digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the account was created.
    pub fn created(&self) -> DateTime<Utc> {
        self.created
    }

    /// The users in order of their names.
    pub fn users(&self) -> impl Iterator<Item = &User> {
        self.users.values()
    }

    /// The user with that name.
    pub fn user(&self, name: &str) -> Option<&User> {
        self.users.get(&name.to_lowercase()).filter(|user| user.name == name)
    }

    /// The users whose names come after `after`.
    pub(crate) fn users_after(&self, after: Option<&str>) -> impl Iterator<Item = &User> {
        let start = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.to_lowercase()));
        self.users.range((start, Bound::Unbounded)).map(|(_, user)| user)
    }

    /// The user, or IAM's error.
    pub(crate) fn existing_user(&mut self, name: &str) -> Result<&mut User, AwsError> {
        self.users
            .get_mut(&name.to_lowercase())
            .filter(|user| user.name == name)
            .ok_or_else(|| AwsError::no_such_entity(format!("The user with name {name} cannot be found.")))
    }

    /// Creates a user with the path `/` and returns the id, `AIDA…`. An existing user stays as it is.
    pub fn create_user(&mut self, name: &str, created: DateTime<Utc>) -> String {
        self.create_user_in_path("/", name, created)
    }

    /// Like [`create_user`](Account::create_user), with a path such as `/machines/`.
    pub fn create_user_in_path(&mut self, path: &str, name: &str, created: DateTime<Utc>) -> String {
        if let Some(user) = self.users.get(&name.to_lowercase()) {
            return user.id.clone();
        }
        let user = User {
            name: name.to_owned(),
            id: ids::user_id(&mut self.rng),
            arn: self.user_arn(path, name),
            path: path.to_owned(),
            created: created.trunc_subsecs(0),
            keys: Vec::new(),
            service_specific_credentials: Vec::new(),
            tags: BTreeMap::new(),
            attached_policies: Vec::new(),
        };
        let id = user.id.clone();
        self.users.insert(name.to_lowercase(), user);
        id
    }

    /// Checks whether IAM would create a user with that name.
    pub(crate) fn can_create_user(&self, name: &str) -> Result<(), AwsError> {
        if self.users.contains_key(&name.to_lowercase()) {
            return Err(AwsError::new(409, "EntityAlreadyExists", format!("User with name {name} already exists.")));
        }
        if self.users.len() >= USERS_PER_ACCOUNT {
            return Err(AwsError::limit_exceeded(format!(
                "Cannot exceed quota for UsersPerAccount: {USERS_PER_ACCOUNT}"
            )));
        }
        Ok(())
    }

    fn user_arn(&self, path: &str, name: &str) -> String {
        format!("arn:aws:iam::{}:user{path}{name}", self.id)
    }

    /// Deletes a user with everything that belongs to it.
    pub fn delete_user(&mut self, name: &str) -> bool {
        if self.user(name).is_none() {
            return false;
        }
        let user = self.users.remove(&name.to_lowercase());
        for key in user.into_iter().flat_map(|user| user.keys) {
            self.key_owners.remove(&key.id);
        }
        true
    }

    /// Attaches managed policies to a user in place of those that it has.
    pub fn attach_policies(&mut self, name: &str, arns: &[&str]) -> bool {
        let user = self.existing_user(name);
        user.map(|user| user.attached_policies = arns.iter().map(|arn| (*arn).to_owned()).collect()).is_ok()
    }

    /// Renames a user, which keeps its id and keys. Nothing happens if the new name is taken.
    pub fn rename_user(&mut self, from: &str, to: &str) -> bool {
        let taken = self.users.get(&to.to_lowercase()).is_some_and(|user| user.name != from);
        if taken || self.user(from).is_none() {
            return false;
        }
        let Some(mut user) = self.users.remove(&from.to_lowercase()) else {
            return false;
        };
        user.arn = self.user_arn(&user.path, to);
        user.name = to.to_owned();
        for key in &user.keys {
            self.key_owners.insert(key.id.clone(), to.to_lowercase());
        }
        self.users.insert(to.to_lowercase(), user);
        true
    }

    /// Creates so many users of 1,000 days, `user-0000` and on, each with a key. `age` gives the days of the n-th one's key.
    ///
    /// # Errors
    /// `LimitExceeded` if one of them exists and has two keys.
    pub fn populate(&mut self, now: DateTime<Utc>, users: usize, age: impl Fn(usize) -> i64) -> Result<(), AwsError> {
        for n in 0..users {
            let name = format!("user-{n:04}");
            self.create_user(&name, now - TimeDelta::days(1000));
            self.create_key(&name, now - TimeDelta::days(age(n)))?;
        }
        Ok(())
    }

    /// Creates an active access key and returns its id, `AKIA…`.
    ///
    /// # Errors
    /// `NoSuchEntity` if there is no such user, `LimitExceeded` if the user has two keys.
    pub fn create_key(&mut self, user: &str, created: DateTime<Utc>) -> Result<String, AwsError> {
        let id = ids::access_key_id(&mut self.rng);
        let owner = self.existing_user(user)?;
        if owner.keys.len() >= ACCESS_KEYS_PER_USER {
            let message = format!("Cannot exceed quota for AccessKeysPerUser: {ACCESS_KEYS_PER_USER}");
            return Err(AwsError::limit_exceeded(message));
        }
        let created = created.trunc_subsecs(0);
        let status = KeyStatus::Active;
        let key = AccessKey { id: id.clone(), status, created, activated: created, secret: None, last_used: None };
        owner.keys.push(key);
        self.key_owners.insert(id.clone(), user.to_lowercase());
        Ok(id)
    }

    /// Sets a key's status, as a session of the role `somebody` does now. [`set_key_status_by`](Account::set_key_status_by) is
    /// for another role or time.
    pub fn set_key_status(&mut self, user: &str, key: &str, status: KeyStatus) -> bool {
        self.set_key_status_by("somebody", self.now, user, key, status)
    }

    /// Sets a key's status without an event in CloudTrail.
    pub(crate) fn change_key_status(&mut self, at: DateTime<Utc>, user: &str, key: &str, status: KeyStatus) -> bool {
        let Some(key) = self.existing_user(user).ok().and_then(|user| user.key_mut(key)) else {
            return false;
        };
        if status == KeyStatus::Active && key.status != status {
            key.activated = at.trunc_subsecs(0);
        }
        key.status = status;
        true
    }

    /// Records a use of a key by `service` in `region`, such as `s3` in `us-east-1`.
    pub fn use_key(&mut self, key: &str, at: DateTime<Utc>, region: &str, service: &str) -> bool {
        let owner = self.key_owners.get(key).and_then(|owner| self.users.get_mut(owner));
        let Some(key) = owner.and_then(|user| user.key_mut(key)) else {
            return false;
        };
        key.last_used =
            Some(LastUsed { at: at.trunc_subsecs(0), region: region.to_owned(), service: service.to_owned() });
        true
    }

    /// Deletes a key.
    pub fn delete_key(&mut self, user: &str, key: &str) -> bool {
        let Ok(owner) = self.existing_user(user) else {
            return false;
        };
        let before = owner.keys.len();
        owner.keys.retain(|other| other.id != key);
        let deleted = owner.keys.len() < before;
        if deleted {
            self.key_owners.remove(key);
        }
        deleted
    }

    /// The owner of a key, and the key.
    pub(crate) fn key_owner(&self, key: &str) -> Option<(&User, &AccessKey)> {
        let user = self.users.get(self.key_owners.get(key)?)?;
        user.keys.iter().find(|other| other.id == key).map(|key| (user, key))
    }

    /// Sets a tag of a user.
    pub fn tag_user(&mut self, name: &str, key: &str, value: &str) -> bool {
        self.existing_user(name).map(|user| user.tag(key, value)).is_ok()
    }

    /// Removes a tag from a user.
    pub fn untag_user(&mut self, name: &str, key: &str) -> bool {
        self.existing_user(name).is_ok_and(|user| user.untag(key))
    }

    /// Creates a role, unless it exists, that trusts the principal `trusted`: a role's ARN, or the ARN of an account's root
    /// (`arn:aws:iam::123456789012:root`), which means everybody in that account. A second call adds a principal.
    pub fn add_role(&mut self, name: &str, trusted: &str) {
        self.ensure_role(name).trusted.push(trusted.to_owned());
    }

    pub(crate) fn ensure_role(&mut self, name: &str) -> &mut Role {
        let rng = &mut self.rng;
        self.roles.entry(name.to_owned()).or_insert_with(|| Role { id: ids::role_id(rng), trusted: Vec::new() })
    }

    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.get(name)
    }

    /// Creates a Config rule, unless it exists.
    pub fn add_rule(&mut self, name: &str) {
        self.ensure_rule(name);
    }

    pub(crate) fn ensure_rule(&mut self, name: &str) -> &mut ConfigRule {
        let (rng, now) = (&mut self.rng, self.now);
        self.rules.entry(name.to_owned()).or_insert_with(|| ConfigRule::new(ids::config_rule_id(rng), now))
    }

    /// Deletes a Config rule with its results. Its result tokens stop working.
    pub fn delete_rule(&mut self, name: &str) -> bool {
        self.rules.remove(name).is_some()
    }

    pub(crate) fn rules(&self) -> &BTreeMap<String, ConfigRule> {
        &self.rules
    }

    pub(crate) fn rule_mut(&mut self, name: &str) -> Option<&mut ConfigRule> {
        self.rules.get_mut(name)
    }

    /// A rule's results by resource id. There are none if there is no such rule.
    pub fn results(&self, rule: &str) -> &BTreeMap<String, EvaluationResult> {
        self.rules.get(rule).map_or(&NO_RESULTS, |rule| &rule.results)
    }

    /// A rule's results, for tests that remove or forge some.
    pub fn results_mut(&mut self, rule: &str) -> Option<&mut BTreeMap<String, EvaluationResult>> {
        self.rules.get_mut(rule).map(|rule| &mut rule.results)
    }

    /// The calls of `PutEvaluations` that were accepted for a rule, in order. There are none if there is no such rule.
    pub fn deliveries(&self, rule: &str) -> &[Delivery] {
        self.rules.get(rule).map_or(&[], |rule| &rule.deliveries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account::new("123456789012", DateTime::from_timestamp(1_700_000_000, 0).unwrap())
    }

    #[test]
    fn user_names_are_unique_regardless_of_case_but_lookups_are_case_sensitive() {
        let mut account = account();
        let id = account.create_user("Alice", account.now);
        assert_eq!(account.create_user("alice", account.now), id);
        assert!(account.user("Alice").is_some() && account.user("alice").is_none());
        assert_eq!(account.can_create_user("ALICE").unwrap_err().code, "EntityAlreadyExists");
    }

    #[test]
    fn ids_are_the_same_in_each_run_and_differ_between_accounts() {
        let now = account().now;
        let id = account().create_user("alice", now);
        assert_eq!(account().create_user("alice", now), id);
        assert_ne!(Account::new("210987654321", now).create_user("alice", now), id);
        assert!(id.len() == 21 && id.starts_with("AIDA"), "{id}");
    }

    #[test]
    fn a_key_keeps_its_owner_through_deletion_and_renaming() {
        let mut account = account();
        account.create_user("alice", account.now);
        let first = account.create_key("alice", account.now).unwrap();
        let second = account.create_key("alice", account.now).unwrap();
        assert_eq!(account.create_key("alice", account.now).unwrap_err().code, "LimitExceeded");
        assert!(account.delete_key("alice", &first));
        assert!(account.rename_user("alice", "alina"));
        let (user, key) = account.key_owner(&second).unwrap();
        assert_eq!((user.name.as_str(), user.arn.as_str()), ("alina", "arn:aws:iam::123456789012:user/alina"));
        assert_eq!(key.id, second);
        assert!(account.delete_user("alina") && account.key_owner(&second).is_none());
    }

    #[test]
    fn the_case_of_tag_keys_does_not_matter() {
        let mut account = account();
        account.create_user("alice", account.now);
        account.tag_user("alice", "Team", "a");
        account.tag_user("alice", "team", "b");
        let tags: Vec<_> = account.user("alice").unwrap().tags.iter().collect();
        assert_eq!(tags, [(&"team".to_owned(), &"b".to_owned())]);
        assert!(account.untag_user("alice", "TEAM") && !account.untag_user("alice", "team"));
    }
}
