//! Who sent a request: sessions of roles, access keys of users, and the administrator of each account.

use chrono::{DateTime, TimeDelta, Utc};

use crate::account::Account;
use crate::error::AwsError;
use crate::identity::{Caller, CallerKind, Credentials, Session, role_name};
use crate::ids;
use crate::request::Scope;
use crate::user::{AccessKey, KeyStatus};
use crate::world::World;

const ADMINISTRATOR_PREFIX: &str = "AKIALOCAL";

impl Account {
    /// Sets how long after its creation an access key does not work yet. At first, it works at once.
    pub fn set_key_delay(&mut self, delay: TimeDelta) {
        self.key_delay = delay;
    }
}

impl World {
    /// Credentials of the session `local` of a role, such as that of a Lambda function. The account and the role are created if
    /// they do not exist. Like the credentials that Lambda supplies, these never expire for their user.
    pub fn credentials(&mut self, account: &str, role: &str) -> Credentials {
        self.account(account).ensure_role(role);
        self.new_session(account, role, "local", None)
    }

    /// From now on, session credentials that were not issued here belong to that role. This is for a client that gets its
    /// credentials from another AWS and uses this one for some services only.
    pub fn accept_foreign_credentials(&mut self, account: &str, role: &str) {
        self.account(account).ensure_role(role);
        let (account, role, name) = (account.to_owned(), role.to_owned(), "foreign".to_owned());
        self.sessions.foreign = Some(Session { account, role, name, token: String::new(), expires: None });
    }

    pub(crate) fn new_session(
        &mut self,
        account: &str,
        role: &str,
        name: &str,
        expires: Option<DateTime<Utc>>,
    ) -> Credentials {
        let access_key_id = ids::session_key_id(&mut self.rng);
        let token = ids::token(&mut self.rng, 400);
        let (account, role, name) = (account.to_owned(), role.to_owned(), name.to_owned());
        let session = Session { account, role, name, token: token.clone(), expires };
        self.sessions.issued.insert(access_key_id.clone(), session);
        Credentials { access_key_id, secret_access_key: ids::secret(&mut self.rng), session_token: Some(token) }
    }

    /// The sender of a request. For an IAM user, the request is a use of the access key.
    pub(crate) fn authenticate(&mut self, scope: &Scope) -> Result<Caller, AwsError> {
        let invalid = || AwsError::invalid_client_token(scope.service);
        if let Some(account) = scope.access_key_id.strip_prefix(ADMINISTRATOR_PREFIX) {
            return self.administrator(account).ok_or_else(invalid);
        }
        if let Some(session) = self.sessions.issued.get(&scope.access_key_id) {
            if scope.session_token.as_ref() != Some(&session.token) {
                return Err(invalid());
            }
            if session.expires.is_some_and(|expires| expires <= self.now()) {
                return Err(AwsError::expired_token(scope.service));
            }
            return self.role_session(session).ok_or_else(invalid);
        }
        if let (Some(session), Some(_)) = (&self.sessions.foreign, &scope.session_token) {
            return self.role_session(session).ok_or_else(invalid);
        }
        self.user(scope)
    }

    fn administrator(&self, account: &str) -> Option<Caller> {
        self.existing_account(account)?;
        Some(Caller {
            account: account.to_owned(),
            arn: format!("arn:aws:iam::{account}:user/administrator"),
            user_id: format!("AIDALOCAL{account}"),
            kind: CallerKind::Administrator,
        })
    }

    fn role_session(&self, session: &Session) -> Option<Caller> {
        let Session { account, role, name, .. } = session;
        let role_id = &self.existing_account(account)?.role(role)?.id;
        Some(Caller {
            account: account.clone(),
            arn: format!("arn:aws:sts::{account}:assumed-role/{}/{name}", role_name(role)),
            user_id: format!("{role_id}:{name}"),
            kind: CallerKind::Role(role.clone()),
        })
    }

    fn user(&mut self, scope: &Scope) -> Result<Caller, AwsError> {
        let (key_id, now) = (&scope.access_key_id, self.now());
        let found =
            self.accounts().find_map(|account| account.key_owner(key_id).map(|(user, key)| (account, user, key)));
        let works = |(account, _, key): &(&Account, _, &AccessKey)| {
            key.status == KeyStatus::Active && key.created + account.key_delay <= now
        };
        let (account, user, key) = found.filter(works).ok_or_else(|| AwsError::invalid_client_token(scope.service))?;
        let is_signed = |secret: &String| scope.signature.as_ref().is_some_and(|signature| signature.is_by(secret));
        if !key.secret.as_ref().is_none_or(is_signed) {
            return Err(AwsError::wrong_signature(scope.service));
        }
        let caller = Caller {
            account: account.id().to_owned(),
            arn: user.arn.clone(),
            user_id: user.id.clone(),
            kind: CallerKind::User(user.name.clone()),
        };
        self.account(&caller.account).use_key(key_id, now, &scope.region, &scope.service.to_string());
        Ok(caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::Service;

    fn scope(credentials: &Credentials) -> Scope {
        Scope {
            access_key_id: credentials.access_key_id.clone(),
            session_token: credentials.session_token.clone(),
            region: "us-east-1".to_owned(),
            service: Service::Iam,
            signature: None,
        }
    }

    #[test]
    fn a_session_needs_its_token_and_ends_when_it_expires() {
        let mut world = World::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        world.account("123456789012").add_role("reader", "arn:aws:iam::210987654321:root");
        let expires = world.now() + TimeDelta::hours(1);
        let credentials = world.new_session("123456789012", "reader", "one", Some(expires));
        let caller = world.authenticate(&scope(&credentials)).ok().unwrap();
        assert_eq!(caller.arn, "arn:aws:sts::123456789012:assumed-role/reader/one");
        let stripped = Credentials { session_token: None, ..credentials.clone() };
        assert_eq!(world.authenticate(&scope(&stripped)).err().unwrap().code, "InvalidClientTokenId");
        world.advance(TimeDelta::hours(1));
        assert_eq!(world.authenticate(&scope(&credentials)).err().unwrap().code, "ExpiredToken");
    }

    #[test]
    fn foreign_credentials_are_refused_until_they_have_a_role() {
        let mut world = World::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let foreign = Credentials {
            access_key_id: "ASIAFOREIGN".to_owned(),
            secret_access_key: String::new(),
            session_token: Some("token".to_owned()),
        };
        assert_eq!(world.authenticate(&scope(&foreign)).err().unwrap().code, "InvalidClientTokenId");
        world.accept_foreign_credentials("123456789012", "reader");
        let caller = world.authenticate(&scope(&foreign)).ok().unwrap();
        assert_eq!(caller.arn, "arn:aws:sts::123456789012:assumed-role/reader/foreign");
        let no_session = Credentials { session_token: None, ..foreign };
        assert!(world.authenticate(&scope(&no_session)).is_err());
    }

    #[test]
    fn a_user_is_authenticated_by_an_active_key_only_which_counts_as_used() {
        let mut world = World::new(DateTime::from_timestamp(1_700_000_000, 0).unwrap());
        let now = world.now();
        let account = world.account("123456789012");
        account.create_user("alice", now);
        let access_key_id = account.create_key("alice", now).unwrap();
        let key = Credentials { access_key_id, secret_access_key: String::new(), session_token: None };
        assert!(world.authenticate(&scope(&key)).is_ok());
        let account = world.account("123456789012");
        let used = account.key_owner(&key.access_key_id).unwrap().1.last_used.as_ref().unwrap();
        assert_eq!((used.at, used.service.as_str()), (now, "iam"));
        account.set_key_status("alice", &key.access_key_id, KeyStatus::Inactive);
        assert!(world.authenticate(&scope(&key)).is_err());
    }
}
