//! The callers of one key: events become rows while they are read, so that a key with many events needs no more memory than its callers.

use super::{address::AddressClass, agent::Agent, event::Call};
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
};

/// How many callers of a key are told apart, and how many of them are listed: those with the most events.
const MOST_TOLD_APART: usize = 500;
const MOST_LISTED: usize = 100;

/// Who calls with a key: one address and one kind of agent, whatever its version and its command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Caller {
    pub(crate) source_ip: String,
    pub(crate) address_class: &'static str,
    /// The agent of the last call.
    pub(crate) user_agent: String,
    pub(crate) agent_class: &'static str,
    pub(crate) services: BTreeSet<String>,
    pub(crate) regions: BTreeSet<String>,
    pub(crate) first: DateTime<Utc>,
    pub(crate) last: DateTime<Utc>,
    pub(crate) events: u64,
    /// How many of the events are calls that failed.
    pub(crate) errors: u64,
    #[serde(skip)]
    pub(crate) address: AddressClass,
    #[serde(skip)]
    pub(crate) agent: Agent,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Id {
    address: String,
    address_class: AddressClass,
    agent: Agent,
    /// What tells agents apart whose class is unknown.
    name: String,
}

/// All callers of a key so far.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: HashMap<Id, Caller>,
    /// Events of callers that are not told apart, since there are too many.
    others: u64,
    /// Events that are not understood.
    pub(crate) unreadable: u64,
    pub(crate) latest: Option<DateTime<Utc>>,
}

/// The callers of a key, the most active first.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    pub(crate) listed: Vec<Caller>,
    pub(crate) left_out: LeftOut,
}

/// What is not listed of a key's callers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    pub(crate) callers: usize,
    /// Whether there are more callers than that.
    pub(crate) at_least: bool,
    pub(crate) events: u64,
}

impl Rows {
    /// Adds an event of the Region; `None` for one that is not understood.
    pub(crate) fn add(&mut self, region: &str, call: Option<Call>) {
        let Some(call) = call else {
            self.unreadable += 1;
            return;
        };
        self.latest = self.latest.max(Some(call.at));
        let agent = Agent::of(&call.agent);
        let address_class = AddressClass::of(&call.address, call.vpc_endpoint.as_deref());
        let name = if agent.class() == "unknown" { product(&call.agent) } else { String::new() };
        let id = Id { address: call.address, address_class, agent, name };
        if !self.rows.contains_key(&id) && self.rows.len() >= MOST_TOLD_APART {
            self.others += 1;
            return;
        }
        let row = self.rows.entry(id).or_insert_with_key(|id| Caller {
            source_ip: id.address.clone(),
            address_class: address_class.as_str(),
            user_agent: String::new(),
            agent_class: agent.class(),
            services: BTreeSet::new(),
            regions: BTreeSet::new(),
            first: call.at,
            last: DateTime::<Utc>::MIN_UTC,
            events: 0,
            errors: 0,
            address: address_class,
            agent,
        });
        if call.at > row.last {
            (row.last, row.user_agent) = (call.at, call.agent);
        }
        row.first = row.first.min(call.at);
        row.events += 1;
        row.errors += u64::from(call.failed);
        if !row.regions.contains(region) {
            row.regions.insert(region.to_owned());
        }
        row.services.insert(call.service);
    }

    /// The callers, and what is left out.
    pub(crate) fn finish(self) -> Callers {
        let mut listed: Vec<_> = self.rows.into_values().collect();
        listed.sort_by(|one, other| {
            let order = |row: &Caller| (Reverse(row.events), Reverse(row.last));
            order(one)
                .cmp(&order(other))
                .then_with(|| one.source_ip.cmp(&other.source_ip))
                .then_with(|| one.user_agent.cmp(&other.user_agent))
        });
        let cut = listed.split_off(MOST_LISTED.min(listed.len()));
        let left_out = LeftOut {
            callers: cut.len() + usize::from(self.others > 0),
            at_least: self.others > 1,
            events: cut.iter().map(|row| row.events).sum::<u64>() + self.others,
        };
        Callers { listed, left_out }
    }
}

/// The name of the first product of an agent, without its version.
fn product(agent: &str) -> String {
    let name = agent.split(|c: char| c == '/' || c.is_whitespace()).find(|word| !word.is_empty());
    name.unwrap_or_default().chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    fn call(seconds: i64, address: &str, agent: &str) -> Option<Call> {
        Some(Call {
            at: DateTime::from_timestamp(1_772_000_000, 0).unwrap() + TimeDelta::seconds(seconds),
            address: address.to_owned(),
            vpc_endpoint: None,
            agent: agent.to_owned(),
            service: "s3".to_owned(),
            failed: seconds % 2 == 1,
        })
    }

    #[test]
    fn versions_and_commands_of_an_agent_are_one_caller_with_the_latest_as_example() {
        let mut rows = Rows::default();
        for (n, version) in [(5, "2.17.1 md/command#s3.ls"), (9, "2.17.2 md/command#ec2.run-instances"), (2, "1.0")] {
            rows.add("us-east-1", call(n, "198.51.100.7", &format!("aws-cli/{version}")));
        }
        rows.add("eu-west-1", call(4, "198.51.100.7", "curlew/1"));
        rows.add("eu-west-1", call(3, "198.51.100.7", "curlew/2 (x)"));
        rows.add("eu-west-1", call(3, "198.51.100.8", "curlew/2"));
        rows.add("eu-west-1", None);
        assert_eq!(rows.unreadable, 1);
        let Callers { listed, left_out } = rows.finish();
        let shown: Vec<_> = listed
            .iter()
            .map(|row| (&*row.source_ip, row.agent_class, &*row.user_agent, row.events, row.errors))
            .collect();
        let expected = [
            ("198.51.100.7", "AWS CLI", "aws-cli/2.17.2 md/command#ec2.run-instances", 3, 2),
            ("198.51.100.7", "unknown", "curlew/1", 2, 1),
            ("198.51.100.8", "unknown", "curlew/2", 1, 1),
        ];
        assert_eq!(shown, expected);
        assert_eq!((listed[0].last - listed[0].first).num_seconds(), 7);
        assert_eq!(left_out, LeftOut::default());
    }

    #[test]
    fn a_key_used_from_everywhere_has_so_many_rows_and_the_rest_is_counted() {
        let mut rows = Rows::default();
        for n in 0..50_000 {
            rows.add("us-east-1", call(n, &format!("198.51.{}.{}", n / 256, n % 256), "aws-cli/2"));
            assert!(rows.rows.len() <= MOST_TOLD_APART);
        }
        for _ in 0..3 {
            rows.add("us-east-1", call(0, "198.51.1.0", "aws-cli/2"));
        }
        let Callers { listed, left_out } = rows.finish();
        assert_eq!((listed.len(), &*listed[0].source_ip, listed[0].events), (MOST_LISTED, "198.51.1.0", 4));
        assert_eq!(left_out, LeftOut { callers: 401, at_least: true, events: 50_003 - 103 });
    }
}
