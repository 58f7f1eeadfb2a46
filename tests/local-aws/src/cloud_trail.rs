//! CloudTrail, version 2013-11-01: LookupEvents, on the events of access keys: each call of CreateAccessKey, UpdateAccessKey and
//! DeleteAccessKey, and each status that a test gives a key. IAM's events are in [`IAM_REGION`] only.

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::account::Account;
use crate::error::AwsError;
use crate::faults::Effects;
use crate::identity::{Caller, CallerKind, role_name};
use crate::ids;
use crate::json::{self, JsonCall, epoch_seconds, member};
use crate::paging::Listing;
use crate::request::{Input, Scope};
use crate::service::Service;
use crate::user::KeyStatus;

/// The Region in which the partition `aws` has IAM's events.
const IAM_REGION: &str = "us-east-1";
/// How long events can be looked up.
const HISTORY: TimeDelta = TimeDelta::days(90);
/// The most events on a page, and the default.
const PAGE: i64 = 50;

type Result<T> = std::result::Result<T, AwsError>;

/// The events of an account.
#[derive(Default)]
pub(crate) struct Trail {
    events: Vec<TrailEvent>,
    /// How long after the call an event can be looked up.
    delay: TimeDelta,
}

/// An event of IAM.
#[derive(Clone, Debug)]
pub struct TrailEvent {
    /// When, to the second.
    pub at: DateTime<Utc>,
    /// The action, such as `UpdateAccessKey`.
    pub name: String,
    /// The field `userIdentity`.
    pub identity: Value,
    /// The field `requestParameters`.
    pub request: Value,
    /// The field `responseElements`.
    pub response: Value,
    /// The code of the error, if the call failed.
    pub error: Option<String>,
    id: String,
}

impl Account {
    /// The events so far, in the order in which they happened.
    pub fn trail(&self) -> &[TrailEvent] {
        &self.trail.events
    }

    /// The events, for tests that remove or forge some.
    pub fn trail_mut(&mut self) -> &mut Vec<TrailEvent> {
        &mut self.trail.events
    }

    /// Sets how long after a call its event can be looked up. At first, it can be at once.
    pub fn set_trail_delay(&mut self, delay: TimeDelta) {
        self.trail.delay = delay;
    }

    /// Sets a key's status, as a session of that role did at that time. The role need not exist.
    pub fn set_key_status_by(
        &mut self,
        role: &str,
        at: DateTime<Utc>,
        user: &str,
        key: &str,
        status: KeyStatus,
    ) -> bool {
        let known = self.change_key_status(at, user, key, status);
        if known {
            let identity = session_identity(self.id(), role, "AROALOCAL", &self.session_arn(role), "ASIALOCAL");
            let request = json!({ "userName": user, "accessKeyId": key, "status": status.to_string() });
            self.add_event(at, "UpdateAccessKey", identity, request, Value::Null, None);
        }
        known
    }

    fn session_arn(&self, role: &str) -> String {
        format!("arn:aws:sts::{}:assumed-role/{}/local", self.id(), role_name(role))
    }

    fn add_event(
        &mut self,
        at: DateTime<Utc>,
        name: &str,
        identity: Value,
        request: Value,
        response: Value,
        error: Option<String>,
    ) {
        let (at, name, id) = (at.trunc_subsecs(0), name.to_owned(), ids::request_id(&mut self.rng));
        self.trail.events.push(TrailEvent { at, name, identity, request, response, error, id });
    }
}

/// Keeps a call of IAM as an event, if it is about access keys and writes.
pub(crate) fn record(
    account: &mut Account,
    scope: &Scope,
    caller: &Caller,
    (action, input): (&str, &Input),
    error: Option<&AwsError>,
) {
    if scope.service != Service::Iam || !["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey"].contains(&action) {
        return;
    }
    let names = [("UserName", "userName"), ("AccessKeyId", "accessKeyId"), ("Status", "status")];
    let request: Map<_, _> =
        names.iter().filter_map(|(from, to)| Some(((*to).to_owned(), input.get(from)?.into()))).collect();
    let created = || {
        let user = account.user(input.get("UserName")?)?;
        let key = user.keys.last()?;
        Some(json!({ "accessKey": { "userName": user.name, "accessKeyId": key.id, "status": key.status.to_string() } }))
    };
    let response = if error.is_none() && action == "CreateAccessKey" { created() } else { None };
    // A call that is denied shows nothing of what was asked.
    let is_denied = error.is_some_and(|error| error.code == "AccessDenied");
    let request = if is_denied { Value::Null } else { Value::Object(request) };
    let error = error.map(|error| match error.code {
        code @ ("NoSuchEntity" | "LimitExceeded" | "Throttling" | "ServiceFailure") => format!("{code}Exception"),
        code => code.to_owned(),
    });
    let (at, identity) = (account.now, identity(caller, &scope.access_key_id));
    account.add_event(at, action, identity, request, response.unwrap_or_default(), error);
}

/// The field `userIdentity` of a call.
fn identity(caller: &Caller, access_key_id: &str) -> Value {
    let Caller { account, arn, user_id, kind } = caller;
    let user = match kind {
        CallerKind::Role(role) => return session_identity(account, role, user_id, arn, access_key_id),
        CallerKind::User(name) => name,
        CallerKind::Administrator => "administrator",
    };
    json!({
        "type": "IAMUser",
        "principalId": user_id,
        "arn": arn,
        "accountId": account,
        "accessKeyId": access_key_id,
        "userName": user,
    })
}

fn session_identity(account: &str, role: &str, principal: &str, arn: &str, access_key_id: &str) -> Value {
    json!({
        "type": "AssumedRole",
        "principalId": principal,
        "arn": arn,
        "accountId": account,
        "accessKeyId": access_key_id,
        "sessionContext": { "sessionIssuer": {
            "type": "Role",
            "principalId": principal.split(':').next(),
            "arn": format!("arn:aws:iam::{account}:role/{role}"),
            "accountId": account,
            "userName": role_name(role),
        } },
    })
}

pub(crate) fn answer(call: JsonCall<'_>, effects: &Effects) -> Result<Value> {
    match call.action {
        "LookupEvents" => lookup(call, effects),
        _ => Err(AwsError::unknown_operation()),
    }
}

fn lookup(JsonCall { world, account, region, input, .. }: JsonCall<'_>, effects: &Effects) -> Result<Value> {
    let now = world.now();
    let attribute = attribute(input)?;
    let time = |name| Ok(member(input, name, Value::as_f64)?.and_then(from_epoch_seconds));
    let (start, end) = (time("StartTime")?, time("EndTime")?);
    if start.zip(end).is_some_and(|(start, end)| start > end) {
        return Err(AwsError::new(400, "InvalidTimeRangeException", "The start is after the end."));
    }
    let size = member(input, "MaxResults", Value::as_i64)?.unwrap_or(PAGE);
    if !(1..=PAGE).contains(&size) {
        return Err(AwsError::new(400, "InvalidMaxResultsException", format!("A page has 1 to {PAGE} events.")));
    }
    let listing = Listing {
        service: Service::CloudTrail,
        name: format!("LookupEvents {account} {region} {attribute:?} {start:?} {end:?}"),
        size: size.try_into().unwrap_or(1),
        faults: effects.pages,
    };
    let position =
        json::position(&listing, input, || AwsError::new(400, "InvalidNextTokenException", "The token is not valid."))?;
    let account = world.account(account);
    let from = start.unwrap_or(now - HISTORY).max(now - HISTORY);
    let to = end.unwrap_or(now).min(now - account.trail.delay);
    let mut events: Vec<_> = account
        .trail()
        .iter()
        .filter(|event| region == IAM_REGION && (from..=to).contains(&event.at) && event.has(attribute))
        .collect();
    // Of the same second, the later one comes first.
    events.reverse();
    events.sort_by_key(|event| std::cmp::Reverse(event.at));
    let after = position.after.clone();
    let seen = after.map_or(0, |after| events.iter().take_while(|event| event.id != after).count() + 1);
    let page = listing.page(position, events.into_iter().skip(seen), |event| event.id.clone())?;
    Ok(json::page("Events", page.map(|event| event.shown(account.id()))))
}

/// The one attribute that events must have.
fn attribute(input: &Map<String, Value>) -> Result<Option<(&str, &str)>> {
    let invalid = |message: &str| AwsError::new(400, "InvalidLookupAttributesException", message);
    let attributes = member(input, "LookupAttributes", Value::as_array)?.map_or(&[][..], Vec::as_slice);
    let attribute = match attributes {
        [] => return Ok(None),
        [attribute] => attribute,
        _ => return Err(invalid("A lookup has one attribute.")),
    };
    match [&attribute["AttributeKey"], &attribute["AttributeValue"]].map(Value::as_str) {
        [Some(key @ ("EventName" | "AccessKeyId")), Some(value)] => Ok(Some((key, value))),
        _ => Err(invalid("The local AWS looks events up by EventName and AccessKeyId.")),
    }
}

impl TrailEvent {
    /// Whether the event has that attribute. An access key id is that of the caller.
    fn has(&self, attribute: Option<(&str, &str)>) -> bool {
        attribute.is_none_or(|(key, value)| match key {
            "EventName" => self.name == value,
            _ => self.identity["accessKeyId"] == value,
        })
    }

    fn shown(&self, account: &str) -> Value {
        let identity = &self.identity;
        let session = identity["arn"].as_str().and_then(|arn| arn.rsplit('/').next());
        let mut event = json!({
            "eventVersion": "1.11",
            "userIdentity": identity,
            "eventTime": self.at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "eventSource": "iam.amazonaws.com",
            "eventName": self.name,
            "awsRegion": IAM_REGION,
            "requestParameters": self.request,
            "responseElements": self.response,
            "eventID": self.id,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": account,
        });
        if let Some(error) = &self.error {
            event["errorCode"] = error.as_str().into();
        }
        json!({
            "EventId": self.id,
            "EventName": self.name,
            "ReadOnly": "false",
            "AccessKeyId": identity["accessKeyId"],
            "EventTime": epoch_seconds(self.at),
            "EventSource": "iam.amazonaws.com",
            "Username": session,
            "Resources": [],
            "CloudTrailEvent": event.to_string(),
        })
    }
}

fn from_epoch_seconds(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit for 285,000 years")]
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
}
