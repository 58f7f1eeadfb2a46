//! Puts a notice on the event bus for each milestone of an access key that was reached since the user's last result.
//!
//! AWS Config's record of the last result is the memory of what was told: an evaluation that tells something also delivers a
//! result. A notice that could not be put is an error at the end, and costs no result.

use super::user::{Evaluated, Evaluator};
use crate::{
    aws::{
        calls::{CallError, Failure},
        event_bus::{BATCH, BusEvent, EventBus},
        iam::{get_user, last_used},
    },
    error::Error,
    lock,
    policy::{
        access_key::{AccessKey, LastUsed},
        exemption::{Exemption, Tags},
        notice::{Kind, Milestone, reached},
        text::{ascii, count, fit, seconds},
    },
};
use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};
use futures_util::future::join_all;
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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: &'a str,
    pub(crate) arn: Option<&'a str>,
    pub(crate) evaluated: &'a Evaluated,
    /// When AWS Config recorded the user's last result.
    pub(crate) told: Option<DateTime<Utc>>,
}

impl<'a> Notices<'a> {
    pub(crate) fn new(settings: &'a NoticeSettings, evaluator: Evaluator<'a>) -> Notices<'a> {
        Notices { settings, evaluator, failed: Mutex::default() }
    }

    /// For a change, which does not read the last result: what today brings is told, even if a sweep told it today.
    pub(crate) fn told_before_today(&self) -> Option<DateTime<Utc>> {
        Some(self.evaluator.now.date_naive().and_time(NaiveTime::MIN).and_utc() - TimeDelta::nanoseconds(1))
    }

    /// Tells the milestones of these users. Returns, for each of them, whether something was told, so that a result is due.
    pub(crate) async fn tell(&self, users: &[Subject<'_>]) -> Vec<bool> {
        let events = join_all(users.iter().map(|user| self.of_user(user))).await;
        let mut told: Vec<_> = events.iter().map(|events| !events.is_empty()).collect();
        let events: Vec<_> =
            events.into_iter().enumerate().flat_map(|(n, events)| events.into_iter().map(move |e| (n, e))).collect();
        for batch in events.chunks(BATCH) {
            let account = self.evaluator.account;
            let entries: Vec<_> = batch.iter().map(|(_, event)| event.clone()).collect();
            let put = self.settings.bus.put(account.calls, account.extras_end(), &entries).await;
            if let Err((number, error)) = put {
                // Without a result, the next sweep tells them again.
                batch.iter().for_each(|(user, _)| told[*user] = false);
                lock(&self.failed).get_or_insert((0, error)).0 += number;
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

    async fn of_user(&self, user: &Subject<'_>) -> Vec<BusEvent> {
        let Evaluator { parameters, now, account, .. } = self.evaluator;
        let read = |tags: &Tags| Exemption::read(tags, now.date_naive(), parameters.max_exemption_days);
        // The tags were read if a key is stale, and no exemption matters before that.
        let exemption = user.evaluated.tags.as_ref().map_or(Exemption::Absent, read);
        let milestone_of = |key| reached(key, &exemption, parameters, user.told, now);
        let keys = user.evaluated.keys.iter();
        let milestones: Vec<_> = keys.filter_map(|(key, used)| Some((key, used, milestone_of(key)?))).collect();
        if milestones.is_empty() {
            return Vec::new();
        }
        let tags = match &user.evaluated.tags {
            Some(tags) => tags.clone(),
            None => match get_user(account, user.name).await {
                Ok((id, tags)) if id == user.id => tags,
                // The keys may be those of another user.
                Ok(_) => return Vec::new(),
                Err(error) if error.kind == Failure::NotFound => return Vec::new(),
                Err(_) => Tags::new(),
            },
        };
        let owner = tags.get(&self.settings.owner_tag).map(|owner| plain(owner));
        join_all(milestones.into_iter().map(async |(key, used, milestone)| {
            let used = match used {
                Some(used) => Some(used.clone()),
                None => last_used(account, &key.id, account.extras_end()).await.ok(),
            };
            self.event(user, key, used.as_ref(), &milestone, &exemption, owner.as_deref())
        }))
        .await
    }

    fn event(
        &self,
        user: &Subject<'_>,
        key: &AccessKey,
        used: Option<&LastUsed>,
        milestone: &Milestone,
        exemption: &Exemption,
        owner: Option<&str>,
    ) -> BusEvent {
        let Evaluator { parameters, account, .. } = self.evaluator;
        let (account, name) = (&account.id, plain(user.name));
        let due = key.due(parameters.max_access_key_age).date_naive();
        let Milestone { kind, days, .. } = *milestone;
        let mut detail = json!({
            "id": format!("{account}/{}/{}/{}", key.id, kind.as_str(), milestone.since),
            "account": account,
            "userName": name,
            "userId": user.id,
            "owner": owner,
            "accessKeyId": key.id,
            "created": seconds(key.created),
            "due": due.to_string(),
            "compliance": user.evaluated.verdict.compliance.as_str(),
            "lastUsed": used.map(use_of),
            "exemption": exempt(exemption),
            "milestone": milestone.milestone,
            "message": message(kind, days, &format!("key {} of user {name} in account {account}", key.id), due, exemption),
        });
        detail[if kind == Kind::Overdue { "daysOverdue" } else { "daysLeft" }] = days.into();
        BusEvent { detail_type: kind.detail_type(), resource: user.arn.map(str::to_owned), detail: detail.to_string() }
    }
}

/// One sentence for people, and a second one if an exemption is void.
fn message(kind: Kind, days: i64, key: &str, due: NaiveDate, exemption: &Exemption) -> String {
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

fn exempt(exemption: &Exemption) -> Option<Value> {
    match exemption {
        Exemption::Absent => None,
        Exemption::Valid { until, owner, reason, .. } => Some(json!({
            "state": "valid", "until": until.to_string(), "owner": plain(owner), "reason": reason.as_deref().map(plain),
        })),
        Exemption::Void(_) => Some(json!({ "state": "void", "until": null, "owner": null, "reason": null })),
    }
}

/// Text that an input transformer may put between quotation marks, which it does not escape.
fn plain(text: &str) -> String {
    fit(&ascii(text).replace('"', "'").replace('\\', "/"), LONGEST_VALUE)
}
