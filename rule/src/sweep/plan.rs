//! The first step of a sweep: who needs no read, who is read, and which results have no user. It makes no call.

use chrono::{DateTime, Utc};
use policy::{
    assessment::assess_unread,
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

/// What a sweep does about each user and each recorded result.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) pending: Vec<Pending>,
    /// Results whose users were not listed. The users are not necessarily gone: one may have been created, and evaluated, since the
    /// users were listed.
    pub(crate) without_user: Vec<RecordedResult>,
}

/// Makes the plan from the users and the results that AWS Config recorded. Either may be incomplete: whoever has no known result is read.
pub(crate) fn plan(
    users: Vec<User>,
    recorded: Vec<RecordedResult>,
    parameters: &Parameters,
    now: DateTime<Utc>,
) -> Plan {
    let mut recorded: HashMap<_, _> = recorded.into_iter().map(|result| (result.user_id.clone(), result)).collect();
    let mut plan = Plan { skipped: Vec::new(), pending: Vec::new(), without_user: Vec::new() };
    for user in users {
        let recorded = recorded.remove(&user.id);
        match assess_unread(&user, recorded.as_ref(), parameters, now) {
            Some(verdict) => {
                let is_to_deliver = is_to_deliver(&verdict, recorded.as_ref(), parameters.deliver);
                plan.skipped.push(Skipped { user, verdict, is_to_deliver });
            }
            None => plan.pending.push(Pending { user, recorded: recorded.map(Box::new) }),
        }
    }
    plan.without_user = recorded.into_values().collect();
    // The order of a map differs from one run to the next.
    plan.without_user.sort_by(|a, b| a.user_id.cmp(&b.user_id));
    plan
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
    fn only_a_compliant_result_with_a_day_or_the_users_own_age_skips_a_user() {
        use Compliance::{Compliant, NonCompliant};
        let users =
            vec![user("PROVEN", 400), user("YOUNG", 3), user("VIOLATOR", 400), user("NEW", 400), user("DUE", 400)];
        let recorded = vec![
            result("PROVEN", Compliant, UNTIL_MAY),
            result("GONE", Compliant, UNTIL_MAY),
            result("VIOLATOR", NonCompliant, UNTIL_MAY),
            result(
                "DUE",
                Compliant,
                "AKIAIOSFODNN7EXAMPLE is due on 2026-03-04 (limit 90 days). Rotate it before then.",
            ),
        ];
        let Plan { skipped, pending, without_user } = plan(users, recorded, &Parameters::default(), now());
        let skipped: Vec<_> = skipped.iter().map(|skipped| (skipped.user.id.as_str(), skipped.is_to_deliver)).collect();
        assert_eq!(skipped, [("PROVEN", false), ("YOUNG", true)]);
        let pending: Vec<_> =
            pending.iter().map(|pending| (pending.user.id.as_str(), pending.recorded.is_some())).collect();
        assert_eq!(pending, [("VIOLATOR", true), ("NEW", false), ("DUE", true)]);
        assert_eq!(without_user.iter().map(|result| result.user_id.as_str()).collect::<Vec<_>>(), ["GONE"]);
    }
}
