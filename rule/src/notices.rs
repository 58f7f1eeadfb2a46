//! Puts a notice on the event bus for each milestone of an access key that was reached since the last notices about its user, and one
//! for a user who is exposed.
//!
//! The result that AWS Config recorded says when these were sent: see [`RecordedResult::notified_at`]. A notice that could not be
//! put is an error at the end, and costs no result: the result says that it was not sent, so the next evaluation sends it.

use crate::{
    aws::{
        client::CallError,
        event_bus::{BATCH, BusEvent, EventBus},
        iam::last_used,
    },
    error::Error,
    user::{Evaluated, Evaluator},
};
use chrono::NaiveDate;
use futures_util::future::{join, join_all};
use policy::{
    access_key::{AccessKey, KeyStatus, LastUsed},
    assessment::{AssessedKey, Assessment},
    exemption::{EXEMPT_OWNER, EXEMPT_REASON, Exemption},
    milestone::{Kind, Milestone},
    priority::owner,
    recorded_result::RecordedResult,
    rotation,
    text::{count, seconds, visible},
};
use serde_json::{Value, json};
use std::cell::RefCell;

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
    failed: RefCell<Option<(usize, CallError)>>,
}

impl<'a> Notices<'a> {
    pub(crate) fn new(settings: &'a NoticeSettings, evaluator: Evaluator<'a>) -> Notices<'a> {
        Notices { settings, evaluator, failed: RefCell::default() }
    }

    /// Sends the notices about these users, each with the result that AWS Config recorded, if it is known. Returns, for each of
    /// them, whether one was sent, so that a result is due. If one could not be sent, the annotation says so.
    pub(crate) async fn send(&self, users: &mut [(&mut Evaluated, Option<&RecordedResult>)]) -> Vec<bool> {
        let events = users.iter().map(|(evaluated, recorded)| self.of_user(&evaluated.assessment, *recorded));
        let events = join_all(events).await;
        let mut sent: Vec<_> = events.iter().map(|events| !events.is_empty()).collect();
        let events: Vec<_> =
            events.into_iter().enumerate().flat_map(|(n, events)| events.into_iter().map(move |e| (n, e))).collect();
        for batch in events.chunks(BATCH) {
            let account = self.evaluator.account;
            let entries: Vec<_> = batch.iter().map(|(_, event)| event.clone()).collect();
            let put = self.settings.bus.put(account.calls, account.extras_end(), &entries).await;
            if let Err((refused, error)) = put {
                for (user, _) in refused.iter().map(|at| &batch[*at]) {
                    users[*user].0.assessment.verdict.notice_not_sent();
                    sent[*user] = false;
                }
                self.failed.borrow_mut().get_or_insert((0, error)).0 += refused.len();
            }
        }
        sent
    }

    /// The error for notices that could not be put.
    pub(crate) fn error(&self) -> Option<Error> {
        self.failed.borrow().as_ref().map(|(number, error)| {
            Error::NoticeFailed(format!("{} did not reach the event bus: {error}.", count(*number, "notice")))
        })
    }

    async fn of_user(&self, assessment: &Assessment, recorded: Option<&RecordedResult>) -> Vec<BusEvent> {
        let milestones = assessment.milestones(recorded.and_then(RecordedResult::notified_at));
        let of_keys = milestones.map(async |(key, milestone)| {
            let used = self.last_used(&key.key).await;
            self.event(assessment, key, used.as_deref(), milestone)
        });
        let (of_keys, exposed) = join(join_all(of_keys), self.exposed(assessment, recorded)).await;
        exposed.into_iter().chain(of_keys).collect()
    }

    async fn last_used(&self, key: &AccessKey) -> Option<Box<LastUsed>> {
        let account = self.evaluator.account;
        match &key.last_used {
            None => last_used(account, &key.id, account.extras_end()).await.ok().map(Box::new),
            used => used.clone(),
        }
    }

    /// The notice of an exposure, which is about the user: AWS does not say which key it found.
    async fn exposed(&self, assessment: &Assessment, recorded: Option<&RecordedResult>) -> Option<BusEvent> {
        let Evaluator { account, now, .. } = self.evaluator;
        if !assessment.exposure.is_to_tell(recorded, now) {
            return None;
        }
        let keys = assessment.keys.iter().map(async |AssessedKey { key, description, .. }| {
            json!({
                "accessKeyId": key.id,
                "status": key.status.as_str(),
                "created": seconds(key.created),
                "lastUsed": self.last_used(key).await.as_deref().map(use_of),
                "description": description.as_deref().map(plain),
            })
        });
        let keys = join_all(keys).await;
        let Assessment { user, verdict, .. } = assessment;
        let active: Vec<_> =
            assessment.keys.iter().map(|key| &key.key).filter(|key| key.status == KeyStatus::Active).collect();
        let (account, name) = (&account.id, plain(&user.name));
        let detail = json!({
            "id": format!("{account}/{}/exposed/{}", user.id, now.date_naive()),
            "account": account,
            "userName": name,
            "userId": user.id,
            "owner": self.owner(assessment),
            "exposed": true,
            "compliance": verdict.compliance.as_str(),
            "accessKeyId": null,
            "accessKeys": keys,
            "message": exposed_message(&name, account, &active),
        });
        Some(BusEvent { detail_type: EXPOSED, resource: Some(user.arn.clone()), detail: detail.to_string() })
    }

    fn owner(&self, assessment: &Assessment) -> Option<String> {
        assessment.tags.as_ref().and_then(|tags| owner(tags, &self.settings.owner_tag)).map(plain)
    }

    fn event(
        &self,
        assessment: &Assessment,
        AssessedKey { key, description, .. }: &AssessedKey,
        used: Option<&LastUsed>,
        milestone: &Milestone,
    ) -> BusEvent {
        let Evaluator { parameters, account, .. } = self.evaluator;
        let Assessment { user, verdict, exemption, exposure, tags, .. } = assessment;
        let (account, name) = (&account.id, plain(&user.name));
        let tag = |name: &str| tags.as_ref()?.get(name).map(|value| plain(value));
        let due = key.due(parameters.max_access_key_age).date_naive();
        let Milestone { kind, days, .. } = *milestone;
        let whose = format!("key {} of user {name} in account {account}", key.id);
        let secret = tags.as_ref().and_then(rotation::secret).map(plain);
        let by_itself = secret.map(|secret| rotation::by_itself(&secret, &name));
        let exempt = match exemption {
            Exemption::Valid { until, .. } if exemption.covers(&key.id) => json!({
                "state": "valid", "until": until.to_string(), "owner": tag(EXEMPT_OWNER), "reason": tag(EXEMPT_REASON),
            }),
            Exemption::Void(_) => json!({ "state": "void", "until": null, "owner": null, "reason": null }),
            Exemption::Valid { .. } | Exemption::Absent => Value::Null,
        };
        let mut detail = json!({
            "id": format!("{account}/{}/{}/{}", key.id, kind.as_str(), milestone.begins.date_naive()),
            "account": account,
            "userName": name,
            "userId": user.id,
            "owner": self.owner(assessment),
            "exposed": exposure.is_exposed(),
            "accessKeyId": key.id,
            "description": description.as_deref().map(plain),
            "created": seconds(key.created),
            "due": due.to_string(),
            "compliance": verdict.compliance.as_str(),
            "lastUsed": used.map(use_of),
            "exemption": exempt,
            "milestone": milestone.milestone,
            "message": message(kind, days, (&key.id, &whose), due, exemption, by_itself.as_deref()),
        });
        detail[if kind == Kind::Overdue { "daysOverdue" } else { "daysLeft" }] = days.into();
        BusEvent { detail_type: kind.detail_type(), resource: Some(user.arn.clone()), detail: detail.to_string() }
    }
}

/// The `DetailType` of the notice of an exposure.
const EXPOSED: &str = "Access Key Exposed";

/// What to do about an exposed user, for people.
fn exposed_message(name: &str, account: &str, active: &[&AccessKey]) -> String {
    let found = format!("AWS found an access key of user {name} in account {account} in public.");
    let ids: Vec<_> = active.iter().take(2).map(|key| key.id.as_str()).collect();
    let more = if active.len() > ids.len() { " and the user's other keys" } else { "" };
    let it = if active.len() == 1 { "it" } else { "they" };
    if active.is_empty() {
        return format!("{found} No key is active: find out what it did, then detach the quarantine policy.");
    }
    format!(
        "{found} Deactivate {}{more} now, find out in CloudTrail what {it} did, and then detach the quarantine policy.",
        ids.join(" and ")
    )
}

/// One sentence for people, and a second one about an exemption that is void, or about what makes the rotation less urgent: an
/// exemption, or that it comes by itself.
fn message(
    kind: Kind,
    days: i64,
    (id, key): (&str, &str),
    due: NaiveDate,
    exemption: &Exemption,
    by_itself: Option<&str>,
) -> String {
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
        // The runbook leaves an exempt key alone.
        (Kind::DueSoon, _)
            if !exemption.covers(id)
                && let Some(by_itself) = by_itself =>
        {
            format!("Access {key} is due on {due}, {when}. {by_itself}")
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
