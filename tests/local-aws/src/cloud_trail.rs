//! CloudTrail, version 2013-11-01: LookupEvents, on the events of access keys and tags: each call of CreateAccessKey, UpdateAccessKey,
//! DeleteAccessKey and TagUser, each status that a test gives a key, and the calls with a key that a test adds. IAM's events are in
//! [`IAM_REGION`] only.

mod key_uses;

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use serde_json::{Map, Value, json};

pub use key_uses::KeyUses;

use crate::account::Account;
use crate::error::AwsError;
use crate::faults::{Bucket, Effects};
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
/// The rate of lookups in an account and Region.
const LOOKUPS_PER_SECOND: f64 = 2.0;

type Result<T> = std::result::Result<T, AwsError>;

/// The events of an account.
pub(crate) struct Trail {
    events: Vec<TrailEvent>,
    uses: Vec<KeyUses>,
    /// How long after the call an event can be looked up.
    delay: TimeDelta,
    lookups_per_second: f64,
    /// By Region: the lookups that are left.
    lookups: BTreeMap<String, Bucket>,
}

impl Default for Trail {
    fn default() -> Trail {
        Trail {
            events: Vec::new(),
            uses: Vec::new(),
            delay: TimeDelta::zero(),
            lookups_per_second: LOOKUPS_PER_SECOND,
            lookups: BTreeMap::new(),
        }
    }
}

/// The place of an event: the latest comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Order {
    at: DateTime<Utc>,
    /// 0 for the events of access keys, then the calls that tests added.
    list: usize,
    number: usize,
}

impl Ord for Order {
    fn cmp(&self, other: &Order) -> Ordering {
        (Reverse(self.at), self.list, self.number).cmp(&(Reverse(other.at), other.list, other.number))
    }
}

impl PartialOrd for Order {
    fn partial_cmp(&self, other: &Order) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Order {
    fn text(&self) -> String {
        format!("{} {} {}", self.at.timestamp_millis(), self.list, self.number)
    }

    fn read(text: &str) -> Option<Order> {
        let mut parts = text.split(' ');
        let at = DateTime::from_timestamp_millis(parts.next()?.parse().ok()?)?;
        Some(Order { at, list: parts.next()?.parse().ok()?, number: parts.next()?.parse().ok()? })
    }
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

    /// Sets how many lookups a second each Region allows. At first, these are two, as in AWS, by tokio's clock.
    pub fn set_lookups_per_second(&mut self, lookups: f64) {
        self.trail.lookups_per_second = lookups;
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

/// Keeps a call of IAM as an event, if it is about access keys or a user's tags, and writes.
pub(crate) fn record(
    account: &mut Account,
    scope: &Scope,
    caller: &Caller,
    (action, input): (&str, &Input),
    error: Option<&AwsError>,
) {
    let kept = ["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "TagUser"];
    if scope.service != Service::Iam || !kept.contains(&action) {
        return;
    }
    let names = [("UserName", "userName"), ("AccessKeyId", "accessKeyId"), ("Status", "status")];
    let mut request: Map<_, _> =
        names.iter().filter_map(|(from, to)| Some(((*to).to_owned(), input.get(from)?.into()))).collect();
    if let (Input::Query(params), "TagUser") = (input, action) {
        let tags = params.tags().into_iter().map(|(key, value)| json!({ "key": key, "value": value }));
        request.insert("tags".to_owned(), tags.collect());
    }
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
    if !world.account(account).has_region(region) {
        return Err(AwsError::invalid_client_token(Service::CloudTrail));
    }
    let trail = &mut world.account(account).trail;
    let rate = trail.lookups_per_second;
    let bucket = trail.lookups.entry(region.to_owned()).or_insert_with(|| Bucket::full(rate));
    if !bucket.take(rate, rate) {
        return Err(AwsError::throttling(Service::CloudTrail));
    }
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
    let after = position.after.as_deref().and_then(Order::read);
    let account = world.account(account);
    let range = (start.unwrap_or(now - HISTORY).max(now - HISTORY), end.unwrap_or(now).min(now - account.trail.delay));
    // One more than a page has, so that it is known whether there is another.
    let events = account.found(region, attribute, range, after.as_ref(), listing.size + 1);
    let page = listing.page(position, events.into_iter(), |(order, _)| order.text())?;
    Ok(json::page("Events", page.map(|(_, event)| event)))
}

impl Account {
    /// The first events after that place in the order, at most so many of each list.
    fn found(
        &self,
        region: &str,
        attribute: Option<(&str, &str)>,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        after: Option<&Order>,
        most: usize,
    ) -> Vec<(Order, Value)> {
        // Of the same second, the later one comes first.
        let of_iam = self.trail().iter().rev().enumerate();
        let of_iam = of_iam.filter(|(_, event)| region == IAM_REGION && event.has(attribute));
        let of_iam = of_iam.map(|(number, event)| (Order { at: event.at, list: 0, number }, event));
        let of_iam =
            of_iam.filter(|(order, _)| (from..=to).contains(&order.at) && after.is_none_or(|after| order > after));
        let mut events: Vec<_> = of_iam.map(|(order, event)| (order, event.shown(self.id()))).collect();
        for (n, uses) in self.trail.uses.iter().enumerate() {
            let fits = attribute.is_none_or(|(key, value)| match key {
                "EventName" => uses.name == value,
                _ => uses.access_key_id == value,
            });
            if fits && uses.region == region {
                events.extend(uses.events(n + 1, (from, to), after, most));
            }
        }
        events.sort_by(|(one, _), (other, _)| one.cmp(other));
        events
    }
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
        shown(&event, self.at, session)
    }
}

/// An event as a lookup shows it.
fn shown(event: &Value, at: DateTime<Utc>, session: Option<&str>) -> Value {
    json!({
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "ReadOnly": event["readOnly"].to_string(),
        "AccessKeyId": event["userIdentity"]["accessKeyId"],
        "EventTime": epoch_seconds(at),
        "EventSource": event["eventSource"],
        "Username": session,
        "Resources": [],
        "CloudTrailEvent": event.to_string(),
    })
}

fn from_epoch_seconds(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "milliseconds fit for 285,000 years")]
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
}
