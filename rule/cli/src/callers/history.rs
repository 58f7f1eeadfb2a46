//! Reads who uses keys: accounts and Regions side by side, each Region at CloudTrail's pace.

use super::{
    event::Call,
    key_history::{Histories, NotRead, Reading, Wanted},
    lookup::{Extent, Trail, Window},
    regions,
};
use crate::{
    args::connection::Session,
    findings::{finding::Used, progress::bar},
};
use access_key_rotation::aws::{
    account::Account,
    client::{CallError, Failure},
    iam::last_used,
};
use chrono::TimeDelta;
use futures_util::{StreamExt, future::join_all, stream};
use indicatif::ProgressStyle;
use serde_json::Value;
use std::{
    cell::{OnceCell, RefCell},
    collections::{BTreeMap, BTreeSet},
};

/// How many keys of a Region are looked up at a time: enough for two calls a second if an answer takes two seconds.
const KEYS_AT_A_TIME: usize = 4;
/// How many events to search for the creation of an account's keys.
const MOST_CREATIONS: usize = 1000;
/// How far CloudTrail's time of a creation may be from IAM's.
const ABOUT: TimeDelta = TimeDelta::minutes(5);

/// Reads who uses the keys. The result is in their order.
pub(crate) async fn read(session: &Session, wanted: Vec<Wanted>, window: &Window) -> Histories {
    let order: BTreeMap<_, _> = wanted
        .iter()
        .enumerate()
        .map(|(place, key)| ((key.account.clone(), key.access_key_id.clone()), place))
        .collect();
    let mut by_account: BTreeMap<String, Vec<Wanted>> = BTreeMap::new();
    for key in wanted {
        by_account.entry(key.account.clone()).or_default().push(key);
    }
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} accounts, {elapsed}");
    let bar = bar(by_account.len()).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.tick();
    let accounts = by_account.keys().map(|id| (id.clone(), None)).collect();
    let by_account = &by_account;
    let histories = session.read_accounts(accounts, async |id: String, _| {
        let keys = by_account.get(&id).into_iter().flatten().cloned().map(Reading::of).collect();
        let keys = read_account(session, &id, keys, window).await;
        bar.inc(1);
        keys.into_iter().map(|key| key.finish(window)).collect::<Vec<_>>()
    });
    let mut keys = histories.await.concat();
    bar.finish_and_clear();
    keys.sort_by_key(|key| order.get(&(key.account_id.clone(), key.access_key_id.clone())).copied());
    let Window { now, days, most_events } = *window;
    Histories { read_at: now, days, most_events, filtered: None, keys }
}

async fn read_account(session: &Session, id: &str, mut keys: Vec<Reading>, window: &Window) -> Vec<Reading> {
    let calls = session.calls_in(id);
    let account = match session.open(id, &calls).await {
        Ok(account) => account,
        Err(error) => {
            let not_read = NotRead { region: None, why: error.to_string() };
            keys.iter_mut().for_each(|key| key.regions_not_read.push(not_read.clone()));
            return keys;
        }
    };
    for key in keys.iter_mut().map(Reading::wanted_mut).filter(|key| key.last_used.is_none()) {
        key.last_used = last_used(&account, &key.access_key_id, account.ends.reads).await.ok().map(Used::from);
    }
    let of_iam = regions::of_iam(&session.home.partition);
    let regions = match regions::enabled(&account).await {
        Ok(regions) => regions,
        Err(error) => {
            let not_read = NotRead { region: None, why: account.error(&error).to_string() };
            keys.iter_mut().for_each(|key| key.regions_not_read.push(not_read.clone()));
            likely(&keys, [Some(session.home.region.as_str()), of_iam])
        }
    };
    let trails: Vec<_> = regions.iter().map(|region| Trail::of(&account, region)).collect();
    let keys: Vec<_> = keys.into_iter().map(RefCell::new).collect();
    join_all(trails.iter().map(async |trail| {
        if of_iam == Some(&trail.region) {
            read_creations(trail, &keys, window).await;
        }
        read_region(&account, trail, &keys, window).await;
    }))
    .await;
    keys.into_iter().map(RefCell::into_inner).collect()
}

/// The Regions to read if the account's are unknown: these, and those of which IAM knows that a key was used there last.
fn likely(keys: &[Reading], known: [Option<&str>; 2]) -> BTreeSet<String> {
    let is_region =
        |name: &&str| name.split('-').count() >= 3 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let of_keys = keys.iter().filter_map(|key| key.wanted().last_used.as_ref()).map(|used| used.region.as_str());
    known.into_iter().flatten().chain(of_keys.filter(is_region)).map(str::to_owned).collect()
}

/// Looks all keys up in one Region. A Region that does not answer is given up for the keys that are left.
async fn read_region(account: &Account<'_>, trail: &Trail, keys: &[RefCell<Reading>], window: &Window) {
    let given_up = OnceCell::new();
    let lookups = stream::iter(keys).map(async |key| {
        let id = key.borrow().wanted().access_key_id.clone();
        let outcome = match given_up.get() {
            Some(error) => Err(CallError::clone(error)),
            None => {
                trail.events_of(&id, window, |event| key.borrow_mut().rows.add(&trail.region, Call::of(&event))).await
            }
        };
        let mut key = key.borrow_mut();
        match outcome {
            Ok(extent) => {
                key.regions_read.push(trail.region.clone());
                if extent == Extent::Cut {
                    key.regions_cut.push(trail.region.clone());
                }
            }
            Err(error) => {
                let why = account.error(&error).to_string();
                key.regions_not_read.push(NotRead { region: Some(trail.region.clone()), why });
                if error.kind != Failure::Other || !error.is_answer() {
                    // Another lookup may have given up meanwhile.
                    given_up.get_or_init(|| error);
                }
            }
        }
    });
    lookups.buffer_unordered(KEYS_AT_A_TIME).collect::<()>().await;
}

/// Finds out who created the keys, in the time in which they were created, as far as CloudTrail goes back.
async fn read_creations(trail: &Trail, keys: &[RefCell<Reading>], window: &Window) {
    let created = |key: &RefCell<Reading>| key.borrow().wanted().created.filter(|created| *created >= window.from());
    let times: Vec<_> = keys.iter().filter_map(created).collect();
    let (Some(first), Some(last)) = (times.iter().min(), times.iter().max()) else { return };
    let mut creators = BTreeMap::new();
    let range = (*first - ABOUT, (*last + ABOUT).min(window.now));
    let found = trail
        .events_named("CreateAccessKey", range, MOST_CREATIONS, |event| {
            creators.extend(event.cloud_trail_event().and_then(creation));
        })
        .await;
    for key in keys.iter().filter(|key| created(key).is_some()) {
        let key = &mut *key.borrow_mut();
        key.created_by = creators.get(&key.wanted().access_key_id).cloned();
        if key.created_by.is_none() {
            key.creation_error = found.as_ref().err().cloned();
        }
    }
}

/// The key that a call of `CreateAccessKey` made, and the ARN of the caller. A call that failed made none.
fn creation(record: &str) -> Option<(String, String)> {
    let record: Value = serde_json::from_str(record).ok()?;
    let id = record["responseElements"]["accessKey"]["accessKeyId"].as_str()?;
    Some((id.to_owned(), record["userIdentity"]["arn"].as_str()?.to_owned()))
}

#[cfg(test)]
mod tests;
