//! What the rows do not say of a key: a use without an event, and what is left out.

use super::{lookup::Window, rows::LeftOut};
use crate::findings::finding::Used;
use access_key_rotation::aws::client::CallError;
use chrono::{DateTime, TimeDelta, Utc};
use policy::text::count;

/// IAM and CloudTrail do not say the time of one call to the second alike.
const ABOUT: TimeDelta = TimeDelta::hours(1);
/// "CloudTrail typically delivers logs within an average of about 5 minutes", with no guarantee (CloudTrail user guide).
const RECENT: TimeDelta = TimeDelta::hours(1);

/// What was seen of a key.
pub(super) struct Seen<'a> {
    pub(super) window: &'a Window,
    /// `None` if it could not be read.
    pub(super) last_used: Option<&'a Used>,
    /// The time of the latest event.
    pub(super) latest: Option<DateTime<Utc>>,
    pub(super) left_out: LeftOut,
    pub(super) unreadable: u64,
    pub(super) regions_cut: &'a [String],
    pub(super) reads_are_missing: bool,
    pub(super) creation_error: Option<&'a CallError>,
}

/// The sentences, if there is anything to say.
pub(super) fn note(seen: &Seen<'_>) -> Option<String> {
    let mut sentences: Vec<String> = last_use(seen).into_iter().collect();
    if !seen.regions_cut.is_empty() {
        sentences.push(format!(
            "Only the latest {} were read in {}: there are earlier ones (--most-events).",
            count(seen.window.most_events, "event"),
            seen.regions_cut.join(", ")
        ));
    }
    let LeftOut { callers, at_least, events } = seen.left_out;
    if callers > 0 {
        let at_least = if at_least { "at least " } else { "" };
        let events = count(usize::try_from(events).unwrap_or(usize::MAX), "event");
        sentences.push(format!("Not listed: {at_least}{} with {events} together.", count(callers, "caller")));
    }
    if seen.unreadable > 0 {
        let events = count(usize::try_from(seen.unreadable).unwrap_or(usize::MAX), "event");
        sentences.push(format!("{events} could not be understood."));
    }
    if let Some(error) = seen.creation_error {
        sentences.push(format!("Who created the key is not known ({error})."));
    }
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// That the last use has no event, and why that may be. A key is never unused by what CloudTrail says.
fn last_use(seen: &Seen<'_>) -> Option<String> {
    let Seen { window, latest, .. } = seen;
    let days = count(window.days.into(), "day");
    let Some(used) = seen.last_used else {
        return latest.is_none().then(|| format!("No event within {days}. The last use could not be read from IAM."));
    };
    let Some(date) = used.date else {
        return latest.is_none().then(|| format!("No event within {days}, and IAM has no use on record."));
    };
    if latest.is_some_and(|latest| latest + ABOUT >= date) {
        return None;
    }
    let what = format!(
        "{} on {} ({} in {})",
        if latest.is_some() { "Last used" } else { "Used" },
        date.date_naive(),
        used.service_name,
        used.region
    );
    if date < window.from() {
        return Some(format!("{what}, before the {days} that were looked up."));
    }
    let recent = if date + RECENT > window.now { " It may also be too recent." } else { "" };
    let elsewhere = if seen.reads_are_missing { " A Region that was not read may have it." } else { "" };
    Some(format!(
        "{what}, but CloudTrail's history has no such event: data events, such as reads of S3 objects, and mail that SES sends are \
         not in it.{recent}{elsewhere}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: &str) -> DateTime<Utc> {
        time.parse().unwrap()
    }

    fn said(last_used: Option<Option<&str>>, latest: Option<&str>, change: impl FnOnce(&mut Seen<'_>)) -> String {
        let window = Window { now: at("2026-03-01T12:00:00Z"), days: 90, most_events: 1000 };
        let used = last_used.map(|date| Used {
            date: date.map(at),
            region: "eu-west-1".to_owned(),
            service_name: "s3".to_owned(),
        });
        let mut seen = Seen {
            window: &window,
            last_used: used.as_ref(),
            latest: latest.map(at),
            left_out: LeftOut::default(),
            unreadable: 0,
            regions_cut: &[],
            reads_are_missing: false,
            creation_error: None,
        };
        change(&mut seen);
        note(&seen).unwrap_or_default()
    }

    #[test]
    fn a_last_use_without_an_event_is_said_as_what_it_is_and_never_as_no_use() {
        let (yesterday, event) = (Some(Some("2026-02-28T12:00:00Z")), Some("2026-02-28T11:30:00Z"));
        assert_eq!(said(yesterday, event, |_| {}), "");
        assert_eq!(said(Some(None), event, |_| {}), "");
        assert_eq!(said(None, event, |_| {}), "");
        let no_event = "(s3 in eu-west-1), but CloudTrail's history has no such event: data events, such as reads of S3 objects, and \
                        mail that SES sends are not in it.";
        assert_eq!(said(yesterday, None, |_| {}), format!("Used on 2026-02-28 {no_event}"));
        assert_eq!(
            said(yesterday, Some("2026-02-01T00:00:00Z"), |_| {}),
            format!("Last used on 2026-02-28 {no_event}")
        );
        assert_eq!(
            said(Some(Some("2026-03-01T11:58:00Z")), None, |seen| seen.reads_are_missing = true),
            format!("Used on 2026-03-01 {no_event} It may also be too recent. A Region that was not read may have it.")
        );
        assert_eq!(
            said(Some(Some("2025-10-01T00:00:00Z")), None, |_| {}),
            "Used on 2025-10-01 (s3 in eu-west-1), before the 90 days that were looked up."
        );
        assert_eq!(said(Some(None), None, |_| {}), "No event within 90 days, and IAM has no use on record.");
        assert_eq!(said(None, None, |_| {}), "No event within 90 days. The last use could not be read from IAM.");
    }

    #[test]
    fn what_is_left_out_is_said() {
        let regions: &'static [String] = vec!["eu-west-1".to_owned(), "us-east-1".to_owned()].leak();
        let text = said(None, Some("2026-02-28T11:30:00Z"), |seen| {
            seen.left_out = LeftOut { callers: 401, at_least: true, events: 49_900 };
            seen.unreadable = 1;
            seen.regions_cut = regions;
        });
        assert_eq!(
            text,
            "Only the latest 1000 events were read in eu-west-1, us-east-1: there are earlier ones (--most-events). Not listed: at \
             least 401 callers with 49900 events together. 1 event could not be understood."
        );
    }
}
