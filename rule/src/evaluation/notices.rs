//! Puts a notice on the event bus for each milestone of an access key that was reached since the user's last result.
//!
//! AWS Config's record of the last result is the memory of what was told: an evaluation that tells something also delivers a
//! result. It counts by the time of the event, since the result of a sweep before midnight may be recorded after it. A notice that
//! could not be put is an error at the end, and costs no result: the result says that nobody was told, so the next evaluation
//! tells it.

use super::user::{Evaluated, Evaluator};
use crate::{
    aws::{
        calls::CallError,
        event_bus::{BATCH, BusEvent, EventBus},
        iam::{User, last_used},
    },
    config::results::HeldResult,
    error::Error,
    lock,
};
use chrono::{DateTime, NaiveDate, Utc};
use futures_util::future::join_all;
use policy::{
    access_key::{AccessKey, LastUsed, description},
    annotation::is_not_told,
    exemption::{EXEMPT_OWNER, EXEMPT_REASON, Exemption, Tags},
    notice::{Kind, Milestone, reached},
    text::{count, seconds, visible},
};
use serde_json::{Value, json};
use std::sync::Mutex;

/// The longest value of a tag, in characters, as in IAM.
const LONGEST_VALUE: usize = 256;

/// Where notices go, and what they say.
#[derive(Clone, Debug)]
pub struct NoticeSettings {
    /// The bus.
    pub bus: EventBus,
    /// The tag that names a user's owner.
    pub owner_tag: String,
}

/// The notices of one invocation.
#[derive(Debug)]
pub(crate) struct Notices<'a> {
    settings: &'a NoticeSettings,
    evaluator: Evaluator<'a>,
    failed: Mutex<Option<(usize, CallError)>>,
}

/// A user who was evaluated.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) user: &'a User,
    pub(crate) evaluated: &'a mut Evaluated,
    /// The result that AWS Config holds, if it is known.
    pub(crate) held: Option<&'a HeldResult>,
}

impl<'a> Notices<'a> {
    pub(crate) fn new(settings: &'a NoticeSettings, evaluator: Evaluator<'a>) -> Notices<'a> {
        Notices { settings, evaluator, failed: Mutex::default() }
    }

    /// Whether there is something to tell of a user, unless it has been told.
    pub(crate) fn is_anything_due(&self, evaluated: &Evaluated) -> bool {
        !self.milestones(evaluated, None).is_empty()
    }

    /// Tells the milestones of these users. Returns, for each of them, whether something was told, so that a result is due. If it could
    /// not be told, the annotation says so.
    pub(crate) async fn tell(&self, users: &mut [Subject<'_>]) -> Vec<bool> {
        let events = join_all(users.iter().map(|user| self.of_user(user))).await;
        let mut told: Vec<_> = events.iter().map(|events| !events.is_empty()).collect();
        let events: Vec<_> =
            events.into_iter().enumerate().flat_map(|(n, events)| events.into_iter().map(move |e| (n, e))).collect();
        for batch in events.chunks(BATCH) {
            let account = self.evaluator.account;
            let entries: Vec<_> = batch.iter().map(|(_, event)| event.clone()).collect();
            let put = self.settings.bus.put(account.calls, account.extras_end(), &entries).await;
            if let Err((refused, error)) = put {
                for (user, _) in refused.iter().map(|at| &batch[*at]) {
                    users[*user].evaluated.verdict.not_told();
                    told[*user] = false;
                }
                lock(&self.failed).get_or_insert((0, error)).0 += refused.len();
            }
        }
        told
    }

    /// The error for notices that could not be put.
    pub(crate) fn error(&self) -> Option<Error> {
        let failed = lock(&self.failed);
        failed.as_ref().map(|(number, error)| {
            Error::NoticeFailed(format!("{} did not reach the event bus: {error}.", count(*number, "notice")))
        })
    }

    /// What a user's keys have reached since the time of `told`.
    fn milestones<'e>(&self, evaluated: &'e Evaluated, told: Option<DateTime<Utc>>) -> Vec<(&'e AccessKey, Milestone)> {
        let Evaluator { parameters, now, .. } = self.evaluator;
        let exemption = self.exemption(evaluated);
        let milestone_of = |key| reached(key, &exemption, parameters, told, now);
        evaluated.keys.iter().filter_map(|(key, _)| Some((key, milestone_of(key)?))).collect()
    }

    /// The tags were read if a key is stale or falls due, and no exemption matters before that.
    fn exemption(&self, evaluated: &Evaluated) -> Exemption {
        let Evaluator { parameters, now, .. } = self.evaluator;
        let read = |tags: &Tags| Exemption::read(tags, now.date_naive(), parameters.max_exemption_days);
        evaluated.tags.as_ref().map_or(Exemption::Absent, read)
    }

    async fn of_user(&self, user: &Subject<'_>) -> Vec<BusEvent> {
        let account = self.evaluator.account;
        let told = user.held.filter(|held| !is_not_told(&held.annotation));
        let told = told.and_then(|held| held.invoked.or(held.recorded));
        let milestones = self.milestones(user.evaluated, told);
        join_all(milestones.into_iter().map(async |(key, milestone)| {
            let read = user.evaluated.keys.iter().find(|(other, _)| other.id == key.id);
            let used = match read.and_then(|(_, used)| used.clone()) {
                None => last_used(account, &key.id, account.extras_end()).await.ok(),
                used => used,
            };
            self.event(user, key, used.as_ref(), &milestone)
        }))
        .await
    }

    fn event(&self, user: &Subject<'_>, key: &AccessKey, used: Option<&LastUsed>, milestone: &Milestone) -> BusEvent {
        let Evaluator { parameters, account, .. } = self.evaluator;
        let Subject { user, evaluated, .. } = user;
        let (account, name) = (&account.id, plain(&user.name));
        let tag = |name: &str| evaluated.tags.as_ref()?.get(name).map(|value| plain(value));
        let exemption = self.exemption(evaluated);
        let due = key.due(parameters.max_access_key_age).date_naive();
        let Milestone { kind, days, .. } = *milestone;
        let whose = format!("key {} of user {name} in account {account}", key.id);
        let exempt = match &exemption {
            Exemption::Valid { until, .. } if exemption.covers(&key.id) => json!({
                "state": "valid", "until": until.to_string(), "owner": tag(EXEMPT_OWNER), "reason": tag(EXEMPT_REASON),
            }),
            Exemption::Void(_) => json!({ "state": "void", "until": null, "owner": null, "reason": null }),
            Exemption::Valid { .. } | Exemption::Absent => Value::Null,
        };
        let mut detail = json!({
            "id": format!("{account}/{}/{}/{}", key.id, kind.as_str(), milestone.since),
            "account": account,
            "userName": name,
            "userId": user.id,
            "owner": tag(&self.settings.owner_tag),
            "accessKeyId": key.id,
            "description": evaluated.tags.as_ref().and_then(|tags| description(tags, &key.id)).map(plain),
            "created": seconds(key.created),
            "due": due.to_string(),
            "compliance": evaluated.verdict.compliance.as_str(),
            "lastUsed": used.map(use_of),
            "exemption": exempt,
            "milestone": milestone.milestone,
            "message": message(kind, days, (&key.id, &whose), due, &exemption),
        });
        detail[if kind == Kind::Overdue { "daysOverdue" } else { "daysLeft" }] = days.into();
        BusEvent { detail_type: kind.detail_type(), resource: Some(user.arn.clone()), detail: detail.to_string() }
    }
}

/// One sentence for people, and a second one about an exemption that is void, or that makes the rotation less urgent.
fn message(kind: Kind, days: i64, (id, key): (&str, &str), due: NaiveDate, exemption: &Exemption) -> String {
    let number = count(usize::try_from(days).unwrap_or_default(), "day");
    let when = match kind {
        _ if days == 0 => "today".to_owned(),
        Kind::Overdue => format!("{number} ago"),
        Kind::DueSoon | Kind::ExemptionEnding => format!("in {number}"),
    };
    match (kind, exemption) {
        (Kind::ExemptionEnding, Exemption::Valid { until, .. }) => {
            format!("The exemption of access {key} ends on {until}, {when}: rotate the key.")
        }
        // An exemption that ends earlier is of no use.
        (Kind::DueSoon, Exemption::Valid { until, .. }) if exemption.covers(id) && *until >= due => {
            format!("Access {key} is due on {due}, {when}. It is exempt until {until}.")
        }
        (Kind::Overdue, Exemption::Void(why)) => {
            format!("Access {key} was due on {due}, {when}: rotate it. {}.", plain(why))
        }
        (Kind::Overdue, _) => format!("Access {key} was due on {due}, {when}: rotate it."),
        _ => format!("Access {key} is due on {due}, {when}: rotate it."),
    }
}

fn use_of(used: &LastUsed) -> Value {
    match used.at {
        None => json!({ "date": null }),
        Some(at) => json!({ "date": seconds(at), "service": plain(&used.service), "region": plain(&used.region) }),
    }
}

/// Text that an input transformer may put between quotation marks, which it does not escape.
fn plain(text: &str) -> String {
    visible(text, LONGEST_VALUE).replace('"', "'").replace('\\', "/")
}
