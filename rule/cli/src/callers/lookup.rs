//! Looks up CloudTrail's events in one account and Region, which allows two calls a second for all lookups together.

use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Calls, Pages},
};
use aws_sdk_cloudtrail::{
    Client,
    config::{Builder, Region},
    primitives::DateTime as AwsDateTime,
    types::{Event, LookupAttribute, LookupAttributeKey},
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

pub(crate) const LOOKUP_EVENTS: &str = "cloudtrail:LookupEvents";

/// "The rate of lookup requests is limited to two per second, per account, per Region" (`LookupEvents` in the API reference).
const CALLS_PER_SECOND: u32 = 2;
/// The most events on a page.
const PAGE: i32 = 50;
/// For how many days CloudTrail has events.
pub(crate) const MOST_DAYS: u16 = 90;
/// How many events of a key to read in each Region by default.
pub(crate) const MOST_EVENTS: usize = 1000;

/// Which events are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) now: DateTime<Utc>,
    /// How many days back, at most [`MOST_DAYS`].
    pub(crate) days: u16,
    /// How many events of a key to read in each Region.
    pub(crate) most_events: usize,
}

impl Window {
    /// All that CloudTrail has, up to the default number of events.
    pub(crate) fn by_default(now: DateTime<Utc>) -> Window {
        Window { now, days: MOST_DAYS, most_events: MOST_EVENTS }
    }

    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.now - TimeDelta::days(self.days.into())
    }

    /// The first time to ask for. CloudTrail knows its own end better than our clock does.
    fn start(&self) -> Option<DateTime<Utc>> {
        (self.days < MOST_DAYS).then(|| self.from())
    }
}

/// How much of what there is was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    Whole,
    /// There are earlier events.
    Cut,
}

/// CloudTrail in one account and Region.
pub(crate) struct Trail {
    pub(crate) region: String,
    client: Client,
    calls: Calls,
    until: Instant,
}

impl Trail {
    pub(crate) fn of(account: &Account<'_>, region: &str) -> Trail {
        let settings = Builder::from(&account.settings).region(Region::new(region.to_owned())).build();
        Trail {
            region: region.to_owned(),
            client: Client::from_conf(settings),
            calls: Calls::at_most(CALLS_PER_SECOND),
            until: account.ends.reads,
        }
    }

    /// Hands over the events that calls with this key made, the latest first.
    ///
    /// # Errors
    /// If CloudTrail does not answer to the end. What was handed over until then is right.
    pub(crate) async fn events_of(
        &self,
        key_id: &str,
        window: &Window,
        see: impl FnMut(Event),
    ) -> Result<Extent, CallError> {
        let range = (window.start(), window.now);
        self.look_up((LookupAttributeKey::AccessKeyId, key_id), range, window.most_events, see).await
    }

    /// Hands over the events of this name in a range of time, the latest first.
    ///
    /// # Errors
    /// As for [`Trail::events_of`].
    pub(crate) async fn events_named(
        &self,
        name: &str,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        most: usize,
        see: impl FnMut(Event),
    ) -> Result<Extent, CallError> {
        self.look_up((LookupAttributeKey::EventName, name), (Some(from), to), most, see).await
    }

    async fn look_up(
        &self,
        (key, value): (LookupAttributeKey, &str),
        (from, to): (Option<DateTime<Utc>>, DateTime<Utc>),
        most: usize,
        mut see: impl FnMut(Event),
    ) -> Result<Extent, CallError> {
        let unexpected = |what| CallError::unexpected(LOOKUP_EVENTS, what);
        let attribute = LookupAttribute::builder().attribute_key(key).attribute_value(value).build();
        let attribute = attribute.map_err(|_| unexpected("no attribute"))?;
        let aws_time = |time: DateTime<Utc>| AwsDateTime::from_secs(time.timestamp());
        let mut left = most;
        let mut pages = Pages::of(LOOKUP_EVENTS);
        while pages.more() {
            let request = self
                .client
                .lookup_events()
                .lookup_attributes(attribute.clone())
                .set_start_time(from.map(aws_time))
                .end_time(aws_time(to))
                .max_results(PAGE)
                .set_next_token(pages.next());
            let page = self.calls.call(LOOKUP_EVENTS, self.until, || request.clone().send()).await?;
            // AWS sends an empty list. The SDK also takes an empty answer for one without a list.
            let events = page.events.ok_or_else(|| unexpected("no list of events"))?;
            pages.turn(page.next_token)?;
            let is_cut = events.len() > left;
            for event in events.into_iter().take(left) {
                left -= 1;
                see(event);
            }
            if is_cut || (left == 0 && pages.more()) {
                return Ok(Extent::Cut);
            }
        }
        Ok(Extent::Whole)
    }
}
