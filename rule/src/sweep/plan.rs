//! The first step of a sweep: who needs no read, who is read, and which results have no user. It makes no call.

use crate::aws::quarantine::ExposedUsers;
use chrono::{DateTime, Utc};
use policy::{
    assessment::assess_unread,
    exposure::Exposure,
    parameters::Parameters,
    recorded_result::{RecordedResult, is_to_deliver},
    user::User,
    verdict::Verdict,
};
use std::collections::HashMap;

/// A user to read.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) user: User,
    /// The result that AWS Config recorded, if it is known. Boxed, since most of thousands have none in a first sweep.
    pub(crate) recorded: Option<Box<RecordedResult>>,
}

/// A user whose access keys need no read.
#[derive(Debug)]
pub(crate) struct Skipped {
    pub(crate) user: User,
    pub(crate) verdict: Verdict,
    /// Whether the verdict differs from the recorded result, so that it is to be delivered.
    pub(crate) is_to_deliver: bool,
}

/// What a sweep does about a user.
#[derive(Debug)]
pub(crate) enum Decision {
    Skip(Skipped),
    Read(Pending),
}

/// Decides about each user as soon as the user's recorded result arrives, so that reads need not wait for the last page of results.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    exposed: &'a ExposedUsers,
    parameters: &'a Parameters,
    now: DateTime<Utc>,
    /// `None` once it is decided what to do about the user.
    users: Vec<Option<User>>,
    /// The users' positions, by id.
    positions: HashMap<String, usize>,
    without_user: Vec<RecordedResult>,
}

impl Plan<'_> {
    /// Starts a plan for the users who were listed. The listing may have broken off.
    pub(crate) fn of<'a>(
        users: Vec<User>,
        exposed: &'a ExposedUsers,
        parameters: &'a Parameters,
        now: DateTime<Utc>,
    ) -> Plan<'a> {
        let positions = users.iter().enumerate().map(|(position, user)| (user.id.clone(), position)).collect();
        let users = users.into_iter().map(Some).collect();
        Plan { exposed, parameters, now, users, positions, without_user: Vec::new() }
    }

    /// Decides about the user of a recorded result. `None` if no such user was listed, or if it is the user's second result.
    pub(crate) fn result(&mut self, result: RecordedResult) -> Option<Decision> {
        let Some(position) = self.positions.get(&result.user_id) else {
            self.without_user.push(result);
            return None;
        };
        let user = self.users[*position].take()?;
        Some(self.decide(user, Some(result)))
    }

    /// Decides about the users without a known result, in the order of the listing. Returns the results whose users were not listed
    /// too. The users are not necessarily gone: one may have been created, and evaluated, since the users were listed.
    pub(crate) fn end(mut self) -> (Vec<Decision>, Vec<RecordedResult>) {
        let users = std::mem::take(&mut self.users);
        let rest = users.into_iter().flatten().map(|user| self.decide(user, None)).collect();
        (rest, self.without_user)
    }

    fn decide(&self, user: User, recorded: Option<RecordedResult>) -> Decision {
        // The notice of an exposure names the user's keys.
        let is_exposed = self.exposed.exposure(&user.id) == Exposure::Exposed;
        let unread = (!is_exposed).then(|| assess_unread(&user, recorded.as_ref(), self.parameters, self.now));
        match unread.flatten() {
            Some(verdict) => {
                let is_to_deliver = is_to_deliver(&verdict, recorded.as_ref(), self.parameters.deliver);
                Decision::Skip(Skipped { user, verdict, is_to_deliver })
            }
            None => Decision::Read(Pending { user, recorded: recorded.map(Box::new) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use policy::verdict::Compliance;

    const UNTIL_MAY: &str = "No access key becomes stale before 2026-05-01 (limit 90 days).";

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn user(id: &str, age: i64) -> User {
        User { name: id.to_lowercase(), id: id.to_owned(), arn: String::new(), created: now() - TimeDelta::days(age) }
    }

    fn result(id: &str, compliance: Compliance, annotation: &str) -> RecordedResult {
        let recorded = Some(now() - TimeDelta::days(1));
        RecordedResult {
            user_id: id.to_owned(),
            compliance,
            annotation: annotation.to_owned(),
            recorded,
            invoked: None,
        }
    }

    #[test]
    fn only_a_compliant_result_with_a_day_or_the_users_own_age_skips_a_user_who_is_not_exposed() {
        use Compliance::{Compliant, NonCompliant};
        let users = ["PROVEN", "EXPOSED", "YOUNG", "VIOLATOR", "NEW", "DUE"]
            .map(|id| user(id, if id == "YOUNG" { 3 } else { 400 }));
        let recorded = vec![
            result("PROVEN", Compliant, UNTIL_MAY),
            result("EXPOSED", Compliant, UNTIL_MAY),
            result("GONE", Compliant, UNTIL_MAY),
            result("VIOLATOR", NonCompliant, UNTIL_MAY),
            result(
                "DUE",
                Compliant,
                "AKIAIOSFODNN7EXAMPLE is due on 2026-03-04 (limit 90 days). Rotate it before then.",
            ),
        ];
        let parameters = Parameters::default();
        let exposed = ExposedUsers::of(["EXPOSED".to_owned()]);
        let mut plan = Plan::of(users.to_vec(), &exposed, &parameters, now());
        let mut decisions: Vec<_> = recorded.into_iter().filter_map(|result| plan.result(result)).collect();
        let second = result("VIOLATOR", Compliant, UNTIL_MAY);
        assert!(plan.result(second).is_none(), "the first result counts");
        let (rest, without_user) = plan.end();
        decisions.extend(rest);
        let decided: Vec<_> = decisions
            .iter()
            .map(|decision| match decision {
                Decision::Skip(skipped) => (skipped.user.id.as_str(), "skipped", skipped.is_to_deliver),
                Decision::Read(pending) => (pending.user.id.as_str(), "read", pending.recorded.is_some()),
            })
            .collect();
        assert_eq!(
            decided,
            [
                ("PROVEN", "skipped", false),
                ("EXPOSED", "read", true),
                ("VIOLATOR", "read", true),
                ("DUE", "read", true),
                ("YOUNG", "skipped", true),
                ("NEW", "read", false),
            ]
        );
        assert_eq!(without_user.iter().map(|result| result.user_id.as_str()).collect::<Vec<_>>(), ["GONE"]);
    }
}
