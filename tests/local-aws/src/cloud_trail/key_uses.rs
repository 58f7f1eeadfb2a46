//! The calls that somebody makes with an access key: as many as a test wants, without one of them in memory.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Order, shown};
use crate::account::Account;

/// The same call, again and again. `{n}` in the address and in the agent stands for the number of the call, from 0 for the last.
#[derive(Clone, Debug)]
pub struct KeyUses {
    /// The key that signs the calls.
    pub access_key_id: String,
    /// The Region in which CloudTrail has the events.
    pub region: String,
    /// The field `eventSource`, such as `s3.amazonaws.com`.
    pub source: String,
    /// The action, such as `ListBuckets`.
    pub name: String,
    /// The field `sourceIPAddress`.
    pub address: String,
    /// The field `userAgent`.
    pub agent: String,
    /// The field `vpcEndpointId`.
    pub vpc_endpoint: Option<String>,
    /// The code of the error, if the calls fail.
    pub error: Option<String>,
    /// When the last call was made, to the second.
    pub last: DateTime<Utc>,
    /// The time between two calls, in whole seconds.
    pub every: TimeDelta,
    /// How many calls there are.
    pub count: usize,
}

impl KeyUses {
    /// One call that succeeds, in `us-east-1`, from an address in the internet, by the AWS CLI.
    pub fn once(access_key_id: &str, at: DateTime<Utc>) -> KeyUses {
        KeyUses {
            access_key_id: access_key_id.to_owned(),
            region: "us-east-1".to_owned(),
            source: "s3.amazonaws.com".to_owned(),
            name: "ListBuckets".to_owned(),
            address: "198.51.100.7".to_owned(),
            agent: "aws-cli/2.17.1 md/awscrt#0.20.11 ua/2.0 os/linux#5.15 md/arch#x86_64 lang/python#3.11.8 md/command#s3.ls"
                .to_owned(),
            vpc_endpoint: None,
            error: None,
            last: at,
            every: TimeDelta::seconds(1),
            count: 1,
        }
    }

    fn at(&self, number: usize) -> DateTime<Utc> {
        self.last - self.every * i32::try_from(number).unwrap_or(i32::MAX)
    }

    /// The numbers of the calls from this time on backwards: the first of them may still be later, by one.
    fn from(&self, time: DateTime<Utc>) -> impl Iterator<Item = usize> {
        let passed = (self.last - time).num_seconds() / self.every.num_seconds().max(1);
        usize::try_from(passed).unwrap_or_default()..self.count
    }

    /// The events from `to` back to `from` that come after `after`, at most so many, each with its place in the order. `list` is the
    /// place of these calls among those of the account.
    pub(super) fn events(
        &self,
        list: usize,
        (from, to): (DateTime<Utc>, DateTime<Utc>),
        after: Option<&Order>,
        most: usize,
    ) -> impl Iterator<Item = (Order, Value)> {
        let start = after.map_or(to, |after| after.at.min(to));
        let placed = self.from(start).map(move |number| Order { at: self.at(number), list, number });
        placed
            .skip_while(move |order| order.at > to || after.is_some_and(|after| order <= after))
            .take_while(move |order| order.at >= from)
            .take(most)
            .map(|order| {
                let event = self.event(&order);
                (order, event)
            })
    }

    fn event(&self, order: &Order) -> Value {
        let numbered = |text: &str| text.replace("{n}", &order.number.to_string());
        let id = format!("{:08x}-0000-4000-8000-{:012x}", order.list, order.number);
        let mut event = json!({
            "eventVersion": "1.11",
            "userIdentity": { "type": "IAMUser", "accessKeyId": self.access_key_id },
            "eventTime": order.at.to_rfc3339_opts(SecondsFormat::Secs, true),
            "eventSource": self.source,
            "eventName": self.name,
            "awsRegion": self.region,
            "sourceIPAddress": numbered(&self.address),
            "userAgent": numbered(&self.agent),
            "requestParameters": null,
            "responseElements": null,
            "eventID": id,
            "readOnly": true,
            "eventType": "AwsApiCall",
            "managementEvent": true,
        });
        for (name, value) in [("vpcEndpointId", &self.vpc_endpoint), ("errorCode", &self.error)] {
            if let Some(value) = value {
                event[name] = value.as_str().into();
            }
        }
        shown(&event, order.at, None)
    }
}

impl Account {
    /// Adds calls with an access key to CloudTrail's history. They do not change the key's last use.
    pub fn add_key_uses(&mut self, uses: KeyUses) {
        self.trail.uses.push(uses);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_many_calls_have_each_once_and_the_latest_first() {
        let last = DateTime::from_timestamp(1_772_404_200, 0).unwrap();
        let uses = KeyUses { count: 100_000, every: TimeDelta::seconds(7), ..KeyUses::once("AKIA", last) };
        let range = (last - TimeDelta::seconds(7 * 89), last - TimeDelta::seconds(3));
        let (mut after, mut numbers) = (None, Vec::new());
        loop {
            let page: Vec<_> = uses.events(0, range, after.as_ref(), 10).collect();
            let Some((order, _)) = page.last() else { break };
            after = Some(order.clone());
            numbers.extend(page.iter().map(|(order, _)| order.number));
        }
        assert_eq!(numbers, (1..=89).collect::<Vec<_>>());
    }
}
